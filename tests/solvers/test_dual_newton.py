"""Nonnegative ridge on few images is solved for residuals: the minimizer stays the same."""

from unittest import mock

import numpy as np
import pytest
from scipy.optimize import nnls

from skalign.solvers import certify, solve, solve_path
from skalign.solvers._dual_newton import solve_by_residual
from tests.designs import noisy_targets


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = np.maximum(rng.standard_normal((20, 5)) @ rng.standard_normal((5, 150)), 0)
    X += 0.1 * rng.standard_normal(X.shape)
    X[:, 7], X[:, 8], X[:, 9] = X[:, 6], 2 * X[:, 6], 1.0  # equal, dependent, constant
    return X, noisy_targets(rng, X, 4)


def by_nnls(X, y, alpha):
    """Ridge as least squares with the penalty as more rows."""
    A = np.vstack([X - X.mean(0), np.sqrt(alpha) * np.eye(X.shape[1])])
    return nnls(A, np.concatenate([y - y.mean(), np.zeros(X.shape[1])]))[0]


@pytest.mark.parametrize("alpha", [1e-2, 1.0, 1e3])
def test_equals_nnls(problem, alpha):
    X, Y = problem
    with mock.patch(
        "skalign.solvers._image_solver.solve_by_residual", wraps=solve_by_residual
    ) as way:
        solution = solve(X, Y, "ridge", alpha)
    assert way.call_count == Y.shape[1]
    assert solution.converged.all()
    assert solution.unique.all()
    assert solution.coef.min() >= 0
    assert solution.kkt_violation.max() < 1e-13
    for weights, y in zip(solution.coef, Y.T, strict=True):
        expected = by_nnls(X, y, alpha)
        np.testing.assert_allclose(weights, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_way_through_the_gram(problem, weighted):
    X, Y = problem
    sample_weight = np.arange(1.0, 21) if weighted else None
    alphas = np.array([0.5, 3.0, 20.0, np.inf])
    found = solve(X, Y, "ridge", alphas, sample_weight=sample_weight)
    with mock.patch("skalign.solvers._blocks.FEATURES_PER_IMAGE", np.inf):
        expected = solve(X, Y, "ridge", alphas, sample_weight=sample_weight)
    assert not (found.n_iter == expected.n_iter).all()  # another way
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-10)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-8)
    assert (found.n_iter <= 15).all()


def test_path_starts_from_the_alpha_before(problem):
    X, Y = problem
    alphas = np.geomspace(1e3, 1e-1, 9)
    path = solve_path(X, Y, "ridge", alphas)
    cold = [solve(X, Y, "ridge", alpha) for alpha in alphas]
    assert path.converged.all()
    for coef, alone in zip(path.coef, cold, strict=True):
        np.testing.assert_allclose(coef, alone.coef, atol=1e-10)
    assert path.n_iter[1:].sum() < sum(one.n_iter.sum() for one in cold[1:])


def test_single_precision(problem):
    X, Y = (array.astype(np.float32) for array in problem)
    solution = solve(X, Y, "ridge", 1.0)
    assert solution.coef.dtype == np.float32
    assert certify(X, Y, solution.coef, "ridge", 1.0).kkt_violation.max() < 1e-5


def test_penalty_that_is_nothing_beside_the_features(problem):
    X, Y = problem
    solution = solve(X, Y, "ridge", 1e-15)
    judged = certify(X, Y, solution.coef, "ridge", 1e-15)
    assert judged.kkt_violation.max() < 1e-7
    assert solution.converged.all()


def test_bound_on_steps_is_kept_and_told(problem):
    X, Y = problem
    solution = solve(X, Y, "ridge", 1e-2, max_iter=1)
    assert (solution.n_iter == 1).all()
    assert not solution.converged.any()
    assert solution.coef.min() >= 0


def test_targets_without_variance_stay_empty(problem):
    X, Y = problem
    Y[:, 1] = 3.0
    solution = solve(X, Y, "ridge", 1.0)
    assert not solution.coef[1].any()
    assert solution.intercept[1] == 3
    assert solution.n_iter[1] == 1
