"""Responses of one region, standardized."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skalign.benchmark._features import Split, standardize
from skalign.benchmark._inputs import RegionResponses, called, read

ARRAYS = ("train", "validation", "test", "ceiling")
IMAGES = ("train_images", "validation_images", "test_images")


def call_sources(region: RegionResponses) -> RegionResponses:
    """The same region, what its callables return in their place; images are few, and read."""
    sources: dict[str, Any] = {name: called(getattr(region, name)) for name in ARRAYS}
    images = {name: getattr(region, name) for name in IMAGES}
    sources |= {name: read(rows, name) for name, rows in images.items() if rows is not None}
    return replace(region, **sources)


def region_content(region: RegionResponses) -> list:
    """All that a cell depends on, but for the names: arrays, and None where there is none."""
    values = [(name, getattr(region, name)) for name in (*ARRAYS, *IMAGES)]
    return [None if value is None else read(value, name) for name, value in values]


def read_responses(region: RegionResponses) -> tuple[Split, float]:
    """Standardized responses, (n_images, n_targets), and the mean ceiling, NaN if unknown."""
    label = f"of region {region.name!r} in subject {region.subject!r}"
    parts = {}
    for part in ("train", "validation", "test"):
        if (source := getattr(region, part)) is not None:
            array = read(source, f"{part} responses {label}")
            parts[part] = array.reshape(-1, 1) if array.ndim == 1 else array
    if len({array.shape[1:] for array in parts.values()}) > 1:
        shapes = {part: array.shape for part, array in parts.items()}
        raise ValueError(f"Responses {label} must have the same voxels in all parts, got {shapes}.")
    split = standardize(parts, f"responses {label}")
    ceiling = np.nan
    if region.ceiling is not None:
        of_voxels = read(region.ceiling, f"ceiling {label}")
        if of_voxels.shape != (split.train.shape[1],):
            raise ValueError(
                f"ceiling {label} must have one number per voxel, shape "
                f"{(split.train.shape[1],)}, got {of_voxels.shape}."
            )
        ceiling = float(of_voxels.mean(dtype=np.float64))
    return split, ceiling
