"""The table against loops written out, and what becomes of cells that fail."""

import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import (
    AlignmentScorer,
    SelectiveUnitLocalizer,
    SparsePositiveEncoder,
    SparsePositiveEncoderCV,
)
from skalign.benchmark import ModelFeatures, RegionResponses, run_benchmark
from skalign.metrics import NoiseCeiling, alignment

pd = pytest.importorskip("pandas", reason="tables: pip install skalign[table]")
assert_frame_equal = pd.testing.assert_frame_equal

COLUMNS = [
    *("model", "layer", "units", "subject", "region", "encoder", "penalty", "positive", "alpha"),
    *(
        "alpha_at_edge",
        "partition",
        "r",
        "theta",
        "penalized_theta",
        "n_active",
        "theta_observed",
        "n_effective",
    ),
    *("theta_floor", "empty_fraction"),
    *("ceiling", "n_targets", "seconds", "error"),
]


def scores(table):
    return table.drop(columns="seconds")


def expected_table(problem):
    """All cells by the book: localize, standardize, fit, score."""
    rows = []
    for model, units, region, encoder in product(
        problem["models"], problem["units"], problem["regions"], problem["encoders"]
    ):
        selector = clone(problem["units"][units]).fit(model.localizer, problem["categories"])
        scaler = StandardScaler().fit(selector.transform(model.train))
        X, X_test = (
            scaler.transform(selector.transform(part)) for part in (model.train, model.test)
        )
        scaler = StandardScaler().fit(region.train)
        Y, Y_test = scaler.transform(region.train), scaler.transform(region.test)
        found = alignment(clone(problem["encoders"][encoder]).fit(X, Y), X_test, Y_test)
        empty = found.n_active == 0
        theta = np.nan if empty.all() else found.theta[~empty].mean()
        penalized = (found.theta[~empty].sum() + 2 * empty.sum()) / 2
        r = np.nansum(found.r) / 2
        rows.append([r, theta, penalized, found.n_active.mean(), empty.mean()])
    return np.array(rows)


def test_is_that_of_a_loop(problem):
    table = run_benchmark(**problem)
    names = ["r", "theta", "penalized_theta", "n_active", "empty_fraction"]
    assert_allclose(table[names], expected_table(problem), rtol=1e-10, atol=1e-12)
    assert 0 < table["empty_fraction"].mean() < 0.5
    assert list(table.columns) == COLUMNS
    names = ["model", "units", "region", "encoder"]
    assert table[names].to_numpy().tolist() == [
        list(cell)
        for cell in product(["alex", "vgg"], ["face", "scene"], ["FFA", "PPA"], ["lasso", "ridge"])
    ]
    assert (table["subject"] == table["region"].map({"FFA": "1", "PPA": "2"})).all()
    assert (table["penalty"] == table["encoder"]).all()
    assert (table["positive"] == (table["encoder"] == "lasso")).all()
    assert (table["alpha"] == table["encoder"].map({"lasso": 0.1, "ridge": 10})).all()
    assert_allclose(table["ceiling"], 0.6)
    assert set(table["partition"]) == {"test"}
    assert set(table["layer"]) == {""}
    assert set(table["n_targets"]) == {2}
    assert table["seconds"].between(1e-6, 60).all()
    assert table["error"].tolist() == [None] * 16


@pytest.mark.filterwarnings("ignore:.* targets were left empty:UserWarning")
def test_any_model_with_a_linear_map_inside(problem):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SparsePositiveEncoder()),
        {"sparsepositiveencoder__alpha": [0.05, 0.2]},
        cv=3,
        scoring=AlignmentScorer(),
        refit="r",
    )
    around = TransformedTargetRegressor(SparsePositiveEncoder(alpha=0.2), transformer=PCA(2))
    each = MultiOutputRegressor(SparsePositiveEncoderCV(cv=3))
    problem["encoders"] = {"search": search, "around": around, "each": each}
    table = run_benchmark(**problem)
    assert table["error"].isna().all()
    assert set(table["penalty"]) == {"lasso"}
    assert set(table["alpha"][table["encoder"] == "search"]) <= {0.05, 0.2}
    at_edge = table.groupby("encoder")["alpha_at_edge"]
    assert at_edge.min()["search"] == 1  # of two alphas
    assert at_edge.count()["around"] == 0  # which chooses none
    assert set(table.query("encoder == 'each'")["alpha_at_edge"]) <= {0, 0.5, 1}
    names = ["r", "theta", "penalized_theta", "n_active", "empty_fraction"]
    assert_allclose(table[names], expected_table(problem), rtol=1e-10, atol=1e-12)


