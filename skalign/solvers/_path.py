"""Paths of solutions: many strengths of a penalty, from the strongest, each from the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.solvers._alpha_grids import check_alphas, l1_alphas, l1_share, l2_alphas
from skalign.solvers._arguments import check_problem, check_stopping
from skalign.solvers._blocks import BlockSolver
from skalign.solvers._penalties import Penalty, penalty_strengths
from skalign.solvers._solution import Solution, SolutionPath, put_in_path, room_for_path
from skalign.solvers._target_blocks import target_blocks
from skalign.solvers._units import design_in_range
from skalign.utils import Floats, map_blocks, single_threaded_blas_if_small


def solve_path(
    X: Any,
    Y: Any,
    penalty: Penalty = "lasso",
    alphas: int | ArrayLike = 10,
    *,
    l1_ratio: float = 0.5,
    positive: bool = True,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    sparse_output: bool = False,
    n_jobs: int | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> SolutionPath:
    """Fit the weights of many targets at many strengths of the penalty.

    Each fit starts from the one at the next larger alpha, and all share ``X'X`` and ``X'Y``. The
    objectives are those of :func:`solve`.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_samples, n_features), float64 or float32
        Features; their type is that of the computation.
    Y : ndarray of shape (n_samples, n_targets)
        Targets, read block by block; may be memory-mapped.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty.
    alphas : int or array-like of shape (n_alphas,) or (n_alphas, n_targets), default=10
        Strengths, sorted here in descending order, or their number: then they suit the data, as
        :func:`l1_alphas` and :func:`l2_alphas` say. At an infinite alpha a target is empty.
    l1_ratio : float, default=0.5
        Share of the l1 penalty in "elasticnet".
    positive : bool, default=True
        Whether weights must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalized.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples, not negative.
    tol : float, default=None
        Bound on the KKT violation; by default 1e-7 in float64 and 1e-4 in float32.
    max_iter : int, default=10000
        Bound on the iterations of one target at one alpha.
    sparse_output : bool, default=False
        Whether weights are kept as sparse arrays, in memory that grows with the number of active
        units only.
    n_jobs : int, default=None
        Number of threads over blocks of targets. None is 1 unless in a
        :func:`joblib.parallel_config`.
    progress : callable, default=None
        Called as ``progress(blocks, total=n_blocks)``; must yield what it is given. ``tqdm``
        is one.

    Returns
    -------
    SolutionPath
        Alphas, weights, intercepts, numbers of active units, and the certificate of every fit.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is not valid: its name is in the message.

    See Also
    --------
    solve : One strength per target.
    solve_moments_path : Without the images, from their moments.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import solve_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 8))
    >>> Y = X[:, :2] + 0.1 * rng.standard_normal((50, 2))
    >>> path = solve_path(X, Y, alphas=3)
    >>> path.coef.shape, path.n_active[:, 0]
    ((3, 2, 8), array([0, 1, 4]))
    """
    X, Y, weight, _ = check_problem(X, Y, sample_weight, None, "coef")
    n_features, n_targets = X.shape[1], Y.shape[1]
    design = design_in_range(X, sample_weight=weight, center=fit_intercept)
    total = design.total_weight
    tol, max_iter = check_stopping(tol, max_iter, design.dtype)
    penalty_strengths(penalty, 1.0, l1_ratio, n_targets=1, total_weight=total)  # checks
    grid = check_alphas(alphas, n_targets)
    if isinstance(grid, int) and not l1_share(penalty, l1_ratio):
        grid = np.ldexp(l2_alphas(grid, design, penalty), 2 * design.exponent)
    some = np.ones((1, 1)) if isinstance(grid, int) else grid
    strengths = penalty_strengths(
        penalty, some.ravel(), l1_ratio, n_targets=some.size, total_weight=total
    )
    n_alphas = grid if isinstance(grid, int) else len(grid)
    path = room_for_path(n_alphas, n_targets, n_features, design.dtype, sparse_output=sparse_output)
    blocks = list(target_blocks(design, n_targets, n_copies=n_alphas))
    limit = single_threaded_blas_if_small(X.shape[0], n_features, n_jobs)
    with limit, limit, ExitStack() as stack:
        solver = BlockSolver(
            design, strengths, n_targets, positive=positive, tol=tol, max_iter=max_iter
        )

        def solve_one(block: slice) -> tuple[Floats, list[Solution]]:
            targets = solver.prepare(Y[:, block], np.arange(n_targets)[block])
            if isinstance(grid, int):
                block_alphas = l1_alphas(
                    grid,
                    targets.q,
                    design.norms,
                    penalty,
                    l1_ratio,
                    positive=positive,
                    total_weight=total,
                )
                block_alphas = np.ldexp(block_alphas, design.exponent + targets.exponents)
            else:
                block_alphas = np.broadcast_to(grid, (n_alphas, n_targets))[:, block]
            penalties = [
                penalty_strengths(
                    penalty, alpha, l1_ratio, n_targets=alpha.size, total_weight=total
                )
                for alpha in block_alphas
            ]
            found = list(map(keep, solver.path_of(targets, penalties)))
            return block_alphas, found

        def keep(solution: Solution) -> Solution:
            return (
                replace(solution, coef=sparse.csr_array(solution.coef))
                if sparse_output
                else solution
            )

        results: Iterable[Any] = stack.enter_context(closing(map_blocks(solve_one, blocks, n_jobs)))
        if progress is not None:
            results = progress(results, total=len(blocks))
        for block, (block_alphas, found) in zip(blocks, results, strict=True):
            path.alphas[:, block] = block_alphas
            for k, solution in enumerate(found):
                put_in_path(path, k, block, solution)
    if sparse_output:
        path.coef[:] = [sparse.vstack(parts, format="csr") for parts in path.coef]
    if penalty == "ols":  # no dual point is feasible
        path.dual_gap[:] = np.nan
    return path
