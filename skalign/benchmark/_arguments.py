"""Checks of what a benchmark is given, before any work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from skalign.benchmark._inputs import ModelFeatures, RegionResponses


def check_arguments(
    models: Sequence[Any], regions: Sequence[Any], encoders: Any, units: Any, categories: Any
) -> None:
    """Raise where a run could not record what is wrong in the cells that it concerns."""
    _check_records(models, "models", ModelFeatures)
    _check_records(regions, "regions", RegionResponses)
    _check_text("names of models", [model.name for model in models])
    _check_text("names of regions", [region.name for region in regions])
    _check_subjects([region.subject for region in regions])
    _check_names("models", [model.name for model in models])
    _check_names("regions", [(str(region.subject), region.name) for region in regions])
    _check_named(encoders, "encoders", "fit", "an estimator")
    _check_named(units, "units", "get_support", "a SelectiveUnitLocalizer or None")
    localized = [name for name, selector in units.items() if selector is not None]
    if localized and categories is None:
        raise ValueError(
            f"categories must be given, one per localizer image, to localize units {localized}."
        )
    bare = [model.name for model in models if model.localizer is None]
    if localized and bare:
        raise ValueError(
            f"localizer features must be given to localize units {localized}; models {bare} have "
            "none."
        )


def _check_records(records: Sequence[Any], name: str, kind: type) -> None:
    if not records:
        raise ValueError(f"{name} must not be empty.")
    for record in records:
        if not isinstance(record, kind):
            raise TypeError(
                f"{name} must be {kind.__name__} records, got a {type(record).__name__}."
            )


def _check_text(what: str, names: Iterable[Any]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{what} must be str, got {name!r}, a {type(name).__name__}.")


def _check_subjects(subjects: Iterable[Any]) -> None:
    for subject in subjects:
        if not isinstance(subject, str | Integral):
            raise TypeError(
                "subject of regions must be a str or an int, got "
                f"{subject!r}, a {type(subject).__name__}."
            )


def _check_names(name: str, keys: list[Any]) -> None:
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"{name} must have names of their own, got {repeated} more than once.")


def _check_named(items: Any, name: str, method: str, what: str) -> None:
    if not isinstance(items, Mapping):
        raise TypeError(f"{name} must be a dict from names on, got a {type(items).__name__}.")
    if not items:
        raise ValueError(f"{name} must not be empty.")
    _check_text(f"names in {name}", items)
    for key, item in items.items():
        is_estimator = hasattr(item, method) and hasattr(item, "get_params")
        if isinstance(item, type) or not (is_estimator or (item is None and "None" in what)):
            raise TypeError(f"{name}[{key!r}] must be {what}, got {item!r}.")
