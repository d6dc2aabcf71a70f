"""Baselines against weights and fits made by hand."""

import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder
from skalign.inference import alignment_baselines
from skalign.metrics import Alignment, alignment, pearson_r, tuning_reorientation


@pytest.fixture(scope="module")
def data():
    """Halves of images, off center; the last target is minus the first unit."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 8)) * np.linspace(0.5, 2, 8) + 1
    coef = np.zeros((4, 8))
    coef[0, :2], coef[1, 3:7], coef[2, 6], coef[3, 0] = 1, [1, 2, 3, 4], 1, -5
    Y = X @ coef.T + rng.standard_normal((160, 4)) + [0, 3, -2, 0]
    return X[:100], Y[:100], X[100:], Y[100:]


def by_hand(
    data, weights, *, intercept, target, center, sample_weight=None, test_sample_weight=None
):
    """Lists of r and theta of weights (n_targets, n_units), target by target."""
    _, Y, X_test, Y_test = data
    r, theta = [], []
    for t, w in enumerate(weights):
        raw = X_test @ w
        predicted = raw
        if intercept:
            mean = np.average(Y[:, t], weights=sample_weight)
            spread = np.sqrt(np.average((Y[:, t] - mean) ** 2, weights=sample_weight))
            raw_mean = np.average(raw, weights=test_sample_weight)
            raw_spread = np.sqrt(np.average((raw - raw_mean) ** 2, weights=test_sample_weight))
            predicted = mean + spread * (raw - raw_mean) / raw_spread
        reached = predicted if target == "predicted" else Y_test[:, t]
        how = {"sample_weight": test_sample_weight}
        r += [pearson_r(Y_test[:, t], raw, **how)[0]]
        theta += [tuning_reorientation(X_test, reached, w, center=center, **how)[0]]
    return r, theta


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("weighted", [True, False])
def test_is_that_of_weights_made_by_hand(data, fit_intercept, center, weighted):
    X, Y, X_test, Y_test = data
    rng = np.random.default_rng(1)
    sample_weight, test_weight = (rng.random(100), rng.random(60)) if weighted else (None, None)
    weights = {"sample_weight": sample_weight, "test_sample_weight": test_weight}
    encoder = SparsePositiveEncoder(alpha=0.3, fit_intercept=fit_intercept)
    found = alignment_baselines(
        encoder, *data, **weights, center=center, n_resamples=2, random_state=0
    )
    how = {"center": center}
    fitted = SparsePositiveEncoder(alpha=0.3, fit_intercept=fit_intercept)
    fitted.fit(X, Y, sample_weight=sample_weight)
    expected = alignment(fitted, X_test, Y_test, sample_weight=test_weight, **how)
    for name in Alignment.MEASURES:
        assert_allclose(getattr(found["encoder"], name), getattr(expected, name))
    how |= {"intercept": fit_intercept, **weights}
    for name, target in (("theta", "predicted"), ("theta_observed", "observed")):
        r, theta = by_hand(data, np.ones((4, 8)), target=target, **how)
        assert_allclose(found["uniform"].r, r)
        assert_allclose(getattr(found["uniform"], name), theta)
    assert_array_equal(found["uniform"].n_active, 8)
    covariance = np.cov(X.T, Y.T, aweights=sample_weight)
    correlation = (covariance / np.sqrt(np.outer(*2 * [covariance.diagonal()])))[:8, 8:]
    assert_array_equal(found.best_index, correlation.argmax(axis=0))
    r, theta = by_hand(data, np.eye(8)[found.best_index], target="predicted", **how)
    assert_allclose(found["best_unit"].r, r)
    assert_allclose(found["best_unit"].theta, theta, atol=1e-12)
    assert_array_equal(found["best_unit"].n_active, 1)
    assert not hasattr(encoder, "coef_")


def test_random_units_are_means_over_all_sets_of_that_size(data):
    """With many draws; sets of so few units are few."""
    X, Y, X_test, Y_test = (part[..., :2] if part.shape[1] == 4 else part for part in data)
    encoder = SparsePositiveEncoder(alpha=0.2)
    found = alignment_baselines(encoder, X, Y, X_test, Y_test, n_resamples=500, random_state=0)
    assert_array_equal(found["random_units"].n_active, found["encoder"].n_active)
    for t, k in enumerate(found["encoder"].n_active):
        sets = np.array([w for w in np.ndindex(*8 * [2]) if sum(w) == k], float)
        values = by_hand(
            (X, Y[:, [t] * len(sets)], X_test, Y_test[:, [t] * len(sets)]), sets,
            intercept=True, target="predicted", center=False,
        )  # fmt: skip
        for got, of_sets in zip(
            (found["random_units"].r, found["random_units"].theta), values, strict=True
        ):
            assert abs(got[t] - np.mean(of_sets)) < 4 * np.std(of_sets) / np.sqrt(500)
            assert np.std(of_sets) > 0


def test_draws_do_not_depend_on_the_threads(data):
    encoder = SparsePositiveEncoder(alpha=0.3)
    one, two = (
        alignment_baselines(encoder, *data, n_resamples=9, random_state=0, n_jobs=n_jobs)
        for n_jobs in (1, 2)
    )
    assert_array_equal(one["random_units"].theta, two["random_units"].theta)
    other = alignment_baselines(encoder, *data, n_resamples=9, random_state=1)
    assert (one["random_units"].theta != other["random_units"].theta).any()


def test_random_units_of_a_dense_fit_are_all_units(data):
    found = alignment_baselines(
        SparsePositiveEncoder("ridge", positive=False), *data, n_resamples=2
    )
    assert_allclose(found["random_units"].theta, found["uniform"].theta)
    assert_allclose(found["random_units"].r, found["uniform"].r)


def test_target_left_empty_has_no_random_units(data):
    found = alignment_baselines(SparsePositiveEncoder(alpha=[0.1, 0.1, 0.1, 1e3]), *data)
    assert_array_equal(found["encoder"].n_active == 0, [False, False, False, True])
    for of_weights in (found["encoder"], found["random_units"]):
        assert np.isnan(of_weights.r[3])
        assert not np.isnan(of_weights.r[:3]).any()
        assert np.isnan(of_weights.theta[3])
        assert not np.isnan(of_weights.theta[:3]).any()


def test_unit_that_is_silent_on_the_test_images(data):
    """Chosen while fitting, it then predicts nothing at all."""
    X, Y, X_test, Y_test = data
    X_test = X_test.copy()
    X_test[:, 6] = 0.1
    found = alignment_baselines(SparsePositiveEncoder(), X, Y, X_test, Y_test, center=True)
    assert found.best_index[2] == 6
    assert np.isnan(found["best_unit"].r[2])
    assert np.isnan(found["best_unit"].theta[2])


def test_constant_unit_is_not_the_best(data):
    """Even where all others correlate negatively."""
    _, Y, _, Y_test = data
    only = np.c_[np.ones(100), -Y[:, 0]], Y[:, :1], np.c_[np.ones(60), -Y_test[:, 0]], Y_test[:, :1]
    found = alignment_baselines(SparsePositiveEncoder(), *only)
    assert_array_equal(found.best_index, [1])


def test_baselines_weigh_what_the_linear_model_sees(data):
    X, Y, X_test, Y_test = data
    scaler, encoder = StandardScaler().fit(X), SparsePositiveEncoder(alpha=0.3)
    of_pipeline = alignment_baselines(
        make_pipeline(StandardScaler(), encoder), *data, n_resamples=9, random_state=0
    )
    expected = alignment_baselines(
        encoder,
        scaler.transform(X),
        Y,
        scaler.transform(X_test),
        Y_test,
        n_resamples=9,
        random_state=0,
    )
    assert_frames_equal(of_pipeline, expected)
    raw = alignment_baselines(encoder, *data)
    assert abs(raw["uniform"].theta - expected["uniform"].theta).min() > 1e-3


def test_target_transformer(data):
    """Theta is in its space; r is the same in both."""
    X, Y, X_test, Y_test = data
    scaler, encoder = StandardScaler().fit(Y), SparsePositiveEncoder(alpha=0.1)
    found = alignment_baselines(
        TransformedTargetRegressor(encoder, transformer=StandardScaler()),
        *data,
        n_resamples=9,
        random_state=0,
    )
    expected = alignment_baselines(
        encoder,
        X,
        scaler.transform(Y),
        X_test,
        scaler.transform(Y_test),
        n_resamples=9,
        random_state=0,
    )
    assert_frames_equal(found, expected)


def test_intercept_that_happens_to_be_zero(data):
    """Responses of mean zero: the prediction still has their mean and spread."""
    X, Y, X_test, Y_test = data
    Y = Y - Y.mean(axis=0)
    encoder = SparsePositiveEncoder(alpha=0.3)
    pipeline = make_pipeline(StandardScaler(), encoder)
    assert_allclose(pipeline.fit(X, Y)[-1].intercept_, 0, atol=1e-10)
    found = alignment_baselines(pipeline, X, Y, X_test, Y_test, n_resamples=1)
    scaled = StandardScaler().fit(X).transform(X_test)
    _, theta = by_hand(
        (X, Y, scaled, Y_test), np.ones((4, 8)), intercept=True, target="predicted", center=False
    )
    assert_allclose(found["uniform"].theta, theta)


def test_arguments_of_fit_reach_a_search(data):
    """Groups go to the splits of a search, and the model inside is found."""
    groups = np.arange(100) % 5
    search = GridSearchCV(Lasso(), {"alpha": [0.01, 0.3]}, cv=GroupKFold(5))
    found = alignment_baselines(search, *data, groups=groups, n_resamples=1)
    chosen = GridSearchCV(Lasso(), {"alpha": [0.01, 0.3]}, cv=GroupKFold(5))
    chosen.fit(*data[:2], groups=groups)
    assert_allclose(found["encoder"].r, alignment(chosen, *data[2:]).r)
    with pytest.raises(ValueError, match="test_sample_weight must be 1-D"):
        alignment_baselines(Lasso(), *data, test_sample_weight=np.ones(3))


def test_frozen_encoder_is_not_fitted_again(data):
    X, Y, X_test, Y_test = data
    encoder = SparsePositiveEncoder(alpha=0.3).fit(X, Y)
    found = alignment_baselines(FrozenEstimator(encoder), *data, n_resamples=9, random_state=0)
    assert_frames_equal(found, alignment_baselines(encoder, *data, n_resamples=9, random_state=0))
    found = alignment_baselines(FrozenEstimator(encoder), X, Y + 100, X_test, Y_test)
    assert_allclose(found["encoder"].theta, alignment(encoder, X_test, Y_test).theta)


def test_sparse_features_and_frames(data):
    X, Y, X_test, Y_test = (np.where(abs(part) > 1, part, 0) for part in data)
    encoder = SparsePositiveEncoder(alpha=0.3)
    expected = alignment_baselines(encoder, X, Y, X_test, Y_test, n_resamples=9, random_state=0)
    as_sparse = sparse.csr_array(X), Y, sparse.csr_array(X_test), Y_test
    assert_frames_equal(
        alignment_baselines(encoder, *as_sparse, n_resamples=9, random_state=0), expected
    )
    frames = [pd.DataFrame(part, columns=[f"c{i}" for i in range(part.shape[1])]) for part in data]
    expected = alignment_baselines(encoder, *data, n_resamples=9, random_state=0)
    found = alignment_baselines(encoder, *frames, n_resamples=9, random_state=0)
    assert_array_equal(found.to_frame()["target"], [f"c{i}" for i in range(4)])
    for side in found.sides:
        assert_allclose(found[side].theta, expected[side].theta)


def assert_frames_equal(found, expected):
    found, expected = found.to_frame(), expected.to_frame()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6, atol=1e-8)


def test_table(data):
    X, Y, X_test, Y_test = data
    names = ["face", "body", "house", "word"]
    named = X, pd.DataFrame(Y, columns=names), X_test, pd.DataFrame(Y_test, columns=names)
    found = alignment_baselines(Lasso(0.1), *named, n_resamples=9, random_state=0)
    table = found.to_frame()
    assert_array_equal(table["target"], names)
    assert_array_equal(table["best_index"], found.best_index)
    assert list(found.sides) == ["encoder", "uniform", "best_unit", "random_units"]
    for side in found.sides:
        for measure in Alignment.MEASURES:
            assert_array_equal(table[f"{measure}_{side}"], getattr(found[side], measure))
    with pytest.raises(ValueError, match="y_test must have the 4 targets of y"):
        alignment_baselines(Lasso(0.1), *named[:3], named[3][names[::-1]])


def test_single_target_may_be_one_dimensional(data):
    X, Y, X_test, Y_test = data
    found = alignment_baselines(SparsePositiveEncoder(), X, Y[:, 0], X_test, Y_test[:, 0])
    assert found["random_units"].r.shape == found.best_index.shape == (1,)


def test_bad_arguments(data):
    with pytest.raises(ValueError, match="n_resamples"):
        alignment_baselines(SparsePositiveEncoder(), *data, n_resamples=0)
    several = MultiOutputRegressor(make_pipeline(PCA(2), Lasso()))
    with pytest.raises(TypeError, match="one set of features for all targets; got 4"):
        alignment_baselines(several, *data)
    with pytest.raises(TypeError, match="linear"):
        alignment_baselines(make_pipeline(SparsePositiveEncoder(), "passthrough"), *data)


def test_table_needs_pandas(data, monkeypatch):
    found = alignment_baselines(SparsePositiveEncoder(), *data)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skalign\[table\]"):
        found.to_frame()
