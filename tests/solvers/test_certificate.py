"""`certify`: objective, KKT violation and duality gap of any weights, against the formulas."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse

from skalign.solvers import certify, solve
from tests.designs import noisy_targets
from tests.reference import ALPHA, ENCODERS, L1_RATIO, problems

SETTINGS = pytest.mark.parametrize(
    ("fit_intercept", "weighted"), [(True, False), (False, False), (True, True), (False, True)]
)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((25, 6)) + 0.5
    weight = rng.uniform(0.2, 3, 25)
    return X, noisy_targets(rng, X), weight


def any_weights(positive, seed=1):
    """Weights that are far from optimal, a third of them zero."""
    W = np.random.default_rng(seed).standard_normal((3, 6))
    W[:, ::3] = 0
    return np.abs(W) if positive else W


@SETTINGS
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_equals_the_formulas_for_any_weights(data, penalty, positive, fit_intercept, weighted):
    X, Y, weight = data
    options = {
        "l1_ratio": L1_RATIO,
        "positive": positive,
        "fit_intercept": fit_intercept,
        "sample_weight": weight if weighted else None,
    }
    W = any_weights(positive)
    certificate = certify(X, Y, W, penalty, ALPHA[penalty], **options)
    reference = problems(X, Y, penalty, ALPHA[penalty], **options)
    expected = [problem.objective(w) for problem, w in zip(reference, W, strict=True)]
    np.testing.assert_allclose(certificate.objective, expected, rtol=1e-12)
    expected = [problem.kkt_violation(w) for problem, w in zip(reference, W, strict=True)]
    np.testing.assert_allclose(certificate.kkt_violation, expected, rtol=1e-10)


@SETTINGS
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_gap_bounds_what_is_left_to_gain(data, penalty, positive, fit_intercept, weighted):
    X, Y, weight = data
    options = {
        "l1_ratio": L1_RATIO,
        "positive": positive,
        "fit_intercept": fit_intercept,
        "sample_weight": weight if weighted else None,
    }
    reference = problems(X, Y, penalty, ALPHA[penalty], **options)
    best = np.array([problem.minimize() for problem in reference])
    least = np.array([problem.objective(w) for problem, w in zip(reference, best, strict=True)])
    at_best = certify(X, Y, best, penalty, ALPHA[penalty], **options)
    assert at_best.kkt_violation.max() < 1e-12
    if penalty == "ols":
        assert np.isnan(at_best.dual_gap).all()
        return
    assert (at_best.dual_gap <= 1e-10 * least).all()
    for fraction in [0, 0.5, 0.99]:  # from arbitrary weights to nearly the best
        W = fraction * best + (1 - fraction) * any_weights(positive)
        certificate = certify(X, Y, W, penalty, ALPHA[penalty], **options)
        left = certificate.objective - least
        assert (left > 0).all()
        assert (certificate.dual_gap >= left * (1 - 1e-9)).all()


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_perturbing_a_solution_makes_everything_worse(data, penalty, positive):
    X, Y, _ = data
    settings = {"penalty": penalty, "alpha": ALPHA[penalty], "positive": positive}
    best = solve(X, Y, **settings).coef
    before = certify(X, Y, best, **settings)
    for size in [1e-6, 1e-3, 1e-1]:
        after = certify(X, Y, best + size, **settings)
        assert (after.kkt_violation > before.kkt_violation).all()
        assert (after.kkt_violation > 1e-2 * size).all()
        assert (after.objective > before.objective).all()
        assert penalty == "ols" or (after.dual_gap > before.dual_gap).all()


def test_negative_weight_is_infinitely_wrong_where_weights_must_be_positive(data):
    X, Y, _ = data
    W = solve(X, Y, "lasso", 0.1).coef
    W[1, 0] = -1e-12
    violation = certify(X, Y, W, "lasso", 0.1).kkt_violation
    assert violation[1] == np.inf
    assert violation[[0, 2]].max() < 1e-12
    assert np.isfinite(certify(X, Y, W, "lasso", 0.1, positive=False).kkt_violation).all()


@pytest.mark.parametrize("alpha", [0.0, [0.0, 0.1, 0.0]])
def test_no_gap_is_known_without_a_penalty(data, alpha):
    X, Y, _ = data
    gap = certify(X, Y, any_weights(True), "lasso", alpha).dual_gap
    np.testing.assert_array_equal(np.isnan(gap), np.equal(np.broadcast_to(alpha, 3), 0))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "form", [sparse.csr_array, sparse.csc_matrix, np.ndarray.tolist, np.asfortranarray]
)
def test_form_of_the_features_does_not_matter(data, form, fit_intercept):
    X, Y, weight = data
    X = X * (np.arange(6) % 2)
    options = {"sample_weight": weight, "fit_intercept": fit_intercept}
    expected = certify(X, Y, any_weights(True), **options)
    certificate = certify(form(X), Y.tolist(), any_weights(True).tolist(), **options)
    for field in dataclasses.fields(certificate):
        actual = getattr(certificate, field.name)
        np.testing.assert_allclose(actual, getattr(expected, field.name), rtol=1e-12)


def test_record_is_frozen(data):
    X, Y, _ = data
    certificate = certify(X, Y, any_weights(True))
    with pytest.raises(dataclasses.FrozenInstanceError):
        certificate.objective = 0


class TestTheCertificateIsTrue:
    """The reported violation against the one in float64, where shortcuts could have lied."""

    @pytest.mark.parametrize(("dtype", "mean"), [("f4", 1e3), ("f4", 1e4), ("f8", 1e8)])
    def test_of_features_far_from_zero_and_targets_near(self, dtype, mean):
        """Centered features keep a sum at the rounding of their mean, and y's mean meets it."""
        rng = np.random.default_rng(0)
        X = (rng.standard_normal((500, 20)) + mean).astype(dtype)
        Y = (rng.standard_normal((500, 7)) + 1.5).astype(dtype)
        solution = solve(X, Y, "ols")
        true = certify(X.astype("f8"), Y.astype("f8"), solution.coef, "ols").kkt_violation
        assert true.max() <= {"f4": 1e-4, "f8": 1e-7}[dtype]

    @pytest.mark.parametrize("dtype", ["f4", "f8"])
    def test_of_a_small_feature_beside_a_huge_one(self, dtype):
        """A target orthogonal to the huge one is not orthogonal to the small one."""
        A, B = np.tile([0.0, 0, 1, 1], 8), np.tile([0.0, 1, 0, 1], 8)
        huge = {"f4": 2e6, "f8": 1e14}[dtype]
        X = np.c_[A * huge, B].astype(dtype)
        coef = solve(X, B[:, None].astype(dtype), "lasso", 0.01).coef
        np.testing.assert_allclose(coef, [[0, 0.96]], rtol=1e-5)

    @pytest.mark.parametrize("dtype", ["f4", "f8"])
    @pytest.mark.parametrize("positive", [True, False])
    def test_near_overflow(self, dtype, positive):
        """Either an error that says so, or finite weights."""
        rng = np.random.default_rng(0)
        shared = rng.standard_normal((20, 1))
        X = (shared + 1e-3 * rng.standard_normal((20, 6))).astype(dtype)
        Y = rng.standard_normal((20, 5)).astype(dtype)
        for exponent in np.linspace(0.3, 0.5, 21):
            size = X.dtype.type(np.finfo(dtype).max ** exponent)
            try:
                solution = solve(X * size, Y * size, "lasso", 0.1, positive=positive)
            except ValueError as error:
                assert "too large" in str(error)  # noqa: PT017 - only some sizes raise
            else:
                assert np.isfinite(solution.coef).all()
                assert np.isfinite(solution.kkt_violation).all()


