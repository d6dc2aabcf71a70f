"""Features of one model: read, localized and standardized once for all regions and encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

from skalign.benchmark._inputs import ModelFeatures, RegionResponses
from skalign.benchmark._rows import Failure
from skalign.benchmark._sources import in_layer, read_layers
from skalign.utils import Array, Indices

PARTS = ("localizer", "train", "validation", "test")

Layers = dict[str, dict[str, Array]]  # part -> layer -> array
Units = dict[str, "Indices | Failure"]  # layer -> indices, or why there are none
FeaturesOfLayers = dict[str, "StandardizedParts | Failure"]  # layer -> features


@dataclass(frozen=True, eq=False)
class StandardizedParts:
    """Standardized features, or responses, of the images of each part, and their former scale."""

    train: Array
    validation: Array | None
    test: Array
    scale: Array


def read_features(model: ModelFeatures) -> Layers:
    """Read all layers of the parts that a model has."""
    sources = {part: getattr(model, part) for part in PARTS}
    layers = {
        part: read_layers(source, f"{part} features of model {model.name!r}")
        for part, source in sources.items()
        if source is not None
    }
    names = set(layers["train"])
    for part, arrays in layers.items():
        if set(arrays) != names:
            raise ValueError(
                f"All parts of model {model.name!r} must have the same layers; got "
                f"{sorted(names)} in train and {sorted(arrays)} in {part}."
            )
        for layer in names:
            n_units = layers["train"][layer].shape[1]
            if arrays[layer].shape[1] != n_units:
                raise ValueError(
                    f"All parts of model {model.name!r} must have the same units; got {n_units} in "
                    f"train and {arrays[layer].shape[1]} in {part}{in_layer(layer)}."
                )
    return layers


def stated_layers(model: ModelFeatures) -> list[tuple[str, list[str] | None]]:
    """Parts of a model with the names of their layers; None where only a call would tell these."""
    sources = [(part, getattr(model, part)) for part in PARTS]
    return [
        (part, [str(layer) for layer in source] if isinstance(source, Mapping) else None)
        for part, source in sources
        if source is not None
    ]


def localize(layers: Layers, selector: Any, categories: Any) -> Units:
    """Choose the units of one group in every layer.

    Parameters
    ----------
    layers : dict
        Features of a model.
    selector : selector or None
        A :class:`~skalign.feature_selection.SelectiveUnitLocalizer`; None takes all units.
    categories : array-like of shape (n_localizer_images,)
        Categories of the localizer images.

    Returns
    -------
    dict of str to ndarray of int, or Failure
        Indices of the units in every layer, or why there are none.
    """
    found: Units = {}
    for layer, train in layers["train"].items():
        if selector is None:
            found[layer] = np.arange(train.shape[1])
            continue
        try:
            fitted = clone(selector).fit(layers["localizer"][layer], categories)
            found[layer] = fitted.get_support(indices=True)
        except Exception as error:  # recorded: other layers go on
            found[layer] = Failure.of(error)
    return found


def standardize_layers(layers: Layers, units: Units, region: RegionResponses) -> FeaturesOfLayers:
    """Standardize the features of one group of units, for the images that a subject saw.

    Parameters
    ----------
    layers : dict
        Features of a model.
    units : dict of str to ndarray of int, or Failure
        Indices of the units in every layer, as from `localize`.
    region : RegionResponses
        The region, which names the images.

    Returns
    -------
    dict of str to StandardizedParts, or Failure
        Features of every layer, or why there are none.
    """
    found: FeaturesOfLayers = {}
    for layer, support in units.items():
        if isinstance(support, Failure):
            found[layer] = support
            continue
        try:
            parts: dict[str, Array] = {
                part: _take(layers[part][layer], getattr(region, f"{part}_images"), support)
                for part in ("train", "validation", "test")
                if part in layers
            }
            found[layer] = standardize(parts, "features")
        except Exception as error:  # recorded: other layers go on
            found[layer] = Failure.of(error)
    return found


def _take(array: Array, images: Any, units: Indices) -> Array:
    """Take some images and units; of a memory-mapped file only these are read."""
    return array[:, units] if images is None else array[np.ix_(images, units)]


def standardize(parts: Mapping[str, Array], what: str) -> StandardizedParts:
    """Center and scale all parts by mean and standard deviation of the training part.

    A column that is constant there is only centered.

    Parameters
    ----------
    parts : dict of str to ndarray of shape (n_images, n_columns)
        Arrays of "train" and "test", with or without "validation".
    what : str
        Name of the arrays in errors.

    Returns
    -------
    StandardizedParts
        In float32 if the training part is, else in float64; in C order, so that sums do not depend
        on the memory order of the input.
    """
    dtype = np.float32 if parts["train"].dtype == np.float32 else np.float64
    checked = {
        part: check_array(array, dtype=dtype, order="C", input_name=f"{part} {what}")
        for part, array in parts.items()
    }
    scaler = StandardScaler().fit(checked["train"])
    scaled = {part: scaler.transform(array) for part, array in checked.items()}
    scale = scaler.scale_.astype(dtype)
    return StandardizedParts(scaled["train"], scaled.get("validation"), scaled["test"], scale)
