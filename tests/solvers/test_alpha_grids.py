"""Grids of alphas: where they start, and what they do to the weight of a single feature."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skalign.solvers import Design, alpha_max, check_alphas, l1_alphas, l2_alphas, solve


@pytest.mark.parametrize("l1_ratio", [0.01, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("positive", [False, True])
def test_the_same_share_is_taken_at_every_l1_ratio(l1_ratio, positive):
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((30, 4)))[0] * [3, 1, 0.2, 7]
    Y = X @ rng.standard_normal((4, 5))
    q = Y.T @ X
    alphas = l1_alphas(
        6, q, np.linalg.norm(X, axis=0), "elasticnet", l1_ratio, positive=positive, total_weight=30
    )
    rows = np.arange(5)
    leading = (q if positive else np.abs(q)).argmax(axis=1)
    alone = np.linalg.lstsq(X, Y)[0].T[rows, leading]
    for alpha, taken in zip(alphas, np.geomspace(1, 0.01, 6), strict=True):
        fit = solve(
            X, Y, "elasticnet", alpha, l1_ratio=l1_ratio, positive=positive, fit_intercept=False
        )
        assert_allclose(fit.coef[rows, leading], (1 - taken) * alone, atol=1e-9)
    first = alpha_max(q, "elasticnet", l1_ratio, positive=positive, total_weight=30)
    assert_allclose(alphas[0], first)
    assert (np.diff(alphas, axis=0) < 0).all()


def test_a_target_that_nothing_pulls_up_has_a_grid_as_well():
    q, norms = np.array([[-3.0, -1.0], [0.0, 0.0]]), np.array([2.0, 0.0])
    alphas = l1_alphas(4, q, norms, "elasticnet", 0.5, positive=True, total_weight=10.0)
    assert np.isfinite(alphas).all()
    assert (np.diff(alphas, axis=0) < 0).all()
    assert_allclose(alphas[0], [0.6, 0.2])


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(20, 1), (20, 2), (20, 9), (9, 20)])
def test_ridge_starts_at_the_largest_eigenvalue(shape, form):
    X = np.random.default_rng(0).standard_normal(shape) + 2
    design = Design.prepare(form(X), sample_weight=None, center=True)
    largest = np.linalg.norm(X - X.mean(axis=0), 2) ** 2
    assert_allclose(l2_alphas(4, design, "ridge").ravel(), largest * np.logspace(0, -6, 4))
    assert_allclose(l2_alphas(1, design, "elasticnet"), [[largest / shape[0]]])
    assert_array_equal(l2_alphas(4, design, "ols"), [[0]])


def test_silent_features_have_a_grid_as_well():
    design = Design.prepare(np.ones((5, 4)), sample_weight=None, center=True)
    assert_array_equal(l2_alphas(2, design, "ridge"), [[1], [1e-6]])


def test_given_alphas_descend():
    assert check_alphas(np.int32(3), 2) == 3
    assert_array_equal(check_alphas([1, 3, 2], 2), [[3], [2], [1]])
    assert_array_equal(check_alphas([[1, 5], [3, 2]], 2), [[3, 5], [1, 2]])


@pytest.mark.parametrize("alphas", [0, [], [-1], [np.nan], [[[1]]], [[1, 2]]])
def test_other_alphas_are_refused(alphas):
    with pytest.raises(ValueError, match="alphas must"):
        check_alphas(alphas, 3)


@pytest.mark.parametrize(
    "alphas", ["many", "0.1", ["0.1", "1"], [["0.1"], [1]], None, [[1], [2, 3]]]
)
def test_what_is_not_made_of_numbers_is_refused(alphas):
    with pytest.raises(TypeError, match="alphas must be the number of strengths, or an array"):
        check_alphas(alphas, 3)


def test_infinite_alphas_come_first():
    assert_array_equal(check_alphas([1, np.inf], 2), [[np.inf], [1]])
