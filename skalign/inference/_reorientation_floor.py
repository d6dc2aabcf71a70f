"""Theta against that of the same weights on other units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_random_state, check_scalar

from skalign.metrics import Alignment, alignment, alignment_of_maps, linear_maps
from skalign.utils import Doubles, refuse_missing

TIE = 1e-7  # of thetas that differ by rounding errors


@dataclass(frozen=True, eq=False)
class ReorientationFloor:
    """Theta of every target beside the thetas of the same weights, permuted over units.

    Returned by :func:`reorientation_floor`.

    Parameters
    ----------
    encoder : Alignment
        Alignment of the encoder, centered over images.
    null_theta, null_theta_observed : ndarray of shape (n_resamples, n_targets)
        Thetas of the permuted weights, from 0 to 2: to the prediction that these make, and to the
        observed responses. NaN for an empty target.
    """

    encoder: Alignment
    null_theta: Doubles
    null_theta_observed: Doubles

    @property
    def theta_floor(self) -> Doubles:
        """Mean theta of the permuted weights, (n_targets,)."""
        return np.asarray(self.null_theta.mean(axis=0))

    @property
    def theta_observed_floor(self) -> Doubles:
        """Mean observed theta of the permuted weights, (n_targets,)."""
        return np.asarray(self.null_theta_observed.mean(axis=0))

    @property
    def p_value_theta(self) -> Doubles:
        """One-sided p-value of a theta below its floor, (n_targets,); NaN for an empty target."""
        return _p_values(self.encoder.theta, self.null_theta)

    @property
    def p_value_theta_observed(self) -> Doubles:
        """The same of the observed theta."""
        return _p_values(self.encoder.theta_observed, self.null_theta_observed)

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns of :meth:`skalign.metrics.Alignment.to_frame`, but with the ``theta_floor`` of
            permuted weights; ``theta_observed_floor``, ``p_value_theta`` and
            ``p_value_theta_observed``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        names = ("theta_floor", "theta_observed_floor", "p_value_theta", "p_value_theta_observed")
        return self.encoder.to_frame().assign(**{name: getattr(self, name) for name in names})


def reorientation_floor(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    n_resamples: int = 200,
    random_state: Any = None,
) -> ReorientationFloor:
    """Compare theta of a fitted estimator with that of its weights on other units.

    The weights of a target keep their sizes and signs and go to units at random. What theta they
    have then is due to the number of units, the spread of the weights, their signs and the
    similarity of the units to each other. The test asks whether theta is lower because large
    weights are on the units that are tuned as the target is.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a linear model inside.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Held-out images: the estimator should not have been fitted to them.
    y : array-like of shape (n_samples, n_targets) or (n_samples,)
        Observed responses.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images in theta.
    n_resamples : int, default=200
        Number of permutations.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations; an integer makes them reproducible.

    Returns
    -------
    ReorientationFloor
        Floors and p-values of theta and of the observed theta, target by target.

    Raises
    ------
    TypeError
        If the estimator has no linear weights, or `n_resamples` is no integer.
    ValueError
        If `n_resamples` is below 1, or the data do not fit the estimator.

    See Also
    --------
    skalign.metrics.Alignment : Its ``theta_floor`` is the same for positive weights, by a formula.
    alignment_null : Fits anew, and asks whether these units are better than others.

    Notes
    -----
    Features and responses are centered over images. All targets of a draw share one permutation of
    the units. Signs do not enter the observed theta.

    The permutation needs units that are exchangeable with each other. It keeps the number of units,
    and therefore is no test of whether few units suffice.

    p-values are ``(1 + n_lower) / (1 + n_resamples)``, with the number of permutations whose theta
    is as low as that of the encoder.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skalign.inference import reorientation_floor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 20))
    >>> y = rng.standard_normal((200, 2))
    >>> y[:, 0] += X[:, :5].sum(axis=1)  # the other one is noise
    >>> found = reorientation_floor(Ridge().fit(X[:100], y[:100]), X[100:], y[100:], random_state=0)
    >>> found.encoder.theta_observed.round(1), found.theta_observed_floor.round(1)
    (array([0.7, 1. ]), array([0.9, 1. ]))
    >>> bool(found.p_value_theta_observed[0] < 0.01), bool(found.p_value_theta_observed[1] > 0.05)
    (True, True)
    """
    n_resamples = int(check_scalar(n_resamples, "n_resamples", Integral, min_val=1))
    rng = check_random_state(random_state)
    refuse_missing(y, maskable=False)
    encoder = alignment(estimator, X, y, center=True, sample_weight=sample_weight)
    maps = linear_maps(estimator, X, y, predict=False)
    theta, theta_observed = np.empty((2, n_resamples, encoder.theta.size))
    for draw in range(n_resamples):
        permuted = []
        for one in maps:
            weights = one.weights[:, rng.permutation(one.weights.shape[1])]
            permuted.append(
                replace(one, weights=weights, predicted=_product(one.features, weights))
            )
        found = alignment_of_maps(
            permuted, encoder.r, center=True, sample_weight=sample_weight, target_names=None
        )
        theta[draw], theta_observed[draw] = found.theta, found.theta_observed
    return ReorientationFloor(encoder, theta, theta_observed)


def _product(features: Any, weights: Any) -> Any:
    """Predictions of a map without an intercept."""
    features = features if sparse.issparse(features) else np.asarray(features)
    predicted = features @ weights.T
    return predicted.toarray() if sparse.issparse(predicted) else predicted


def _p_values(theta: Doubles, null: Doubles) -> Doubles:
    n_lower = np.count_nonzero(null <= theta + TIE, axis=0)
    return np.where(np.isnan(theta), np.nan, (1 + n_lower) / (1 + len(null)))
