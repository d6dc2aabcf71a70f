"""The plan of a benchmark: its cells, which of them the store has, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from skalign.benchmark._batches import Batch, Settings
from skalign.benchmark._digest import digest, versions
from skalign.benchmark._features import (
    Layers,
    localize,
    read_features,
    standardize_layers,
    stated_layers,
)
from skalign.benchmark._inputs import ModelFeatures, RegionResponses
from skalign.benchmark._responses import IMAGES, call_sources, region_content
from skalign.benchmark._rows import Cell, Failure, Outcome
from skalign.benchmark._store import Store
from skalign.utils import single_threaded_blas


@dataclass(frozen=True, eq=False)
class Region:
    """A region, and fingerprints of all of it and of the images its subject saw, or an error."""

    responses: RegionResponses
    content: str = ""
    images: str = ""
    error: Failure | None = None

    @classmethod
    def find(cls, responses: RegionResponses, store: Store) -> Region:
        """Call its callables, once for all models, and take its fingerprints."""
        try:
            responses = call_sources(responses)
            content = region_content(responses)
            return cls(responses, store.digest(*content), digest(*content[-len(IMAGES) :]))
        except Exception as error:  # recorded in the region's cells
            return cls(responses, error=Failure.of(error))


@dataclass(frozen=True, eq=False)
class Plan:
    """All cells of a benchmark, and fingerprints of what these depend on beside models."""

    settings: Settings
    regions: list[Region]
    units: Mapping[str, Any]
    categories: Any
    contents: Mapping[str, Mapping[str, str]]

    @classmethod
    def make(
        cls,
        settings: Settings,
        regions: list[RegionResponses],
        units: Mapping[str, Any],
        categories: Any,
    ) -> Plan:
        """Read the regions, and take all fingerprints."""
        store = settings.store
        contents = {
            "units": _fingerprints(store, "units", units, categories),
            "encoders": _fingerprints(
                store, "encoders", settings.encoders, versions(), settings.layer_cv
            ),
        }
        found = [Region.find(region, store) for region in regions]
        return cls(settings, found, units, categories, contents)

    def __sizeof__(self) -> int:
        """Bytes with those of the regions: what is large Dask sends to a worker once, not again."""
        sources = [vars(region.responses).values() for region in self.regions]
        arrays = (getattr(source, "nbytes", 0) for source in chain.from_iterable(sources))
        return super().__sizeof__() + sum(arrays)

    def cells(self, model: str, region: Region) -> list[Cell]:
        """All cells of a model and a region."""
        subject, name = str(region.responses.subject), region.responses.name
        return [
            Cell(model, units, subject, name, encoder)
            for units in self.units
            for encoder in self.settings.encoders
        ]

    def prepare(self, model: ModelFeatures) -> Iterator[list[Outcome] | list[Batch]]:
        """Find what is left to do of a model, and make its features ready.

        Parameters
        ----------
        model : ModelFeatures
            Read here, and localized where the store does not have all cells.

        Yields
        ------
        list of Outcome, or list of Batch
            First the cells that are known, from the store or to fail. Then batches, for the regions
            of one set of images at a time: their features are in memory until the next.
        """
        store = self.settings.store
        layers, content, failure = None, "", None
        try:
            if model.key is None:
                layers = read_features(model)
                content = store.digest(*_flat(layers))
            else:
                content = store.digest(model.key, stated_layers(model))
        except Exception as error:  # recorded in the model's cells
            failure = Failure.of(error)
        known: list[Outcome] = []
        left: dict[Region, dict[Cell, str | None]] = {}
        for region in self.regions:
            cells = self.cells(model.name, region)
            if (why := failure or region.error) is not None:
                known += self.settings.failed(dict.fromkeys(cells), why)
                continue
            for cell in cells:
                key = self._key(cell, content, region.content)
                if (rows := store.read(key)) is not None:
                    known.append(Outcome(cell, rows))
                else:
                    left.setdefault(region, {})[cell] = key
        yield known
        if not left:
            return
        try:
            layers = read_features(model) if layers is None else layers
        except Exception as error:  # recorded in the model's cells
            for keys in left.values():
                yield list(self.settings.failed(keys, error))
            return
        yield from self._batches(layers, left)

    def _key(self, cell: Cell, model: str, region: str) -> str:
        units, encoder = self.contents["units"][cell.units], self.contents["encoders"][cell.encoder]
        return self.settings.store.digest(*cell, model, region, units, encoder)

    def _batches(
        self, layers: Layers, left: Mapping[Region, Mapping[Cell, str | None]]
    ) -> Iterator[list[Batch]]:
        wanted = {cell.units for keys in left.values() for cell in keys}
        with single_threaded_blas():
            support = {name: localize(layers, self.units[name], self.categories) for name in wanted}
        of_images: dict[str, list[Region]] = {}
        for region in left:
            of_images.setdefault(region.images, []).append(region)
        for regions in of_images.values():
            wanted = {cell.units for region in regions for cell in left[region]}
            features = {
                name: standardize_layers(layers, support[name], regions[0].responses)
                for name in wanted
            }
            yield [
                Batch(self.settings, region.responses, left[region], features) for region in regions
            ]


def _flat(layers: Layers) -> Iterator[Any]:
    for part, arrays in layers.items():
        for layer, array in arrays.items():
            yield from (part, layer, array)


def _fingerprints(
    store: Store, name: str, items: Mapping[str, Any], *beside: Any
) -> dict[str, str]:
    found = {}
    for item, content in items.items():
        try:
            found[item] = store.digest(content, *beside)
        except Exception as error:  # a user's object may fail to pickle in any way
            raise TypeError(
                f"{name}[{item!r}] must be picklable for a store to compare it: {error} Define "
                "functions at the top of a module, or set store=None."
            ) from error
    return found
