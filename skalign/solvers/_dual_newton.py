"""Nonnegative ridge on far more features than images: Newton steps for the residual.

With a ridge penalty the weights follow from the residual r at the minimum, w = (X'r - l1)+ / l2,
and r is the only minimum of

    1/2 |r|^2 - y'r + |(X'r - l1)+|^2 / (2 l2),

which has as many unknowns as there are images, however many features are active. It is quadratic
wherever no feature enters or leaves, so that a few Newton steps end on it exactly.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from skalign.utils import Doubles, Flags, check_interrupt

EXACT = 1e-14  # gradient over |y| at which steps end
TRIALS = 40  # points at which the slope along one step is looked at
FLAT = 0.1  # a slope below this fraction of the first one ends a step
STALLED = 3  # steps without progress after which rounding is all that is left


def solve_by_residual(
    X: Doubles, y: Doubles, l1: float, l2: float, start: Doubles, max_iter: int
) -> tuple[Doubles, int]:
    """Solve one target with nonnegative weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Prepared features.
    y : ndarray of shape (n_samples,)
        Prepared target.
    l1, l2 : float
        Penalties in the scale of the residual sum of squares; `l2` is above 0.
    start : ndarray of shape (n_features,)
        Weights to start from.
    max_iter : int
        Bound on the Newton steps.

    Returns
    -------
    w : ndarray of shape (n_features,)
        Weights.
    n_iter : int
        Newton steps taken.
    """
    size = float(np.linalg.norm(y))
    w, least, stalled, n_iter = np.zeros(X.shape[1]), np.inf, 0, 0
    if size == 0:
        return w, n_iter
    system = ActiveKernel(X)
    r = y - X @ start
    if not start.any():
        r = _start(X, y, l1, l2)
    reached = X.T @ r
    while True:
        check_interrupt()
        pulled = np.maximum(reached - l1, 0)
        gradient = r - y + X @ (pulled / l2)
        length = float(np.linalg.norm(gradient)) / size
        stalled = 0 if length < 0.5 * least else stalled + 1
        if length < least:
            w, least = pulled / l2, length
        if length <= EXACT or stalled == STALLED or n_iter >= max_iter:
            return w, n_iter
        n_iter += 1
        try:
            step = system.solve(pulled > 0, l2, -l2 * gradient)
        except LinAlgError:  # l2 is nothing beside the features
            return w, n_iter
        along = X.T @ step
        t = _step_length(r - y, step, reached - l1, along, l2)
        r, reached = r + t * step, reached + t * along


class ActiveKernel:
    """Products of images over the active features, changed as those change.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features of the images.
    """

    def __init__(self, X: Doubles) -> None:
        self._rows = np.ascontiguousarray(X.T)  # a feature each
        self._active = np.zeros(X.shape[1], bool)
        self._kernel = np.zeros((len(X), len(X)))

    def solve(self, active: Flags, l2: float, right: Doubles) -> Doubles:
        """Solve ``(A A' + l2 I) x = right``, A the columns of the active features."""
        enters, leaves = active & ~self._active, self._active & ~active
        if enters.sum() + leaves.sum() < active.sum():
            self._kernel += _products(self._rows[enters])
            self._kernel -= _products(self._rows[leaves])
        else:
            self._kernel = _products(self._rows[active])
        self._active = active
        matrix = self._kernel.copy()
        matrix[np.diag_indices_from(matrix)] += l2
        factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
        found: Doubles = cho_solve(factor, right, check_finite=False)
        return found


def _products(rows: Doubles) -> Doubles:
    products: Doubles = rows.T @ rows
    return products


def _start(X: Doubles, y: Doubles, l1: float, l2: float) -> Doubles:
    """The best residual that is a multiple of the target."""
    return _step_length(-y, y, np.full(X.shape[1], -l1), X.T @ y, l2) * y


def _step_length(
    difference: Doubles, step: Doubles, excess: Doubles, along: Doubles, l2: float
) -> float:
    """How far to go: the whole step, or to where the slope is nearly 0.

    `difference` is r - y; `excess` is X'r - l1, and `along` how much it changes.
    """

    def slope(t: float) -> float:
        of_weights = np.maximum(excess + t * along, 0) @ along / l2
        return float((difference + t * step) @ step + of_weights)

    low, high, at_low, at_high = 0.0, 1.0, slope(0.0), slope(1.0)
    first = -at_low
    if not (first > 0 and at_high > FLAT * first):
        return 1.0
    for trial in range(TRIALS):
        secant = low - at_low * (high - low) / (at_high - at_low)
        t = 0.5 * (low + high) if trial % 3 == 2 else secant  # secants alone may creep
        at_t = slope(t)
        if abs(at_t) <= FLAT * first:
            break
        if at_t > 0:
            high, at_high = t, at_t
        else:
            low, at_low = t, at_t
    return t
