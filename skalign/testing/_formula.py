"""Tuning reorientation from its formula, slowly: the reference for fast implementations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skalign.utils import Doubles


def reorientation_formula(
    features: ArrayLike,
    targets: ArrayLike,
    weights: ArrayLike,
    *,
    center: bool = False,
    undefined: float = np.nan,
) -> Doubles:
    r"""Tuning reorientation one target and one unit at a time, for tests.

    .. math::
        \theta_v = \frac{\sum_i |w_{vi}| \, (1 - \cos(f_i, t_v))}{\sum_i |w_{vi}|}

    Parameters
    ----------
    features : array-like of shape (n_images, n_units)
        Responses of the units.
    targets : array-like of shape (n_images, n_targets)
        What the weights reach.
    weights : array-like of shape (n_targets, n_units)
        Weights in scikit-learn's layout.
    center : bool, default=False
        Whether to center features and targets over images.
    undefined : float, default=nan
        Value of a target that has no weights, or no direction.

    Returns
    -------
    ndarray of shape (n_targets,)
        Theta, from 0 to 2; low is aligned.

    See Also
    --------
    reorientation_checks : Hold a faster implementation against this.

    Notes
    -----
    The sums run over the units that have a direction: a unit that is silent on all images
    (constant, if ``center``) counts in neither. No care is taken of overflow, of memory or of time.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.testing import reorientation_formula
    >>> reorientation_formula(np.eye(2), [[3.0], [-4.0]], [[3.0, -4.0]])
    array([1.2])
    """
    theta = []
    for target, target_weights in zip(np.transpose(targets), np.asarray(weights), strict=True):
        numerator = denominator = 0.0
        for feature, weight in zip(np.transpose(features), target_weights, strict=True):
            f, t = np.asarray(feature, dtype=float), np.asarray(target, dtype=float)
            if center:
                # A constant has no direction, whatever its mean is rounded to.
                f = (f - f.mean()) * (np.ptp(f) > 0)
                t = (t - t.mean()) * (np.ptp(t) > 0)
            norms = np.linalg.norm(f) * np.linalg.norm(t)
            if norms > 0:
                numerator += abs(weight) * (1 - f @ t / norms)
                denominator += abs(weight)
        theta.append(numerator / denominator if denominator > 0 else undefined)
    return np.array(theta)
