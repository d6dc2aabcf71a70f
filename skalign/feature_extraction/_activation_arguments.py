"""Checks of the parameters and the images that LayerActivations takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skalign.feature_extraction._forward_pass import find_layer
from skalign.feature_extraction._image_batches import check_batches
from skalign.feature_extraction._pooling import POOLINGS
from skalign.feature_extraction._torch import import_torch


def layer_names(layer: str | Sequence[str]) -> list[str]:
    """Return the names of one layer or of several."""
    if isinstance(layer, str) or not isinstance(layer, Sequence | np.ndarray):
        return [layer]
    return [*layer]


def check_arguments(extractor: Any) -> None:
    """Check the parameters of a LayerActivations, all of them before a pass."""
    torch = import_torch()
    model, call, pooling = extractor.model, extractor.call, extractor.pooling
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got a {type(model).__name__}.")
    layers = layer_names(extractor.layer)
    for layer in layers:
        find_layer(model, layer)
    if len(set(layers)) != len(layers) or not layers:
        raise ValueError(f"layer must name one layer, or several once each; got {layers}.")
    if extractor.at not in ("output", "input"):
        raise ValueError(f'at must be "output" or "input"; got {extractor.at!r}.')
    if call is not None and not _is_integer(call):
        raise ValueError(f"call must be an int, or None; got {call!r}.")
    if not (callable(pooling) or (isinstance(pooling, str) and pooling in POOLINGS)):
        names = ", ".join(f'"{name}"' for name in POOLINGS)
        raise ValueError(f"pooling must be one of {names}, or a callable; got {pooling!r}.")
    if extractor.preprocess is not None and not callable(extractor.preprocess):
        raise ValueError(f"preprocess must be a callable, or None; got {extractor.preprocess!r}.")
    if not isinstance(extractor.split_sign, bool | np.bool_):
        raise ValueError(f"split_sign must be True or False; got {extractor.split_sign!r}.")
    if not (_is_integer(extractor.batch_size) and extractor.batch_size >= 1):
        raise ValueError(f"batch_size must be a positive int; got {extractor.batch_size!r}.")
    try:
        torch.device(extractor.device or "cpu")
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            'device must be a torch device such as "cpu" or "cuda:0", or None for where the '
            f"model is; got {extractor.device!r}."
        ) from error


def check_images(extractor: Any, X: Any, reset: bool) -> Any:
    """Return images that can be read in batches, unread: values are checked batch by batch."""
    data = import_torch().utils.data
    if isinstance(X, data.DataLoader | data.Dataset):
        check_batches(X)
        return X
    if issparse(X):
        check_array(X, input_name="X")  # raises
    if extractor.preprocess is not None or isinstance(X, Mapping):
        return X
    if isinstance(X, list | tuple) and X and isinstance(X[0], str | PathLike):
        raise ValueError(
            f"X must be images, or paths with a preprocess that reads them; got {X[0]!r}: give "
            "preprocess=ImageReader(transform), with the transform of the network."
        )
    images = X if hasattr(X, "shape") and not hasattr(X, "iloc") else np.asarray(X)
    if len(images.shape) < 2:
        check_array(images, input_name="X")  # raises
    if len(images.shape) == 2:
        validate_data(extractor, X, reset=reset, skip_check_array=True)
    return images


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
