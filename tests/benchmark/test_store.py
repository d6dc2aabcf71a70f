"""What is finished is kept, as it is, and only what changed is computed again."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skalign
from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.benchmark import ModelFeatures, read_store, run_benchmark

pd = pytest.importorskip("pandas", reason="tables: pip install skalign[table]")
assert_frame_equal = pd.testing.assert_frame_equal


@pytest.fixture
def n_fits(monkeypatch):
    """Count fits of Ridge and of SparsePositiveEncoder since it was last called."""
    fits = []
    for kind in (Ridge, SparsePositiveEncoder):

        def fit(self, X, y, original=kind.fit):
            fits.append(1)
            return original(self, X, y)

        monkeypatch.setattr(kind, "fit", fit)

    def count():
        n = len(fits)
        fits.clear()
        return n

    return count


def test_second_run_computes_nothing(problem, tmp_path, n_fits, monkeypatch):
    first = run_benchmark(**problem, store=tmp_path / "new" / "store")
    assert n_fits() == 16
    monkeypatch.setattr(SelectiveUnitLocalizer, "fit", None)
    second = run_benchmark(**problem, store=str(tmp_path / "new" / "store"))
    assert n_fits() == 0
    assert_frame_equal(first, second, check_exact=True)  # seconds, too


def test_store_is_read_as_one_table(problem, tmp_path):
    table = run_benchmark(**problem, store=tmp_path)
    names = ["model", "units", "subject", "region", "encoder"]
    table = table.sort_values(names, ignore_index=True)
    assert_frame_equal(read_store(str(tmp_path)), table, check_exact=True)
    assert len(list(tmp_path.iterdir())) == 1  # and nothing else
    problem["encoders"] = {"ridge": Ridge(20.0)}
    other = run_benchmark(**problem, store=tmp_path)
    both = pd.concat([table, other]).sort_values([*names, "alpha"], ignore_index=True)
    assert_frame_equal(read_store(tmp_path).sort_values([*names, "alpha"], ignore_index=True), both)


def test_folder_that_is_missing_is_no_store(tmp_path):
    with pytest.raises(NotADirectoryError, match="folder must be the store of a benchmark"):
        read_store(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert len(read_store(tmp_path / "empty")) == 0


def change_model(problem):
    model = problem["models"][1]
    problem["models"][1] = replace(model, test=model.test + np.eye(50, 12))


def change_region(problem):
    region = problem["regions"][1]
    train = region.train.copy()
    train[0, 0] += 1
    problem["regions"][1] = replace(region, train=train)


@pytest.mark.parametrize(
    ("change", "n_changed"),
    [
        (change_model, 8),
        (change_region, 8),
        (lambda p: p["encoders"]["lasso"].set_params(alpha=0.2), 8),
        (lambda p: p["encoders"]["lasso"].set_params(n_jobs=2), 0),
        (lambda p: p["units"]["face"].set_params(n_units=2), 8),
        (lambda p: p["units"].update(all=None), 8),
        (lambda p: p["units"].pop("face"), 0),
        (lambda p: p["regions"].reverse(), 0),
        (lambda p: p.update(categories=list(p["categories"])), 0),
        (lambda p: p.update(categories=p["categories"][::-1]), 16),
        (lambda p: p.update(layer_cv=3), 16),
        (lambda p: p["regions"].append(replace(p["regions"][0], name="OFA")), 8),
    ],
)
def test_what_changes_is_computed_again(problem, tmp_path, n_fits, change, n_changed):
    run_benchmark(**problem, store=tmp_path)
    n_fits()
    change(problem)
    resumed = run_benchmark(**problem, store=tmp_path)
    assert n_fits() == n_changed
    afresh = run_benchmark(**problem)
    assert_frame_equal(resumed.drop(columns="seconds"), afresh.drop(columns="seconds"))


@pytest.mark.parametrize("package", [skalign, sklearn])
def test_new_version_computes_all(problem, tmp_path, n_fits, monkeypatch, package):
    run_benchmark(**problem, store=tmp_path)
    monkeypatch.setattr(package, "__version__", "99")
    n_fits()
    run_benchmark(**problem, store=tmp_path)
    assert n_fits() == 16


def test_same_content_in_a_file_or_in_another_order_is_the_same(problem, tmp_path, n_fits):
    run_benchmark(**problem, store=tmp_path / "store")
    n_fits()
    for number, model in enumerate(problem["models"]):
        np.save(tmp_path / f"{number}.npy", model.train)
        problem["models"][number] = replace(
            model, train=tmp_path / f"{number}.npy", test=lambda model=model: model.test
        )
    problem["models"].reverse()
    run_benchmark(**problem, store=tmp_path / "store")
    assert n_fits() == 0


def test_failed_cells_are_tried_again(problem, tmp_path, n_fits, monkeypatch):
    def crash(self, X, y):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Ridge, "fit", crash)
        table = run_benchmark(**problem, store=tmp_path)
    stored = read_store(tmp_path)
    assert stored["error"].notna().sum() == table["error"].notna().sum() == 8
    assert n_fits() == 8  # of the other encoder
    assert run_benchmark(**problem, store=tmp_path)["error"].isna().all()
    assert n_fits() == 8
    assert read_store(tmp_path)["error"].isna().all()
    assert len(read_store(tmp_path)) == 16


def test_cells_of_what_could_not_be_read_are_tried_again(problem, tmp_path, n_fits):
    healthy = problem["models"][1]

    def fail():
        raise OSError("disk is gone")

    problem["encoders"] = {"ridge": Ridge(20)}
    problem["models"][1] = replace(healthy, train=fail)
    assert run_benchmark(**problem, store=tmp_path)["error"].notna().sum() == 4
    problem["models"][1] = healthy
    n_fits()
    assert run_benchmark(**problem, store=tmp_path)["error"].isna().all()
    assert n_fits() == 4


def test_key_stands_for_the_features(problem, tmp_path, n_fits):
    """A model whose cells are all there is not loaded."""
    loads = []

    def load(array):
        def call():
            loads.append(1)
            return array

        return call

    model = problem["models"][0]
    parts = {part: load(getattr(model, part)) for part in ("train", "test", "localizer")}
    problem["models"] = [ModelFeatures("alex", **parts, key="1")]
    table = run_benchmark(**problem, store=tmp_path)
    assert len(loads) == 3
    loads.clear()
    n_fits()
    assert_frame_equal(run_benchmark(**problem, store=tmp_path), table)
    assert (loads, n_fits()) == ([], 0)
    problem["models"] = [replace(problem["models"][0], key="2")]
    run_benchmark(**problem, store=tmp_path)
    assert (len(loads), n_fits()) == (3, 8)

    def fail():
        raise OSError("disk is gone")

    problem["models"] = [replace(problem["models"][0], key="3", test=fail)]
    assert (
        run_benchmark(**problem, store=tmp_path)["error"]
        .str.contains("disk is gone", na=False)
        .all()
    )
    assert run_benchmark(**problem)["error"].str.contains("disk is gone", na=False).all()


@pytest.mark.parametrize("added", ["validation", "layer"])
def test_key_does_not_stand_for_parts_and_layers(problem, tmp_path, n_fits, added):
    model = problem["models"][0]
    parts = {part: {"a": getattr(model, part)} for part in ("train", "test", "localizer")}
    problem |= {"models": [ModelFeatures("alex", **parts, key="1")]}
    run_benchmark(**problem, store=tmp_path)
    if added == "validation":
        parts["validation"] = {"a": model.validation}
    else:
        parts = {part: {**layers, "b": layers["a"] + 1} for part, layers in parts.items()}
    problem["models"] = [ModelFeatures("alex", **parts, key="1")]
    n_fits()
    resumed = run_benchmark(**problem, store=tmp_path)
    assert n_fits() >= 8
    afresh = run_benchmark(**problem)
    assert_frame_equal(resumed.drop(columns="seconds"), afresh.drop(columns="seconds"))


def test_subjects_may_be_named_or_numbered(problem, tmp_path):
    problem["regions"] = [
        replace(region, subject=f"s{number}") for number, region in enumerate(problem["regions"])
    ]
    for _ in range(2):
        table = run_benchmark(**problem, store=tmp_path)
        assert set(table["subject"]) == {"s0", "s1"}


def test_subjects_named_and_numbered_are_read_together(problem, tmp_path):
    problem["regions"][1] = replace(problem["regions"][1], subject="S1")
    table = run_benchmark(**problem, store=tmp_path)
    assert set(table["subject"]) == set(read_store(tmp_path)["subject"]) == {"1", "S1"}
    problem["regions"][0] = replace(problem["regions"][0], subject=np.int64(1))
    assert_frame_equal(run_benchmark(**problem, store=tmp_path), table)  # seconds, too


def test_encoder_that_cannot_be_compared_is_refused(problem, tmp_path):
    problem["encoders"]["odd"] = make_pipeline(FunctionTransformer(lambda X: X), Ridge())
    with pytest.raises(TypeError, match=r"encoders\['odd'\] must be picklable"):
        run_benchmark(**problem, store=tmp_path)
    assert run_benchmark(**problem)["error"].isna().all()
