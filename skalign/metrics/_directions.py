"""Directions over images: inner products, norms and cosines, weighted and centered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn import config_context, get_config
from sklearn.utils import check_array, gen_batches

from skalign.utils import Array, Flags, check_sample_weight, missing_explained, unmask

_BLOCK_BYTES = 2**26
CONSTANT = 8  # a column whose range is within this many rounding errors of its size is constant


class ImageSpace:
    """The inner product over images: weighted, and centered where asked.

    Parameters
    ----------
    n_images : int
        Number of images.
    sample_weight : array-like of shape (n_images,) or None
        Weight of every image; images of weight zero are ignored.
    center : bool
        Whether vectors are centered on their weighted mean, so that a cosine is Pearson's r.

    Attributes
    ----------
    images : slice or ndarray
        Images of positive weight.
    n_images : int
        Their number.
    weight : ndarray of shape (n_images,)
        Their weights, which sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import ImageSpace
    >>> space = ImageSpace(3, None, center=True)
    >>> directions, defined = space.directions(np.array([[1.0, 5], [2.0, 5], [3.0, 5]]), "X")
    >>> defined
    array([ True, False])
    """

    def __init__(self, n_images: int, sample_weight: ArrayLike | None, center: bool) -> None:
        self.center = center
        self.images: slice | Array = slice(None)
        weight = np.ones(n_images)
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, n_images)
            weight = weight / weight.max()
            if not weight.all():
                self.images = np.flatnonzero(weight)
                weight = weight[self.images]
        self.n_images = weight.size
        self.weighted = sample_weight is not None
        self.weight = weight / weight.sum()

    def directions(self, vectors: Any, name: str) -> tuple[Any, Flags]:
        """Scale columns to unit norm; a column without a direction becomes zero.

        Parameters
        ----------
        vectors : {ndarray, sparse array} of shape (n_images, n_vectors)
            Columns of any scale that the dtype can hold.
        name : str
            Name of the argument, for errors.

        Returns
        -------
        directions : {ndarray, csc_array} of shape (n_weighted_images, n_vectors)
            In double precision, times the root of the image weights, so that the plain product of
            two columns is their cosine. Sparse columns stay sparse and are not shifted to zero
            mean: their product with centered columns is the same.
        defined : ndarray of shape (n_vectors,)
            Whether the column has a direction: not zero, and not constant where centered.
        """
        if sparse.issparse(vectors):
            return self._sparse_directions(vectors, name)
        columns = np.array(vectors[self.images], dtype=np.float64, order="K")
        high, low = columns.max(axis=0), columns.min(axis=0)
        scale = safe_scale(np.maximum(high, -low), name)
        if (scale != 1).any():
            columns /= scale
        if self.center:
            columns -= np.einsum("i,ij->j", self.weight, columns)
            columns[:, _is_constant(high / scale, low / scale, vectors.dtype)] = 0
        if self.weighted:
            columns *= np.sqrt(self.weight)[:, np.newaxis]
        norm = np.sqrt(np.einsum("ij,ij->j", columns, columns))
        columns /= np.where(norm > 0, norm, 1)
        return columns, norm > 0

    def _sparse_directions(self, vectors: Any, name: str) -> tuple[Any, Flags]:
        columns = sparse.csc_array(vectors[self.images], dtype=np.float64, copy=True)
        columns.sum_duplicates()
        high, low = columns.max(axis=0).toarray(), columns.min(axis=0).toarray()
        scale = safe_scale(np.maximum(high, -low), name)
        weight = self.weight[columns.indices]
        column = np.repeat(np.arange(scale.size), np.diff(columns.indptr))
        columns.data /= scale[column]
        mean = columns.T @ self.weight if self.center else np.zeros(scale.size)
        square = np.bincount(column, weight * (columns.data - mean[column]) ** 2, scale.size)
        if self.center:
            implicit_zeros = np.maximum(1 - np.bincount(column, weight, scale.size), 0)
            square = square + implicit_zeros * mean**2
            square[_is_constant(high / scale, low / scale, vectors.dtype)] = 0
        norm = np.sqrt(square)
        columns.data *= np.sqrt(weight) / np.where(norm > 0, norm, np.inf)[column]
        return columns, norm > 0


def safe_scale(size: Array, name: str) -> Array:
    """Divisors for vectors of these largest absolute values: 1, unless squares leave the range."""
    if not np.isfinite(size).all():
        raise not_finite(name)
    limit = np.finfo(size.dtype).max ** 0.25
    return np.where((size > 0) & ((size < 1 / limit) | (size > limit)), size, 1)


def not_finite(name: str) -> ValueError:
    """The error of an argument that holds NaN or infinity."""
    return ValueError(f"{name} must be finite; got NaN or infinity. Drop or impute those values.")


def check_image_rows(values: Any, name: str, **options: Any) -> Any:
    """Check that an array has rows; its numbers are read later, block by block.

    Parameters
    ----------
    values : {array-like, sparse matrix}
        A table whose rows are images, or targets.
    name : str
        Name of the argument, for errors.
    **options
        Options of :func:`sklearn.utils.check_array`.

    Returns
    -------
    {ndarray, sparse matrix}
        The table, which may hold NaN and infinity.

    Examples
    --------
    >>> from skalign.metrics import check_image_rows
    >>> check_image_rows([[1, 2], [3, 4]], "features").shape
    (2, 2)
    """
    if get_config()["array_api_dispatch"]:  # the result is NumPy's all the same
        with config_context(array_api_dispatch=False):
            return check_image_rows(values, name, **options)
    return check_array(values, dtype="numeric", ensure_all_finite=False, input_name=name, **options)


def check_responses(values: Any, name: str) -> Array:
    """Check responses of targets, and give those of a single target a column.

    Parameters
    ----------
    values : array-like of shape (n_images, n_targets) or (n_images,)
        Responses.
    name : str
        Name of the argument, for errors.

    Returns
    -------
    ndarray of shape (n_images, n_targets)
        The responses, which may hold NaN and infinity.

    Examples
    --------
    >>> from skalign.metrics import check_responses
    >>> check_responses([1.0, 2.0, 3.0], "y").shape
    (3, 1)
    """
    table: Array = check_image_rows(unmask(values), name, ensure_2d=False)
    return table.reshape(-1, 1) if table.ndim == 1 else table


@contextmanager
def nan_explained(y: Any, name: str) -> Iterator[None]:
    """Explain an error that missing responses caused, with their number and a remedy."""
    try:
        yield
    except ValueError:
        with missing_explained(check_responses(y, name), name):
            raise


def bounded_slices(n_vectors: int, length: int, n_bytes: int | None = None) -> Iterator[slice]:
    """Cut vectors into blocks of bounded memory.

    Parameters
    ----------
    n_vectors : int
        Number of vectors.
    length : int
        Length of a vector, in double precision.
    n_bytes : int, default=None
        Largest size of a block; a block has one vector at least. 64 MB by default.

    Returns
    -------
    iterator of slice
        The blocks.

    Examples
    --------
    >>> from skalign.metrics import bounded_slices
    >>> list(bounded_slices(5, length=1000, n_bytes=16_000))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, (n_bytes or _BLOCK_BYTES) // (8 * length))
    return iter(gen_batches(n_vectors, step))


def _is_constant(high: Array, low: Array, dtype: Any) -> Flags:
    rounding = float(np.finfo(np.result_type(dtype, np.float32)).eps)
    size = np.maximum(np.abs(high), np.abs(low))
    is_constant: Flags = high - low <= CONSTANT * rounding * size
    return is_constant
