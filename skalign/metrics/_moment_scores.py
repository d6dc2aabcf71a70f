"""Predictivity and reorientation from second moments, without the images themselves.

For features of means m and centered Gram G, weights w and an intercept b, the prediction p has
``p'p = w'Gw`` and ``f_i'p = (Gw)_i`` if both are centered. Otherwise the sum of the image weights
times ``(m'w + b)^2`` and ``m_i (m'w + b)`` is added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skalign.metrics._directions import safe_scale
from skalign.metrics._map_scores import geometric_floor
from skalign.metrics._problem import mean_cosine
from skalign.solvers import FeatureMoments, Moments, quadratic_forms
from skalign.utils import Array, Doubles, Flags, Floats, Integers

# Up to this fraction of active features, sums over those alone take less time than over all.
FEW = 0.25


class MomentScores(NamedTuple):
    """Scores of linear maps on images that are known by their moments.

    Returned by :func:`scores_of_moments`.

    Parameters
    ----------
    n_active : ndarray of shape (n_targets,)
        Number of nonzero weights.
    r, r2 : ndarray of shape (n_targets,)
        Pearson correlation and coefficient of determination of observed and predicted responses;
        NaN where undefined.
    theta, theta_observed : ndarray of shape (n_targets,)
        Tuning reorientation to the predicted and to the observed responses; NaN where undefined.
    n_effective, theta_floor : ndarray of shape (n_targets,)
        Effective number of units and geometric floor of theta, as in :class:`Alignment`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import MomentScores
    >>> empty = MomentScores(np.zeros(1, int), *np.full((6, 1), np.nan))
    >>> empty.n_active
    array([0])
    """

    n_active: Integers
    r: Doubles
    r2: Doubles
    theta: Doubles
    theta_observed: Doubles
    n_effective: Doubles
    theta_floor: Doubles


def scores_of_moments(
    moments: Moments,
    coef: Floats,
    intercept: Floats,
    *,
    center: bool,
    cosine: float | None = None,
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
    cosine : float, default=None
        Mean cosine of the features, where it is known: see :func:`mean_cosine_of_moments`.

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
    total_weight, squared_norms = moments.total_weight, moments.target_squared_norms
    predicted_means = coef @ moments.features.means + intercept
    bias = moments.target_means - predicted_means
    feature_means, inverse = _means_and_inverse_norms(moments.features, center)
    has_direction = inverse > 0
    active = coef != 0
    weights, products, sums = _active_weights(coef, moments.q, active)
    absolute = np.abs(weights)
    variance, aligned = quadratic_forms(moments.gram, coef, inverse)
    variance = np.maximum(variance, 0)
    covariance = sums(weights * products, np.ones(len(inverse)))
    r, r2, theta, theta_observed, n_effective, floor = np.full((6, len(coef)), np.nan)
    # The product of the roots stays in range where the root of the product would not.
    size = np.sqrt(variance) * np.sqrt(squared_norms)
    np.divide(covariance, size, out=r, where=size > 0)
    residual = squared_norms - 2 * covariance + variance + total_weight * bias**2
    np.divide(residual, squared_norms, out=r2, where=squared_norms > 0)

    total = sums(absolute, has_direction.astype(np.float64))
    along_means = None if center else sums(absolute, inverse * feature_means)
    for found, along, square, means in (
        (theta, aligned, variance, predicted_means),
        (theta_observed, sums(absolute * products, inverse), squared_norms, moments.target_means),
    ):
        if along_means is not None:
            along = along + total_weight * means * along_means
            square = square + total_weight * means**2
        length = np.sqrt(square) * total
        np.divide(along, length, out=found, where=length > 0)
    low = coef.min(axis=1, initial=0)
    scale = safe_scale(np.maximum(coef.max(axis=1, initial=0), -low), "coef")
    if (scale != 1).any():
        scale = np.ldexp(1.0, np.frexp(scale)[1] - 1)  # a power of two rounds nothing
        absolute, _, sums = _active_weights(np.abs(coef) / scale[:, np.newaxis], moments.q, active)
        total = total / scale
    squares = sums(absolute**2, has_direction.astype(np.float64))
    np.divide(total**2, squares, out=n_effective, where=squares > 0)
    if cosine is None:
        cosine = mean_cosine_of_moments(moments.features, center=center)
    is_positive = low >= 0
    floor[is_positive] = geometric_floor(n_effective[is_positive], cosine)
    return MomentScores(
        n_active=np.count_nonzero(active, axis=1),
        r=np.clip(r, -1, 1),
        r2=1 - r2,
        theta=np.clip(1 - theta, 0, 2),
        theta_observed=np.clip(1 - theta_observed, 0, 2),
        n_effective=n_effective,
        theta_floor=floor,
    )


def _active_weights(
    coef: Floats, q: Floats, active: Flags
) -> tuple[Doubles, Doubles, Callable[[Array, Doubles], Doubles]]:
    """Weights and products, in double precision, and how to sum over the features of a target.

    Where few features are active, both are lists of numbers of those; else whole tables. The sum is
    that of such numbers times a factor for each feature.
    """
    n_targets, n_features = coef.shape
    flat = np.flatnonzero(active)
    if flat.size > FEW * active.size:
        return coef.astype(np.float64, copy=False), q.astype(np.float64, copy=False), np.matmul
    target, feature = np.divmod(flat, n_features)

    def sums(values: Array, factors: Doubles) -> Doubles:
        summed = np.bincount(target, values * factors[feature], n_targets)
        return summed.astype(np.float64, copy=False)

    weights, products = coef[target, feature], q[target, feature]
    return weights.astype(np.float64), products.astype(np.float64), sums


def mean_cosine_of_moments(features: FeatureMoments, *, center: bool) -> float:
    """Mean cosine of two different features, over those that have a direction.

    Parameters
    ----------
    features : FeatureMoments
        Centered moments of the features.
    center : bool
        Whether the cosine is that of centered features.

    Returns
    -------
    float
        From -1 to 1; 0 if a single feature has a direction.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import mean_cosine_of_moments
    >>> from skalign.solvers import Moments
    >>> X = np.array([[1.0, 1.0], [0.0, 1.0]])
    >>> moments = Moments.of(X, np.ones((2, 1)))
    >>> round(mean_cosine_of_moments(moments.features, center=False), 2)
    0.71
    """
    means, inverse = _means_and_inverse_norms(features, center)
    square = inverse @ (features.gram @ inverse.astype(features.gram.dtype))
    square += features.total_weight * (inverse @ means) ** 2
    return mean_cosine(float(square), int(np.count_nonzero(inverse)))


def _means_and_inverse_norms(features: FeatureMoments, center: bool) -> tuple[Doubles, Doubles]:
    """Means that cosines see, and one over the norm of every feature; 0 without a direction."""
    means = np.zeros_like(features.means) if center else features.means
    norms = np.sqrt(features.gram.diagonal() + features.total_weight * means**2)
    inverse = np.zeros_like(norms, dtype=np.float64)
    np.divide(1, norms, out=inverse, where=norms > 0)
    return means, inverse
