"""`solve_moments` and its path: what `solve` finds on the images, or an honest certificate."""

import numpy as np
import pytest
from scipy import sparse

from skalign.solvers import (
    Moments,
    certify,
    solve,
    solve_moments,
    solve_moments_path,
    solve_path,
)
from tests.designs import FULL_RANK, RANK_DEFICIENT, noisy_targets, with_spectrum
from tests.reference import ALPHA, ENCODERS, L1_RATIO


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 7)) + 0.3
    return X, noisy_targets(rng, X, n_targets=150), rng.uniform(0.2, 3, 60)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_finds_what_solve_finds(data, penalty, positive, fit_intercept, weighted):
    X, Y, weight = data
    weight = weight if weighted else None
    settings = {"l1_ratio": L1_RATIO, "positive": positive}
    images = {"sample_weight": weight, "fit_intercept": fit_intercept}
    expected = solve(X, Y, penalty, ALPHA[penalty], **settings, **images)
    moments = Moments.of(X, Y, **images)
    for n_jobs in (1, 2):
        found = solve_moments(moments, penalty, ALPHA[penalty], **settings, n_jobs=n_jobs)
        np.testing.assert_allclose(found.coef, expected.coef, atol=1e-10)
        np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-10)
        np.testing.assert_allclose(found.dual_gap, expected.dual_gap, atol=1e-10)
        assert found.converged.all()
        assert (found.n_iter >= 1).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
@pytest.mark.parametrize("name", FULL_RANK)
def test_certificate_is_true_of_the_images(name, penalty, positive, dtype):
    rng = np.random.default_rng(0)
    X = FULL_RANK[name](rng).astype(dtype)
    Y = np.c_[noisy_targets(rng, X), np.ones(len(X))].astype(dtype)
    found = solve_moments(Moments.of(X, Y), penalty, ALPHA[penalty], positive=positive)
    truth = certify(X, Y, found.coef, penalty, ALPHA[penalty], positive=positive)
    rounding = 1e3 * np.finfo(dtype).eps
    assert (truth.kkt_violation <= found.kkt_violation + rounding).all()
    assert found.coef.dtype == found.intercept.dtype == dtype
    assert found.converged.all()


@pytest.mark.parametrize("penalty", ["ols", "ridge"])
@pytest.mark.parametrize("spread", [6, 12, 30])
def test_columns_of_any_scale_are_not_ill_conditioned_for_that(penalty, spread):
    rng = np.random.default_rng(0)
    scale = np.logspace(-spread, spread, 7)
    X = np.c_[rng.standard_normal((40, 7)) * scale, np.ones(40)]
    Y = (X[:, :-1] / scale) @ rng.standard_normal((7, 3)) + rng.standard_normal((40, 3))
    found = solve_moments(Moments.of(X, Y), penalty, 1.0, positive=False)
    expected = solve(X, Y, penalty, 1.0, positive=False)
    assert found.converged.all()
    np.testing.assert_allclose(found.coef[:, :-1] * scale, expected.coef[:, :-1] * scale, atol=1e-9)
    assert not found.coef[:, -1].any()


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
def test_gap_of_ridge_bounds_what_the_objective_lacks(data, alpha):
    X, Y, _ = (array.astype(np.float32) for array in data)
    found = solve_moments(Moments.of(X, Y), "ridge", alpha, positive=False)
    best = solve(X.astype(float), Y.astype(float), "ridge", alpha, positive=False)
    lacking = [
        certify(X.astype(float), Y.astype(float), coef, "ridge", alpha, positive=False).objective
        for coef in (found.coef, best.coef)
    ]
    assert (found.dual_gap >= lacking[0] - lacking[1]).all()
    if alpha >= 1:
        assert (found.dual_gap <= 1e-3 * lacking[1]).all()


@pytest.mark.parametrize("name", RANK_DEFICIENT)
@pytest.mark.parametrize("penalty", ["ols", "ridge"])
def test_least_squares_of_directions_without_images_have_minimum_norm(name, penalty):
    rng = np.random.default_rng(0)
    X = RANK_DEFICIENT[name](rng)
    Y = noisy_targets(rng, X)
    found = solve_moments(Moments.of(X, Y), penalty, ALPHA[penalty], positive=False)
    expected = solve(X, Y, penalty, ALPHA[penalty], positive=False)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-7)
    assert found.converged.all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_a_gram_cannot_tell_is_not_certified(dtype):
    rng = np.random.default_rng(0)
    span = -6 if dtype == np.float64 else -2.5
    X = with_spectrum(rng, 40, np.logspace(0, span, 8)).astype(dtype)
    Y = (X @ rng.standard_normal((8, 3)) + 1e-3 * rng.standard_normal((40, 3))).astype(dtype)
    moments = Moments.of(X, Y)
    for penalty, alpha in (("ols", 0.0), ("ridge", 1e-14)):
        found = solve_moments(moments, penalty, alpha, positive=False)
        assert np.isinf(found.kkt_violation).all()
        assert not found.converged.any()
    # A penalty that makes the condition moderate makes it certain, for the targets that have it.
    found = solve_moments(moments, "ridge", [0.0, 0.1, 0.1], positive=False)
    assert list(found.converged) == [False, True, True]
    expected = solve(X, Y, "ridge", 0.1, positive=False)
    np.testing.assert_allclose(found.coef[1:], expected.coef[1:], atol=100 * np.finfo(dtype).eps)


