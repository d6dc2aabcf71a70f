"""The duality gap is a bound, rounding errors included, in the precision that no solver has."""

import numpy as np
import pytest

from skalign.solvers import Moments, certify, solve, solve_moments
from tests.reference import ENCODERS

PENALIZED = [(penalty, positive) for penalty, positive in ENCODERS if penalty != "ols"]


def objective(X, Y, coef, penalty, alpha):
    """The objective in extended precision, of centered data."""
    X, Y, w = (array.astype(np.longdouble) for array in (X, Y, coef))
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    residual = ((Y - X @ w.T) ** 2).sum(axis=0)
    l1, l2 = np.abs(w).sum(axis=1), (w**2).sum(axis=1)
    match penalty:
        case "ridge":
            return residual + alpha * l2
        case "lasso":
            return residual / (2 * len(X)) + alpha * l1
        case _:
            return residual / (2 * len(X)) + alpha * (l1 + l2 / 2) / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("route", ["gram", "moments", "certify"])
@pytest.mark.parametrize("alpha", [1e-3, 0.1])
@pytest.mark.parametrize(("penalty", "positive"), PENALIZED)
def test_no_weights_are_better_by_more_than_the_gap(penalty, positive, alpha, route, dtype):
    rng = np.random.default_rng(0)
    X = (np.maximum(rng.standard_normal((300, 20)) + rng.standard_normal((300, 1)), 0)).astype(
        dtype
    )
    Y = (X[:, :5] @ rng.random((5, 200)) + rng.standard_normal((300, 200))).astype(dtype)
    solution = solve(X, Y, penalty, alpha, positive=positive)
    gap = solution.dual_gap
    if route == "moments":
        solution = solve_moments(Moments.of(X, Y), penalty, alpha, positive=positive)
        gap = solution.dual_gap
    elif route == "certify":
        gap = certify(X, Y, solution.coef, penalty, alpha, positive=positive).dual_gap
    best = solve(X.astype(float), Y.astype(float), penalty, alpha, positive=positive)
    reached, least = (
        objective(X, Y, one.coef, penalty, np.longdouble(alpha)) for one in (solution, best)
    )
    assert (gap >= reached - least - 1e-18 * reached).all()
    assert (gap <= (0.1 if dtype == np.float32 else 1e-10) * reached).all()
