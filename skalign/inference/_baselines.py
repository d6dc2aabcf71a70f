"""What theta is low or high compared to: weights that know little."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_random_state, check_scalar

from skalign.inference._comparison import AlignmentComparison, check_test_targets
from skalign.inference._refits import RefittableModel, count_samples
from skalign.metrics import (
    Alignment,
    ImageSpace,
    LinearMap,
    alignment,
    alignment_of_maps,
    bounded_slices,
    linear_maps,
    linear_model_of,
    pearson_r,
    to_dense,
)
from skalign.utils import (
    Array,
    Doubles,
    Integers,
    check_sample_weight,
    map_blocks,
    refuse_missing,
)

_CONSTANT = 1e-6  # spread of a constant prediction, by rounding, as a share of its size


@dataclass(frozen=True, eq=False)
class AlignmentBaselines(AlignmentComparison):
    """Alignment of an encoder, and of weights that know less, on the same test images.

    Returned by :func:`alignment_baselines`. ``baselines["uniform"]`` is the alignment of the side
    named "uniform", and ``baselines.difference("theta", "encoder", "random_units")`` compares two
    sides.

    Parameters
    ----------
    sides : dict of str to Alignment
        High r and low theta are good; both are NaN where the encoder leaves a target empty.

        - "encoder": the encoder.
        - "uniform": equal weights on all units.
        - "best_unit": the single unit that correlates best with the target over the images to fit.
        - "random_units": equal weights on as many random units as the encoder uses for the target;
          means over the draws.
    best_index : ndarray of shape (n_targets,)
        Number of the best unit.
    """

    best_index: Integers

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``; ``r_encoder``, ``r_uniform``, ``r_best_unit``, ``r_random_units``;
            the same for ``theta`` and ``n_active``; ``best_index``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        return super().to_frame().assign(best_index=self.best_index)


def alignment_baselines(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    test_sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    fit_params: dict[str, Any] | None = None,
    n_resamples: int = 200,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> AlignmentBaselines:
    """Fit an encoder, and compare its r and theta with those of weights that know less.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside, alone or within pipelines, target transformers and searches. A
        clone is fitted. To compare an encoder that is fitted already, wrap it in
        :class:`~sklearn.frozen.FrozenEstimator`.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Features of the images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
        Features of the images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images to fit. In a pipeline they go to the last step; with metadata routing
        enabled, to each step that has requested them.
    test_sample_weight : array-like of shape (n_test_images,), default=None
        Weights of the test images in r and theta.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or subjects of the images, for the splits of an encoder that chooses by
        cross-validation.
    fit_params : dict, default=None
        Further arguments of ``encoder.fit``, such as ``"step__sample_weight"``.
    n_resamples : int, default=200
        Number of draws of random units.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible, for any `n_jobs`.
    n_jobs : int, default=None
        Number of threads over draws. None is 1 unless in a :func:`joblib.parallel_config`; -1 uses
        all processors.

    Returns
    -------
    AlignmentBaselines
        Alignment of the encoder and of every baseline.

    Raises
    ------
    TypeError
        If the encoder has no linear weights, takes no `sample_weight`, or has several linear models
        that see different features.
    ValueError
        If a parameter has a value that it cannot have, or the targets of `y` and `y_test` have
        different names.

    See Also
    --------
    alignment_null : A test against fits to null data.
    alignment_against_control : Against the same encoder on other features.

    Notes
    -----
    A baseline has weights of 1 or 0 on the features that reach the linear model. If the linear
    model has an intercept, the predictions of the baseline get the mean and the spread of the
    responses to fit. This changes neither r nor a centered theta, and makes a theta that is not
    centered comparable with the encoder's. r of the baselines, and every theta, are in the space of
    the linear model, after any target transformer.

    A single unit is its own prediction: its theta is 0, or the value that the intercept makes of
    it. Random units are drawn anew for every target. A target that the encoder leaves empty has no
    random units.

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
    >>> {side: float(found[side].theta[0].round(1)) for side in found.sides}
    {'encoder': 0.4, 'uniform': 0.8, 'best_unit': 0.1, 'random_units': 0.4}
    >>> {side: float(found[side].r[0].round(1)) for side in found.sides}
    {'encoder': 0.9, 'uniform': 0.3, 'best_unit': 0.7, 'random_units': 0.1}
    """
    n_resamples = int(check_scalar(n_resamples, "n_resamples", Integral, min_val=1))
    check_test_targets(y, y_test)
    refuse_missing(y, maskable=False)
    n_images = count_samples(X)
    weight, test_weight = (
        None if given is None else check_sample_weight(given, n, name)
        for given, n, name in (
            (sample_weight, n_images, "sample_weight"),
            (test_sample_weight, count_samples(X_test), "test_sample_weight"),
        )
    )
    fitted = RefittableModel(encoder, n_images, weight, groups, fit_params).fit(X, y)
    found = alignment(fitted, X_test, y_test, center=center, sample_weight=test_weight)
    training = _only(linear_maps(fitted, X, y, predict=False))
    observed = _only(linear_maps(fitted, X_test, y_test, predict=False))
    scored = _ScoredBaselines(
        observed,
        training,
        weight,
        test_weight,
        center=center,
        has_intercept=_has_intercept(fitted),
    )
    shape = n_targets, n_units = training.weights.shape
    best_index = _best_units(training, weight)
    best_unit = sparse.csr_array((np.ones(n_targets), (np.arange(n_targets), best_index)), shape)
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_resamples)

    def draw(seed: int) -> Alignment:
        rng = np.random.RandomState(seed)
        return scored.alignment(_random_units(found.n_active, n_units, rng))

    with closing(map_blocks(draw, list(seeds), n_jobs)) as found_draws:
        draws = list(found_draws)
    sides = {
        "encoder": found,
        "uniform": scored.alignment(np.ones(shape)),
        "best_unit": scored.alignment(best_unit),
        "random_units": _mean_of_draws(draws),
    }
    named = {side: replace(one, target_names=found.target_names) for side, one in sides.items()}
    return AlignmentBaselines(named, best_index)


def _mean_of_draws(draws: list[Alignment]) -> Alignment:
    """Means of r, where a constant prediction counts as 0, and of all else where it is defined."""
    n_active = draws[0].n_active
    r = np.mean([np.nan_to_num(draw.r) for draw in draws], axis=0)
    means: dict[str, Any] = {}
    for name in ("theta", "theta_observed", "n_effective", "theta_floor"):
        mean = np.ma.masked_invalid([getattr(draw, name) for draw in draws]).mean(axis=0)
        means[name] = np.ma.filled(mean.astype(np.float64), np.nan)
    return Alignment(r=np.where(n_active > 0, r, np.nan), n_active=n_active, **means)


class _ScoredBaselines:
    """Test images as the linear model of a fitted encoder sees them."""

    def __init__(
        self,
        observed: LinearMap,
        training: LinearMap,
        weight: Doubles | None,
        test_weight: Doubles | None,
        *,
        center: bool,
        has_intercept: bool,
    ) -> None:
        self._features, self._Y = _dense(observed.features), observed.observed
        self._center, self._has_intercept = center, has_intercept
        self._test_weight = test_weight
        self._mean, self._spread = _mean_and_spread(training.observed, weight)

    def alignment(self, weights: Any) -> Alignment:
        """Score maps with these weights, (n_targets, n_units)."""
        predicted = np.asarray(self._features @ weights.T)
        r = pearson_r(self._Y, predicted, sample_weight=self._test_weight)
        if self._has_intercept:
            largest = np.abs(predicted).max(axis=0)
            mean, spread = _mean_and_spread(predicted, self._test_weight)
            is_varied = spread > _CONSTANT * largest
            scale = np.where(is_varied, self._spread / np.where(is_varied, spread, 1), 0)
            predicted = (predicted - mean) * scale + self._mean
        return alignment_of_maps(
            [LinearMap(self._features, predicted, self._Y, weights)],
            r,
            center=self._center,
            sample_weight=self._test_weight,
            target_names=None,
        )


def _mean_and_spread(values: Array, weight: Doubles | None) -> tuple[Doubles, Doubles]:
    mean = np.average(values, axis=0, weights=weight)
    return mean, np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))


def _only(maps: list[LinearMap]) -> LinearMap:
    if len(maps) > 1:
        raise TypeError(
            f"encoder must have one set of features for all targets; got {len(maps)}. Put the "
            "transformers before the MultiOutputRegressor."
        )
    return maps[0]


def _dense(features: Any) -> Array:
    return np.asarray(to_dense(features))


def _has_intercept(fitted: Any) -> bool:
    model = linear_model_of(fitted).model
    return bool(getattr(model, "fit_intercept", np.any(getattr(model, "intercept_", 0))))


def _best_units(training: LinearMap, weight: Doubles | None) -> Integers:
    """Find the unit of the largest correlation with each target."""
    n_images, n_targets = training.observed.shape
    space = ImageSpace(n_images, weight, center=True)
    units, is_varied = space.directions(_dense(training.features), "X")
    best = np.empty(n_targets, np.int64)
    for block in bounded_slices(n_targets, n_images + len(is_varied)):
        observed, _ = space.directions(training.observed[:, block], "y")
        best[block] = np.where(is_varied, observed.T @ units, -np.inf).argmax(axis=1)
    return best


def _random_units(
    n_active: Integers, n_units: int, random_state: np.random.RandomState
) -> sparse.csr_array:
    """Draw weights of 1 on that many random units for every target."""
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
