"""Values of targets back onto the brain, by any masker of nilearn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from skalign.utils import Array


def to_brain_map(values: ArrayLike, masker: Any) -> Any:
    """Put values of targets on the brain, with NaN wherever there is none.

    nilearn's ``masker.inverse_transform`` puts 0 outside the mask. Theta of 0 is perfect alignment,
    and r of 0 a failure, so that 0 cannot mean "no value".

    Parameters
    ----------
    values : array-like of shape (n_targets,) or (n_maps, n_targets)
        A value per target, such as theta or r, or several maps. Those of targets without a value,
        such as theta of empty fits, are NaN.
    masker : NiftiMasker, NiftiLabelsMasker, SurfaceMasker, or another of nilearn
        The fitted masker that made the responses: targets are its columns.

    Returns
    -------
    Nifti1Image or SurfaceImage
        What the masker makes, of float32: a volume, with a fourth axis for several maps, or data on
        the vertices of a surface. ``to_filename("theta.nii.gz")`` writes it.

    Raises
    ------
    ValueError
        If there is not one value per target, or the masker overlaps targets, as maps do.

    See Also
    --------
    NSDVoxels.to_nifti : The same for the Natural Scenes Dataset.

    Examples
    --------
    >>> import numpy as np
    >>> from nibabel import Nifti1Image  # doctest: +SKIP
    >>> from nilearn.maskers import NiftiMasker  # doctest: +SKIP
    >>> from skalign.datasets import to_brain_map
    >>> mask = np.zeros((3, 3, 3), dtype=np.int8)
    >>> mask[0, 0] = 1
    >>> masker = NiftiMasker(Nifti1Image(mask, np.eye(4))).fit()  # doctest: +SKIP
    >>> volume = to_brain_map([0.0, 0.5, np.nan], masker)  # doctest: +SKIP
    >>> np.argwhere(np.isfinite(volume.get_fdata())).tolist()  # doctest: +SKIP
    [[0, 0, 0], [0, 0, 1]]
    """
    checked = check_array(
        values,
        input_name="values",
        dtype=np.float32,
        ensure_2d=False,
        ensure_all_finite="allow-nan",
    )
    is_empty = np.isnan(checked)
    filled = masker.inverse_transform(np.where(is_empty, np.float32(0), checked))
    inside = masker.inverse_transform((~is_empty).astype(np.float32))
    if hasattr(filled, "mesh"):
        parts = {
            name: _with_nan(data, inside.data.parts[name])
            for name, data in filled.data.parts.items()
        }
        return type(filled)(filled.mesh, parts)
    volume = _with_nan(np.asanyarray(filled.dataobj), np.asanyarray(inside.dataobj))
    return type(filled)(volume, filled.affine)


def _with_nan(data: Array, inside: Array) -> Array:
    """Replace what does not come from a target; `inside` is 1 where a value does, and else 0."""
    if not np.isin(inside, (0, 1)).all():
        raise ValueError(
            "masker must put each target on places of its own; got one whose targets overlap or "
            "fade out, as those of NiftiMapsMasker do: a value per target makes no map there."
        )
    return np.where(inside == 1, data, np.nan).astype(np.float32)
