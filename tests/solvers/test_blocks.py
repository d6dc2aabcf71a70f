"""`BlockSolver`: what it is asked block by block is what `solve_path` finds at once."""

import numpy as np
import pytest

from skalign.solvers import (
    BlockSolver,
    Design,
    PenaltyStrengths,
    _blocks,
    gram_pays,
    penalty_strengths,
    solve_path,
    target_blocks,
)
from tests.designs import noisy_targets
from tests.reference import ENCODERS

ALPHAS = np.array([np.inf, 0.5, 0.1])


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6)) + 1
    return X, noisy_targets(rng, X, n_targets=9)


def strengths_of(penalty, alphas, n_targets, total_weight):
    return [
        penalty_strengths(penalty, alpha, 0.5, n_targets=n_targets, total_weight=total_weight)
        for alpha in alphas
    ]


@pytest.mark.parametrize("gram_features", [1024, 0])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_blocks_of_a_path(data, monkeypatch, penalty, positive, gram_features):
    monkeypatch.setattr(_blocks, "GRAM_FEATURES", gram_features)
    monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)
    X, Y = data
    design = Design.prepare(X, sample_weight=None, center=True)
    known = penalty_strengths(penalty, ALPHAS, 0.5, n_targets=3, total_weight=40.0)
    solver = BlockSolver(design, known, 9, positive=positive, tol=1e-7, max_iter=1000)
    expected = solve_path(X, Y, penalty, ALPHAS, positive=positive)
    for block in (slice(4), slice(4, 9)):
        size = Y[:, block].shape[1]
        found = list(solver.path(Y[:, block], strengths_of(penalty, ALPHAS, size, 40.0)))
        for k, solution in enumerate(found):
            np.testing.assert_allclose(solution.coef, expected.coef[k, block], atol=1e-9)
            np.testing.assert_allclose(solution.intercept, expected.intercept[k, block], atol=1e-9)
            assert solution.converged.all()
            assert (solution.n_iter >= 1).all()


def test_targets_that_are_not_finite_are_named_by_their_numbers(data):
    X, Y = data
    Y[2, 6] = np.inf
    design = Design.prepare(X, sample_weight=None, center=True)
    for penalty in ("lasso", "ridge"):
        (known,) = strengths_of(penalty, [0.1], 9, 40.0)
        solver = BlockSolver(design, known, 9, positive=False, tol=1e-7, max_iter=10)
        block = slice(5, 9)
        with pytest.raises(ValueError, match=r"y contains NaN, infinity .* first in target 6\."):
            list(solver.path(Y[:, block], [known.take(block)], numbers=np.arange(9)[block]))
        with pytest.raises(ValueError, match=r"first in target 1\."):
            list(solver.path(Y[:, block], [known.take(block)]))


def test_strengths_of_some_targets():
    strengths = PenaltyStrengths(np.array([1.0, np.inf]), np.array([0.0, np.inf]), 0.5)
    assert list(strengths.empty) == [False, True]
    chosen = strengths.take([1])
    assert (list(chosen.l1), list(chosen.l2), chosen.unit) == ([np.inf], [np.inf], 0.5)


def test_a_gram_pays_for_many_targets(monkeypatch):
    design = Design.prepare(np.eye(30), sample_weight=None, center=True)
    monkeypatch.setattr(_blocks, "GRAM_FEATURES", 0)
    monkeypatch.setattr(_blocks, "CALLS", 0)
    assert not gram_pays(design, 1)
    assert gram_pays(design, 2)
    monkeypatch.setattr(_blocks, "GRAM_BYTES", 8 * 30**2 - 1)
    assert not gram_pays(design, 2)


@pytest.mark.parametrize(
    ("n_samples", "n_features", "n_targets", "pays"),
    [
        (1000, 4096, 200, True),  # measured: as fast at alpha .05, twice as fast at .01
        (1000, 4096, 20_000, True),
        (200, 4096, 50, False),  # measured at alpha .1: five times as slow
        (1000, 4096, 10, False),
        (1000, 50_000, 20_000, False),  # 20 GB
    ],
)
def test_a_gram_pays_as_measured(n_samples, n_features, n_targets, pays):
    X = np.broadcast_to(0.0, (n_samples, n_features))
    design = Design(X, np.zeros(0), None, float(n_samples), False, np.zeros(0), None)
    assert gram_pays(design, n_targets) is pays


@pytest.mark.parametrize("through_columns", [False, True])
@pytest.mark.parametrize("n_targets", [0, 1, 40, 64, 65, 130, 200, 300, 500, 1100, 5000])
@pytest.mark.parametrize("n_features", [3, 10_000, 3_000_000])
def test_blocks_are_even_in_number_and_equal(n_targets, n_features, through_columns):
    X = np.broadcast_to(0.0, (2, n_features))
    design = Design(X, np.zeros(0), None, 2.0, False, np.zeros(0), None)
    blocks = list(target_blocks(design, n_targets, through_columns=through_columns))
    covered = [target for block in blocks for target in range(n_targets)[block]]
    assert covered == list(range(n_targets))
    sizes = np.array([block.stop - block.start for block in blocks])
    assert len(blocks) <= 1 or len(blocks) % 2 == 0 or sizes.max() == 1
    assert sizes.max(initial=0) <= max(64, -(-n_targets // 16))
    if n_targets:
        assert sizes.min() >= max(1, sizes.max() - 1)
        assert len(blocks) == 1 or n_features > 10_000 or sizes.min() >= 32
