"""The smallest encoding problem that can be drawn: two images."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state, check_scalar

_TARGET = 3.0, 2.5
_DESCR = """\
Tuning toy: features and a target over two images
-------------------------------------------------

Features are points in the plane, their responses to the two images: drawn from a normal
distribution of mean -0.75 and standard deviation 1.5 in both. The target responds with 3 to the
first image and with 2.5 to the second, so most features point away from it. Made for fits
without an intercept.
"""


def make_tuning_toy(*, n_features: int = 100, random_state: Any = 1) -> Bunch:
    """Draw features over two images, so that tuning directions are arrows in the plane.

    The responses of a feature are normal with mean -0.75 and standard deviation 1.5; the target
    is (3, 2.5) in every draw. With many more features than images, encoders of all penalties fit
    the target, and differ in which features they weight: Figure 1C of [1]_.

    Parameters
    ----------
    n_features : int, default=100
        Number of features.
    random_state : int, RandomState instance or None, default=1
        Determines the features. By default, a draw by the recipe of [1]_. Pass a RandomState for
        different draws in a row, None for one that cannot be repeated.

    Returns
    -------
    Bunch
        With the attributes

        X : ndarray of shape (2, n_features)
            Responses of the features, images x features as encoders take them.
        y : ndarray of shape (2,)
            Responses of the target.
        DESCR : str
            Description.

    Raises
    ------
    TypeError
        If `n_features` is not an integer.
    ValueError
        If `n_features` is below 1.

    See Also
    --------
    skalign.inspection.TuningArrowsDisplay : Draws the features and what an encoder makes of them.

    Notes
    -----
    The paper prints a theta of 0.06 for positive lasso where this draw gives 0.05: the recipe is
    the paper's, the draw need not be.

    Fit without an intercept: with one, two images are a single difference, and directions in the
    plane lose their meaning. For the same reason theta is taken without centering.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.datasets import make_tuning_toy
    >>> from skalign.metrics import tuning_reorientation
    >>> toy = make_tuning_toy()
    >>> toy.X.shape, toy.y.tolist()
    ((2, 100), [3.0, 2.5])
    >>> encoder = SparsePositiveEncoder("lasso", alpha=0.5, fit_intercept=False)
    >>> encoder.fit(toy.X, toy.y).coef_.nonzero()[0].size
    2
    >>> tuning_reorientation(toy.X, toy.y, encoder.coef_).round(2)
    array([0.05])
    """
    check_scalar(n_features, "n_features", Integral, min_val=1)
    # A row per feature, drawn by the legacy generator: its stream gives the published draw.
    features = check_random_state(random_state).randn(n_features, 2) * 1.5 - 0.75
    return Bunch(
        X=np.ascontiguousarray(features.T),
        y=np.array(_TARGET),
        DESCR=_DESCR,
    )
