"""The same encoder on features that have not been learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_array, check_random_state

from skalign.inference._comparison import AlignmentComparison, check_test_targets, check_test_weight
from skalign.inference._refits import RefittableModel, count_samples
from skalign.metrics import Alignment, alignment
from skalign.utils import Array, check_flag


def alignment_against_control(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    X_control: Any = None,
    X_control_test: Any = None,
    keep_alpha: bool = False,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    test_sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    fit_params: dict[str, Any] | None = None,
    random_state: Any = None,
) -> AlignmentComparison:
    """Fit the same encoder to features and to control features, and compare target by target.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside, alone or within pipelines, target transformers and searches.
        Two clones are fitted.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Features of the images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
        Features of the images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    X_control : {array-like, sparse matrix} of shape (n_images, n_control), default=None
        Control features of the images to fit. The same layer of the same network before training
        is the best choice. By default they are random features made of `X`; see Notes.
    X_control_test : {array-like, sparse matrix} of shape (n_test_images, n_control), default=None
        Control features of the images to score.
    keep_alpha : bool, default=False
        Whether an encoder that chooses alpha by cross-validation keeps for the control what it has
        chosen for the features. By default it chooses anew.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in both fits. In a pipeline they go to the last step; with metadata
        routing enabled, to each step that has requested them.
    test_sample_weight : array-like of shape (n_test_images,), default=None
        Weights of the test images in r and theta.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or subjects of the images. An encoder that chooses by cross-validation keeps
        the images of a group in the same part of every split.
    fit_params : dict, default=None
        Further arguments of ``encoder.fit``, such as ``"step__sample_weight"``.
    random_state : int, RandomState instance or None, default=None
        Seed of the random features; an integer makes them reproducible.

    Returns
    -------
    AlignmentComparison
        Alignment of the sides "encoder" and "control".

    Raises
    ------
    TypeError
        If the encoder has no linear weights or takes no `sample_weight`, or if `X` is sparse and
        there are no control features.
    ValueError
        If a parameter has a value that it cannot have, one of the control features is missing, or
        the targets of `y` and `y_test` have different names.

    See Also
    --------
    alignment_null : A test against rotated features.
    price_of_sign : The same features with signed and with positive weights.

    Notes
    -----
    There are as many random features as `X` has units. Each is a Gaussian random combination of all
    standardized units. Unit by unit they get the mean and the spread that `X` has over the images
    to fit, so that an alpha means the same for both. If no value of `X` is negative, the random
    features are rectified and get the spread only. Together they carry nearly the same information
    as `X`, so that signed and dense weights may well predict as much from them. But no unit of them
    has a tuning that was learned.

    With one alpha for both sides the encoder may keep fewer units of the control. Its theta is then
    lower for that reason alone: read theta beside ``n_active``.

    A step of a pipeline that has data of its own, such as the stimuli of a localizer, does not fit
    random features. Give it control features and stimuli of the same untrained network, by two
    calls of :func:`~skalign.metrics.alignment`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import alignment_against_control
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 20))
    >>> y = X[:, :3] + 0.5 * rng.standard_normal((200, 3))
    >>> found = alignment_against_control(
    ...     SparsePositiveEncoder(alpha=0.1), X[:100], y[:100], X[100:], y[100:], random_state=0
    ... )
    >>> found.difference("r").round(1), found.difference("theta").round(1)
    (array([0.3, 0.4, 0.6]), array([-0.6, -0.4, -0.3]))
    >>> found["control"].n_active
    array([7, 6, 4])
    """
    if (X_control is None) != (X_control_test is None):
        raise ValueError(
            "X_control and X_control_test must be given together; got one of them. Give the "
            "responses of the same control units to the images of X and of X_test."
        )
    check_flag(keep_alpha, "keep_alpha")
    names = check_test_targets(y, y_test)
    test_weight = check_test_weight(test_sample_weight, count_samples(X_test))
    if X_control is None:
        X_control, X_control_test = _random_features(X, X_test, check_random_state(random_state))
    model = RefittableModel(encoder, count_samples(X), sample_weight, groups, fit_params)
    sides: dict[str, Alignment] = {}
    for side, training, test in (
        ("encoder", X, X_test),
        ("control", X_control, X_control_test),
    ):
        fitted = model.fit(training, y)
        found = alignment(fitted, test, y_test, center=center, sample_weight=test_weight)
        sides[side] = replace(found, target_names=names)
        if keep_alpha:
            model = model.keep_alpha(fitted)
    return AlignmentComparison(sides)


def _random_features(
    X: Any, X_test: Any, random_state: np.random.RandomState
) -> tuple[Array, Array]:
    """Random combinations of units, of the scale of each, of both sets of images."""
    if sparse.issparse(X) or sparse.issparse(X_test):
        raise TypeError(
            "X and X_test must be dense for random control features; got a sparse matrix. Give "
            "X_control and X_control_test."
        )
    X, X_test = (check_array(part, dtype=[np.float64, np.float32]) for part in (X, X_test))
    mean, spread = X.mean(axis=0), X.std(axis=0)
    n_units = X.shape[1]
    mixing = random_state.standard_normal((n_units, n_units)).astype(X.dtype)
    mixing /= np.where(spread > 0, spread, np.inf)[:, np.newaxis]
    control, control_test = (X - mean) @ mixing, (X_test - mean) @ mixing
    if (X >= 0).all():
        mean = np.zeros_like(mean)
        control, control_test = (np.maximum(part, 0) for part in (control, control_test))
    size = control.std(axis=0)
    scale = spread / np.where(size > 0, size, 1)
    return control * scale + mean, control_test * scale + mean
