"""Predictivity, reorientation and sparsity of a fitted estimator, target by target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skalign.metrics._linear_map import LinearMap, linear_maps
from skalign.metrics._names import check_target_names, fitted_target_names, target_column
from skalign.metrics._predictivity import pearson_r
from skalign.metrics._reorientation import tuning_reorientation
from skalign.solvers import count_active
from skalign.utils import Doubles, Integers, check_number, import_pandas


@dataclass(frozen=True, eq=False)
class Alignment:
    """Predictivity, reorientation and sparsity of a fitted map, target by target.

    Returned by :func:`alignment`. A target is empty if all its weights are zero: it has neither r
    nor theta.

    Parameters
    ----------
    r : ndarray of shape (n_targets,)
        Pearson correlation of observed and predicted responses, from -1 to 1; high is good. NaN
        where either is constant, as for an empty target.
    theta : ndarray of shape (n_targets,)
        Tuning reorientation, from 0 to 2; low is aligned. NaN for an empty target, and for one
        without a direction on these images.
    n_active : ndarray of shape (n_targets,)
        Number of nonzero weights.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import Alignment
    >>> found = Alignment(np.array([0.6, np.nan]), np.array([0.2, np.nan]), np.array([3, 0]))
    >>> found.summary()
    {'r': 0.3, 'theta': 0.2, 'penalized_theta': 1.1, 'n_active': 1.5, 'empty_fraction': 0.5}
    """

    r: Doubles
    theta: Doubles
    n_active: Integers
    target_names: NDArray[np.object_] | None = None

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
            - ``"empty_fraction"``: fraction of the targets without nonzero weights.
        """
        has_theta = (self.n_active > 0) & ~np.isnan(self.theta)
        return {
            "r": mean_over_targets(self.r, undefined_r),
            "theta": float(self.theta[has_theta].mean()) if has_theta.any() else np.nan,
            "penalized_theta": mean_over_targets(self.theta, undefined_theta),
            "n_active": float(self.n_active.mean()),
            "empty_fraction": float((self.n_active == 0).mean()),
        }

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, its name where known and else its index; ``r``; ``theta``;
            ``n_active``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        columns = {"r": self.r, "theta": self.theta, "n_active": self.n_active}
        return pd.DataFrame({"target": target_column(self.target_names, self.r.size), **columns})


def mean_over_targets(values: Doubles, undefined: float) -> float:
    """Mean over targets, in which a target without a value (NaN) counts as `undefined`."""
    return float(np.where(np.isnan(values), undefined, values).mean())


def alignment(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    target: Literal["predicted", "observed"] = "predicted",
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
        must be those that the estimator was fitted to, in their order.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta compares the features with the predicted or with the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images in r and theta.
    undefined_r : float, default=nan
        Value of r for a target whose predicted or observed responses are constant.
    undefined_theta : float, default=nan
        Value of theta for a target without weights, or without a direction.

    Returns
    -------
    Alignment
        ``r``, ``theta`` and ``n_active``, each (n_targets,).

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
    maps = linear_maps(estimator, X, y, target)
    if target == "predicted" and all(linear_map.is_outermost for linear_map in maps):
        predicted = np.hstack([linear_map.targets for linear_map in maps])
    else:
        predicted = estimator.predict(X)
    r = pearson_r(y, predicted, sample_weight=sample_weight, undefined=undefined_r)
    theta = theta_of_maps(maps, center, sample_weight, undefined_theta)
    n_active = [count_active(linear_map.weights) for linear_map in maps]
    names = check_target_names(y, fitted_target_names(estimator))
    return Alignment(r, theta, np.concatenate(n_active), names)


def theta_of_maps(
    maps: list[LinearMap], center: bool, sample_weight: ArrayLike | None, undefined: float
) -> Doubles:
    """Theta of the targets of all maps, in their order."""
    return np.concatenate(
        [
            tuning_reorientation(
                linear_map.features,
                linear_map.targets,
                linear_map.weights,
                center=center,
                sample_weight=sample_weight,
                undefined=undefined,
            )
            for linear_map in maps
        ]
    )
