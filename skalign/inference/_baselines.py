"""What theta is low or high compared to: weights that know little."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_random_state, check_scalar

from skalign.metrics import (
    Alignment,
    ImageSpace,
    LinearMap,
    alignment,
    bounded_slices,
    linear_maps,
    pearson_r,
    to_dense,
    tuning_reorientation,
)

_CONSTANT = 1e-6  # spread of a constant prediction, by rounding, as a share of its size


@dataclass(frozen=True, eq=False)
class AlignmentBaselines:
    """Alignment of an encoder, and of weights that know less, on the same test images.

    Returned by :func:`alignment_baselines`. High r and low theta are good.

    Parameters
    ----------
    encoder : Alignment
        Of the encoder. An empty fit has an r of 0, and no theta: NaN.
    uniform : Alignment
        Of equal weights on all units.
    best_unit : Alignment
        Of the single unit that correlates best with the target over the images fitted.
    random_units : Alignment
        Of equal weights on as many random units as the encoder uses for the target: means over the
        draws.
    best_index : ndarray of shape (n_targets,)
        Which unit is the best.
    """

    encoder: Alignment
    uniform: Alignment
    best_unit: Alignment
    random_units: Alignment
    best_index: NDArray[np.int64]

    def to_frame(self) -> Any:
        """One row per target and set of weights, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``; ``weights``: "encoder", "uniform", "best_unit" or "random_units";
            ``r``, ``theta`` and ``n_active``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        names = ["encoder", "uniform", "best_unit", "random_units"]
        frames = [getattr(self, name).to_frame() for name in names]
        for name, frame in zip(names, frames, strict=True):
            frame.insert(1, "weights", name)
        import pandas as pd

        return pd.concat(frames).sort_values("target", kind="stable", ignore_index=True)


def alignment_baselines(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    n_random: int = 50,
    sample_weight: ArrayLike | None = None,
    target: Literal["predicted", "observed"] = "predicted",
    center: bool = False,
    random_state: Any = None,
) -> AlignmentBaselines:
    """Fit an encoder, and compare its r and theta with those of weights that know less.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside, alone or within pipelines, target transformers and searches. A
        clone is fitted; wrap one that is fitted already in
        :class:`~sklearn.frozen.FrozenEstimator`, which spares the fit.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
        Images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    n_random : int, default=50
        Number of draws of random units.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images to fit.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible.

    Returns
    -------
    AlignmentBaselines
        Predictivity, theta and number of active units of the encoder and of every baseline.

    Raises
    ------
    TypeError
        If the encoder has no linear weights, or several linear models that see different features.
    ValueError
        If a parameter has a value that it cannot have.

    See Also
    --------
    alignment_null : A test against fits with as many active units.
    alignment_against_control : Against the same encoder on other features.

    Notes
    -----
    Baselines weigh the features that reach the linear model by 1 or by 0. Where the encoder has an
    intercept their predictions get one too, and with it the mean and spread of the responses
    fitted. That changes neither r nor a centered theta; a theta that is not centered it makes
    comparable with the encoder's. r and theta are in the space that the linear model sees, after
    any target transformer.

    A single unit is its own prediction: its theta is 0, or what an intercept makes of it, and r is
    what it pays. Random units are drawn anew for every target. A target that the encoder leaves
    empty gets none, and an r of 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import alignment_baselines
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 20))
    >>> y = X[:, :3].sum(axis=1) + rng.standard_normal(200)
    >>> found = alignment_baselines(
    ...     SparsePositiveEncoder(alpha=0.3), X[:100], y[:100], X[100:], y[100:], random_state=0
    ... )
    >>> found.to_frame().round(1)
       target       weights    r  theta  n_active
    0       0       encoder  0.9    0.4         3
    1       0       uniform  0.3    0.8        20
    2       0     best_unit  0.7    0.1         1
    3       0  random_units  0.1    0.4         3
    """
    n_random = int(check_scalar(n_random, "n_random", Integral, min_val=1))
    random_state = check_random_state(random_state)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    fitted = clone(encoder).fit(X, y, **weights)
    found = alignment(fitted, X_test, y_test, target=target, center=center, undefined_r=0.0)
    training = _only(linear_maps(fitted, X, y, "observed"))
    test = _Test(fitted, X_test, y_test, training, sample_weight, target, center)
    shape = n_targets, n_units = training.weights.shape
    best_index = _best_units(training, sample_weight)
    best_unit = sparse.csr_array((np.ones(n_targets), (np.arange(n_targets), best_index)), shape)
    draws = [
        test.alignment(_random_units(found.n_active, n_units, random_state))
        for _ in range(n_random)
    ]
    theta = np.ma.masked_invalid([draw.theta for draw in draws]).mean(axis=0)
    random_units = Alignment(
        np.mean([draw.r for draw in draws], axis=0),
        np.ma.filled(theta.astype(np.float64), np.nan),
        found.n_active,
    )
    uniform = test.alignment(np.ones(shape))
    return AlignmentBaselines(found, uniform, test.alignment(best_unit), random_units, best_index)


