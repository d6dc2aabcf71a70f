"""The examples on the simulated cortex run, and what they say is true of their tables."""

import numpy as np
import pytest

from tests.example_scripts import run_example

PENALTIES = ["ols", "ridge", "lasso", "elasticnet"]


@pytest.fixture(scope="module")
def ffa_case(tmp_path_factory):
    return run_example(
        "plot_ffa_case",
        tmp_path_factory.mktemp("ffa"),
        smaller={"[[418, 1], [274, 1], [382, 1], [259, 1]]": "[40, 1]"},
    )


@pytest.fixture(scope="module")
def choose_alpha(tmp_path_factory):
    smaller = {"n_voxels=[40, 1]": "n_voxels=[12, 1], n_subjects=3"}
    return run_example("plot_choose_alpha", tmp_path_factory.mktemp("alpha"), smaller=smaller)


@pytest.fixture(scope="module")
def many_networks(tmp_path_factory):
    smaller = {"n_networks = 106\n": "n_networks = 16\n", "n_voxels=40": "n_voxels=10"}
    return run_example("plot_many_networks", tmp_path_factory.mktemp("many"), smaller=smaller)


def test_no_example_writes_files(ffa_case, choose_alpha, many_networks):
    for example in (ffa_case, choose_alpha, many_networks):
        assert not list(example.folder.iterdir())


def test_ffa_case_is_that_of_the_paper(ffa_case):
    assert len(ffa_case.cortex.X_train) == 1000
    assert len(ffa_case.cortex.X_test) == 515
    results = ffa_case.results
    assert len(results) == 2 * 4 * 8
    assert set(results["subject"]) == {"S1", "S2", "S3", "S4"}
    assert set(results["alpha"].dropna()) == {0.1}
    assert results["error"].isna().all()
    for units, planted in ffa_case.planted.items():
        assert planted > 0.95, units
    truth = [ffa_case.cortex.ceiling[s, "FFA"].mean() for s in ffa_case.cortex.subjects]
    np.testing.assert_allclose(ffa_case.ceiling, truth, atol=0.03)


def test_reading_of_ffa_case_is_true_of_the_table(ffa_case):
    signed = ffa_case.table.xs(False, level="positive")
    positive = ffa_case.table.xs(True, level="positive")
    # Signed: from scene units about as well, but turned.
    gap = signed["r"]["face"] - signed["r"]["scene"]
    assert (gap < 0.12).all()
    assert (gap.drop("lasso") < 0.06).all()
    assert signed["theta"]["scene"].between(1.05, 1.4).all()
    assert signed["theta"]["scene"]["ols"] == pytest.approx(1.1, abs=0.05)
    # Positive: not from scene units, and nothing lost from face units.
    assert (positive["r"]["scene"] < 0.25).all()
    assert (positive["r"]["face"] > signed["r"]["face"] - 0.005).all()
    assert (positive["r"]["face"] > 0.45).all()
    assert (positive["r"]["face"] < ffa_case.ceiling.mean() + 0.01).all()
    # The trap.
    assert (positive["theta"]["scene"] < positive["theta"]["face"]).all()
    assert (positive["n_active"]["scene"] < 6).all()
    assert (positive["n_active"]["face"] > 6).all()
    assert ffa_case.table["empty_fraction"]["scene", True, "lasso"] > 0
    floor = positive["theta_floor"]["scene"]
    np.testing.assert_allclose(positive["theta"]["scene"], floor, atol=0.03)
    assert signed["theta_floor"].isna().all()
    np.testing.assert_allclose(
        *(signed["r"].unstack()[name] for name in ("ols", "ridge")), atol=1e-3
    )


