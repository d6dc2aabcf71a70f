"""The images that were shown."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_scalar

from skalign.datasets._nsd._files import check_file, check_root, optional, reading
from skalign.utils import Integers

_WHAT = "The file of stimuli"


def iter_nsd_stimuli(
    root: str | PathLike[str], images: ArrayLike, *, batch_size: int = 100
) -> Iterator[NDArray[np.uint8]]:
    """Images of the Natural Scenes Dataset, batch by batch.

    Parameters
    ----------
    root : str or path-like
        Folder that holds ``nsddata_stimuli``.
    images : array-like of int of shape (n_images,)
        Images, as rows of the stimulus file, counted from 0: the image ids of
        :class:`NSDSubject`.
    batch_size : int, default=100
        Images in a batch; the last one has what is left.

    Returns
    -------
    iterator of ndarray of shape (batch_size, height, width, 3), dtype uint8
        The images in the order asked for, red, green and blue last.

    Raises
    ------
    FileNotFoundError
        If the file is not where it is expected, which the error names.
    ImportError
        If h5py is missing.
    ValueError
        If an image is not in the file, or the file is not one of stimuli.

    See Also
    --------
    NSDSubject : The responses to them.

    Notes
    -----
    The file is ``nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5``; its 73000 images of 425 x 425
    pixels take 40 GB. One batch is in memory at a time.

    Examples
    --------
    >>> from skalign.datasets import iter_nsd_stimuli
    >>> for pictures in iter_nsd_stimuli("~/nsd", [2950, 2990]):  # doctest: +SKIP
    ...     print(pictures.shape)
    (2, 425, 425, 3)
    """
    h5py = optional("h5py", "nsd", "HDF5 files are read with")
    check_scalar(batch_size, "batch_size", Integral, min_val=1)
    path = check_root(root) / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5"
    check_file(path, _WHAT)
    with reading(path, _WHAT), h5py.File(path, "r") as file:
        bricks = file.get("imgBrick")
        shape, dtype = getattr(bricks, "shape", None), getattr(bricks, "dtype", None)
    if shape is None or len(shape) != 4 or shape[-1] != 3 or dtype != np.uint8:
        raise ValueError(
            f'{path} must have a dataset "imgBrick" of shape (n_images, height, width, 3) and '
            f"dtype uint8; got shape {shape} and dtype {dtype}."
        )
    return _batches(path, check_images(images, shape[0]), batch_size)


def _batches(path: Path, images: Integers, batch_size: int) -> Iterator[NDArray[np.uint8]]:
    with optional("h5py", "nsd", "HDF5 files are read with").File(path, "r") as file:
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            with reading(path, _WHAT):
                pictures = np.stack([file["imgBrick"][image] for image in batch])
            yield pictures


def check_images(images: ArrayLike, n_stimuli: int) -> Integers:
    """Check that these are rows of the stimulus file."""
    checked = np.asarray(images)
    is_list = checked.ndim == 1 and checked.size > 0 and checked.dtype.kind in "iu"
    if not is_list or checked.min() < 0 or checked.max() >= n_stimuli:
        raise ValueError(
            f"images must be a list of rows of the stimulus file, whole numbers from 0 to "
            f"{n_stimuli - 1}; got {images!r}."
        )
    return checked.astype(np.int64)