def test_matched_units_win(problem):
    table = run_benchmark(**problem).query("model == 'alex' and encoder == 'lasso'")
    r = table.pivot(index="region", columns="units", values="r")
    assert r.loc["FFA", "face"] > r.loc["FFA", "scene"] + 0.3
    assert r.loc["PPA", "scene"] > r.loc["PPA", "face"] + 0.3


def test_any_linear_regressor(problem):
    """Standardizing once more in a pipeline changes nothing but its name."""
    piped = make_pipeline(StandardScaler(), Lasso(0.1, positive=True, tol=1e-10))
    problem["encoders"] = {"ours": SparsePositiveEncoder(), "theirs": piped}
    table = run_benchmark(**problem).set_index("encoder")
    for name in ("r", "theta", "n_active", "penalty", "positive", "alpha"):
        ours, theirs = table.loc["ours", name].to_numpy(), table.loc["theirs", name].to_numpy()
        if name in ("r", "theta"):
            assert_allclose(ours, theirs, atol=1e-6)
        else:
            assert (ours == theirs).all()


def test_arrays_files_and_callables_are_the_same(problem, tmp_path):
    expected = scores(run_benchmark(**problem))
    parts = ("localizer", "train", "validation", "test", "ceiling")

    def to_files(record, number):
        changed = {}
        for part in parts:
            if (array := getattr(record, part, None)) is not None:
                changed[part] = tmp_path / f"{type(record).__name__}-{number}-{part}.npy"
                np.save(changed[part], array)
        return replace(record, **changed)

    def to_callables(record, number):
        arrays = {part: getattr(record, part, None) for part in parts}
        arrays = {part: array for part, array in arrays.items() if array is not None}
        calls.append(dict.fromkeys(arrays, 0))
        sources = {part: counted(array, calls[-1], part) for part, array in arrays.items()}
        return replace(record, **sources)

    def counted(array, count, part):
        def load():
            count[part] += 1
            return array

        return load

    calls = []
    for change in (to_files, to_callables):
        changed = problem | {
            name: [change(record, number) for number, record in enumerate(problem[name])]
            for name in ("models", "regions")
        }
        assert_frame_equal(scores(run_benchmark(**changed)), expected)
    assert {n for count in calls for n in count.values()} == {1}  # one call each


def test_units_are_localized_and_standardized_once(problem, monkeypatch):
    localized, standardized = [], []
    fit, scale = SelectiveUnitLocalizer.fit, StandardScaler.fit

    def count_fit(self, X, y=None):
        localized.append(self.category)
        return fit(self, X, y)

    def count_scale(self, X):
        standardized.append(X.shape[1])
        return scale(self, X)

    monkeypatch.setattr(SelectiveUnitLocalizer, "fit", count_fit)
    monkeypatch.setattr(StandardScaler, "fit", count_scale)
    run_benchmark(**problem)
    assert sorted(localized) == ["face", "face", "scene", "scene"]  # models times groups
    assert standardized.count(3) == 4  # of units
    assert standardized.count(2) == 4  # of voxels: models times regions


def test_subject_has_images_of_its_own(problem):
    """Rows of shared features give what features of the subject's own images do."""
    rng = np.random.default_rng(1)
    chosen = {part: rng.permutation(40)[:25] for part in ("train", "validation", "test")}
    chosen["validation"] %= 30
    region = problem["regions"][0]
    parts = {part: getattr(region, part)[rows] for part, rows in chosen.items()}
    images = {f"{part}_images": rows for part, rows in chosen.items()}
    own = replace(region, **parts, **images)
    together = run_benchmark(**problem | {"regions": [own, problem["regions"][1]]})
    cut = [
        replace(model, **{part: getattr(model, part)[rows] for part, rows in chosen.items()})
        for model in problem["models"]
    ]
    alone = run_benchmark(**problem | {"models": cut, "regions": [replace(region, **parts)]})
    assert_frame_equal(
        scores(together.query("region == 'FFA'")).reset_index(drop=True), scores(alone)
    )
    shared = run_benchmark(**problem)
    assert_frame_equal(
        scores(together.query("region == 'PPA'")), scores(shared.query("region == 'PPA'"))
    )


