"""Baselines and controls against weights and fits made by hand."""

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
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder
from skalign.inference import alignment_against_control, alignment_baselines
from skalign.metrics import alignment, pearson_r, tuning_reorientation


@pytest.fixture(scope="module")
def data():
    """Halves of images, off center; the last target is minus the first unit."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 8)) * np.linspace(0.5, 2, 8) + 1
    coef = np.zeros((4, 8))
    coef[0, :2], coef[1, 3:7], coef[2, 6], coef[3, 0] = 1, [1, 2, 3, 4], 1, -5
    Y = X @ coef.T + rng.standard_normal((160, 4)) + [0, 3, -2, 0]
    return X[:100], Y[:100], X[100:], Y[100:]


def by_hand(data, weights, *, intercept, target, center, sample_weight=None):
    """Lists of r and theta of weights (n_targets, n_units), target by target."""
    _, Y, X_test, Y_test = data
    r, theta = [], []
    for t, w in enumerate(weights):
        raw = X_test @ w
        predicted = raw
        if intercept:
            mean = np.average(Y[:, t], weights=sample_weight)
            spread = np.sqrt(np.average((Y[:, t] - mean) ** 2, weights=sample_weight))
            predicted = mean + spread * (raw - raw.mean()) / raw.std()
        reached = predicted if target == "predicted" else Y_test[:, t]
        r += [pearson_r(Y_test[:, t], raw)[0]]
        theta += [tuning_reorientation(X_test, reached, w, center=center)[0]]
    return r, theta


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    ("target", "center"), [("predicted", False), ("observed", False), ("predicted", True)]
)
@pytest.mark.parametrize("weighted", [True, False])
def test_is_that_of_weights_made_by_hand(data, fit_intercept, target, center, weighted):
    X, Y, X_test, Y_test = data
    sample_weight = np.random.default_rng(1).random(100) if weighted else None
    encoder = SparsePositiveEncoder(alpha=0.3, fit_intercept=fit_intercept)
    found = alignment_baselines(
        encoder, *data, sample_weight=sample_weight, target=target, center=center, random_state=0
    )
    how = {"target": target, "center": center}
    fitted = SparsePositiveEncoder(alpha=0.3, fit_intercept=fit_intercept)
    fitted.fit(X, Y, sample_weight=sample_weight)
    expected = alignment(fitted, X_test, Y_test, undefined_r=0.0, **how)
    for name in ("r", "theta", "n_active"):
        assert_allclose(getattr(found.encoder, name), getattr(expected, name))
    how |= {"intercept": fit_intercept, "sample_weight": sample_weight}
    r, theta = by_hand(data, np.ones((4, 8)), **how)
    assert_allclose(found.uniform.r, r)
    assert_allclose(found.uniform.theta, theta)
    assert_array_equal(found.uniform.n_active, 8)
    covariance = np.cov(X.T, Y.T, aweights=sample_weight)
    correlation = (covariance / np.sqrt(np.outer(*2 * [covariance.diagonal()])))[:8, 8:]
    assert_array_equal(found.best_index, correlation.argmax(axis=0))
    r, theta = by_hand(data, np.eye(8)[found.best_index], **how)
    assert_allclose(found.best_unit.r, r)
    assert_allclose(found.best_unit.theta, theta, atol=1e-12)
    assert_array_equal(found.best_unit.n_active, 1)
    assert not hasattr(encoder, "coef_")


def test_random_units_are_means_over_all_sets_of_that_size(data):
    """With many draws; sets of so few units are few."""
    X, Y, X_test, Y_test = (part[..., :2] if part.shape[1] == 4 else part for part in data)
    encoder = SparsePositiveEncoder(alpha=0.2)
    found = alignment_baselines(encoder, X, Y, X_test, Y_test, n_random=500, random_state=0)
    assert_array_equal(found.random_units.n_active, found.encoder.n_active)
    for t, k in enumerate(found.encoder.n_active):
        sets = np.array([w for w in np.ndindex(*8 * [2]) if sum(w) == k], float)
        values = by_hand(
            (X, Y[:, [t] * len(sets)], X_test, Y_test[:, [t] * len(sets)]), sets,
            intercept=True, target="predicted", center=False,
        )  # fmt: skip
        for got, of_sets in zip(
            (found.random_units.r, found.random_units.theta), values, strict=True
        ):
            assert abs(got[t] - np.mean(of_sets)) < 4 * np.std(of_sets) / np.sqrt(500)
            assert np.std(of_sets) > 0


def test_random_units_of_a_dense_fit_are_all_units(data):
    found = alignment_baselines(SparsePositiveEncoder("ridge", positive=False), *data, n_random=2)
    assert_allclose(found.random_units.theta, found.uniform.theta)
    assert_allclose(found.random_units.r, found.uniform.r)


def test_target_left_empty_has_no_random_units(data):
    found = alignment_baselines(SparsePositiveEncoder(alpha=[0.1, 0.1, 0.1, 1e3]), *data)
    assert_array_equal(found.encoder.n_active == 0, [False, False, False, True])
    for of_weights in (found.encoder, found.random_units):
        assert of_weights.r[3] == 0
        assert np.isnan(of_weights.theta[3])
        assert not np.isnan(of_weights.theta[:3]).any()


def test_unit_that_is_silent_on_the_test_images(data):
    """Chosen while fitting, it then predicts nothing at all."""
    X, Y, X_test, Y_test = data
    X_test = X_test.copy()
    X_test[:, 6] = 0.1
    found = alignment_baselines(SparsePositiveEncoder(), X, Y, X_test, Y_test, center=True)
    assert found.best_index[2] == 6
    assert found.best_unit.r[2] == 0
    assert np.isnan(found.best_unit.theta[2])


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
        make_pipeline(StandardScaler(), encoder), *data, random_state=0
    )
    expected = alignment_baselines(
        encoder, scaler.transform(X), Y, scaler.transform(X_test), Y_test, random_state=0
    )
    assert_frames_equal(of_pipeline, expected)
    raw = alignment_baselines(encoder, *data)
    assert abs(raw.uniform.theta - expected.uniform.theta).min() > 1e-3


def test_target_transformer(data):
    """Theta is in its space; r is the same in both."""
    X, Y, X_test, Y_test = data
    scaler, encoder = StandardScaler().fit(Y), SparsePositiveEncoder(alpha=0.1)
    found = alignment_baselines(
        TransformedTargetRegressor(encoder, transformer=StandardScaler()), *data, random_state=0
    )
    expected = alignment_baselines(
        encoder, X, scaler.transform(Y), X_test, scaler.transform(Y_test), random_state=0
    )
    assert_frames_equal(found, expected)


def test_frozen_encoder_is_not_fitted_again(data):
    X, Y, X_test, Y_test = data
    encoder = SparsePositiveEncoder(alpha=0.3).fit(X, Y)
    found = alignment_baselines(FrozenEstimator(encoder), *data, random_state=0)
    assert_frames_equal(found, alignment_baselines(encoder, *data, random_state=0))
    found = alignment_baselines(FrozenEstimator(encoder), X, Y + 100, X_test, Y_test)
    assert_allclose(found.encoder.theta, alignment(encoder, X_test, Y_test).theta)


def test_sparse_features_and_frames(data):
    X, Y, X_test, Y_test = (np.where(abs(part) > 1, part, 0) for part in data)
    encoder = SparsePositiveEncoder(alpha=0.3)
    expected = alignment_baselines(encoder, X, Y, X_test, Y_test, random_state=0)
    as_sparse = sparse.csr_array(X), Y, sparse.csr_array(X_test), Y_test
    assert_frames_equal(alignment_baselines(encoder, *as_sparse, random_state=0), expected)
    frames = [pd.DataFrame(part, columns=[f"c{i}" for i in range(part.shape[1])]) for part in data]
    expected = alignment_baselines(encoder, *data, random_state=0)
    assert_frames_equal(alignment_baselines(encoder, *frames, random_state=0), expected)


def assert_frames_equal(found, expected):
    found, expected = found.to_frame(), expected.to_frame()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6, atol=1e-8)


def test_table(data):
    found = alignment_baselines(Lasso(0.1), *data, random_state=0)
    table = found.to_frame()
    names = ["encoder", "uniform", "best_unit", "random_units"]
    assert_array_equal(table["target"], np.repeat(range(4), 4))
    assert_array_equal(table["weights"], np.tile(names, 4))
    for name, rows in table.groupby("weights"):
        for measure in ("r", "theta", "n_active"):
            assert_array_equal(rows[measure], getattr(getattr(found, name), measure))


def test_single_target_may_be_one_dimensional(data):
    X, Y, X_test, Y_test = data
    found = alignment_baselines(SparsePositiveEncoder(), X, Y[:, 0], X_test, Y_test[:, 0])
    assert found.random_units.r.shape == found.best_index.shape == (1,)


def test_bad_arguments(data):
    with pytest.raises(ValueError, match="n_random"):
        alignment_baselines(SparsePositiveEncoder(), *data, n_random=0)
    several = MultiOutputRegressor(make_pipeline(PCA(2), Lasso()))
    with pytest.raises(TypeError, match="one set of features for all targets, got 4"):
        alignment_baselines(several, *data)
    with pytest.raises(TypeError, match="linear"):
        alignment_baselines(make_pipeline(SparsePositiveEncoder(), "passthrough"), *data)


def test_control_is_the_same_encoder_on_other_features(data):
    X, Y, X_test, Y_test = data
    rng = np.random.default_rng(0)
    control, control_test = rng.standard_normal((100, 5)), rng.standard_normal((60, 5))
    weight = rng.random(100)
    found = alignment_against_control(
        SparsePositiveEncoder(alpha=0.05), *data, X_control=control, X_control_test=control_test,
        sample_weight=weight, target="observed", center=True,
    )  # fmt: skip
    for of_features, training, test in (
        (found.encoder, X, X_test),
        (found.control, control, control_test),
    ):
        fitted = SparsePositiveEncoder(alpha=0.05).fit(training, Y, sample_weight=weight)
        how = {"target": "observed", "center": True, "undefined_r": 0.0}
        expected = alignment(fitted, test, Y_test, **how)
        for name in ("r", "theta", "n_active"):
            assert_allclose(getattr(of_features, name), getattr(expected, name))
    assert_allclose(found.r_difference, found.encoder.r - found.control.r)
    assert_allclose(found.theta_difference, found.encoder.theta - found.control.theta)
    table = found.to_frame()
    assert_array_equal(table["target"], range(4))
    for name in ("r", "theta", "n_active"):
        assert_array_equal(table[name], getattr(found.encoder, name))
        assert_array_equal(table[f"{name}_control"], getattr(found.control, name))
    for name in ("r_difference", "theta_difference"):
        assert_array_equal(table[name], getattr(found, name))


class Recorder(Lasso):
    """Keeps the features that it is given."""

    seen: list = []  # noqa: RUF012 - clones must share it

    def fit(self, X, y):
        self.seen.append(np.array(X))
        return super().fit(X, y)

    def predict(self, X):
        self.seen.append(np.array(X))
        return super().predict(X)


def random_features(X, Y, X_test, Y_test, **options):
    Recorder.seen.clear()
    alignment_against_control(Recorder(), X, Y, X_test, Y_test, **options)
    assert_array_equal(Recorder.seen[0], X)
    return Recorder.seen[2:4]


def test_random_features(data):
    """Mixtures of all units; as many, and of the mean and spread of each."""
    X, Y, X_test, Y_test = data
    X, X_test = np.c_[X, np.full(100, 2.0)], np.c_[X_test, np.full(60, 2.0)]
    control, control_test = random_features(X, Y, X_test, Y_test, random_state=0)
    assert control.shape == X.shape
    assert_allclose(control.mean(axis=0), X.mean(axis=0))
    assert_allclose(control.std(axis=0), X.std(axis=0), atol=1e-12)
    joint, *_ = np.linalg.lstsq(np.c_[X, np.ones(100)], control, rcond=None)
    assert_allclose(np.c_[X, np.ones(100)] @ joint, control)
    assert_allclose(np.c_[X_test, np.ones(60)] @ joint, control_test)
    correlation = np.corrcoef(X[:, :8].T, control[:, :8].T)[:8, 8:]
    assert (abs(correlation).max(axis=0) < 0.95).all()
    again, _ = random_features(X, Y, X_test, Y_test, random_state=0)
    other, _ = random_features(X, Y, X_test, Y_test, random_state=1)
    assert_array_equal(again, control)
    assert abs(other - control)[:, :8].min(axis=0).max() > 0


def test_random_features_of_rectified_units_are_rectified(data):
    X, Y, X_test, Y_test = data
    X, X_test = np.maximum(X, 0), np.maximum(X_test, 0)
    control, control_test = random_features(X, Y, X_test, Y_test, random_state=0)
    assert_allclose(control.std(axis=0), X.std(axis=0))
    for part in (control, control_test):
        assert part.min() == 0
        assert 0.2 < (part > 0).mean() < 0.8


def test_learned_features_beat_random_ones():
    rng = np.random.default_rng(0)
    X = np.maximum(rng.standard_normal((300, 40)), 0)
    Y = X[:, :6] + 0.3 * rng.standard_normal((300, 6))
    found = alignment_against_control(
        make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=0.05)),
        X[:200], Y[:200], X[200:], Y[200:], center=True, random_state=0,
    )  # fmt: skip
    assert (found.r_difference > 0).all()
    assert (found.theta_difference < 0).all()


def test_bad_control_features(data):
    X, Y, X_test, Y_test = data
    with pytest.raises(ValueError, match="must be given together"):
        alignment_against_control(SparsePositiveEncoder(), *data, X_control=X)
    as_sparse = sparse.csr_array(X), Y, sparse.csr_array(X_test), Y_test
    with pytest.raises(TypeError, match="dense"):
        alignment_against_control(SparsePositiveEncoder(), *as_sparse)
    found = alignment_against_control(
        SparsePositiveEncoder(), *as_sparse, X_control=X, X_control_test=X_test
    )
    assert_allclose(found.r_difference, 0, atol=1e-10)


@pytest.mark.parametrize("function", [alignment_baselines, alignment_against_control])
def test_table_needs_pandas(data, function, monkeypatch):
    found = function(SparsePositiveEncoder(), *data)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skalign\[table\]"):
        found.to_frame()
