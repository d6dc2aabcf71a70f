"""Predictivity and reorientation of fitted systems in shared draws of images."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skalign.inference._bootstrap_mean import interval_of_mean
from skalign.inference._interval import AlignmentIntervals, Rule, interval_of, join
from skalign.metrics import (
    BootstrapDraws,
    ImageDraws,
    ImagesToDraw,
    JackknifeDraws,
    ReorientationOfDraws,
    check_image_rows,
    check_responses,
    check_target,
    linear_maps,
    pearson_r,
    pearson_r_of_draws,
    tuning_reorientation,
)

Over = Literal["images", "targets"]


class Setting:
    """Checked arguments that all systems share."""

    def __init__(
        self,
        y: ArrayLike,
        over: Over,
        groups: ArrayLike | None,
        target: Literal["predicted", "observed"],
        center: bool,
        sample_weight: ArrayLike | None,
        rule: Rule,
    ) -> None:
        self.rule = rule.check()
        self.over, self.target, self.center = over, check_target(target), center
        self.given_y, self.y = y, check_responses(y, "y")
        self.sample_weight = sample_weight
        self.images = ImagesToDraw(len(self.y), sample_weight, groups)
        if over not in ("images", "targets"):
            raise ValueError(f'over must be "images" or "targets", got {over!r}.')
        if over == "targets" and groups is not None:
            raise ValueError('groups are of images, and need over="images"; got over="targets".')
        if over == "images" and self.images.n_groups < 2:
            raise ValueError(
                "A bootstrap over images needs at least 2 images with a weight, and at least 2 "
                f"groups where groups are given; got {self.images.n_groups}."
            )


class _Map(NamedTuple):
    """A linear map, and where its targets are among those of the system."""

    features: Any
    reached: NDArray[Any]
    weights: Any
    block: slice


class System:
    """Predictions of the targets, and the linear maps that reach them.

    Parameters
    ----------
    y_pred : array-like of shape (n_images, n_targets)
        Predicted responses.
    maps : list of tuple (features, targets, weights)
        One map for every set of features, as `tuning_reorientation` takes them; their targets are
        in the order of `y_pred`.
    setting : Setting
        What all systems share.

    Attributes
    ----------
    r, theta : ndarray of shape (n_targets,)
        On the images as they are; r is 0 where undefined, theta NaN.
    """

    def __init__(self, y_pred: Any, maps: list[tuple[Any, Any, Any]], setting: Setting) -> None:
        self.y_pred = check_responses(y_pred, "y_pred")
        weight = setting.sample_weight
        self.r = pearson_r(setting.y, self.y_pred, sample_weight=weight, undefined=0)
        self.maps: list[_Map] = []
        theta, start = [], 0
        for features, reached, weights in maps:
            found = tuning_reorientation(
                features, reached, weights, center=setting.center, sample_weight=weight
            )
            theta.append(found)
            block = slice(start, start + found.size)
            start = block.stop
            features = check_image_rows(features, "features", accept_sparse="csr")
            weights = weights if sparse.issparse(weights) else np.asarray(weights)
            weights = weights.reshape(found.size, -1)
            self.maps.append(_Map(features, check_responses(reached, "targets"), weights, block))
        self.theta = np.concatenate(theta)


def find_system(given: Any, setting: Setting) -> System:
    """System of an ``(estimator, X)`` or a ``(features, y_pred, weights)``."""
    if isinstance(given, tuple) and len(given) == 2:
        estimator, X = given
        found = linear_maps(estimator, X, setting.given_y, setting.target)
        if setting.target == "predicted" and all(found_map.is_outermost for found_map in found):
            y_pred = np.hstack([found_map.targets for found_map in found])
        else:
            y_pred = estimator.predict(X)
        maps = [(found_map.features, found_map.targets, found_map.weights) for found_map in found]
        return System(y_pred, maps, setting)
    if isinstance(given, tuple) and len(given) == 3:
        features, y_pred, weights = given
        reached = y_pred if setting.target == "predicted" else setting.y
        return System(y_pred, [(features, reached, weights)], setting)
    raise TypeError(
        "first and second must be tuples (estimator, X) or (features, y_pred, weights), or lists "
        f"of such tuples, not empty; got a {type(given).__name__}."
    )


class _SystemOver:
    """A system in every draw."""

    def __init__(self, system: System, draws: ImageDraws, setting: Setting) -> None:
        kept = draws.images.kept
        self._system, self._draws, self._y = system, draws, setting.y
        self._maps = [
            (one, ReorientationOfDraws(draws, one.features[kept], one.weights, setting.center))
            for one in system.maps
        ]

    def r(self, block: slice) -> NDArray[Any]:
        """Of a block of targets, (n_block, n_draws); NaN where undefined."""
        kept = self._draws.images.kept
        return pearson_r_of_draws(
            self._draws, self._y[kept, block], self._system.y_pred[kept, block]
        )

    def theta(self, block: slice) -> NDArray[Any]:
        """Of a block of targets, (n_block, n_draws); NaN where undefined."""
        kept = self._draws.images.kept
        parts = []
        for one, over in self._maps:
            start, stop = max(block.start, one.block.start), min(block.stop, one.block.stop)
            if start < stop:
                local = slice(start - one.block.start, stop - one.block.start)
                parts.append(over.theta(one.reached[kept, local], local))
        return np.vstack(parts)


def bootstrap_systems(sides: list[list[System]], setting: Setting) -> AlignmentIntervals:
    """Intervals of one side, or of the difference between two.

    Parameters
    ----------
    sides : list of list of System
        One or two, each with at least one system.
    setting : Setting
        What all systems share.

    Returns
    -------
    AlignmentIntervals
        Over images or targets.
    """
    rule, images = setting.rule, setting.images
    r = _contrast([[system.r for system in side] for side in sides])
    theta = _contrast([[system.theta for system in side] for side in sides])
    if setting.over == "targets":
        over_r, over_theta = (interval_of_mean(rule, [mean], "targets") for mean in (r, theta))
        return AlignmentIntervals(over_r, over_theta, None, None)

    kinds: list[ImageDraws] = [BootstrapDraws(images, rule.n_resamples, rule.random_state)]
    if rule.method == "BCa":
        kinds.append(JackknifeDraws(images))
    drawn = [
        [[_SystemOver(one, draws, setting) for one in side] for side in sides] for draws in kinds
    ]
    mean_r, mean_theta = ([_MeanOverTargets(draws.n_draws) for draws in kinds] for _ in range(2))
    of_r, of_theta = [], []
    for block in kinds[0].bounded_slices(r.size):
        r_draws, theta_draws, n_undefined = [], [], []
        for over in drawn:
            found = [[one.r(block) for one in side] for side in over]
            undefined = np.any([np.isnan(values) for side in found for values in side], axis=0)
            n_undefined.append(undefined.sum(axis=1))
            r_draws.append(
                _contrast([[np.nan_to_num(values) for values in side] for side in found])
            )
            theta_draws.append(_contrast([[one.theta(block) for one in side] for side in over]))
        for mean, values in zip([*mean_r, *mean_theta], [*r_draws, *theta_draws], strict=True):
            mean.add(values)
        of_r.append(interval_of(rule, r[block], *r_draws, n_undefined=n_undefined[0]))
        of_theta.append(interval_of(rule, theta[block], *theta_draws))
    return AlignmentIntervals(
        interval_of(rule, r.mean(), *(mean.get() for mean in mean_r)),
        interval_of(
            rule,
            _mean_of_defined(theta, 0),
            *(mean.get() for mean in mean_theta),
            n_left_out=int(np.isnan(theta).sum()),
        ),
        join(of_r),
        join(of_theta),
    )


class _MeanOverTargets:
    """Mean over the targets that are defined, in every draw, from blocks of them."""

    def __init__(self, n_draws: int) -> None:
        self._sum, self._count = np.zeros((2, n_draws))

    def add(self, values: NDArray[Any]) -> None:
        self._sum += np.nansum(values, axis=0)
        self._count += np.count_nonzero(~np.isnan(values), axis=0)

    def get(self) -> NDArray[Any]:
        return _ratio(self._sum, self._count)


def _contrast(sides: list[list[NDArray[Any]]]) -> NDArray[Any]:
    """Mean of the defined values of a side; of two sides, the difference."""
    means = [_mean_of_defined(np.stack(side), 0) if len(side) > 1 else side[0] for side in sides]
    return means[0] - means[1] if len(means) > 1 else means[0]


def _mean_of_defined(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """The mean along an axis of what is not NaN; NaN where all is, without a warning."""
    return _ratio(np.nansum(values, axis=axis), np.count_nonzero(~np.isnan(values), axis=axis))


def _ratio(total: NDArray[Any], count: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):
        return np.asarray(total) / count
