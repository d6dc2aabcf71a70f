"""Ridge on fewer images than features: weights that are certified without products."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from skalign.solvers import Design, certify, solve
from tests.solvers.test_gap import objective


def wide_problem(dtype, n_targets=30):
    rng = np.random.default_rng(0)
    X = np.maximum(rng.standard_normal((40, 90)) + rng.standard_normal((40, 1)), 0)
    Y = X[:, :5] @ rng.random((5, n_targets)) + rng.standard_normal((40, n_targets)) + 3
    return X.astype(dtype), Y.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("alphas", [[1.0], np.geomspace(0.1, 1e4, 10)], ids=["one", "many"])
def test_violation_and_gap_are_bounds(alphas, dtype):
    X, Y = wide_problem(dtype)
    alpha = np.resize(alphas, Y.shape[1])
    found = solve(X, Y, "ridge", alpha, positive=False)
    assert found.converged.all()
    assert found.coef.dtype == dtype
    rounding = 1000 * np.finfo(dtype).eps
    exact = certify(X, Y, found.coef, "ridge", alpha, positive=False)
    assert (found.kkt_violation >= exact.kkt_violation - 20 * np.finfo(dtype).eps).all()
    assert (found.kkt_violation <= rounding).all()
    best = solve(X.astype(float), Y.astype(float), "ridge", alpha, positive=False)
    reached, least = (
        objective(X, Y, one.coef, "ridge", alpha.astype(np.longdouble)) for one in (found, best)
    )
    assert (found.dual_gap >= reached - least - 1e-18 * reached).all()
    assert (found.dual_gap <= (0.1 if dtype == np.float32 else 1e-10) * reached).all()
    for target in range(0, Y.shape[1], 7):
        expected = Ridge(alpha[target], solver="svd").fit(X.astype(float), Y[:, target])
        size = np.abs(expected.coef_).max()
        assert_allclose(found.coef[target], expected.coef_, atol=10 * rounding * size)
        assert_allclose(found.intercept[target], expected.intercept_, rtol=10 * rounding)


def test_weights_that_are_not_optimal_are_reported(monkeypatch):
    """What the coefficients of the images miss is seen, and judged by the products."""
    X, Y = wide_problem(float)
    predict = Design.predict
    monkeypatch.setattr(Design, "predict", lambda self, coef: predict(self, coef) * (1 + 1e-5))
    found = solve(X, Y, "ridge", 1.0, positive=False)
    assert not found.converged.any()
    assert (found.kkt_violation > 1e-7).all()
    assert (found.kkt_violation < 1e-4).all()


@pytest.mark.parametrize(("scale", "dtype"), [(1e-14, np.float32), (1e-100, np.float64)])
def test_gap_is_finite_where_coefficients_are_out_of_range(scale, dtype):
    X, Y = wide_problem(float)
    X = (X * scale).astype(dtype)
    found = solve(X, Y.astype(dtype), "ridge", 3 * scale**2, positive=False)
    assert found.converged.all()
    assert np.isfinite(found.dual_gap).all()
    assert (found.dual_gap < Y.var(axis=0) * len(Y)).all()


def test_two_products_serve_a_block(monkeypatch):
    X, Y = wide_problem(float)
    for name in ("cross", "correlate"):
        monkeypatch.setattr(Design, name, lambda *args: pytest.fail("a third product"))
    assert solve(X, Y, "ridge", 1.0, positive=False).converged.all()


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e12])
def test_orthogonal_and_constant_targets_get_no_weights(alpha):
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.standard_normal((40, 40)))
    basis -= basis.mean(axis=0)
    basis, _ = np.linalg.qr(basis[:, :39])
    X = basis[:, :20] @ rng.standard_normal((20, 90))
    Y = np.column_stack([basis[:, 30], np.full(40, 7.0), X[:, 0], basis[:, 30] + 1e-9 * X[:, 0]])
    found = solve(X, Y, "ridge", alpha, positive=False)
    assert_array_equal(found.coef.any(axis=1), [False, False, True, True])
    assert found.converged.all()
    assert_allclose(found.intercept[1], 7)
    expected = Ridge(alpha, solver="svd").fit(X, Y[:, 2]).coef_
    assert_allclose(found.coef[2], expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())
