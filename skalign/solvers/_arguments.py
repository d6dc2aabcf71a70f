"""What solvers ask of their arrays."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skalign.utils import check_sample_weight

TOL = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-4}


def check_problem(
    X: Any, Y: Any, sample_weight: ArrayLike | None, coef: Any, coef_name: str
) -> tuple[Any, Any, NDArray | None, Any]:
    """Arrays of fitting types and shapes.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features; float64 and float32 are kept, all else becomes float64.
    Y : array-like of shape (n_samples, n_targets)
        Targets; neither copied nor read.
    sample_weight : array-like of shape (n_samples,) or None
        Weights of the samples.
    coef : array-like of shape (n_targets, n_features) or None
        Weights to start from or to judge.
    coef_name : str
        What error messages call them.

    Returns
    -------
    X, Y, sample_weight, coef
        As arrays; sparse features in CSR format.

    Raises
    ------
    ValueError
        If a shape does not fit, or weights are negative, not finite or all zero.
    """
    X = sparse.csr_array(X) if sparse.issparse(X) else np.asarray(X)
    if X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float64)
    Y = Y if hasattr(Y, "shape") else np.asarray(Y)
    if X.ndim != 2 or Y.ndim != 2 or X.shape[0] != Y.shape[0]:
        raise ValueError(
            "X and Y must be 2-D, (n_samples, n_features) and (n_samples, n_targets), with as many "
            f"samples; got shapes {X.shape} and {Y.shape}."
        )
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, X.shape[0])
    if coef is not None:
        coef = coef.toarray() if sparse.issparse(coef) else np.asarray(coef)
        if coef.shape != (Y.shape[1], X.shape[1]):
            raise ValueError(
                f"{coef_name} must have shape (n_targets, n_features) = {Y.shape[1], X.shape[1]}; "
                f"got {coef.shape}."
            )
        if not np.isfinite(coef).all():
            raise ValueError(f"{coef_name} must be finite; got NaN or infinity.")
    return X, Y, sample_weight, coef


def check_stopping(tol: Any, max_iter: Any, dtype: np.dtype) -> tuple[float, int]:
    """Tolerance and bound on iterations, the default tolerance filled in.

    Raises ValueError where one is not positive, or not a number.
    """
    if tol is None:
        tol = TOL[dtype]
    if not (isinstance(tol, Real) and 0 < float(tol) < np.inf):
        raise ValueError(f"tol must be a positive number or None; got {tol!r}.")
    if not isinstance(max_iter, Integral) or int(max_iter) < 1:
        raise ValueError(f"max_iter must be a positive integer; got {max_iter!r}.")
    return float(tol), min(int(max_iter), np.iinfo(np.int32).max)
