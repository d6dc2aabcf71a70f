"""`solve`: the oracle's weights, true certificates, whatever form the arrays have."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse

from skalign.solvers import _blocks, certify, solve
from tests.designs import noisy_targets
from tests.reference import ALPHA, ENCODERS, L1_RATIO, problems


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 7)) + 0.3
    weight = rng.uniform(0, 3, 40) * (rng.random(40) < 0.8)
    return X, noisy_targets(rng, X, n_targets=5), weight


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_equals_the_oracle(data, penalty, positive, fit_intercept, weighted):
    X, Y, weight = data
    options = {
        "l1_ratio": L1_RATIO,
        "positive": positive,
        "fit_intercept": fit_intercept,
        "sample_weight": weight if weighted else None,
    }
    solution = solve(X, Y, penalty, ALPHA[penalty], **options)
    reference = problems(X, Y, penalty, ALPHA[penalty], **options)
    best = np.array([problem.minimize() for problem in reference])
    np.testing.assert_allclose(solution.coef, best, atol=1e-10)
    intercepts = [problem.intercept(w) for problem, w in zip(reference, best, strict=True)]
    np.testing.assert_allclose(solution.intercept, intercepts, atol=1e-10)
    assert solution.converged.all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_reports_what_the_residual_says(data, penalty, positive, fit_intercept, dtype):
    X, Y, weight = (array.astype(dtype) for array in data)
    settings = {
        "penalty": penalty,
        "alpha": ALPHA[penalty],
        "positive": positive,
        "fit_intercept": fit_intercept,
        "sample_weight": weight,
    }
    solution = solve(X, Y, **settings)
    certificate = certify(X.astype(float), Y.astype(float), solution.coef, **settings)
    rounding = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        solution.kkt_violation, certificate.kkt_violation, atol=rounding, rtol=0
    )
    assert certificate.kkt_violation.max() <= rounding
    assert np.isnan(solution.dual_gap).all() == (penalty == "ols")
    if penalty != "ols":
        for gap in [certificate.dual_gap, solution.dual_gap]:
            np.testing.assert_array_less(gap, 1e4 * np.finfo(dtype).eps * certificate.objective)


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_truth_of_the_certificate_survives_an_early_stop(data, penalty, positive):
    X, Y, _ = data
    settings = {"penalty": penalty, "alpha": ALPHA[penalty], "positive": positive}
    solution = solve(X, Y, max_iter=1, **settings)
    certificate = certify(X, Y, solution.coef, **settings)
    np.testing.assert_allclose(solution.kkt_violation, certificate.kkt_violation, atol=1e-12)
    np.testing.assert_allclose(solution.dual_gap, certificate.dual_gap, atol=1e-12)
    np.testing.assert_array_equal(solution.converged, solution.kkt_violation <= 1e-7)
    assert (solution.n_iter == 1).all()


@pytest.fixture
def slow_problem():
    """Correlated features, on which the descent takes many rounds."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 60)) + 2 * rng.standard_normal((200, 1))
    return X, noisy_targets(rng, X, n_targets=30)


@pytest.mark.parametrize("gram_features", [1024, 0])
def test_loose_tolerance_stops_earlier_and_is_kept(slow_problem, monkeypatch, gram_features):
    monkeypatch.setattr(_blocks, "GRAM_FEATURES", gram_features)
    monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)
    X, Y = slow_problem
    exact = solve(X, Y, "lasso", 0.01, positive=False, tol=1e-10)
    assert exact.kkt_violation.max() <= 1e-10
    loose = solve(X, Y, "lasso", 0.01, positive=False, tol=0.5)
    assert loose.n_iter.sum() < exact.n_iter.sum()
    assert 1e-6 < loose.kkt_violation.max() <= 0.5  # not solved beyond what was asked for
    assert loose.converged.all()
    assert np.abs(loose.coef - exact.coef).max() > 1e-6


