"""Cross-validation of targets that miss responses: one for every pattern, on its own samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np

from skalign.linear_model._candidates import CandidateGrid
from skalign.linear_model._cross_validation import (
    CrossValidation,
    cross_validate,
    prepare_block,
)
from skalign.linear_model._cross_validation_problem import CrossValidationProblem, Split
from skalign.linear_model._folds import FOLD_BYTES, AllSamples
from skalign.linear_model._ridge_fold import LEAST_LEFT_OUT
from skalign.linear_model._score_averages import CandidateScores
from skalign.solvers import target_blocks
from skalign.utils import Doubles, Indices, MissingPatterns, PatternOfTargets, map_blocks

Scored = tuple[CrossValidation, Indices]  # and the numbers of its folds


def cross_validate_observed(
    problem: CrossValidationProblem,
    splits: Sequence[Split],
    grid: CandidateGrid,
    patterns: MissingPatterns,
    *,
    needs_theta: bool,
    leaves_one_out: bool,
    keep_moments: bool,
    n_jobs: int | None,
    progress: Callable[..., Iterable[Any]],
) -> CrossValidation:
    """Cross-validate every target on the samples on which it was observed.

    The folds of a target are the splits in which it has a training sample and two held-out ones. A
    target without any has NaN as scores, and is left empty by a choice.

    Parameters
    ----------
    problem : CrossValidationProblem
        Data, with NaN where responses are missing, and encoder.
    splits, grid, needs_theta, leaves_one_out, keep_moments, n_jobs, progress
        As for :func:`cross_validate`; progress counts patterns.
    patterns : MissingPatterns
        Targets, grouped by the samples on which they were observed.

    Returns
    -------
    CrossValidation
        Alphas and scores of all candidates and targets, without moments.
    """
    patterns.check_observed()
    if not grid.alpha_per_target:
        grid = _shared_grid(problem, grid, patterns, n_jobs)

    def of_pattern(pattern: PatternOfTargets, n_jobs: int | None) -> Scored | None:
        own_splits, numbers = _own_splits(problem, pattern, splits, leaves_one_out=leaves_one_out)
        if not own_splits:
            return None
        found = cross_validate(
            problem.of_pattern(pattern),
            own_splits,
            grid.take(pattern.targets),
            keep_moments=keep_moments,
            needs_theta=needs_theta,
            leaves_one_out=leaves_one_out,
            n_jobs=n_jobs,
            progress=lambda blocks, total: blocks,
        )
        # Moments of many patterns would not fit into memory.
        return replace(found, features=None, products=[]), numbers

    merged = _Merged(len(splits), grid, problem.n_targets)
    bytes_each = _bytes_of_folds(problem, len(splits))
    with closing(patterns.map(of_pattern, n_jobs, bytes_each=bytes_each)) as results:
        for targets, found in progress(results, total=len(patterns)):
            if found is not None:
                merged.add(targets, *found)
    return merged.finish()


def _bytes_of_folds(problem: CrossValidationProblem, n_folds: int) -> int:
    """Memory of the folds of a pattern that pass through its targets together."""
    n_samples, n_features = problem.X.shape
    numbers_each = 4 * n_samples * n_features + 2 * n_features**2
    return int(min(FOLD_BYTES, 8 * n_folds * numbers_each))


def _own_splits(
    problem: CrossValidationProblem,
    pattern: PatternOfTargets,
    splits: Sequence[Split],
    *,
    leaves_one_out: bool,
) -> tuple[list[Split], Indices]:
    """Splits of the observed samples alone, those that can be scored, and their numbers."""
    if leaves_one_out:
        every = np.arange(pattern.n_observed)
        can_be_scored = pattern.n_observed >= LEAST_LEFT_OUT
        return [(every, every)] * can_be_scored, np.arange(int(can_be_scored))
    place = np.full(problem.X.shape[0], -1)
    place[pattern.observed] = np.arange(pattern.n_observed)
    weight = problem.weight_of(pattern.observed)

    def n_seen(samples: Indices) -> int:
        seen = np.unique(samples)
        return len(seen) if weight is None else int(np.count_nonzero(weight[seen]))

    own = [tuple(place[part][place[part] >= 0] for part in split) for split in splits]
    numbers = [k for k, (train, test) in enumerate(own) if n_seen(train) > 0 and n_seen(test) > 1]
    return [(own[k][0], own[k][1]) for k in numbers], np.array(numbers, np.intp)


def _shared_grid(
    problem: CrossValidationProblem,
    grid: CandidateGrid,
    patterns: MissingPatterns,
    n_jobs: int | None,
) -> CandidateGrid:
    """One grid for the targets of all patterns; that of a ridge suits all samples."""
    grid = grid.fitted_to(problem.design())
    if not grid.needs_all_targets:
        return grid

    def alphas(pattern: PatternOfTargets, n_jobs: int | None) -> list[Doubles]:
        own = problem.of_pattern(pattern)
        samples = AllSamples(own.design())
        blocks = list(target_blocks(samples.design, own.n_targets))
        prepare = partial(prepare_block, own.without_targets(), samples, grid)
        with closing(map_blocks(prepare, blocks, n_jobs, take=own.take)) as of:
            return [one.alphas for one in of]

    bytes_each = _bytes_of_folds(problem, 1)
    with closing(patterns.map(alphas, n_jobs, bytes_each=bytes_each)) as results:
        return grid.shared([table for _, tables in results for table in tables])


class _Merged:
    """Cross-validations of some of the targets each, as one of them all."""

    def __init__(self, n_folds: int, grid: CandidateGrid, n_targets: int) -> None:
        self._shape = grid.n_candidates, n_targets
        self._alphas = np.full(self._shape, np.nan)
        self._is_empty = np.zeros(self._shape, bool)
        self._sums = np.zeros((n_folds, grid.n_candidates))
        self._counts = np.zeros(n_folds)
        self._tables = {
            field.name: np.full(self._shape, np.nan) for field in fields(CandidateScores)
        }
        self._tables["n_active"][:] = self._tables["kkt_violation"][:] = 0

    def add(self, targets: Indices, found: CrossValidation, folds: Indices) -> None:
        """Take in the targets of a pattern, whose folds have these numbers."""
        self._alphas[:, targets], self._is_empty[:, targets] = found.alphas, found.is_empty
        for name, table in self._tables.items():
            if name != "r_of_folds":
                table[:, targets] = getattr(found.scores, name)
        self._sums[folds] += found.scores.r_of_folds * len(targets)
        self._counts[folds] += len(targets)

    def finish(self) -> CrossValidation:
        """All targets together."""
        if not self._counts.any():
            raise ValueError(
                "cv must make a split in which some target has an observed training sample and two "
                "observed held-out ones; got none. Use fewer or larger folds."
            )
        is_scored = self._counts > 0
        self._tables["r_of_folds"] = self._sums[is_scored] / self._counts[is_scored, np.newaxis]
        return CrossValidation(
            alphas=self._alphas,
            is_empty=self._is_empty,
            scores=CandidateScores(**self._tables),
            features=None,
            products=[],
            blocks=[],
        )