def test_empty_fits_are_counted_and_do_not_win(problem):
    problem["encoders"] = {
        "half": SparsePositiveEncoder(alpha=[0.001, 3.0], positive=False),
        "empty": SparsePositiveEncoder(alpha=3.0, positive=False),
        "full": SparsePositiveEncoder(alpha=0.001, positive=False),
    }
    problem["regions"] = [replace(region, ceiling=None) for region in problem["regions"]]
    table = run_benchmark(**problem).set_index("encoder")
    assert set(table.loc["empty", "r"]) == {0}
    assert table.loc["empty", "theta"].isna().all()
    assert set(table.loc["empty", "penalized_theta"]) == {2}
    assert set(table.loc["empty", "empty_fraction"]) == {1}
    assert set(table.loc["half", "empty_fraction"]) == {0.5}
    assert table.loc["half", "theta"].notna().all()  # of the other voxel alone
    assert table["ceiling"].isna().all()
    first = [one_voxel(region, slice(1)) for region in problem["regions"]]
    alone = run_benchmark(**problem | {"regions": first}).set_index("encoder").loc["full"]
    assert_allclose(table.loc["half", "theta"], alone["theta"])
    assert_allclose(table.loc["half", "r"], alone["r"] / 2)


def one_voxel(region, voxel):
    parts = {part: getattr(region, part)[:, voxel] for part in ("train", "validation", "test")}
    return replace(region, **parts, ceiling=None)


def test_single_target_in_one_dimension(problem):
    tables = []
    for voxel in (0, slice(1)):
        regions = [one_voxel(region, voxel) for region in problem["regions"]]
        tables.append(scores(run_benchmark(**problem | {"regions": regions})))
    assert_frame_equal(*tables)
    assert set(tables[0]["n_targets"]) == {1}


def test_data_frames_have_the_same_voxels_in_all_parts(problem):
    expected = scores(run_benchmark(**problem))
    region = problem["regions"][1]
    frames = {
        part: pd.DataFrame(getattr(region, part), columns=["v1", "v2"])
        for part in ("train", "validation", "test")
    }
    spoil(problem, "regions", **frames)
    assert_frame_equal(scores(run_benchmark(**problem)), expected)
    spoil(problem, "regions", test=frames["test"][["v2", "v1"]])
    table = run_benchmark(**problem)
    failed = table["region"] == "PPA"
    message = "same voxels in the same order.*'v1', 'v2'"
    assert table["error"][failed].str.contains(message, na=False).all()
    assert table["error"][~failed].isna().all()


@pytest.mark.parametrize(
    ("ceiling", "expected"),
    [
        ([0.5, np.nan], 0.5),
        ([np.nan, np.nan], np.nan),
        ([0, 1], 0.5),
        (NoiseCeiling([0.4, 0.8], "r"), 0.6),
        (NoiseCeiling([0.16, 0.64], "variance").to_unit("r"), 0.6),
        (lambda: NoiseCeiling([0.4, np.nan], "r"), 0.4),
    ],
)
def test_ceiling_is_that_of_voxels_that_have_one(problem, ceiling, expected, tmp_path):
    spoil(problem, "regions", ceiling=ceiling)
    for _ in range(2):
        table = run_benchmark(**problem, store=tmp_path).query("region == 'PPA'")
        assert table["error"].isna().all()
        assert_allclose(table["ceiling"], expected)