class _Test:
    """Test images as the linear model of a fitted encoder sees them."""

    def __init__(
        self,
        fitted: Any,
        X: Any,
        y: Any,
        training: LinearMap,
        sample_weight: ArrayLike | None,
        target: str,
        center: bool,
    ) -> None:
        observed = _only(linear_maps(fitted, X, y, "observed"))
        self._features, self._Y = _dense(observed.features), observed.targets
        self._target, self._center = target, center
        self._has_intercept = _has_intercept(_only(linear_maps(fitted, X, y, "predicted")))
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        self._mean = np.average(training.targets, axis=0, weights=weight)
        deviation = training.targets - self._mean
        self._spread = np.sqrt(np.average(deviation**2, axis=0, weights=weight))

    def alignment(self, weights: Any) -> Alignment:
        """Of maps with these weights, (n_targets, n_units)."""
        predicted = np.asarray(self._features @ weights.T)
        r = pearson_r(self._Y, predicted, undefined=0.0)
        if self._has_intercept:
            largest = np.abs(predicted).max(axis=0)
            predicted = predicted - predicted.mean(axis=0)
            spread = predicted.std(axis=0)
            is_varied = spread > _CONSTANT * largest
            predicted *= np.where(is_varied, self._spread / np.where(is_varied, spread, 1), 0)
            predicted += self._mean
        reached = predicted if self._target == "predicted" else self._Y
        theta = tuning_reorientation(self._features, reached, weights, center=self._center)
        return Alignment(r, theta, np.asarray((weights != 0).sum(axis=1)).ravel())


def _only(maps: list[LinearMap]) -> LinearMap:
    if len(maps) > 1:
        raise TypeError(
            f"encoder must have one set of features for all targets, got {len(maps)}: baselines "
            "weigh the features that it sees."
        )
    return maps[0]


def _dense(features: Any) -> NDArray[Any]:
    return np.asarray(to_dense(features))


def _has_intercept(predicted: LinearMap) -> bool:
    """Whether predictions are more than features times weights; one image tells."""
    targets = predicted.targets[:1]
    weighed = _dense(predicted.features[:1]) @ to_dense(predicted.weights).T
    return not np.allclose(targets, weighed, rtol=1e-5, atol=1e-6 * np.abs(targets).max())


def _best_units(training: LinearMap, sample_weight: ArrayLike | None) -> NDArray[np.int64]:
    """Of every target, the unit of the largest correlation."""
    n_images, n_targets = training.targets.shape
    space = ImageSpace(n_images, sample_weight, center=True)
    units, is_varied = space.directions(_dense(training.features), "X")
    best = np.empty(n_targets, np.int64)
    for block in bounded_slices(n_targets, n_images + len(is_varied)):
        observed, _ = space.directions(training.targets[:, block], "y")
        best[block] = np.where(is_varied, observed.T @ units, -np.inf).argmax(axis=1)
    return best


def _random_units(
    n_active: NDArray[np.int64], n_units: int, random_state: np.random.RandomState
) -> sparse.csr_array:
    """Weights of 1 on that many random units for every target."""
    # Targets take successive units of one random order, each from a random place on.
    order, start = (
        random_state.permutation(n_units),
        random_state.randint(n_units, size=len(n_active)),
    )
    targets = np.repeat(np.arange(len(n_active)), n_active)
    first = np.cumsum(n_active) - n_active
    place = start[targets] + np.arange(targets.size) - first[targets]
    shape = len(n_active), n_units
    return sparse.csr_array((np.ones(targets.size), (targets, order[place % n_units])), shape)
