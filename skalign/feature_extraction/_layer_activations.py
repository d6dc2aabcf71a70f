"""LayerActivations: from images to the activations of a network's layer."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skalign.feature_extraction._forward_pass import (
    find_layer,
    import_torch,
    inference,
    run,
    to_tensor,
)


class LayerActivations(TransformerMixin, BaseEstimator):
    r"""Activations of one layer of a PyTorch network, one row per image.

    Images pass through the network in batches, in evaluation mode and without gradients. What the
    layer puts out, or takes in, is flattened to float32. The network is left as it was: training
    flags, device and hooks.

    Parameters
    ----------
    model : torch.nn.Module
        The network. It is shared by clones and never trained.
    layer : str
        Name of the layer in ``model.named_modules()``; "" is the network itself.
    at : {"output", "input"}, default="output"
        Whether to keep what the layer puts out or what it takes in, its first argument. The input
        of a ReLU is the activation before rectification, and the input of a layer that follows a
        functional ReLU the one after it.
    call : int, default=None
        Which run counts where the network runs the layer several times in one pass, as a ReLU
        module that it shares: 0 is the first, -1 the last. None is for layers that run once.
    preprocess : callable, default=None
        Takes a batch, a slice of `X`, and returns the array or tensor of shape (n_images, ...) that
        the network takes: resizing, scaling, channels. If None, the network takes `X`.
    pooling : {"mean", "max"} or callable, default=None
        What is done to activations before they are flattened. "mean" and "max" pool maps of shape
        (n_images, channels, height, width), or with more axes behind, to one unit per channel;
        without places, (n_images, channels), they change nothing. Three axes need a callable, for
        nothing tells which has the channels: ``lambda a: a.mean(axis=1)`` for tokens,
        (n_images, tokens, channels), and ``axis=2`` where channels are first. A callable takes the
        activations of a batch, a tensor or whatever the layer has, and returns a tensor of shape
        (n_images, ...). None keeps each position as a unit.
    split_sign : bool, default=False
        Whether every unit becomes two, an on half max(x, 0) and an off half max(-x, 0). First come
        all on halves, then all off halves.
    batch_size : int, default=32
        Number of images in one pass.
    device : str or torch.device, default=None
        Where the passes run. The model is moved there, and back again. If None, they run where the
        model is.

    Attributes
    ----------
    activation_shape_ : tuple of int
        Shape of one image's activations after pooling, before flattening and splitting.
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
    by batch, also from a memory-mapped file or an HDF5 dataset.

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
    """

    def __init__(
        self,
        model: Any,
        layer: str,
        *,
        at: Literal["output", "input"] = "output",
        call: int | None = None,
        preprocess: Callable[[Any], Any] | None = None,
        pooling: Literal["mean", "max"] | Callable[[Any], Any] | None = None,
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
        """Find the layer and the shape of its activations, by the first image.

        Parameters
        ----------
        X : array-like or tensor of shape (n_images, ...)
            Images, usually (n_images, channels, height, width), or what `preprocess` takes: then
            anything with a length and slices.
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
            If `model` is no module, images are integers, or the layer has no tensor to keep.
        ValueError
            If a parameter is out of range, the model has no such layer, the layer does not run, or
            runs several times and `call` is None, `pooling` does not know which axis has the
            channels, or images or activations are not finite.
        """
        self._check_parameters()
        images = self._check_images(X, reset=True)
        with inference(self.model, self.device):
            first = self._pass(images[:1])
        self.activation_shape_ = first.shape[1:]
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the layer's activations.

        Parameters
        ----------
        X : array-like or tensor of shape (n_images, ...)
            Images, as in `fit`.

        Returns
        -------
        ndarray of shape (n_images, n_units), dtype=float32
            Activations. With `split_sign`, on halves and then off halves.

        Raises
        ------
        TypeError
            If images are integers, or the layer has no tensor to keep.
        ValueError
            If images or activations are not finite, or activations do not have the shape that
            `fit` found.
        """
        check_is_fitted(self)
        self._check_parameters()
        images = self._check_images(X, reset=False)
        n_images = images.shape[0] if hasattr(images, "shape") else len(images)
        n_units = int(np.prod(self.activation_shape_))
        activations = np.empty((n_images, n_units * (1 + self.split_sign)), dtype=np.float32)
        with inference(self.model, self.device):
            for start in range(0, max(n_images, 1), self.batch_size):
                batch = self._pass(images[start : start + self.batch_size])
                if batch.shape[1:] != self.activation_shape_:
                    raise ValueError(
                        f"Activations of layer {self.layer!r} must have the shape that fit found, "
                        f"{self.activation_shape_} per image; got {batch.shape[1:]}: images must "
                        "have one size, or pooling must level it."
                    )
                units = batch.reshape(len(batch), n_units)
                rows = activations[start : start + self.batch_size]
                if self.split_sign:
                    np.maximum(units, 0, out=rows[:, :n_units])
                    np.maximum(-units, 0, out=rows[:, n_units:])
                else:
                    rows[:] = units
        return activations

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
        layer = self.layer or type(self.model).__name__
        places = np.ndindex(self.activation_shape_)
        names = [f"{layer}[{','.join(map(str, place))}]" if place else layer for place in places]
        if self.split_sign:
            names = [f"{name}{sign}" for sign in "+-" for name in names]
        return np.array(names, dtype=object)

    def _check_parameters(self) -> None:
        torch = import_torch()
        if not isinstance(self.model, torch.nn.Module):
            raise TypeError(f"model must be a torch.nn.Module; got a {type(self.model).__name__}.")
        find_layer(self.model, self.layer)
        if self.at not in ("output", "input"):
            raise ValueError(f'at must be "output" or "input"; got {self.at!r}.')
        if self.call is not None and not _is_integer(self.call):
            raise ValueError(f"call must be an int, or None; got {self.call!r}.")
        if not (self.pooling in (None, "mean", "max") or callable(self.pooling)):
            raise ValueError(
                f'pooling must be "mean", "max", a callable, or None; got {self.pooling!r}.'
            )
        if self.preprocess is not None and not callable(self.preprocess):
            raise ValueError(f"preprocess must be a callable, or None; got {self.preprocess!r}.")
        if not isinstance(self.split_sign, bool | np.bool_):
            raise ValueError(f"split_sign must be True or False; got {self.split_sign!r}.")
        if not (_is_integer(self.batch_size) and self.batch_size >= 1):
            raise ValueError(f"batch_size must be a positive int; got {self.batch_size!r}.")
        try:
            torch.device(self.device or "cpu")
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                'device must be a torch device such as "cpu" or "cuda:0", or None for where the '
                f"model is; got {self.device!r}."
            ) from error

    def _check_images(self, X: Any, reset: bool) -> Any:
        """Return images that can be sliced, unread: values are checked batch by batch."""
        if self.preprocess is not None:
            return X
        images = X if hasattr(X, "shape") and not hasattr(X, "iloc") else np.asarray(X)
        if len(images.shape) < 2 or issparse(images):
            check_array(images, input_name="X")  # raises
        if len(images.shape) == 2:
            validate_data(self, X, reset=reset, skip_check_array=True)
        return images

    def _pass(self, images: Any) -> NDArray[np.float32]:
        """Return the activations of one batch."""
        inputs = images if self.preprocess is None else self.preprocess(images)
        if len(inputs) != len(images):
            raise ValueError(
                "preprocess must return one image for each that it takes; got "
                f"{len(inputs)} for {len(images)}."
            )
        return run(
            self.model,
            to_tensor(inputs, self.model, self.device),
            layer=self.layer,
            at=self.at,
            call=self.call,
            pool=self._pool,
        )

    def _pool(self, activations: Any) -> Any:
        if callable(self.pooling):
            return self.pooling(activations)
        if self.pooling is None or getattr(activations, "ndim", 0) < 3:
            return activations
        if activations.ndim == 3:
            reduce = "mean" if self.pooling == "mean" else "amax"
            raise ValueError(
                f"pooling must be a callable where activations have three axes; got "
                f"{self.pooling!r} for layer {self.layer!r} with shape {tuple(activations.shape)}. "
                f"Take lambda a: a.{reduce}(axis=1) if they are (n_images, tokens, channels), or "
                "axis=2 if channels are first."
            )
        places = activations.flatten(2).float()
        return places.mean(2) if self.pooling == "mean" else places.amax(2)

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


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
