"""Theta against that of permuted weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder
from skalign.inference import reorientation_floor
from skalign.metrics import alignment, tuning_reorientation


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 30)) + rng.standard_normal((300, 1)) / 2
    Y = X[:, :3] - X[:, 3:6] + rng.standard_normal((300, 3))
    return X[:150], Y[:150], X[150:], Y[150:]


def test_draws_are_thetas_of_permuted_weights(data):
    X, Y, X_test, Y_test = data
    weight = np.random.default_rng(1).random(150)
    model = Ridge().fit(X, Y)
    found = reorientation_floor(
        model, X_test, Y_test, sample_weight=weight, n_resamples=3, random_state=0
    )
    rng = np.random.RandomState(0)
    options = {"center": True, "sample_weight": weight}
    for draw in range(3):
        permuted = model.coef_[:, rng.permutation(30)]
        own = tuning_reorientation(X_test, X_test @ permuted.T, permuted, **options)
        assert_allclose(found.null_theta[draw], own)
        observed = tuning_reorientation(X_test, Y_test, permuted, **options)
        assert_allclose(found.null_theta_observed[draw], observed)
    expected = alignment(model, X_test, Y_test, **options)
    assert_allclose(found.encoder.theta_observed, expected.theta_observed)
    assert_allclose(found.theta_floor, found.null_theta.mean(axis=0))
    again = (1 + (found.null_theta <= expected.theta).sum(axis=0)) / 4
    assert_allclose(found.p_value_theta, again)


def test_of_positive_weights_it_is_the_floor_of_the_alignment(data):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((500, 60)) + rng.standard_normal((500, 1))
    y = X[:, :20] @ rng.random((20, 4)) + 5 * rng.standard_normal((500, 4))
    encoder = SparsePositiveEncoder(alpha=0.2).fit(X, y)
    found = reorientation_floor(encoder, X, y, random_state=0)
    assert_allclose(found.theta_floor, found.encoder.theta_floor, atol=0.01)


def test_signed_weights_have_a_floor_above_that_of_positive_ones(data):
    X, Y, X_test, Y_test = data
    found = reorientation_floor(LinearRegression().fit(X, Y), X_test, Y_test, random_state=0)
    assert np.isnan(found.encoder.theta_floor).all()
    assert (found.theta_floor > 0.7).all()


def test_p_values_of_noise_are_uniform():
    rng = np.random.default_rng(3)
    X, noise = rng.standard_normal((400, 40)), rng.standard_normal((400, 300))
    found = reorientation_floor(
        Ridge().fit(X[:200], noise[:200]), X[200:], noise[200:], n_resamples=99, random_state=0
    )
    p = found.p_value_theta_observed
    assert 0.02 < (p <= 0.05).mean() < 0.09
    assert 0.42 < (p <= 0.5).mean() < 0.58


def test_weights_on_aligned_units_are_found(data):
    X, Y, X_test, Y_test = data
    groups = np.repeat(np.eye(6), 5, axis=0)[:, :3]  # of five units for each target
    Y, Y_test = X @ groups + Y / 2, X_test @ groups + Y_test / 2
    found = reorientation_floor(Ridge().fit(X, Y), X_test, Y_test, n_resamples=99, random_state=0)
    assert (found.p_value_theta_observed == 0.01).all()
    assert (found.encoder.theta_observed < found.theta_observed_floor).all()


def test_empty_targets_have_none_and_single_units_a_floor_of_zero():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((200, 10))
    Y = np.column_stack([X[:, 0] + rng.standard_normal(200), -X.sum(axis=1)])
    encoder = SparsePositiveEncoder(alpha=0.4).fit(X, Y)
    assert_array_equal(alignment(encoder, X, Y).n_active, [1, 0])
    found = reorientation_floor(encoder, X, Y, n_resamples=20, random_state=0)
    assert_allclose(found.theta_floor, [0, np.nan], atol=1e-12)
    assert found.p_value_theta[0] == 1  # as low as all others: rounding does not decide
    assert np.isnan([found.p_value_theta[1], found.p_value_theta_observed[1]]).all()


def test_models_inside_and_sparse_features(data):
    X, Y, X_test, Y_test = data
    options = {"n_resamples": 5, "random_state": 0}
    inside = make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
    plain = Ridge().fit(StandardScaler().fit_transform(X), Y)
    scaled = StandardScaler().fit(X).transform(X_test)
    found = reorientation_floor(inside, X_test, Y_test, **options)
    expected = reorientation_floor(plain, scaled, Y_test, **options)
    assert_allclose(found.null_theta, expected.null_theta)
    of_sparse = reorientation_floor(plain, sparse.csr_array(scaled), Y_test, **options)
    assert_allclose(of_sparse.null_theta, expected.null_theta)
    several = MultiOutputRegressor(make_pipeline(StandardScaler(), Ridge())).fit(X, Y)
    assert reorientation_floor(several, X_test, Y_test, **options).null_theta.shape == (5, 3)


def test_table(data):
    pytest.importorskip("pandas")
    X, Y, X_test, Y_test = data
    found = reorientation_floor(Ridge().fit(X, Y), X_test, Y_test, n_resamples=5, random_state=0)
    table = found.to_frame()
    for name in ("theta_floor", "theta_observed_floor", "p_value_theta", "p_value_theta_observed"):
        assert_allclose(table[name], getattr(found, name))


@pytest.mark.parametrize(("n_resamples", "error"), [(0, ValueError), (2.0, TypeError)])
def test_number_of_draws_is_checked(data, n_resamples, error):
    X, Y, X_test, Y_test = data
    with pytest.raises(error, match="n_resamples"):
        reorientation_floor(Ridge().fit(X, Y), X_test, Y_test, n_resamples=n_resamples)
