"""What a solver returns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights of many targets with the certificate of each.

    Parameters
    ----------
    coef : ndarray of shape (n_targets, n_features)
        Weights.
    intercept : ndarray of shape (n_targets,)
        Intercepts; zeros where none was asked for.
    n_iter : ndarray of shape (n_targets,)
        Rounds of the active set plus Newton steps; 1 for closed forms.
    kkt_violation : ndarray of shape (n_targets,)
        Largest violation of the optimality conditions, over ``|x_j| |y|`` of the (centered,
        weighted) data: a correlation, 0 where exact, which no rescaling of units changes.
    dual_gap : ndarray of shape (n_targets,)
        Upper bound on how far the objective lies above its minimum, rounding errors included,
        in the objective's own units; NaN without any penalty, where no dual point is feasible.
    converged : ndarray of shape (n_targets,), dtype bool
        Whether ``kkt_violation`` is at most the tolerance.
    """

    coef: NDArray[np.floating]
    intercept: NDArray[np.floating]
    n_iter: NDArray[np.int32]
    kkt_violation: NDArray[np.float64]
    dual_gap: NDArray[np.float64]
    converged: NDArray[np.bool_]