def test_equally_good_is_said_where_the_test_says_so(ffa_case):
    assert ffa_case.margin == pytest.approx(0.1 * ffa_case.ceiling.mean(), abs=0.01)
    assert list(ffa_case.tests) == [
        f"{penalty}, {sign}" for sign in ("signed", "positive") for penalty in PENALTIES[1:]
    ]
    ridge = ffa_case.tests["ridge, signed"]
    assert ridge.is_equivalent
    assert ridge.estimate == pytest.approx(0.015, abs=0.01)
    elastic_net = ffa_case.tests["elasticnet, signed"]
    assert not elastic_net.is_equivalent
    assert elastic_net.estimate == pytest.approx(ffa_case.margin, abs=0.01)
    assert ffa_case.tests["lasso, signed"].estimate == pytest.approx(0.1, abs=0.02)
    for name, test in ffa_case.tests.items():
        if "positive" in name:
            assert test.estimate == pytest.approx(0.39, abs=0.03)
            assert test.low > 0.3
    # The interval is of the difference that the benchmark has, and wider than over images alone.
    r = (
        ffa_case.table["r"]
        .unstack("units")
        .assign(
            name=lambda t: [
                f"{penalty}, {'positive' if positive else 'signed'}"
                for positive, penalty in t.index
            ]
        )
        .set_index("name")
    )
    for name, crossed in ffa_case.crossed.items():
        assert crossed.estimate == pytest.approx(
            r.loc[name, "face"] - r.loc[name, "scene"], abs=5e-3
        )
        assert crossed.standard_error >= max(crossed.standard_errors.values()) - 1e-12


def test_theta_without_noise_undoes_the_trap(ffa_case):
    means = ffa_case.corrected.groupby(["encoder", "units"])[["observed", "floor"]].mean()
    face, scene = (means.xs(units, level="units") for units in ("face", "scene"))
    positive = [f"{penalty}, positive" for penalty in PENALTIES[1:]]
    assert face.loc[positive, "observed"].between(0.18, 0.4).all()
    assert (scene.loc[positive, "observed"] > 0.7).all()
    gap = face["floor"] - face["observed"]
    assert 0 < gap["ridge, signed"] < 0.05
    for name in ("lasso, positive", "elasticnet, positive"):
        assert face.loc[name, "observed"] / face.loc[name, "floor"] == pytest.approx(0.5, abs=0.1)


def test_axes_and_matches_of_ffa_case(ffa_case):
    table = ffa_case.by_axes
    assert (table["axis_alignment"]["ridge, signed"].abs() < 0.005).all()
    lasso = table["axis_alignment"]["lasso, positive"]
    assert lasso["scene"] < -0.2
    assert 0 < lasso["face"] < 0.03
    matched = table["soft_matching"]["ridge, signed"]
    assert matched["face"] > 0.4 > 0.2 > matched["scene"]


def test_directions_of_ffa_case_are_what_its_reading_says(ffa_case):
    assert 45 < ffa_case.angle < 135
    for arrow in ffa_case.mean_arrows["training"]:
        assert np.hypot(*arrow) < 0.2
    for arrow in ffa_case.mean_arrows["localizer"]:
        assert np.hypot(*arrow) > 0.25
    # Components of natural images are the shared dimensions.
    X = ffa_case.cortex.X_train
    scores = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0][:, :2]
    shared = ffa_case.cortex.latents_train[:, 5:]
    residual = scores - shared @ np.linalg.lstsq(shared, scores)[0]
    assert (residual**2).sum(axis=0).max() < 0.3


def test_choose_alpha_repeats_ols_and_chooses_from_ten(choose_alpha):
    results = choose_alpha.results
    assert len(results) == 3 * 16 * 3
    np.testing.assert_allclose(choose_alpha.alphas[[0, -1]], [0.01, 10000])
    assert len(choose_alpha.alphas) == 10
    assert choose_alpha.n_images == (1000, 1000)
    ols = results[results["penalty"] == "ols"].pivot(
        index=["subject", "units", "positive"], columns="choice", values="r"
    )
    assert (ols.nunique(axis=1) == 1).all()
    for (*_, penalty, choice), encoder in choose_alpha.fitted.items():
        if penalty != "ols" and choice != "alpha 0.1":
            chosen = encoder.alpha_[np.isfinite(encoder.alpha_)]
            assert np.isin(chosen, choose_alpha.alphas).all()
            assert len(np.unique(chosen)) == 1 or choice == "chosen per voxel"


