"""Scales of features and targets change nothing but the units of the weights."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls
from sklearn.linear_model import LinearRegression

from skalign.solvers import certify, solve
from tests.designs import noisy_targets
from tests.reference import ALPHA, ENCODERS
from tests.solvers.nist import NIST

FORMS = pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])


def correct_digits(found, expected):
    return -np.log10(np.max(np.abs(found / expected - 1)) + 1e-17)


@pytest.mark.parametrize("n_powers", [10, 11])
def test_powers_of_time_equal_nnls(n_powers):
    """Norms of the columns lie up to 13 decades apart; the smallest ones carry the fit."""
    t = np.arange(1, 31.0)
    X, y = np.vander(t, n_powers), np.sin(t / 5) + 2
    solution = solve(X, y[:, None], "ols", fit_intercept=False)
    _, best = nnls(X / np.linalg.norm(X, axis=0), y)
    assert best < 4
    np.testing.assert_allclose(np.linalg.norm(y - X @ solution.coef[0]), best, rtol=1e-12)
    assert solution.converged.all()
    # The weights that miss the small columns, as a violation relative to max|X'y| let them.
    missed = np.where(np.linalg.norm(X, axis=0) > 1e6, solution.coef, 0)
    assert certify(X, y[:, None], missed, "ols", fit_intercept=False).kkt_violation > 1e-2


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("name", NIST)
def test_data_sets_of_nist(name, positive):
    """At least the digits of LinearRegression, of its default and of its smallest tolerance."""
    X, y, coef, intercept = NIST[name]
    if positive and (coef < 0).any():
        return
    solution = solve(X, y[:, None], "ols", positive=positive)
    for tol in (1e-6, 1e-15):
        theirs = LinearRegression(positive=positive, tol=tol).fit(X, y)
        needed = min(correct_digits(theirs.coef_, coef), 10)
        assert correct_digits(solution.coef[0], coef) >= needed
    assert correct_digits(solution.coef[0], coef) >= 6
    np.testing.assert_allclose(solution.intercept, intercept, rtol=1e-5)
    assert solution.converged.all()


@FORMS
@pytest.mark.parametrize("alpha", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("positive", [True, False])
def test_float32_columns_of_unequal_scale(positive, alpha, form):
    """The small columns carry the fit."""
    rng = np.random.default_rng(0)
    scales = np.r_[np.ones(5), np.full(5, 1e-6)]
    X = (rng.standard_normal((200, 10)) * scales).astype(np.float32)
    Y = X @ np.abs(rng.standard_normal((10, 3)) / scales[:, None])
    Y += rng.standard_normal((200, 3)).astype(np.float32)
    alpha *= 1e-12 * 200
    solution = solve(form(X), Y, "ridge", alpha, positive=positive)
    expected = solve(X.astype(float), Y.astype(float), "ridge", alpha, positive=positive)
    np.testing.assert_allclose(
        solution.coef * scales,
        expected.coef * scales,
        atol=1e-4 * np.abs(expected.coef * scales).max(),
    )
    predicted = X @ solution.coef.T
    for observed, found in zip(Y.T, predicted.T, strict=True):
        assert np.corrcoef(observed, found)[0, 1] > 0.8
    assert solution.converged.all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("penalty", "positive"), [("ols", True), ("ols", False)])
def test_units_of_each_feature_do_not_matter(penalty, positive, dtype):
    """Powers of two from 1e-6 to 1e6, so that nothing but the units of the weights changes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 12)).astype(dtype)
    Y = noisy_targets(rng, X).astype(dtype)
    units = 2.0 ** rng.integers(-20, 21, 12).astype(dtype)
    plain = solve(X, Y, penalty, positive=positive)
    scaled = solve(X * units, Y, penalty, positive=positive)
    tol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(scaled.coef * units, plain.coef, atol=tol * np.abs(plain.coef).max())
    certificates = [
        certify(X * units, Y, plain.coef / units, penalty, positive=positive),
        certify(X * units, Y, scaled.coef, penalty, positive=positive),
        certify(X, Y, plain.coef, penalty, positive=positive),
    ]
    for certificate in certificates[:2]:
        np.testing.assert_allclose(certificate.objective, certificates[2].objective, rtol=tol)
        np.testing.assert_allclose(
            certificate.kkt_violation, certificates[2].kkt_violation, atol=tol
        )


@pytest.mark.parametrize("unit_of_y", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("unit_of_X", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_the_certificate_does_not_move(penalty, positive, unit_of_X, unit_of_y):
    """All features in one unit, with alpha converted: any weights are as far from optimal."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 12))
    Y = noisy_targets(rng, X)
    factor = {"ols": 1.0, "ridge": unit_of_X**2, "lasso": unit_of_X * unit_of_y}
    settings = {"positive": positive, "l1_ratio": 0.0}
    factor = factor.get(penalty, unit_of_X**2)
    alpha = ALPHA[penalty]
    coef = np.abs(rng.standard_normal((3, 12))) * (rng.random((3, 12)) < 0.5)
    plain = certify(X, Y, coef, penalty, alpha, **settings)
    scaled = certify(
        X * unit_of_X,
        Y * unit_of_y,
        coef * unit_of_y / unit_of_X,
        penalty,
        alpha * factor,
        **settings,
    )
    np.testing.assert_allclose(scaled.kkt_violation, plain.kkt_violation, rtol=1e-9)
    np.testing.assert_allclose(scaled.objective / unit_of_y**2, plain.objective, rtol=1e-9)
    np.testing.assert_allclose(scaled.dual_gap / unit_of_y**2, plain.dual_gap, rtol=1e-9)


@FORMS
@pytest.mark.parametrize("shape", [(8, 20), (30, 12)])
def test_the_least_norm_is_that_of_the_users_units(shape, form):
    """Signed least squares without a unique solution, on columns of unequal scale."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    X[:, 6:12] = X[:, :6]
    X *= np.logspace(-2, 2, shape[1])
    Y = rng.standard_normal((shape[0], 3))
    solution = solve(form(X), Y, "ols", positive=False, fit_intercept=False)
    expected = np.linalg.lstsq(X, Y, rcond=1e-12)[0].T
    np.testing.assert_allclose(solution.coef, expected, atol=1e-6 * np.abs(expected).max())
    assert solution.converged.all()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("penalty", ["ols", "ridge"])
def test_targets_that_float32_cannot_hold_are_not_zero(penalty, positive, fit_intercept):
    """They are solved in another unit, or refused where their weights are too small as well."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4)).astype(np.float32)
    Y = X @ rng.random((4, 2)) + rng.standard_normal((40, 2))
    options = {"penalty": penalty, "positive": positive, "fit_intercept": fit_intercept}
    with pytest.raises(ValueError, match="weights that float32 can hold"):
        solve(X, Y * 1e-85, **options)
    factor = 2.0**-100
    options["alpha"] = 0.0
    plain = solve(X, Y, **options)
    scaled = solve(X * np.float32(factor), Y * 2.0**-180, **options)
    np.testing.assert_allclose(scaled.coef * 2.0**80, plain.coef, rtol=1e-4, atol=1e-5)
    assert scaled.converged.all()
    if fit_intercept:
        assert not solve(X, np.full((40, 1), 1e-85), **options).coef.any()
