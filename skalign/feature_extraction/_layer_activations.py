"""LayerActivations: from images to the activations of a network's layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skalign.feature_extraction._activation_arguments import (
    check_arguments,
    check_images,
    layer_names,
)
from skalign.feature_extraction._forward_pass import inference, run
from skalign.feature_extraction._image_batches import (
    batches,
    count_images,
    first_image,
    to_tensors,
)
from skalign.feature_extraction._layer_files import LayerFiles
from skalign.feature_extraction._pooling import Pooling, flat_units, pool
from skalign.utils import DocumentationLink, VersionedState

Units: TypeAlias = dict[str, NDArray[np.float32]]  # by layer


class LayerActivations(VersionedState, DocumentationLink, TransformerMixin, BaseEstimator):
    r"""Activations of layers of a PyTorch network, one row per image.

    Images pass through the network once, in batches, in evaluation mode and without gradients. What
    the layers put out, or take in, is pooled and flattened to float32. The network is left as it
    was: training flags, device and hooks.

    Parameters
    ----------
    model : torch.nn.Module
        The network. It is shared by clones and never trained.
    layer : str or sequence of str
        Name of the layer in ``model.named_modules()``; "" is the network itself. The units of
        several layers stand side by side, in this order.
    at : {"output", "input"}, default="output"
        Whether to keep what the layer puts out or what it takes in, its first argument. The input
        of a ReLU is the activation before rectification, and the input of a layer that follows a
        functional ReLU the one after it. Of a tuple, a mapping or a dataclass, such as the outputs
        of Hugging Face models, the first tensor is kept.
    call : int, default=None
        Which run counts where the network runs a layer several times in one pass, as a ReLU
        module that it shares: 0 is the first, -1 the last. None is for layers that run once.
    preprocess : callable, default=None
        Takes a batch of `X` and returns what the network takes: an array or tensor of shape
        (n_images, ...), or a mapping of keyword inputs. :class:`ImageReader` reads lists of paths.
        If None, the network takes `X`.
    pooling : {"flatten", "mean", "max", "cls"} or callable, default="flatten"
        What is done to activations before they are flattened. "flatten" keeps each position as a
        unit. "mean" and "max" make a unit of each channel: of maps (n_images, channels, height,
        width), or with more axes behind, and of tokens (n_images, tokens, channels). "cls" takes
        the first token. Activations of shape (n_images, channels) stay as they are. Other layouts,
        as (n_images, channels, length) or channels last, need a callable. It takes the activations
        of a batch, a tensor or whatever the layer has, and returns a tensor of shape
        (n_images, ...); ``functools.partial(torch.mean, dim=2)`` can be pickled, a lambda cannot.
    split_sign : bool, default=False
        Whether every unit becomes two, an on half max(x, 0) and an off half max(-x, 0). First come
        all on halves of a layer, then its off halves.
    batch_size : int, default=32
        Number of images in one pass; a DataLoader has its own.
    device : str or torch.device, default=None
        Where the passes run. The model is moved there, and back again. If None, they run where the
        model is.

    Attributes
    ----------
    activation_shapes_ : dict of str to tuple of int
        For each layer, the shape of one image's activations after pooling, before flattening and
        splitting.
    n_features_in_ : int
        Number of columns, where `X` is two-dimensional.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has names that are all strings.

    See Also
    --------
    skalign.SelectiveUnitLocalizer : Keeps the units that are selective for a category.

    Notes
    -----
    Positive weights tell a unit's direction apart from its opposite. Signed activations, as before
    a ReLU, have both; `split_sign` gives each its own unit, as rectified neurons do.

    Memory: the float32 output, plus one batch of images and of activations. Images are read batch
    by batch, also from a memory-mapped file or an HDF5 dataset. Where the output is too large for
    memory, :meth:`transform_layers` writes one file per layer.

    Random projections and PCA also shrink activations, but turn the axes: each new feature mixes
    units. Linear predictivity survives that. Theta, which compares axes, then says nothing about
    the network. Pool, or choose units, instead.

    Float arrays take the precision of the model's weights. Integers are passed on as token ids if
    two-dimensional; as pixels they are refused, for they need a scale. Copies of an estimator in
    several threads share the network and wait for each other.

    Examples
    --------
    Rectified channels of a small network, and its face units by their responses:

    >>> import numpy as np
    >>> import torch
    >>> from sklearn.pipeline import make_pipeline
    >>> from skalign import SelectiveUnitLocalizer
    >>> from skalign.feature_extraction import LayerActivations
    >>> _ = torch.manual_seed(0)
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(inplace=True))
    >>> images = np.random.default_rng(0).random((20, 3, 16, 16))
    >>> activations = LayerActivations(network, "1", pooling="mean")
    >>> activations.fit_transform(images).shape
    (20, 8)
    >>> category = np.repeat(["face", "other"], 10)
    >>> face_units = make_pipeline(activations, SelectiveUnitLocalizer("face", n_units=2))
    >>> face_units.fit_transform(images, category).shape
    (20, 2)

    Before the ReLU, which works in place, units are signed:

    >>> signed = LayerActivations(network, "0", pooling="mean", split_sign=True).fit(images)
    >>> signed.get_feature_names_out()[[0, 8]].tolist()
    ['0[0]+', '0[0]-']

    Two layers in one pass:

    >>> both = LayerActivations(network, ["0", "1"], pooling="mean").fit(images)
    >>> {layer: units.shape for layer, units in both.transform_layers(images).items()}
    {'0': (20, 8), '1': (20, 8)}
    """

    def __init__(
        self,
        model: Any,
        layer: str | Sequence[str],
        *,
        at: Literal["output", "input"] = "output",
        call: int | None = None,
        preprocess: Callable[[Any], Any] | None = None,
        pooling: Pooling = "flatten",
        split_sign: bool = False,
        batch_size: int = 32,
        device: Any = None,
    ) -> None:
        self.model = model
        self.layer = layer
        self.at = at
        self.call = call
        self.preprocess = preprocess
        self.pooling = pooling
        self.split_sign = split_sign
        self.batch_size = batch_size
        self.device = device

    def fit(self, X: Any, y: Any = None) -> LayerActivations:
        """Find the layers and the shapes of their activations, by the first image.

        Parameters
        ----------
        X : array-like, tensor, mapping, Dataset or DataLoader
            Images, usually of shape (n_images, channels, height, width); a mapping from keyword
            inputs of the network to arrays or tensors; a map-style Dataset, or a DataLoader that
            does not shuffle, of images, of tuples whose first entry is the image, or of mappings.
            With `preprocess`, anything with a length and slices, such as a list of paths.
        y : object, default=None
            Not used.

        Returns
        -------
        LayerActivations
            The fitted transformer.

        Raises
        ------
        ImportError
            If PyTorch is missing.
        TypeError
            If `model` is no module, images are integers, or a layer has no tensor to keep.
        ValueError
            If a parameter is out of range, the model has no such layer, a layer does not run, or
            runs several times and `call` is None, `pooling` does not fit the activations, a
            DataLoader shuffles, or images or activations are not finite.
        """
        check_arguments(self)
        images = check_images(self, X, reset=True)
        with inference(self.model, self.device):
            first = self._pass(first_image(images))
        self.activation_shapes_ = {layer: found.shape[1:] for layer, found in first.items()}
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the activations of all layers, side by side.

        Parameters
        ----------
        X : array-like, tensor, mapping, Dataset or DataLoader
            Images, as in `fit`.

        Returns
        -------
        ndarray of shape (n_images, n_units), dtype=float32
            Activations. With `split_sign`, the on halves and then the off halves of each layer.

        Raises
        ------
        TypeError
            If images are integers, or a layer has no tensor to keep.
        ValueError
            If images or activations are not finite, or activations do not have the shape that
            `fit` found.
        """
        images = self._check_fitted(X)
        widths = self._widths()
        activations = np.empty((count_images(images), sum(widths.values())), dtype=np.float32)
        columns = np.split(activations, np.cumsum(list(widths.values())), axis=1)
        views = dict(zip(widths, columns, strict=False))  # the last one is empty
        self._pass_all(images, partial(_copy_rows, views))
        return activations

    def transform_layers(self, X: Any, folder: str | PathLike[str] | None = None) -> Units:
        """Return the activations of each layer, in memory or in files.

        Parameters
        ----------
        X : array-like, tensor, mapping, Dataset or DataLoader
            Images, as in `fit`.
        folder : str or path, default=None
            Where to write one file per layer, ``LAYER.npy`` (``(network).npy`` for ""), batch by
            batch: memory holds one batch. Make the same call again to go on with a run that was
            interrupted. The first and the last batch in the files are then computed again and must
            agree. If None, activations stay in memory.

        Returns
        -------
        dict of str to ndarray of shape (n_images, n_units), dtype=float32
            For each layer its activations; with `folder`, read-only memory maps of the files. The
            names of all units in turn are those of `get_feature_names_out`.

        Raises
        ------
        TypeError
            If images are integers, or a layer has no tensor to keep.
        ValueError
            As `transform`; or if `folder` holds activations of other layers, images or parameters.
        FileExistsError
            If `folder` has a file of that name that this method did not begin.
        """
        images = self._check_fitted(X)
        shapes = {layer: (count_images(images), n) for layer, n in self._widths().items()}
        if folder is None:
            arrays = {layer: np.empty(shape, dtype=np.float32) for layer, shape in shapes.items()}
            self._pass_all(images, partial(_copy_rows, arrays))
            return arrays
        settings = {"at": self.at, "call": self.call, "split_sign": bool(self.split_sign)}
        files = LayerFiles(Path(folder), shapes, settings)
        self._pass_all(images, files.put, n_done=files.n_done)
        return files.open()

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the units: the layer and the place in it.

        Parameters
        ----------
        input_features : object, default=None
            Not used.

        Returns
        -------
        ndarray of str objects
            Names such as ``"features.0[3,1,7]"``, for channel, row and column, with ``"+"`` and
            ``"-"`` behind on and off halves. The network itself goes by its class.
        """
        check_is_fitted(self)
        names: list[str] = []
        for name, shape in self.activation_shapes_.items():
            layer = name or type(self.model).__name__
            units = [
                f"{layer}[{','.join(map(str, place))}]" if place else layer
                for place in np.ndindex(shape)
            ]
            signs = "+-" if self.split_sign else [""]
            names += [f"{unit}{sign}" for sign in signs for unit in units]
        return np.array(names, dtype=object)

    def _widths(self) -> dict[str, int]:
        """Return the number of columns of each layer."""
        halves = 1 + bool(self.split_sign)
        shapes = self.activation_shapes_.items()
        return {layer: halves * int(np.prod(shape)) for layer, shape in shapes}

    def _check_fitted(self, X: Any) -> Any:
        check_is_fitted(self)
        check_arguments(self)
        return check_images(self, X, reset=False)

    def _pass_all(self, images: Any, put: Callable[[slice, Units], None], n_done: int = 0) -> None:
        """Hand the units of each batch on; of those done, the first and the last batch only."""
        with inference(self.model, self.device):
            for rows, load in batches(images, self.batch_size):
                if rows.start == 0 or rows.stop >= n_done:
                    found = self._pass(load()).items()
                    expected, split_sign = self.activation_shapes_, self.split_sign
                    put(rows, {k: flat_units(v, k, expected[k], split_sign) for k, v in found})

    def _pass(self, images: Any) -> Units:
        """Return the activations of one batch."""
        inputs = images if self.preprocess is None else self.preprocess(images)
        n_images, n_inputs = count_images(images), count_images(inputs)
        if n_inputs != n_images:
            raise ValueError(
                "preprocess must return one image for each that it takes; got "
                f"{n_inputs} for {n_images}."
            )
        return run(
            self.model,
            to_tensors(inputs, self.model, self.device),
            n_images=n_images,
            layers=layer_names(self.layer),
            at=self.at,
            call=self.call,
            pool=self._pool,
        )

    def _pool(self, activations: Any, layer: str) -> Any:
        return pool(activations, self.pooling, layer)

    def __sklearn_clone__(self) -> LayerActivations:
        bare = copy(self)
        bare.model = None
        clone = super(LayerActivations, bare).__sklearn_clone__()
        clone.model = self.model
        return clone

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _copy_rows(arrays: Units, rows: slice, units: Units) -> None:
    for layer, batch in units.items():
        arrays[layer][rows] = batch
