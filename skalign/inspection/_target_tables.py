"""Tables of r and theta of every target beside null fits or intervals, region by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from skalign.inference import (
    AlignmentIntervals,
    AlignmentNull,
    ConfidenceInterval,
    RefitIntervals,
)
from skalign.metrics import NoiseCeiling, target_column
from skalign.utils import Array, import_pandas

Over = Literal["test", "fit", "both"]

LABELS = {"r": "Predictivity r", "theta": "Reorientation θ (low: aligned)"}
_PERCENTILES = [2.5, 97.5]


class Tables(NamedTuple):
    """One row per region, measure and target, and one per region and measure."""

    targets: Any
    means: Any


def tables_of_null(results: Any, ceilings: Any, rate: float) -> Tables:
    """Tables of observed values, the ranges of their null fits, and what the tests found.

    Parameters
    ----------
    results : AlignmentNull or dict of str to AlignmentNull
        By region.
    ceilings : NoiseCeiling, dict of str to NoiseCeiling or None
        Of the same targets.
    rate : float
        Largest q-value of a target that is found.

    Returns
    -------
    Tables
        As :class:`AlignmentDisplay` keeps them.
    """
    return _join(
        [
            _of_null(name, result, ceiling, rate)
            for name, result, ceiling in _by_region(results, ceilings, AlignmentNull)
        ]
    )


def tables_of_intervals(results: Any, ceilings: Any, over: Over) -> tuple[Tables, float]:
    """Tables of values and their intervals, and the confidence level.

    Parameters
    ----------
    results : AlignmentIntervals, RefitIntervals or dict of str to these
        By region.
    ceilings : NoiseCeiling, dict of str to NoiseCeiling or None
        Of the same targets.
    over : {"test", "fit", "both"}
        Of `RefitIntervals`, the images that the intervals are over.

    Returns
    -------
    tables : Tables
        As :class:`AlignmentDisplay` keeps them.
    confidence_level : float
        That of all intervals.
    """
    if over not in get_args(Over):
        raise ValueError(f"over must be one of {get_args(Over)}; got {over!r}.")
    regions, levels = [], set()
    for name, result, ceiling in _by_region(results, ceilings, AlignmentIntervals, RefitIntervals):
        pairs = _intervals(result, over)
        regions.append(_of_intervals(name, pairs, ceiling))
        levels.add(pairs["r"].mean.confidence_level)
    if len(levels) > 1:
        raise ValueError(f"results must have one confidence level; got {sorted(levels)}.")
    return _join(regions), levels.pop()


def _of_null(name: str, result: AlignmentNull, ceiling: NoiseCeiling | None, rate: float) -> Tables:
    own, null_r = result.encoder, np.nan_to_num(result.null_r)
    theta = "theta" if result.target == "predicted" else "theta_observed"
    means = own.summary()
    sides = {
        "r": (own.r, null_r, result.q_value_r, means["r"], result.region_p_value_r),
        "theta": (
            result.tested_theta,
            result.null_theta,
            result.q_value_theta,
            means[theta],
            result.region_p_value_theta,
        ),
    }
    names = target_column(own.target_names, own.r.size)
    targets, of_means = [], []
    for measure, (values, null, q_value, mean, p) in sides.items():
        columns = {"low": _ends(null)[0], "high": _ends(null)[1], "found": q_value <= rate}
        targets.append(_rows(name, measure, names, ceiling, values, columns))
        has_any = np.isfinite(null).any(axis=1)
        of_draws = np.nanmean(null[has_any], axis=1)
        low, high = _ends(of_draws[:, np.newaxis])[:, 0]
        of_means.append(_mean_row(name, measure, mean, low, high, p))
    return Tables(targets, of_means)


class _Intervals(NamedTuple):
    """Of a measure: of the mean over targets, and of every target."""

    mean: ConfidenceInterval
    targets: ConfidenceInterval


def _intervals(result: AlignmentIntervals | RefitIntervals, over: Over) -> dict[str, _Intervals]:
    if isinstance(result, RefitIntervals):
        return {
            name: _Intervals(result.means[name][over], result.targets[name][over])
            for name in LABELS
        }
    if len(result.sides.sides) != 1:
        raise ValueError(
            "results must be intervals of one model, from bootstrap_alignment; got those of the "
            f"difference of {list(result.sides.sides)}."
        )
    return {
        name: _Intervals(getattr(result, name), getattr(result, f"target_{name}"))
        for name in LABELS
    }


def _of_intervals(name: str, pairs: dict[str, _Intervals], ceiling: NoiseCeiling | None) -> Tables:
    targets, means = [], []
    for measure, (mean, found) in pairs.items():
        columns = {"low": found.low, "high": found.high, "found": True}
        names = target_column(found.target_names, found.estimate.size)
        targets.append(_rows(name, measure, names, ceiling, found.estimate, columns))
        means.append(_mean_row(name, measure, mean.estimate, mean.low, mean.high, np.nan))
    return Tables(targets, means)


def _rows(
    region: str,
    measure: str,
    names: Any,
    ceiling: NoiseCeiling | None,
    values: Array,
    columns: dict[str, Any],
) -> Any:
    n_targets = values.size
    limit = np.full(n_targets, np.nan) if ceiling is None else ceiling.to_unit("r").values
    if limit.size != n_targets:
        raise ValueError(
            f"ceilings must have one value for each of the {n_targets} targets"
            f"{f' of {region}' if region else ''}; got {limit.size}."
        )
    first = {"region": region, "measure": measure, "target": names, "value": values}
    return import_pandas().DataFrame(first | columns | {"ceiling": limit})


def _mean_row(
    region: str, measure: str, value: float, low: float, high: float, p: float
) -> dict[str, Any]:
    return {"region": region, "measure": measure, "value": value, "low": low, "high": high, "p": p}


def _ends(null: Array) -> Array:
    """Percentiles over null fits that have a value, (2, n_targets)."""
    ends = np.full((2, null.shape[1]), np.nan)
    has_any = np.isfinite(null).any(axis=0)
    if has_any.any():
        ends[:, has_any] = np.nanpercentile(null[:, has_any], _PERCENTILES, axis=0)
    return ends


def _by_region(
    results: Any, ceilings: Any, *kinds: type
) -> list[tuple[str, Any, NoiseCeiling | None]]:
    """Name, result and ceiling of every region; a single result has an empty name."""
    named = dict(results) if isinstance(results, Mapping) else {"": results}
    if not named:
        raise ValueError("results must have at least one region; got an empty dict.")
    _check_types("results", named, *kinds)
    if ceilings is None:
        return [(name, result, None) for name, result in named.items()]
    limits = dict(ceilings) if isinstance(ceilings, Mapping) else {"": ceilings}
    _check_types("ceilings", limits, NoiseCeiling)
    if set(limits) != set(named):
        raise ValueError(
            f"ceilings must have the regions of results, {list(named)}; got {list(limits)}."
        )
    return [(name, result, limits[name]) for name, result in named.items()]


def _check_types(name: str, given: dict[str, Any], *kinds: type) -> None:
    for one in given.values():
        if not isinstance(one, kinds):
            raise TypeError(
                f"{name} must be of type {' or '.join(kind.__name__ for kind in kinds)}, or a "
                f"dict of these by region; got {type(one).__name__}."
            )


def _join(regions: list[Tables]) -> Tables:
    pd = import_pandas()
    targets = [rows for region in regions for rows in region.targets]
    means = [row for region in regions for row in region.means]
    return Tables(pd.concat(targets, ignore_index=True), pd.DataFrame(means))
