"""Features and targets whose squares no float can hold: solved in other units, or refused."""

import numpy as np
import pytest
from scipy import sparse

from skalign.solvers import Moments, certify, solve, solve_path
from tests.designs import noisy_targets
from tests.reference import ALPHA, ENCODERS

EXPONENTS = {np.float64: (-560, 500), np.float32: (-70, 60)}  # 1e-169 to 1e150; 1e-21 to 1e18
UNITS = pytest.mark.parametrize("unit", ["tiny", "huge"])
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def make(dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 8)).astype(dtype)
    return X, noisy_targets(rng, X, n_targets=4).astype(dtype)


def exponent_of(unit, dtype):
    return EXPONENTS[dtype][unit == "huge"]


@DTYPES
@UNITS
@pytest.mark.parametrize("what", ["X", "y", "X and y", "one target"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_solves_equal_those_in_plain_units(penalty, positive, form, what, unit, dtype):
    """Powers of two change no digit."""
    X, Y = make(dtype)
    exponent = exponent_of(unit, dtype)
    a = exponent if "X" in what else 0
    b = np.full(4, exponent if "y" in what else 0)
    b[0] = exponent if what == "one target" else b[0]
    l1, l2 = np.ldexp(ALPHA[penalty], a + b), np.full(4, np.ldexp(ALPHA[penalty], 2 * a))
    alpha = {"ols": 0.0, "ridge": l2, "lasso": l1, "elasticnet": l2}[penalty]
    if not (np.isfinite(alpha).all() and np.all((alpha > 0) | (penalty == "ols"))):
        pytest.skip("alpha itself is out of range")
    settings = {"positive": positive, "l1_ratio": 0.0}
    plain = solve(form(X), Y, penalty, ALPHA[penalty], **settings)
    found = solve(form(np.ldexp(X, a)), np.ldexp(Y, b), penalty, alpha, **settings)
    tol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(np.ldexp(found.coef, (a - b)[:, None]), plain.coef, atol=tol)
    np.testing.assert_allclose(np.ldexp(found.intercept, -b), plain.intercept, atol=tol)
    np.testing.assert_allclose(found.kkt_violation, plain.kkt_violation, atol=tol)
    assert found.converged.all()
    assert found.coef.any(axis=1).all()


@DTYPES
@UNITS
def test_a_path_finds_alphas_in_the_units_of_the_data(unit, dtype):
    X, Y = make(dtype)
    exponent = exponent_of(unit, dtype)
    plain = solve_path(X, Y, "lasso", 3)
    found = solve_path(np.ldexp(X, exponent), Y, "lasso", 3)
    np.testing.assert_allclose(np.ldexp(found.alphas, -exponent), plain.alphas, rtol=1e-5)
    np.testing.assert_array_equal(found.n_active, plain.n_active)
    ridge, plain = (solve_path(A, Y, "ridge", 3) for A in (np.ldexp(X, exponent // 3), X))
    np.testing.assert_allclose(
        np.ldexp(ridge.alphas, -2 * (exponent // 3)), plain.alphas, rtol=1e-5
    )


def test_a_gap_that_underflows_is_not_zero():
    """Nor one that overflows finite: both stay bounds."""
    X, Y = make(np.float64)
    settings = {"penalty": "lasso", "alpha": 1e-3, "max_iter": 1}
    assert (solve(X, Y, **settings).dual_gap > 0).all()
    settings["alpha"] = np.ldexp(1e-3, -600)
    assert (solve(X, np.ldexp(Y, -600), **settings).dual_gap > 0).all()
    settings["alpha"] = np.ldexp(1e-3, 600)
    assert (solve(X, np.ldexp(Y, 600), **settings).dual_gap == np.inf).all()


def test_a_start_is_converted():
    X, Y = make(np.float64)
    alpha = np.ldexp(0.1, -560)
    cold = solve(np.ldexp(X, -560), Y, "lasso", alpha)
    warm = solve(np.ldexp(X, -560), Y, "lasso", alpha, coef_init=cold.coef)
    np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-12)
    assert warm.n_iter.sum() < cold.n_iter.sum()


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_what_no_unit_suits_is_refused(form):
    X, Y = make(np.float64)
    X[:, 0], X[:, 1] = X[:, 0] * 1e-160, X[:, 1] * 1e150
    with pytest.raises(ValueError, match=r"X must have features whose squares float64 can hold"):
        solve(form(X), Y)
    X, Y = make(np.float64)
    with pytest.raises(ValueError, match="X and y must have weights that float64 can hold"):
        solve(form(X * 1e-170), Y * 1e170, "ols")


@pytest.mark.parametrize("size", [1e-170, 1e150])
def test_moments_and_certificates_out_of_range_are_refused(size):
    X, Y = make(np.float64)
    for function in [Moments.of, lambda X, Y: certify(X, Y, np.zeros((4, 8)))]:
        with pytest.raises(ValueError, match=r"X .*Scale X"):
            function(X * size, Y)
        with pytest.raises(ValueError, match=r"y .* first in target 0\..*cale y"):
            function(X, Y * size)
