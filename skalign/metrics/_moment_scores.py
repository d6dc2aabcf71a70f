"""Predictivity and reorientation from second moments, without the images themselves.

For features of means m and centered Gram G, weights w and an intercept b, the prediction p has
``p'p = w'Gw`` and ``f_i'p = (Gw)_i`` if both are centered. Otherwise the sum of the image weights
times ``(m'w + b)^2`` and ``m_i (m'w + b)`` is added.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from skalign.solvers import Moments, quadratic_forms
from skalign.utils import Doubles, Floats, Integers


class MomentScores(NamedTuple):
    """Scores of linear maps on images that are known by their moments.

    Returned by :func:`scores_of_moments`.

    Parameters
    ----------
    r, r2 : ndarray of shape (n_targets,)
        Pearson correlation and coefficient of determination of observed and predicted responses;
        NaN where undefined.
    theta : ndarray of shape (n_targets,)
        Tuning reorientation; NaN where undefined.
    n_active : ndarray of shape (n_targets,)
        Number of nonzero weights.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import MomentScores
    >>> empty = MomentScores(*np.full((3, 1), np.nan), n_active=np.zeros(1, int))
    >>> empty.n_active
    array([0])
    """

    r: Doubles
    r2: Doubles
    theta: Doubles
    n_active: Integers


def scores_of_moments(
    moments: Moments,
    coef: Floats,
    intercept: Floats,
    *,
    center: bool,
    target: Literal["predicted", "observed"] = "predicted",
) -> MomentScores:
    """Score linear maps on images that are known by their moments.

    Parameters
    ----------
    moments : Moments
        Centered moments of the images and of the observed responses.
    coef : ndarray of shape (n_targets, n_features)
        Weights.
    intercept : ndarray of shape (n_targets,)
        Intercepts.
    center : bool
        Whether theta centers features and responses over images.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.

    Returns
    -------
    MomentScores
        The scores that :func:`alignment` finds on the images, and R2.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import scores_of_moments
    >>> from skalign.solvers import Moments
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 2))
    >>> moments = Moments.of(X, X @ [[1.0], [0.5]])
    >>> scores = scores_of_moments(moments, np.array([[1.0, 0.5]]), np.zeros(1), center=True)
    >>> scores.r.round(2), scores.r2.round(2), scores.n_active
    (array([1.]), array([1.]), array([2]))
    """
    gram, total_weight = moments.gram, moments.total_weight
    squared_norms = moments.target_squared_norms
    feature_means = moments.features.means
    predicted_means = coef @ feature_means + intercept
    bias = moments.target_means - predicted_means
    reached_means = predicted_means if target == "predicted" else moments.target_means
    if center:
        feature_means, reached_means = np.zeros_like(feature_means), np.zeros(len(coef))
    norms = np.sqrt(gram.diagonal() + total_weight * feature_means**2)
    inverse = np.zeros_like(norms, dtype=np.float64)
    np.divide(1, norms, out=inverse, where=norms > 0)
    absolute = np.abs(coef)
    n_active = np.count_nonzero(coef, axis=1)
    variance, aligned = quadratic_forms(gram, coef, inverse)
    variance = np.maximum(variance, 0)
    covariance = np.einsum("ij,ij->i", coef, moments.q, dtype=np.float64)
    r, r2, theta = np.full((3, len(coef)), np.nan)
    # The product of the roots stays in range where the root of the product would not.
    size = np.sqrt(variance) * np.sqrt(squared_norms)
    np.divide(covariance, size, out=r, where=size > 0)
    residual = squared_norms - 2 * covariance + variance + total_weight * bias**2
    np.divide(residual, squared_norms, out=r2, where=squared_norms > 0)

    if target == "observed":
        aligned, variance = (absolute * moments.q) @ inverse, squared_norms
    aligned += total_weight * reached_means * (absolute @ (inverse * feature_means))
    length = np.sqrt(variance + total_weight * reached_means**2)
    total = length * (absolute @ (norms > 0))
    np.divide(aligned, total, out=theta, where=total > 0)
    return MomentScores(np.clip(r, -1, 1), 1 - r2, np.clip(1 - theta, 0, 2), n_active)
