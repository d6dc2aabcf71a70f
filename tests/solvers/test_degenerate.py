"""Designs without a unique minimizer, empty targets, extremes: valid fits, truly certified."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls

from skalign.solvers import certify, solve
from tests.designs import DESIGNS, RANK_DEFICIENT, noisy_targets, with_spectrum
from tests.reference import ALPHA, ENCODERS, PENALTIES

STRENGTHS = {"ols": [0.0], "ridge": [1e-4, 1.0], "lasso": [1e-6, 0.1], "elasticnet": [1e-6, 0.1]}


def make(name, seed=0):
    rng = np.random.default_rng(seed)
    X = DESIGNS[name](rng)
    return X, noisy_targets(rng, X, n_targets=6)


def assert_better_than_empty(X, Y, coef, *args, **kwargs):
    """The objective in float64 is not above that of zero weights."""
    X, Y = X.astype(np.float64), Y.astype(np.float64)
    objective = certify(X, Y, coef, *args, **kwargs).objective
    assert (objective <= certify(X, Y, 0 * coef, *args, **kwargs).objective).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
@pytest.mark.parametrize("name", DESIGNS)
def test_every_fit_is_optimal(name, penalty, positive, dtype):
    X, Y = (array.astype(dtype) for array in make(name))
    for alpha in STRENGTHS[penalty]:
        for fit_intercept in [True, False]:
            settings = {
                "penalty": penalty,
                "alpha": alpha,
                "positive": positive,
                "fit_intercept": fit_intercept,
            }
            solution = solve(X, Y, **settings)
            certificate = certify(X.astype(float), Y.astype(float), solution.coef, **settings)
            assert np.isfinite(solution.coef).all()
            assert solution.converged.all()
            assert certificate.kkt_violation.max() <= (1e-7 if dtype == np.float64 else 1e-3)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", RANK_DEFICIENT)
def test_signed_ols_is_the_minimum_norm_solution(name, fit_intercept, form):
    X, Y = make(name)
    mean = X.mean(axis=0) if fit_intercept else 0
    expected = np.linalg.pinv(X - mean, rcond=1e-12) @ Y
    coef = solve(form(X), Y, "ols", positive=False, fit_intercept=fit_intercept).coef
    np.testing.assert_allclose(coef, expected.T, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize(("penalty", "positive"), [(p, s) for p, s in ENCODERS if p != "ols"])
@pytest.mark.parametrize("name", DESIGNS)
def test_alpha_zero_is_ols(name, penalty, positive):
    X, Y = make(name)
    free = solve(X, Y, penalty, 0.0, positive=positive)
    ols = solve(X, Y, "ols", positive=positive)
    scale = np.abs(Y).max()
    np.testing.assert_allclose(X @ free.coef.T, X @ ols.coef.T, atol=1e-7 * scale)
    assert free.converged.all()
    assert np.isnan(free.dual_gap).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("alpha", [1e-8, 1e-5, 1e-3])
@pytest.mark.parametrize("n_copies", [1, 2])
def test_vanishing_l1_on_dependent_columns(n_copies, alpha, positive, dtype):
    """Directions that are nearly flat lead nowhere worse, whatever rounding does to them."""
    rng = np.random.default_rng(1)
    X = np.tile(rng.standard_normal((30, 100)), n_copies).astype(dtype)
    Y = rng.standard_normal((30, 30)).astype(dtype)
    solution = solve(X, Y, "lasso", alpha, positive=positive)
    assert_better_than_empty(X, Y, solution.coef, "lasso", alpha, positive=positive)
    # In float32 the solution of the smaller alphas is beyond what a Gram can tell.
    assert solution.converged.all() or (dtype == np.float32 and alpha < 1e-3)


@pytest.mark.parametrize("seed", [1643, 3455, 7221, 8613, 12471])
def test_float32_is_never_worse_than_no_weights(seed):
    """Wide designs whose positive OLS walks along nearly singular subsets of features."""
    rng = np.random.default_rng(seed)
    n_samples = rng.integers(4, 9)
    X = rng.standard_normal((n_samples, rng.integers(n_samples, 2 * n_samples))).astype(np.float32)
    Y = rng.standard_normal((n_samples, 20)).astype(np.float32)
    solution = solve(X, Y, "ols", fit_intercept=False)
    assert_better_than_empty(X, Y, solution.coef, "ols", fit_intercept=False)


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_a_constant_feature_gets_no_weight(penalty, positive):
    """Not even where rounding leaves something of it and the penalty would let it in."""
    rng = np.random.default_rng(0)
    X = np.c_[rng.standard_normal((30, 2)), np.full(30, 0.1), np.full(30, 1e8)]
    coef = solve(X, rng.standard_normal((30, 4)), penalty, 1e-25, positive=positive).coef
    assert not coef[:, 2:].any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_empty_targets(penalty, positive, dtype):
    """Zero and constant targets have exactly zero weights and are their own intercept."""
    X = make("plain")[0].astype(dtype)
    Y = np.repeat([[0.0, 3.3, -1e6, 1e-20]], 30, axis=0).astype(dtype)
    solution = solve(X, Y, penalty, ALPHA[penalty], positive=positive)
    assert not solution.coef.any()
    np.testing.assert_allclose(solution.intercept, Y[0], rtol=1e-14)
    np.testing.assert_array_equal(solution.kkt_violation, 0)
    np.testing.assert_array_equal(solution.dual_gap, np.nan if penalty == "ols" else 0)


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_one_sample_is_its_own_intercept(penalty, positive):
    X, Y = make("one sample")
    solution = solve(X, Y, penalty, ALPHA[penalty], positive=positive)
    assert not solution.coef.any()
    np.testing.assert_array_equal(solution.intercept, Y[0])


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_columns_that_only_ignored_rows_vary_get_no_weight(penalty, positive, dtype, form):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    X[:20, 1], X[:20, 2] = 3.3, 1e3 / 7
    Y = rng.standard_normal((30, 3))
    weight = np.r_[rng.uniform(0.1, 1, 20), np.zeros(10)]
    settings = {"penalty": penalty, "alpha": ALPHA[penalty], "positive": positive}
    coef = solve(form(X.astype(dtype)), Y, sample_weight=weight, **settings).coef
    assert not coef[:, [1, 2]].any()
    assert coef[:, [0, 3]].any()


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_constant_columns_alone_explain_nothing(penalty, positive, dtype, form):
    """Only the rounding of their means is left of them, and must not be fitted."""
    rng = np.random.default_rng(0)
    Y, weight = rng.standard_normal((30, 5)).astype(dtype), rng.uniform(0.1, 1, 30)
    for constant in [0.1, 3.3, -7.7, 1e5 / 3]:
        X = form(np.full((30, 1), constant, dtype=dtype))
        solution = solve(X, Y, penalty, 1e-30, positive=positive, sample_weight=weight)
        assert not solution.coef.any()
        np.testing.assert_allclose(
            solution.intercept, np.average(Y, axis=0, weights=weight), atol=10 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_target_orthogonal_to_every_feature(penalty, positive, dtype):
    """Only rounding is left of X'y: nothing to fit, and nothing to warn of."""
    X = np.array([[0.1], [-0.1], [0.0]], dtype=dtype)
    Y = np.array([[0.0, 1.0], [0.0, 1.0], [-2.0, 0.3]], dtype=dtype)
    solution = solve(X, Y, penalty, ALPHA[penalty], positive=positive)
    assert solution.converged.all()
    assert np.abs(solution.coef).max() <= 100 * np.finfo(dtype).eps


