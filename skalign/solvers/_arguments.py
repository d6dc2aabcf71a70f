"""Checks of the arrays and parameters of a problem."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.utils import Doubles, Floats, check_sample_weight, unmask

TOL = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-4}


def check_problem(
    X: Any, Y: Any, sample_weight: ArrayLike | None, coef: Any, coef_name: str
) -> tuple[Any, Any, Doubles | None, Any]:
    """Check the arrays of a problem, and bring them into the types of the computation.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features; float64 and float32 are kept, all else becomes float64.
    Y : array-like of shape (n_samples, n_targets)
        Targets; not copied.
    sample_weight : array-like of shape (n_samples,) or None
        Weights of the samples.
    coef : array-like of shape (n_targets, n_features) or None
        Weights to start from or to judge.
    coef_name : str
        Name of `coef` in error messages.

    Returns
    -------
    X, Y, sample_weight, coef
        The arrays; sparse features in CSR format.

    Raises
    ------
    ValueError
        If a shape does not fit, or weights are negative, not finite or all zero.
    """
    X = sparse.csr_array(X) if sparse.issparse(X) else np.asarray(X)
    if X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float64)
    Y = unmask(Y) if hasattr(Y, "shape") else np.asarray(Y)
    if X.ndim != 2 or Y.ndim != 2 or X.shape[0] != Y.shape[0]:
        raise ValueError(
            "X and Y must be 2-D, (n_samples, n_features) and (n_samples, n_targets), with equal "
            f"n_samples; got shapes {X.shape} and {Y.shape}."
        )
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, X.shape[0])
    coef = check_coef(coef, coef_name, Y.shape[1], X.shape[1])
    return X, Y, sample_weight, coef


def check_coef(given: Any, name: str, n_targets: int, n_features: int) -> Floats | None:
    """Check weights (n_targets, n_features), and return them as a dense array.

    Raises ValueError if their shape does not fit, or if one is not finite.
    """
    if given is None:
        return None
    coef: Floats = given.toarray() if sparse.issparse(given) else np.asarray(given)
    if coef.shape != (n_targets, n_features):
        raise ValueError(
            f"{name} must have shape (n_targets, n_features) = {n_targets, n_features}; "
            f"got {coef.shape}."
        )
    if not np.isfinite(coef).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity.")
    return coef


def check_stopping(tol: float | None, max_iter: int, dtype: np.dtype[Any]) -> tuple[float, int]:
    """Check when a solver stops, and fill in the default tolerance.

    Parameters
    ----------
    tol : float or None
        Bound on the KKT violation; None is 1e-7 in float64 and 1e-4 in float32.
    max_iter : int
        Bound on the iterations of one target.
    dtype : dtype
        Floating type of the computation.

    Returns
    -------
    tol : float
        The tolerance.
    max_iter : int
        The bound on iterations.

    Raises
    ------
    TypeError
        If one is not a number.
    ValueError
        If one is not positive, or `tol` is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import check_stopping
    >>> check_stopping(None, 100, np.dtype(np.float32))
    (0.0001, 100)
    """
    if tol is None:
        tol = TOL[dtype]
    if not isinstance(tol, Real) or isinstance(tol, bool):
        raise TypeError(f"tol must be a positive number or None; got {tol!r}.")
    if not 0 < float(tol) < np.inf:
        raise ValueError(f"tol must be a positive number or None; got {tol!r}.")
    if not isinstance(max_iter, Integral) or isinstance(max_iter, bool):
        raise TypeError(f"max_iter must be a positive integer; got {max_iter!r}.")
    if int(max_iter) < 1:
        raise ValueError(f"max_iter must be a positive integer; got {max_iter!r}.")
    return float(tol), min(int(max_iter), np.iinfo(np.int32).max)
