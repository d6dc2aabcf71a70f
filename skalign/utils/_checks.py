"""Checks of arguments that several packages take: flags, numbers and sample weights."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_flag(value: Any, name: str) -> bool:
    """Check that a parameter is True or False.

    Parameters
    ----------
    value : Any
        What was given.
    name : str
        Name of the parameter, for the message.

    Returns
    -------
    bool
        The value.

    Raises
    ------
    TypeError
        If it is neither.

    Examples
    --------
    >>> from skalign.utils import check_flag
    >>> check_flag(True, "positive")
    True
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}.")
    return bool(value)


def check_number(value: Any, name: str) -> float:
    """Check that a parameter is a real number; NaN is one, a string of digits is not.

    Parameters
    ----------
    value : Any
        What was given.
    name : str
        Name of the parameter, for the message.

    Returns
    -------
    float
        The value.

    Raises
    ------
    TypeError
        If it is not a number.

    Examples
    --------
    >>> from skalign.utils import check_number
    >>> check_number(2, "undefined")
    2.0
    """
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number (NaN included); got {value!r}.")
    return float(value)


def check_sample_weight(
    sample_weight: ArrayLike, n_samples: int, name: str = "sample_weight"
) -> NDArray[np.float64]:
    """One finite weight per sample, not negative and not all zero.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,)
        Weights of the samples.
    n_samples : int
        How many there must be.
    name : str, default="sample_weight"
        Name of the parameter, for the message.

    Returns
    -------
    ndarray of shape (n_samples,)
        The weights in float64.

    Raises
    ------
    ValueError
        If there is not one weight per sample, or weights are negative, not finite or all zero.

    Examples
    --------
    >>> from skalign.utils import check_sample_weight
    >>> check_sample_weight([1, 2], 2)
    array([1., 2.])
    """
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(
            f"{name} must be 1-D, one weight per sample, {n_samples} here; got shape "
            f"{weight.shape}."
        )
    if not np.isfinite(weight).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity.")
    if (weight < 0).any() or not weight.any():
        raise ValueError(
            f"{name} must not be negative, nor zero for every sample; got weights from "
            f"{weight.min():g} to {weight.max():g}."
        )
    return weight
