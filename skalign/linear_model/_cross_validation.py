"""All candidates over all folds, in few passes through blocks of targets."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from skalign.linear_model._candidates import CandidateGrid
from skalign.linear_model._cross_validation_problem import (
    CrossValidationProblem,
    Split,
    TakenTargets,
)
from skalign.linear_model._fold_scorers import BlockOfTargets, FoldScorer, FoldScores
from skalign.linear_model._folds import AllSamples, can_subtract, fold_scorer, groups_of_folds
from skalign.linear_model._ridge_fold import shared_kernel
from skalign.linear_model._score_averages import CandidateScores, ScoreAverages
from skalign.linear_model._target_scales import check_not_vanished
from skalign.solvers import Design, FeatureMoments, Moments, cut_targets, gram_pays, target_blocks
from skalign.utils import (
    Array,
    Doubles,
    Flags,
    Floats,
    map_blocks,
    map_steps,
    on_cluster,
    single_threaded_blas_if_small,
)

RIDGE_COPIES = 6  # arrays over samples that a fold of a ridge holds for each target

Products = tuple[Floats, Doubles, Doubles]  # with the features, means and squared norms of targets
ScoredBlock = Generator[tuple["TargetsOfAllSamples", list[FoldScores]] | None, None, None]


class TargetsOfAllSamples(NamedTuple):
    """What a block of targets and the features have in common over all samples.

    Attributes
    ----------
    alphas : ndarray of shape (n_steps, n_l1_ratios, n_block)
        Strengths of all candidates.
    is_empty : ndarray of bool, shape (n_candidates, n_block)
        Whether a fit to all samples is empty.
    products : tuple of ndarray or None
        The targets' half of the moments; None where no Gram was taken.
    """

    alphas: Doubles
    is_empty: Flags
    products: Products | None


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What a cross-validation found.

    Attributes
    ----------
    alphas : ndarray of shape (n_candidates, n_targets)
        Strengths of all candidates.
    is_empty : ndarray of bool, shape (n_candidates, n_targets)
        Whether a fit to all samples is empty.
    scores : CandidateScores
        Scores of all candidates, averaged over folds.
    features : FeatureMoments or None
        Moments of the features over all samples; None where no Gram was taken.
    products : list of tuple of ndarray
        The targets' half of these moments, block by block; empty where no Gram was taken.
    blocks : list of slice
        The blocks of targets.
    """

    alphas: Doubles
    is_empty: Flags
    scores: CandidateScores
    features: FeatureMoments | None
    products: list[Products]
    blocks: list[slice]

    def table(self, l1_ratios: Doubles) -> dict[str, Array]:
        """Alphas and scores of all candidates, as ``cv_results_`` has them."""
        return {
            "param_alpha": self.alphas,
            "param_l1_ratio": l1_ratios,
            "mean_test_r": self.scores.r,
            "se_test_r": self.scores.r_se,
            "mean_test_r2": self.scores.r2,
            "mean_test_theta": self.scores.theta,
            "mean_test_penalized_theta": self.scores.penalized_theta,
            "mean_test_n_active": self.scores.n_active,
            "mean_test_theta_observed": self.scores.theta_observed,
            "mean_test_n_effective": self.scores.n_effective,
            "mean_test_theta_floor": self.scores.theta_floor,
            "empty_fraction": self.scores.empty_fraction,
            "max_kkt_violation": self.scores.kkt_violation,
        }


