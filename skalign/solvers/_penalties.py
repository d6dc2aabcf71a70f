"""The four penalties of scikit-learn's linear models, in one scale.

Every penalty is ``1/2 |y - Xw|^2 + l1 |w|_1 + l2/2 |w|^2`` up to a factor, its *unit*: the
objective in scikit-learn's scale is the unit times that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from skalign.utils import Doubles, Flags, Floats, check_numbers

Penalty = Literal["ols", "ridge", "lasso", "elasticnet"]
PENALTIES: tuple[str, ...] = get_args(Penalty)


@dataclass(frozen=True, eq=False)
class PenaltyStrengths:
    """Strengths of a penalty in the scale of the residual sum of squares.

    Parameters
    ----------
    l1, l2 : ndarray of shape (n_targets,)
        Strengths of the absolute and of the squared penalty; infinite for an empty target.
    unit : float
        Factor from ``1/2 |y - Xw|^2 + ...`` to scikit-learn's objective.
    """

    l1: Doubles
    l2: Doubles
    unit: float

    @cached_property
    def empty(self) -> Flags:
        """Whether a target is left empty: its alpha is infinite."""
        return np.isinf(self.l1) | np.isinf(self.l2)

    def take(self, targets: Any) -> PenaltyStrengths:
        """Choose targets.

        Parameters
        ----------
        targets : slice, ndarray of int or ndarray of bool
            The targets to keep.

        Returns
        -------
        PenaltyStrengths
            Their strengths.
        """
        return PenaltyStrengths(self.l1[targets], self.l2[targets], self.unit)

    def finite(self, q: Floats) -> PenaltyStrengths:
        """Replace infinite strengths by an l1 penalty that leaves the target as empty.

        Parameters
        ----------
        q : ndarray of shape (n_targets, n_features)
            Products of targets and features.

        Returns
        -------
        PenaltyStrengths
            Strengths that are finite.
        """
        empty = self.empty
        if not empty.any():
            return self
        l1, l2 = self.l1.copy(), np.where(empty, 0, self.l2)
        l1[empty] = 2 * np.abs(q[empty]).max(axis=1, initial=0) + np.finfo(q.dtype).tiny
        return PenaltyStrengths(l1, l2, self.unit)


def penalty_strengths(
    penalty: Penalty,
    alpha: ArrayLike,
    l1_ratio: ArrayLike,
    *,
    n_targets: int,
    total_weight: float,
) -> PenaltyStrengths:
    """Compute the strengths of the two penalties, as scikit-learn scales them.

    Parameters
    ----------
    penalty : {"ols", "ridge", "lasso", "elasticnet"}
        Which of scikit-learn's linear models.
    alpha : float or array-like of shape (n_targets,)
        Strength of the penalty, one for all targets or one per target; infinite for targets that
        stay empty. "ols" ignores finite ones.
    l1_ratio : float or array-like of shape (n_targets,)
        Share of the l1 penalty; used by "elasticnet" only.
    n_targets : int
        Number of targets.
    total_weight : float
        Sum of the sample weights; the number of samples if there are none.

    Returns
    -------
    PenaltyStrengths
        ``l1`` and ``l2`` per target, and the unit of the objective.

    Raises
    ------
    TypeError
        If alpha or l1_ratio is not made of numbers.
    ValueError
        If the penalty is unknown, alpha is negative or of the wrong length, or l1_ratio lies
        outside [0, 1].

    Examples
    --------
    An ``alpha`` of 0.1 is n times weaker for ridge than for lasso:

    >>> from skalign.solvers import penalty_strengths
    >>> penalty_strengths("lasso", 0.1, 0.5, n_targets=1, total_weight=100.0).l1
    array([10.])
    >>> penalty_strengths("ridge", 0.1, 0.5, n_targets=1, total_weight=100.0).l2
    array([0.1])
    """
    if penalty not in PENALTIES:
        raise ValueError(f"penalty must be one of {', '.join(PENALTIES)}; got {penalty!r}.")
    alphas = check_numbers(alpha, "alpha must be a number or one number per target")
    if alphas.ndim > 1 or (alphas.ndim == 1 and alphas.shape[0] != n_targets):
        raise ValueError(
            f"alpha must be one number or one per target, {n_targets} here; got shape "
            f"{alphas.shape}."
        )
    if not (alphas >= 0).all():
        raise ValueError(
            f"alpha must not be negative, nor NaN; got {alpha!r}. Use alpha=0 for no penalty."
        )
    zeros, alphas = np.zeros(n_targets), np.array(np.broadcast_to(alphas, n_targets))
    if penalty == "ols":
        return PenaltyStrengths(np.where(np.isinf(alphas), np.inf, zeros), zeros, 1.0)
    shares = check_numbers(
        l1_ratio, "l1_ratio must be a number between 0 and 1, or one such number per target"
    )
    if shares.shape == (n_targets,):  # an empty target needs none
        shares = np.where(np.isinf(alphas) & np.isnan(shares), 0.5, shares)
    if not (shares.shape in ((), (n_targets,)) and ((shares >= 0) & (shares <= 1)).all()):
        raise ValueError(
            "l1_ratio must be a number between 0 and 1, or one such number per target; got "
            f"{l1_ratio!r}."
        )
    match penalty:
        case "ridge":
            return PenaltyStrengths(zeros, alphas, 2.0)
        case "lasso":
            return PenaltyStrengths(total_weight * alphas, zeros, 1 / total_weight)
        case _:
            strength = total_weight * alphas
            with np.errstate(invalid="ignore"):
                l1 = np.where(np.isinf(alphas), np.inf, strength * shares)
                l2 = np.where(np.isinf(alphas), np.inf, strength * (1 - shares))
            return PenaltyStrengths(l1, l2, 1 / total_weight)
