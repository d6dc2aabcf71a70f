"""Wide designs: the full Gram is never formed, only that of the features that become active."""

import numpy as np

from skalign.solvers._design import Design
from skalign.solvers._gram import gram_of
from skalign.solvers._kernel import solve_block
from skalign.utils import Array, check_interrupt

# Features that a target may bring in the first round; twice as many in each later one.
ENTER_TOGETHER = 16


def solve_working_set(
    design: Design,
    prepared: Array,
    q: Array,
    squared_norms: Array,
    *,
    l1: Array,
    l2: Array,
    positive: bool,
    tol: float,
    max_iter: int,
    coef: Array,
    n_iter: Array,
) -> tuple[Array, Array]:
    """Solve a block of targets over a growing set of features that its targets share.

    Parameters
    ----------
    design : Design
        Prepared features.
    prepared : ndarray of shape (n_samples, n_targets)
        Prepared targets.
    q : ndarray of shape (n_targets, n_features)
        Features times prepared targets.
    squared_norms : ndarray of shape (n_targets,)
        Squared norms of the prepared targets.
    l1, l2 : ndarray of shape (n_targets,)
        Penalties in the scale of the residual sum of squares.
    positive : bool
        Whether weights must not be negative.
    tol : float
        Bound on the KKT violation.
    max_iter : int
        Bound on the iterations of every target.
    coef : ndarray of shape (n_targets, n_features)
        The start on entry, the solution on return.
    n_iter : ndarray of shape (n_targets,)
        Written: iterations of every target.

    Returns
    -------
    residual : ndarray of shape (n_samples, n_targets)
        The residual, computed from the weights.
    pivot : ndarray of shape (n_targets,)
        Least squared sine between an active feature and those before it.
    """
    n_targets = q.shape[0]
    allowed = tol * np.sqrt(squared_norms)[:, None].astype(design.dtype)
    bound = l1[:, None].astype(design.dtype)
    inverse = np.zeros_like(design.norms)
    np.divide(1, design.norms, out=inverse, where=design.norms > 0)
    inverse = inverse.astype(design.dtype)
    kkt, gap, pivot = np.ones((3, 1, n_targets))
    spent, ties = np.empty((2, 1, n_targets), np.int32)
    n_iter[:] = 0
    working = np.flatnonzero(coef.any(axis=0))
    columns = design.columns(working)
    residual, gram = prepared, None
    together = ENTER_TOGETHER
    while True:
        check_interrupt()
        if working.size:
            gram = gram_of(columns, gram)
            solution = np.ascontiguousarray(coef[np.newaxis, :, working])
            solve_block(
                gram,
                np.ascontiguousarray(q[:, working]),
                squared_norms,
                design.rounding,
                l1[np.newaxis],
                l2[np.newaxis],
                positive,
                tol,
                max_iter - n_iter,
                solution,
                spent,
                kkt,
                gap,
                pivot,
                ties,
            )
            n_iter += spent[0]
            coef[:, working] = solution[0]
            residual = prepared - columns @ solution[0].T
        gradient = design.cross(residual)
        excess = ((gradient if positive else np.abs(gradient)) - bound) * inverse
        excess[:, working] = 0
        excess[n_iter >= max_iter] = 0
        bar = np.maximum(0.5 * allowed, _nth_largest(excess, together))
        entering = np.flatnonzero(((excess >= bar) & (excess > 0)).any(axis=0))
        if entering.size == 0:
            np.maximum(n_iter, 1, out=n_iter)
            return residual, pivot[0]
        together *= 2
        working = np.concatenate([working, entering])
        columns = np.concatenate([columns, design.columns(entering)], axis=1)


def _nth_largest(A: Array, n: int) -> Array:
    """The n-th largest value of every row, as a column; the smallest where there are fewer."""
    n = min(n, A.shape[1])
    return np.partition(A, -n, axis=1)[:, [-n]]
