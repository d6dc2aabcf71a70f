"""The weights that a cross-validated encoder keeps: every target at the candidate it chose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np

from skalign.linear_model._cross_validation import CrossValidation, Products
from skalign.linear_model._cross_validation_problem import CrossValidationProblem
from skalign.solvers import FeatureMoments, Moments, Solution, solve, solve_moments
from skalign.utils import Doubles, Indices, Missing, map_blocks


def check_refit(refit: Any, n_splits: int) -> None:
    """Raise ValueError unless the samples of the final fit are known."""
    if refit not in ("all", "train"):
        raise ValueError(f'refit must be "all" or "train"; got {refit!r}.')
    if refit == "train" and n_splits != 1:
        raise ValueError(
            f'refit must be "all" where cv makes several splits, {n_splits} here; got "train". '
            "For a single split take PredefinedSplit, which makes one of a validation set."
        )


def fit_chosen(
    problem: CrossValidationProblem,
    found: CrossValidation,
    alpha: Doubles,
    l1_ratio: Doubles,
    *,
    train: Indices | None,
    missing: Missing,
    n_jobs: int | None,
    progress: Callable[..., Iterable[Any]],
) -> Solution:
    """Fit every target at its own alpha.

    Parameters
    ----------
    problem : CrossValidationProblem
        Data and encoder.
    found : CrossValidation
        Products over all samples, where a Gram serves; they are used up.
    alpha, l1_ratio : ndarray of shape (n_targets,)
        Strength of the penalty, infinite for targets that are left empty, and share of l1.
    train : ndarray of int or None
        Samples of a training part; None fits all samples.
    missing : {"error", "mask"}
        What is done about missing responses.
    n_jobs : int or None
        Number of threads over blocks of targets.
    progress : callable
        Called as ``progress(blocks, total=n_blocks)``; yields what it is given.

    Returns
    -------
    Solution
        Weights and their certificates.
    """
    settings: dict[str, Any] = {
        "positive": problem.positive,
        "tol": problem.tol,
        "max_iter": problem.max_iter,
    }
    if train is None and found.features is not None:
        items: list[Any] = [
            (products, alpha[block], l1_ratio[block])
            for block, products in zip(found.blocks, found.products, strict=True)
        ]
        found.products.clear()
        fit_block = partial(_fit_block, found.features, problem.penalty, settings)
        return _fit_blocks(problem, found.blocks, items, fit_block, n_jobs, progress)
    weight = problem.sample_weight
    if train is not None:  # by weights, so that targets are still read block by block
        times = np.bincount(train, minlength=problem.Y.shape[0]).astype(np.float64)
        weight = times if weight is None else times * weight
    return solve(
        problem.X,
        problem.Y,
        problem.penalty,
        alpha,
        l1_ratio=l1_ratio,
        fit_intercept=problem.fit_intercept,
        sample_weight=weight,
        missing=missing,
        n_jobs=n_jobs,
        progress=progress,
        **settings,
    )


def _fit_blocks(
    problem: CrossValidationProblem,
    blocks: list[slice],
    items: list[Any],
    fit_block: Callable[[Any], Solution],
    n_jobs: int | None,
    progress: Callable[..., Iterable[Any]],
) -> Solution:
    """Fit block by block; products, which are as large as the weights, are let go one by one."""
    n_targets, dtype = problem.n_targets, problem.X.dtype
    whole = Solution(
        coef=np.empty((n_targets, problem.X.shape[1]), dtype),
        intercept=np.empty(n_targets, dtype),
        n_iter=np.empty(n_targets, np.int32),
        kkt_violation=np.empty(n_targets),
        dual_gap=np.empty(n_targets),
        converged=np.empty(n_targets, bool),
        unique=np.empty(n_targets, bool),
    )
    with closing(map_blocks(fit_block, items, n_jobs)) as parts:
        for k, part in enumerate(progress(parts, total=len(items))):
            for field in fields(part):
                getattr(whole, field.name)[blocks[k]] = getattr(part, field.name)
            items[k] = None
    return whole


def _fit_block(
    features: FeatureMoments,
    penalty: Any,
    settings: dict[str, Any],
    item: tuple[Products, Doubles, Doubles],
) -> Solution:
    products, alpha, l1_ratio = item
    moments = Moments(features, *products)
    return solve_moments(moments, penalty, alpha, l1_ratio=l1_ratio, n_jobs=1, **settings)
