"""The plan of a benchmark: its cells, which of them are stored, and what is left to compute."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from skalign.benchmark._cells import CellProblem, fit_cell
from skalign.benchmark._digest import digest, fingerprint, versions
from skalign.benchmark._features import (
    FeaturesOfLayers,
    Layers,
    localize,
    read_features,
    standardize_layers,
    stated_layers,
)
from skalign.benchmark._inputs import ModelFeatures, RegionResponses
from skalign.benchmark._measures import MeasureSettings, RegionMeasures
from skalign.benchmark._rows import COLUMNS, Cell, Failure, FinishedCell, make_row
from skalign.benchmark._store import CellStore
from skalign.benchmark._targets import IMAGES, call_sources, read_responses, region_content
from skalign.utils import single_threaded_blas

Fingerprints = Mapping[Cell, str | None]  # None: what the cell depends on cannot be read


@dataclass(frozen=True, eq=False)
class CellSettings:
    """Encoders, folds, measures and store, which all cells share."""

    encoders: Mapping[str, Any]
    layer_cv: Any
    measures: MeasureSettings
    store: CellStore


@dataclass(frozen=True, eq=False)
class RegionCells:
    """Cells of one region that are left to compute, with what they are computed from.

    Where `features` or the region could not be read, `failure` says why.
    """

    settings: CellSettings
    region: RegionResponses
    cells: Fingerprints
    features: Mapping[str, FeaturesOfLayers]
    failure: Failure | None = None

    def only(self, cell: Cell) -> RegionCells:
        """One of the cells on its own."""
        return replace(self, cells={cell: self.cells[cell]})

    def run(self) -> Iterator[FinishedCell]:
        """Fit all cells, and store each as soon as it is finished.

        Cells that the store has, but not all measures of, are measured only.
        """
        settings, failure = self.settings, self.failure
        measures = RegionMeasures(settings.measures, settings.store)
        try:
            if failure is None:
                responses, ceiling = read_responses(self.region)
        except Exception as error:  # recorded in the region's cells
            failure = Failure.of(error)
        with single_threaded_blas():  # cells are parallel, and the same wherever they run
            for cell, key in self.cells.items():
                encoder = settings.encoders[cell.encoder]
                if failure is not None:  # the next run tries again
                    rows = [make_row(cell, encoder, error=failure)]
                    yield FinishedCell(cell, rows, settings.store.write(key, rows))
                    continue
                problem = CellProblem(cell, encoder, responses, ceiling, settings.layer_cv)
                layers, why = self.features[cell.units], None
                stored = settings.store.read(key) if settings.measures.names else None
                rows = fit_cell(problem, layers) if stored is None else stored
                if stored is None:
                    why = settings.store.write(key, rows)
                measured, failed = measures.of_cell(problem, layers, rows[-1], key)
                yield FinishedCell(cell, [*rows[:-1], rows[-1] | measured], why or failed)


@dataclass(frozen=True, eq=False)
class FingerprintedRegion:
    """A region, and fingerprints of all of it and of the images its subject saw, or an error."""

    responses: RegionResponses
    content: str = ""
    images: str = ""
    failure: Failure | None = None

    @classmethod
    def of(cls, responses: RegionResponses, store: CellStore) -> FingerprintedRegion:
        """Call the region's callables, once for all models, and take its fingerprints."""
        try:
            responses = call_sources(responses)
            content = region_content(responses)
            whole = "" if store.folder is None else digest(*content)
            return cls(responses, whole, digest(*content[-len(IMAGES) :]))
        except Exception as error:  # recorded in the region's cells
            return cls(responses, failure=Failure.of(error))


@dataclass(frozen=True, eq=False)
class FingerprintedModel:
    """A model, and the fingerprint of its features, or why they cannot be read."""

    model: ModelFeatures
    content: str = ""
    read: Layers | None = None
    failure: Failure | None = None

    @classmethod
    def of(cls, model: ModelFeatures, store: CellStore) -> FingerprintedModel:
        """Take the fingerprint: of the model's key, or of its features, which are read for it."""
        try:
            if model.key is not None:
                return cls(model, digest(model.key, stated_layers(model)))
            layers = read_features(model)
            content = "" if store.folder is None else digest(*_flat(layers))
            return cls(model, content, layers)
        except Exception as error:  # recorded in the model's cells
            return cls(model, failure=Failure.of(error))

    @cached_property
    def layers(self) -> Layers:
        """Features of all parts and layers."""
        return read_features(self.model) if self.read is None else self.read


