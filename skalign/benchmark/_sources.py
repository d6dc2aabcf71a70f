"""Where arrays come from: arrays, files, callables, and dicts of these for layers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from skalign.utils import Array


def read_array(source: Any, what: str) -> Array:
    """Read the array behind a source; a file is memory-mapped.

    Parameters
    ----------
    source : array-like, path or callable
        Where the array is.
    what : str
        Name of the array in errors.

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
            f"{what} must be the path of a .npy file with one array of numbers; got "
            f"{os.fspath(source)!r}. {error}"
        ) from error


def called(source: Any) -> Any:
    """Call a source that is callable; return any other as it is."""
    while callable(source):
        source = source()
    return source


def read_layers(source: Any, what: str) -> dict[str, Array]:
    """Read the arrays of all layers; a model without named layers has one, named ``""``.

    Parameters
    ----------
    source : array-like, path, callable, or dict of these
        Where the arrays are.
    what : str
        Name of the arrays in errors.

    Returns
    -------
    dict of str to ndarray of shape (n_images, n_units)
        The arrays.
    """
    source = called(source)
    layers = source if isinstance(source, Mapping) else {"": source}
    if not layers:
        raise ValueError(f"{what} must have at least one layer; got an empty dict.")
    if len(set(map(str, layers))) < len(layers):
        raise ValueError(f"{what} must have layers whose names differ as text; got {list(layers)}.")
    arrays = {str(layer): read_array(array, what) for layer, array in layers.items()}
    for layer, array in arrays.items():
        if array.ndim != 2:
            raise ValueError(
                f"{what} must have shape (n_images, n_units); got {array.shape}{in_layer(layer)}. "
                "Flatten the units: array.reshape(len(array), -1)."
            )
    return arrays


def in_layer(layer: str) -> str:
    """Name a layer in an error, if it has a name."""
    return f" in layer {layer!r}" if layer else ""
