"""Targets whose scale leaves too few digits: squares out of range, spreads that drown in means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Targets whose mean is so many times their spread keep about four digits, or one in float32.
DROWNED = {np.dtype(np.float64): 1e12, np.dtype(np.float32): 1e6}
# Below this root mean square, squares and products of a target with features lose digits.
LEAST_SIZE = {np.dtype(np.float64): 1e-145, np.dtype(np.float32): 1e-30}


def check_scales(
    Y_block: NDArray[Any],
    numbers: NDArray[np.intp],
    means: NDArray[np.float64],
    squared_norms: NDArray[np.float64],
    total_weight: float,
    dtype: np.dtype,
) -> NDArray[np.bool_]:
    """Find the targets whose spread drowns in their mean; refuse those that are too small.

    Parameters
    ----------
    Y_block : ndarray of shape (n_samples, n_block)
        Targets as they were given.
    numbers : ndarray of int of shape (n_block,)
        Their numbers, for the error.
    means, squared_norms : ndarray of shape (n_block,)
        Their means; zeros without an intercept. Their squared norms, centered with an intercept.
    total_weight : float
        Sum of the sample weights.
    dtype : dtype
        Floating type of the computation.

    Returns
    -------
    ndarray of bool, shape (n_block,)
        Whether the mean of a target is 1e12 times its spread or more, 1e6 times in float32.

    Raises
    ------
    ValueError
        If a target is not constant, and too small for its squares to be computed.
    """
    spread = np.sqrt(squared_norms / total_weight)
    is_drowned = np.abs(means) >= DROWNED[dtype] * spread
    is_small = (spread < LEAST_SIZE[dtype]) & (np.abs(means) < LEAST_SIZE[dtype])
    doubtful = np.flatnonzero(is_drowned | is_small)
    if doubtful.size:  # a constant is neither
        columns = np.asarray(Y_block[:, doubtful])
        varies = (columns != columns[:1]).any(axis=0)
        is_drowned[doubtful] &= varies
        is_small[doubtful] &= varies
    is_drowned &= ~is_small
    if is_small.any():
        raise ValueError(
            f"y must be at least {LEAST_SIZE[dtype]:g} in size for {dtype}, where squares keep "
            f"their digits; got a root mean square of {spread[is_small][0]:g} in target "
            f"{numbers[is_small][0]}. Multiply y by a constant."
        )
    return is_drowned
