"""Predictivity and reorientation from second moments, without the images themselves.

For features of mean m and centered Gram G, and weights w with an intercept b, the prediction p has
``p'p = w'Gw`` and ``f_i'p = (Gw)_i`` if centered; otherwise each gains ``s m_i (m'w + b)`` or so,
with s the sum of the image weights.
"""

import numpy as np
from numpy.typing import NDArray

from skalign.metrics._alignment import Alignment
from skalign.solvers._kernel import quadratic_block

# From here on a dense product is quicker than one over active units only.
DENSE = 0.25


def alignment_of_moments(
    gram: NDArray,
    q: NDArray,
    squared_norms: NDArray,
    coef: NDArray,
    *,
    mean: NDArray,
    offset: NDArray,
    total_weight: float,
    undefined_r: float,
    undefined_theta: float,
) -> Alignment:
    """Alignment of linear maps with their predictions, from moments over held-out images.

    Parameters
    ----------
    gram : ndarray of shape (n_units, n_units)
        Centered, weighted Gram of the features.
    q : ndarray of shape (n_targets, n_units)
        Centered, weighted products of observed targets and features.
    squared_norms : ndarray of shape (n_targets,)
        Those of the centered, weighted targets.
    coef : ndarray of shape (n_targets, n_units)
        Weights.
    mean : ndarray of shape (n_units,)
        Means of the features where theta is not centered; zeros where it is.
    offset : ndarray of shape (n_targets,)
        Means of the predictions where theta is not centered; zeros where it is.
    total_weight : float
        Sum of the image weights.
    undefined_r, undefined_theta : float
        Values where there is none.

    Returns
    -------
    Alignment
        What ``alignment`` finds on the images.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import alignment_of_moments
    >>> coef = np.array([[1.0, 1.0]])
    >>> found = alignment_of_moments(
    ...     np.eye(2), np.array([[1.0, 0.5]]), np.array([1.5]), coef, mean=np.zeros(2),
    ...     offset=np.zeros(1), total_weight=3.0, undefined_r=0.0, undefined_theta=2.0,
    ... )
    >>> found.r.round(2), found.theta.round(2)
    (array([0.87]), array([0.29]))
    """
    norms = np.sqrt(gram.diagonal() + total_weight * mean**2)
    inverse = np.zeros_like(norms, dtype=np.float64)
    np.divide(1, norms, out=inverse, where=norms > 0)
    absolute = np.abs(coef)
    n_active = np.count_nonzero(coef, axis=1)
    if n_active.mean() > DENSE * coef.shape[1]:
        reached = coef @ gram
        variance = np.einsum("ij,ij->i", coef, reached, dtype=np.float64)
        aligned = (absolute * reached) @ inverse
    else:
        variance, aligned = np.empty(len(coef)), np.empty(len(coef))
        quadratic_block(gram, coef, inverse, variance, aligned)
    covariance = np.einsum("ij,ij->i", coef, q, dtype=np.float64)
    size = np.sqrt(np.maximum(variance, 0) * squared_norms)
    r = np.full(len(coef), undefined_r)
    np.divide(covariance, size, out=r, where=size > 0)

    aligned += total_weight * offset * (absolute @ (inverse * mean))
    length = np.sqrt(np.maximum(variance, 0) + total_weight * offset**2)
    total = length * (absolute @ (norms > 0))
    theta = np.full(len(coef), undefined_theta)
    np.divide(aligned, total, out=aligned, where=total > 0)
    theta[total > 0] = np.clip(1 - aligned[total > 0], 0, 2)
    return Alignment(np.where(size > 0, np.clip(r, -1, 1), r), theta, n_active)
