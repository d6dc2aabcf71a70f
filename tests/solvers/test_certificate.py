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
    best = np.array([problem.minimise() for problem in reference])
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