@pytest.mark.parametrize("scale_X", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("scale_y", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_units_of_features_and_targets_do_not_matter(penalty, positive, scale_X, scale_y):
    """With X in other units and alpha converted, weights are the same up to those units."""
    X, Y = make("plain")
    factor = {"ols": 1.0, "ridge": scale_X**2, "lasso": scale_X * scale_y, "elasticnet": scale_X**2}
    settings = {"l1_ratio": 0.0, "positive": positive}
    plain = solve(X, Y, penalty, ALPHA[penalty], **settings)
    scaled = solve(X * scale_X, Y * scale_y, penalty, ALPHA[penalty] * factor[penalty], **settings)
    np.testing.assert_allclose(scaled.coef * scale_X / scale_y, plain.coef, atol=1e-10)
    assert scaled.converged.all()


@pytest.mark.parametrize("positive", [True, False])
def test_above_alpha_max_everything_is_empty(positive):
    X, Y = make("plain")
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    pull = X.T @ Y / X.shape[0]
    alpha_max = (pull if positive else np.abs(pull)).max(axis=0)
    above = solve(X, Y, "lasso", alpha_max * 1.001, positive=positive)
    assert not above.coef.any()
    np.testing.assert_array_equal(above.kkt_violation, 0)
    np.testing.assert_allclose(above.dual_gap, 0, atol=1e-15)
    below = solve(X, Y, "lasso", alpha_max * 0.999, positive=positive)
    np.testing.assert_array_equal(np.count_nonzero(below.coef, axis=1), 1)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_target_opposed_to_every_feature_is_empty_at_any_alpha(penalty):
    X = np.abs(make("plain")[0])
    y = -X.sum(axis=1, keepdims=True)
    for alpha in [0.0, 1e-6, 1.0]:
        solution = solve(X, y, penalty, alpha, fit_intercept=False)
        assert not solution.coef.any()
        assert solution.converged.all()


class TestConditionNumber1e10:
    """A Gram of such features has no correct digit left in its small directions."""

    @pytest.fixture
    def data(self):
        rng = np.random.default_rng(0)
        X = with_spectrum(rng, 40, np.logspace(0, -10, 10))
        return X, X @ rng.standard_normal((10, 4)) + 1e-3 * rng.standard_normal((40, 4))

    @pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
    @pytest.mark.parametrize("alpha", [0.0, 1e-18, 1e-12, 1e-4])
    def test_signed_fits_equal_least_squares_through_the_features(self, data, alpha, form):
        X, Y = data
        augmented = np.r_[X, np.sqrt(alpha) * np.eye(10)]
        expected = np.linalg.lstsq(augmented, np.r_[Y, np.zeros((10, 4))], rcond=1e-14)[0]
        coef = solve(form(X), Y, "ridge", alpha, positive=False, fit_intercept=False).coef.T
        # Weights are known to about cond * eps relative to their size, predictions far better.
        np.testing.assert_allclose(coef, expected, atol=1e-4 * np.abs(expected).max())
        np.testing.assert_allclose(X @ coef, X @ expected, atol=1e-7)

    @pytest.mark.parametrize("penalty", PENALTIES)
    def test_positive_fits_are_certified_and_as_good_as_nnls(self, data, penalty):
        """But for the directions that a Gram cannot see, worth less than 1 %."""
        X, Y = data
        alpha = {"ols": 0.0, "ridge": 1e-12, "lasso": 1e-10, "elasticnet": 1e-10}[penalty]
        solution = solve(X, Y, penalty, alpha, fit_intercept=False)
        settings = {"penalty": penalty, "alpha": alpha, "fit_intercept": False}
        certificate = certify(X, Y, solution.coef, **settings)
        assert certificate.kkt_violation.max() < 1e-7
        np.testing.assert_allclose(
            solution.kkt_violation, certificate.kkt_violation, atol=1e-9, rtol=0
        )
        unpenalized = np.array([nnls(X, y)[0] for y in Y.T])
        least = certify(X, Y, unpenalized, **settings).objective
        assert (certificate.objective <= least * 1.01).all()

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
    def test_certificate_is_true_even_where_tolerance_is_out_of_reach(
        self, data, penalty, positive, dtype
    ):
        X, Y = (array.astype(dtype) for array in data)
        settings = {"penalty": penalty, "alpha": 1e-14, "positive": positive}
        solution = solve(X, Y, **settings)
        certificate = certify(X.astype(float), Y.astype(float), solution.coef, **settings)
        assert np.isfinite(solution.coef).all()
        true, tol = certificate.kkt_violation, 1e-7 if dtype == np.float64 else 1e-4
        assert (true[solution.converged] <= 3 * tol).all()
        assert (true <= 3 * np.maximum(solution.kkt_violation, tol)).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_a_shift_does_not_give_dependent_small_columns_a_rank(weighted):
    """Opposite columns sum to what rounding leaves of their means, which is no direction."""
    rng = np.random.default_rng(0)
    for shift in range(-20, 20):
        free = rng.integers(-64, 64, (7, 3)) / 64.0
        small = free[:, [1]] / 128
        X = np.hstack([free, 40 * free[:, [2]], -40 * free[:, [2]], small, -small])
        Y = rng.integers(-64, 64, (7, 2)) / 32.0
        weight = rng.integers(1, 4, 7) if weighted else None
        plain, moved = (
            solve(X + by, Y - 24 * by, "ols", positive=False, sample_weight=weight)
            for by in (0, shift)
        )
        assert moved.converged.all()
        np.testing.assert_allclose(moved.coef, plain.coef, atol=1e-8 * np.abs(plain.coef).max())
