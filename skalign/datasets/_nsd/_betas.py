"""The responses of some voxels in one session, from HDF5 or NIfTI, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skalign.datasets._nsd._files import (
    TRIALS_A_SESSION,
    check_affine,
    optional,
    reading,
)
from skalign.datasets._nsd._voxels import NSDVoxels
from skalign.utils import Integers

Counts = NDArray[np.int16]
Grid = tuple[int, ...]

COUNTS_A_PERCENT = 300  # the files store percent signal change x 300 as integers
_BLOCK_BYTES = 2**23
_WHAT = "The responses of a session"


def read_session(path: Path, voxels: NSDVoxels) -> Counts:
    """Responses of voxels to the trials of a session, (n_trials, n_voxels), as stored."""
    return (_read_hdf5 if path.suffix == ".hdf5" else _read_nifti)(path, voxels)


def _read_hdf5(path: Path, voxels: NSDVoxels) -> Counts:
    """Every chunk that holds a voxel is read once, and no other."""
    xyz, grid = voxels.xyz, voxels.shape
    h5py = optional("h5py", "nsd", "HDF5 files are read with")
    with reading(path, _WHAT):
        file = h5py.File(path, "r")
    with file:
        betas = file.get("betas")
        if not isinstance(betas, h5py.Dataset):
            raise ValueError(f'{path} must have a dataset "betas"; got {sorted(file)}.')
        _check(betas, (TRIALS_A_SESSION, *grid[::-1]), path, "(trials, z, y, x)")
        zyx = xyz[:, ::-1]
        counts = np.empty((TRIALS_A_SESSION, len(xyz)), dtype=np.int16)
        cells = list(_cells(zyx, _cell_shape(betas, grid)))
        _check_written(betas, [zyx[some[0]] for some in cells], path)
        with reading(path, _WHAT):
            for some in cells:
                low, high = zyx[some].min(axis=0), zyx[some].max(axis=0) + 1
                box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
                inside = tuple((zyx[some] - low).T)
                for trials in _trial_blocks(betas, int(np.prod(high - low))):
                    counts[trials, some] = betas[(trials, *box)][(slice(None), *inside)]
    return counts


def _check_written(betas: Any, cells: Sequence[Integers], path: Path) -> None:
    """Refuse storage that was never written, where HDF5 reads zeros.

    `cells` are positions (z, y, x), one in each cell of storage that is read.
    """
    if betas.chunks is None:
        is_whole = betas.id.get_storage_size() > 0
        absent = []
    else:
        chunk = np.asarray(betas.chunks)
        is_whole = betas.id.get_num_chunks() == np.prod(-(-np.array(betas.shape) // chunk))
        corners = [tuple((zyx // chunk[1:] * chunk[1:]).tolist()) for zyx in cells]
        absent = [
            (trial, *corner)
            for trial in range(0, TRIALS_A_SESSION, betas.chunks[0])
            for corner in ([] if is_whole else corners)
            if betas.id.get_chunk_info_by_coord((trial, *corner)).byte_offset is None
        ]
    if absent or (betas.chunks is None and not is_whole):
        where = f" from trial {absent[0][0]} on" if absent else ""
        raise ValueError(
            f"{path} must hold the responses to all {TRIALS_A_SESSION} trials; got storage that "
            f"was never written{where}. Download the file again."
        )


def _cell_shape(betas: Any, grid: Grid) -> Integers:
    """Extent (z, y, x) of what is stored together."""
    return np.asarray(betas.chunks[1:] if betas.chunks else (1, *grid[1::-1]))


def _cells(zyx: Integers, shape: Integers) -> Iterator[Integers]:
    """Positions of the voxels in each cell of storage."""
    _, cell, sizes = np.unique(zyx // shape, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(cell.ravel(), kind="stable")
    yield from np.split(order, np.cumsum(sizes)[:-1])


def _trial_blocks(betas: Any, n_box: int) -> Iterator[slice]:
    """Whole chunks of trials, as many as fit into a block, and one at least."""
    together = betas.chunks[0] if betas.chunks else 1
    step = together * max(1, _BLOCK_BYTES // (2 * n_box * together))
    for start in range(0, TRIALS_A_SESSION, step):
        yield slice(start, min(start + step, TRIALS_A_SESSION))


def _read_nifti(path: Path, voxels: NSDVoxels) -> Counts:
    """Whole volumes, some trials at a time: the compressed stream is read once."""
    xyz, grid = voxels.xyz, voxels.shape
    nibabel = optional("nibabel", "nsd", "NIfTI volumes are read with")
    with reading(path, _WHAT):
        image = nibabel.load(path, keep_file_open=True)  # or each block starts afresh
    stored = image.dataobj
    check_affine(image.affine, voxels.affine, path, "the regions")
    _check(stored, (*grid, TRIALS_A_SESSION), path, "(x, y, z, trials)")
    if (stored.slope, stored.inter) != (1, 0):
        raise ValueError(
            f"{path} must store percent signal change x {COUNTS_A_PERCENT} without a scale factor "
            f"in its header; got slope {stored.slope} and intercept {stored.inter}."
        )
    counts = np.empty((TRIALS_A_SESSION, len(xyz)), dtype=np.int16)
    step = max(1, _BLOCK_BYTES // (2 * int(np.prod(grid))))
    with reading(path, _WHAT):
        for start in range(0, TRIALS_A_SESSION, step):
            volumes = np.asarray(stored[..., start : start + step])
            counts[start : start + step] = volumes[tuple(xyz.T)].T
    return counts


def _check(stored: Any, shape: tuple[int, ...], path: Path, axes: str) -> None:
    if tuple(stored.shape) != shape:
        swapped = sorted(stored.shape) == sorted(shape)
        remedy = " Its axes are swapped: transpose them." if swapped else ""
        raise ValueError(
            f"Responses must have shape {shape}, {axes}, for {TRIALS_A_SESSION} trials on the grid "
            f"of the regions; got {tuple(stored.shape)} from {path}.{remedy}"
        )
    if (stored.dtype.kind, stored.dtype.itemsize) != ("i", 2):
        raise ValueError(
            f"Responses must be stored as int16, percent signal change x {COUNTS_A_PERCENT}; got "
            f"{stored.dtype} from {path}."
        )
