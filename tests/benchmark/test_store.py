"""What is finished is kept, as it is, and only what changed is computed again."""

import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skalign
from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.benchmark import ModelFeatures, run_benchmark
from skalign.benchmark._store import Store

pd = pytest.importorskip("pandas", reason="tables: pip install skalign[table]")
pytest.importorskip("pyarrow", reason="the store: pip install skalign[table]")
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


def test_store_is_read_by_pandas(problem, tmp_path):
    table = run_benchmark(**problem, store=tmp_path)
    stored = pd.read_parquet(tmp_path)
    assert list(stored.columns) == list(table.columns)
    names = ["model", "units", "subject", "region", "encoder"]
    stored = stored.sort_values(names, ignore_index=True)
    table = table.sort_values(names, ignore_index=True)
    assert_frame_equal(stored.drop(columns="error"), table.drop(columns="error"))
    assert stored["error"].isna().all()
    assert len(list(tmp_path.iterdir())) == 16  # and nothing else


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
    stored = pd.read_parquet(tmp_path)
    assert stored["error"].notna().sum() == table["error"].notna().sum() == 8
    assert n_fits() == 8  # of the other encoder
    assert run_benchmark(**problem, store=tmp_path)["error"].isna().all()
    assert n_fits() == 8
    assert pd.read_parquet(tmp_path)["error"].isna().all()


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


def test_broken_file_is_computed_again(problem, tmp_path, n_fits):
    run_benchmark(**problem, store=tmp_path)
    first, second, *_ = tmp_path.iterdir()
    first.write_bytes(first.read_bytes()[:100])
    second.write_bytes(b"")
    n_fits()
    run_benchmark(**problem, store=tmp_path)
    assert n_fits() == 2
    assert len(pd.read_parquet(tmp_path)) == 16


def test_file_is_whole_or_not_there(problem, tmp_path, monkeypatch):
    """Nothing takes the place of a file before it is whole, and what is not is cleared away."""
    rows = run_benchmark(**problem).to_dict("records")[:1]
    store = Store(tmp_path)
    store.write("cell", rows)

    def stop(source, target):
        assert len(pd.read_parquet(source)) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        store.write("cell", 2 * rows)
    assert [path.name for path in tmp_path.iterdir()] == ["cell.parquet"]
    assert store.read("cell") == rows


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
    assert set(table["subject"]) == set(pd.read_parquet(tmp_path)["subject"]) == {"1", "S1"}
    problem["regions"][0] = replace(problem["regions"][0], subject=np.int64(1))
    assert_frame_equal(run_benchmark(**problem, store=tmp_path), table)  # seconds, too


def test_encoder_that_cannot_be_compared_is_refused(problem, tmp_path):
    problem["encoders"]["odd"] = make_pipeline(FunctionTransformer(lambda X: X), Ridge())
    with pytest.raises(TypeError, match=r"encoders\['odd'\] must be picklable"):
        run_benchmark(**problem, store=tmp_path)
    assert run_benchmark(**problem)["error"].isna().all()


SLOW = """
import os, time
import numpy as np
from sklearn.linear_model import Ridge
from skalign.benchmark import ModelFeatures, RegionResponses

class SlowRidge(Ridge):
    def fit(self, X, y):
        with open(os.environ["FITS"], "a") as log:
            log.write("fit\\n")
        time.sleep(float(os.environ["PAUSE"]))
        return super().fit(X, y)

def arguments():
    rng = np.random.default_rng(0)
    parts = [{part: rng.standard_normal((30, 5)) for part in ("train", "test")} for _ in range(4)]
    return dict(
        models=[ModelFeatures(f"model {i}", **parts[i]) for i in (0, 1)],
        regions=[RegionResponses(i, "V1", **parts[i]) for i in (2, 3)],
        encoders={f"alpha {i}": SlowRidge(float(i)) for i in range(1, 6)},
    )
"""
RUN = """
from slow import arguments
from skalign.benchmark import run_benchmark
run_benchmark(**arguments(), store="store").to_parquet("table.parquet")
"""


def test_killed_run_resumes_where_it_was(tmp_path, monkeypatch):
    """A real process, killed between two cells or within one: 20 cells in all."""
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    log, store = tmp_path / "fits.log", tmp_path / "store"
    monkeypatch.setenv("FITS", str(log))
    monkeypatch.setenv("PYTHONPATH", f"{Path(skalign.__file__).parents[1]}{os.pathsep}{tmp_path}")

    def start(pause):
        monkeypatch.setenv("PAUSE", str(pause))
        return subprocess.Popen([sys.executable, "-c", RUN], cwd=tmp_path)

    def fits():
        return len(log.read_text().splitlines())

    process = start(pause=0.1)
    while len(list(store.glob("*.parquet"))) < 7:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    stored = {path: path.stat().st_mtime_ns for path in store.glob("*.parquet")}
    assert 7 <= len(stored) < 20
    n_killed = fits()
    assert n_killed - len(stored) in (0, 1)  # no cell but the one it was in is lost
    assert not (tmp_path / "table.parquet").exists()

    assert start(pause=0).wait() == 0
    assert fits() - n_killed == 20 - len(stored)
    assert {path: path.stat().st_mtime_ns for path in stored} == stored
    resumed = pd.read_parquet(tmp_path / "table.parquet")
    afresh = run_benchmark(**runpy.run_path(str(tmp_path / "slow.py"))["arguments"]())
    assert_frame_equal(
        resumed.drop(columns=["seconds", "penalty"]), afresh.drop(columns=["seconds", "penalty"])
    )
