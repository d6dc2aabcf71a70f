"""Targets whose scale leaves too few digits: means that drown the spread, values that vanish."""

from __future__ import annotations

import numpy as np

from skalign.utils import Array, Doubles, Indices

N_READ = 2**22  # numbers of doubtful targets that are read at a time

# Targets whose mean is so many times their spread keep about four digits, or one in float32.
DROWNED = {np.dtype(np.float64): 1e12, np.dtype(np.float32): 1e6}


def check_not_vanished(
    Y_block: Array, numbers: Indices, means: Doubles, squared_norms: Doubles, dtype: np.dtype
) -> None:
    """Check that targets which are not constant are not zero in the type of the computation.

    Parameters
    ----------
    Y_block : ndarray of shape (n_samples, n_block)
        Targets as they were given.
    numbers : ndarray of int of shape (n_block,)
        Their numbers, for the error.
    means, squared_norms : ndarray of shape (n_block,)
        Their means; zeros without an intercept. Their squared norms, centered with an intercept.
    dtype : dtype
        Floating type of the computation.

    Raises
    ------
    ValueError
        If a target is not constant, but zero in that floating type.
    """
    is_zero = np.flatnonzero((means == 0) & (squared_norms == 0))
    if not is_zero.size:
        return
    columns = np.asarray(Y_block[:, is_zero])
    vanished = is_zero[(columns != columns[:1]).any(axis=0)]
    if vanished.size:
        raise ValueError(
            f"y must have values that {dtype}, the type of X, can hold; got values too small in "
            f"target {numbers[vanished[0]]}. Scale y."
        )


def find_drowned(Y: Array, dtype: np.dtype) -> Indices:
    """Find the targets whose spread drowns in their mean.

    Only targets whose first and last response are close enough for that are read, so this costs two
    rows of most data.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_targets)
        Targets; NaN is a missing response.
    dtype : dtype
        Floating type of the computation.

    Returns
    -------
    ndarray of int
        Numbers of the targets that are not constant, and whose mean is 1e12 times their spread or
        more, 1e6 times in float32.
    """
    limit = DROWNED[dtype]
    first, last = (np.asarray(Y[row], dtype=np.float64) for row in (0, -1))
    # No response of such a target is farther from the mean than sqrt(n_samples) spreads.
    reach = 4 * np.sqrt(len(Y)) / limit * np.maximum(np.abs(first), np.abs(last))
    doubtful = np.flatnonzero(~(np.abs(first - last) > reach))  # NaN is doubtful, too
    if not doubtful.size:
        return doubtful
    n_at_once = max(1, N_READ // len(Y))
    found = []
    for start in range(0, doubtful.size, n_at_once):
        numbers = doubtful[start : start + n_at_once]
        columns = np.asarray(Y[:, numbers], dtype=np.float64)
        varies = np.fmax.reduce(columns) > np.fmin.reduce(columns)
        numbers, columns = numbers[varies], columns[:, varies]
        _, exponents = np.frexp(np.fmax.reduce(np.abs(columns)))
        columns = np.ldexp(columns, -exponents)  # so that no square leaves the range
        mean, spread = np.nanmean(columns, axis=0), np.nanstd(columns, axis=0)
        found.append(numbers[np.abs(mean) >= limit * spread])
    return np.concatenate(found)
