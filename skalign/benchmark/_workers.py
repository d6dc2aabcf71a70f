"""Who computes: this process, or the workers that joblib has."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from typing import Any

from joblib import effective_n_jobs

from skalign.benchmark._inputs import ModelFeatures
from skalign.benchmark._plan import FingerprintedModel, Plan, RegionCells
from skalign.benchmark._rows import Cell, FinishedCell
from skalign.utils import map_unordered


class CellRunner:
    """Computes the cells of a plan, and gives each when it is finished.

    Parameters
    ----------
    plan : Plan
        What is to be computed.
    n_jobs : int or None
        Number of workers.

    Attributes
    ----------
    lost : list of Exception
        Why workers gave back less than they were sent: one was killed, or what it was sent cannot
        be pickled. The cells that are missing then are those that no generator gave.
    """

    def __init__(self, plan: Plan, n_jobs: int | None) -> None:
        self.plan = plan
        self.n_jobs = n_jobs
        self.lost: list[Exception] = []

    def run(self, models: list[ModelFeatures]) -> Generator[FinishedCell, None, None]:
        """Compute all cells of all models: workers share models, or the cells of one at a time."""
        n_workers = effective_n_jobs(self.n_jobs)
        if n_workers == 1:
            for model in models:
                yield from _run_model(self.plan, model)
        elif len(models) >= n_workers:
            yield from self._share_models(models)
        else:
            for model in models:
                yield from self._share_cells(model)

    def _share_models(self, models: list[ModelFeatures]) -> Iterator[FinishedCell]:
        """Give every worker a model at a time; if one is lost, share the cells of what is left.

        So one model that kills its worker, as by its size, does not keep others from the table.
        """
        returned = set()
        for finished in self._in_workers(partial(_run_whole_model, self.plan), models):
            returned.add(finished.cell.model)
            yield finished
        if len(returned) < len(models):
            self.plan.settings.store.look_again()
            for model in models:
                if model.name not in returned:
                    yield from self._share_cells(model)

    def _share_cells(self, model: ModelFeatures) -> Iterator[FinishedCell]:
        fingerprinted = FingerprintedModel.of(model, self.plan.settings.store)
        yield from (stored := self.plan.stored(fingerprinted))
        for regions in self.plan.left(fingerprinted, {finished.cell for finished in stored}):
            cells = [(k, cell) for k, region in enumerate(regions) for cell in region.cells]
            yield from self._in_workers(partial(_run_cell, regions), cells)

    def _in_workers(
        self, function: Callable[[Any], list[FinishedCell]], items: Sequence[Any]
    ) -> Iterator[FinishedCell]:
        """Call a function with every item, and give what it gives."""
        try:
            with closing(map_unordered(function, items, self.n_jobs)) as results:
                yield from chain.from_iterable(results)
        except Exception as error:  # what others have finished is not lost for it
            self.lost.append(error)


def _run_model(plan: Plan, model: ModelFeatures) -> Iterator[FinishedCell]:
    fingerprinted = FingerprintedModel.of(model, plan.settings.store)
    yield from (stored := plan.stored(fingerprinted))
    for regions in plan.left(fingerprinted, {finished.cell for finished in stored}):
        for region in regions:
            yield from region.run()


def _run_whole_model(plan: Plan, model: ModelFeatures) -> list[FinishedCell]:
    return list(_run_model(plan, model))


def _run_cell(regions: list[RegionCells], item: tuple[int, Cell]) -> list[FinishedCell]:
    number, cell = item
    return list(regions[number].only(cell).run())
