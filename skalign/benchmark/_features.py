"""Features of one model: read, localized and standardized, once for all regions and encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

from skalign.benchmark._inputs import ModelFeatures, RegionResponses, in_layer, read_layers
from skalign.benchmark._rows import Failure

PARTS = ("localizer", "train", "validation", "test")

Layers = dict[str, dict[str, NDArray[Any]]]  # part -> layer -> array


@dataclass(frozen=True, eq=False)
class Split:
    """Standardized features, or responses, of the images of each part."""

    train: NDArray[Any]
    validation: NDArray[Any] | None
    test: NDArray[Any]


def read_features(model: ModelFeatures) -> Layers:
    """Arrays of all parts and layers of a model; of the parts that it has."""
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
                f"All parts of model {model.name!r} must have the same layers; train has "
                f"{sorted(names)}, {part} has {sorted(arrays)}."
            )
        for layer in names:
            n_units = layers["train"][layer].shape[1]
            if arrays[layer].shape[1] != n_units:
                raise ValueError(
                    f"All parts of model {model.name!r} must have the same units; train has "
                    f"{n_units}, {part} has {arrays[layer].shape[1]}{in_layer(layer)}."
                )
    return layers


def stated_layers(model: ModelFeatures) -> list[tuple[str, list[str] | None]]:
    """Parts that a model has, with the names of their layers where none must be called for them."""
    sources = [(part, getattr(model, part)) for part in PARTS]
    return [
        (part, [str(layer) for layer in source] if isinstance(source, Mapping) else None)
        for part, source in sources
        if source is not None
    ]


def localize(layers: Layers, selector: Any, categories: Any) -> dict[str, Any]:
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
    found: dict[str, Any] = {}
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


def standardize_layers(
    layers: Layers, units: dict[str, Any], region: RegionResponses
) -> dict[str, Split | Failure]:
    """Features of one group of units to the images that a subject saw, by training statistics.

    Parameters
    ----------
    layers : dict
        Features of a model.
    units : dict of str to ndarray of int, or Failure
        Indices of the units in every layer, as from `localize`.
    region : RegionResponses
        Names the images.

    Returns
    -------
    dict of str to Split, or Failure
        Features of every layer, or why there are none.
    """
    found: dict[str, Split | Failure] = {}
    for layer, support in units.items():
        if isinstance(support, Failure):
            found[layer] = support
            continue
        try:
            parts: dict[str, NDArray[Any]] = {
                part: _take(layers[part][layer], getattr(region, f"{part}_images"), support)
                for part in ("train", "validation", "test")
                if part in layers
            }
            found[layer] = standardize(parts, "features")
        except Exception as error:  # recorded: other layers go on
            found[layer] = Failure.of(error)
    return found


def _take(array: NDArray[Any], images: Any, units: NDArray[np.intp]) -> NDArray[Any]:
    """Some images and units; of a memory-mapped file only these become an array."""
    return array[:, units] if images is None else array[np.ix_(images, units)]


def standardize(parts: Mapping[str, NDArray[Any]], what: str) -> Split:
    """Center and scale all parts by the training part's statistics; a constant is only centered.

    Parameters
    ----------
    parts : dict of str to ndarray of shape (n_images, n_columns)
        "train", "test" and maybe "validation".
    what : str
        Their name in errors.

    Returns
    -------
    Split
        In float32 where the training part is, else in float64; in rows, so that sums are the same
        wherever they are taken.
    """
    dtype = np.float32 if parts["train"].dtype == np.float32 else np.float64
    checked = {
        part: check_array(array, dtype=dtype, order="C", input_name=f"{part} {what}")
        for part, array in parts.items()
    }
    scaler = StandardScaler().fit(checked["train"])
    scaled = {part: scaler.transform(array) for part, array in checked.items()}
    return Split(scaled["train"], scaled.get("validation"), scaled["test"])
