"""Responses of one region: read, checked and standardized."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skalign.benchmark._features import StandardizedParts, standardize
from skalign.benchmark._inputs import RegionResponses
from skalign.benchmark._sources import called, read_array
from skalign.metrics import NoiseCeiling
from skalign.utils import Array, Doubles, target_names

PARTS = ("train", "validation", "test")
ARRAYS = (*PARTS, "ceiling")
IMAGES = ("train_images", "validation_images", "test_images")


def call_sources(region: RegionResponses) -> RegionResponses:
    """Replace the callables of a region by what they return, and read which images it names."""
    sources: dict[str, Any] = {name: called(getattr(region, name)) for name in ARRAYS}
    _check_names(sources, _label(region))
    sources["ceiling"] = _in_r(sources["ceiling"], _label(region))
    images = {name: getattr(region, name) for name in IMAGES}
    sources |= {name: read_array(rows, name) for name, rows in images.items() if rows is not None}
    return replace(region, **sources)


def region_content(region: RegionResponses) -> list[Array | None]:
    """All that a cell depends on but the names: arrays, and None for each that is not given."""
    values = [(name, getattr(region, name)) for name in (*ARRAYS, *IMAGES)]
    return [None if value is None else read_array(value, name) for name, value in values]


def read_responses(region: RegionResponses) -> tuple[StandardizedParts, Doubles]:
    """Standardized responses, (n_images, n_targets), and ceilings in r, NaN where unknown."""
    label = _label(region)
    parts = {}
    for part in PARTS:
        if (source := getattr(region, part)) is not None:
            array = read_array(source, f"{part} responses {label}")
            parts[part] = array.reshape(-1, 1) if array.ndim == 1 else array
    if len({array.shape[1:] for array in parts.values()}) > 1:
        shapes = {part: array.shape for part, array in parts.items()}
        raise ValueError(f"Responses {label} must have the same voxels in all parts; got {shapes}.")
    split = standardize(parts, f"responses {label}")
    if region.ceiling is None:
        return split, np.full(split.train.shape[1], np.nan)
    return split, _check_ceiling(read_array(region.ceiling, f"ceiling {label}"), split, label)


def _label(region: RegionResponses) -> str:
    return f"of region {region.name!r} in subject {region.subject!r}"


def _check_names(sources: dict[str, Any], label: str) -> None:
    """Columns of data frames must be the same voxels, in the same order."""
    named = {part: target_names(sources[part]) for part in PARTS}
    given = {part: list(names) for part, names in named.items() if names is not None}
    for part, names in given.items():
        if names != (first := next(iter(given.values()))):
            different = [pair for pair in zip(first, names, strict=False) if pair[0] != pair[1]]
            raise ValueError(
                f"Responses {label} must have the same voxels in the same order in all parts; got "
                f"{len(first)} and {len(names)} columns in {next(iter(given))} and {part}, the "
                f"first that differ {different[:1]}. Select the columns by name."
            )


def _in_r(ceiling: Any, label: str) -> Any:
    """Values of a NoiseCeiling; other sources as they are."""
    if not isinstance(ceiling, NoiseCeiling):
        return ceiling
    if ceiling.unit != "r":
        raise ValueError(
            f"ceiling {label} must be in units of r; got unit {ceiling.unit!r}. Give "
            'ceiling.to_unit("r").'
        )
    return ceiling.values


def _check_ceiling(of_voxels: Array, split: StandardizedParts, label: str) -> Doubles:
    """Raise where ceilings are none in units of r."""
    n_targets = split.train.shape[1]
    if of_voxels.shape != (n_targets,):
        raise ValueError(
            f"ceiling {label} must have one number per voxel, shape {(n_targets,)}; got "
            f"{of_voxels.shape}."
        )
    known = of_voxels[~np.isnan(of_voxels)]
    if not ((known >= 0) & (known <= 1)).all():
        raise ValueError(
            f"ceiling {label} must be from 0 to 1, in units of r, or NaN where a voxel has none; "
            f"got values from {known.min()} to {known.max()}."
        )
    return np.asarray(of_voxels, dtype=np.float64)
