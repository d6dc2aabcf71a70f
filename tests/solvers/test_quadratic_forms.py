"""Quadratic forms: few weights and many lead to the same."""

import numpy as np
import pytest

from skalign.solvers import quadratic_forms


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.2, 0.3, 1.0])
def test_are_those_of_the_formulas(density, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 8)).astype(dtype)
    coef = (rng.standard_normal((30, 8)) * (rng.random((30, 8)) < density)).astype(dtype)
    factors = rng.random(8)
    quadratic, aligned = quadratic_forms(X.T @ X, coef, factors)
    predicted = X.astype(float) @ coef.T
    tol = 1e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(quadratic, (predicted**2).sum(axis=0), rtol=tol, atol=tol)
    expected = ((np.abs(coef) * factors) * (predicted.T @ X)).sum(axis=1)
    np.testing.assert_allclose(aligned, expected, rtol=tol, atol=10 * tol)
