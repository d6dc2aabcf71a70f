"""The four penalties of scikit-learn's linear models, in one scale.

Every penalty is ``1/2 |y - Xw|^2 + l1 |w|_1 + l2/2 |w|^2`` up to a factor, its *unit*: the
objective in scikit-learn's scale is the unit times that.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Penalty = Literal["ols", "ridge", "lasso", "elasticnet"]
PENALTIES: tuple[str, ...] = get_args(Penalty)


class Scale(NamedTuple):
    """A penalty in the scale of the residual sum of squares.

    Attributes
    ----------
    l1, l2 : ndarray of shape (n_targets,)
        Strengths of the absolute and of the squared penalty.
    unit : float
        Factor from ``1/2 |y - Xw|^2 + ...`` to scikit-learn's objective.
    """

    l1: NDArray[np.float64]
    l2: NDArray[np.float64]
    unit: float


def penalty_scale(
    penalty: Penalty,
    alpha: ArrayLike,
    l1_ratio: ArrayLike,
    *,
    n_targets: int,
    total_weight: float,
) -> Scale:
    """Strengths of the two penalties as scikit-learn scales them.

    Parameters
    ----------
    penalty : {"ols", "ridge", "lasso", "elasticnet"}
        Which of scikit-learn's linear models.
    alpha : float or array-like of shape (n_targets,)
        Its strength, one for all targets or one per target; not looked at by "ols".
    l1_ratio : float or array-like of shape (n_targets,)
        Share of the l1 penalty; only looked at by "elasticnet".
    n_targets : int
        Number of targets.
    total_weight : float
        Sum of the sample weights; the number of samples where there are none.

    Returns
    -------
    Scale
        ``l1`` and ``l2`` per target, and the unit of the objective.

    Raises
    ------
    TypeError
        If alpha is not made of numbers.
    ValueError
        If the penalty is unknown, alpha is negative or of the wrong length, or l1_ratio lies
        outside [0, 1].

    Examples
    --------
    An ``alpha`` of 0.1 is n times weaker for ridge than for lasso:

    >>> from skalign.solvers import penalty_scale
    >>> penalty_scale("lasso", 0.1, 0.5, n_targets=1, total_weight=100.0).l1
    array([10.])
    >>> penalty_scale("ridge", 0.1, 0.5, n_targets=1, total_weight=100.0).l2
    array([0.1])
    """
    if penalty not in PENALTIES:
        raise ValueError(f"penalty must be one of {', '.join(PENALTIES)}; got {penalty!r}.")
    try:
        alphas = np.asarray(alpha, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"alpha must be a number or one number per target; got {alpha!r}."
        ) from None
    if alphas.ndim > 1 or (alphas.ndim == 1 and alphas.shape[0] != n_targets):
        raise ValueError(
            f"alpha must be one number or one per target, {n_targets} here; got shape "
            f"{alphas.shape}."
        )
    if not np.all(np.isfinite(alphas)) or np.any(alphas < 0):
        raise ValueError(
            f"alpha must be finite and not negative; got {alpha!r}. Use alpha=0 for no penalty."
        )
    try:
        shares = np.asarray(l1_ratio, dtype=np.float64)
    except (TypeError, ValueError):
        shares = np.array(np.nan)
    if not (shares.shape in ((), (n_targets,)) and ((shares >= 0) & (shares <= 1)).all()):
        raise ValueError(
            "l1_ratio must be a number between 0 and 1, or one such number per target; got "
            f"{l1_ratio!r}."
        )
    alphas = np.array(np.broadcast_to(alphas, n_targets))
    zeros = np.zeros(n_targets)
    match penalty:
        case "ols":
            return Scale(zeros, zeros, 1.0)
        case "ridge":
            return Scale(zeros, alphas, 2.0)
        case "lasso":
            return Scale(total_weight * alphas, zeros, 1 / total_weight)
        case _:
            strength = total_weight * alphas
            return Scale(strength * shares, strength * (1 - shares), 1 / total_weight)
