"""Checks of arguments that several packages take: flags, numbers, sample weights and groups."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skalign.utils._types import Doubles, Indices


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
    """Check that a parameter is a real number; NaN is one, a flag and a string of digits are not.

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
    if not _is_number(value):
        raise TypeError(f"{name} must be a real number (NaN included); got {value!r}.")
    return float(value)


def check_numbers(values: Any, rule: str) -> Doubles:
    """Check that a parameter is made of numbers; flags and strings of digits are none.

    Parameters
    ----------
    values : float or array-like
        What was given.
    rule : str
        What the parameter must be, for the message.

    Returns
    -------
    ndarray
        The numbers in float64.

    Raises
    ------
    TypeError
        If it is made of anything else.

    Examples
    --------
    >>> from skalign.utils import check_numbers
    >>> check_numbers([1, 2], "alphas must be numbers")
    array([1., 2.])
    """
    try:
        numbers = np.asarray(values)
        if numbers.dtype.kind not in "iuf" and not all(map(_is_number, numbers.flat)):
            raise TypeError
        return numbers.astype(np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{rule}; got {values!r}.") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_sample_weight(
    sample_weight: ArrayLike, n_samples: int, name: str = "sample_weight"
) -> Doubles:
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
    TypeError
        If weights are not numbers.
    ValueError
        If there is not one weight per sample, or weights are negative, not finite or all zero.

    Examples
    --------
    >>> from skalign.utils import check_sample_weight
    >>> check_sample_weight([1, 2], 2)
    array([1., 2.])
    """
    if np.asarray(sample_weight).dtype != bool:  # a mask keeps samples
        sample_weight = check_numbers(sample_weight, f"{name} must be one number per sample")
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


def check_groups(groups: ArrayLike, n_samples: int) -> Indices:
    """Check that every sample has a group, and number the groups.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        Label of the group of every sample, such as its run, session or subject.
    n_samples : int
        Number of labels that there must be.

    Returns
    -------
    ndarray of shape (n_samples,)
        Number of the group of every sample, from 0 in the order of the labels.

    Raises
    ------
    ValueError
        If there is not one label per sample, or a label is NaN.

    Examples
    --------
    >>> from skalign.utils import check_groups
    >>> check_groups(["run 2", "run 1", "run 2"], 3)
    array([1, 0, 1])
    """
    labels = np.asarray(groups)
    if labels.shape != (n_samples,):
        raise ValueError(
            f"groups must be 1-D, one label per sample, {n_samples} here; got shape {labels.shape}."
        )
    if (labels != labels).any():
        raise ValueError("groups must have a label for every sample; got NaN.")
    return np.unique(labels, return_inverse=True)[1]
