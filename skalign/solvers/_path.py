"""Paths of solutions: many strengths of a penalty, from the strongest, each from the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skalign.solvers._alpha_grids import check_alphas, l1_alphas, l1_share, l2_alphas
from skalign.solvers._arguments import check_problem, check_stopping
from skalign.solvers._blocks import BlockSolution, BlockSolver, TargetBlock
from skalign.solvers._design import Design
from skalign.solvers._penalties import Penalty, penalty_scale
from skalign.solvers._target_blocks import target_blocks
from skalign.utils import map_blocks, quick_products


@dataclass(frozen=True, eq=False)
class SolutionPath:
    """Weights of many targets at many strengths of the penalty, each with its certificate.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas, n_targets)
        Strengths, descending.
    coef : ndarray of shape (n_alphas, n_targets, n_features) or list of csr_array
        Weights; if sparse, a (n_targets, n_features) array for every alpha.
    intercept : ndarray of shape (n_alphas, n_targets)
        Intercepts; zeros where none was asked for.
    n_active : ndarray of shape (n_alphas, n_targets)
        Number of nonzero weights.
    n_iter : ndarray of shape (n_alphas, n_targets)
        Iterations from the solution at the alpha before; 1 for closed forms.
    kkt_violation : ndarray of shape (n_alphas, n_targets)
        Largest violation of the optimality conditions, as a correlation: over ``|x_j| |y|``.
    dual_gap : ndarray of shape (n_alphas, n_targets)
        Upper bound on how far the objective lies above its minimum; NaN without any penalty.
    converged : ndarray of shape (n_alphas, n_targets), dtype bool
        Whether ``kkt_violation`` is at most the tolerance.
    """

    alphas: NDArray[np.float64]
    coef: Any
    intercept: NDArray[np.floating]
    n_active: NDArray[np.int64]
    n_iter: NDArray[np.int32]
    kkt_violation: NDArray[np.float64]
    dual_gap: NDArray[np.float64]
    converged: NDArray[np.bool_]

    def coef_at(self, index: int) -> NDArray[np.floating]:
        """Weights (n_targets, n_features) at the alpha of that index, as a dense array.

        Parameters
        ----------
        index : int
            Row of ``alphas``.

        Returns
        -------
        ndarray of shape (n_targets, n_features)
            The weights.
        """
        coef = self.coef[index]
        return coef.toarray() if sparse.issparse(coef) else coef


def solve_path(
    X: Any,
    Y: Any,
    penalty: Penalty,
    alphas: int | ArrayLike,
    *,
    l1_ratio: float,
    positive: bool,
    fit_intercept: bool,
    sample_weight: ArrayLike | None,
    tol: float | None,
    max_iter: int,
    sparse_output: bool,
    n_jobs: int | None,
    progress: Callable[..., Iterable] | None = None,
) -> SolutionPath:
    """Solve all targets at all alphas: see ``sparse_positive_path`` for the arguments."""
    X, Y, weight, _ = check_problem(X, Y, sample_weight, None, "coef")
    n_features, n_targets = X.shape[1], Y.shape[1]
    design = Design.prepare(X, sample_weight=weight, center=fit_intercept)
    total = design.total_weight
    tol, max_iter = check_stopping(tol, max_iter, design.dtype)
    penalty_scale(penalty, 1.0, l1_ratio, n_targets=1, total_weight=total)  # checks
    grid = check_alphas(alphas, n_targets)
    if isinstance(grid, int) and not l1_share(penalty, l1_ratio):
        grid = l2_alphas(grid, design, penalty)
    some = np.ones((1, 1)) if isinstance(grid, int) else grid
    scale = penalty_scale(penalty, some.ravel(), l1_ratio, n_targets=some.size, total_weight=total)
    n_alphas = grid if isinstance(grid, int) else len(grid)
    shape = n_alphas, n_targets
    path = SolutionPath(
        np.empty(shape),
        [[] for _ in range(n_alphas)] if sparse_output else np.empty((*shape, n_features), X.dtype),
        np.empty(shape, X.dtype),
        np.empty(shape, np.int64),
        np.empty(shape, np.int32),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape, bool),
    )
    blocks = list(target_blocks(design, n_targets, n_copies=n_alphas))
    with ExitStack() as stack:
        stack.enter_context(quick_products(X.shape[0], n_features, n_jobs))
        solver = BlockSolver(
            design, scale, n_targets, positive=positive, tol=tol, max_iter=max_iter
        )

        def solve_one(block: slice):
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
            else:
                block_alphas = np.broadcast_to(grid, shape)[:, block]
            found = []
            for solution in path_of_block(solver, targets, penalty, block_alphas, l1_ratio, total):
                intercept = solver.intercept(targets, solution.coef)
                kept = sparse.csr_array(solution.coef) if sparse_output else solution.coef
                found.append((solution._replace(coef=kept), intercept))
            return block_alphas, found

        results: Iterable = stack.enter_context(closing(map_blocks(solve_one, blocks, n_jobs)))
        if progress is not None:
            results = progress(results, total=len(blocks))
        for block, (block_alphas, found) in zip(blocks, results, strict=True):
            path.alphas[:, block] = block_alphas
            for k, (solution, intercept) in enumerate(found):
                if sparse_output:
                    path.coef[k].append(solution.coef)
                else:
                    path.coef[k, block] = solution.coef
                path.intercept[k, block], path.n_iter[k, block] = intercept, solution.n_iter
                path.n_active[k, block] = count_active(solution.coef)
                path.kkt_violation[k, block] = solution.kkt
                path.dual_gap[k, block] = scale.unit * solution.gap
    np.less_equal(path.kkt_violation, tol, out=path.converged)
    if sparse_output:
        path.coef[:] = [sparse.vstack(parts, format="csr") for parts in path.coef]
    return path


def path_of_block(
    solver: BlockSolver,
    targets: TargetBlock,
    penalty: Penalty,
    alphas: NDArray,
    l1_ratio: float,
    total_weight: float,
) -> Iterator[BlockSolution]:
    """Solutions of a block at alphas (n_alphas, n_targets), each started from the one before."""
    return solver.path(
        targets,
        [
            penalty_scale(penalty, alpha, l1_ratio, n_targets=alpha.size, total_weight=total_weight)
            for alpha in alphas
        ],
    )


def count_active(coef: Any) -> NDArray[np.int64]:
    """Number of nonzero weights of every target."""
    if sparse.issparse(coef):
        return np.asarray((coef != 0).sum(axis=1), dtype=np.int64).ravel()  # zeros may be stored
    return np.count_nonzero(coef, axis=1)
