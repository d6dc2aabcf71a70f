"""Blocks of work in parallel: the one place that knows joblib and BLAS threads."""

import functools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import ThreadingBackend, get_active_backend
from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

QUICK = 10**9  # multiplications that one BLAS thread does in no time

_lock = threading.Lock()
_n_inside = 0
_limiter: Any = None


@functools.cache
def _controller() -> ThreadpoolController:
    """Finding the libraries costs milliseconds, so that is done once."""
    return ThreadpoolController()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread while anybody is inside.

    Yields
    ------
    None
        Nothing.

    Notes
    -----
    The limit is global to the process: the first to enter sets it and the last to leave lifts it,
    for limits that overlap would restore each other's.
    """
    global _limiter, _n_inside
    with _lock:
        if _n_inside == 0:
            _limiter = _in_own_thread(lambda: _controller().limit(limits=1, user_api="blas"))
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0:
                _in_own_thread(_limiter.restore_original_limits)


def _in_own_thread(function: Callable[[], Result]) -> Result:
    """Call in a thread that ends at once.

    threadpoolctl heeds only the first thread that sets a limit, for as long as it lives, and the
    thread that lifts ours need not be the one that set it.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(function).result()


def quick_products(
    n_samples: int, n_features: int, n_jobs: int | None
) -> AbstractContextManager[None]:
    """Hold BLAS to one thread for products with the features, where those take no time.

    The threads that BLAS wakes for them would go on spinning, beside our own.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of the features.
    n_jobs : int or None
        Number of threads over blocks of targets.

    Returns
    -------
    context manager
        Which holds the limit, or does nothing.
    """
    quick = n_features * n_samples * n_features <= QUICK
    return single_threaded_blas() if quick and effective_n_jobs(n_jobs) > 1 else nullcontext()


def map_blocks(
    function: Callable[[Item], Result], blocks: Sequence[Item], n_jobs: int | None
) -> Generator[Result, None, None]:
    """Results of ``function`` for every block, in order, as they come.

    Parameters
    ----------
    function : callable
        Called with one block; must release the GIL to gain from threads.
    blocks : sequence
        Its arguments.
    n_jobs : int or None
        As everywhere in scikit-learn; None is 1 unless in a ``joblib.parallel_config``.

    Yields
    ------
    result
        What ``function`` returned.

    Notes
    -----
    Close the generator when done early: BLAS is held to one thread while it is open.
    """
    n_workers = min(effective_n_jobs(n_jobs), len(blocks))
    if n_workers == 1:
        yield from map(function, blocks)
        return
    backend, _ = get_active_backend(prefer="threads")
    if not isinstance(backend, ThreadingBackend):  # the user's choice: processes, a cluster
        yield from Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(function)(block) for block in blocks
        )
        return
    with single_threaded_blas():
        yield from _map_in_threads(function, blocks, n_workers)


def _map_in_threads(
    function: Callable[[Item], Result], blocks: Sequence[Item], n_workers: int
) -> Generator[Result, None, None]:
    """What joblib's threads would do; but joblib looks for results every 10 ms only."""
    pool = ThreadPoolExecutor(n_workers)
    try:
        running: deque[Future[Result]] = deque()
        for block in blocks:
            if len(running) == 2 * n_workers:  # results wait in memory until they are asked for
                yield running.popleft().result()
            running.append(pool.submit(function, block))
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
