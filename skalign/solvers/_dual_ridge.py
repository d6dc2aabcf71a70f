"""Ridge with fewer images than features, whose weights are combinations of the images.

With ``(XX' + l2) c = y`` the weights are ``X'c``. They are optimal where their residual is
``l2 c``: what it misses bounds every condition, so that no product of targets and features is
needed, nor one of features and residuals.
"""

from __future__ import annotations

import numpy as np

from skalign.solvers._certificate import Certificate
from skalign.solvers._design import Design
from skalign.solvers._penalties import PenaltyStrengths
from skalign.utils import Doubles, Floats

ORTHOGONAL = 64  # times rounding: products with targets that may be nothing but rounding errors


def weights_of_images(
    design: Design, images: Floats, squared_norms: Doubles, coefficients: Doubles, l2: Doubles
) -> Floats:
    """Combine images to weights; zeros for targets that are orthogonal to all features.

    Parameters
    ----------
    design : Design
        Prepared features, dense.
    images : ndarray of shape (n_samples, n_targets)
        Prepared targets.
    squared_norms : ndarray of shape (n_targets,)
        Their squared norms.
    coefficients : ndarray of shape (n_samples, n_targets)
        Coefficients of the images, in the type in which they are to be multiplied.
    l2 : ndarray of shape (n_targets,)
        Strengths.

    Returns
    -------
    ndarray of shape (n_targets, n_features)
        The weights.
    """
    X = design.X.astype(coefficients.dtype, copy=False)
    coef = np.ascontiguousarray((coefficients.T @ X).astype(design.dtype, copy=False))
    # X'y is no shorter than l2 w: a look at the weights spares the product with most targets.
    reach = np.finfo(design.dtype).eps * np.sqrt(squared_norms) * np.linalg.norm(design.norms)
    sizes = np.sqrt(np.einsum("ij,ij->i", coef, coef, dtype=np.float64))
    doubtful = np.flatnonzero(l2 * sizes <= ORTHOGONAL * reach)
    if doubtful.size:
        q, _ = design.correlate(images[:, doubtful], squared_norms[doubtful])
        coef[doubtful[~q.any(axis=1)]] = 0
    return coef


def certify_combination(
    design: Design,
    residual: Floats,
    coef: Floats,
    coefficients: Doubles,
    penalty: PenaltyStrengths,
    squared_norms: Doubles,
) -> Certificate:
    """Bound the violation and the gap of weights that are combinations of the images.

    With ``p = r - l2 c``, the gradient ``X'r - l2 w`` is ``X'p``, and the gap at the dual point
    ``l2 c`` is ``|p|^2 / 2``; that of weights which rounding moved by d, ``l2 |d|^2 / 2`` more.

    Parameters
    ----------
    design : Design
        Prepared features, dense.
    residual : ndarray of shape (n_samples, n_targets)
        Prepared targets minus their predictions.
    coef : ndarray of shape (n_targets, n_features)
        Weights.
    coefficients : ndarray of shape (n_samples, n_targets)
        Coefficients of the images.
    penalty : PenaltyStrengths
        Strengths, without an l1 penalty.
    squared_norms : ndarray of shape (n_targets,)
        Squared norms of the prepared targets.

    Returns
    -------
    Certificate
        Objective, and upper bounds of KKT violation (up to rounding) and duality gap.
    """
    norms, l2 = np.sqrt(squared_norms), penalty.l2
    missed = np.linalg.norm(residual - l2 * coefficients, axis=0)
    violation = np.divide(missed, norms, out=np.zeros(len(norms)), where=norms > 0)
    eps = np.finfo(design.dtype).eps
    reach = norms + np.abs(coef).astype(np.float64, copy=False) @ design.norms
    slip = (design.rounding + eps * design.X.shape[1]) * reach
    # Of l2 c, which is about as large as y, where c may be out of range.
    moved = (design.rounding + eps) * np.linalg.norm(design.norms)
    moved = moved * np.linalg.norm(l2 * coefficients, axis=0)
    squares = np.divide(moved**2, l2, out=np.zeros(len(l2)), where=l2 > 0)
    gap = 0.5 * (missed + slip) ** 2 + 0.5 * squares
    rr = np.einsum("ij,ij->j", residual, residual, dtype=np.float64)
    paid = 0.5 * l2 * np.einsum("ij,ij->i", coef, coef, dtype=np.float64)
    gap[l2 == 0] = np.nan
    return Certificate(penalty.unit * (0.5 * rr + paid), violation, penalty.unit * gap)