def test_without_units_all_are_taken(problem):
    del problem["units"], problem["categories"]
    problem["models"] = [replace(model, localizer=None) for model in problem["models"]]
    problem["encoders"] = {"ols": SparsePositiveEncoder("ols", positive=False)}
    table = run_benchmark(**problem)
    assert set(table["n_active"]) == {12}
    assert set(table["units"]) == {"all"}
    assert table["alpha"].isna().all()


def fail():
    raise OSError("disk is gone")


@pytest.mark.parametrize(
    ("change", "concerns", "message"),
    [
        (lambda p: p["encoders"].update(lasso=Lasso(alpha=-1)), "encoder == 'lasso'", "alpha"),
        (lambda p: p["encoders"].update(lasso=Lasso(alpha="0")), "encoder == 'lasso'", "alpha"),
        (lambda p: p["units"]["face"].set_params(n_units=99, fdr=0.05), "units == 'face'", "pass"),
        (lambda p: spoil(p, "models", train=fail), "model == 'vgg'", "OSError: disk is gone"),
        (lambda p: spoil(p, "regions", test=fail), "region == 'PPA'", "OSError: disk is gone"),
        (lambda p: spoil(p, "regions", test=np.ones((3, 2))), "region == 'PPA'", "same images"),
        (lambda p: spoil(p, "regions", test=np.ones((50, 3))), "region == 'PPA'", "same voxels"),
        (lambda p: spoil(p, "regions", train="no.npy"), "region == 'PPA'", "FileNotFoundError"),
        (lambda p: spoil(p, "regions", ceiling=[1.0]), "region == 'PPA'", "one number per voxel"),
        (lambda p: spoil(p, "regions", ceiling=[0.5, 1.1]), "region == 'PPA'", "from 0 to 1.*1.1"),
        (
            lambda p: spoil(p, "regions", ceiling=[-0.1, 0.5]),
            "region == 'PPA'",
            "from 0 to 1.*-0.1",
        ),
        (
            lambda p: spoil(p, "regions", ceiling=NoiseCeiling([0.5, 0.6], "variance")),
            "region == 'PPA'",
            r"units of r; got unit 'variance'. Give ceiling.to_unit\(\"r\"\)",
        ),
        (
            lambda p: spoil(p, "models", test={1: np.ones((50, 12)), "1": np.ones((50, 12))}),
            "model == 'vgg'",
            r"names differ as text; got \[1, '1'\]",
        ),
        (lambda p: spoil(p, "regions", train_images=[99] * 40), "region == 'PPA'", "IndexError"),
        (lambda p: spoil(p, "regions", train=np.full((40, 2), np.nan)), "region == 'PPA'", "NaN"),
        (
            lambda p: spoil(p, "models", test=np.full((50, 12), np.inf)),
            "model == 'vgg'",
            "infinity",
        ),
        (lambda p: spoil(p, "models", test=np.ones((50, 5))), "model == 'vgg'", "same units"),
        (lambda p: spoil(p, "models", test=np.ones((50, 3, 4))), "model == 'vgg'", "Flatten"),
        (lambda p: spoil(p, "models", test={}), "model == 'vgg'", "at least one layer"),
        (lambda p: spoil(p, "models", test={"fc6": np.ones((50, 12))}), "model == 'vgg'", "layers"),
    ],
)
def test_cell_that_fails_is_recorded_and_the_rest_goes_on(problem, change, concerns, message):
    expected = run_benchmark(**problem)
    change(problem)
    table = run_benchmark(**problem)
    failed = table.query(concerns)
    assert failed["error"].str.contains(message, na=False).all(), failed["error"].iloc[0]
    names = ["r", "theta", "penalized_theta", "n_active", "empty_fraction"]
    assert failed[names].isna().all(axis=None)
    others = table.index.difference(failed.index)
    assert 0 < len(failed) < len(table) == len(expected)
    assert_frame_equal(scores(table.loc[others]), scores(expected.loc[others]), check_dtype=False)


def spoil(problem, name, **changes):
    """Change the second model or region."""
    problem[name][1] = replace(problem[name][1], **changes)


def test_archive_of_arrays_is_refused(problem, tmp_path):
    np.savez(tmp_path / "many.npz", a=np.ones(3))
    spoil(problem, "models", train=str(tmp_path / "many.npz"))
    assert (
        "ValueError: train features of model 'vgg' must be the path of a .npy file"
        in (run_benchmark(**problem)["error"].iloc[-1])
    )


