"""Predictivity, reorientation and sparsity of a fitted estimator, target by target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skalign.metrics._alignment_record import Alignment
from skalign.metrics._array_library import to_numpy_if_dispatched
from skalign.metrics._directions import nan_explained
from skalign.metrics._linear_map import LinearMap, linear_maps
from skalign.metrics._map_scores import MapScores, scores_of_map
from skalign.metrics._names import check_target_names, fitted_target_names
from skalign.metrics._observed_images import count_observed
from skalign.metrics._predictivity import pearson_r
from skalign.solvers import count_active
from skalign.utils import Doubles, Missing, check_missing, check_number


def alignment(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    undefined_r: float = np.nan,
    undefined_theta: float = np.nan,
    missing: Missing = "error",
) -> Alignment:
    """Measure predictivity, reorientation and sparsity of a fitted estimator, target by target.

    The linear model may be inside pipelines, target transformers, frozen estimators and searches,
    as for :class:`TuningReorientationScorer`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a linear model inside.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Held-out images: the estimator should not have been fitted to them.
    y : array-like of shape (n_samples, n_targets) or (n_samples,)
        Observed responses. If their targets have names, as the columns of a data frame do, these
        must be those that the estimator was fitted to, in their order. A fitted
        TransformedTargetRegressor does not know the names: order the columns yourself.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images in r and theta.
    undefined_r : float, default=nan
        Value of r for a target whose predicted or observed responses are constant.
    undefined_theta : float, default=nan
        Value of both thetas for a target without weights, or without a direction.
    missing : {"error", "mask"}, default="error"
        What to do if `y` has NaN: raise an error, or score every target on the images on which it
        was observed, as if it were alone. ``n_observed`` then has the number of these images.

    Returns
    -------
    Alignment
        ``r``, ``theta``, ``n_active``, ``theta_observed``, ``n_effective`` and ``theta_floor``,
        each of shape (n_targets,).

    Raises
    ------
    TypeError
        If the estimator has no linear weights, or weights of a shape that does not fit.
    ValueError
        If a parameter is not valid, or the targets of `y` have other names than those that the
        estimator was fitted to.

    See Also
    --------
    AlignmentScorer : The means of these over targets, for searches.
    correct_reorientation : The observed theta without the noise of the responses.
    skalign.inference.reorientation_floor : What the same weights give on other units.

    Notes
    -----
    Theta to the predicted and to the observed responses share one product of features and weights.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.metrics import alignment
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 4))
    >>> y = X @ [[1.0, 0.0], [0.5, 0.0], [0.0, -1.0], [0.0, 0.0]]
    >>> found = alignment(SparsePositiveEncoder().fit(X, y), X, y)
    >>> found.n_active, found.theta.round(2)
    (array([2, 0]), array([0.22,  nan]))
    """
    check_number(undefined_theta, "undefined_theta")
    check_number(undefined_r, "undefined_r")
    y, sample_weight = to_numpy_if_dispatched(y), to_numpy_if_dispatched(sample_weight)
    maps = linear_maps(estimator, X, y)
    predicted = predictions(estimator, X, maps)
    options: dict[str, Any] = {"sample_weight": sample_weight, "missing": check_missing(missing)}
    with nan_explained(y, "y"):
        r = pearson_r(y, predicted, undefined=undefined_r, **options)
    names = check_target_names(y, fitted_target_names(estimator))
    found = alignment_of_maps(maps, r, center=center, target_names=names, **options)
    if missing == "mask":
        found = replace(found, n_observed=count_observed(y, sample_weight))
    if np.isnan(undefined_theta):
        return found
    theta, theta_observed = (
        np.where(np.isnan(one), undefined_theta, one) for one in (found.theta, found.theta_observed)
    )
    return replace(found, theta=theta, theta_observed=theta_observed)


def predictions(estimator: Any, X: Any, maps: list[LinearMap]) -> Any:
    """Predictions of an estimator, without a second product where its maps have them.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a linear model inside.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples, as the estimator takes them.
    maps : list of LinearMap
        The maps inside it, with predictions of these samples.

    Returns
    -------
    ndarray of shape (n_samples, n_targets) or (n_samples,)
        The predictions.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skalign.metrics import linear_maps, predictions
    >>> X = np.array([[0.0], [1.0]])
    >>> model = LinearRegression().fit(X, [0.0, 1.0])
    >>> predictions(model, X, linear_maps(model, X)).shape
    (2, 1)
    """
    of_maps = [one.predicted for one in maps if one.predicted is not None and one.is_outermost]
    return (
        np.hstack(of_maps)
        if len(of_maps) == len(maps)
        else to_numpy_if_dispatched(estimator.predict(X))
    )


def alignment_of_maps(
    maps: list[LinearMap],
    r: Doubles,
    *,
    center: bool,
    sample_weight: ArrayLike | None,
    target_names: NDArray[np.object_] | None,
    missing: Missing = "error",
) -> Alignment:
    """Join an r of every target with the scores of the maps behind them.

    Parameters
    ----------
    maps : list of LinearMap
        With predicted and observed responses; their targets are those of `r`, in their order.
    r : ndarray of shape (n_targets,)
        Predictivity.
    center : bool
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_samples,) or None
        Weights of the images.
    target_names : ndarray of shape (n_targets,) or None
        Names of the targets.
    missing : {"error", "mask"}, default="error"
        Whether every target is scored on the images on which it was observed.

    Returns
    -------
    Alignment
        Of every target; NaN where undefined.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import LinearMap, alignment_of_maps
    >>> X, weights = np.eye(2), np.array([[1.0, 0.0]])
    >>> one = LinearMap(X, X @ weights.T, X @ [[1.0], [1.0]], weights)
    >>> found = alignment_of_maps(
    ...     [one], np.ones(1), center=False, sample_weight=None, target_names=None
    ... )
    >>> found.theta, found.theta_observed.round(2), found.n_effective
    (array([0.]), array([0.29]), array([1.]))
    """
    of_maps = [
        scores_of_map(
            one.features,
            one.predicted,
            one.observed,
            one.weights,
            center=center,
            sample_weight=sample_weight,
            missing=missing,
        )
        for one in maps
    ]
    scores = MapScores(*map(np.concatenate, zip(*of_maps, strict=True)))
    return Alignment(
        r,
        scores.theta,
        np.concatenate([count_active(one.weights) for one in maps]),
        scores.theta_observed,
        scores.n_effective,
        scores.theta_floor,
        target_names,
        center,
    )
