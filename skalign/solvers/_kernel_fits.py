"""Fits of the kernel: their doubts resolved, and one minimizer chosen where there are many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skalign.solvers._kernel import solve_block
from skalign.solvers._least_norm import choose_minimizers, columns_of
from skalign.solvers._moments import Moments
from skalign.solvers._penalties import PenaltyStrengths
from skalign.solvers._solution import Solution, put_better
from skalign.utils import Doubles, Flags, Floats, Indices

# Squared sine between an active feature and those before it, below which weights lose digits that
# the features themselves would keep.
NEARLY_DEPENDENT = {np.dtype(np.float64): 1e-4, np.dtype(np.float32): 0.0}


class KernelFit(NamedTuple):
    """What the kernel finds under one penalty.

    Attributes
    ----------
    solution : Solution
        Weights and certificates.
    pivot : ndarray of shape (n_targets,)
        Least squared sine between an active feature and those before it.
    ties : ndarray of shape (n_targets,)
        Number of inactive features whose gradient is at its bound.
    """

    solution: Solution
    pivot: Doubles
    ties: NDArray[np.int32]


def solve_by_kernel(
    moments: Moments,
    penalties: Sequence[PenaltyStrengths],
    coef: Floats | None,
    *,
    positive: bool,
    tol: float,
    max_iter: int,
    columns: Callable[[Indices], Doubles] | None,
    polish: Callable[[PenaltyStrengths, Solution, Flags], None] | None,
) -> list[Solution]:
    """Solve a block whose targets have no closed form; minimizers are those of minimum norm.

    Parameters
    ----------
    moments : Moments
        Moments of the features and of the block.
    penalties : sequence of PenaltyStrengths
        Strengths, in the order of the path.
    coef : ndarray of shape (n_targets, n_features) or None
        Weights to start from.
    positive : bool
        Whether weights must not be negative.
    tol : float
        Bound on the KKT violation.
    max_iter : int
        Bound on the iterations of one target.
    columns : callable or None
        Maps numbers of features to their columns; None where there is only the Gram.
    polish : callable or None
        Improves targets of a solution in place through the images.

    Returns
    -------
    list of Solution
        A solution for each penalty.
    """
    kernel = partial(_through_kernel, positive=positive, tol=tol)
    solutions = []
    for penalty, fit in zip(
        penalties, kernel(moments, penalties, coef, max_iter=max_iter), strict=True
    ):
        solution = fit.solution
        doubtful = (fit.pivot < NEARLY_DEPENDENT[moments.q.dtype]) | ~solution.converged
        if polish is not None and doubtful.any():
            doubtful &= solution.coef.any(axis=1) & (solution.n_iter < max_iter)
            if doubtful.any():
                polish(penalty, solution, doubtful)
        several = (fit.ties > 0) | (fit.pivot == 0)
        if several.any():
            several &= (penalty.l2 == 0) & ~penalty.empty
        targets = np.flatnonzero(several)
        if targets.size:
            part = moments.take(targets=targets)
            given = solution.coef[targets]
            gradient, active = part.q.astype(np.float64), given.any(axis=1)
            if active.any():
                gradient[active] -= given[active].astype(np.float64) @ moments.gram
            chosen, unique = choose_minimizers(
                columns or columns_of(moments.gram),
                gradient,
                given,
                penalty.l1[targets],
                norms=moments.features.norms,
                sizes=np.sqrt(part.target_squared_norms),
                independent=fit.pivot[targets] > 0,
                positive=positive,
                tol=tol,
            )
            solution.unique[targets] = unique
            changed = np.flatnonzero((chosen != given).any(axis=1))
            if changed.size:
                part, targets = part.take(targets=changed), targets[changed]
                (judged,) = kernel(part, [penalty.take(targets)], chosen[changed], max_iter=0)
                put_better(solution, targets, judged.solution, tol)
        solutions.append(solution)
    return solutions


def _through_kernel(
    moments: Moments,
    penalties: Sequence[PenaltyStrengths],
    coef: Floats | None,
    *,
    positive: bool,
    tol: float,
    max_iter: int,
) -> list[KernelFit]:
    q, features = moments.q, moments.features
    shape = len(penalties), q.shape[0]
    weights = np.empty((*shape, q.shape[1]), q.dtype)
    weights[0] = 0 if coef is None else coef
    kkt, gap, pivot = np.empty((3, *shape))
    n_iter, ties = np.empty((2, *shape), np.int32)
    finite = [penalty.finite(q) for penalty in penalties]
    rough, rough_unit = features.rough_gram or (None, 1.0)
    solve_block(
        features.gram,
        q,
        moments.target_squared_norms,
        features.rounding,
        np.array([penalty.l1 for penalty in finite]),
        np.array([penalty.l2 for penalty in finite]),
        positive,
        tol,
        np.full(q.shape[0], max_iter, np.int32),
        weights,
        n_iter,
        kkt,
        gap,
        pivot,
        ties,
        rough,
        rough_unit,
    )
    fits = []
    for k, penalty in enumerate(penalties):
        kkt[k, penalty.empty] = gap[k, penalty.empty] = 0
        intercept = moments.target_means - weights[k] @ features.means
        solution = Solution(
            coef=weights[k],
            intercept=intercept.astype(q.dtype),
            n_iter=n_iter[k],
            kkt_violation=kkt[k],
            dual_gap=penalty.unit * gap[k],
            converged=kkt[k] <= tol,
            unique=np.ones(len(q), bool),
        )
        fits.append(KernelFit(solution, pivot[k], ties[k]))
    return fits
