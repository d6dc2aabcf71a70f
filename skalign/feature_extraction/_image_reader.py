"""ImageReader: from files of images to what a network takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np

from skalign.feature_extraction._torch import import_torch


class ImageReader:
    """Read image files as a batch, for `preprocess` of :class:`LayerActivations`.

    Parameters
    ----------
    transform : callable, default=None
        Takes one image, a ``PIL.Image.Image`` in RGB, and returns the array or tensor of shape
        (channels, height, width) that the network takes, such as the transforms that come with
        pretrained weights. If None, pixels are divided by 255, which suits few pretrained networks.

    Notes
    -----
    A reader can be pickled where `transform` can: a function of a module, not a lambda.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import PIL.Image
    >>> from skalign.feature_extraction import ImageReader
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "red.png"
    ...     PIL.Image.new("RGB", (4, 2), "red").save(path)
    ...     batch = ImageReader()([path])
    >>> batch.shape, batch[0, :, 0, 0].tolist()
    (torch.Size([1, 3, 2, 4]), [1.0, 0.0, 0.0])
    """

    def __init__(self, transform: Callable[[Any], Any] | None = None) -> None:
        if transform is not None and not callable(transform):
            raise TypeError(f"transform must be a callable, or None; got {transform!r}.")
        self.transform = transform

    def __call__(self, paths: Sequence[str | PathLike[str]]) -> Any:
        """Read a batch.

        Parameters
        ----------
        paths : sequence of str or path
            Files of images, of any format that Pillow reads.

        Returns
        -------
        Tensor of shape (n_images, channels, height, width)
            The images, in the order of paths.

        Raises
        ------
        ImportError
            If Pillow or PyTorch is missing.
        ValueError
            If images differ in shape.
        """
        tensors = [self._read(path) for path in paths]
        for path, tensor in zip(paths, tensors, strict=True):
            if tensor.shape != tensors[0].shape:
                raise ValueError(
                    f"Images of a batch must have one shape; got {tuple(tensors[0].shape)} for "
                    f"{paths[0]} and {tuple(tensor.shape)} for {path}: give a transform that "
                    "resizes."
                )
        return import_torch().stack(tensors)

    def _read(self, path: str | PathLike[str]) -> Any:
        try:
            from PIL import Image
        except ImportError as error:
            raise ImportError("ImageReader needs Pillow: pip install pillow.") from error
        with Image.open(path) as file:
            image = file.convert("RGB")
        torch = import_torch()
        if self.transform is None:
            pixels = np.moveaxis(np.asarray(image, dtype=np.float32), -1, 0) / 255
            return torch.from_numpy(np.ascontiguousarray(pixels))
        return torch.as_tensor(self.transform(image))
