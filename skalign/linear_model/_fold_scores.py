"""Scores of every candidate encoder over the folds of a cross-validation, target by target."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from skalign.linear_model._folds import (
    BlockScores,
    FoldScorer,
    Grid,
    Problem,
    SeparateFits,
    SharedMoments,
    Split,
)
from skalign.solvers import Design, alpha_max, gram_pays, l2_alphas, target_blocks
from skalign.solvers._alpha_grids import L1_SPAN, l1_share
from skalign.solvers._design import check_finite
from skalign.solvers._fold import Fold, TargetMoments
from skalign.utils import map_blocks, single_threaded_blas_if_small

FOLD_BYTES = 2**31  # of Grams and held-out features of the folds that share moments


@dataclass(frozen=True, eq=False)
class FoldScores:
    """Scores of all candidates, strongest alpha first and within it largest l1_ratio first.

    Attributes
    ----------
    alphas : ndarray of shape (n_candidates, n_targets)
        Strength of every candidate.
    l1_ratios : ndarray of shape (n_candidates,)
        Share of its l1 penalty.
    r, r_se, theta, n_active : ndarray of shape (n_candidates, n_targets)
        Means over folds, and the standard error of that of r.
    kkt_violation : ndarray of shape (n_candidates, n_targets)
        Largest over folds.
    nonempty : ndarray of shape (n_candidates, n_targets)
        Fraction of folds in which there are weights.
    is_empty : ndarray of bool, shape (n_candidates, n_targets)
        Whether a fit to all samples is empty, because alpha is at or above its alpha_max.
    pooled_r : ndarray of shape (n_folds, n_candidates)
        Mean r over targets.
    """

    alphas: NDArray
    l1_ratios: NDArray
    r: NDArray
    r_se: NDArray
    theta: NDArray
    n_active: NDArray
    kkt_violation: NDArray
    nonempty: NDArray
    is_empty: NDArray
    pooled_r: NDArray


def fold_scores(
    problem: Problem,
    splits: Sequence[Split],
    grid: Grid,
    l1_ratios: Sequence[float],
    *,
    alpha_per_target: bool,
    n_jobs: int | None,
    progress: Callable[..., Iterable] | None,
) -> FoldScores:
    """Fit every candidate on every training part, and score it on what is held out.

    Parameters
    ----------
    problem : Problem
        Data and encoder.
    splits : sequence of (train, test) index arrays
        The folds.
    grid : int or ndarray of shape (n_alphas, 1 or n_targets)
        Descending alphas, or how many.
    l1_ratios : sequence of float
        Descending shares of the l1 penalty.
    alpha_per_target : bool
        Whether a grid that is made here starts at every target's own alpha_max.
    n_jobs : int or None
        Number of threads over blocks of targets.
    progress : callable or None
        Called as ``progress(blocks, total=n_blocks)``.

    Returns
    -------
    FoldScores
        Mean scores and their errors.
    """
    whole = problem.design()
    # Of many small products even one worker is better off without BLAS threads: hence the 2.
    n_samples, n_features = whole.X.shape
    limit = single_threaded_blas_if_small(n_samples, n_features, 2)
    with limit, limit, ExitStack() as stack:
        n_copies = 4 + (grid if isinstance(grid, int) else len(grid))
        blocks = list(target_blocks(whole, problem.n_targets, n_copies))
        grid = _grid(problem, whole, grid, l1_ratios, blocks, alpha_per_target)
        n_alphas = grid if isinstance(grid, int) else len(grid)
        means = FoldMeans(problem.n_targets, n_alphas, l1_ratios, len(splits))
        rounds = _plan(problem, whole, splits, grid, l1_ratios)

        def score_all() -> Generator[None]:
            for numbers, folds in _fold_scorers(problem, whole, splits, rounds, grid, l1_ratios):
                score_one = partial(_score_block, problem, whole, grid, l1_ratios, folds)
                with closing(map_blocks(score_one, blocks, n_jobs)) as found:
                    for block, (alphas, is_empty, scores) in zip(blocks, found, strict=True):
                        means.alphas[:, block], means.is_empty[:, block] = alphas, is_empty
                        for number, of_fold in zip(numbers, scores, strict=True):
                            means.add(number, block, of_fold)
                        yield

        results: Iterable = stack.enter_context(closing(score_all()))
        if progress is not None:
            results = progress(results, total=len(rounds.groups) * len(blocks))
        for _ in results:
            pass
    return means.finish()


def _score_block(
    problem: Problem,
    whole: Design,
    grid: Grid,
    l1_ratios: Sequence[float],
    folds: Sequence[FoldScorer],
    block: slice,
) -> tuple[NDArray, NDArray, list[BlockScores]]:
    """Alphas (n_candidates, n_block), which are empty on all data, and scores of every fold."""
    Y_block = np.asarray(problem.Y[:, block], dtype=whole.dtype)
    moments = TargetMoments(*whole.moments(Y_block))
    check_finite(moments.squared_norms, whole.dtype, np.arange(problem.n_targets)[block])
    if isinstance(grid, int):
        alphas = _l1_grid(problem, whole, moments.q, l1_ratios, grid)
    else:
        alphas = np.broadcast_to(grid, (len(grid), problem.n_targets))[:, block]
    scores = [
        _merge([fold.score(Y_block, block, moments, alphas, ratio) for ratio in l1_ratios])
        for fold in folds
    ]
    is_empty = [
        alphas
        >= (1 - 1e-12)
        * alpha_max(
            moments.q,
            problem.penalty,
            ratio,
            positive=problem.positive,
            total_weight=whole.total_weight,
        )
        if l1_share(problem.penalty, ratio)
        else np.zeros(alphas.shape, bool)
        for ratio in l1_ratios
    ]
    return np.repeat(alphas, len(l1_ratios), axis=0), _interleave(is_empty), scores


def _merge(parts: Sequence[BlockScores]) -> BlockScores:
    """Scores of all l1_ratios in one fold."""
    errors = [one.r_se for one in parts if one.r_se is not None]
    return BlockScores(
        _interleave([one.r for one in parts]),
        _interleave([one.theta for one in parts]),
        _interleave([one.n_active for one in parts]),
        _interleave([one.kkt_violation for one in parts]),
        _interleave(errors) if errors else None,
    )


def _interleave(parts: Sequence[NDArray]) -> NDArray:
    """Tables (n_alphas, n_targets), one per l1_ratio, as one with alphas in the slow place."""
    return np.stack(parts, axis=1).reshape(-1, parts[0].shape[1])


class FoldMeans:
    """Means over folds of all scores, and the spread of r, updated as folds come."""

    def __init__(
        self, n_targets: int, n_alphas: int, l1_ratios: Sequence[float], n_folds: int
    ) -> None:
        self._l1_ratios = np.tile(l1_ratios, n_alphas)
        shape = self._l1_ratios.size, n_targets
        self.alphas, self.is_empty = np.empty(shape), np.empty(shape, bool)
        self._r, self._theta, self._n_active = (np.zeros(shape) for _ in range(3))
        self._kkt, self._nonempty = np.zeros(shape), np.zeros(shape)
        self._squares = np.zeros(shape)  # sum of squared deviations of r from its mean
        self._pooled_r = np.zeros((n_folds, shape[0]))
        self._r_se: NDArray | None = None

    def add(self, fold: int, block: slice, scores: BlockScores) -> None:
        """Take in the scores of the block in the fold of that number; folds come in order."""
        deviation = scores.r - self._r[:, block]
        self._r[:, block] += deviation / (fold + 1)
        self._squares[:, block] += deviation * (scores.r - self._r[:, block])
        for total, value in (
            (self._theta, scores.theta),
            (self._n_active, scores.n_active),
            (self._nonempty, scores.n_active > 0),
        ):
            total[:, block] += (value - total[:, block]) / (fold + 1)
        self._kkt[:, block] = np.maximum(self._kkt[:, block], scores.kkt_violation)
        self._pooled_r[fold] += scores.r.sum(axis=1) / self.alphas.shape[1]
        if scores.r_se is not None:
            self._r_se = np.empty_like(self._r) if self._r_se is None else self._r_se
            self._r_se[:, block] = scores.r_se

    def finish(self) -> FoldScores:
        """The means, theta NaN where every fold was empty."""
        n_folds = len(self._pooled_r)
        r_se = self._r_se
        if r_se is None:
            r_se = np.sqrt(self._squares / (n_folds - 1) / n_folds)
        theta = np.where(self._n_active > 0, self._theta, np.nan)
        return FoldScores(
            self.alphas, self._l1_ratios, self._r, r_se, theta, self._n_active, self._kkt,
            self._nonempty, self.is_empty, self._pooled_r,
        )  # fmt: skip


@dataclass(frozen=True)
class Rounds:
    """In what groups the folds go through the targets.

    Attributes
    ----------
    shared : bool
        Whether training parts get their moments by subtraction.
    groups : list of range
        Numbers of the folds that go together: as many as fit in memory where moments are shared,
        else one at a time, for each holds a copy of its images.
    """

    shared: bool
    groups: list[range]


def _plan(
    problem: Problem,
    whole: Design,
    splits: Sequence[Split],
    grid: Grid,
    l1_ratios: Sequence[float],
) -> Rounds:
    n_samples, n_features = problem.X.shape
    shares = [l1_share(problem.penalty, ratio) for ratio in l1_ratios]
    has_l1 = all(shares) and (isinstance(grid, int) or bool(grid.all()))
    shared = (
        len(splits) > 1
        and (problem.positive or has_l1)  # the others have closed forms
        and not whole.is_sparse
        and gram_pays(whole, problem.n_targets)
        and all(_is_complement(train, test, n_samples) for train, test in splits)
    )
    size = 1
    if shared:
        n_held_out = max(len(test) for _, test in splits)
        bytes_each = n_features * (2 * n_features + n_held_out) * whole.dtype.itemsize
        size = max(1, FOLD_BYTES // bytes_each)
    groups = [range(k, min(k + size, len(splits))) for k in range(0, len(splits), size)]
    return Rounds(shared, groups)


def _fold_scorers(
    problem: Problem,
    whole: Design,
    splits: Sequence[Split],
    rounds: Rounds,
    grid: Grid,
    l1_ratios: Sequence[float],
) -> Iterator[tuple[range, list[FoldScorer]]]:
    """Scorers of one group of folds after the other, and their numbers."""
    gram = whole.gram() if rounds.shared else None
    for group in rounds.groups:
        folds: list[FoldScorer] = []
        for split in (splits[number] for number in group):
            if gram is not None:
                fold = Fold(problem.X, problem.weight, *split, whole, gram)
                folds.append(SharedMoments(problem, fold))
            else:
                with_error = len(splits) == 1
                folds.append(SeparateFits(problem, split, grid, l1_ratios, with_error=with_error))
        yield group, folds


def _is_complement(train: NDArray, test: NDArray, n_samples: int) -> bool:
    """Whether every sample is in one of the two parts, once."""
    counts = np.bincount(np.concatenate([train, test]), minlength=n_samples)
    return bool((counts == 1).all())


def _grid(
    problem: Problem,
    whole: Design,
    grid: Grid,
    l1_ratios: Sequence[float],
    blocks: Iterable[slice],
    alpha_per_target: bool,
) -> Grid:
    """Alphas as far as they are known before the targets are looked at, in their blocks."""
    if not isinstance(grid, int):
        return grid
    if not l1_share(problem.penalty, max(l1_ratios)):
        return l2_alphas(grid, whole, problem.penalty)
    if alpha_per_target:
        return grid
    largest: NDArray | None = None
    for block in blocks:
        q, _, squared_norms = whole.moments(problem.Y[:, block])
        check_finite(squared_norms, whole.dtype, np.arange(problem.n_targets)[block])
        strongest = _l1_grid(problem, whole, q, l1_ratios, grid).max(axis=1, keepdims=True)
        largest = strongest if largest is None else np.maximum(largest, strongest)
    assert largest is not None
    return largest


def _l1_grid(
    problem: Problem, whole: Design, q: NDArray, l1_ratios: Sequence[float], n_alphas: int
) -> NDArray[np.float64]:
    """Alphas (n_alphas, n_targets) from alpha_max of every target.

    One grid for all shares of the l1 penalty: from alpha_max at the smallest that is not zero, to
    as far below alpha_max at the largest as the grid of a single one goes.
    """
    least = min(ratio for ratio in l1_ratios if l1_share(problem.penalty, ratio))
    strongest = alpha_max(
        q, problem.penalty, least, positive=problem.positive, total_weight=whole.total_weight
    )
    return strongest * np.geomspace(1, L1_SPAN * least / max(l1_ratios), n_alphas)[:, None]
