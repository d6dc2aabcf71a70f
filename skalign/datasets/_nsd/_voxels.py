"""The voxels of some regions, and the way back to a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from skalign.datasets._nsd._files import (
    Hemisphere,
    NSDFiles,
    check_affine,
    check_hemisphere,
    load_volume,
    optional,
)
from skalign.datasets._nsd._regions import region_masks
from skalign.utils import Doubles, Integers


@dataclass(frozen=True, eq=False)
class NSDVoxels:
    """Voxels of one subject, in the order of the columns of the responses.

    Parameters
    ----------
    subject : int
        The subject, 1 to 8.
    voxel_id : ndarray of shape (n_voxels,)
        Position in the subject's grid, flattened in C order; ascending.
    xyz : ndarray of shape (n_voxels, 3)
        Indices into the axes of the subject's NIfTI volumes.
    region : ndarray of shape (n_voxels,)
        Name of the region. A voxel in several of the regions asked for has their names, joined by
        "+".
    ncsnr : ndarray of shape (n_voxels,)
        Noise-ceiling signal-to-noise ratio of a single trial, from NSD; high is good. NSD took it
        from all sessions, test images included: for a choice of voxels that must not know these,
        estimate reliability from the training images' trials.
    shape : tuple of 3 int
        Shape of the subject's grid.
    affine : ndarray of shape (4, 4)
        From indices to millimetres, as in the volume of the regions.
    """

    subject: int
    voxel_id: Integers
    xyz: Integers
    region: NDArray[np.str_]
    ncsnr: NDArray[np.float32]
    shape: tuple[int, int, int]
    affine: Doubles

    def __len__(self) -> int:
        """Count the voxels."""
        return len(self.voxel_id)

    def select(self, which: ArrayLike) -> NSDVoxels:
        """Keep some of the voxels.

        Parameters
        ----------
        which : array-like of bool of shape (n_voxels,), or of int
            Mask or positions of those to keep, such as ``voxels.ncsnr > 0.2``.

        Returns
        -------
        NSDVoxels
            The voxels that are kept, in the order of the grid.

        Raises
        ------
        ValueError
            If none are kept, or a mask is of another length.
        IndexError
            If a position is not one of a voxel.
        """
        which = np.asarray(which)
        if which.dtype == bool and which.shape != (len(self),):
            raise ValueError(
                f"which must have a value for each of the {len(self)} voxels; got shape "
                f"{which.shape}."
            )
        kept = np.unique(np.arange(len(self))[which])
        if not kept.size:
            raise ValueError(f"which must keep at least one of the {len(self)} voxels.")
        names = ("voxel_id", "xyz", "region", "ncsnr")
        return replace(self, **{name: getattr(self, name)[kept] for name in names})

    def to_frame(self) -> Any:
        """One row per voxel, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``voxel_id``, ``subject``, ``region``, ``ncsnr``, ``x``, ``y`` and ``z``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        columns = {
            "voxel_id": self.voxel_id,
            "subject": self.subject,
            "region": self.region,
            "ncsnr": self.ncsnr,
        }
        columns |= dict(zip("xyz", self.xyz.T, strict=True))
        return optional("pandas", "table", "A table needs").DataFrame(columns)

    def to_nifti(self, values: ArrayLike) -> Any:
        """Put values of the voxels on the subject's grid.

        Parameters
        ----------
        values : array-like of shape (n_voxels,) or (n_maps, n_voxels)
            A value per voxel, such as r, theta or the number of active units, or several maps.

        Returns
        -------
        nibabel.Nifti1Image
            Volume of float32, with a fourth axis for several maps; NaN where no voxel is, for 0 is
            a value, and the best one of theta. ``to_filename("theta.nii.gz")`` writes it.

        Raises
        ------
        ImportError
            If nibabel is missing.
        ValueError
            If there is not one value for each voxel.
        """
        nibabel = optional("nibabel", "nsd", "NIfTI volumes are written with")
        checked = check_array(
            values,
            input_name="values",
            dtype=np.float32,
            ensure_2d=False,
            ensure_all_finite=False,
        )
        if checked.shape[-1] != len(self):
            raise ValueError(
                f"values must have one value for each of the {len(self)} voxels along the last "
                f"axis; got shape {checked.shape}."
            )
        volume = np.full((*self.shape, *checked.shape[:-1]), np.nan, dtype=np.float32)
        volume[tuple(self.xyz.T)] = checked.T
        return nibabel.Nifti1Image(volume, self.affine)


def find_voxels(
    files: NSDFiles, regions: str | Sequence[str], hemisphere: Hemisphere | None
) -> NSDVoxels:
    """Voxels of some regions, from their volumes."""
    check_hemisphere(hemisphere)
    is_list = isinstance(regions, Sequence | np.ndarray)
    names = [regions] if isinstance(regions, str) else list(regions if is_list else [])
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"regions must be the name of a region or several; got {regions!r}.")
    names = list(dict.fromkeys(names))
    masks, affine = region_masks(files, names, hemisphere)
    ncsnr, ncsnr_affine = load_volume(files.ncsnr, "The volume of ncsnr")
    shape = masks[0].shape
    if ncsnr.shape != shape:
        raise ValueError(
            f"{files.ncsnr} must be on the grid of the regions, {shape}; got {ncsnr.shape}."
        )
    # HDF5 files have no affine: the volume beside them stands for the responses.
    check_affine(ncsnr_affine, affine, files.ncsnr, "the regions")
    xyz = np.argwhere(np.logical_or.reduce(masks))
    inside = np.array([mask[tuple(xyz.T)] for mask in masks])
    region = ["+".join(np.array(names)[voxel]) for voxel in inside.T]
    return NSDVoxels(
        subject=files.subject,
        voxel_id=np.asarray(np.ravel_multi_index(tuple(xyz.T), shape)),
        xyz=xyz,
        region=np.array(region),
        ncsnr=ncsnr[tuple(xyz.T)].astype(np.float32),
        shape=shape,
        affine=affine,
    )
