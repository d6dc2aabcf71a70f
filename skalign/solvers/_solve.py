"""Many targets on shared features: the problem split into blocks, each solved and certified."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.solvers._arguments import check_problem, check_stopping
from skalign.solvers._blocks import BlockSolver
from skalign.solvers._gram_space import has_closed_form
from skalign.solvers._observed_parts import ObservedPart, ObservedParts, of_targets
from skalign.solvers._penalties import Penalty, PenaltyStrengths, penalty_strengths
from skalign.solvers._solution import Solution, empty_solution, put_solution
from skalign.solvers._target_blocks import target_blocks
from skalign.solvers._units import design_in_range
from skalign.utils import (
    Array,
    Floats,
    Indices,
    Missing,
    MissingPatterns,
    PatternOfTargets,
    check_missing,
    map_blocks,
    missing_explained,
    single_threaded_blas_if_small,
)


def solve(
    X: Array | sparse.sparray,
    Y: Array,
    penalty: Penalty = "lasso",
    alpha: ArrayLike = 0.1,
    *,
    l1_ratio: ArrayLike = 0.5,
    positive: bool = True,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    coef_init: Floats | None = None,
    missing: Missing = "error",
    tol: float | None = None,
    max_iter: int = 10_000,
    n_jobs: int | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> Solution:
    r"""Fit the weights of many targets on the same features.

    Minimizes, for every target y,

    ========== =============================================================================
    ols        :math:`\tfrac12 |y - Xw|^2`
    ridge      :math:`|y - Xw|^2 + \alpha |w|^2`
    lasso      :math:`\tfrac1{2n} |y - Xw|^2 + \alpha |w|_1`
    elasticnet :math:`\tfrac1{2n} |y - Xw|^2 + \alpha\rho |w|_1 + \tfrac12\alpha(1-\rho)|w|^2`
    ========== =============================================================================

    over :math:`w \ge 0` where `positive`, with :math:`\rho` the `l1_ratio` and n the sum of the
    sample weights: the objectives of scikit-learn's LinearRegression, Ridge, Lasso and
    ElasticNet.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_samples, n_features), float64 or float32
        Features; their type is that of the computation.
    Y : ndarray of shape (n_samples, n_targets)
        Targets, read block by block; may be memory-mapped.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty.
    alpha : float or array-like of shape (n_targets,), default=0.1
        Strength of the penalty, one for all targets or one per target; infinite for targets that
        stay empty: zero weights, and the mean as intercept. "ols" ignores finite ones.
    l1_ratio : float or array-like of shape (n_targets,), default=0.5
        Share of the l1 penalty in "elasticnet", one for all targets or one per target.
    positive : bool, default=True
        Whether weights must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalized.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples, not negative.
    coef_init : ndarray of shape (n_targets, n_features), default=None
        Weights to start from; ignored by closed forms.
    missing : {"error", "mask"}, default="error"
        What to do if `Y` has NaN: raise an error, or fit every target to the images on which it was
        observed, as if it were alone. A target that was never observed is left empty: zero weights,
        and 0 as intercept.
    tol : float, default=None
        Bound on the KKT violation; by default 1e-7 in float64 and 1e-4 in float32.
    max_iter : int, default=10000
        Bound on the iterations of one target.
    n_jobs : int, default=None
        Number of threads over blocks of targets. None is 1 unless in a
        :func:`joblib.parallel_config`.
    progress : callable, default=None
        Called as ``progress(blocks, total=n_blocks)``; must yield what it is given. ``tqdm``
        is one.

    Returns
    -------
    Solution
        Weights, intercepts, iterations and certificates of every target.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is not valid: its name is in the message.

    Notes
    -----
    What depends on `X` alone is computed once. OLS and ridge without signs are closed forms. All
    other problems are solved from their :class:`Moments` by an active set; where ``X'X`` would
    cost more than the work left to do, only the part of it that becomes active is formed. Where a
    Gram loses digits, because active features are nearly dependent, the weights of a target are
    computed again through the features. Where the minimizer is not unique, which ``unique`` says,
    the solution is the one of minimum norm, the limit of a vanishing ridge penalty: it does not
    depend on the other targets.

    With ``missing="mask"``, targets that miss the same images share what depends on the features.
    Where few images are missing, their products are taken off ``X'X``; else the Gram is formed
    afresh.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import solve
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 3))
    >>> Y = X @ np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
    >>> solution = solve(X, Y, "lasso", 0.1)
    >>> solution.coef.shape, bool((solution.coef >= 0).all()), bool(solution.converged.all())
    ((2, 3), True, True)
    """
    X, Y, weight, coef_init = check_problem(X, Y, sample_weight, coef_init, "coef_init")
    n_features, n_targets = X.shape[1], Y.shape[1]
    design = design_in_range(X, sample_weight=weight, center=fit_intercept)
    strengths = penalty_strengths(
        penalty, alpha, l1_ratio, n_targets=n_targets, total_weight=design.total_weight
    )
    tol, max_iter = check_stopping(tol, max_iter, design.dtype)
    settings = {"positive": positive, "tol": tol, "max_iter": max_iter}
    patterns = MissingPatterns(Y, weight) if check_missing(missing) == "mask" else None
    limit = single_threaded_blas_if_small(X.shape[0], n_features, n_jobs)
    with limit, limit, ExitStack() as stack:
        if patterns is None or not patterns.any_missing:
            stack.enter_context(missing_explained(Y))
            whole = ObservedPart(design, Y, np.arange(n_targets))
            solution = _solve_part(whole, strengths, coef_init, settings, n_jobs, progress)
        else:
            needs_gram = not has_closed_form(strengths, positive=positive).all()
            parts = ObservedParts(
                X, Y, weight, design=design, patterns=patterns, needs_gram=needs_gram
            )

            def solve_pattern(pattern: PatternOfTargets, n_jobs: int | None) -> Solution:
                part, targets = parts.of(pattern), pattern.targets
                of_part = penalty_strengths(
                    penalty,
                    of_targets(alpha, targets),
                    of_targets(l1_ratio, targets),
                    n_targets=len(targets),
                    total_weight=part.design.total_weight,
                )
                start = None if coef_init is None else coef_init[targets]
                return _solve_part(part, of_part, start, settings, n_jobs)

            solution = empty_solution(np.zeros(n_targets), n_features, design.dtype)
            results: Iterable[Any] = stack.enter_context(
                closing(patterns.map(solve_pattern, n_jobs, bytes_each=parts.bytes_each))
            )
            if progress is not None:
                results = progress(results, total=len(patterns))
            for targets, found in results:
                put_solution(solution, targets, found)
    if penalty == "ols":  # no dual point is feasible
        solution.dual_gap[:] = np.nan
    return solution


def _solve_part(
    part: ObservedPart,
    strengths: PenaltyStrengths,
    coef_init: Floats | None,
    settings: dict[str, Any],
    n_jobs: int | None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> Solution:
    """Solve targets that have no missing responses, block by block."""
    design, Y = part.design, part.Y
    n_targets, n_features = Y.shape[1], design.X.shape[1]
    solution = empty_solution(np.zeros(n_targets), n_features, design.dtype)
    solver = BlockSolver(design, strengths, n_targets, features=part.features, **settings)
    blocks = list(target_blocks(design, n_targets, through_columns=solver.through_columns))

    def take(block: slice) -> tuple[Array, Indices, PenaltyStrengths, Floats | None]:
        start = None if coef_init is None else coef_init[block]
        return Y[:, block], part.targets[block], strengths.take(block), start

    solve_one = partial(_solve_block, solver)
    with closing(map_blocks(solve_one, blocks, n_jobs, take=take)) as results:
        found = results if progress is None else progress(results, total=len(blocks))
        for block, part_of_it in zip(blocks, found, strict=True):
            put_solution(solution, block, part_of_it)
    return solution


def _solve_block(
    solver: BlockSolver, item: tuple[Array, Indices, PenaltyStrengths, Floats | None]
) -> Solution:
    Y_block, numbers, strengths, coef_init = item
    targets = solver.prepare(Y_block, numbers)
    solution = solver.solve(targets, strengths, coef_init)
    if solver.through_columns:
        return replace(solution, coef=sparse.csr_array(solution.coef))
    return solution
