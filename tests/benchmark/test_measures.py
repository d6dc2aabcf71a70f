"""Optional measures of the table against their functions, and what the store does with them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.benchmark import ModelFeatures, read_store, run_benchmark
from skalign.metrics import (
    NoiseCeiling,
    PearsonScorer,
    alignment,
    axis_alignment,
    correct_reorientation,
    soft_matching,
)

pd = pytest.importorskip("pandas", reason="tables: pip install skalign[table]")
assert_frame_equal = pd.testing.assert_frame_equal

BOTH = ("axis_alignment", "soft_matching")
MORE = ["axis_alignment", "axis_alignment_se", "soft_matching"]


@pytest.fixture
def small(problem):
    """One model and all of its units, in their own units of measurement."""
    return problem | {
        "models": [replace(problem["models"][0], localizer=None)],
        "units": None,
        "categories": None,
        "n_resamples": 4,
        "random_state": 7,
    }


class Counted(SparsePositiveEncoder):
    """Counts its fits, over all clones."""

    count = 0

    def fit(self, X, y):
        Counted.count += 1
        return super().fit(X, y)


def fits_in(**problem):
    """The table of a run, and how many fits it took."""
    Counted.count = 0
    table = run_benchmark(**problem)
    return table, Counted.count


def without_time(table):
    return table.drop(columns="seconds")


def test_are_those_of_their_functions(small):
    table = run_benchmark(**small, measures=BOTH)
    model = small["models"][0]
    at = table.columns.get_loc("empty_fraction")
    assert table.columns[at + 1 : at + 5].tolist() == [*MORE, "ceiling"]
    for row, (region, encoder) in zip(
        table.itertuples(),
        [(region, encoder) for region in small["regions"] for encoder in small["encoders"]],
        strict=True,
    ):
        scaler = StandardScaler().fit(region.train)
        Y, Y_test = scaler.transform(region.train), scaler.transform(region.test)
        data = model.train, Y, model.test, Y_test
        own = small["encoders"][encoder]
        found = axis_alignment(own, *data, n_resamples=4, random_state=7)
        assert_allclose(row.axis_alignment, found.difference, atol=1e-9)
        assert_allclose(row.axis_alignment_se, found.standard_error, atol=1e-9)
        assert_allclose(row.r, found.score, atol=1e-9)
        assert_allclose(row.soft_matching, soft_matching(*data).score, atol=1e-12)
    assert table.query("encoder == 'lasso'")["axis_alignment"].gt(0.05).any()
    assert_frame_equal(without_time(table.drop(columns=MORE)), without_time(run_benchmark(**small)))


def test_theta_without_noise(small):
    """Of centered images; a voxel without a ceiling leaves both means."""
    ceilings = [np.array([0.5, 0.7]), np.array([0.6, np.nan])]
    small["regions"] = [
        replace(region, ceiling=ceiling)
        for region, ceiling in zip(small["regions"], ceilings, strict=True)
    ]
    table = run_benchmark(**small, measures=["theta_corrected"])
    model = small["models"][0]
    X, X_test = (StandardScaler().fit(model.train).transform(X) for X in (model.train, model.test))
    for row, (region, encoder) in zip(
        table.itertuples(),
        [(region, encoder) for region in small["regions"] for encoder in small["encoders"]],
        strict=True,
    ):
        scaler = StandardScaler().fit(region.train)
        Y, Y_test = scaler.transform(region.train), scaler.transform(region.test)
        fitted = clone(small["encoders"][encoder]).fit(X, Y)
        found = alignment(fitted, X_test, Y_test, center=True)
        expected = correct_reorientation(found, NoiseCeiling(region.ceiling, "r"))
        assert_allclose(row.theta_corrected, expected.mean, atol=1e-12)
    assert_allclose(table["ceiling"], [0.6] * 4)
    small["regions"] = [replace(region, ceiling=None) for region in small["regions"]]
    without = run_benchmark(**small, measures=["theta_corrected"])
    assert without["theta_corrected"].isna().all()
    assert without["error"].isna().all()


def test_only_those_that_are_asked_for(small):
    assert "axis_alignment" not in run_benchmark(**small, measures=["soft_matching"])
    assert "soft_matching" not in run_benchmark(**small)


def test_rotations_are_of_raw_features(small):
    """Units whose scales differ by far: rotated after standardization they would mix evenly."""
    model = small["models"][0]
    scale = np.where(np.arange(12) < 1, 100.0, 1.0)
    parts = {part: getattr(model, part) * scale for part in ("train", "test")}
    scaled = small | {"models": [replace(model, **parts)]}
    one, other = (
        run_benchmark(**problem, measures=["axis_alignment"]) for problem in (small, scaled)
    )
    assert_allclose(one["r"], other["r"])
    assert not np.allclose(one["axis_alignment"], other["axis_alignment"], atol=0.01)


def test_of_the_chosen_layer_with_its_validation_images(problem):
    """A validation part is rotated with the others, and chooses alpha anew in every rotation."""
    first, second = problem["models"]
    region = problem["regions"][0]
    parts = ("train", "validation", "test")
    layers = {part: {"good": getattr(first, part), "bad": getattr(second, part)} for part in parts}
    encoder = SparsePositiveEncoderCV("lasso", 4, cv="validation", refit="train")
    table = run_benchmark(
        [ModelFeatures("net", **layers)],
        [region],
        {"chosen": encoder},
        measures=BOTH,
        n_resamples=3,
        random_state=0,
    )
    assert table["layer"].tolist()[-1] == "good"
    assert table[MORE].isna().all(axis=1).tolist() == [True, True, False]
    scaler = StandardScaler().fit(region.train)
    Y, Y_validation, Y_test = (scaler.transform(getattr(region, part)) for part in parts)
    n_train, n_validation = len(Y), len(Y_validation)
    split = PredefinedSplit(np.repeat([-1, 0], [n_train, n_validation]))

    def score(X, Y, others, Y_test):
        fitted = SparsePositiveEncoderCV("lasso", 4, cv=split, refit="train").fit(
            np.vstack([X, others[:n_validation]]), np.vstack([Y, Y_validation])
        )
        return PearsonScorer()(fitted, others[n_validation:], Y_test)

    others = np.vstack([first.validation, first.test])
    expected = axis_alignment(score, first.train, Y, others, Y_test, n_resamples=3, random_state=0)
    assert_allclose(table["axis_alignment"].iloc[-1], expected.difference, atol=1e-8)
    matched = soft_matching(first.train, Y, first.test, Y_test)
    assert_allclose(table["soft_matching"].iloc[-1], matched.score)


def test_store_computes_only_the_measures_that_are_missing(small, tmp_path):
    small["encoders"] = {"counted": Counted()}
    small["store"] = tmp_path
    n_cells = 2
    plain, n_fits = fits_in(**small)
    assert n_fits == n_cells
    matched, n_fits = fits_in(**small, measures=["soft_matching"])
    assert n_fits == 0
    assert matched["soft_matching"].notna().all()
    both, n_fits = fits_in(**small, measures=BOTH)
    assert n_fits == n_cells * (1 + 4)
    assert_frame_equal(both.drop(columns=MORE), plain)  # seconds too: scores are read
    for measures, expected in [(BOTH, both), (["soft_matching"], matched), ((), plain)]:
        table, n_fits = fits_in(**small, measures=measures)
        assert n_fits == 0
        assert_frame_equal(table, expected)
    fresh = run_benchmark(**small | {"store": None}, measures=BOTH)
    assert_frame_equal(without_time(fresh), without_time(both))


def test_other_rotations_are_another_measure(small, tmp_path):
    small["encoders"] = {"counted": Counted()}
    small |= {"store": tmp_path, "measures": BOTH}
    first = run_benchmark(**small)
    seeded, n_fits = fits_in(**small | {"random_state": 8})
    assert n_fits == 2 * (1 + 4)
    assert (seeded["axis_alignment"] != first["axis_alignment"]).all()
    more, n_fits = fits_in(**small | {"n_resamples": 6})
    assert n_fits == 2 * (1 + 6)
    kept = read_store(tmp_path)
    assert len(kept) == len(first) == 2
    assert_frame_equal(kept, more)  # of the most rotations
    assert_frame_equal(run_benchmark(**small), first)


def test_read_store_has_the_columns_that_it_knows(small, tmp_path):
    run_benchmark(**small, store=tmp_path)
    assert not set(MORE) & set(read_store(tmp_path).columns)
    one_region = small | {"regions": small["regions"][:1]}
    run_benchmark(**one_region, store=tmp_path, measures=["soft_matching"])
    table = read_store(tmp_path)
    assert "axis_alignment" not in table
    assert table.groupby("region")["soft_matching"].count().tolist() == [2, 0]


def test_encoders_share_one_match(small, monkeypatch):
    calls = []

    def counting(*arguments):
        calls.append(arguments)
        return soft_matching(*arguments)

    monkeypatch.setattr("skalign.benchmark._measures.soft_matching", counting)
    table = run_benchmark(**small, measures=["soft_matching"])
    assert len(calls) == 2  # regions
    assert (table.groupby("region")["soft_matching"].nunique() == 1).all()


def test_measure_that_fails_leaves_the_scores(small, tmp_path, monkeypatch):
    small["encoders"] = {"counted": Counted()}
    small |= {"store": tmp_path, "measures": BOTH}

    def fail(*arguments):
        raise MemoryError("too many units")

    with monkeypatch.context() as patch:
        patch.setattr("skalign.benchmark._measures.soft_matching", fail)
        failed = run_benchmark(**small)
    assert set(failed["error"]) == {"soft_matching: MemoryError: too many units"}
    assert failed["soft_matching"].isna().all()
    assert failed[["r", "axis_alignment"]].notna().all(axis=None)
    stored = read_store(tmp_path)
    assert_frame_equal(stored, failed)
    again, n_fits = fits_in(**small)
    assert n_fits == 0
    assert again["error"].isna().all()
    assert again["soft_matching"].notna().all()
    assert_frame_equal(read_store(tmp_path), again)


def test_layer_that_is_gone_is_said(small, tmp_path):
    """A key stands for layers that only a call would tell."""
    model = small["models"][0]

    def of_layer(name):
        train, test = (lambda: {name: model.train}), (lambda: {name: model.test})
        return [ModelFeatures("net", train, test, key="the same")]

    small |= {"store": tmp_path}
    plain = run_benchmark(**small | {"models": of_layer("fc6")})
    table = run_benchmark(**small | {"models": of_layer("fc7")}, measures=BOTH)
    assert set(table["error"]) == {"the model has no layer 'fc6' any more: change its key"}
    assert table[MORE].isna().all(axis=None)
    assert_frame_equal(table.drop(columns=[*MORE, "error"]), plain.drop(columns="error"))


def test_cells_without_scores_have_no_measures(small):
    class Broken(Ridge):
        def fit(self, X, y):
            raise ValueError("broken")

    small["encoders"] = {"broken": Broken(), "empty": SparsePositiveEncoder(alpha=50.0)}
    table = run_benchmark(**small, measures=BOTH).set_index("encoder")
    assert table.loc["broken", MORE].isna().all(axis=None)
    assert set(table.loc["broken", "error"]) == {"ValueError: broken"}
    assert (table.loc["empty", "axis_alignment"] == 0).all()  # r is 0, rotated or not
    assert table.loc["empty", "error"].isna().all()


def test_a_single_unit_cannot_be_rotated(small):
    model = small["models"][0]
    parts = {part: getattr(model, part)[:, :1] for part in ("train", "test", "validation")}
    small["models"] = [replace(model, **parts)]
    table = run_benchmark(**small, measures=BOTH)
    assert table["axis_alignment"].isna().all()
    assert table["soft_matching"].notna().all()
    assert table["error"].isna().all()


def test_workers_measure_the_same(small):
    alone = run_benchmark(**small, measures=BOTH)
    assert_frame_equal(
        without_time(run_benchmark(**small, measures=BOTH, n_jobs=2)), without_time(alone)
    )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"measures": "soft_matching"}, TypeError, "measures must be a list of names"),
        ({"measures": {"soft_matching": 1}}, TypeError, "measures must be a list of names"),
        ({"measures": ["rsa"]}, ValueError, r"measures must be among .*; got \['rsa'\]"),
        ({"n_resamples": 1}, ValueError, "n_resamples must be an int of at least 2; got 1"),
        ({"random_state": None}, ValueError, "random_state must be an int of at least 0; got None"),
        ({"random_state": True}, ValueError, "random_state must be an int of at least 0; got True"),
    ],
)
def test_settings_are_checked(small, change, error, message):
    with pytest.raises(error, match=message):
        run_benchmark(**small | change)
