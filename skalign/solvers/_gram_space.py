"""A block of targets in Gram space: the kernel, and closed forms while a Gram allows them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from skalign.solvers._certificate import over_norms
from skalign.solvers._kernel import solve_block
from skalign.solvers._least_squares import CONDITION_LIMIT
from skalign.solvers._moments import Moments
from skalign.solvers._penalties import PenaltyStrengths
from skalign.solvers._solution import Solution, empty_solution, put_solution


def has_closed_form(penalty: PenaltyStrengths, *, positive: bool) -> NDArray[np.bool_]:
    """Which targets are least squares, without signs and without an l1 penalty."""
    return (penalty.l1 == 0) & (not positive) & ~penalty.empty


def solve_in_gram_space(
    moments: Moments,
    penalties: Sequence[PenaltyStrengths],
    coef: NDArray | None,
    *,
    positive: bool,
    tol: float,
    max_iter: int,
) -> list[Solution]:
    """Solve a block under one penalty after the other, the first from the weights `coef`."""
    through_kernel = partial(_through_kernel, positive=positive, tol=tol, max_iter=max_iter)
    if not any(has_closed_form(penalty, positive=positive).any() for penalty in penalties):
        return through_kernel(moments, penalties, coef)
    solutions: list[Solution] = []
    for penalty in penalties:
        closed = has_closed_form(penalty, positive=positive)
        solution = empty_solution(moments.target_means, len(moments.gram), moments.q.dtype)
        least_squares = _least_squares(moments.take(targets=closed), penalty.take(closed), tol)
        put_solution(solution, closed, least_squares)
        others = ~closed & ~penalty.empty
        if others.any():
            start = None if coef is None else coef[others]
            (found,) = through_kernel(moments.take(targets=others), [penalty.take(others)], start)
            put_solution(solution, others, found)
        coef = solution.coef
        solutions.append(solution)
    return solutions


def _through_kernel(
    moments: Moments,
    penalties: Sequence[PenaltyStrengths],
    coef: NDArray | None,
    *,
    positive: bool,
    tol: float,
    max_iter: int,
) -> list[Solution]:
    q, features = moments.q, moments.features
    shape = len(penalties), q.shape[0]
    weights = np.empty((*shape, q.shape[1]), q.dtype)
    weights[0] = 0 if coef is None else coef
    kkt, gap, pivot = np.empty((3, *shape))
    n_iter, ties = np.empty((2, *shape), np.int32)
    finite = [penalty.finite(q) for penalty in penalties]
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
    )
    solutions = []
    for k, penalty in enumerate(penalties):
        kkt[k, penalty.empty] = gap[k, penalty.empty] = 0
        intercept = moments.target_means - weights[k] @ features.means
        solutions.append(
            Solution(
                coef=weights[k],
                intercept=intercept.astype(q.dtype),
                n_iter=n_iter[k],
                kkt_violation=kkt[k],
                dual_gap=penalty.unit * gap[k],
                converged=kkt[k] <= tol,
            )
        )
    return solutions


def _least_squares(moments: Moments, penalty: PenaltyStrengths, tol: float) -> Solution:
    """Least squares by the eigenvalues of the Gram, of minimum norm where not unique.

    A Gram squares the condition number, and optimality in Gram space does not notice. So where
    the condition is beyond its limit, the violation is infinite: nothing is certified.
    """
    q, gram, l2 = moments.q, moments.gram, penalty.l2[:, None]
    values, vectors = moments.features.spectrum
    largest = values.max(initial=0)
    limit = CONDITION_LIMIT[gram.dtype]
    # Eigenvalues at rounding level are those of directions that no image has.
    rounding = len(values) * np.finfo(gram.dtype).eps * largest
    kept = (values > rounding) | (l2 * limit >= largest + l2)
    kept &= values + l2 > 0
    factor = np.zeros(kept.shape)
    np.divide(1, values + l2, out=factor, where=kept)
    coef = ((q @ vectors) * factor @ vectors.T).astype(q.dtype)
    coef[:, moments.features.norms == 0] = 0
    ill_conditioned = (kept & ((values + l2) * limit < largest + l2)).any(axis=1)

    gradient = np.abs(q - coef @ gram - l2.astype(q.dtype) * coef)
    norms, squared_norms = moments.features.norms, moments.target_squared_norms
    kkt = over_norms(gradient, norms, squared_norms).max(axis=1, initial=0)
    kkt[ill_conditioned] = np.inf
    # What rounding errors may have done to the gradient counts as well.
    size = np.sqrt(squared_norms) + np.abs(coef) @ norms
    gradient = gradient + (moments.features.rounding * size)[:, None] * norms
    gap = np.full(len(q), np.nan)
    squares = np.einsum("ij,ij->i", gradient, gradient, dtype=np.float64)
    np.divide(squares, 2 * penalty.l2, out=gap, where=penalty.l2 > 0)
    intercept = moments.target_means - coef @ moments.features.means
    return Solution(
        coef=coef,
        intercept=intercept.astype(q.dtype),
        n_iter=np.ones(len(q), np.int32),
        kkt_violation=kkt,
        dual_gap=penalty.unit * gap,
        converged=kkt <= tol,
    )
