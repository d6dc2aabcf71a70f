"""A block of targets in Gram space: the kernel, and closed forms while a Gram allows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lapack

from skalign.solvers._certificate import over_norms, rounding_violation
from skalign.solvers._kernel_fits import solve_by_kernel
from skalign.solvers._least_squares import CONDITION_LIMIT, powers_of_two
from skalign.solvers._moments import Moments
from skalign.solvers._penalties import PenaltyStrengths
from skalign.solvers._solution import Solution, empty_solution, put_solution
from skalign.utils import Doubles, Flags, Floats, Indices


def has_closed_form(penalty: PenaltyStrengths, *, positive: bool) -> Flags:
    """Which targets are least squares, without signs and without an l1 penalty."""
    if positive:
        return np.zeros(len(penalty.l1), bool)
    closed: Flags = (penalty.l1 == 0) & ~penalty.empty
    return closed


def solve_in_gram_space(
    moments: Moments,
    penalties: Sequence[PenaltyStrengths],
    coef: Floats | None,
    *,
    positive: bool,
    tol: float,
    max_iter: int,
    columns: Callable[[Indices], Doubles] | None = None,
    polish: Callable[[PenaltyStrengths, Solution, Flags], None] | None = None,
) -> list[Solution]:
    """Solve a block under one penalty after the other, the first from the weights `coef`.

    With the images at hand, `columns` gives some of the features, and `polish` improves those
    targets of a solution in place that a Gram cannot solve to all digits.
    """
    through_kernel = partial(
        solve_by_kernel,
        positive=positive,
        tol=tol,
        max_iter=max_iter,
        columns=columns,
        polish=polish,
    )
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


def _least_squares(moments: Moments, penalty: PenaltyStrengths, tol: float) -> Solution:
    """Least squares by the eigenvalues of the Gram, of minimum norm where not unique.

    A Gram squares the condition number, and optimality in Gram space does not notice. So where
    the condition is beyond its limit, the violation is infinite: nothing is certified.
    """
    features, l2 = moments.features, penalty.l2
    coef, certain = _through_spectrum(moments, l2)
    kkt = _violations(moments, l2, coef, tol)
    kkt[~certain] = np.inf
    # Columns of unequal norms may be ill-conditioned for that reason only.
    for strength in np.unique(l2[kkt > tol]):
        some = (kkt > tol) & (l2 == strength)
        part = moments.take(targets=some)
        found = _on_equal_norms(part, strength)
        if found is not None:
            coef[some], kkt[some] = found, _violations(part, l2[some], found, tol)
    size = np.sqrt(moments.target_squared_norms) + np.abs(coef) @ features.norms
    slip = (features.rounding * size)[:, None] * features.norms  # of a gradient, by rounding
    most = np.abs(_gradient(moments, l2, coef)) + slip
    gap = np.full(len(coef), np.nan)
    squares = np.einsum("ij,ij->i", most, most, dtype=np.float64)
    np.divide(squares, 2 * l2, out=gap, where=l2 > 0)
    intercept = moments.target_means - coef @ features.means
    return Solution(
        coef=coef,
        intercept=intercept.astype(coef.dtype),
        n_iter=np.ones(len(coef), np.int32),
        kkt_violation=kkt,
        dual_gap=penalty.unit * gap,
        converged=kkt <= tol,
        unique=(l2 > 0) | _full_rank(moments),
    )


def _full_rank(moments: Moments) -> bool:
    """Whether no feature depends on the others, up to rounding errors."""
    values, _ = moments.features.spectrum
    rounding = len(values) * np.finfo(moments.q.dtype).eps * values.max(initial=0)
    return bool((values > rounding).sum() == np.count_nonzero(moments.features.norms))


def _through_spectrum(moments: Moments, l2: Doubles) -> tuple[Floats, Flags]:
    """Weights by the spectrum that all targets share, and whether its condition is moderate."""
    dtype = moments.q.dtype
    values, vectors = moments.features.spectrum
    largest, limit = values.max(initial=0), CONDITION_LIMIT[dtype]
    system = values + l2[:, None]
    # Eigenvalues at rounding level are those of directions that no image has.
    rounding = len(values) * np.finfo(dtype).eps * largest
    kept = (values > rounding) | (l2 * limit >= largest + l2)[:, None]
    kept &= system > 0
    factor = np.zeros(system.shape)
    np.divide(1, system, out=factor, where=kept)
    coef = ((moments.q @ vectors) * factor @ vectors.T).astype(dtype)
    coef[:, moments.features.norms == 0] = 0
    ill_conditioned = kept & (system * limit < (largest + l2)[:, None])
    return coef, ~ill_conditioned.any(axis=1)


def _on_equal_norms(moments: Moments, strength: float) -> Floats | None:
    """Weights by a Cholesky factor of the Gram on columns of one norm; None if ill-conditioned."""
    norms = np.sqrt(moments.features.norms**2 + strength)
    used = np.flatnonzero(norms)
    units = powers_of_two(norms[used])
    system = moments.gram[np.ix_(used, used)].astype(np.float64)
    system[np.diag_indices_from(system)] += strength
    system *= units
    system *= units[:, None]
    norm = np.abs(system).sum(axis=0).max(initial=0)
    try:
        factor, lower = cho_factor(system, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    reciprocal, _ = lapack.dpocon(factor, norm, uplo="L" if lower else "U")
    if not reciprocal * CONDITION_LIMIT[moments.q.dtype] > 1:
        return None
    coef = np.zeros_like(moments.q)
    coef[:, used] = units * cho_solve((factor, lower), units[:, None] * moments.q[:, used].T).T
    return coef


def _gradient(moments: Moments, l2: Doubles, coef: Floats) -> Floats:
    penalized = l2.astype(coef.dtype)[:, None] * coef
    gradient: Floats = moments.q - coef @ moments.gram - penalized
    return gradient


def _violations(moments: Moments, l2: Doubles, coef: Floats, tol: float) -> Doubles:
    """KKT violations (n_targets,), with what rounding errors hide once that is worth telling."""
    norms, squared_norms = moments.features.norms, moments.target_squared_norms
    gradient = np.abs(_gradient(moments, l2, coef))
    hidden = rounding_violation(norms, coef, squared_norms)
    violation: Doubles = over_norms(gradient, norms, squared_norms).max(axis=1, initial=0)
    return violation + np.where(hidden > 0.5 * tol, hidden, 0)
