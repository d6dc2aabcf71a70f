"""Regions by name: label tables, and the voxels that carry a label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skalign.datasets._nsd._files import Hemisphere, NSDFiles, load_volume, reading

# For folders without label tables.
_FIXED_NAMES = {
    "floc-faces": {1: "OFA", 2: "FFA-1", 3: "FFA-2", 4: "mTL-faces", 5: "aTL-faces"},
    "floc-places": {1: "OPA", 2: "PPA", 3: "RSC"},
}
_BOTH: tuple[Hemisphere, Hemisphere] = ("lh", "rh")


def region_names(files: NSDFiles, hemisphere: Hemisphere | None) -> dict[str, dict[str, int]]:
    """Map every collection of regions to its names, and these to their labels."""
    folder = files.roi_folder
    volumes = sorted(path.name.removesuffix(".nii.gz") for path in folder.glob("*.nii.gz"))
    if not volumes:
        raise FileNotFoundError(
            f"Volumes of regions, such as floc-faces.nii.gz, are expected in {folder}, and there "
            "are none."
        )
    collections = {name.removeprefix("lh.").removeprefix("rh.") for name in volumes}
    return {name: _labels(files, name, hemisphere) for name in sorted(collections)}


def region_masks(
    files: NSDFiles, regions: Sequence[str], hemisphere: Hemisphere | None
) -> tuple[list[NDArray[np.bool_]], NDArray]:
    """Where each region lies, and the affine of the grid."""
    known = region_names(files, hemisphere)
    masks: list[NDArray[np.bool_]] = []
    for region in regions:
        collection = _find(region, known, files)
        name = region.rpartition("/")[2]
        mask, affine = _mask(files, collection, known[collection][name], hemisphere)
        if not mask.any():
            raise ValueError(
                f"The region {region!r} has no voxels in subject {files.subject}"
                f"{'' if hemisphere is None else f', hemisphere {hemisphere!r}'}."
            )
        if masks and mask.shape != masks[0].shape:
            raise ValueError(
                f"Volumes of regions must be on one grid: that of {region!r} has shape "
                f"{mask.shape}, that of {regions[0]!r} {masks[0].shape}."
            )
        masks.append(mask)
    return masks, affine


def _find(region: str, known: dict[str, dict[str, int]], files: NSDFiles) -> str:
    """Find the collection of a region, which may be named in front of it."""
    named, _, name = region.rpartition("/")
    found = [
        collection
        for collection, labels in known.items()
        if name in labels and named in ("", collection)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        choices = " or ".join(repr(f"{collection}/{name}") for collection in found)
        raise ValueError(f"The region {name!r} is in several collections: ask for {choices}.")
    listed = [f"{collection} ({', '.join(labels)})" for collection, labels in known.items()]
    unnamed = [collection for collection, labels in known.items() if not labels]
    without_table = (
        f" Tables of names are expected in {files.label_folder}, as lh.{unnamed[0]}.mgz.ctab."
        if unnamed
        else ""
    )
    raise ValueError(
        f"There is no region {region!r} in {files.roi_folder}, which has: {'; '.join(listed)}."
        + without_table
    )


def _labels(files: NSDFiles, collection: str, hemisphere: Hemisphere | None) -> dict[str, int]:
    """Names and labels of a collection, from its tables where there are some."""
    sides = _BOTH if hemisphere is None else (hemisphere,)
    of_sides = [files.label_folder / f"{side}.{collection}.mgz.ctab" for side in sides]
    paths = [path for path in of_sides if path.is_file()]
    of_both = files.label_folder / f"{collection}.mgz.ctab"
    if not paths and of_both.is_file():
        paths = [of_both]
    if not paths:
        return {name: label for label, name in _FIXED_NAMES.get(collection, {}).items()}
    tables = [_read_table(path) for path in paths]
    if tables[0] != tables[-1]:
        raise ValueError(
            f"{paths[0]} and {paths[-1]} must give labels the same names; ask for one "
            'hemisphere, "lh" or "rh".'
        )
    return tables[0]


def _read_table(path: Path) -> dict[str, int]:
    """Read lines of a label and its name; what else is in a line is not looked at."""
    with reading(path, "A table of region names"):
        lines = path.read_text(encoding="utf-8").splitlines()
    labels = {}
    for line in lines:
        label, *rest = line.split() or ["#"]
        if label.startswith("#"):
            continue
        if not label.lstrip("-").isdigit() or not rest:
            raise ValueError(f'Lines of {path} must be "label name", got {line!r}.')
        if int(label) > 0:  # 0 is what has no label
            labels[rest[0]] = int(label)
    return labels


def _mask(
    files: NSDFiles, collection: str, label: int, hemisphere: Hemisphere | None
) -> tuple[NDArray[np.bool_], NDArray]:
    """Voxels of a label: from the volume of both hemispheres, if there is one, or from two."""
    of_both = files.roi_folder / f"{collection}.nii.gz"
    sides = _BOTH if hemisphere is None else (hemisphere,)
    paths = [files.roi_folder / f"{side}.{collection}.nii.gz" for side in sides]
    if hemisphere is None and of_both.is_file():
        paths = [of_both]
    volumes = [load_volume(path, f"The volume of {collection}") for path in paths]
    shapes = {values.shape for values, _ in volumes}
    if len(shapes) > 1:
        raise ValueError(
            f"{paths[0]} and {paths[-1]} must be on one grid, got shapes {sorted(shapes)}."
        )
    masks = [values == label for values, _ in volumes]
    return np.logical_or.reduce(masks), volumes[0][1]
