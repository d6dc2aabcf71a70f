"""Intervals of one evaluated model, or of the difference of two in the same draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from skalign.inference._alignment_intervals import AlignmentIntervals
from skalign.inference._bootstrap_mean import interval_of_mean
from skalign.inference._comparison import AlignmentComparison
from skalign.inference._evaluated_model import EvaluatedModel, ModelInDraws, ScoredImages
from skalign.inference._interval import ConfidenceInterval, interval_of, join
from skalign.metrics import Alignment, BootstrapDraws, ImageDraws, JackknifeDraws
from skalign.utils import Doubles

MEASURES = ("r", "theta", "theta_observed")

_WORST_THETA = 2.0


def intervals_of_models(
    models: dict[str, EvaluatedModel], scored: ScoredImages, *, stacklevel: int
) -> AlignmentIntervals:
    """Intervals of one model, or of the first minus the second.

    Parameters
    ----------
    models : dict of str to EvaluatedModel
        One or two, on the scored images.
    scored : ScoredImages
        What all models share.
    stacklevel : int
        Of the warning that there is little to draw from: 1 is the caller.

    Returns
    -------
    AlignmentIntervals
        Over images or targets.
    """
    sides = {name: model.alignment for name, model in models.items()}
    values = _TargetValues.of(list(sides.values()))
    if scored.over == "images":
        drawn, n_drawn = "images", scored.images.n_groups
        if scored.images.groups is not None:
            drawn = "groups"
        means, of_targets = _over_images(list(models.values()), scored, values)
    else:
        drawn, n_drawn = "targets", values.r.size
        means = {
            name: interval_of_mean(scored.rule, [of_measure], "targets")
            for name, of_measure in values.in_means().items()
        }
        of_targets = {name: _without_ends(means["r"], getattr(values, name)) for name in MEASURES}
    scored.rule.warn_if_few(drawn, n_drawn, stacklevel=stacklevel + 1)
    names = next(iter(sides.values())).target_names
    is_empty = np.any([one.n_active == 0 for one in sides.values()], axis=0)
    of_both = len(sides) > 1
    return AlignmentIntervals(
        AlignmentComparison(sides),
        **{name: _within_range(name, mean, of_both) for name, mean in means.items()},
        empty_fraction=float(is_empty.mean()),
        **{
            f"target_{name}": replace(_within_range(name, interval, of_both), target_names=names)
            for name, interval in of_targets.items()
        },
    )


class _TargetValues(NamedTuple):
    """Values of every target, on the images as they are or in every draw (last axis)."""

    r: Doubles  # NaN where undefined
    theta: Doubles
    theta_observed: Doubles
    r_in_mean: Doubles  # where r is undefined, it counts as 0
    penalized_theta: Doubles  # where theta is undefined, it counts as the worst

    @classmethod
    def of(cls, sides: Sequence[Alignment | _BlockInDraws]) -> _TargetValues:
        """Values of one side, or of the first minus the second."""
        r, theta = [one.r for one in sides], [one.theta for one in sides]
        return cls(
            _difference(r),
            _difference(theta),
            _difference([one.theta_observed for one in sides]),
            _difference([_filled(one, 0.0) for one in r]),
            _difference([_filled(one, _WORST_THETA) for one in theta]),
        )

    def in_means(self) -> dict[str, Doubles]:
        """Values whose means over targets are reported, by their names."""
        return {
            "r": self.r_in_mean,
            "theta": self.theta,
            "theta_observed": self.theta_observed,
            "penalized_theta": self.penalized_theta,
        }


class _BlockInDraws(NamedTuple):
    """A side's values of a block of targets, (n_block, n_draws)."""

    r: Doubles
    theta: Doubles
    theta_observed: Doubles

    @classmethod
    def of(cls, model: ModelInDraws, block: slice) -> _BlockInDraws:
        return cls(*(getattr(model, name)(block) for name in MEASURES))


