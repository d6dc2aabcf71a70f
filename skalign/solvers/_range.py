"""The range in which a floating type holds squared norms, and what is refused outside of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skalign.utils import Array

# Squared norms in between leave room for the sums and products that are made of them.
LARGEST_SQUARE = {np.dtype(t): float(np.finfo(t).max * np.finfo(t).eps) for t in ("f4", "f8")}
SMALLEST_SQUARE = {np.dtype(t): float(np.finfo(t).tiny / np.finfo(t).eps) for t in ("f4", "f8")}
UNDERFLOWED = np.nextafter(0, 1)  # stands for a squared norm that underflowed


class OutOfRangeError(ValueError):
    """Numbers whose squares or products the floating type cannot hold."""


def check_finite(squared_norms: Array, dtype: np.dtype[Any], numbers: Array | None) -> None:
    """Raise OutOfRangeError for the first of these targets whose squared norm cannot be used."""
    numbers = np.arange(len(squared_norms)) if numbers is None else numbers
    finite = squared_norms <= LARGEST_SQUARE[dtype]
    if not finite.all():
        raise OutOfRangeError(
            f"Input y contains NaN, infinity or values too large for {dtype}, first in target "
            f"{numbers[~finite][0]}. Drop or impute the targets or samples concerned, or "
            "scale y."
        )
    held = (squared_norms >= SMALLEST_SQUARE[dtype]) | (squared_norms == 0)
    if not held.all():
        raise OutOfRangeError(
            f"y must have squares that {dtype} can hold; got values too small, first in target "
            f"{numbers[~held][0]}. Scale y."
        )


def check_range(squares: Array, X: Any) -> None:
    """Raise OutOfRangeError where squared norms of features are not finite, or cannot be held."""
    dtype = X.dtype
    too_large = np.flatnonzero(~(squares <= LARGEST_SQUARE[dtype]))
    if too_large.size:
        values = X[:, too_large]
        if np.isfinite(values.data if sparse.issparse(X) else values).all():
            raise OutOfRangeError(
                f"X must have squares that {dtype} can hold; got values too large, first in "
                f"feature {too_large[0]}. Scale X."
            )
        raise OutOfRangeError(
            f"Input X contains NaN or infinity, first in feature {too_large[0]}. Drop or impute "
            "the features or samples concerned."
        )
    small = np.flatnonzero(squares < SMALLEST_SQUARE[dtype])
    if not small.size:
        return
    columns = X[:, small].toarray() if sparse.issparse(X) else X[:, small]
    lost = small[columns.any(axis=0)]
    if lost.size:
        raise OutOfRangeError(
            f"X must have squares that {dtype} can hold; got values too small, first in feature "
            f"{lost[0]}. Scale X."
        )
