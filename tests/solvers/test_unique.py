"""A target gets the same weights alone, in any block, by any route: the minimizer of least norm."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls

from skalign.solvers import Moments, _blocks, certify, solve, solve_moments, solve_path
from skalign.solvers._least_norm import TiedFeatures
from tests.designs import DESIGNS, RANK_DEFICIENT, noisy_targets
from tests.reference import ALPHA, ENCODERS

WIDE = [(6, 40), (12, 60), (3, 9)]  # samples, features: nonnegative weights interpolate
ROUTES = ["gram", "columns", "moments", "path", "sparse", "two threads"]


def fit(route, X, Y, penalty="ols", alpha=0.0, **settings):
    if route == "columns":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_blocks, "GRAM_FEATURES", 0)
            patch.setattr(_blocks, "GRAM_BYTES", 0)
            return solve(X, Y, penalty, alpha, **settings).coef
    if route == "moments":
        center = settings.pop("fit_intercept", True)
        return solve_moments(
            Moments.of(X, Y, fit_intercept=center), penalty, alpha, **settings
        ).coef
    if route == "path":
        return solve_path(X, Y, penalty, [alpha], **settings).coef[0]
    if route == "sparse":
        X = sparse.csr_array(X)
    return solve(X, Y, penalty, alpha, n_jobs=2 if route == "two threads" else 1, **settings).coef


def limit_of_ridge(X, Y, size=3e-5):
    """Positive least squares under a ridge penalty that is nearly zero, through the features."""
    size = size * np.linalg.norm(X)
    augmented = np.r_[X, size * np.eye(X.shape[1])]
    zeros = np.zeros(X.shape[1])
    return np.array([nnls(augmented, np.r_[y, zeros], maxiter=10_000)[0] for y in Y.T])


def make(shape, seed=0, n_targets=100):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), rng.standard_normal((shape[0], n_targets))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("shape", WIDE)
def test_targets_do_not_depend_on_their_neighbors(shape, route, dtype):
    X, Y = (array.astype(dtype) for array in make(shape))
    together = fit(route, X, Y)
    size = np.abs(together).max()
    tol = {np.float64: 1e-7, np.float32: 3e-3}[dtype] * size
    order = np.random.default_rng(1).permutation(100)
    np.testing.assert_allclose(fit(route, X, Y[:, order]), together[order], atol=tol)
    for target in [0, 17, 99]:
        alone = solve(X, Y[:, [target]], "ols").coef[0]
        np.testing.assert_allclose(together[target], alone, atol=tol)
        through_columns = fit("columns", X, Y[:, [target]])[0]
        np.testing.assert_allclose(together[target], through_columns, atol=tol)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", RANK_DEFICIENT)
def test_positive_ols_is_the_limit_of_ridge(name, route):
    rng = np.random.default_rng(0)
    X = DESIGNS[name](rng)
    Y = np.c_[noisy_targets(rng, X), X @ np.abs(rng.standard_normal((X.shape[1], 2)))]
    centered = X - X.mean(axis=0)
    centered[:, np.ptp(X, axis=0) == 0] = 0
    expected = limit_of_ridge(centered, Y - Y.mean(axis=0))
    coef = fit(route, X, Y)
    np.testing.assert_allclose(coef, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("positive", [True, False])
def test_copies_share_their_weight(positive):
    """A lasso has no reason to prefer one of two copies."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 5))
    Y = noisy_targets(rng, X)
    alone = solve(X, Y, "lasso", 0.05, positive=positive)
    assert alone.unique.all()
    for route in ROUTES:
        coef = fit(route, np.repeat(X, 2, axis=1), Y, "lasso", 0.05, positive=positive)
        np.testing.assert_allclose(coef, np.repeat(alone.coef / 2, 2, axis=1), atol=1e-9)


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
@pytest.mark.parametrize("name", DESIGNS)
def test_least_norm_costs_nothing(name, penalty, positive):
    """The objective is that of any minimizer, and the certificate says so."""
    rng = np.random.default_rng(0)
    X = DESIGNS[name](rng)
    settings = {"penalty": penalty, "alpha": ALPHA[penalty], "positive": positive}
    Y = noisy_targets(rng, X)
    solution = solve(X, Y, **settings)
    assert solution.converged.all()
    assert certify(X, Y, solution.coef, **settings).kkt_violation.max() < 1e-7


def test_what_is_unique_says_so():
    X, Y = make((30, 8), n_targets=5)
    Y[:, 4] = 2.0  # a constant
    for penalty, positive in ENCODERS:
        settings = {"penalty": penalty, "alpha": ALPHA[penalty], "positive": positive}
        assert solve(X, Y, **settings).unique.all()
        twice = solve(np.c_[X, X], Y, **settings)
        if penalty in ("ridge", "elasticnet"):
            assert twice.unique.all()
        elif penalty == "lasso":
            np.testing.assert_array_equal(twice.unique, ~twice.coef.any(axis=1))
        else:
            fitted = twice.coef.any(axis=1)
            assert not twice.unique[fitted].any()
    wide, _ = make((6, 40))
    for route in [solve, lambda *args: solve_path(*args[:3], [0.0])]:
        assert not np.any(route(wide, Y[:6, :4], "ols").unique)
    assert solve(wide, Y[:6], "lasso", 0.3).unique.all()


@pytest.mark.parametrize("seed", range(40))
def test_nonnegative_weights_of_least_norm(seed):
    """Against NNLS with a ridge penalty that is nearly zero; any matrix, any prediction."""
    rng = np.random.default_rng(seed)
    m = rng.integers(1, 15)
    A = rng.standard_normal((m, m + rng.integers(0, 30)))
    if seed % 3 == 0:
        A = np.repeat(A[:, : max(1, A.shape[1] // 2)], 2, axis=1)
    elif seed % 3 == 1:
        A = np.where(np.maximum(A, 0).any(axis=0), np.maximum(A, 0), 1.0)
    A = A * 10.0 ** rng.uniform(-1, 1, A.shape[1])
    w = rng.random(A.shape[1]) * (rng.random(A.shape[1]) < rng.random())
    found = TiedFeatures(A, 1e-12).least_norm(w)
    (expected,) = limit_of_ridge(A, (A @ w)[:, None], 1e-7)
    np.testing.assert_allclose(A @ found, A @ w, atol=1e-8 * np.abs(A @ w).max(initial=1e-30))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max(initial=1e-30))
    assert (found >= 0).all()
    assert np.linalg.norm(found) <= np.linalg.norm(w) * (1 + 1e-9)