@dataclass(frozen=True, eq=False)
class Plan:
    """All cells of a benchmark, and fingerprints of what these depend on beside models."""

    settings: CellSettings
    regions: list[FingerprintedRegion]
    units: Mapping[str, Any]
    categories: Any
    of_units: Mapping[str, str]
    of_encoders: Mapping[str, str]

    @classmethod
    def make(
        cls,
        settings: CellSettings,
        regions: list[RegionResponses],
        units: Mapping[str, Any],
        categories: Any,
    ) -> Plan:
        """Read the regions, and take all fingerprints."""
        store = settings.store
        of_units = _fingerprints(store, "units", units, categories)
        beside = (versions(), COLUMNS, settings.layer_cv)
        of_encoders = _fingerprints(store, "encoders", settings.encoders, *beside)
        found = [FingerprintedRegion.of(region, store) for region in regions]
        return cls(settings, found, units, categories, of_units, of_encoders)

    def cells(self, model: FingerprintedModel, region: FingerprintedRegion) -> Fingerprints:
        """All cells of a model and a region, with their fingerprints."""
        names = (model.model.name, str(region.responses.subject), region.responses.name)
        is_known = model.failure is None and region.failure is None
        fingerprints: dict[Cell, str | None] = {}
        for units, of_units in self.of_units.items():
            for encoder, of_encoder in self.of_encoders.items():
                cell = Cell(names[0], units, *names[1:], encoder)
                parts = (*cell, model.content, region.content, of_units, of_encoder)
                fingerprints[cell] = fingerprint(*parts) if is_known else None
        return fingerprints

    def stored(self, model: FingerprintedModel) -> list[FinishedCell]:
        """Cells of a model that an earlier run has finished, with all measures."""
        store, found = self.settings.store, []
        for region in self.regions:
            for cell, key in self.cells(model, region).items():
                rows, measured = store.read(key), self.settings.measures.read(store, key)
                if rows is not None and measured is not None:
                    found.append(FinishedCell(cell, [*rows[:-1], rows[-1] | measured]))
        return found

    def left(
        self, model: FingerprintedModel, stored: Collection[Cell]
    ) -> Iterator[list[RegionCells]]:
        """Cells of a model that are left to compute, with the model's features made ready.

        Parameters
        ----------
        model : FingerprintedModel
            Read and localized here if any cell is left.
        stored : collection of Cell
            What need not be computed.

        Yields
        ------
        list of RegionCells
            Cells for the regions of one set of images: their features are in memory until the next
            list is asked for.
        """
        left = {
            region: {
                cell: key for cell, key in self.cells(model, region).items() if cell not in stored
            }
            for region in self.regions
        }
        left = {region: cells for region, cells in left.items() if cells}
        if not left:
            return
        failures = {region: model.failure or region.failure for region in left}
        try:
            if not all(failures.values()):
                _ = model.layers
        except Exception as error:  # recorded in the model's cells
            failures = {region: why or Failure.of(error) for region, why in failures.items()}
        if any(failures.values()):
            yield [
                RegionCells(self.settings, region.responses, left[region], {}, why)
                for region, why in failures.items()
                if why is not None
            ]
        yield from self._with_features(
            model, {region: cells for region, cells in left.items() if failures[region] is None}
        )

    def _with_features(
        self, model: FingerprintedModel, left: Mapping[FingerprintedRegion, Fingerprints]
    ) -> Iterator[list[RegionCells]]:
        units = {cell.units for cells in left.values() for cell in cells}
        with single_threaded_blas():
            support = {
                name: localize(model.layers, self.units[name], self.categories) for name in units
            }
        of_images: dict[str, list[FingerprintedRegion]] = {}
        for region in left:
            of_images.setdefault(region.images, []).append(region)
        for regions in of_images.values():
            units = {cell.units for region in regions for cell in left[region]}
            features = {
                name: standardize_layers(model.layers, support[name], regions[0].responses)
                for name in units
            }
            yield [
                RegionCells(self.settings, region.responses, left[region], features)
                for region in regions
            ]


def _flat(layers: Layers) -> Iterator[Any]:
    for part, arrays in layers.items():
        for layer, array in arrays.items():
            yield from (part, layer, array)


def _fingerprints(
    store: CellStore, name: str, items: Mapping[str, Any], *beside: Any
) -> dict[str, str]:
    """Fingerprints of units or encoders; "" where nothing is stored, and nothing is pickled."""
    found = {}
    for item, content in items.items():
        try:
            found[item] = "" if store.folder is None else digest(content, *beside)
        except Exception as error:  # a user's object may fail to pickle in any way
            raise TypeError(
                f"{name}[{item!r}] must be picklable, so that a store can compare it; got {error} "
                "Define functions at the top of a module, or set store=None."
            ) from error
    return found
