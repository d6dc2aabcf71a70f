"""Batches of whatever holds images: arrays, mappings, datasets and loaders of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from sklearn.utils import check_array

from skalign.feature_extraction._torch import import_torch

Batches: TypeAlias = Iterator[tuple[slice, Callable[[], Any]]]


def count_images(images: Any) -> int:
    """Return the number of images in a batch, or in all batches."""
    if isinstance(images, Mapping):
        counts = {name: count_images(values) for name, values in images.items()}
        if len(set(counts.values())) != 1:
            raise ValueError(f"A mapping must hold the same number of images; got {counts}.")
        return next(iter(counts.values()))
    if isinstance(images, import_torch().utils.data.DataLoader):
        return len(images.batch_sampler.sampler)
    shape = getattr(images, "shape", None)
    return len(images) if shape is None else int(shape[0])


def take(images: Any, rows: slice) -> Any:
    """Return some images of a batch."""
    if isinstance(images, Mapping):
        return {name: values[rows] for name, values in images.items()}
    return images[rows]


def first_image(images: Any) -> Any:
    """Return a batch of one."""
    _, load = next(batches(images, batch_size=1))
    return take(load(), slice(1))


def batches(images: Any, batch_size: int) -> Batches:
    """Yield the rows of each batch and what loads it; a loader has batches of its own."""
    data = import_torch().utils.data
    if isinstance(images, data.DataLoader):
        yield from _loaded(images)
        return
    read = _collated if isinstance(images, data.Dataset) else take
    for start in range(0, max(count_images(images), 1), batch_size):
        rows = slice(start, min(start + batch_size, count_images(images)))

        def load(rows: slice = rows) -> Any:
            return read(images, rows)

        yield rows, load


def check_batches(images: Any) -> None:
    """Check that a loader or dataset gives every image once, in the same order every time."""
    data = import_torch().utils.data
    dataset = images.dataset if isinstance(images, data.DataLoader) else images
    if isinstance(dataset, data.IterableDataset):
        raise TypeError(
            f"X must be a dataset with a length and items; got the iterable dataset "
            f"{type(dataset).__name__}: collect its images, or write a map-style Dataset."
        )
    if not isinstance(images, data.DataLoader):
        return
    sampler = images.batch_sampler
    if not isinstance(sampler, data.BatchSampler) or not isinstance(
        sampler.sampler, data.SequentialSampler
    ):
        raise ValueError(
            "A DataLoader must have a batch_size and shuffle=False, so that rows of activations "
            f"are in the order of images; got {type(getattr(sampler, 'sampler', sampler)).__name__}"
            "."
        )
    if sampler.drop_last and len(sampler.sampler) % sampler.batch_size:
        raise ValueError(
            f"A DataLoader must keep its last batch; got drop_last=True for {len(sampler.sampler)} "
            f"images in batches of {sampler.batch_size}: set drop_last=False."
        )


def _collated(dataset: Any, rows: slice) -> Any:
    samples = [dataset[row] for row in range(rows.start, rows.stop)]
    return _without_labels(import_torch().utils.data.default_collate(samples))


def _loaded(loader: Any) -> Batches:
    start = 0
    for loaded in loader:
        batch = _without_labels(loaded)
        rows = slice(start, start + count_images(batch))

        def load(batch: Any = batch) -> Any:
            return batch

        yield rows, load
        start = rows.stop


def _without_labels(batch: Any) -> Any:
    """Return the images of a batch (images, labels)."""
    return batch[0] if isinstance(batch, tuple | list) and not _is_names(batch) else batch


def _is_names(batch: Any) -> bool:
    """Tell a list of paths, which a loader makes of them, from (images, labels)."""
    return all(isinstance(entry, str) for entry in batch)


def to_tensors(inputs: Any, model: Any, device: Any) -> Any:
    """Copy a batch to the tensor, or the tensors by keyword, that the model takes."""
    if isinstance(inputs, Mapping):
        return {
            str(name): _to_tensor(values, model, device, name=str(name))
            for name, values in inputs.items()
        }
    return _to_tensor(inputs, model, device, name="X")


def _to_tensor(images: Any, model: Any, device: Any, name: str) -> Any:
    """Copy a batch to a tensor, finite and on the model's device."""
    torch = import_torch()
    weights = next(filter(torch.is_floating_point, model.parameters()), torch.empty(0))
    if not isinstance(images, torch.Tensor):
        images = check_array(
            images, dtype="numeric", allow_nd=True, ensure_2d=False, input_name=name
        )
        precision = "=f8" if weights.dtype == torch.float64 else "=f4"
        is_float = images.dtype.kind == "f"
        images = images.astype(precision if is_float else images.dtype.newbyteorder("="))
        images = torch.from_numpy(images)
    elif torch.is_floating_point(images) and not torch.isfinite(images).all():
        raise ValueError(
            f"{name} must be finite; got NaN or infinity: mend or leave out those images."
        )
    is_mask = images.dtype == torch.bool and name != "X"
    dtype = weights.dtype if torch.is_floating_point(images) else torch.int64
    if dtype == torch.int64 and images.ndim > 2 and not is_mask:
        raise TypeError(
            f"Images must be floats, scaled as the model expects; got {images.dtype} of shape "
            f"{tuple(images.shape)}: scale them, for instance by images / 255, or let preprocess "
            "do it."
        )
    # A copy: a first module that works in place would overwrite the caller's images.
    to = weights.device if device is None else device
    return images.to(to, torch.bool if is_mask else dtype, copy=True)