def test_no_empty_fit_is_chosen(choose_alpha):
    for (*_, penalty, choice), encoder in choose_alpha.fitted.items():
        if penalty != "ols" and choice != "alpha 0.1":
            n_active = encoder.cv_results_["mean_test_n_active"]
            chosen = np.flatnonzero(encoder.best_index_ >= 0)
            assert (n_active[encoder.best_index_[chosen], chosen] > 0).all()
            np.testing.assert_array_equal(
                np.flatnonzero((encoder.coef_ == 0).all(axis=1)), encoder.empty_targets_
            )
    empty = choose_alpha.table["empty_fits"].unstack("penalty")
    assert (empty["lasso"].dropna() > 0.7 - 1e-9).all()
    assert (empty["elasticnet"].dropna() > 0.6 - 1e-9).all()
    assert (empty["ridge"].dropna() == 0).all()


def test_reading_of_choose_alpha_is_true_of_the_table(choose_alpha):
    has_alpha = choose_alpha.table.drop("ols", level="penalty")
    for choice in ("chosen per region", "chosen per voxel"):
        rows = has_alpha.xs(choice, level="choice")
        assert (rows["r"].loc["scene", False] > 0.45).all()
        assert rows["theta"].loc["scene", False].between(1.05, 1.2).all()
        assert (rows["r"].loc["scene", True] < 0.25).all()
        assert (rows["r"].loc["face"] > 0.5).all()
    gain = choose_alpha.per_region["r"] - choose_alpha.fixed["r"]
    assert (gain.loc["scene", False].drop("ols") > 0.01).all()
    assert gain["face", False, "ridge"] > 0.02
    others = gain.drop([("scene", False), ("face", False)])
    assert (others.abs() < 0.03).all()
    assert choose_alpha.left_empty <= choose_alpha.fixed["empty_fraction"].max()
    assert (choose_alpha.per_voxel["r"] - choose_alpha.per_region["r"]).abs().max() < 0.01
    # Where r is flat, theta is not.
    assert np.ptp(choose_alpha.r) < choose_alpha.r_se.max()
    assert choose_alpha.theta.max() > 2 * choose_alpha.theta.min()


def test_observed_theta_tells_units_apart_whatever_alpha(choose_alpha):
    table = choose_alpha.table
    assert (table["theta_corrected"]["face"] < 0.45).all()
    assert (table["theta_corrected"]["scene"] > 0.65).all()
    predicted = table["theta"].xs(True, level="positive")
    assert (predicted["scene"] < predicted["face"]).all()


def test_choices_are_called_equal_where_the_test_says_so(choose_alpha):
    found = choose_alpha.is_equivalent.unstack(0)
    assert len(found) == 12
    assert found["per voxel - per region"].all()
    differ = found.index[~found["per region - alpha 0.1"]]
    expected = [f"scene units, signed {penalty}" for penalty in PENALTIES[1:]]
    assert set(differ) == {"face units, signed ridge", "scene units, positive lasso", *expected}
    # The difference is that of the table.
    gain = choose_alpha.per_region["r"] - choose_alpha.fixed["r"]
    test = choose_alpha.tests["per region - alpha 0.1", "scene units, signed lasso"]
    assert test.estimate == pytest.approx(gain["scene", False, "lasso"], abs=2e-3)
    assert test.low > choose_alpha.margin


def test_alphas_at_the_edge_are_those_of_lasso(choose_alpha):
    at_edge = choose_alpha.table["alpha_at_edge"].xs("chosen per region", level="choice")
    assert at_edge.unstack("penalty")["lasso"].mean() > 0.5
    for (*_, penalty, choice), encoder in choose_alpha.fitted.items():
        if penalty == "lasso" and choice != "alpha 0.1":
            assert (encoder.alpha_[encoder.alpha_at_edge_] == 0.01).all()


