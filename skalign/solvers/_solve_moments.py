"""Weights without the images: one penalty, or a path of them, from second moments."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike

from skalign.solvers._alpha_grids import check_alphas, l1_alphas, l1_share, ridge_alphas
from skalign.solvers._arguments import check_coef, check_stopping
from skalign.solvers._combination import check_digits
from skalign.solvers._feature_moments import FeatureMoments
from skalign.solvers._gram_space import solve_in_gram_space
from skalign.solvers._moments import Moments
from skalign.solvers._penalties import Penalty, PenaltyStrengths, penalty_strengths
from skalign.solvers._solution import (
    Solution,
    SolutionPath,
    empty_solution,
    put_in_path,
    put_solution,
    room_for_path,
)
from skalign.solvers._target_blocks import cut_targets
from skalign.utils import Doubles, Floats, map_blocks

TargetsOfMoments = tuple[Floats, Doubles, Doubles]  # their half: q, means, squared norms
BlockOfMoments = tuple[TargetsOfMoments, list[PenaltyStrengths], Floats | None]


def solve_moments(
    moments: Moments,
    penalty: Penalty = "lasso",
    alpha: ArrayLike = 0.1,
    *,
    l1_ratio: ArrayLike = 0.5,
    positive: bool = True,
    coef_init: ArrayLike | None = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    n_jobs: int | None = None,
) -> Solution:
    """Fit the weights of many targets without the images, from their second moments.

    The objectives are those of :func:`solve`, and so are the weights, up to rounding errors.

    Parameters
    ----------
    moments : Moments
        Second moments of features and targets.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty.
    alpha : float or array-like of shape (n_targets,), default=0.1
        Strength of the penalty, one for all targets or one per target; infinite for targets that
        stay empty.
    l1_ratio : float or array-like of shape (n_targets,), default=0.5
        Share of the l1 penalty in "elasticnet", one for all targets or one per target.
    positive : bool, default=True
        Whether weights must not be negative.
    coef_init : array-like of shape (n_targets, n_features), default=None
        Weights to start from; ignored by least squares without signs.
    tol : float, default=None
        Bound on the KKT violation; by default 1e-7 in float64 and 1e-4 in float32.
    max_iter : int, default=10000
        Bound on the iterations of one target.
    n_jobs : int, default=None
        Number of threads over blocks of targets. None is 1 unless in a
        :func:`joblib.parallel_config`.

    Returns
    -------
    Solution
        Weights, intercepts, iterations and certificates of every target.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is not valid, or `moments` have lost digits in a difference.

    See Also
    --------
    solve : From the images; accurate where the features are ill-conditioned, too.

    Notes
    -----
    Least squares without signs, which are "ols" and "ridge" with ``positive=False``, lose digits
    here: a Gram squares the condition number of the features, and no condition of optimality
    notices. While the condition of ``X'X`` (plus the ridge penalty) is below 1e8 in float64 and
    1e3 in float32, the weights are those of :func:`solve`. Beyond, ``kkt_violation`` is infinite
    and ``converged`` False: use :func:`solve`. Directions whose eigenvalue is a rounding error
    count as absent from the images, and the weights have minimum norm.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import Moments, solve, solve_moments
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 3))
    >>> Y = X @ np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
    >>> solution = solve_moments(Moments.of(X, Y), "lasso", 0.1)
    >>> bool(np.allclose(solution.coef, solve(X, Y, "lasso", 0.1).coef))
    True
    """
    _check_moments(moments)
    n_targets, n_features = moments.q.shape
    dtype = moments.q.dtype
    strengths = penalty_strengths(
        penalty, alpha, l1_ratio, n_targets=n_targets, total_weight=moments.total_weight
    )
    start = check_coef(coef_init, "coef_init", n_targets, n_features)
    tol, max_iter = check_stopping(tol, max_iter, dtype)
    blocks = _blocks(moments, 4, n_jobs)

    settings = {"positive": positive, "tol": tol, "max_iter": max_iter}

    def take(block: slice) -> BlockOfMoments:
        own = None if start is None else start[block]
        return _of_targets(moments, block), [strengths.take(block)], own

    solution = empty_solution(moments.target_means, n_features, dtype)
    solve_one = partial(_solve_block, moments.features, settings)
    with closing(map_blocks(solve_one, blocks, n_jobs, take=take)) as results:
        for block, found in zip(blocks, results, strict=True):
            put_solution(solution, block, found[0])
    if penalty == "ols":  # no dual point is feasible
        solution.dual_gap[:] = np.nan
    return solution


def solve_moments_path(
    moments: Moments,
    penalty: Penalty = "lasso",
    alphas: int | ArrayLike = 10,
    *,
    l1_ratio: float = 0.5,
    positive: bool = True,
    tol: float | None = None,
    max_iter: int = 10_000,
    n_jobs: int | None = None,
) -> SolutionPath:
    """Fit the weights of many targets at many strengths of the penalty, from second moments.

    Each fit starts from the one at the next larger alpha.

    Parameters
    ----------
    moments : Moments
        Second moments of features and targets.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty.
    alphas : int or array-like of shape (n_alphas,) or (n_alphas, n_targets), default=10
        Strengths, sorted here in descending order, or their number, as in :func:`solve_path`.
    l1_ratio : float, default=0.5
        Share of the l1 penalty in "elasticnet".
    positive : bool, default=True
        Whether weights must not be negative.
    tol : float, default=None
        Bound on the KKT violation; by default 1e-7 in float64 and 1e-4 in float32.
    max_iter : int, default=10000
        Bound on the iterations of one target at one alpha.
    n_jobs : int, default=None
        Number of threads over blocks of targets. None is 1 unless in a
        :func:`joblib.parallel_config`.

    Returns
    -------
    SolutionPath
        Alphas, weights, intercepts, numbers of active units, and the certificate of every fit.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is not valid, or `moments` have lost digits in a difference.

    See Also
    --------
    solve_moments : One strength per target; its notes say what a Gram cannot do.
    solve_path : From the images.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import Moments, solve_moments_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 8))
    >>> Y = X[:, :2] + 0.1 * rng.standard_normal((50, 2))
    >>> solve_moments_path(Moments.of(X, Y), alphas=3).n_active[:, 0]
    array([0, 1, 4])
    """
    _check_moments(moments)
    n_targets, n_features = moments.q.shape
    dtype, total = moments.q.dtype, moments.total_weight
    penalty_strengths(penalty, 1.0, l1_ratio, n_targets=1, total_weight=total)  # checks
    tol, max_iter = check_stopping(tol, max_iter, dtype)
    grid = check_alphas(alphas, n_targets)
    if isinstance(grid, int):
        if l1_share(penalty, l1_ratio):
            grid = l1_alphas(
                grid,
                moments.q,
                moments.features.norms,
                penalty,
                l1_ratio,
                positive=positive,
                total_weight=total,
            )
        else:
            largest = float(moments.features.spectrum[0].max(initial=0))
            grid = ridge_alphas(grid, largest, penalty, total)
    grid = np.broadcast_to(grid, (len(grid), n_targets))
    strengths = [
        penalty_strengths(penalty, alpha, l1_ratio, n_targets=n_targets, total_weight=total)
        for alpha in grid
    ]
    path = room_for_path(len(grid), n_targets, n_features, dtype)
    path.alphas[:] = grid
    blocks = _blocks(moments, 3 + len(grid), n_jobs)

    settings = {"positive": positive, "tol": tol, "max_iter": max_iter}

    def take(block: slice) -> BlockOfMoments:
        return _of_targets(moments, block), [each.take(block) for each in strengths], None

    solve_one = partial(_solve_block, moments.features, settings)
    with closing(map_blocks(solve_one, blocks, n_jobs, take=take)) as results:
        for block, found in zip(blocks, results, strict=True):
            for k, solution in enumerate(found):
                put_in_path(path, k, block, solution)
    if penalty == "ols":  # no dual point is feasible
        path.dual_gap[:] = np.nan
    return path


def _blocks(moments: Moments, n_copies: int, n_jobs: int | None) -> list[slice]:
    """Blocks of targets; one worker gains nothing from small ones."""
    n_targets, n_features = moments.q.shape
    finest = n_targets if effective_n_jobs(n_jobs) == 1 else None
    return list(cut_targets(n_targets, n_copies * n_features * moments.q.itemsize, finest))


def _of_targets(moments: Moments, block: slice) -> TargetsOfMoments:
    return moments.q[block], moments.target_means[block], moments.target_squared_norms[block]


def _solve_block(
    features: FeatureMoments,
    settings: dict[str, Any],
    item: BlockOfMoments,
) -> list[Solution]:
    """Solve a block of targets under one penalty after the other."""
    of_targets, penalties, start = item
    return solve_in_gram_space(Moments(features, *of_targets), penalties, start, **settings)


def _check_moments(moments: Moments) -> None:
    if not isinstance(moments, Moments):
        raise TypeError(f"moments must be a Moments; got {type(moments).__name__}.")
    check_digits(moments.features.lost, "features")
    check_digits(moments.lost_features, "features")
    check_digits(moments.lost_targets, "targets")
