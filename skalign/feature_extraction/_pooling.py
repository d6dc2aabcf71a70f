"""What is kept of a layer: the tensor in its output, pooled over places or tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from skalign.feature_extraction._torch import import_torch

PoolingName: TypeAlias = Literal["flatten", "mean", "max", "cls"]
Pooling: TypeAlias = PoolingName | Callable[[Any], Any]

POOLINGS = get_args(PoolingName)


def pool(activations: Any, pooling: Pooling, layer: str) -> Any:
    """Return a tensor with one row per image, or what a callable makes of the activations."""
    if callable(pooling):
        return pooling(activations)
    tensor = first_tensor(activations)
    n_axes = getattr(tensor, "ndim", 0)
    if pooling == "cls":
        if n_axes != 3:
            raise ValueError(
                'pooling must be "flatten", "mean", "max", or a callable where activations are not '
                f"(n_images, tokens, channels); got 'cls' for layer {layer!r} with "
                f"{_described(tensor)}."
            )
        return tensor[:, 0]
    if pooling == "flatten" or n_axes < 3:
        return tensor
    places = tensor.float() if n_axes == 3 else tensor.flatten(2).float().transpose(1, 2)
    return places.mean(1) if pooling == "mean" else places.amax(1)


def first_tensor(activations: Any) -> Any:
    """Return the first tensor of a tuple, a mapping or a dataclass; anything else unchanged."""
    torch = import_torch()
    if isinstance(activations, torch.Tensor):
        return activations
    if isinstance(activations, Mapping):
        parts = list(activations.values())
    elif is_dataclass(activations):
        parts = [getattr(activations, field.name) for field in fields(activations)]
    elif isinstance(activations, tuple | list):
        parts = list(activations)
    else:
        return activations
    found = (first_tensor(part) for part in parts)
    return next((part for part in found if isinstance(part, torch.Tensor)), activations)


def flat_units(
    activations: NDArray[np.float32], layer: str, expected: tuple[int, ...], split_sign: bool
) -> NDArray[np.float32]:
    """Flatten a batch of activations of the shape that fit found, and split their signs."""
    if activations.shape[1:] != expected:
        raise ValueError(
            f"Activations of layer {layer!r} must have the shape that fit found, {expected} per "
            f"image; got {activations.shape[1:]}: images must have one size, or pooling must level "
            "it."
        )
    units = activations.reshape(len(activations), -1)
    return np.hstack([units, -units]).clip(0) if split_sign else units


def _described(tensor: Any) -> str:
    shape = getattr(tensor, "shape", None)
    return f"a {type(tensor).__name__}" if shape is None else f"shape {tuple(shape)}"
