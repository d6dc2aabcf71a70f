"""Bootstrap intervals of predictivity and reorientation, over images or targets."""

from __future__ import annotations

from typing import Any, Literal

from numpy.typing import ArrayLike

from skalign.inference._alignment_draws import (
    Over,
    Setting,
    bootstrap_systems,
    find_system,
)
from skalign.inference._interval import AlignmentIntervals, Method, Rule


def bootstrap_alignment(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    over: Over = "images",
    groups: ArrayLike | None = None,
    target: Literal["predicted", "observed"] = "predicted",
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    method: Method = "percentile",
    random_state: Any = None,
) -> AlignmentIntervals:
    """Bootstrap intervals of r and theta of a fitted estimator.

    How much r and theta, of every target and averaged over targets, would vary with other held-out
    images, or with other targets. The fitted map stays as it is: see :func:`selection_stability`
    for how much the map itself varies with the images that it is fitted to.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a linear model inside, alone or within pipelines, target transformers, frozen
        estimators and searches.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Images that the estimator was not fitted to.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Observed responses.
    over : {"images", "targets"}, default="images"
        What is drawn with replacement.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or blocks. Whole groups of images are drawn, for images of one group, such
        as volumes of one fMRI run, are not independent. Only with ``over="images"``.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in r and theta. All are drawn equally often, but for images of weight
        zero, which are not there.
    n_resamples : int, default=999
        Number of draws.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    method : {"percentile", "basic", "BCa"}, default="percentile"
        How the draws become an interval, as in :func:`scipy.stats.bootstrap`. "BCa" corrects for
        bias and skewness, and leaves out each image in its turn.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible.

    Returns
    -------
    AlignmentIntervals
        Of the means over targets, ``r`` and ``theta``, and of every target, ``target_r`` and
        ``target_theta``. r is from -1 to 1, high is good; theta from 0 to 2, low is aligned.

    Raises
    ------
    TypeError
        If the estimator has no linear weights, or weights of a shape that does not fit.
    ValueError
        If a parameter has a value that it cannot have, or there is a single image, group or target
        to draw from.

    See Also
    --------
    bootstrap_alignment_arrays : The same of features, predictions and weights.
    bootstrap_alignment_difference : Of two estimators, in paired draws.
    bootstrap_mean : Of means over subjects.

    Notes
    -----
    One draw of images is shared by all targets and by r and theta, so that the intervals of means
    respect that targets vary together. An image drawn twice counts twice: predictions and features
    are computed once, and moments over images for all draws in matrix products. Beside inputs and
    results, this needs ``n_resamples`` numbers for every active unit, and a bounded block.

    Where r is undefined, as of a prediction that is constant in a draw, it counts as 0, for it
    explains nothing. Where theta is undefined, as of a target without weights, it is left out of
    the mean; a target's own undefined draws are left out of its interval. Both are counted.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani (1993), "An Introduction to the Bootstrap", Chapman & Hall,
       :doi:`10.1201/9780429246593`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import bootstrap_alignment
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 4))
    >>> Y = X @ [[1.0, 0.0], [0.5, 1.0], [0.0, 1.0], [0.0, 0.0]] + rng.standard_normal((200, 2))
    >>> encoder = SparsePositiveEncoder().fit(X[:100], Y[:100])
    >>> found = bootstrap_alignment(encoder, X[100:], Y[100:], random_state=0)
    >>> bool(found.r.low < found.r.estimate < found.r.high)
    True
    >>> found.target_theta.standard_error.shape
    (2,)
    """
    rule = Rule(n_resamples, confidence_level, method, random_state)
    setting = Setting(y, over, groups, target, center, sample_weight, rule)
    return bootstrap_systems([[find_system((estimator, X), setting)]], setting)


