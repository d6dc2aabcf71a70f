"""What is compared: features of models, responses of regions; and checks of what a run is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from skalign.metrics import linear_model_of


@dataclass(frozen=True, eq=False)
class ModelFeatures:
    """Responses of a model's units to the images of a benchmark.

    Every part is an array of shape (n_images, n_units), the path of a ``.npy`` file, which is
    memory-mapped, or a callable without arguments that returns one of these. If a model has several
    layers, every part is a dict with names of layers as keys and such values, or a callable that
    returns the dict. All parts have the same layers.

    Parameters
    ----------
    name : str
        Name of the model.
    train : array, path, callable, or dict of these
        Features of the training images.
    test : array, path, callable, or dict of these
        Features of the test images.
    localizer : array, path, callable, or dict of these, default=None
        Features of the localizer images. Required if units are localized.
    validation : array, path, callable, or dict of these, default=None
        Features of the validation images.
    key : str, default=None
        Text that stands for the content of the features, such as a version of the model and of the
        images. The store compares the key, so that a model with all its cells in the store is not
        loaded. The store also compares which parts are given, and the names of layers in dicts. It
        cannot see which layers a callable returns: change the key with them. If None, the store
        compares the features, and loads them to do so.

    See Also
    --------
    run_benchmark : Fits encoders from the features to the responses of regions.

    Examples
    --------
    Two layers from files, which are read when a worker needs them.

    >>> from skalign.benchmark import ModelFeatures
    >>> model = ModelFeatures(
    ...     "alexnet",
    ...     train={"fc6": "alexnet/fc6_train.npy", "fc7": "alexnet/fc7_train.npy"},
    ...     test={"fc6": "alexnet/fc6_test.npy", "fc7": "alexnet/fc7_test.npy"},
    ...     key="weights of 2024-05, images v2",
    ... )
    >>> sorted(model.train)
    ['fc6', 'fc7']
    """

    name: str
    train: Any
    test: Any
    localizer: Any = None
    validation: Any = None
    key: str | None = None


@dataclass(frozen=True, eq=False)
class RegionResponses:
    """Responses of a region's voxels in one subject.

    Every part is an array or a data frame of shape (n_images, n_targets), an array of shape
    (n_images,) for a single target, the path of a ``.npy`` file, which is memory-mapped, or a
    callable without arguments that returns one of these. Data frames must have the same columns in
    the same order in all parts.

    Parameters
    ----------
    subject : str or int
        The subject. The table has it as text, so that 1 and "1" are the same subject.
    name : str
        Name of the region.
    train : array, path or callable
        Responses to the training images.
    test : array, path or callable
        Responses to the test images.
    validation : array, path or callable, default=None
        Responses to the validation images.
    ceiling : NoiseCeiling, array, path or callable, default=None
        Noise ceiling of every voxel: a :class:`~skalign.metrics.NoiseCeiling` of unit "r", or an
        array of shape (n_targets,) in units of r, from 0 to 1, with NaN for a voxel without a
        ceiling. The table has the mean over the voxels that have a ceiling.
    train_images : array-like of shape (n_train_images,), default=None
        Rows of the models' training features that belong to the rows of `train`: the images that
        this subject saw. If None, features and responses have the same rows.
    validation_images, test_images : array-like, default=None
        The same for the other parts.

    See Also
    --------
    run_benchmark : Fits encoders from the features of models to the responses.

    Examples
    --------
    A subject who saw the images 0 and 2 of three training images, and both test images.

    >>> import numpy as np
    >>> from skalign.benchmark import RegionResponses
    >>> region = RegionResponses(
    ...     "subj01",
    ...     "FFA",
    ...     train=np.array([[0.3, 1.2], [0.1, -0.4]]),
    ...     test=np.array([[0.8, 0.9], [-0.2, 0.5]]),
    ...     train_images=[0, 2],
    ... )
    >>> region.train.shape
    (2, 2)
    """

    subject: str | int
    name: str
    train: Any
    test: Any
    validation: Any = None
    ceiling: Any = None
    train_images: Any = None
    validation_images: Any = None
    test_images: Any = None


def record_list(records: Iterable[Any], name: str) -> list[Any]:
    """List the records, and refuse one that comes alone."""
    if isinstance(records, ModelFeatures | RegionResponses):
        raise TypeError(
            f"{name} must be a list of records; got a single "
            f"{type(records).__name__}. Use [record]."
        )
    return list(records)


def check_arguments(
    models: Sequence[Any], regions: Sequence[Any], encoders: Any, units: Any, categories: Any
) -> None:
    """Raise where a run could not record what is wrong in the cells that it concerns."""
    _check_records(models, "models", ModelFeatures)
    _check_records(regions, "regions", RegionResponses)
    _check_text("names of models", [model.name for model in models])
    _check_text("names of regions", [region.name for region in regions])
    _check_subjects([region.subject for region in regions])
    _check_unique("names of models", [model.name for model in models])
    _check_unique(
        "subjects and names of regions", [(str(region.subject), region.name) for region in regions]
    )
    _check_named(encoders, "encoders", "fit", "an estimator")
    for name, encoder in encoders.items():
        try:
            linear_model_of(encoder)
        except TypeError as error:
            raise TypeError(f"encoders[{name!r}] must have a linear map inside: {error}") from error
    selectors = _mapping(units, "units")
    localized = {name: selector for name, selector in selectors.items() if selector is not None}
    _check_text("names in units", selectors)
    if localized:
        _check_named(localized, "units", "get_support", "a SelectiveUnitLocalizer or None")
    if localized and categories is None:
        raise ValueError(
            f"categories must have one entry per localizer image to localize units "
            f"{list(localized)}; got None."
        )
    bare = [model.name for model in models if model.localizer is None]
    if localized and bare:
        raise ValueError(
            f"localizer features must be given to localize units {list(localized)}; got None for "
            f"models {bare}. Set ModelFeatures(..., localizer=...)."
        )


def _check_records(records: Sequence[Any], name: str, kind: type) -> None:
    if not records:
        raise ValueError(f"{name} must have at least one record; got none.")
    for record in records:
        if not isinstance(record, kind):
            raise TypeError(
                f"{name} must be {kind.__name__} records; got a {type(record).__name__}."
            )


def _check_text(what: str, names: Iterable[Any]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{what} must be str; got {name!r}, a {type(name).__name__}.")


def _check_subjects(subjects: Iterable[Any]) -> None:
    for subject in subjects:
        if not isinstance(subject, str | Integral):
            raise TypeError(
                "subject of regions must be a str or an int; got "
                f"{subject!r}, a {type(subject).__name__}."
            )


def _check_unique(what: str, keys: Iterable[Any]) -> None:
    if repeated := sorted(key for key, count in Counter(keys).items() if count > 1):
        raise ValueError(f"{what} must be unique; got {repeated} more than once.")


def _mapping(items: Any, name: str) -> Mapping[Any, Any]:
    if not isinstance(items, Mapping):
        raise TypeError(f"{name} must be a dict with names as keys; got a {type(items).__name__}.")
    if not items:
        raise ValueError(f"{name} must have at least one entry; got an empty dict.")
    return items


def _check_named(items: Any, name: str, method: str, what: str) -> None:
    _check_text(f"names in {name}", _mapping(items, name))
    for key, item in items.items():
        is_estimator = hasattr(item, method) and hasattr(item, "get_params")
        if isinstance(item, type) or not is_estimator:
            raise TypeError(f"{name}[{key!r}] must be {what}; got {item!r}.")
