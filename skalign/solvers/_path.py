"""Paths of solutions: many strengths of a penalty, from the strongest, each from the one before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.solvers._alpha_grids import check_alphas, l1_alphas, l1_share, l2_alphas
from skalign.solvers._arguments import check_problem, check_stopping
from skalign.solvers._blocks import BlockSolver
from skalign.solvers._design import Design
from skalign.solvers._gram_space import has_closed_form
from skalign.solvers._observed_parts import ObservedPart, ObservedParts, of_targets
from skalign.solvers._penalties import Penalty, PenaltyStrengths, penalty_strengths
from skalign.solvers._solution import Solution, SolutionPath, put_in_path, room_for_path
from skalign.solvers._target_blocks import target_blocks
from skalign.solvers._units import design_in_range
from skalign.utils import (
    Array,
    Doubles,
    Indices,
    Missing,
    MissingPatterns,
    PatternOfTargets,
    check_missing,
    map_blocks,
    missing_explained,
    single_threaded_blas_if_small,
)


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
    missing: Missing = "error",
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
    missing : {"error", "mask"}, default="error"
        What to do if `Y` has NaN: raise an error, or fit every target to the images on which it was
        observed, as if it were alone.
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
    tol, max_iter = check_stopping(tol, max_iter, design.dtype)
    penalty_strengths(penalty, 1.0, l1_ratio, n_targets=1, total_weight=1.0)  # checks
    grid = check_alphas(alphas, n_targets)
    problem = PathProblem(
        penalty,
        l1_ratio,
        positive=positive,
        tol=tol,
        max_iter=max_iter,
        sparse_output=sparse_output,
    )
    n_alphas = grid if isinstance(grid, int) else len(grid)
    n_alphas = 1 if penalty == "ols" and isinstance(grid, int) else n_alphas
    path = room_for_path(n_alphas, n_targets, n_features, design.dtype, sparse_output=sparse_output)
    order: list[Indices] = []
    patterns = MissingPatterns(Y, weight) if check_missing(missing) == "mask" else None
    limit = single_threaded_blas_if_small(X.shape[0], n_features, n_jobs)
    with limit, limit, ExitStack() as stack:
        results: Iterable[Any]
        if patterns is None or not patterns.any_missing:
            stack.enter_context(missing_explained(Y))
            whole = ObservedPart(design, Y, np.arange(n_targets))
            results = stack.enter_context(closing(problem.solve(whole, grid, n_jobs, progress)))
        else:
            needs_gram = not problem.has_closed_form(grid)
            parts = ObservedParts(
                X, Y, weight, design=design, patterns=patterns, needs_gram=needs_gram
            )

            def solve_pattern(pattern: PatternOfTargets, n_jobs: int | None) -> list[PathBlock]:
                of_pattern = grid if isinstance(grid, int) else of_targets(grid, pattern.targets)
                return list(problem.solve(parts.of(pattern), of_pattern, n_jobs))

            blocks = stack.enter_context(
                closing(patterns.map(solve_pattern, n_jobs, bytes_each=parts.bytes_each))
            )
            counted: Iterable[Any] = blocks
            if progress is not None:
                counted = progress(blocks, total=len(patterns))
            results = (block for _, of_pattern in counted for block in of_pattern)
        for targets, block_alphas, found in results:
            order.append(targets)
            path.alphas[:, targets] = block_alphas
            for k, solution in enumerate(found):
                put_in_path(path, k, targets, solution)
    if sparse_output:
        path.coef[:] = [sparse.vstack(of_blocks, format="csr") for of_blocks in path.coef]
        rows = np.argsort(np.concatenate(order))
        if (np.diff(rows) < 0).any():
            path.coef[:] = [coef[rows] for coef in path.coef]
    if penalty == "ols":  # no dual point is feasible
        path.dual_gap[:] = np.nan
    return path


class PathBlock(NamedTuple):
    """Solutions of a block of targets, at all their alphas (n_alphas, n_block)."""

    targets: Indices
    alphas: Doubles
    solutions: list[Solution]


@dataclass(frozen=True)
class PathProblem:
    """What all targets of a path have in common."""

    penalty: Penalty
    l1_ratio: float
    positive: bool
    tol: float
    max_iter: int
    sparse_output: bool

    def strengths(self, alphas: Doubles, total_weight: float) -> PenaltyStrengths:
        """Strengths at some alphas, whatever their targets."""
        return penalty_strengths(
            self.penalty, alphas, self.l1_ratio, n_targets=alphas.size, total_weight=total_weight
        )

    def has_closed_form(self, grid: int | Doubles) -> bool:
        """Whether every fit is least squares without signs."""
        if isinstance(grid, int):
            return not (self.positive or l1_share(self.penalty, self.l1_ratio))
        strengths = self.strengths(grid.ravel(), 1.0)
        return bool(has_closed_form(strengths, positive=self.positive).all())

    def solve(
        self,
        part: ObservedPart,
        grid: int | Doubles,
        n_jobs: int | None,
        progress: Callable[..., Iterable[Any]] | None = None,
    ) -> Generator[PathBlock, None, None]:
        """Solve targets that have no missing responses, block by block."""
        design, Y = part.design, part.Y
        n_targets, total = Y.shape[1], design.total_weight
        if isinstance(grid, int) and not l1_share(self.penalty, self.l1_ratio):
            grid = np.ldexp(l2_alphas(grid, design, self.penalty), 2 * design.exponent)
        some = np.ones((1, 1)) if isinstance(grid, int) else grid
        n_alphas = grid if isinstance(grid, int) else len(grid)
        solver = BlockSolver(
            design,
            self.strengths(some.ravel(), total),
            n_targets,
            positive=self.positive,
            tol=self.tol,
            max_iter=self.max_iter,
            features=part.features,
        )
        wide = solver.through_columns
        blocks = list(target_blocks(design, n_targets, n_alphas, through_columns=wide))

        whole = grid if isinstance(grid, int) else np.broadcast_to(grid, (n_alphas, n_targets))

        def take(block: slice) -> tuple[Array, Indices, int | Doubles]:
            own = whole if isinstance(whole, int) else whole[:, block]
            return Y[:, block], part.targets[block], own

        solve_one = partial(_solve_block, self, solver, design)
        with closing(map_blocks(solve_one, blocks, n_jobs, take=take)) as results:
            yield from results if progress is None else progress(results, total=len(blocks))


def _solve_block(
    problem: PathProblem,
    solver: BlockSolver,
    design: Design,
    item: tuple[Array, Indices, int | Doubles],
) -> PathBlock:
    Y_block, numbers, grid = item
    targets = solver.prepare(Y_block, numbers, needs_products=isinstance(grid, int))
    total = design.total_weight
    if isinstance(grid, int):
        alphas = l1_alphas(
            grid,
            targets.q,
            design.norms,
            problem.penalty,
            problem.l1_ratio,
            positive=problem.positive,
            total_weight=total,
        )
        alphas = np.ldexp(alphas, design.exponent + targets.exponents)
    else:
        alphas = grid
    penalties = [problem.strengths(of_step, total) for of_step in alphas]
    found = []
    for solution in solver.path_of(targets, penalties):
        coef = sparse.csr_array(solution.coef) if problem.sparse_output else solution.coef
        found.append(replace(solution, coef=coef))
    return PathBlock(numbers, alphas, found)
