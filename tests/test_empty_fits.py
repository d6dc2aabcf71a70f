"""One fit with empty targets: every part of the package reports the same numbers by one name."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_validate

from skalign import AlignmentScorer, SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.benchmark import ModelFeatures, RegionResponses, run_benchmark
from skalign.inference import alignment_null, bootstrap_alignment, price_of_sign
from skalign.linear_model import sparse_positive_path
from skalign.metrics import PearsonScorer, TuningReorientationScorer, alignment
from skalign.model_selection import AlignmentFront

ALPHA = 0.3
TOL = {"rtol": 1e-6}  # of fits by different roads


@pytest.fixture(scope="module")
def data():
    """Four targets, of which two have no positive weights at this alpha."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 8))
    X = (X - X[:100].mean(axis=0)) / X[:100].std(axis=0)
    Y = X[:, :4] + X[:, 4:] + rng.standard_normal((160, 4))
    Y[:, 1] = -X.sum(axis=1)
    Y[:, 3] = rng.standard_normal(160)
    Y = (Y - Y[:100].mean(axis=0)) / Y[:100].std(axis=0)
    return X, Y, PredefinedSplit(np.repeat([-1, 0], [100, 60]))


@pytest.fixture(scope="module")
def fitted(data):
    X, Y, _ = data
    return SparsePositiveEncoder("lasso", ALPHA).fit(X[:100], Y[:100])


@pytest.fixture(scope="module")
def summary(data, fitted):
    X, Y, _ = data
    return alignment(fitted, X[100:], Y[100:]).summary()


def assert_same(found, summary):
    for name, value in found.items():
        assert_allclose(value, summary[name], err_msg=name, **TOL)


def from_scores(scores):
    """The names of tables from those of scorers."""
    return {
        "r": scores["r"],
        "penalized_theta": -scores["neg_theta"],
        "theta_observed": 2 - (2 + scores["neg_theta_observed"]) / scores["nonempty_fraction"],
        "n_active": scores["n_active"],
        "empty_fraction": 1 - scores["nonempty_fraction"],
    }


def from_front(front, summary):
    return {name: getattr(front, name)[0] for name in summary}


def test_two_of_four_targets_are_empty(fitted, summary):
    assert fitted.coef_.any(axis=1).tolist() == [True, False, True, False]
    assert summary["empty_fraction"] == 0.5
    assert_allclose(summary["penalized_theta"], (summary["theta"] + 2) / 2)
    assert summary["r"] > 0.2
    assert summary["theta"] > 0.1


def test_per_target_an_empty_fit_has_neither_r_nor_theta(data, fitted):
    X, Y, _ = data
    found = alignment(fitted, X[100:], Y[100:])
    found = (found.r, found.theta, found.theta_observed, found.n_effective, found.theta_floor)
    for values in found:
        assert np.isnan(values).tolist() == [False, True, False, True]


def test_scorers(data, fitted, summary):
    X, Y = data[0][100:], data[1][100:]
    assert_same(from_scores(AlignmentScorer()(fitted, X, Y)), summary)
    assert_same({"r": PearsonScorer()(fitted, X, Y)}, summary)
    assert_same({"penalized_theta": -TuningReorientationScorer()(fitted, X, Y)}, summary)


def test_search_and_its_front(data, summary):
    X, Y, split = data
    search = GridSearchCV(
        SparsePositiveEncoder(), {"alpha": [ALPHA]}, scoring=AlignmentScorer(), refit="r", cv=split
    ).fit(X, Y)
    scores = {
        name: search.cv_results_[f"mean_test_{name}"][0]
        for name in ["r", "neg_theta", "neg_theta_observed", "n_active", "nonempty_fraction"]
    }
    assert_same(from_scores(scores), summary)
    front = from_front(AlignmentFront.from_cv_results(search), summary)
    assert np.isnan([front.pop("n_effective"), front.pop("theta_floor")]).all()
    assert_same(front, summary)


def test_cross_validation(data, summary):
    X, Y, split = data
    encoder = SparsePositiveEncoder(alpha=ALPHA)
    results = cross_validate(encoder, X, Y, scoring=AlignmentScorer(), cv=split)
    scores = {name.removeprefix("test_"): value[0] for name, value in results.items()}
    assert_same(from_scores(scores), summary)


def test_cross_validated_encoder_and_its_front(data, summary):
    X, Y, split = data
    with pytest.warns(UserWarning, match="2 of 4 targets were left empty"):
        encoder = SparsePositiveEncoderCV(alphas=[ALPHA], cv=split).fit(X, Y)
    results = encoder.cv_results_
    found = {
        "r": results["mean_test_r"].mean(),
        "theta": np.nanmean(results["mean_test_theta"]),
        "penalized_theta": results["mean_test_penalized_theta"].mean(),
        "n_active": results["mean_test_n_active"].mean(),
        "empty_fraction": results["empty_fraction"].mean(),
    }
    for name in ("theta_observed", "n_effective", "theta_floor"):
        found[name] = np.nanmean(results[f"mean_test_{name}"])
    assert set(found) == set(summary)
    assert_same(found, summary)
    assert_same(from_front(AlignmentFront.from_encoder_cv(encoder), summary), summary)


def test_front_of_a_path(data, summary):
    X, Y, _ = data
    path = sparse_positive_path(X[:100], Y[:100], alphas=[ALPHA])
    front = AlignmentFront.from_path(path, X[100:], Y[100:])
    assert_same(from_front(front, summary), summary)


def test_bootstrap(data, fitted, summary):
    X, Y, _ = data
    found = bootstrap_alignment(fitted, X[100:], Y[100:], n_resamples=20, random_state=0)
    names = ["r", "theta", "theta_observed", "penalized_theta"]
    assert_same({name: getattr(found, name).estimate for name in names}, summary)
    assert_same({"empty_fraction": found.empty_fraction}, summary)


def test_comparison(data, summary):
    X, Y, _ = data
    found = price_of_sign(SparsePositiveEncoder(alpha=ALPHA), X[:100], Y[:100], X[100:], Y[100:])
    assert_same(found.summary()["positive"], summary)


def test_null(data, summary):
    X, Y, _ = data
    encoder = SparsePositiveEncoder(alpha=ALPHA)
    found = alignment_null(
        encoder, X[:100], Y[:100], X[100:], Y[100:], n_resamples=3, random_state=0
    )
    assert_same({name: found.summary()[name] for name in summary}, summary)


def test_row_of_a_benchmark(data, summary):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    X, Y, _ = data
    table = run_benchmark(
        [ModelFeatures("network", train=X[:100], test=X[100:])],
        [RegionResponses("1", "FFA", train=Y[:100], test=Y[100:])],
        {"lasso": SparsePositiveEncoder(alpha=ALPHA)},
    )
    assert_same({name: table[name][0] for name in summary}, summary)
