"""What is compared: the features of models and the responses of regions, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ModelFeatures:
    """Responses of a model's units to the images of a benchmark.

    Every part is an array of shape (n_images, n_units); the path of a ``.npy`` file, which is
    memory-mapped; or a callable without arguments that returns one of these. Of a model with
    several layers every part is a dict from the names of the layers to these, or a callable that
    returns one; all parts have the same layers.

    Parameters
    ----------
    name : str
        Name of the model.
    train : array, path, callable, or dict of these
        Features of the training images.
    test : array, path, callable, or dict of these
        Features of the test images.
    localizer : array, path, callable, or dict of these, default=None
        Features of the localizer images. Needed where units are localized.
    validation : array, path, callable, or dict of these, default=None
        Features of the validation images.
    key : str, default=None
        Stands for the content of the features, such as a version of the model and of the images:
        the store compares it in their place, so that a model with all its cells in the store is not
        loaded at all. Which parts are given and the names of layers in dicts count beside it; not
        layers that a callable returns: others need another key. If None, features are loaded to be
        compared.
    """

    name: str
    train: Any
    test: Any
    localizer: Any = None
    validation: Any = None
    key: str | None = None


@dataclass(frozen=True, eq=False)
class RegionResponses:
    """Responses of a region's voxels in one subject.

    Every part is an array of shape (n_images, n_targets), or (n_images,) of a single target; the
    path of a ``.npy`` file, which is memory-mapped; or a callable without arguments that returns
    one of these.

    Parameters
    ----------
    subject : str or int
        The subject; its text in the table, so that 1 and "1" are the same.
    name : str
        Name of the region.
    train : array, path or callable
        Responses to the training images.
    test : array, path or callable
        Responses to the test images.
    validation : array, path or callable, default=None
        Responses to the validation images.
    ceiling : NoiseCeiling, array, path or callable, default=None
        Noise ceiling of every voxel: a :class:`~skalign.metrics.NoiseCeiling` of unit "r", or an
        array of shape (n_targets,) in units of r, from 0 to 1 or NaN where a voxel has none. The
        region's is the mean over voxels that have one, NaN if none has.
    train_images : array-like of shape (n_train_images,), default=None
        Which rows of the models' training features are the images that this subject saw, in the
        order of `train`. If None, all are.
    validation_images, test_images : array-like, default=None
        The same of the other parts.
    """

    subject: str | int
    name: str
    train: Any
    test: Any
    validation: Any = None
    ceiling: Any = None
    train_images: Any = None
    validation_images: Any = None
    test_images: Any = None


def read(source: Any, what: str) -> NDArray[Any]:
    """Array behind a source; that of a file is memory-mapped.

    Parameters
    ----------
    source : array-like, path or callable
        Where the array is.
    what : str
        Its name in errors.

    Returns
    -------
    ndarray
        The array.
    """
    source = called(source)
    if not isinstance(source, str | os.PathLike):
        return np.asarray(source)
    try:
        return np.asarray(np.lib.format.open_memmap(source, mode="r"))
    except ValueError as error:
        raise ValueError(
            f"{what} must be the path of a .npy file with one array of numbers, got "
            f"{os.fspath(source)!r}: {error}"
        ) from error


def called(source: Any) -> Any:
    """What a callable returns; anything else as it is."""
    while callable(source):
        source = source()
    return source


def read_layers(source: Any, what: str) -> dict[str, NDArray[Any]]:
    """Arrays of all layers; a model without named layers has one, named ``""``.

    Parameters
    ----------
    source : array-like, path, callable, or dict of these
        Where the arrays are.
    what : str
        Their name in errors.

    Returns
    -------
    dict of str to ndarray of shape (n_images, n_units)
        The arrays.
    """
    source = called(source)
    layers = source if isinstance(source, Mapping) else {"": source}
    if not layers:
        raise ValueError(f"{what} must have at least one layer, got an empty dict.")
    if len(set(map(str, layers))) < len(layers):
        raise ValueError(f"{what} must have layers whose names differ as text, got {list(layers)}.")
    arrays = {str(layer): read(array, what) for layer, array in layers.items()}
    for layer, array in arrays.items():
        if array.ndim != 2:
            raise ValueError(
                f"{what} must have shape (n_images, n_units), got {array.shape}{in_layer(layer)}. "
                "Flatten the units: array.reshape(len(array), -1)."
            )
    return arrays


def in_layer(layer: str) -> str:
    """Name a layer in an error, where it has a name."""
    return f" in layer {layer!r}" if layer else ""