def test_tolerance_decides_what_has_converged(slow_problem):
    X, Y = slow_problem
    settings = {"penalty": "lasso", "alpha": 0.01, "positive": False, "max_iter": 2}
    violations = solve(X, Y, **settings).kkt_violation
    assert (violations > 1e-7).all()  # none had the time
    tol = float(np.median(violations))
    stopped = solve(X, Y, **settings, tol=tol)
    np.testing.assert_array_equal(stopped.converged, stopped.kkt_violation <= tol)
    assert 0 < stopped.converged.sum() < len(stopped.converged)


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_alpha_per_target(data, penalty, positive):
    X, Y, _ = data
    alphas = [0.0, 0.01, 0.1, 1.0, 10.0]
    together = solve(X, Y, penalty, alphas, positive=positive)
    for target, alpha in enumerate(alphas):
        alone = solve(X, Y[:, [target]], penalty, alpha, positive=positive)
        np.testing.assert_allclose(together.coef[target], alone.coef[0], atol=1e-10)
        np.testing.assert_allclose(together.dual_gap[target], alone.dual_gap[0], atol=1e-12)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_sparse_features_equal_dense_ones(data, penalty, positive, fit_intercept, weighted):
    X, Y, weight = data
    X = np.where(np.random.default_rng(2).random(X.shape) < 0.5, 0, X)
    X[:, 2], X[:, 3] = 1.7, 0  # a constant and an empty column
    settings = {
        "penalty": penalty,
        "alpha": ALPHA[penalty],
        "positive": positive,
        "fit_intercept": fit_intercept,
        "sample_weight": weight if weighted else None,
    }
    dense = solve(X, Y, **settings)
    for form in [sparse.csr_array, sparse.csc_matrix]:
        solution = solve(form(X), Y, **settings)
        assert isinstance(solution.coef, np.ndarray)
        np.testing.assert_allclose(solution.coef, dense.coef, atol=1e-8)
        np.testing.assert_allclose(solution.intercept, dense.intercept, atol=1e-8)
        assert certify(X, Y, solution.coef, **settings).kkt_violation.max() < 1e-8


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("positive", [True, False])
def test_sparse_certificate_is_true_far_from_the_origin(positive, dtype):
    """A column of years among sparse ones: centered implicitly, its variance nearly cancels."""
    rng = np.random.default_rng(0)
    X = sparse.random_array((60, 6), density=0.3, rng=rng).toarray()
    X[:, 0] = rng.integers(1990, 2020, 60)
    X = X.astype(dtype)
    Y = noisy_targets(rng, X - X.mean(axis=0)).astype(dtype)
    solution = solve(sparse.csr_array(X), Y, "lasso", 0.01, positive=positive)
    certificate = certify(
        X.astype(float), Y.astype(float), solution.coef, "lasso", 0.01, positive=positive
    )
    tol = 1e-4 if dtype == np.float32 else 1e-7
    assert certificate.kkt_violation.max() <= 2 * max(tol, solution.kkt_violation.max())


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_float32_stays_float32_and_close_to_float64(data, penalty, positive):
    X, Y, _ = data
    double = solve(X, Y, penalty, ALPHA[penalty], positive=positive)
    single = solve(X.astype(np.float32), Y, penalty, ALPHA[penalty], positive=positive)
    assert double.coef.dtype == double.intercept.dtype == np.float64
    assert single.coef.dtype == single.intercept.dtype == np.float32
    np.testing.assert_allclose(single.coef, double.coef, atol=2e-5)
    np.testing.assert_allclose(single.intercept, double.intercept, atol=2e-5)


def layouts(array, folder):
    """The same numbers, stored in every way NumPy knows."""
    yield np.asfortranarray(array)
    yield np.repeat(array, 2, axis=0)[::2]
    yield array[::-1].copy()[::-1]
    frozen = array.copy()
    frozen.flags.writeable = False
    yield frozen
    np.save(folder / "array.npy", array)
    yield np.load(folder / "array.npy", mmap_mode="r")


@pytest.mark.parametrize(("penalty", "positive"), [("lasso", True), ("ridge", False)])
def test_layout_of_the_arrays_does_not_matter(data, penalty, positive, tmp_path):
    X, Y, weight = data
    expected = solve(X, Y, penalty, positive=positive, sample_weight=weight).coef
    for other in layouts(X, tmp_path):
        coef = solve(other, Y, penalty, positive=positive, sample_weight=weight).coef
        np.testing.assert_allclose(coef, expected, atol=1e-12)
    for other in layouts(Y, tmp_path):
        coef = solve(X, other, penalty, positive=positive, sample_weight=weight).coef
        np.testing.assert_allclose(coef, expected, atol=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_inputs_are_left_alone(data, penalty, positive, fit_intercept):
    X, Y, weight = data
    X[:, 1], Y[:, 1] = 3.3, 3.3
    before = [array.copy() for array in data]
    solve(X, Y, penalty, positive=positive, fit_intercept=fit_intercept, sample_weight=weight)
    for array, copy in zip(data, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_record_is_frozen_and_complete(data):
    X, Y, _ = data
    solution = solve(X, Y)
    shapes = {
        field.name: getattr(solution, field.name).shape for field in dataclasses.fields(solution)
    }
    per_target = ["intercept", "n_iter", "kkt_violation", "dual_gap", "converged", "unique"]
    assert shapes == {"coef": (5, 7)} | dict.fromkeys(per_target, (5,))
    with pytest.raises(dataclasses.FrozenInstanceError):
        solution.coef = None


def test_y_that_is_not_finite_names_the_target(data):
    X, Y, _ = data
    for value in [np.nan, np.inf, -np.inf]:
        Y[3, 4] = value
        with pytest.raises(ValueError, match="first in target 4"):
            solve(X, Y)
