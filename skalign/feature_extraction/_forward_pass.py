"""Passes of images through a torch module, of which some layers' activations are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from itertools import chain
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skalign.feature_extraction._torch import import_torch

# Hooks and the training flag belong to the module, which clones share over threads.
_ONE_AT_A_TIME = RLock()


def find_layer(model: Any, layer: str) -> Any:
    """Return the submodule of that name, or raise and list the names close to it."""
    layers = dict(model.named_modules(remove_duplicate=False))
    if layer in layers:
        return layers[layer]
    last = str(layer).rpartition(".")[2]
    close = get_close_matches(str(layer), layers, n=5, cutoff=0.5)
    close += [name for name in layers if last and name.rpartition(".")[2] == last]
    shown = list(dict.fromkeys(close))[:8] or [name for name in layers if name][:8]
    kind = "close to it are" if close else "the first are"
    raise ValueError(
        f"layer must be a name in model.named_modules(); got {layer!r}; of {len(layers)} names "
        f"{kind} {', '.join(map(repr, shown))}."
    )


@contextmanager
def inference(model: Any, device: Any) -> Iterator[None]:
    """Evaluate the module on a device, without gradients, and leave it as it was."""
    torch = import_torch()
    with _ONE_AT_A_TIME, torch.no_grad():
        modes = [(module, module.training) for module in model.modules()]
        home = {tensor.device for tensor in chain(model.parameters(), model.buffers())}
        if device is not None and len(home) > 1:
            raise ValueError(
                f"device must be None for a model that is spread over devices; got {device!r}; "
                f"this one is on {', '.join(sorted(map(str, home)))}."
            )
        try:
            model.eval()
            if device is not None:
                model.to(device)
            yield
        finally:
            for module, training in modes:
                module.training = training
            if device is not None and home:
                model.to(*home)


def run(
    model: Any,
    inputs: Any,
    *,
    n_images: int,
    layers: Sequence[str],
    at: str,
    call: int | None,
    pool: Callable[[Any, str], Any],
) -> dict[str, NDArray[np.float32]]:
    """Pass one batch through the model and return the pooled activations of each layer."""
    kept: dict[str, list[Any]] = {layer: [] for layer in layers}
    with ExitStack() as hooks:
        for layer in layers:
            keep = _keeper(kept[layer], layer, at, pool)
            module = find_layer(model, layer)
            handle = (
                module.register_forward_hook(lambda module, args, output, keep=keep: keep(output))
                if at == "output"
                else module.register_forward_pre_hook(
                    lambda module, args, named, keep=keep: keep([*args, *named.values(), None][0]),
                    with_kwargs=True,
                )
            )
            hooks.callback(handle.remove)
        if isinstance(inputs, Mapping):
            model(**inputs)
        else:
            model(inputs)
    return {
        layer: _checked(_take_call(kept[layer], call, layer), layer, n_images) for layer in layers
    }


def _keeper(
    kept: list[Any], layer: str, at: str, pool: Callable[[Any, str], Any]
) -> Callable[[Any], None]:
    torch = import_torch()

    def keep(activations: Any) -> None:
        pooled = pool(activations, layer)
        if not isinstance(pooled, torch.Tensor):
            raise TypeError(
                f"The {at} of layer {layer!r} must be a tensor or hold one, or pooling be a "
                f"function that makes one of it; got a {type(pooled).__name__}."
            )
        # A copy: a module that works in place would overwrite what is kept.
        kept.append(pooled.to("cpu", torch.float32, copy=True))

    return keep


def _checked(tensor: Any, layer: str, n_images: int) -> NDArray[np.float32]:
    activations: NDArray[np.float32] = tensor.numpy()
    if activations.shape[:1] != (n_images,):
        raise ValueError(
            f"Layer {layer!r} must have one row of activations per image; got activations of shape "
            f"{activations.shape} for {n_images} images: choose another layer, or give a "
            "pooling that returns (n_images, ...)."
        )
    n_wrong = activations.size - np.count_nonzero(np.isfinite(activations))
    if n_wrong:
        raise ValueError(
            f"Activations of layer {layer!r} must be finite in float32; got NaN or infinity in "
            f"{n_wrong} of {activations.size}: scale images as the model was trained on, look at "
            "its weights, pass through it in float32 (model.float()) if it has half precision, or "
            "give a pooling that replaces them."
        )
    return activations


def _take_call(kept: list[Any], call: int | None, layer: str) -> Any:
    if not kept:
        raise ValueError(
            f"Layer {layer!r} did not run when images passed through the model: choose one that "
            "runs; containers such as ModuleList never do."
        )
    if call is None and len(kept) > 1:
        raise ValueError(
            f"Layer {layer!r} runs {len(kept)} times in one pass: say which run counts with call, "
            f"from 0 (the first) to {len(kept) - 1} (the last, also -1)."
        )
    try:
        return kept[call or 0]
    except IndexError:
        raise ValueError(
            f"call must be from {-len(kept)} to {len(kept) - 1} for layer {layer!r}, which runs "
            f"{len(kept)} times in one pass; got {call!r}."
        ) from None
