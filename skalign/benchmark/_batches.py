"""Work for one process: cells of one region, fitted and stored one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from skalign.benchmark._cells import FeaturesOfLayers, Problem, fit_cell
from skalign.benchmark._inputs import RegionResponses
from skalign.benchmark._responses import read_responses
from skalign.benchmark._rows import Cell, Outcome, make_row
from skalign.benchmark._store import Store
from skalign.utils import single_threaded_blas

Keys = Mapping[Cell, str | None]  # None: what the cell depends on cannot be read


@dataclass(frozen=True, eq=False)
class Settings:
    """What all cells share."""

    encoders: Mapping[str, Any]
    layer_cv: Any
    store: Store

    def failed(self, keys: Keys, error: Exception) -> Iterator[Outcome]:
        """Record cells that cannot be computed; the next run tries them again."""
        for cell, key in keys.items():
            rows = [make_row(cell, self.encoders[cell.encoder], error=error)]
            self.store.write(key, rows)
            yield Outcome(cell, rows)


@dataclass(frozen=True, eq=False)
class Batch:
    """Cells of one region, with their features by group of units."""

    settings: Settings
    region: RegionResponses
    keys: Keys
    features: Mapping[str, FeaturesOfLayers]

    def split(self) -> Iterator[Batch]:
        """Give every cell on its own, to be sent to a worker."""
        for cell, key in self.keys.items():
            features = {cell.units: self.features[cell.units]}
            yield Batch(self.settings, self.region, {cell: key}, features)

    def run(self) -> Iterator[Outcome]:
        """Fit all cells; each is stored as soon as it is finished."""
        settings = self.settings
        try:
            responses, ceiling = read_responses(self.region)
        except Exception as error:  # recorded in the region's cells
            yield from settings.failed(self.keys, error)
            return
        with single_threaded_blas():  # cells are parallel, and the same wherever they run
            for cell, key in self.keys.items():
                encoder = settings.encoders[cell.encoder]
                problem = Problem(cell, encoder, responses, ceiling, settings.layer_cv)
                rows = fit_cell(problem, self.features[cell.units])
                settings.store.write(key, rows)
                yield Outcome(cell, rows)
