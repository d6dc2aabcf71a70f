"""Paths of solutions: many strengths of a penalty, from the strongest, each from the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skalign.solvers._arguments import check_problem, check_stopping
from skalign.solvers._blocks import BlockSolution, BlockSolver, TargetBlock
from skalign.solvers._design import Design
from skalign.solvers._penalties import Penalty, penalty_scale
from skalign.solvers._target_blocks import target_blocks
from skalign.utils import map_blocks, quick_products

L1_SPAN = 1e-2  # weakest over strongest alpha of a grid that starts at alpha_max
L2_SPAN = 1e-6  # of one for a penalty that no alpha makes empty


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
        grid = l2_grid(design, penalty, grid)
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
                strongest = alpha_max(targets.q, penalty, l1_ratio, positive, total)
                block_alphas = strongest * np.geomspace(1, L1_SPAN, grid)[:, None]
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


def check_alphas(alphas: Any, n_targets: int) -> int | NDArray[np.float64]:
    """A number of alphas, or alphas (n_alphas, 1 or n_targets) in descending order."""
    if isinstance(alphas, Integral) and not isinstance(alphas, bool):
        if int(alphas) < 1:
            raise ValueError(f"alphas must be a positive number of strengths; got {alphas!r}.")
        return int(alphas)
    try:
        grid = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError):
        grid = np.empty(())
    if grid.ndim == 1:
        grid = grid[:, None]
    if grid.ndim != 2 or grid.shape[0] < 1 or grid.shape[1] not in (1, n_targets):
        raise ValueError(
            "alphas must be the number of strengths, or an array of them of shape (n_alphas,) or "
            f"(n_alphas, n_targets), with {n_targets} target(s) here; got {alphas!r}."
        )
    if not (np.isfinite(grid) & (grid >= 0)).all():
        raise ValueError(f"alphas must be finite and not negative; got {alphas!r}.")
    return -np.sort(-grid, axis=0)


def l1_share(penalty: Penalty, l1_ratio: float) -> float:
    """Share of the l1 norm in a penalty."""
    return {"lasso": 1.0, "elasticnet": l1_ratio}.get(penalty, 0.0)


def alpha_max(
    q: NDArray, penalty: Penalty, l1_ratio: float, positive: bool, total_weight: float
) -> NDArray[np.float64]:
    """Least alpha (n_targets,) at which a target is empty, above zero.

    For a target that is empty at any alpha, what it would be with its signs free.
    """
    largest = np.abs(q).max(axis=1, initial=0).astype(np.float64)
    if positive:
        pulled = q.max(axis=1, initial=0)
        largest = np.where(pulled > 0, pulled, largest)
    return np.where(largest > 0, largest, 1.0) / (total_weight * l1_share(penalty, l1_ratio))


def l2_grid(design: Design, penalty: Penalty, n_alphas: int) -> NDArray[np.float64]:
    """Descending alphas (n_alphas, 1) for a penalty that leaves no target empty.

    They start where the penalty is as strong as all features together, their squared norms.
    """
    if penalty == "ols":
        return np.zeros((1, 1))
    trace = float((design.norms**2).sum())
    unit = 1.0 if penalty == "ridge" else design.total_weight
    strongest = trace / unit if trace > 0 else 1.0
    return strongest * np.geomspace(1, L2_SPAN, n_alphas)[:, None]
