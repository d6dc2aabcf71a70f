"""Means of columns, columns that are constant, and sparse columns that are centered explicitly."""

from typing import Any

import numpy as np
from scipy import sparse

from skalign.utils import Array, Doubles, Flags

# Columns that vary by no more than this fraction of their mean may be constant.
NEARLY_CONSTANT = 1e-6
# Squares below may have lost digits.
UNDERFLOW = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)


def column_sums(A: Any, weight: Array | None = None) -> Doubles:
    """Sum every column in double precision.

    SciPy's sum of a sparse float32 array accumulates in float32, whatever dtype it is asked for.

    Parameters
    ----------
    A : ndarray or csr_array of shape (n_samples, n_columns)
        The columns.
    weight : ndarray of shape (n_samples,), default=None
        Weights of the samples.

    Returns
    -------
    ndarray of shape (n_columns,)
        The sums.
    """
    if sparse.issparse(A):
        values = A.data.astype(np.float64)
        if weight is not None:
            values *= np.repeat(weight, np.diff(A.indptr))
        return np.bincount(A.indices, values, minlength=A.shape[1]).astype(np.float64, copy=False)
    if weight is None:
        return A.sum(axis=0, dtype=np.float64)
    return np.asarray(weight.astype(np.float64) @ A)  # BLAS would add float32 in float32


def column_squares(A: Any) -> Doubles:
    """Sum the squares of every column in double precision, which float32 may not hold.

    Parameters
    ----------
    A : ndarray or csr_array of shape (n_samples, n_columns)
        The columns.

    Returns
    -------
    ndarray of shape (n_columns,)
        The sums.
    """
    if sparse.issparse(A):
        squares = A.data.astype(np.float64) ** 2
        return np.bincount(A.indices, squares, minlength=A.shape[1]).astype(np.float64, copy=False)
    return np.einsum("ij,ij->j", A, A, dtype=np.float64)


def constant_columns(
    A: Array,
    squares: Array,
    mean: Array,
    total: float,
    weight: Array | None,
) -> Flags:
    """Find the columns that are constant, or differ from a constant by rounding errors.

    Parameters
    ----------
    A : ndarray of shape (n_samples, n_columns)
        The columns before they were centered.
    squares : ndarray of shape (n_columns,)
        Weighted sums of squares of the centered columns.
    mean : ndarray of shape (n_columns,)
        Their weighted means.
    total : float
        Sum of the weights.
    weight : ndarray of shape (n_samples,) or None
        Weights; samples of weight zero do not count.

    Returns
    -------
    ndarray of shape (n_columns,)
        Whether they are constant.
    """
    # Ordinary columns need one look.
    if (squares > np.maximum(total * (NEARLY_CONSTANT * mean) ** 2, UNDERFLOW)).all():
        return np.zeros(len(squares), bool)
    # A mean is accumulated in float64 and then rounded to the type of the column.
    eps = 4 * np.finfo(A.dtype).eps + 16 * np.finfo(np.float64).eps
    finite, held = np.isfinite(squares), squares >= UNDERFLOW
    constant = finite & held & (squares <= total * (eps * mean) ** 2)
    # The mean of a million equal numbers is off by more than that, and squares may underflow.
    near = (squares <= total * (NEARLY_CONSTANT * mean) ** 2) | ~held
    unsure = np.flatnonzero(finite & ~constant & near)
    if unsure.size:
        values = A[:, unsure] if weight is None else A[weight > 0][:, unsure]
        constant[unsure] = values.min(axis=0) == values.max(axis=0)
    return constant


def center_full_columns(
    X: sparse.csr_array, mean: Array, weight: Array | None, total: float
) -> tuple[sparse.csr_array, Array]:
    """Center the columns that implicit centering would cancel; the offset left for the others.

    A column whose mean square is more than 8 times its variance has at least 7 of 8 entries
    stored, so that centering it costs no memory to speak of. For the others the cancellation in
    the centered Gram is harmless.

    Parameters
    ----------
    X : csr_array of shape (n_samples, n_features)
        Features.
    mean : ndarray of shape (n_features,)
        Their weighted means.
    weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    total : float
        Sum of the weights.

    Returns
    -------
    X : csr_array of shape (n_samples, n_features)
        Features, of which the full columns are centered.
    offset : ndarray of shape (n_features,)
        What is left to subtract from each column.
    """
    squares = column_sums(X.multiply(X).tocsr().astype(np.float64), weight) / total
    full = (squares > 8 * (squares - mean**2)) & (mean != 0)
    if not full.any():
        return X, mean
    index = np.flatnonzero(full)
    columns = X[:, index].toarray()
    centered = columns - mean[index].astype(X.dtype)
    spread = column_sums(centered.astype(np.float64) ** 2, weight)
    centered[:, constant_columns(columns, spread, mean[index], total, weight)] = 0
    order = np.argsort(np.concatenate([np.flatnonzero(~full), index]))
    stacked = sparse.hstack([X[:, ~full], sparse.csr_array(centered)], format="csc")
    return stacked[:, order].tocsr(), np.where(full, 0, mean)
