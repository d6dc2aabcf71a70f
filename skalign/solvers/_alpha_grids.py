"""Strengths of a penalty: those that are given, and those that suit the data."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator, eigsh

from skalign.solvers._design import Design
from skalign.solvers._penalties import Penalty
from skalign.utils import Doubles, Floats, check_numbers

L1_SPAN = 1e-2  # weakest over strongest alpha of a grid that starts at alpha_max
L2_SPAN = 1e-6  # of one for a penalty that no alpha makes empty


def check_alphas(alphas: int | ArrayLike, n_targets: int) -> int | Doubles:
    """Check strengths of a penalty, or their number.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,) or (n_alphas, n_targets)
        Strengths, for all targets or for each, or their number.
    n_targets : int
        Number of targets.

    Returns
    -------
    int or ndarray of shape (n_alphas, 1 or n_targets)
        The number, or the strengths in descending order.

    Raises
    ------
    TypeError
        If a strength is not a number.
    ValueError
        If there is none, the shape does not fit, or a strength is negative or NaN.

    Examples
    --------
    >>> from skalign.solvers import check_alphas
    >>> check_alphas([0.1, 1.0], 5)
    array([[1. ],
           [0.1]])
    """
    if isinstance(alphas, Integral) and not isinstance(alphas, bool):
        if int(alphas) < 1:
            raise ValueError(f"alphas must be a positive number of strengths; got {alphas!r}.")
        return int(alphas)
    rule = (
        "alphas must be the number of strengths, or an array of them of shape (n_alphas,) or "
        f"(n_alphas, n_targets), with {n_targets} target(s) here"
    )
    grid = check_numbers(alphas, rule)
    if grid.ndim == 1:
        grid = grid[:, None]
    if grid.ndim != 2 or grid.shape[0] < 1 or grid.shape[1] not in (1, n_targets):
        raise ValueError(f"{rule}; got {alphas!r}.")
    if not (grid >= 0).all():
        raise ValueError(f"alphas must not be negative, nor NaN; got {alphas!r}.")
    return -np.sort(-grid, axis=0)


def l1_share(penalty: Penalty, l1_ratio: float) -> float:
    """Share of the l1 norm in a penalty."""
    return {"lasso": 1.0, "elasticnet": l1_ratio}.get(penalty, 0.0)


def alpha_max(
    q: Floats,
    penalty: Penalty,
    l1_ratio: float,
    *,
    positive: bool,
    total_weight: float,
) -> Doubles:
    """Find the least alpha at which a target is empty.

    Parameters
    ----------
    q : ndarray of shape (n_targets, n_features)
        ``Y'X``, centered with an intercept.
    penalty : {"lasso", "elasticnet"}
        Penalty.
    l1_ratio : float
        Share of the l1 penalty in "elasticnet", above zero.
    positive : bool
        Whether weights must not be negative.
    total_weight : float
        Sum of the sample weights.

    Returns
    -------
    ndarray of shape (n_targets,)
        The least alpha, above zero. A target that is empty at any alpha gets the value that it has
        with its signs free.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import alpha_max
    >>> alpha_max(np.array([[3.0, -5.0]]), "lasso", 1.0, positive=True, total_weight=10.0)
    array([0.3])
    """
    largest = np.abs(q).max(axis=1, initial=0).astype(np.float64)
    if positive:
        pulled = q.max(axis=1, initial=0)
        largest = np.where(pulled > 0, pulled, largest)
    return np.where(largest > 0, largest, 1.0) / (total_weight * l1_share(penalty, l1_ratio))


def l1_alphas(
    n_alphas: int,
    q: Floats,
    norms: Doubles,
    penalty: Penalty,
    l1_ratio: float,
    *,
    positive: bool,
    total_weight: float,
) -> Doubles:
    """Make a grid of alphas, for every target from its own `alpha_max`.

    For lasso the alphas are evenly spaced in the logarithm, over two decades. The k-th alpha takes
    a share of the weight that the leading feature of the target would have alone; for elastic net
    the k-th alpha is the one that takes the same share, whatever the l1_ratio.

    Parameters
    ----------
    n_alphas : int
        How many.
    q : ndarray of shape (n_targets, n_features)
        ``Y'X``, centered with an intercept.
    norms : ndarray of shape (n_features,)
        Norms of the features.
    penalty : {"lasso", "elasticnet"}
        Penalty.
    l1_ratio : float
        Share of the l1 penalty in "elasticnet", above zero.
    positive : bool
        Whether weights must not be negative.
    total_weight : float
        Sum of the sample weights.

    Returns
    -------
    ndarray of shape (n_alphas, n_targets)
        Strengths in descending order. At the first of them the target is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import l1_alphas
    >>> problem = np.array([[3.0, 5.0]]), np.array([2.0, 4.0]), "lasso", 1.0
    >>> l1_alphas(3, *problem, positive=True, total_weight=10.0).ravel()
    array([0.5  , 0.05 , 0.005])
    """
    of_lasso = alpha_max(q, "lasso", 1.0, positive=positive, total_weight=total_weight)
    taken = np.geomspace(1, L1_SPAN, n_alphas)[:, None]
    share = l1_share(penalty, l1_ratio)
    if share == 1:
        return of_lasso * taken
    pulled = np.where(q.max(axis=1, initial=0, keepdims=True) > 0, q, -q) if positive else np.abs(q)
    leading = norms[pulled.argmax(axis=1)] if len(norms) else np.ones(len(q))
    alone = np.zeros(len(q))  # weight of the leading feature without a penalty
    np.divide(total_weight * of_lasso, leading**2, out=alone, where=leading > 0)
    return of_lasso * taken / (share + (1 - taken) * (1 - share) * alone)


def l2_alphas(n_alphas: int, design: Design, penalty: Penalty) -> Doubles:
    """Make a grid of alphas for a penalty that leaves no target empty.

    The alphas are evenly spaced in the logarithm, over six decades. At the first of them the
    penalty is as strong as the features in the direction in which they vary most: the largest
    eigenvalue of their Gram.

    Parameters
    ----------
    n_alphas : int
        How many.
    design : Design
        Prepared features.
    penalty : {"ols", "ridge", "elasticnet"}
        Penalty, an elastic net without its l1 part. "ols" has one alpha, 0.

    Returns
    -------
    ndarray of shape (n_alphas, 1)
        Strengths in descending order.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import Design, l2_alphas
    >>> design = Design.prepare(np.diag([2.0, 1.0, 1.0]), sample_weight=None, center=False)
    >>> l2_alphas(3, design, "ridge").ravel()
    array([4.e+00, 4.e-03, 4.e-06])
    """
    largest = 0.0 if penalty == "ols" else _largest_eigenvalue(design)
    return ridge_alphas(n_alphas, largest, penalty, design.total_weight)


def ridge_alphas(
    n_alphas: int, largest_eigenvalue: float, penalty: Penalty, total_weight: float
) -> Doubles:
    """`l2_alphas` where the largest eigenvalue of the Gram is known."""
    if penalty == "ols":
        return np.zeros((1, 1))
    strongest = largest_eigenvalue / (1.0 if penalty == "ridge" else total_weight)
    return (strongest or 1.0) * np.geomspace(1, L2_SPAN, n_alphas)[:, None]


def _largest_eigenvalue(design: Design) -> float:
    """Largest eigenvalue of the Gram, which is not formed."""
    n_features = design.X.shape[1]
    if n_features < 3 or not design.norms.any():
        return float(np.linalg.eigvalsh(design.gram().astype(np.float64))[-1])

    def times_gram(v: Doubles) -> Floats:
        row = v.reshape(1, -1).astype(design.dtype)
        product: Floats = design.cross(design.predict(row))[0]
        return product

    gram = LinearOperator((n_features, n_features), times_gram, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(n_features)
    values = eigsh(gram, k=1, which="LA", v0=start, return_eigenvectors=False)
    return float(values[0])
