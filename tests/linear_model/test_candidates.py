"""The grid of candidates: what it accepts, its order, and which candidates leave a target empty."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skalign.linear_model._candidates import CandidateGrid
from skalign.solvers import Design, solve


def grid_of(penalty="lasso", alphas=3, l1_ratio=0.5, **settings):
    defaults = {"positive": True, "alpha_per_target": True, "n_targets": 4}
    return CandidateGrid.of(penalty, alphas, l1_ratio, **defaults | settings)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 5))
    Y = X @ rng.exponential(size=(5, 4)) + rng.standard_normal((30, 4))
    design = Design.prepare(X, sample_weight=None, center=True)
    return X, Y, design, design.moments(Y, np.arange(4))[0]


def test_ratios_take_turns_within_a_step():
    grid = grid_of("elasticnet", [0.1, 1.0], [0.2, 0.9, 0.5])
    assert (grid.n_steps, grid.n_candidates) == (2, 6)
    assert_array_equal(grid.l1_ratio_of_candidates, [0.9, 0.5, 0.2] * 2)
    for alphas in grid.alphas:
        assert_array_equal(alphas, [[1.0], [0.1]])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("lasso", 3), True),
        (("lasso", [1.0, 0.0]), False),
        (("ridge", 3), False),
        (("ols", 3), False),
        (("elasticnet", 3, [0.5, 0.1]), True),
        (("elasticnet", 3, [0.5, 0.0]), False),
    ],
)
def test_an_l1_penalty_everywhere_means_no_closed_form(arguments, expected):
    assert grid_of(*arguments).has_l1_penalty is expected


def test_least_squares_has_one_candidate():
    grid = grid_of("ols", [3.0, 1.0])
    assert grid.n_candidates == 1
    assert_array_equal(grid.alphas[0], [[0]])


def test_alphas_of_a_block_are_those_of_its_targets(problem):
    _, _, design, q = problem
    given = np.geomspace(1, 0.01, 12).reshape(3, 4)
    grid = grid_of("elasticnet", given, [0.3, 0.7])
    found = grid.alphas_of_block(design, q[1:3], slice(1, 3))
    assert found.shape == (3, 2, 2)
    for k in range(2):
        assert_array_equal(found[:, k], given[:, 1:3])


def test_alphas_for_all_are_the_largest_of_any_target(problem):
    _, _, design, q = problem
    grid = grid_of("elasticnet", 5, [0.0, 0.5], alpha_per_target=False).fitted_to(design)
    assert grid.needs_all_targets
    tables = [grid.alphas_of_block(design, q[part], part) for part in (slice(0, 2), slice(2, 4))]
    shared = grid.shared(tables)
    assert not shared.needs_all_targets
    found = shared.alphas_of_block(design, q, slice(0, 4))
    assert_allclose(found, np.concatenate(tables, axis=2).max(axis=2, keepdims=True) + np.zeros(4))


@pytest.mark.parametrize("positive", [True, False])
def test_empty_candidates_are_those_without_weights(problem, positive):
    X, Y, design, q = problem
    grid = grid_of("elasticnet", 6, [0.0, 0.4, 1.0], positive=positive).fitted_to(design)
    alphas = grid.alphas_of_block(design, q, slice(0, 4))
    is_empty = grid.empty_on_all(alphas, q, design.total_weight)
    tables = alphas.reshape(grid.n_candidates, 4)
    for alpha, l1_ratio, expected in zip(
        tables, grid.l1_ratio_of_candidates, is_empty, strict=True
    ):
        fit = solve(X, Y, "elasticnet", alpha, l1_ratio=l1_ratio, positive=positive)
        assert_array_equal(~fit.coef.any(axis=1), expected)
    assert is_empty[:2].all()  # the first alpha of every ratio with an l1 penalty
