"""The folds of a cross-validation: which pass through the targets together, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skalign.linear_model._candidates import CandidateGrid
from skalign.linear_model._cross_validation_problem import CrossValidationProblem, Split
from skalign.linear_model._fold_scorers import FittedFold, FoldScorer, SubtractedFold
from skalign.linear_model._ridge_fold import LeaveOneOutFold, RidgeFold
from skalign.solvers import Design, FeatureMoments
from skalign.utils import Doubles

FOLD_BYTES = 2**31  # of Grams and held-out features of folds that share a pass through targets


class AllSamples(NamedTuple):
    """Features over all samples, which every block of targets shares.

    Attributes
    ----------
    design : Design
        The features, prepared.
    features : FeatureMoments or None
        Their moments; None where a Gram does not serve.
    kernel : ndarray of shape (n_samples, n_samples) or None
        Products of their rows, where folds of a ridge share them.
    is_ridge : bool
        Whether folds are decomposed, so that no products of targets and features are needed.
    """

    design: Design
    features: FeatureMoments | None = None
    kernel: Doubles | None = None
    is_ridge: bool = False


def can_subtract(
    problem: CrossValidationProblem, samples: AllSamples, splits: Sequence[Split]
) -> bool:
    """Whether every training part is the complement of its held-out part, and a Gram serves."""
    return (
        len(splits) > 1
        and samples.features is not None
        and not samples.design.is_sparse
        and all(
            (np.bincount(np.concatenate(split), minlength=problem.X.shape[0]) == 1).all()
            for split in splits
        )
    )


def groups_of_folds(
    samples: AllSamples, splits: Sequence[Split], *, by_subtraction: bool
) -> list[range]:
    """Numbers of the folds that pass through the targets together.

    Folds by subtraction, and those that share a kernel: as many as fit in memory. Others: one at a
    time, for each holds a copy of its images.
    """
    size = 1
    n_samples, n_features = samples.design.X.shape
    if by_subtraction:
        n_held_out = max(len(test) for _, test in splits)
        numbers_each = n_features * (2 * n_features + n_held_out)
        size = max(1, FOLD_BYTES // (numbers_each * samples.design.dtype.itemsize))
    elif samples.is_ridge:
        numbers_each = 3 * n_samples * min(n_samples, n_features) + n_samples * n_features
        size = max(1, FOLD_BYTES // (8 * numbers_each))
    return [range(k, min(k + size, len(splits))) for k in range(0, len(splits), size)]


def fold_scorer(
    problem: CrossValidationProblem,
    samples: AllSamples,
    grid: CandidateGrid,
    split: Split,
    *,
    leaves_one_out: bool,
    by_subtraction: bool,
    with_error: bool,
    sent: bool,
) -> FoldScorer:
    """Prepare a fold in the fastest way that serves; if it is `sent`, workers take its moments."""
    if leaves_one_out:
        return LeaveOneOutFold(problem, grid, samples.design, samples.kernel)
    if by_subtraction and samples.features is not None:
        subtracted = SubtractedFold(problem, grid, split, samples.features)
        return subtracted if sent else subtracted.prepared()
    if samples.is_ridge:
        fold = RidgeFold(problem, grid, split, kernel=samples.kernel, with_error=with_error)
        if fold.is_accurate():
            return fold
    return FittedFold(problem, grid, split, with_error=with_error)
