"""X'X in pieces, so that an interrupt is heard between them."""

import numpy as np
from scipy import sparse
from scipy.linalg import get_blas_funcs

from skalign.utils import Array, check_interrupt

PIECE = 10**10  # multiplications in one call of BLAS: some tenths of a second for one thread
SPARSE_PIECE = 10**8  # the same of SciPy's sparse products


def gram_of(columns: Array, leading: Array | None = None) -> Array:
    """Multiply columns with themselves.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, n_features)
        The columns.
    leading : ndarray of shape (n_known, n_known), default=None
        The products of the first columns, where they are known.

    Returns
    -------
    ndarray of shape (n_features, n_features)
        The products of all columns, C-contiguous.
    """
    n_samples, n_features = columns.shape
    if leading is None:
        if n_samples * n_features**2 <= PIECE:
            return np.ascontiguousarray(columns.T @ columns)
        if n_samples >= n_features:
            return _sum_over_samples(columns)
    n_known = 0 if leading is None else len(leading)
    gram = np.empty((n_features, n_features), columns.dtype)
    gram[:n_known, :n_known] = 0 if leading is None else leading
    step = max(1, PIECE // max(1, n_samples * n_features))
    for start in range(n_known, n_features, step):
        check_interrupt()
        piece = slice(start, min(start + step, n_features))
        gram[piece, piece] = columns[:, piece].T @ columns[:, piece]
        block = columns[:, piece].T @ columns[:, :start]
        gram[piece, :start], gram[:start, piece] = block, block.T
    return gram


def _sum_over_samples(columns: Array) -> Array:
    """The same for few columns of many samples: those are taken in pieces."""
    n_samples, n_features = columns.shape
    multiply = get_blas_funcs("syrk", (columns,))  # adds to one triangle, in place
    gram = np.zeros((n_features, n_features), columns.dtype, order="F")
    step = max(1, PIECE // n_features**2)
    for start in range(0, n_samples, step):
        check_interrupt()
        piece = columns[start : start + step].T
        gram = multiply(1.0, piece, beta=1.0, c=gram, overwrite_c=True)
    for start in range(0, n_features, 256):
        tile, after = slice(start, start + 256), slice(start + 256, n_features)
        gram[tile, tile] += np.triu(gram[tile, tile], 1).T
        gram[after, tile] = gram[tile, after].T.copy()
    return gram.T


def sparse_gram_of(columns: sparse.csr_array) -> Array:
    """Multiply sparse columns with themselves.

    Parameters
    ----------
    columns : csr_array of shape (n_samples, n_features)
        The columns.

    Returns
    -------
    ndarray of shape (n_features, n_features)
        The products of all columns, C-contiguous.
    """
    n_features = columns.shape[1]
    n_multiplications = (np.diff(columns.indptr).astype(np.float64) ** 2).sum()
    step = max(1, int(SPARSE_PIECE * n_features / max(1, n_multiplications)))
    transposed = columns.T.tocsr()
    gram = np.empty((n_features, n_features), columns.dtype)
    for start in range(0, n_features, step):
        check_interrupt()
        gram[start : start + step] = (transposed[start : start + step] @ columns).toarray()
    return gram
