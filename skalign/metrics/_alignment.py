"""Predictivity, reorientation and sparsity of a fitted estimator, target by target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skalign.metrics._array_library import to_numpy_if_dispatched
from skalign.metrics._linear_map import LinearMap, linear_maps
from skalign.metrics._map_scores import MapScores, scores_of_map
from skalign.metrics._names import check_target_names, fitted_target_names, target_column
from skalign.metrics._predictivity import pearson_r
from skalign.solvers import count_active
from skalign.utils import Doubles, Integers, check_number, import_pandas


@dataclass(frozen=True, eq=False)
class Alignment:
    r"""Predictivity, reorientation and sparsity of a fitted map, target by target.

    Returned by :func:`alignment`. A target is empty if all its weights are zero: it has neither r
    nor theta.

    Parameters
    ----------
    r : ndarray of shape (n_targets,)
        Pearson correlation of observed and predicted responses, from -1 to 1; high is good. NaN
        where either is constant, as for an empty target.
    theta : ndarray of shape (n_targets,)
        Tuning reorientation to the predicted responses, from 0 to 2; low is aligned. NaN for an
        empty target, and for one without a direction on these images.
    n_active : ndarray of shape (n_targets,)
        Number of nonzero weights.
    theta_observed : ndarray of shape (n_targets,)
        Tuning reorientation to the observed responses, from 0 to 2; low is aligned, and predicted
        well. NaN as for `theta`.
    n_effective : ndarray of shape (n_targets,)
        Effective number of active units, from 1 to `n_active`: as many units of equal weight are as
        concentrated. NaN for an empty target.
    theta_floor : ndarray of shape (n_targets,)
        Theta that positive weights on `n_effective` exchangeable units have by geometry alone, from
        0 to 1. NaN for an empty target, and for one with negative weights, for which
        :func:`~skalign.inference.reorientation_floor` permutes the weights.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.
    centered : bool, default=False
        Whether theta was centered over images.

    Notes
    -----
    `theta` says how a map reaches its prediction, good or bad. `theta_observed` also counts the
    errors of the prediction. If both are centered,

    .. math::
        1 - \theta_\text{observed} = r \, (1 - \theta)

    for positive weights on features of equal variance, and for any map whose residuals are
    uncorrelated with the features. An overfitted map with signs departs from it on new images: its
    residuals there are correlated with the features.

    The effective number of units of weights w, over the units that have a direction, and the floor
    of units whose mean pairwise cosine on the scored images is c, are

    .. math::
        k = \frac{\bigl(\sum_i |w_i|\bigr)^2}{\sum_i w_i^2}, \qquad
        \theta_\text{floor} = 1 - \sqrt{c + (1 - c) / k}.

    c is that of all units that the map could use. Theta is comparable between sets of units only
    beside its floor: ``theta - theta_floor`` is negative if the map combines units that are tuned
    more alike than units of the set are on average. The floor is that of a prediction without an
    intercept: standardize targets, or center.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.metrics import alignment
    >>> X, noise = np.random.default_rng(0).standard_normal((2, 200, 4))
    >>> y = X @ np.array([[1.0, 1.0], [1.0, 0.0], [0.5, 0.0], [0.0, -1.0]]) + noise[:, :2]
    >>> encoder = SparsePositiveEncoder(alpha=0.3).fit(X[:100], y[:100])
    >>> found = alignment(encoder, X[100:], y[100:], center=True)
    >>> found.n_active, found.n_effective.round(1)
    (array([3, 1]), array([2.3, 1. ]))
    >>> (1 - found.theta_observed).round(2), (found.r * (1 - found.theta)).round(2)
    (array([0.56, 0.55]), array([0.56, 0.55]))
    >>> found.summary()["empty_fraction"]
    0.0
    """

    MEASURES: ClassVar = ("r", "theta", "n_active", "theta_observed", "n_effective", "theta_floor")

    r: Doubles
    theta: Doubles
    n_active: Integers
    theta_observed: Doubles
    n_effective: Doubles
    theta_floor: Doubles
    target_names: NDArray[np.object_] | None = None
    centered: bool = False

    def summary(
        self, *, undefined_r: float = 0.0, undefined_theta: float = 2.0
    ) -> dict[str, float]:
        """Average over targets, with the empty ones counted.

        Parameters
        ----------
        undefined_r : float, default=0.0
            Value that a target without an r has in the mean: an empty fit explains nothing.
        undefined_theta : float, default=2.0
            Value that a target without a theta has in ``"penalized_theta"``: the worst.

        Returns
        -------
        dict of str to float
            - ``"r"``: mean predictivity over all targets.
            - ``"theta"``: mean reorientation over the targets that have one; NaN if none has.
              Read it beside ``"empty_fraction"``.
            - ``"penalized_theta"``: mean reorientation over all targets.
            - ``"n_active"``: mean number of nonzero weights of a target.
            - ``"theta_observed"``, ``"n_effective"``, ``"theta_floor"``: means over the targets
              that have one; NaN if none has.
            - ``"empty_fraction"``: fraction of the targets without nonzero weights.
        """
        return {
            "r": mean_over_targets(self.r, undefined_r),
            "theta": self._mean_of_defined("theta"),
            "penalized_theta": mean_over_targets(self.theta, undefined_theta),
            "n_active": float(self.n_active.mean()),
            "theta_observed": self._mean_of_defined("theta_observed"),
            "n_effective": self._mean_of_defined("n_effective"),
            "theta_floor": self._mean_of_defined("theta_floor"),
            "empty_fraction": float((self.n_active == 0).mean()),
        }

    def _mean_of_defined(self, name: str) -> float:
        values: Doubles = getattr(self, name)
        values = values[(self.n_active > 0) & ~np.isnan(values)]
        return float(values.mean()) if values.size else np.nan

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, its name where known and else its index; ``r``, ``theta``,
            ``n_active``, ``theta_observed``, ``n_effective`` and ``theta_floor``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        columns = {name: getattr(self, name) for name in self.MEASURES}
        return pd.DataFrame({"target": target_column(self.target_names, self.r.size), **columns})


def mean_over_targets(values: Doubles, undefined: float) -> float:
    """Mean over targets, in which a target without a value (NaN) counts as `undefined`."""
    return float(np.where(np.isnan(values), undefined, values).mean())


def alignment(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    undefined_r: float = np.nan,
    undefined_theta: float = np.nan,
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
    r = pearson_r(y, predicted, sample_weight=sample_weight, undefined=undefined_r)
    names = check_target_names(y, fitted_target_names(estimator))
    found = alignment_of_maps(
        maps, r, center=center, sample_weight=sample_weight, target_names=names
    )
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
