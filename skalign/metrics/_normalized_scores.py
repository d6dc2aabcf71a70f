"""Scores as shares of what the noise of their targets allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skalign.metrics._noise_ceiling import NoiseCeiling, Unit, check_unit
from skalign.utils import Doubles, check_number


def normalize_scores(
    scores: ArrayLike, ceiling: NoiseCeiling, *, unit: Unit, undefined: float = np.nan
) -> Doubles:
    """Divide scores by the noise ceiling: 1 is the best that the noise allows.

    Parameters
    ----------
    scores : array-like of shape (..., n_targets)
        Correlations, or shares of explained variance. Rows may be models.
    ceiling : NoiseCeiling
        One value for every target, in the unit of the scores.
    unit : {"r", "variance"}
        Unit of the scores.
    undefined : float, default=nan
        Value for a target whose ceiling is 0 or NaN.

    Returns
    -------
    ndarray of the shape of `scores`
        Scores divided by the ceiling; high is good, above 1 by chance.

    Raises
    ------
    TypeError
        If `ceiling` is an array, which has no unit.
    ValueError
        If the units differ, the ceiling has another number of targets, or an r lies outside
        [-1, 1].

    See Also
    --------
    noise_ceiling : Compute the ceiling.
    PearsonScorer : The same division in searches and cross-validation.

    Examples
    --------
    >>> from skalign.metrics import noise_ceiling, normalize_scores
    >>> ceiling = noise_ceiling([0.4, 1.0], n_repeats=3)
    >>> normalize_scores([0.4, 0.4], ceiling, unit="r").round(2)
    array([0.7 , 0.46])
    >>> normalize_scores([0.16, 0.16], ceiling.to_unit("variance"), unit="variance").round(2)
    array([0.49, 0.21])
    """
    if not isinstance(ceiling, NoiseCeiling):
        raise TypeError(
            "ceiling must be a NoiseCeiling, which has a unit; got a "
            f"{type(ceiling).__name__}. Use noise_ceiling, or NoiseCeiling(values, unit)."
        )
    if check_unit(unit) != ceiling.unit:
        raise ValueError(
            f'ceiling must be in the unit of the scores, "{unit}"; got "{ceiling.unit}". '
            f'Give ceiling.to_unit("{unit}").'
        )
    undefined = check_number(undefined, "undefined")
    table = np.asarray(scores, dtype=np.float64)
    if table.shape[-1:] != ceiling.values.shape:
        raise ValueError(
            f"ceiling must have one value per target; got {ceiling.values.size} for scores of "
            f"shape {table.shape}. Use ceiling[mask] for some of the targets."
        )
    if unit == "r" and (np.abs(table) > 1 + 1e-9).any():
        largest = table.flat[np.nanargmax(np.abs(table))]
        raise ValueError(
            f'scores must be from -1 to 1 with unit="r"; got {largest:g}. Give unit="variance" for '
            "shares of variance."
        )
    is_defined = ceiling.values > 0
    return np.where(is_defined, table / np.where(is_defined, ceiling.values, 1), undefined)
