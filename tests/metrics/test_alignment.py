"""Alignment target by target, against its parts computed by hand."""

from dataclasses import fields

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import AlignmentScorer, SparsePositiveEncoder
from skalign.metrics import (
    Alignment,
    LinearMap,
    alignment,
    alignment_of_maps,
    pearson_r,
    tuning_reorientation,
)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5)) * [1, 2, 3, 4, 5] + 1
    Y = X @ rng.standard_normal((5, 3)) + rng.standard_normal((60, 3))
    return X, Y


def test_is_that_of_the_map_inside(data):
    X, Y = data
    weight = np.random.default_rng(1).random(60)
    model = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), Ridge()), transformer=StandardScaler()
    ).fit(X, Y)
    scaled = StandardScaler().fit_transform(X)
    inner = model.regressor_[-1]
    found = alignment(model, X, Y, sample_weight=weight)
    assert_allclose(found.r, pearson_r(Y, model.predict(X), sample_weight=weight))
    theta = tuning_reorientation(scaled, inner.predict(scaled), inner.coef_, sample_weight=weight)
    assert_allclose(found.theta, theta)
    observed = model.transformer_.transform(Y)
    theta = tuning_reorientation(scaled, observed, inner.coef_, sample_weight=weight)
    assert_allclose(found.theta_observed, theta)
    assert_array_equal(found.n_active, 5)
    weights = np.abs(inner.coef_)
    assert_allclose(found.n_effective, weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1))
    assert np.isnan(found.theta_floor).all()  # with signs


def test_summary_by_hand():
    nan = np.nan
    found = Alignment(
        r=np.array([0.5, nan, 0.4, nan]),
        theta=np.array([0.2, nan, 0.6, nan]),
        n_active=np.array([3, 0, 1, 2]),  # the last has weights, and a constant prediction
        theta_observed=np.array([0.6, nan, 0.8, 0.1]),
        n_effective=np.array([2.5, nan, 1.0, 1.5]),
        theta_floor=np.array([nan, nan, 0.0, nan]),
    )
    assert found.summary() == pytest.approx(
        {
            "r": 0.9 / 4,
            "theta": 0.4,
            "penalized_theta": (0.2 + 2 + 0.6 + 2) / 4,
            "n_active": 1.5,
            "theta_observed": 0.5,
            "n_effective": 5 / 3,
            "theta_floor": 0.0,
            "empty_fraction": 0.25,
        }
    )
    other = found.summary(undefined_r=-1.0, undefined_theta=1.0)
    assert other == found.summary() | {"r": (0.9 - 2) / 4, "penalized_theta": 0.7}


def test_summary_of_empty_targets_alone():
    nothing = np.full(2, np.nan)
    means = Alignment(nothing, nothing, np.zeros(2, np.int64), *[nothing] * 3).summary()
    for name in ("theta", "theta_observed", "n_effective", "theta_floor"):
        assert np.isnan(means.pop(name))
    assert means == {"r": 0, "penalized_theta": 2, "n_active": 0, "empty_fraction": 1}


@pytest.mark.parametrize("undefined", [{}, {"undefined_r": -1.0, "undefined_theta": 1.5}])
def test_summary_is_the_same_whatever_the_targets_were_filled_with(data, undefined):
    X, Y = data
    Y[:, 1] = np.random.default_rng(1).standard_normal(60)
    model = SparsePositiveEncoder("lasso", 1.0).fit(X, Y)
    filled = alignment(model, X, Y, **undefined)
    assert 0 in filled.n_active
    expected = alignment(model, X, Y).summary(**undefined)
    assert filled.summary(**undefined) == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize("undefined", [{}, {"undefined_r": -1.0, "undefined_theta": 0.5}])
def test_means_are_the_scores(data, undefined):
    X, Y = data
    Y[:, 1] = np.random.default_rng(1).standard_normal(60)
    model = SparsePositiveEncoder("lasso", 1.0).fit(X, Y)
    means = alignment(model, X, Y).summary(**undefined)
    observed = alignment(model, X, Y).theta_observed
    observed = np.nan_to_num(observed, nan=undefined.get("undefined_theta", 2.0)).mean()
    scores = AlignmentScorer(**undefined)(model, X, Y)
    assert scores == pytest.approx(
        {
            "r": means["r"],
            "neg_theta": -means["penalized_theta"],
            "neg_theta_observed": -observed,
            "n_active": means["n_active"],
            "nonempty_fraction": 1 - means["empty_fraction"],
        }
    )
    theta = undefined.get("undefined_theta", 2.0)
    theta -= (scores["neg_theta"] + theta) / scores["nonempty_fraction"]
    assert theta == pytest.approx(means["theta"])  # as the page of the scorer says