def test_progress_sees_every_cell(problem):
    seen = []

    def progress(cells, total):
        for cell in cells:
            seen.append(total)
            yield cell

    run_benchmark(**problem, progress=progress)
    assert seen == [16] * 16


def test_progress_that_keeps_cells_is_refused(problem):
    def progress(cells, total):
        yield from list(cells)[3:]

    with pytest.raises(ValueError, match=r"progress must yield every cell.*got all but 3"):
        run_benchmark(**problem, progress=progress)


def test_progress_of_rich(problem, capsys):
    track = pytest.importorskip("rich.progress").track
    run_benchmark(**problem, progress=track)
    assert "100%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"models": []}, ValueError, "models must have at least one record"),
        (
            {"models": ModelFeatures("alone", train=None, test=None)},
            TypeError,
            "models must be a list of records; got a single Model",
        ),
        ({"models": ["alexnet"]}, TypeError, "models must be ModelFeatures records; got a str"),
        ({"models": 2 * [ModelFeatures("a", 1, 1, 1)]}, ValueError, r"models.*\['a'\] more than"),
        ({"regions": 2 * [RegionResponses(1, "V1", 1, 1)]}, ValueError, r"regions.*\('1', 'V1'\)"),
        (
            {"regions": [RegionResponses(subject, "V1", 1, 1) for subject in (1, "1")]},
            ValueError,
            r"regions.*\('1', 'V1'\)",
        ),
        ({"regions": [RegionResponses(None, "V1", 1, 1)]}, TypeError, "subject of regions.* None"),
        ({"regions": [RegionResponses(1, 2, 1, 1)]}, TypeError, "names of regions must be str.* 2"),
        ({"models": [ModelFeatures(3, 1, 1, 1)]}, TypeError, "names of models must be str; got 3"),
        ({"encoders": {("l", 1): Lasso()}}, TypeError, r"names in encoders must be str.*tuple"),
        ({"units": {None: None}}, TypeError, "names in units must be str; got None"),
        ({"encoders": [Lasso()]}, TypeError, "encoders must be a dict.* got a list"),
        ({"encoders": {}}, ValueError, "encoders must have at least one entry"),
        ({"encoders": {"lasso": Lasso}}, TypeError, r"encoders\['lasso'\] must be an estimator"),
        ({"encoders": {"lasso": None}}, TypeError, r"encoders\['lasso'\] must be an estimator"),
        (
            {"encoders": {"pca": make_pipeline(PCA())}},
            TypeError,
            r"encoders\['pca'\] must have a linear map inside.*PCA",
        ),
        ({"units": {"face": "face"}}, TypeError, r"units\['face'\] must be a SelectiveUnit.* None"),
        ({"layer_cv": 1}, ValueError, "layer_cv must be an int of at least 2.* got 1"),
        ({"layer_cv": "5"}, ValueError, "layer_cv must be an int of at least 2.* got '5'"),
        ({"categories": None}, ValueError, r"categories must have.*\['face', 'scene'\]"),
        ({"models": [ModelFeatures("a", 1, 1)]}, ValueError, r"localizer features.*\['a'\]"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(problem, changes, kind, message):
    with pytest.raises(kind, match=message):
        run_benchmark(**problem | changes)


def test_missing_pandas_is_named(problem, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pandas.*skalign\[table\]"):
        run_benchmark(**problem, store=tmp_path)
    assert not list(tmp_path.iterdir())


def test_inputs_are_left_as_they_were(problem):
    before = [clone(encoder).get_params() for encoder in problem["encoders"].values()]
    copies = [model.train.copy() for model in problem["models"]]
    run_benchmark(**problem)
    assert [encoder.get_params() for encoder in problem["encoders"].values()] == before
    assert not hasattr(problem["encoders"]["lasso"], "coef_")
    for model, copy in zip(problem["models"], copies, strict=True):
        np.testing.assert_array_equal(model.train, copy)
    assert isinstance(run_benchmark(**problem), pd.DataFrame)