def test_training_part_of_a_fold(data):
    X, Y, weight = data
    train, test = slice(15, None), slice(15)
    whole = Moments.of(X, Y, weight)
    training = whole - Moments.of(X[test], Y[test], weight[test])
    found = solve_moments(training, "lasso", 0.05)
    expected = solve(X[train], Y[train], "lasso", 0.05, sample_weight=weight[train])
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-10)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-10)


def test_units_of_features_do_not_need_the_images(data):
    X, Y, weight = data
    moments = Moments.of(X, Y, weight)
    spread = moments.features.norms / np.sqrt(moments.total_weight)
    standardized = moments.transformed(1 / spread)
    np.testing.assert_allclose(standardized.gram.diagonal(), moments.total_weight)
    found = solve_moments(standardized, "lasso", 0.05)
    expected = solve(X / spread, Y, "lasso", 0.05, sample_weight=weight)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-10)


def test_moments_that_lost_digits_are_refused(data):
    X, Y, _ = data
    X[15:, 2] = 1.0
    Y[15:, 9] = 1.0
    lost = Moments.of(X, Y) - Moments.of(X[:15], Y[:15])
    for solver in (solve_moments, solve_moments_path):
        with pytest.raises(ValueError, match=r"moments must have all their digits; got 1 features"):
            solver(lost)
        with pytest.raises(ValueError, match=r"got 1 targets .* first 9"):
            solver(lost.take(features=[0, 1]))
    found = solve_moments(lost.recomputed(X[15:], Y[15:]), "lasso", 0.05)
    np.testing.assert_allclose(found.coef, solve(X[15:], Y[15:], alpha=0.05).coef, atol=1e-10)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_warm_start(data, form):
    X, Y, _ = data
    moments = Moments.of(form(X), Y)
    cold = solve_moments(moments, "lasso", 0.02)
    warm = solve_moments(moments, "lasso", 0.02, coef_init=cold.coef)
    np.testing.assert_allclose(warm.coef, cold.coef, atol=1e-10)
    assert warm.n_iter.sum() < cold.n_iter.sum()
    with pytest.raises(ValueError, match=r"coef_init must have shape .* \(150, 7\); got \(7,\)"):
        solve_moments(moments, coef_init=np.zeros(7))


PATHS = [
    ("lasso", True, 5),
    ("lasso", False, [0.3, 0.0, 0.1]),
    ("elasticnet", False, [0.2, 0.0]),
    ("elasticnet", True, 4),
    ("ridge", True, 4),
    ("ridge", False, 4),
    ("ols", False, 3),
    ("ols", True, 3),
]


@pytest.mark.parametrize(("penalty", "positive", "alphas"), PATHS)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_path_is_that_of_the_images(data, penalty, positive, alphas, n_jobs):
    X, Y, weight = data
    settings = {"l1_ratio": 0.7, "positive": positive}
    expected = solve_path(X, Y, penalty, alphas, sample_weight=weight, **settings)
    found = solve_moments_path(Moments.of(X, Y, weight), penalty, alphas, n_jobs=n_jobs, **settings)
    np.testing.assert_allclose(found.alphas, expected.alphas)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-9)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-9)
    np.testing.assert_array_equal(found.n_active, expected.n_active)
    assert found.converged.all()
    one = solve_moments(Moments.of(X, Y, weight), penalty, found.alphas[-1], **settings)
    np.testing.assert_allclose(found.coef_at(-1), one.coef, atol=1e-9)


def test_elastic_net_without_an_l1_part_has_the_grid_of_ridge(data):
    X, Y, _ = data
    moments = Moments.of(X, Y)
    net = solve_moments_path(moments, "elasticnet", 3, l1_ratio=0.0, positive=False)
    ridge = solve_moments_path(moments, "ridge", 3, positive=False)
    np.testing.assert_allclose(net.alphas * len(X), ridge.alphas)
    np.testing.assert_allclose(net.coef, ridge.coef)


def test_errors(data):
    X, Y, _ = data
    moments = Moments.of(X, Y)
    with pytest.raises(TypeError, match="moments must be a Moments; got ndarray"):
        solve_moments(X)
    for solver, name in ((solve_moments, "alpha"), (solve_moments_path, "alphas")):
        with pytest.raises(TypeError, match=f"{name} must be .*; got '0.1'"):
            solver(moments, "lasso", "0.1")
        with pytest.raises(ValueError, match=f"{name} must not be negative"):
            solver(moments, "lasso", [-1.0] * 150)
        with pytest.raises(TypeError, match="l1_ratio must be a number"):
            solver(moments, "elasticnet", [0.1] * 150, l1_ratio="0.5")
        with pytest.raises(TypeError, match="tol must be a positive number or None; got '1'"):
            solver(moments, tol="1")