def test_empty_target_is_undefined_or_what_is_asked(data):
    X, Y = data
    model = SparsePositiveEncoder("lasso", 1e3).fit(X, Y)
    found = alignment(model, X, Y)
    assert np.isnan(found.r).all()
    assert np.isnan(found.theta).all()
    assert_array_equal(found.n_active, 0)
    found = alignment(model, X, Y, undefined_r=0.0, undefined_theta=2.0)
    assert_array_equal(found.r, 0)
    assert_array_equal(found.theta, 2)
    assert_array_equal(found.theta_observed, 2)
    assert np.isnan(found.n_effective).all()


def test_frame_has_a_row_per_target(data):
    pytest.importorskip("pandas")
    X, Y = data
    found = alignment(SparsePositiveEncoder().fit(X, Y), X, Y)
    frame = found.to_frame()
    names = ["r", "theta", "n_active", "theta_observed", "n_effective", "theta_floor"]
    assert list(frame.columns) == ["target", *names]
    for name in names:
        assert_array_equal(frame[name], getattr(found, name))


def test_columns_of_a_table_are_fields():
    names = [field.name for field in fields(Alignment)]
    assert names == [*Alignment.MEASURES, "target_names", "centered", "n_observed"]


@pytest.mark.parametrize(("cosine", "n_units"), [(0.1, 100), (0.3, 10), (0.0, 30), (0.6, 3)])
@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_array])
def test_floor_is_theta_of_exchangeable_units(cosine, n_units, storage):
    rng = np.random.default_rng(0)
    shared, own = rng.standard_normal((1, 4000, 1)), rng.standard_normal((4000, 200))
    features = storage(np.sqrt(cosine) * shared[0] + np.sqrt(1 - cosine) * own)
    weights = np.zeros((50, 200))
    for row in weights:
        row[rng.permutation(200)[:n_units]] = rng.exponential(size=n_units)
    predicted = features @ weights.T
    found = alignment_of_maps(
        [LinearMap(features, predicted, predicted, weights)],
        np.ones(50),
        center=True,
        sample_weight=None,
        target_names=None,
    )
    assert_allclose(found.theta_floor.mean(), found.theta.mean(), atol=0.005)
    assert_allclose(found.theta_floor, found.theta, atol=0.06)
    k = found.n_effective
    assert_allclose(found.theta_floor, 1 - np.sqrt(cosine + (1 - cosine) / k), atol=0.02)
    assert (k < n_units).all()


def test_floor_is_of_the_units_that_the_map_could_use():
    """Units in use that are more alike than the others are: theta lies below its floor."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 40))
    X[:, :8] += rng.standard_normal((500, 1))
    y = X[:, :8].sum(axis=1)
    found = alignment(SparsePositiveEncoder(alpha=0.1).fit(X, y), X, y, center=True)
    assert found.n_active == 8
    assert found.theta < found.theta_floor - 0.2


def noisy_data(seed, n_train=400, n_features=60, n_test=20_000):
    """Correlated features, ten targets of six positive units each, and noise as large as these."""
    rng = np.random.default_rng(seed)
    n_samples = n_train + n_test
    X = rng.standard_normal((n_samples, n_features)) + rng.standard_normal((n_samples, 1)) / 2
    weights = rng.exponential(size=(n_features, 10)) * (rng.random((n_features, 10)) < 0.1)
    signal = X @ weights
    Y = signal + signal.std(axis=0) * rng.standard_normal(signal.shape)
    train, test = slice(n_train), slice(n_train, None)
    return X[train], Y[train], X[test], Y[test]


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.6])
def test_identity_of_the_two_thetas_holds_for_positive_fits(alpha):
    X, Y, X_test, Y_test = noisy_data(0)
    encoder = SparsePositiveEncoder("lasso", alpha).fit(X, Y)
    found = alignment(encoder, X_test, Y_test, center=True)
    assert (found.r < 0.75).all()
    product = found.r * (1 - found.theta)
    assert_allclose(1 - found.theta_observed, product, atol=0.03)
    assert_allclose(1 - found.theta_observed.mean(), product.mean(), atol=0.005)


def test_identity_is_exact_for_positive_weights_on_features_of_equal_variance():
    X, Y, X_test, Y_test = noisy_data(3, n_train=50, n_test=40)
    X_test = StandardScaler().fit_transform(X_test)
    found = alignment(SparsePositiveEncoder(alpha=0.2).fit(X, Y), X_test, Y_test, center=True)
    assert_allclose(1 - found.theta_observed, found.r * (1 - found.theta), rtol=1e-9)


def test_identity_is_exact_on_the_samples_of_a_least_squares_fit():
    """Whose residuals there are orthogonal to all features, by definition."""
    X, Y, *_ = noisy_data(1)
    found = alignment(LinearRegression().fit(X, Y), X, Y, center=True)
    assert_allclose(1 - found.theta_observed, found.r * (1 - found.theta), rtol=1e-9)


def test_identity_fails_for_an_overfitted_signed_fit():
    X, Y, X_test, Y_test = noisy_data(2, n_train=80)
    found = alignment(LinearRegression().fit(X, Y), X_test, Y_test, center=True)
    gap = (1 - found.theta_observed - found.r * (1 - found.theta)).mean()
    assert gap > 0.03
