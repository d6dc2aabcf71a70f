"""Confidence intervals of predictivity and reorientation, over images or targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from skalign.inference._alignment_draws import intervals_of_models
from skalign.inference._alignment_intervals import AlignmentIntervals
from skalign.inference._evaluated_model import EvaluatedModel, Over, ScoredImages
from skalign.inference._interval import N_RESAMPLES, IntervalRule, Method


def bootstrap_alignment(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    over: Over = "images",
    groups: ArrayLike | None = None,
    center: bool = False,
    test_sample_weight: ArrayLike | None = None,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = 0.95,
    method: Method = "t",
    random_state: Any = None,
) -> AlignmentIntervals:
    r"""Estimate confidence intervals of r and theta of a fitted estimator.

    They say how much r and theta, of every target and averaged over targets, would vary with other
    held-out images, or with other targets. The fitted map stays as it is:
    :func:`selection_stability` says how much the map itself varies with the images to fit.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a linear model inside, alone or within pipelines, target transformers, frozen
        estimators and searches.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Features of images that the estimator was not fitted to.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Observed responses.
    over : {"images", "targets"}, default="images"
        What the interval varies: a bootstrap draws it with replacement, a jackknife leaves it out.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or blocks. Whole groups of images are drawn or left out, because images of
        one group, such as volumes of one fMRI run, are not independent. Only with
        ``over="images"``.
    center : bool, default=False
        Whether theta centers features and targets over images.
    test_sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in r and theta. All images are drawn equally often, but images of
        weight zero are never drawn.
    n_resamples : int, default=1000
        Number of draws of a bootstrap interval.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    method : {"t", "percentile", "basic", "BCa"}, default="t"
        How the interval is made.

        - "t" is ``estimate +- t * standard_error``, with the standard error of the jackknife, which
          leaves out each image or group in turn, and Student's t with one degree of freedom fewer
          than there are images or groups, fewer still where groups differ in size. It needs no
          random draws.
        - "percentile", "basic" and "BCa" are the bootstrap intervals of
          :func:`scipy.stats.bootstrap`. "BCa" corrects for bias and skewness by a jackknife.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap draws; an integer makes them reproducible.

    Returns
    -------
    AlignmentIntervals
        Of the means over targets, ``r``, ``theta`` and ``penalized_theta``, and of every target,
        ``target_r`` and ``target_theta``. r is from -1 to 1, high is good; theta is from 0 to 2,
        low is aligned.

    Raises
    ------
    TypeError
        If the estimator has no linear weights, or weights of a shape that does not fit.
    ValueError
        If a parameter has a value that it cannot have, or there is a single image, group or target
        to draw from.

    Warns
    -----
    UserWarning
        If fewer than ten images, groups or targets are drawn for a bootstrap interval.

    See Also
    --------
    bootstrap_alignment_difference : Intervals of the difference between two estimators.
    bootstrap_mean : Intervals of means over subjects.
    sign_flip_test : Exact test and interval of a mean over a handful of subjects.

    Notes
    -----
    All targets, r and theta share the draws, so that the intervals of means respect that targets
    vary together. An image that is drawn twice counts twice. Predictions and features are computed
    once; moments over images are computed for all draws in matrix products. Beside inputs and
    results, this needs ``n_resamples`` numbers for every active unit, and a bounded block.

    Values that are undefined, such as r where a prediction is constant in a draw, or theta of a
    target without weights, are NaN for the target. Draws without a value are ignored in the
    interval of the target, and counted in ``n_undefined``. In means over targets such a value
    counts as r = 0, is left out of theta, and counts as 2 in ``penalized_theta``, as in
    :meth:`skalign.metrics.Alignment.summary`.

    How often intervals of level 0.95 covered the truth, in 1000 simulated data sets of four targets
    (``benchmarks/interval_coverage.py``; standard errors are at most 0.014):

    ====================================  ======  ==========  ==============  ===================
    Images                                t of r  t of theta  percentile, r   percentile, theta
    ====================================  ======  ==========  ==============  ===================
    100 independent images                0.95    0.95        0.92 to 0.94    0.93 to 0.94
    20 groups of 10 dependent images      0.95    0.93        0.92            0.89
    8 groups of 20 dependent images       0.95    0.91        0.86 to 0.90    0.80 to 0.81
    4 groups of 20 dependent images       0.97    0.91        0.90            0.71
    6 groups of 10 and 2 of 90            0.99    0.92        0.93            0.77
    7 groups of 5 and 1 of 205            1.00    0.95        0.90            0.78
    ====================================  ======  ==========  ==============  ===================

    "BCa" did no better than "percentile" where images depend on each other. For a single target "t"
    covered r in 0.93 to 1.00 and theta in 0.90 to 0.95 of the data sets.

    Groups of different sizes: with the share :math:`w_g` of the images that group g has, and the
    estimate :math:`\theta_{(g)}` without it, the squared standard error is

    .. math:: \sum_g (1 - w_g) (\theta_{(g)} - \bar\theta)^2, \qquad
       \bar\theta = \sum_g (1 - w_g) \theta_{(g)} / \sum_g (1 - w_g).

    Of a mean of independent images, it has no bias. Its degrees of freedom there, by Satterthwaite,
    are those of Student's t [2]_. One group of 205 images beside seven of 5 leaves 1.3 degrees of
    freedom, and a long interval: such data say little about other groups.

    To evaluate weights from elsewhere, set ``coef_`` and ``intercept_`` of a
    :class:`~sklearn.linear_model.LinearRegression`.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani (1993), "An Introduction to the Bootstrap", Chapman & Hall,
       :doi:`10.1201/9780429246593`.
    .. [2] R. M. Bell and D. F. McCaffrey (2002), "Bias reduction in standard errors for linear
       regression with multi-stage samples", Survey Methodology 28(2):169-181.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import bootstrap_alignment
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 4))
    >>> Y = X @ [[1.0, 0.0], [0.5, 1.0], [0.0, 1.0], [0.0, 0.0]] + rng.standard_normal((200, 2))
    >>> encoder = SparsePositiveEncoder().fit(X[:100], Y[:100])
    >>> found = bootstrap_alignment(encoder, X[100:], Y[100:])
    >>> bool(found.r.low < found.r.estimate < found.r.high)
    True
    >>> found.target_theta.standard_error.shape
    (2,)
    """
    rule = IntervalRule(n_resamples, confidence_level, method, random_state)
    scored = ScoredImages(
        y,
        rule,
        over=over,
        groups=groups,
        center=center,
        test_sample_weight=test_sample_weight,
    )
    models = {"encoder": EvaluatedModel(estimator, X, scored)}
    return intervals_of_models(models, scored, stacklevel=2)


def bootstrap_alignment_difference(
    sides: Mapping[str, tuple[Any, Any]],
    y: ArrayLike,
    *,
    over: Over = "images",
    groups: ArrayLike | None = None,
    center: bool = False,
    test_sample_weight: ArrayLike | None = None,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = 0.95,
    method: Method = "t",
    random_state: Any = None,
) -> AlignmentIntervals:
    """Estimate confidence intervals of a difference in r and theta, in paired draws.

    For matched against mismatched units, such as face and scene units that predict a face region,
    or for signed against positive weights. Both sides have the same images and targets in every
    draw.

    Parameters
    ----------
    sides : dict of str to (estimator, X)
        Two sides under names of your choice: a fitted estimator and its features of the held-out
        images. The second is subtracted from the first.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Observed responses to the held-out images.
    over : {"images", "targets"}, default="images"
        What the interval varies: a bootstrap draws it with replacement, a jackknife leaves it out.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or blocks, of which whole ones are drawn. Only with ``over="images"``.
    center : bool, default=False
        Whether theta centers features and targets over images.
    test_sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in r and theta.
    n_resamples : int, default=1000
        Number of draws of a bootstrap interval.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    method : {"t", "percentile", "basic", "BCa"}, default="t"
        How the interval is made; see :func:`bootstrap_alignment`.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap draws; an integer makes them reproducible.

    Returns
    -------
    AlignmentIntervals
        Of the first side minus the second: the first is better where r is above 0 and theta is
        below 0. ``found.sides["name"]`` is the alignment of a side.

    Raises
    ------
    TypeError
        If an estimator has no linear weights, or `sides` is not two named pairs.
    ValueError
        If shapes do not fit each other, or a parameter has a value that it cannot have.

    Warns
    -----
    UserWarning
        If fewer than ten images, groups or targets are drawn for a bootstrap interval.

    See Also
    --------
    bootstrap_alignment : Intervals of one estimator; explains draws and undefined values.
    bootstrap_mean : Intervals of mean differences over subjects.
    alignment_against_control, price_of_sign : Fit both sides, and compare them without intervals.

    Notes
    -----
    A target that one side leaves without a theta has no difference in theta: the mean leaves it
    out and counts it. In the mean difference in r that side has r = 0 for the target, and in
    ``penalized_theta`` it has a theta of 2.

    In the simulations of :func:`bootstrap_alignment`, "t" intervals of level 0.95 covered true
    differences in 0.93 to 0.97 of the data sets, with 100 independent images and with 4, 8 and 20
    groups alike, and in 0.95 to 1.00 with groups of very different sizes; "percentile" in 0.93 to
    0.97 with independent images, but in 0.77 to 0.92 with groups.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import bootstrap_alignment_difference
    >>> rng = np.random.default_rng(0)
    >>> faces, scenes = rng.standard_normal((2, 200, 5))
    >>> Y = faces[:, :3] + 0.1 * scenes[:, :3] + rng.standard_normal((200, 3))
    >>> sides = {
    ...     name: (SparsePositiveEncoder(alpha=0.01).fit(X[:100], Y[:100]), X[100:])
    ...     for name, X in {"faces": faces, "scenes": scenes}.items()
    ... }
    >>> found = bootstrap_alignment_difference(sides, Y[100:])
    >>> bool(found.r.low > 0), bool(found.theta.high < 0)
    (True, True)
    >>> found.sides["scenes"].r.shape
    (3,)
    """
    rule = IntervalRule(n_resamples, confidence_level, method, random_state)
    scored = ScoredImages(
        y,
        rule,
        over=over,
        groups=groups,
        center=center,
        test_sample_weight=test_sample_weight,
    )
    if not (
        isinstance(sides, Mapping)
        and len(sides) == 2
        and all(isinstance(side, tuple | list) and len(side) == 2 for side in sides.values())
    ):
        raise TypeError(
            f"sides must be a dict of two pairs (estimator, X) by their names; got {sides!r}."
        )
    models = {name: EvaluatedModel(*side, scored) for name, side in sides.items()}
    return intervals_of_models(models, scored, stacklevel=2)
