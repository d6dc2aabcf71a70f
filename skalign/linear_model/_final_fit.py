"""The weights that a cross-validated encoder keeps: every target at the candidate it chose."""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skalign.linear_model._cross_validation import CrossValidation
from skalign.linear_model._cross_validation_problem import CrossValidationProblem, Split
from skalign.solvers import Moments, Solution, solve, solve_moments
from skalign.utils import map_blocks


def fit_to_all(
    problem: CrossValidationProblem,
    found: CrossValidation,
    alpha: NDArray[np.float64],
    l1_ratio: NDArray[np.float64],
    *,
    n_jobs: int | None,
) -> Solution:
    """Fit every target to all samples, from the moments that the cross-validation took.

    Parameters
    ----------
    problem : CrossValidationProblem
        Data and encoder.
    found : CrossValidation
        Moments of all samples, where a Gram serves.
    alpha, l1_ratio : ndarray of shape (n_targets,)
        Strength of the penalty, infinite for targets that are left empty, and share of l1.
    n_jobs : int or None
        Number of threads over blocks of targets.

    Returns
    -------
    Solution
        Weights and their certificates.
    """
    if found.moments is None:
        return _solve_images(problem, problem.sample_weight, alpha, l1_ratio, n_jobs=n_jobs)

    def solve_one(item: tuple[slice, Moments]) -> Solution:
        block, moments = item
        return solve_moments(
            moments,
            problem.penalty,
            alpha[block],
            l1_ratio=l1_ratio[block],
            positive=problem.positive,
            tol=problem.tol,
            max_iter=problem.max_iter,
            n_jobs=1,
        )

    items: list[Any] = list(zip(found.blocks, found.moments, strict=True))
    found.moments.clear()  # they are as large as the weights: each is let go after its fit
    n_features, dtype = problem.X.shape[1], problem.X.dtype
    whole = Solution(
        coef=np.empty((problem.n_targets, n_features), dtype),
        intercept=np.empty(problem.n_targets, dtype),
        n_iter=np.empty(problem.n_targets, np.int32),
        kkt_violation=np.empty(problem.n_targets),
        dual_gap=np.empty(problem.n_targets),
        converged=np.empty(problem.n_targets, bool),
    )
    with closing(map_blocks(solve_one, items, n_jobs)) as results:
        for k, part in enumerate(results):
            for field in fields(part):
                getattr(whole, field.name)[found.blocks[k]] = getattr(part, field.name)
            items[k] = None
    return whole


def fit_to_training_part(
    problem: CrossValidationProblem,
    split: Split,
    alpha: NDArray[np.float64],
    l1_ratio: NDArray[np.float64],
    *,
    n_jobs: int | None,
) -> Solution:
    """Fit every target to the training part of a split, as `fit_to_all` does to all samples."""
    # By weights, so that targets are still read block by block.
    weight = np.bincount(split[0], minlength=problem.Y.shape[0]).astype(np.float64)
    if problem.sample_weight is not None:
        weight *= problem.sample_weight
    return _solve_images(problem, weight, alpha, l1_ratio, n_jobs=n_jobs)


def _solve_images(
    problem: CrossValidationProblem,
    sample_weight: NDArray[np.float64] | None,
    alpha: NDArray[np.float64],
    l1_ratio: NDArray[np.float64],
    *,
    n_jobs: int | None,
) -> Solution:
    return solve(
        problem.X,
        problem.Y,
        problem.penalty,
        alpha,
        l1_ratio=l1_ratio,
        positive=problem.positive,
        fit_intercept=problem.fit_intercept,
        sample_weight=sample_weight,
        tol=problem.tol,
        max_iter=problem.max_iter,
        n_jobs=n_jobs,
    )
