"""Wide designs: the full Gram is never formed; every target has the one of the features it tries.

Gradients over all features are taken for all targets of a block in one product, and only once a
target is solved on the features it tries.
"""

import numpy as np

from skalign.solvers._design import Design
from skalign.solvers._gram import gram_of
from skalign.solvers._kernel import solve_block
from skalign.utils import Array, Indices, check_interrupt

ENTER_TOGETHER = 64  # features that a target may bring in a round, or as many as it has already
GRAM_BYTES = 2**26  # of all targets of a block, kept from one round to the next


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
) -> tuple[Array, Array, Array]:
    """Solve a block of targets, each over its own growing set of features.

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
    dtype = design.dtype
    allowed = 0.5 * tol * np.sqrt(squared_norms)
    inverse = np.zeros_like(design.norms)
    np.divide(1, design.norms, out=inverse, where=design.norms > 0)
    inverse = inverse.astype(dtype)
    kkt, gap, sine = np.ones((3, 1, 1))
    pivot = np.ones(n_targets)
    spent, ties = np.empty((2, 1, 1), np.int32)
    n_iter[:] = 0
    residual = np.array(prepared, order="F")
    tried = [np.flatnonzero(weights) for weights in coef]
    grams: dict[int, Array] = {}
    started = np.array([features.size > 0 for features in tried])
    gradient, unsolved = np.array(q), np.arange(n_targets)
    while unsolved.size:
        again = []
        for target in unsolved.tolist():
            check_interrupt()
            if not started[target]:
                slope = gradient[target]
                excess = ((slope if positive else np.abs(slope)) - dtype.type(l1[target])) * inverse
                excess[tried[target]] = 0
                entering = _worst(excess, allowed[target], max(ENTER_TOGETHER, tried[target].size))
                if not entering.size or n_iter[target] >= max_iter:
                    continue
                tried[target] = np.concatenate([tried[target], entering])
            started[target] = False
            again.append(target)
            columns = design.columns(tried[target])
            gram = gram_of(columns, grams.pop(target, None))
            weights = coef[np.newaxis, np.newaxis, target, tried[target]]
            solve_block(
                gram,
                q[np.newaxis, target, tried[target]],
                squared_norms[target : target + 1],
                design.rounding,
                l1[np.newaxis, target : target + 1],
                l2[np.newaxis, target : target + 1],
                positive,
                tol,
                max_iter - n_iter[target : target + 1],
                weights,
                spent,
                kkt,
                gap,
                sine,
                ties,
            )
            pivot[target] = sine[0, 0]
            n_iter[target] += spent[0, 0]
            coef[target, tried[target]] = weights[0, 0]
            residual[:, target] = prepared[:, target] - columns @ weights[0, 0]
            if sum(kept.nbytes for kept in grams.values()) + gram.nbytes <= GRAM_BYTES:
                grams[target] = gram
        unsolved = np.array(again, dtype=int)
        if unsolved.size:
            gradient[unsolved] = design.cross(residual[:, unsolved])
    np.maximum(n_iter, 1, out=n_iter)
    return residual, gradient, pivot


def _worst(excess: Array, allowed: float, most: int) -> Indices:
    """Up to `most` features whose excess is the largest, and not allowed, in ascending order."""
    violating = np.flatnonzero(excess > allowed)
    if violating.size <= most:
        return violating
    largest = np.argpartition(excess[violating], -most)[-most:]
    return np.sort(violating[largest])