def test_reading_of_the_multiverse_is_true(choose_alpha):
    table = choose_alpha.universes
    assert np.ptp(table["r"]) < 0.03
    raw = table.query("not standardize and responses == 'predicted'")["theta"]
    assert raw.min() == pytest.approx(0.06, abs=0.02)
    assert raw.max() == pytest.approx(0.5, abs=0.05)
    predicted, observed = (
        table.query(f"standardize and responses == '{responses}'")["theta"]
        for responses in ("predicted", "observed")
    )
    assert max(np.ptp(predicted), np.ptp(observed)) < 0.01
    assert observed.min() > predicted.max() + 0.2


def test_many_networks_goes_on_from_the_store(many_networks):
    n_cells = 16 * 2 * 2 * 2 * 2
    assert len(many_networks.results) == n_cells
    assert many_networks.n_stored == n_cells // 2
    assert many_networks.n_failed == 0
    assert not many_networks.results.duplicated(
        ["model", "units", "subject", "region", "encoder"]
    ).any()


def test_reading_of_many_networks_is_true_of_the_table(many_networks):
    table = many_networks.table
    ridge = table.loc["signed ridge"].unstack("quantity")
    lasso = table.loc["positive lasso"].unstack("quantity")
    assert (ridge["mean_matched", "r"] - ridge["mean_mismatched", "r"]).between(0.03, 0.2).all()
    assert (ridge["mean_mismatched", "r"] > 0.3).all()
    assert (ridge["mean_matched", "theta"] < 0.6).all()
    assert (ridge["mean_mismatched", "theta"] > 1).all()
    assert many_networks.is_lower.all()
    assert 0 < many_networks.is_close.mean() < 0.5
    assert (lasso["mean_matched", "r"] > 0.45).all()
    assert (lasso["mean_mismatched", "r"] < 0.25).all()
    assert (lasso["mean_mismatched", "theta"] < lasso["mean_matched", "theta"]).all()
    assert (lasso["n_active_mismatched", "theta"] < 3).all()
    assert (table["p"] < 0.001).all()
    mixing, private = many_networks.correlations.values()
    assert private["r"] < -0.7
    assert private["theta"] > 0.4
    assert private["soft_matching"] < -0.4
    assert abs(mixing["r"]) < abs(private["r"])
    assert mixing["theta"] > 0 > mixing["soft_matching"]
    assert abs(mixing["r"]) < min(abs(mixing["theta"]), abs(mixing["soft_matching"]))


def test_other_measures_of_many_networks(many_networks):
    results = many_networks.results
    every_fourth = results["model"].isin([f"network {k:03}" for k in range(0, 16, 4)])
    lasso = (results["encoder"] == "positive lasso") & every_fourth
    assert results["axis_alignment"].notna().equals(lasso)
    assert results[["theta_corrected", "soft_matching"]].notna().all(axis=None)
    thetas = many_networks.thetas["mean"]
    assert thetas["signed ridge", True] < 0.6
    assert thetas["signed ridge", False] > 1
    twice = thetas["positive lasso", False] / thetas["positive lasso", True]
    assert twice == pytest.approx(2, abs=0.5)
    fall = results[lasso].groupby("is_matched")["axis_alignment"]
    assert fall.max()[True] < 0.1
    assert fall.quantile(0.75)[False] < 0


def test_intervals_of_many_networks_are_crossed(many_networks):
    for name, mean in many_networks.crossed.items():
        assert list(mean.standard_errors) == ["networks", "subjects", "images"]
        assert not many_networks.equivalence[name].is_equivalent
        means = many_networks.table.xs(name, level="encoder").xs("FFA", level="region")
        difference = means.loc["r", "mean_difference"]
        assert mean.estimate == pytest.approx(difference, abs=0.05)
        assert mean.estimate > 2 * many_networks.margin * (0.8 if "ridge" in name else 1)


def test_theta_chooses_what_sparsity_would(choose_alpha):
    assert choose_alpha.alike > 0.8
    order = np.argsort(choose_alpha.theta)
    assert (np.diff(choose_alpha.n_active[order]) > 0).all()
    assert (np.diff(choose_alpha.floor[order]) > 0).all()
