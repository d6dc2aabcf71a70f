"""The arguments of a reorientation as unit vectors and absolute weights, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.metrics._directions import (
    ImageSpace,
    bounded_slices,
    check_image_rows,
    check_responses,
    safe_scale,
)
from skalign.utils import Array, Doubles, Flags, check_flag, check_number

_SPARSE_DENSITY = 0.03  # below it, a sparse product is faster than a dense one
_IMAGE_CHUNK = 128  # images of a sparse product that stays in cache
_CACHE_BYTES = 2**21  # weights that are passed over several times at once


@dataclass(frozen=True, eq=False)
class ReorientationBlock:
    """A block of targets, ready for products."""

    index: slice
    targets: Array  # (n_samples, block), unit norm
    defined: Flags  # (block,), whether the target has a direction
    weights: Any  # (block, n_features), absolute, each row in a safe scale; dense or csc
    total: Array  # (block,), their sum; NaN where it is 0


class ReorientationProblem:
    """Checked arguments; features as directions; blocks of targets and weights, read one by one."""

    def __init__(
        self,
        features: Any,
        targets: Any,
        weights: Any,
        center: bool,
        sample_weight: ArrayLike | None,
        undefined: float,
    ) -> None:
        features, self._targets, self._weights = check_map(features, targets, weights)
        self._undefined = check_number(undefined, "undefined")
        n_samples, self.n_features = features.shape
        self.n_targets = self._targets.shape[1]
        dtypes = features.dtype, self._targets.dtype, self._weights.dtype
        is_single = np.result_type(np.float32, *dtypes) == np.float32
        self.dtype = np.dtype(np.float32 if is_single else np.float64)
        check_flag(center, "center")
        self._space = ImageSpace(n_samples, sample_weight, center)
        self.features, self.alive = self._directions(features)

    @cached_property
    def feature_chunks(self) -> list[tuple[slice, Array]]:
        """Chunks of images and their features, (n_features, n_chunk), for the sparse product."""
        starts = range(0, len(self.features), _IMAGE_CHUNK)
        chunks = [slice(start, start + _IMAGE_CHUNK) for start in starts]
        return [(images, np.ascontiguousarray(self.features[images].T)) for images in chunks]

    def _directions(self, features: Any) -> tuple[Any, Flags]:
        if sparse.issparse(features):
            directions, alive = self._space.directions(features, "features")
            return directions.astype(self.dtype), alive
        directions = np.empty((self._space.n_images, self.n_features), self.dtype)
        alive = np.empty(self.n_features, dtype=bool)
        for units in bounded_slices(self.n_features, len(features)):
            block = self._space.directions(features[:, units], "features")
            directions[:, units], alive[units] = block
        return directions, alive

    def directions(self, targets: Array, name: str) -> tuple[Any, Flags]:
        """Targets as unit vectors, and which of them have a direction."""
        directions, defined = self._space.directions(targets, name)
        return directions.astype(self.dtype, copy=False), defined

    @property
    def has_negative(self) -> Flags:
        """Whether any weight of a target is negative."""
        least = self._weights.min(axis=1)
        return np.ravel(least.toarray() if sparse.issparse(least) else least) < 0

    def mean_cosine(self) -> float:
        """Mean cosine of two units that have a direction; 0 for a single one."""
        n_units = int(np.count_nonzero(self.alive))
        summed = np.asarray(self.features.sum(axis=1, dtype=np.float64)).ravel()
        if self._space.center and sparse.issparse(self.features):  # which are not shifted
            root = np.sqrt(self._space.weight)
            summed = summed - root * (root @ summed)
        return mean_cosine(summed @ summed, n_units)

    def blocks(self) -> Iterator[ReorientationBlock]:
        """Yield targets and weights, block by block; a block is valid until the next."""
        length = 8 * self._space.n_images
        buffer = None
        if not sparse.issparse(self._weights):
            length = max(length, self.n_features)
        for index in bounded_slices(self.n_targets, length):
            weights = self._weights[index]
            if _sparse_pays(weights):
                weights, total = self._absolute_sparse(weights)
            else:
                if buffer is None:
                    buffer = np.empty(weights.shape, self.dtype)
                weights, total = self._absolute_dense(to_dense(weights), buffer)
            total[total == 0] = np.nan
            targets, defined = self.directions(self._targets[:, index], "targets")
            yield ReorientationBlock(index, targets, defined, weights, total)

    def _absolute_dense(self, weights: Array, buffer: Array) -> tuple[Array, Array]:
        """Absolute weights of the units that have a direction, in a safe scale, and their sums."""
        absolute, total = buffer[: len(weights)], np.empty(len(weights))
        for rows in bounded_slices(len(weights), self.n_features, _CACHE_BYTES):
            values = np.abs(weights[rows], out=absolute[rows], dtype=self.dtype)
            if not self.alive.all():
                with np.errstate(invalid="ignore"):  # infinity times zero: not finite either
                    values *= self.alive
            scale = safe_scale(values.max(axis=1), "weights")
            if (scale != 1).any():
                values /= scale[:, np.newaxis]
            total[rows] = values.sum(axis=1)
        return absolute, total

    def _absolute_sparse(self, weights: Any) -> tuple[Any, Array]:
        """Same as above, as a csc_array."""
        absolute: Any
        if sparse.issparse(weights):
            absolute = sparse.csc_array(weights, dtype=self.dtype, copy=True)
            absolute.sum_duplicates()
        else:
            active: Any = np.unravel_index(np.flatnonzero(weights != 0), weights.shape)
            values = weights[active].astype(self.dtype)
            absolute = sparse.csc_array((values, active), shape=weights.shape)
        with np.errstate(invalid="ignore"):
            alive = np.repeat(self.alive, np.diff(absolute.indptr))
            absolute.data = np.abs(absolute.data) * alive
        scale = safe_scale(absolute.max(axis=1).toarray(), "weights")
        absolute.data /= scale[absolute.indices]
        # SciPy would sum float32 in float32, whatever the dtype that it is asked for.
        total = np.bincount(absolute.indices, absolute.data, minlength=absolute.shape[0])
        return absolute, total.astype(np.float64)  # integers without any entry

    def finish(self, theta: Doubles) -> Doubles:
        """Clip rounding errors, and fill in undefined values."""
        return np.where(np.isnan(theta), self._undefined, np.clip(theta, 0, 2))


def check_shapes(features: Any, targets: Any, weights: Any) -> None:
    """Check that features, targets and weights fit each other."""
    (n_samples, n_features), (n_rows, n_targets) = features.shape, targets.shape
    if n_rows != n_samples:
        raise ValueError(
            f"targets must have one row per sample of features, {n_samples}; got {n_rows} rows."
        )
    shape = n_targets, n_features
    if tuple(weights.shape) != shape:
        raise ValueError(
            f"weights must have shape (n_targets, n_features) = {shape}, scikit-learn's layout of "
            f"coef_; got shape {tuple(weights.shape)}."
        )


def check_map(features: Any, targets: Any, weights: Any) -> tuple[Any, Array, Any]:
    """Check features, targets and weights of a map, whose numbers are read later."""
    features = check_image_rows(features, "features", accept_sparse=["csc", "csr"])
    targets, weights = check_responses(targets, "targets"), _check_weights(weights)
    check_shapes(features, targets, weights)
    return features, targets, weights


def mean_cosine(squared_norm: float, n_units: int) -> float:
    """Mean cosine of two of the unit vectors whose sum has that squared norm; 0 for one."""
    return float((squared_norm - n_units) / (n_units * (n_units - 1))) if n_units > 1 else 0.0


def to_dense(array: Any) -> Array:
    """Turn a sparse array into a dense one; return any other as it is.

    Parameters
    ----------
    array : {ndarray, sparse matrix}
        The array.

    Returns
    -------
    ndarray
        The same, dense.

    Examples
    --------
    >>> from scipy import sparse
    >>> from skalign.metrics import to_dense
    >>> to_dense(sparse.eye_array(2))
    array([[1., 0.],
           [0., 1.]])
    """
    dense: Array = array.toarray() if sparse.issparse(array) else array
    return dense


def _sparse_pays(weights: Any) -> bool:
    """Whether a sparse product is faster, as far as a sample of dense weights tells."""
    if sparse.issparse(weights):
        return bool(weights.nnz <= _SPARSE_DENSITY * np.prod(weights.shape))
    sample = weights[::32]
    return bool(np.count_nonzero(sample) <= _SPARSE_DENSITY * sample.size)


def _check_weights(weights: Any) -> Any:
    if sparse.issparse(weights) and weights.ndim == 1:
        weights = weights.reshape(1, -1)
    weights = check_image_rows(weights, "weights", accept_sparse="csr", ensure_2d=False)
    return weights.reshape(1, -1) if weights.ndim == 1 else weights
