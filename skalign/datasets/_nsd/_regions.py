"""Regions by name: label tables, and the voxels that carry a label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skalign.datasets._nsd._files import (
    Hemisphere,
    NSDFiles,
    check_affine,
    load_volume,
    reading,
)
from skalign.utils import Array, Flags

# For folders without label tables.
_FIXED_NAMES = {
    "floc-faces": {1: "OFA", 2: "FFA-1", 3: "FFA-2", 4: "mTL-faces", 5: "aTL-faces"},
    "floc-places": {1: "OPA", 2: "PPA", 3: "RSC"},
}
_BOTH: tuple[Hemisphere, Hemisphere] = ("lh", "rh")


Labels = dict[str, set[int]]  # of each name; several labels may share one


@dataclass(frozen=True, eq=False)
class _Names:
    """Names of a collection, and what is wrong with its tables: an error for who asks for it."""

    labels: Labels
    fault: ValueError | None = None

    def checked(self) -> Labels:
        if self.fault is not None:
            raise self.fault
        return self.labels

    def __str__(self) -> str:
        return ", ".join(name for name, labels in self.labels.items() if labels)


def region_names(files: NSDFiles, hemisphere: Hemisphere | None) -> dict[str, list[str]]:
    """Map every collection of regions to its names."""
    return {
        collection: list(_names(files, collection, hemisphere).checked())
        for collection in _collections(files)
    }


def region_masks(
    files: NSDFiles, regions: Sequence[str], hemisphere: Hemisphere | None
) -> tuple[list[Flags], Array]:
    """Where each region lies, and the affine of the grid."""
    masks: list[Flags] = []
    affines: list[Array] = []
    for region in regions:
        collection, labels = _find(region, files, hemisphere)
        mask, affine, path = _mask(files, collection, labels, hemisphere)
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
        affines.append(affine)
        check_affine(affine, affines[0], path, f"the region {regions[0]!r}")
    return masks, affines[0]


def _collections(files: NSDFiles) -> list[str]:
    folder = files.roi_folder
    volumes = [path.name.removesuffix(".nii.gz") for path in folder.glob("*.nii.gz")]
    if not volumes:
        raise FileNotFoundError(
            f"Volumes of regions, such as floc-faces.nii.gz, are expected in {folder}, and there "
            "are none."
        )
    return sorted({name.removeprefix("lh.").removeprefix("rh.") for name in volumes})


def _find(region: str, files: NSDFiles, hemisphere: Hemisphere | None) -> tuple[str, set[int]]:
    """Find the collection and the labels of a region; its collection may be named in front."""
    named, _, name = region.rpartition("/")
    collections = _collections(files)
    asked = [named] if named in collections else collections
    known = {collection: _names(files, collection, hemisphere) for collection in asked}
    found = [
        collection
        for collection, names in known.items()
        if name in names.labels and named in ("", collection)
    ]
    if len(found) == 1:
        return found[0], known[found[0]].checked()[name]
    if found:
        choices = " or ".join(repr(f"{collection}/{name}") for collection in found)
        raise ValueError(f"The region {name!r} is in several collections: ask for {choices}.")
    listed = [f"{collection} ({names})" for collection, names in known.items()]
    remarks = [f" {names.fault}" for names in known.values() if names.fault is not None]
    unnamed = [
        collection for collection, names in known.items() if not names.labels and not names.fault
    ]
    if unnamed:
        remarks.append(
            f" Tables of names are expected in {files.label_folder}, as lh.{unnamed[0]}.mgz.ctab."
        )
    raise ValueError(
        f"There is no region {region!r} in {files.roi_folder}, which has: {'; '.join(listed)}."
        + "".join(remarks)
    )


def _names(files: NSDFiles, collection: str, hemisphere: Hemisphere | None) -> _Names:
    """Names and labels of a collection, from its tables where there are some."""
    sides = _BOTH if hemisphere is None else (hemisphere,)
    of_sides = [files.label_folder / f"{side}.{collection}.mgz.ctab" for side in sides]
    paths = [path for path in of_sides if path.is_file()]
    of_both = files.label_folder / f"{collection}.mgz.ctab"
    if not paths and of_both.is_file():
        paths = [of_both]
    if not paths:
        return _Names({name: {label} for label, name in _FIXED_NAMES.get(collection, {}).items()})
    tables = [_read_table(path) for path in paths]
    labels = {**tables[-1].labels, **tables[0].labels}
    for table in tables:
        if table.fault is not None:
            return _Names(labels, table.fault)
    if tables[0].labels == tables[-1].labels:
        return tables[0]
    different = ValueError(
        f"{paths[0]} and {paths[-1]} must give labels the same names; ask for one "
        'hemisphere, "lh" or "rh".'
    )
    return _Names(labels, different)


def _read_table(path: Path) -> _Names:
    """Read lines of a label and its name; the rest of a line is ignored."""
    try:
        with reading(path, "A table of region names"):
            lines = path.read_text(encoding="utf-8").splitlines()
    except ValueError as error:
        return _Names({}, error)
    labels: Labels = {}
    fault = None
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) == 1 or not re.fullmatch(r"-?\d+", words[0]):
            fault = fault or ValueError(f'Lines of {path} must be "label name"; got {line!r}.')
            for word in words:  # whichever is the name, who asks for it should hear of the fault
                labels.setdefault(word, set())
        elif int(words[0]) > 0:  # 0 is what has no label
            labels.setdefault(words[1], set()).add(int(words[0]))
    return _Names(labels, fault)


def _mask(
    files: NSDFiles, collection: str, labels: set[int], hemisphere: Hemisphere | None
) -> tuple[Flags, Array, Path]:
    """Voxels of some labels: from the volume of both hemispheres, if there is one, or from two.

    With them the affine, and the file that has it.
    """
    of_both = files.roi_folder / f"{collection}.nii.gz"
    sides = _BOTH if hemisphere is None else (hemisphere,)
    paths = [files.roi_folder / f"{side}.{collection}.nii.gz" for side in sides]
    if hemisphere is None and of_both.is_file():
        paths = [of_both]
    volumes = [load_volume(path, f"The volume of {collection}") for path in paths]
    shapes = {values.shape for values, _ in volumes}
    if len(shapes) > 1:
        raise ValueError(
            f"{paths[0]} and {paths[-1]} must be on one grid; got shapes {sorted(shapes)}."
        )
    affine = volumes[0][1]
    check_affine(volumes[-1][1], affine, paths[-1], str(paths[0]))
    masks = [np.isin(values, list(labels)) for values, _ in volumes]
    return np.logical_or.reduce(masks), affine, paths[0]