def _over_images(
    models: list[EvaluatedModel], scored: ScoredImages, values: _TargetValues
) -> tuple[dict[str, ConfidenceInterval], dict[str, ConfidenceInterval]]:
    """Intervals of the means and of every target, by the names of the measures."""
    rule, images = scored.rule, scored.images
    kinds: list[ImageDraws] = []
    shares = images.shares()
    if rule.method != "t":
        kinds.append(BootstrapDraws(images, rule.n_resamples, rule.random_state))
    if rule.method in ("t", "BCa"):
        kinds.append(JackknifeDraws(images))
    in_draws = [[ModelInDraws(model, draws, scored) for model in models] for draws in kinds]
    means = [
        {name: _MeanOverTargets(draws.n_draws) for name in values.in_means()} for draws in kinds
    ]
    of_targets: dict[str, list[ConfidenceInterval]] = {name: [] for name in MEASURES}
    largest = max(kinds, key=lambda draws: draws.n_draws)
    for block in largest.bounded_slices(values.r.size):
        found = [
            _TargetValues.of([_BlockInDraws.of(one, block) for one in of_kind])
            for of_kind in in_draws
        ]
        for of_kind, mean in zip(found, means, strict=True):
            for name, in_mean in of_kind.in_means().items():
                mean[name].add(in_mean)
        for name, of_blocks in of_targets.items():
            drawn = (getattr(one, name) for one in found)
            estimate = getattr(values, name)[block]
            of_blocks.append(interval_of(rule, estimate, *drawn, shares=shares))
    of_means = {
        name: interval_of(
            rule,
            _mean_of_defined(of_measure),
            *(mean[name].get() for mean in means),
            shares=shares,
            n_left_out=int(np.isnan(of_measure).sum()),
        )
        for name, of_measure in values.in_means().items()
    }
    return of_means, {name: join(of_blocks) for name, of_blocks in of_targets.items()}


class _MeanOverTargets:
    """Mean over the targets that are defined, in every draw, from blocks of them."""

    def __init__(self, n_draws: int) -> None:
        self._sum, self._count = np.zeros((2, n_draws))

    def add(self, values: Doubles) -> None:
        """Add the values of some targets, (n_block, n_draws)."""
        self._sum += np.nansum(values, axis=0)
        self._count += np.count_nonzero(~np.isnan(values), axis=0)

    def get(self) -> Any:
        """Mean of every draw, (n_draws,); NaN where no target has a value."""
        return _ratio(self._sum, self._count)


def _without_ends(interval: ConfidenceInterval, estimate: Doubles) -> ConfidenceInterval:
    """Estimates of targets that were drawn themselves: one target has no interval."""
    unknown = np.full(estimate.shape, np.nan)
    return replace(
        interval,
        estimate=estimate,
        low=unknown,
        high=unknown,
        standard_error=unknown,
        n_undefined=np.zeros(estimate.shape, dtype=np.int64),
        n_left_out=0,
        jackknife=None,
        shares=None,
    )


def _within_range(
    measure: str, interval: ConfidenceInterval, is_difference: bool
) -> ConfidenceInterval:
    """The interval without values that the measure cannot have; symmetric ends may go there."""
    least, most = (-1.0, 1.0) if measure == "r" else (0.0, _WORST_THETA)
    if is_difference:
        least, most = least - most, most - least
    return replace(
        interval,
        low=np.clip(interval.low, least, most),
        high=np.clip(interval.high, least, most),
    )


def _difference(sides: list[Doubles]) -> Doubles:
    return sides[0] - sides[1] if len(sides) > 1 else sides[0]


def _filled(values: Doubles, undefined: float) -> Doubles:
    return np.where(np.isnan(values), undefined, values)


def _mean_of_defined(values: Doubles) -> Any:
    return _ratio(np.nansum(values), np.count_nonzero(~np.isnan(values)))


def _ratio(total: Any, count: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return np.asarray(total) / count