def cross_validate(
    problem: CrossValidationProblem,
    splits: Sequence[Split],
    grid: CandidateGrid,
    *,
    keep_moments: bool,
    needs_theta: bool,
    leaves_one_out: bool,
    n_jobs: int | None,
    progress: Callable[..., Iterable[None]],
) -> CrossValidation:
    """Fit every candidate to every training part, and score it on what is held out.

    Parameters
    ----------
    problem : CrossValidationProblem
        Data and encoder.
    splits : sequence of (train, test) index arrays
        The folds.
    grid : CandidateGrid
        The candidates.
    keep_moments : bool
        Whether the moments of all samples are kept, for a final fit.
    needs_theta : bool
        Whether theta is computed even where that takes longer than the fits: of closed forms.
    leaves_one_out : bool
        Whether the fold is that of all samples left out one at a time, which needs a closed form.
    n_jobs : int or None
        Number of threads over blocks of targets.
    progress : callable
        Called as ``progress(steps, total=n_blocks * n_splits)``; yields what it is given. A step is
        one block of targets in one fold.

    Returns
    -------
    CrossValidation
        Alphas and scores of all candidates, and moments that a final fit can use.
    """
    design = problem.design()
    # Of many small products even one worker is better off without BLAS threads: hence the 2.
    n_samples, n_features = design.X.shape
    limit = single_threaded_blas_if_small(n_samples, n_features, 2)
    with limit, limit, ExitStack() as stack:
        samples = AllSamples(design)
        is_closed_form = not (problem.positive or grid.has_l1_penalty)
        is_ridge = not (problem.positive or grid.l1_ratios.any() or design.is_sparse)
        if is_ridge and not needs_theta:
            samples = AllSamples(design, kernel=shared_kernel(problem, design), is_ridge=True)
        elif keep_moments and not is_closed_form:
            ridge = not grid.has_l1_penalty and problem.penalty != "ols"
            if gram_pays(design, problem.n_targets, nonnegative_ridge=ridge):
                samples = AllSamples(design, FeatureMoments.of(design))
        grid = grid.fitted_to(design)
        if samples.is_ridge:  # no weights are held
            bytes_each = RIDGE_COPIES * design.X.shape[0] * 8
            blocks = list(cut_targets(problem.n_targets, bytes_each))
        else:
            wide = grid.has_l1_penalty and not gram_pays(design, problem.n_targets)
            n_copies = 2 if wide else 4 + grid.n_steps  # those of few active features are sparse
            blocks = list(target_blocks(design, problem.n_targets, n_copies, through_columns=wide))
        shared = problem.without_targets()
        known: list[TargetsOfAllSamples | None] = [None] * len(blocks)
        if grid.needs_all_targets:
            prepare = partial(prepare_block, shared, samples, grid)
            with closing(map_blocks(prepare, blocks, n_jobs, take=problem.take)) as found:
                prepared = list(found)
            grid = grid.shared([one.alphas for one in prepared])
            known = [
                _at_alphas_of(grid, block, one, design)
                for block, one in zip(blocks, prepared, strict=True)
            ]
        by_subtraction = can_subtract(problem, samples, splits)
        groups = groups_of_folds(samples, splits, by_subtraction=by_subtraction)
        averages = ScoreAverages(len(splits), grid.n_candidates, problem.n_targets)

        def take(k: int) -> tuple[TakenTargets, TargetsOfAllSamples | None]:
            return problem.take(blocks[k]), known[k]

        def score_all() -> Generator[None, None, None]:
            for numbers in groups:
                folds = [
                    fold_scorer(
                        shared,
                        samples,
                        grid,
                        splits[number],
                        leaves_one_out=leaves_one_out,
                        by_subtraction=by_subtraction,
                        with_error=len(splits) == 1,
                        sent=on_cluster(len(blocks), n_jobs),
                    )
                    for number in numbers
                ]
                score = partial(_score_block, shared, samples, grid, folds)
                steps = map_steps(
                    score, range(len(blocks)), n_jobs, take=take, n_steps=len(numbers)
                )
                left = iter(range(len(blocks)))
                with closing(steps):
                    for result in steps:
                        if result is not None:
                            k = next(left)
                            known[k], of_folds = result
                            for number, scores in zip(numbers, of_folds, strict=True):
                                averages.add(number, blocks[k], scores)
                        yield
                del folds, score, steps  # before the next folds are made

        results = stack.enter_context(closing(score_all()))
        for _ in progress(results, total=len(splits) * len(blocks)):
            pass
    of_blocks = [one for one in known if one is not None]
    alphas = [one.alphas.reshape(grid.n_candidates, -1) for one in of_blocks]
    return CrossValidation(
        alphas=np.concatenate(alphas, axis=1),
        is_empty=np.concatenate([one.is_empty for one in of_blocks], axis=1),
        scores=averages.finish(),
        features=samples.features,
        products=[one.products for one in of_blocks if one.products is not None],
        blocks=blocks,
    )


def _score_block(
    problem: CrossValidationProblem,
    samples: AllSamples,
    grid: CandidateGrid,
    folds: Sequence[FoldScorer],
    item: tuple[TakenTargets, TargetsOfAllSamples | None],
) -> ScoredBlock:
    """Score a block in one fold after the other, of which each is a step."""
    taken, known = item
    targets = _read(samples.design, taken)
    if known is None:
        known = _targets_of_all(problem, samples, grid, targets, taken)
    if known.products is not None:
        assert samples.features is not None
        targets = targets._replace(moments=Moments(samples.features, *known.products))
    scores: list[FoldScores] = []
    for fold in folds:
        if scores:
            yield None
        scores.append(fold.score(targets, known.alphas))
    yield known, scores


def prepare_block(
    problem: CrossValidationProblem, samples: AllSamples, grid: CandidateGrid, taken: TakenTargets
) -> TargetsOfAllSamples:
    """Products of a block with the features, and the alphas that suit it."""
    return _targets_of_all(problem, samples, grid, _read(samples.design, taken), taken)


def _read(design: Design, taken: TakenTargets) -> BlockOfTargets:
    with np.errstate(over="ignore"):  # what overflows is refused with an error
        return BlockOfTargets(np.asarray(taken.Y, dtype=design.dtype), taken.numbers, None)


def _targets_of_all(
    problem: CrossValidationProblem,
    samples: AllSamples,
    grid: CandidateGrid,
    targets: BlockOfTargets,
    taken: TakenTargets,
) -> TargetsOfAllSamples:
    """Products of a block with the features, checked, and the alphas that suit it."""
    design, products = samples.design, None
    q: Floats
    if samples.is_ridge:
        _, means, squared_norms = design.targets(targets.Y, targets.numbers)
        q = np.empty((len(means), 0), design.dtype)  # alphas without an l1 penalty need none
    elif samples.features is not None:
        q, means, squared_norms = products = design.moments(targets.Y, targets.numbers)
    else:
        q, means, squared_norms = design.moments(targets.Y, targets.numbers)
    check_not_vanished(taken.Y, targets.numbers, means, squared_norms, q.dtype)
    alphas = grid.alphas_of_block(design, q, taken.block)
    is_empty = grid.empty_on_all(alphas, q, design.total_weight)
    return TargetsOfAllSamples(alphas, is_empty, products)


def _at_alphas_of(
    grid: CandidateGrid, block: slice, known: TargetsOfAllSamples, design: Design
) -> TargetsOfAllSamples | None:
    """The same block at the alphas of another grid; None where its products were not kept."""
    if known.products is None:
        return None
    q = known.products[0]
    alphas = grid.alphas_of_block(design, q, block)
    is_empty = grid.empty_on_all(alphas, q, design.total_weight)
    return known._replace(alphas=alphas, is_empty=is_empty)