def bootstrap_alignment_arrays(
    features: Any,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    weights: Any,
    *,
    over: Over = "images",
    groups: ArrayLike | None = None,
    target: Literal["predicted", "observed"] = "predicted",
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    method: Method = "percentile",
    random_state: Any = None,
) -> AlignmentIntervals:
    """Bootstrap intervals of r and theta, from arrays.

    Parameters
    ----------
    features : {array-like, sparse matrix} of shape (n_images, n_units)
        Responses of the units to held-out images, as they reach the linear map.
    y_true : array-like of shape (n_images, n_targets) or (n_images,)
        Observed responses.
    y_pred : array-like of shape (n_images, n_targets) or (n_images,)
        Predicted responses.
    weights : {array-like, sparse matrix} of shape (n_targets, n_units) or (n_units,)
        Weights of the map, in scikit-learn's layout.
    over : {"images", "targets"}, default="images"
        What is drawn with replacement.
    groups : array-like of shape (n_images,), default=None
        Whole groups of images are drawn. Only with ``over="images"``.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in r and theta.
    n_resamples : int, default=999
        Number of draws.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    method : {"percentile", "basic", "BCa"}, default="percentile"
        How the draws become an interval.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible.

    Returns
    -------
    AlignmentIntervals
        Of the means over targets, and of every target.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or a parameter has a value that it cannot have.

    See Also
    --------
    bootstrap_alignment : Of a fitted estimator; explains what is drawn and what is undefined.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.inference import bootstrap_alignment_arrays
    >>> rng = np.random.default_rng(0)
    >>> features, weights = rng.standard_normal((90, 3)), np.array([[1.0, 0.5, 0.0]])
    >>> y_pred = features @ weights.T
    >>> y_true = y_pred + rng.standard_normal((90, 1))
    >>> found = bootstrap_alignment_arrays(features, y_true, y_pred, weights, random_state=0)
    >>> bool(found.target_r.low[0] < found.target_r.estimate[0] < found.target_r.high[0])
    True
    """
    rule = Rule(n_resamples, confidence_level, method, random_state)
    setting = Setting(y_true, over, groups, target, center, sample_weight, rule)
    return bootstrap_systems([[find_system((features, y_pred, weights), setting)]], setting)


def bootstrap_alignment_difference(
    first: Any,
    second: Any,
    y: ArrayLike,
    *,
    over: Over = "images",
    groups: ArrayLike | None = None,
    target: Literal["predicted", "observed"] = "predicted",
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    method: Method = "percentile",
    random_state: Any = None,
) -> AlignmentIntervals:
    """Bootstrap intervals of a difference in r and theta, in paired draws.

    Between matched and mismatched units, as face and scene units that predict a face region, or
    positive and signed weights. Both see the same images in every draw, and the same targets.

    Parameters
    ----------
    first, second : tuple, or list of tuples
        What is compared: a pair ``(estimator, X)`` of a fitted estimator and its features of the
        held-out images, or a triple ``(features, y_pred, weights)`` of arrays. Of a list, as of
        several networks, the mean of r and of theta is taken for every target and draw.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Observed responses.
    over : {"images", "targets"}, default="images"
        What is drawn with replacement.
    groups : array-like of shape (n_images,), default=None
        Whole groups of images are drawn. Only with ``over="images"``.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in r and theta.
    n_resamples : int, default=999
        Number of draws.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    method : {"percentile", "basic", "BCa"}, default="percentile"
        How the draws become an interval.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible.

    Returns
    -------
    AlignmentIntervals
        Of `first` minus `second`: matched units are the better where r is above 0 and theta below.

    Raises
    ------
    TypeError
        If an estimator has no linear weights, or `first` or `second` are not tuples of those kinds.
    ValueError
        If shapes do not fit each other, or a parameter has a value that it cannot have.

    See Also
    --------
    bootstrap_alignment : Of one estimator; explains what is drawn and what is undefined.
    bootstrap_mean : Of differences over subjects.

    Notes
    -----
    A target that either side leaves without a theta has no difference in theta, and is left out and
    counted; its difference in r is there, with r = 0 for a constant prediction. In a list, theta is
    the mean over those that have one.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import bootstrap_alignment_difference
    >>> rng = np.random.default_rng(0)
    >>> faces, scenes = rng.standard_normal((2, 200, 5))
    >>> Y = faces[:, :3] + 0.1 * scenes[:, :3] + rng.standard_normal((200, 3))
    >>> fitted = [
    ...     (SparsePositiveEncoder(alpha=0.01).fit(X[:100], Y[:100]), X[100:])
    ...     for X in (faces, scenes)
    ... ]
    >>> found = bootstrap_alignment_difference(*fitted, Y[100:], random_state=0)
    >>> bool(found.r.low > 0), bool(found.theta.high < 0)
    (True, True)
    """
    rule = Rule(n_resamples, confidence_level, method, random_state)
    setting = Setting(y, over, groups, target, center, sample_weight, rule)
    sides = [side if isinstance(side, list) and side else [side] for side in (first, second)]
    systems = [[find_system(given, setting) for given in side] for side in sides]
    return bootstrap_systems(systems, setting)
