"""Blocks of work in parallel: the one place that chooses threads, processes or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from numbers import Integral
from typing import Any, TypeVar

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import ThreadingBackend, get_active_backend

from skalign.utils._blas_threads import single_threaded_blas
from skalign.utils._cluster import ATTEMPTS, ClusterBlocks, client_of, compute, in_dask_task
from skalign.utils._steps import steps_of
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
    results: Any = _map(function, blocks, n_jobs, take, 1)
    with closing(results):
        yield from results


def map_steps(
    function: Callable[[Any], Iterator[Result | None]],
    blocks: Sequence[Block],
    n_jobs: int | None,
    *,
    take: Callable[[Block], Any] | None = None,
    n_steps: int,
) -> Generator[Result | None, None, None]:
    """Results of blocks that take several steps each: None for a step, results in order.

    Parameters
    ----------
    function : callable
        Called with what belongs to one block; yields None after each step but the last, and then
        the result.
    blocks : sequence
        The blocks.
    n_jobs : int or None
        As for :func:`map_blocks`.
    take : callable, default=None
        As for :func:`map_blocks`.
    n_steps : int
        Number of steps of every block.

    Yields
    ------
    result or None
        ``n_steps`` times a block: its result once, and before it None for its other steps.

    Notes
    -----
    Steps are told as they are taken by threads, and within half a second by a Dask cluster; those
    of other processes come with the result.
    """
    results = _map(function, blocks, n_jobs, take, n_steps)
    with closing(results):
        yield from results


def _map(
    function: Callable[[Any], Any],
    blocks: Sequence[Block],
    n_jobs: int | None,
    take: Callable[[Block], Any] | None,
    n_steps: int,
) -> Generator[Any, None, None]:
    if not (n_jobs is None or isinstance(n_jobs, Integral)):
        raise TypeError(f"n_jobs must be an integer or None; got {n_jobs!r}.")
    n_workers = min(effective_n_jobs(n_jobs), len(blocks))
    backend, _ = get_active_backend(prefer="threads")
    client = _client(len(blocks), n_jobs)
    items = blocks if take is None else map(take, blocks)
    if n_workers == 1 or (client_of(backend) is not None and client is None):
        for item in items:
            yield from steps_of(function, item)
    elif client is not None:
        yield from ClusterBlocks(client, function, n_workers, n_steps).map(items)
    elif not isinstance(backend, ThreadingBackend):
        for result in _in_processes(function, blocks, n_jobs, take):
            yield from [None] * (n_steps - 1)
            yield result
    else:
        own = function if take is None else lambda block: function(take(block))
        limit = single_threaded_blas()
        workers: Workers[Block, Any] = Workers(own, n_workers, n_steps)
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


def on_cluster(n_blocks: int, n_jobs: int | None) -> bool:
    """Whether :func:`map_blocks` would send blocks to a Dask cluster.

    What is made in less time than it takes to send is then made there.

    Parameters
    ----------
    n_blocks : int
        Number of blocks; a single one is computed here.
    n_jobs : int or None
        As given to :func:`map_blocks`.

    Returns
    -------
    bool
        False within a task of a Dask worker, too, which computes blocks itself.
    """
    return _client(n_blocks, n_jobs) is not None


def _client(n_blocks: int, n_jobs: int | None) -> Any:
    """The Dask client that gets the blocks, if any."""
    backend, _ = get_active_backend(prefer="threads")
    client = client_of(backend)
    is_alone = client is None or in_dask_task() or min(effective_n_jobs(n_jobs), n_blocks) == 1
    return None if is_alone else client


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
    function: Callable[[Any], Any],
    blocks: Sequence[Block],
    n_jobs: int | None,
    take: Callable[[Block], Any] | None,
) -> Generator[Any, None, None]:
    """Results in order; joblib maps large arrays of the function into the memory of workers."""
    n_done = n_deaths = 0
    while n_done < len(blocks):
        left = blocks[n_done:]
        items = left if take is None else map(take, left)
        parallel: Any = Parallel(n_jobs=n_jobs, return_as="generator")
        try:
            tasks = (delayed(compute)(function, item) for item in items)
            with closing(parallel(tasks)) as results:
                for result in results:
                    yield result
                    n_done += 1
        except BrokenProcessPool:
            n_deaths += 1
            if n_deaths == ATTEMPTS:
                raise
