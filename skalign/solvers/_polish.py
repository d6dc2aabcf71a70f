"""Exact weights through the features themselves, for supports that a Gram cannot tell apart.

A Gram squares the condition number. Where the active features of a target are nearly dependent, its
weights lose twice the digits that a QR factorization of those features loses. So the support that
the kernel found is solved again by QR in double precision, features that leave the orthant drop
out, and violators enter, until the optimality conditions hold for the residual.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lstsq, qr, solve_triangular

from skalign.solvers._design import Design
from skalign.solvers._least_squares import powers_of_two
from skalign.utils import Doubles, Floats, Indices, check_interrupt

ROUNDS = 30  # steps on the support of one target, beyond one for each active feature
TIGHT = 1e-13  # correlation that rounding leaves of a gradient


def polish(
    design: Design, y: Doubles, coef: Floats, l1: float, l2: float, *, positive: bool
) -> Doubles:
    """Solve one target again from the support of weights.

    Parameters
    ----------
    design : Design
        Prepared features, in double precision.
    y : ndarray of shape (n_samples,)
        Prepared target, not zero.
    coef : ndarray of shape (n_features,)
        Weights, nearly optimal.
    l1, l2 : float
        Penalties in the scale of the residual sum of squares.
    positive : bool
        Whether weights must not be negative.

    Returns
    -------
    ndarray of shape (n_features,)
        Weights; the caller compares how optimal they are.
    """
    w = coef.astype(np.float64)
    active, size = np.flatnonzero(w), float(np.linalg.norm(y))
    signs, best, least = np.sign(w), w.copy(), np.inf
    for _ in range(len(active) + ROUNDS):
        check_interrupt()
        found = _on_support(design, y, active, l1 * signs[active], l2)
        stays = found * signs[active] > 0
        if not stays.all():  # as far as the first weight that reaches zero
            now, step = w[active], found - w[active]
            falls = ~stays & (step != 0)
            reach = np.full(len(active), np.inf)
            reach[falls] = -now[falls] / step[falls]
            t = min(1.0, reach.min())
            w[active] = np.where(reach <= t, 0, now + t * step)
            w[np.sign(w) != signs] = 0
            active = active[w[active] != 0]
            signs[np.setdiff1d(np.flatnonzero(signs), active)] = 0
            continue
        w[active] = found
        gradient = design.cross((y - design.predict(w[np.newaxis])[0:, 0])[:, np.newaxis])[0]
        gradient = gradient - l2 * w
        excess = (gradient if positive else np.abs(gradient)) - l1
        excess[active] = np.abs(gradient[active] - l1 * signs[active])
        excess = np.divide(
            excess, design.norms * size, out=np.zeros_like(w), where=design.norms > 0
        )
        worst = excess.max(initial=0)
        if worst < least:
            best, least = w.copy(), worst
        excess[active] = 0
        enters = int(np.argmax(excess))
        if excess[enters] <= TIGHT:
            break
        active, signs[enters] = np.sort(np.append(active, enters)), np.sign(gradient[enters])
    return best


def _on_support(design: Design, y: Doubles, active: Indices, l1: Doubles, l2: float) -> Doubles:
    """Minimizer over the active features, whose signs are known; of minimum norm if dependent."""
    norms = np.hypot(design.norms[active], np.sqrt(l2))
    units = powers_of_two(norms)
    A = design.columns(active).astype(np.float64) * units
    if l2 > 0:
        A = np.concatenate([A, np.diag(np.sqrt(l2) * units)])
        y = np.concatenate([y, np.zeros(len(active))])
    Q, R = qr(A, mode="economic", check_finite=False)
    diagonal = np.abs(R.diagonal())
    rounding = max(A.shape) * np.finfo(np.float64).eps
    if A.shape[0] < A.shape[1] or diagonal.min(initial=np.inf) <= rounding * diagonal.max(
        initial=0
    ):
        right = y - lstsq(A.T, l1 * units, check_finite=False)[0]
        return units * lstsq(A, right, cond=rounding, check_finite=False)[0]
    shrunk: Doubles = Q.T @ y - solve_triangular(R, l1 * units, trans="T")
    return units * solve_triangular(R, shrunk)
