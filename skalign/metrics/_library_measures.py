"""Directions, correlations and reorientation of arrays of other libraries than NumPy."""

from __future__ import annotations

from typing import Any

from skalign.metrics._array_library import ArrayLibrary, to_numpy
from skalign.metrics._directions import (
    CONSTANT,
    ImageSpace,
    bounded_slices,
    check_responses,
    not_finite,
)
from skalign.metrics._problem import check_shapes
from skalign.utils import check_flag, check_number


class LibraryImageSpace(ImageSpace):
    """The same inner product over images, for dense arrays of another library.

    Parameters
    ----------
    library : ArrayLibrary
        Library, device and precision of all arrays.
    n_images : int
        Number of images.
    sample_weight : array of shape (n_images,) or None
        Weight of every image.
    center : bool
        Whether vectors are centered on their weighted mean.
    """

    def __init__(
        self, library: ArrayLibrary, n_images: int, sample_weight: Any, center: bool
    ) -> None:
        weight = None if sample_weight is None else to_numpy(sample_weight)
        super().__init__(n_images, weight, center)
        self.library = library
        self._column = library.from_numpy(self.weight[:, None])

    def directions(self, vectors: Any, name: str) -> tuple[Any, Any]:
        """Scale columns to unit norm; a column without a direction becomes zero."""
        xp, dtype = self.library.xp, self.library.dtype
        columns = xp.astype(vectors, dtype)
        if not isinstance(self.images, slice):
            rows = xp.asarray(self.images, device=self.library.device)
            columns = xp.take(columns, rows, axis=0)
        high, low = xp.max(columns, axis=0), xp.min(columns, axis=0)
        scale = safe_divisors(xp, xp.maximum(high, -low), name)
        columns = columns / scale
        if self.center:
            columns = columns - xp.sum(self._column * columns, axis=0)
            # An array in single precision keeps its rounding errors where others are in double.
            own = vectors.dtype if xp.isdtype(vectors.dtype, "real floating") else dtype
            rounding = float(xp.finfo(xp.result_type(own, xp.float32)).eps)
            size = xp.maximum(xp.abs(high), xp.abs(low)) / scale
            varies = (high - low) / scale > CONSTANT * rounding * size
            columns = columns * xp.astype(varies, dtype)
        if self.weighted:
            columns = columns * xp.sqrt(self._column)
        norm = xp.sqrt(xp.sum(columns * columns, axis=0))
        defined = norm > 0
        return columns / xp.where(defined, norm, xp.ones_like(norm)), defined


def image_space(
    library: ArrayLibrary | None, n_images: int, sample_weight: Any, center: bool
) -> ImageSpace:
    """The inner product for arrays of a library; None is NumPy."""
    if library is None:
        return ImageSpace(n_images, sample_weight, center)
    return LibraryImageSpace(library, n_images, sample_weight, center)


def responses_of(library: ArrayLibrary | None, values: Any, name: str) -> Any:
    """Checked responses, (n_images, n_targets), of a library; None is NumPy."""
    if library is None:
        return check_responses(values, name)
    table = library.table(values, name, ensure_2d=False)
    return table[:, None] if table.ndim == 1 else table


def library_pearson_r(space: LibraryImageSpace, y_true: Any, y_pred: Any, undefined: float) -> Any:
    """Pearson's r of every column, in blocks of bounded memory."""
    xp, found = space.library.xp, []
    for block in bounded_slices(y_true.shape[1], 8 * space.n_images):
        observed, is_varied = space.directions(y_true[:, block], "y_true")
        predicted, is_predicted = space.directions(y_pred[:, block], "y_pred")
        r = xp.clip(xp.sum(observed * predicted, axis=0), -1, 1)
        found.append(xp.where(is_varied & is_predicted, r, xp.full_like(r, undefined)))
    return xp.concat(found)


def library_reorientation(
    library: ArrayLibrary,
    features: Any,
    targets: Any,
    weights: Any,
    center: bool,
    sample_weight: Any,
    undefined: float,
) -> Any:
    """Tuning reorientation of every target, in blocks of bounded memory."""
    xp, dtype, found = library.xp, library.dtype, []
    features = library.table(features, "features")
    targets, weights = (
        responses_of(library, targets, "targets"),
        library.table(weights, "weights", False),
    )
    if weights.ndim == 1:
        weights = weights[None, :]
    undefined = check_number(undefined, "undefined")
    check_shapes(features, targets, weights)
    space = LibraryImageSpace(
        library, features.shape[0], sample_weight, check_flag(center, "center")
    )
    directions, alive = space.directions(features, "features")
    for block in bounded_slices(targets.shape[1], max(8 * space.n_images, features.shape[1])):
        absolute = xp.abs(xp.astype(weights[block, :], dtype)) * xp.astype(alive, dtype)
        scale = safe_divisors(xp, xp.max(absolute, axis=1), "weights")
        absolute = absolute / scale[:, None]
        total = xp.sum(absolute, axis=1)
        reached, defined = space.directions(targets[:, block], "targets")
        aligned = xp.sum((directions @ xp.matrix_transpose(absolute)) * reached, axis=0)
        defined = defined & (total > 0)
        theta = xp.clip(1 - aligned / xp.where(defined, total, xp.ones_like(total)), 0, 2)
        found.append(xp.where(defined, theta, xp.full_like(theta, undefined)))
    return xp.concat(found)


def safe_divisors(xp: Any, size: Any, name: str) -> Any:
    """Divisors for vectors of these largest absolute values: 1, unless squares leave the range."""
    if not bool(xp.all(xp.isfinite(size))):
        raise not_finite(name)
    limit = float(xp.finfo(size.dtype).max) ** 0.25
    leaves = (size > 0) & ((size < 1 / limit) | (size > limit))
    return xp.where(leaves, size, xp.ones_like(size))