@pytest.mark.parametrize("shape", [(2, 4), (3, 5), (3,)])
def test_weights_of_a_wrong_shape(shape):
    X, Y = np.ones((6, 4)), np.ones((6, 3))
    with pytest.raises(ValueError, match=r"coef must have shape .* = \(3, 4\); got"):
        certify(X, Y, np.zeros(shape))
    with pytest.raises(ValueError, match=r"coef_init must have shape .* = \(3, 4\); got"):
        solve(X, Y, coef_init=np.zeros(shape))


def test_arrays_that_do_not_fit():
    X, Y = np.ones((6, 4)), np.ones((6, 3))
    with pytest.raises(ValueError, match="must be 2-D"):
        solve(X, Y[:, 0])
    with pytest.raises(ValueError, match="equal n_samples"):
        solve(X, Y[1:])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        solve(np.where(np.eye(6, 4) == 1, np.nan, X), Y)


def test_integers_are_numbers():
    rng = np.random.default_rng(0)
    X, Y = rng.integers(-3, 4, (30, 4)), rng.integers(-3, 4, (30, 2))
    solution = solve(X, Y)
    np.testing.assert_array_equal(solution.coef, solve(X.astype(float), Y.astype(float)).coef)
    assert certify(sparse.csr_array(X), Y, solution.coef).kkt_violation.max() < 1e-12


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_nothing_is_certified_of_numbers_that_are_none(value):
    X, Y = np.eye(6, 4), np.ones((6, 3))
    Y[2, 1] = value
    with pytest.raises(ValueError, match=r"y contains NaN, infinity .* first in target 1"):
        certify(X, Y, np.zeros((3, 4)))
    with pytest.raises(ValueError, match="coef must be finite"):
        certify(X, np.ones((6, 3)), np.full((3, 4), np.nan))


def test_sparse_weights_are_judged_as_dense_ones():
    rng = np.random.default_rng(0)
    X, Y, coef = rng.random((9, 4)), rng.random((9, 2)), rng.random((2, 4)).round()
    expected = certify(X, Y, coef)
    found = certify(X, Y, sparse.csr_array(coef))
    np.testing.assert_array_equal(found.objective, expected.objective)
