"""Sums of columns are those of double precision; constants are found; sparse equals dense."""

import numpy as np
import pytest
from scipy import sparse

from skalign.solvers import Design, solve
from skalign.solvers._centering import column_squares, column_sums
from tests.designs import noisy_targets


def prepare(X, sample_weight=None):
    return Design.prepare(X, sample_weight=sample_weight, center=True)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_sums_of_a_million_rows(form):
    rng = np.random.default_rng(0)
    X = rng.random((1_000_000, 3)).astype(np.float32)
    weight = rng.random(1_000_000)
    exact = X.astype(np.longdouble)
    A = form(X)
    np.testing.assert_allclose(column_sums(A), exact.sum(axis=0).astype(float), rtol=1e-12)
    np.testing.assert_allclose(column_sums(A, weight), (weight @ exact).astype(float), rtol=1e-12)
    single = column_sums(A, weight.astype(np.float32))
    np.testing.assert_allclose(single, column_sums(A, weight), rtol=1e-8)
    np.testing.assert_allclose(column_squares(A), (exact**2).sum(axis=0).astype(float), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_constants_of_many_rows_are_exactly_zero(form, weighted, dtype):
    """The mean of 200,000 equal numbers is off by more than one rounding error."""
    n = 200_000
    rng = np.random.default_rng(0)
    weight = rng.random(n) * (rng.random(n) < 0.5) if weighted else None
    X = np.c_[np.full(n, 9.9), np.full(n, 0.1), np.full(n, -1e8), rng.random(n)].astype(dtype)
    if weighted:
        X[weight == 0] = 5  # does not count
    design = prepare(form(X), weight)
    np.testing.assert_array_equal(design.norms > 0, [False, False, False, True])
    assert not design.columns(np.arange(3)).any() if weight is None else True
    prepared, _, squares = design.targets(X[:, :3])
    np.testing.assert_array_equal(squares, 0)
    assert not prepared.any()


@pytest.mark.parametrize("positive", [True, False])
def test_a_constant_float32_column_of_sparse_features_has_no_weight(positive):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 5)).astype(np.float32)
    X[:, 0] = 9.9
    Y = X[:, 1:3] + rng.standard_normal((500, 2)).astype(np.float32)
    solution = solve(sparse.csr_array(X), Y, "ols", positive=positive)
    assert not solution.coef[:, 0].any()
    assert np.abs(solution.intercept).max() < 0.1


def random_case(rng, dtype):
    """Features with empty, constant, offset and duplicated columns of many scales."""
    n, p = rng.integers(3, 40), rng.integers(1, 12)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < rng.random(p))
    X[:, rng.random(p) < 0.2] += rng.choice([1.0, 30.0])
    X[:, rng.random(p) < 0.1] = rng.choice([0.0, 9.9])
    X *= 10.0 ** rng.integers(-3, 4, p)
    Y = noisy_targets(rng, X / np.maximum(np.abs(X).max(axis=0), 1e-3))
    weight = rng.random(n) * (rng.random(n) < 0.8) + 1e-3 if rng.random() < 0.5 else None
    return X.astype(dtype), Y.astype(dtype), weight


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_features_equal_dense_ones_in_many_cases(dtype):
    rng = np.random.default_rng(0)
    tol = {np.float32: 1e-4, np.float64: 1e-8}[dtype]
    for case in range(600):
        X, Y, weight = random_case(rng, dtype)
        penalty, positive = rng.choice(["ridge", "elasticnet"]), bool(rng.integers(2))
        options = {"sample_weight": weight, "fit_intercept": bool(rng.integers(2))}
        units = Design.prepare(
            X.astype(float), sample_weight=weight, center=options["fit_intercept"]
        )
        alpha = 0.1 * units.norms.max() ** 2 / (1 if penalty == "ridge" else len(X)) + 1e-3
        dense, found = (
            solve(form(X), Y, penalty, alpha, l1_ratio=0.1, positive=positive, **options)
            for form in (np.asarray, sparse.csr_array)
        )
        size = units.norms / np.maximum(units.norms.max(), 1e-30)
        largest = np.abs(dense.coef * size).max(axis=1, keepdims=True)
        assert (np.abs(found.coef - dense.coef) * size <= tol * largest).all(), case
        zero = ~dense.coef.any(axis=0) & (units.norms == 0)
        assert not found.coef[:, zero].any(), case


def standardized(n_samples=60, n_features=900):
    rng = np.random.default_rng(0)
    X = rng.random((n_samples, n_features)) + 1
    X = np.asfortranarray((X - X.mean(axis=0)) / X.std(axis=0))
    return X, X[:, :3] + rng.standard_normal((n_samples, 3))


def test_a_standardized_wide_layer_is_not_copied():
    X, Y = standardized()
    X[:, 5] = 0  # a unit that is never active
    given = X.copy("F")
    design = Design.prepare(X, sample_weight=None, center=True)
    assert np.shares_memory(design.X, X)
    assert not design.X.flags.writeable
    for penalty, positive in [("lasso", True), ("lasso", False), ("ridge", False), ("ols", False)]:
        found = solve(X, Y, penalty, 0.05, positive=positive)
        copied = solve(np.ascontiguousarray(X), Y, penalty, 0.05, positive=positive)
        np.testing.assert_allclose(found.coef, copied.coef, atol=1e-13)
        np.testing.assert_allclose(found.intercept, copied.intercept, atol=1e-14)
        assert (found.coef[:, 5] == 0).all()
    np.testing.assert_array_equal(X, given)


@pytest.mark.parametrize("change", ["mean", "constant", "weights", "rows first", "few features"])
def test_other_features_are_copied_and_stay_as_they_are(change):
    X, _ = standardized(n_features=400 if change == "few features" else 900)
    weight = np.linspace(1, 2, len(X)) if change == "weights" else None
    if change == "mean":
        X[:, 7] += 1e-12
    if change == "constant":
        X[:, 7] = 1e-170  # whose square underflows
    X = np.ascontiguousarray(X) if change == "rows first" else X
    given = X.copy("K")
    design = Design.prepare(X, sample_weight=weight, center=True)
    assert not np.shares_memory(design.X, X)
    np.testing.assert_array_equal(X, given)
    ones = np.ones(len(X)) if weight is None else design.root_weight
    assert np.abs(design.cross(ones[:, np.newaxis])).max() < 1e-12
