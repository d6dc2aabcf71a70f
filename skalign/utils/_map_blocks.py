"""Blocks of work in parallel: the one place that chooses threads, processes or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from numbers import Integral
from typing import Any, TypeVar

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import ThreadingBackend, get_active_backend

from skalign.utils._blas_threads import single_threaded_blas
from skalign.utils._cluster import ATTEMPTS, ClusterBlocks, client_of, compute, in_dask_task
from skalign.utils._threads import Workers

Block = TypeVar("Block")
Result = TypeVar("Result")


def map_blocks(
    function: Callable[[Any], Result],
    blocks: Sequence[Block],
    n_jobs: int | None,
    *,
    take: Callable[[Block], Any] | None = None,
) -> Generator[Result, None, None]:
    """Results of ``function`` for every block, in order, as they come.

    Parameters
    ----------
    function : callable
        Called with what belongs to one block; must release the GIL to gain from threads, and call
        :func:`check_interrupt` between steps that take long. What all blocks share belongs into
        it, as a ``functools.partial`` does: it is sent to every worker once, as long as Dask keeps
        it there.
    blocks : sequence
        The blocks.
    n_jobs : int or None
        As everywhere in scikit-learn; None is 1 unless in a ``joblib.parallel_config``.
    take : callable, default=None
        Called with one block, always in this process; what it gives, such as the block's targets,
        goes to a worker alone. None gives the block itself.

    Yields
    ------
    result
        What ``function`` returned.

    Raises
    ------
    BrokenProcessPool
        If processes die again and again.

    Notes
    -----
    Blocks are computed by threads, or by the processes or the Dask cluster that a
    ``joblib.parallel_config`` names; in a task of a Dask worker, by that task. The blocks of a
    process that dies are computed again.

    Close the generator when done early: BLAS is held to one thread while it is open. Closing it,
    like an error or an interrupt, ends the blocks in flight at their next step.
    """
    if not (n_jobs is None or isinstance(n_jobs, Integral)):
        raise TypeError(f"n_jobs must be an integer or None; got {n_jobs!r}.")
    n_workers = min(effective_n_jobs(n_jobs), len(blocks))
    backend, _ = get_active_backend(prefer="threads")
    client = client_of(backend)
    items = blocks if take is None else map(take, blocks)
    if n_workers == 1 or (client is not None and in_dask_task()):
        yield from map(function, items)
    elif client is not None:
        yield from ClusterBlocks(client, function, n_workers).map(items)
    elif not isinstance(backend, ThreadingBackend):
        yield from _in_processes(function, blocks, n_jobs, take)
    else:
        own = function if take is None else lambda block: function(take(block))
        limit, workers = single_threaded_blas(), Workers(own, n_workers)
        try:
            limit.__enter__()
            yield from workers.map(blocks)
        finally:
            try:
                workers.dismiss()
                limit.__exit__(None, None, None)
            finally:  # an interrupt may have cut that short
                workers.dismiss()
                limit.__exit__(None, None, None)


def map_unordered(
    function: Callable[[Any], Result], items: Sequence[Any], n_jobs: int | None
) -> Generator[Result, None, None]:
    """Results of ``function`` for every item, each as soon as it is there.

    Parameters
    ----------
    function : callable
        Called with one item, in a worker of joblib's active backend, where nothing else is
        parallel. What all items share belongs into it: a Dask cluster sends it to a worker once.
    items : sequence
        Its arguments.
    n_jobs : int or None
        Number of workers, as everywhere in scikit-learn.

    Yields
    ------
    result
        What ``function`` returned.
    """
    backend, _ = get_active_backend()
    client = client_of(backend)
    results: Any
    if client is not None and not in_dask_task():
        results = ClusterBlocks(client, function, effective_n_jobs(n_jobs)).map(
            items, in_order=False
        )
    else:
        parallel: Any = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        results = parallel(delayed(compute)(function, item) for item in items)
    with closing(results):
        yield from results


def _in_processes(
    function: Callable[[Any], Result],
    blocks: Sequence[Block],
    n_jobs: int | None,
    take: Callable[[Block], Any] | None,
) -> Generator[Result, None, None]:
    """Results in order; joblib maps large arrays of the function into the memory of workers."""
    n_done = n_deaths = 0
    while n_done < len(blocks):
        left = blocks[n_done:]
        items = left if take is None else map(take, left)
        parallel: Any = Parallel(n_jobs=n_jobs, return_as="generator")
        try:
            with closing(parallel(delayed(compute)(function, item) for item in items)) as results:
                for result in results:
                    yield result
                    n_done += 1
        except BrokenProcessPool:
            n_deaths += 1
            if n_deaths == ATTEMPTS:
                raise
