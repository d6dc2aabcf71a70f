"""Hypothesis strategies for features, for targets and for weights, plain and degenerate."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import DTypeLike

from skalign.utils import Array

Size = int | st.SearchStrategy[int]
Floats = DTypeLike | st.SearchStrategy[Any]

UP_TO_8 = st.integers(1, 8)
UP_TO_4 = st.integers(1, 4)
# Eighths: sums of them are exact, and dependent, orthogonal and constant columns are common.
_GRID = st.integers(-16, 16)
_SCALE = 32.0  # a power of two keeps sums exact
_COLUMNS = ["as drawn"] * 6 + ["zero", "constant", "copy", "opposite", "large", "small"]


@st.composite
def features(
    draw: st.DrawFn,
    n_images: Size | None = None,
    n_units: Size = UP_TO_8,
    *,
    dtype: Floats = np.float64,
    degenerate: bool = True,
) -> Array:
    """Responses of units to images.

    Parameters
    ----------
    n_images : int or strategy of int, default=None
        Number of images. By default 1 to 8; 2 to 8 more than there are units unless
        `degenerate`.
    n_units : int or strategy of int, default=integers(1, 8)
        Number of units.
    dtype : {float64, float32} or strategy of these, default=float64
        Type of the array.
    degenerate : bool, default=True
        Whether there may be silent and constant units, copies and opposites of other units, units
        of a far larger or smaller scale, fewer images than units, and a single image. Otherwise
        the features are in general position: no column is constant, and the rank is full, also
        after centering, as far as the shape allows.

    Returns
    -------
    SearchStrategy of ndarray of shape (n_images, n_units)
        Features of order 1. Degenerate ones are multiples of 1/256, so that their sums are exact.

    Raises
    ------
    ValueError
        When drawn from, if a size is not positive, or fewer than 2 images are to be in general
        position.

    Examples
    --------
    >>> import numpy as np
    >>> from hypothesis import given
    >>> from skalign.testing import features
    >>> @given(features(degenerate=False))
    ... def test_rank_is_full(X):
    ...     assert np.linalg.matrix_rank(X - X.mean(axis=0)) == X.shape[1]
    >>> test_rank_is_full()
    """
    drawn_units = draw_size(draw, n_units, "n_units")
    drawn_images = draw_n_images(draw, n_images, drawn_units, degenerate)
    return _responses(draw, (drawn_images, drawn_units), dtype, degenerate, stream=0)


@st.composite
def targets(
    draw: st.DrawFn,
    n_images: Size | None = None,
    n_targets: Size = UP_TO_4,
    *,
    dtype: Floats = np.float64,
    degenerate: bool = True,
) -> Array:
    """Responses of targets to images: voxels, neurons, or units of another network.

    Parameters
    ----------
    n_images : int or strategy of int, default=None
        Number of images. By default 1 to 8; 2 to 8 more than there are targets unless
        `degenerate`.
    n_targets : int or strategy of int, default=integers(1, 4)
        Number of targets.
    dtype : {float64, float32} or strategy of these, default=float64
        Type of the array.
    degenerate : bool, default=True
        Whether targets may be zero or constant, copies and opposites of other targets, and of a
        far larger or smaller scale.

    Returns
    -------
    SearchStrategy of ndarray of shape (n_images, n_targets)
        Targets of order 1. Degenerate ones are multiples of 1/256, so that their sums are exact.

    Raises
    ------
    ValueError
        When drawn from, if a size is not positive, or fewer than 2 images are asked not to be
        `degenerate`.

    Examples
    --------
    >>> from hypothesis import given
    >>> from skalign.testing import targets
    >>> @given(targets(n_images=5, degenerate=False))
    ... def test_no_target_is_constant(Y):
    ...     assert (Y.std(axis=0) > 0).all()
    >>> test_no_target_is_constant()
    """
    drawn_targets = draw_size(draw, n_targets, "n_targets")
    drawn_images = draw_n_images(draw, n_images, drawn_targets, degenerate)
    return _responses(draw, (drawn_images, drawn_targets), dtype, degenerate, stream=1)


@st.composite
def weights(
    draw: st.DrawFn,
    n_targets: Size = UP_TO_4,
    n_units: Size = UP_TO_8,
    *,
    positive: bool = False,
    sparse: bool = False,
    dtype: Floats = np.float64,
    degenerate: bool = True,
) -> Array:
    """Weights of linear maps, in scikit-learn's layout.

    Parameters
    ----------
    n_targets : int or strategy of int, default=integers(1, 4)
        Number of targets.
    n_units : int or strategy of int, default=integers(1, 8)
        Number of units.
    positive : bool, default=False
        Whether no weight is negative.
    sparse : bool, default=False
        Whether most weights are zero. The array is dense all the same.
    dtype : {float64, float32} or strategy of these, default=float64
        Type of the array.
    degenerate : bool, default=True
        Whether targets may have no weight at all, and weights of a far larger or smaller scale
        than other targets.

    Returns
    -------
    SearchStrategy of ndarray of shape (n_targets, n_units)
        Weights of order 1, multiples of 1/256.

    Raises
    ------
    ValueError
        When drawn from, if a size is not positive.

    Examples
    --------
    >>> from hypothesis import given
    >>> from skalign.testing import weights
    >>> @given(weights(positive=True, degenerate=False))
    ... def test_every_target_is_reached(W):
    ...     assert (W.sum(axis=1) > 0).all()
    >>> test_every_target_is_reached()
    """
    shape = draw_size(draw, n_targets, "n_targets"), draw_size(draw, n_units, "n_units")
    fill = st.just(0) if sparse else st.nothing()
    array = draw(arrays(np.int8, shape, elements=_GRID, fill=fill)) / 8
    if positive:
        array = np.abs(array)
    for row in array:
        if degenerate:
            row *= draw(st.sampled_from([1.0, 1.0, 1.0, 0.0, _SCALE, 1 / _SCALE]))
        elif not row.any():
            row[draw(st.integers(0, shape[1] - 1))] = 1.0
    return array.astype(draw_value(draw, dtype))


def _responses(
    draw: st.DrawFn, shape: tuple[int, int], dtype: Floats, degenerate: bool, stream: int
) -> Array:
    """An array of order 1 with degenerate columns, or in general position."""
    array = draw(arrays(np.int8, shape, elements=_GRID, fill=st.nothing())) / 8
    if degenerate:
        kinds = draw(st.lists(st.sampled_from(_COLUMNS), min_size=shape[1], max_size=shape[1]))
        for column, kind in enumerate(kinds):
            match kind:
                case "zero":
                    array[:, column] = 0
                case "constant":
                    array[:, column] = draw(_GRID) / 8
                case "copy":
                    array[:, column] = array[:, column - 1]
                case "opposite":
                    array[:, column] = -array[:, column - 1]
                case "large":
                    array[:, column] *= _SCALE
                case "small":
                    array[:, column] /= _SCALE
    else:
        # Noise that owes nothing to the grid: no sum of columns cancels it.
        rng = np.random.default_rng([stream, draw(st.integers(0, 255))])
        array += rng.standard_normal(shape)
    return array.astype(draw_value(draw, dtype))


def draw_value(draw: st.DrawFn, value: Any) -> Any:
    """What a strategy gives, or a value itself."""
    return draw(value) if isinstance(value, st.SearchStrategy) else value


def draw_size(draw: st.DrawFn, size: Size, name: str) -> int:
    """A checked size."""
    drawn = draw_value(draw, size)
    if not isinstance(drawn, Integral) or drawn < 1:
        raise ValueError(
            f"{name} must be a positive integer or a hypothesis strategy of these; got {drawn!r}."
        )
    return int(drawn)


def draw_n_images(draw: st.DrawFn, n_images: Size | None, n_columns: int, degenerate: bool) -> int:
    """A checked number of images, by default one that suits as many columns."""
    if n_images is None:
        n_images = UP_TO_8 if degenerate else st.integers(n_columns + 2, n_columns + 8)
    drawn = draw_size(draw, n_images, "n_images")
    if drawn < 2 and not degenerate:
        raise ValueError(
            f"n_images must be at least 2 where degenerate=False, for a single image is; got "
            f"{drawn}."
        )
    return drawn
