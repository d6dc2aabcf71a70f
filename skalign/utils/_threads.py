"""Blocks of work in parallel: the one place that knows joblib and worker threads."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from numbers import Integral
from queue import Empty, SimpleQueue
from threading import get_ident, local
from typing import Any, Generic, TypeVar

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import ThreadingBackend, get_active_backend

from skalign.utils._blas_threads import single_threaded_blas
from skalign.utils._start_thread import start_thread

Item = TypeVar("Item")
Result = TypeVar("Result")
Outcome = SimpleQueue[tuple[Any, BaseException | None]]  # one result or error

SECONDS_DEAF = 0.5  # where a waiting thread hears no interrupt (Windows), it waits no longer

_of_this_thread = local()  # `workers`: those that it belongs to, if any


def check_interrupt() -> None:
    """Give an interrupt the chance to end a long computation.

    Compiled code calls this between steps of about a tenth of a second. In the main thread, Python
    runs pending signal handlers, which raise ``KeyboardInterrupt``. In a worker of
    :func:`map_blocks`, it raises once nobody waits for the results any more.

    Raises
    ------
    CancelledError
        In a worker whose call has ended.
    """
    workers: _Workers[Any, Any] | None = getattr(_of_this_thread, "workers", None)
    while workers is not None:
        if workers.dismissed:
            raise CancelledError
        workers = workers.outer


def call_interruptibly(function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
    """Call compiled code that hears no interrupt, such as one long LAPACK routine.

    It runs in a thread of its own, so that an interrupt ends the waiting at once. The routine
    itself goes on to its end, and its result is dropped.

    Parameters
    ----------
    function : callable
        Which releases the GIL while it computes.
    *args, **kwargs : Any
        Its arguments.

    Returns
    -------
    Any
        What the function returned.
    """
    outcome: Outcome = SimpleQueue()

    def call() -> None:
        try:
            outcome.put((function(*args, **kwargs), None))
        except BaseException as error:
            outcome.put((None, error))

    start_thread(call)
    result: Result = _result(outcome)
    return result


def map_blocks(
    function: Callable[[Item], Result], blocks: Sequence[Item], n_jobs: int | None
) -> Generator[Result, None, None]:
    """Results of ``function`` for every block, in order, as they come.

    Parameters
    ----------
    function : callable
        Called with one block; must release the GIL to gain from threads, and call
        :func:`check_interrupt` between steps that take long.
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
    Close the generator when done early: BLAS is held to one thread while it is open. Closing it,
    like an error or an interrupt, ends the blocks in flight at their next step.
    """
    if not (n_jobs is None or isinstance(n_jobs, Integral)):
        raise TypeError(f"n_jobs must be an integer or None; got {n_jobs!r}.")
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
    limit, workers = single_threaded_blas(), _Workers(function, n_workers)
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


class _Workers(Generic[Item, Result]):
    """Threads that compute the blocks of one call.

    What joblib's threads would do; but joblib looks for results every 10 ms only, and its threads,
    like those of ``concurrent.futures``, are handed work through Python code that an interrupt can
    break. Here the calling thread does nothing but put into queues and wait for them.
    """

    def __init__(self, function: Callable[[Item], Result], n_workers: int) -> None:
        self.function, self.n_workers = function, n_workers
        self.outer: _Workers[Any, Any] | None = getattr(_of_this_thread, "workers", None)
        self.dismissed = False
        self.tasks: SimpleQueue[tuple[Item, Outcome] | None] = SimpleQueue()
        self.present: set[int] = set()  # idents of threads
        self.gone: SimpleQueue[None] = SimpleQueue()

    def map(self, blocks: Sequence[Item]) -> Generator[Result, None, None]:
        """Results in order; at most two a worker wait in memory until they are asked for."""
        for _ in range(self.n_workers):
            start_thread(self.work)
        running: deque[Outcome] = deque()
        for block in blocks:
            if len(running) == 2 * self.n_workers:
                yield _result(running.popleft())
            outcome: Outcome = SimpleQueue()
            self.tasks.put((block, outcome))
            running.append(outcome)
        while running:
            yield _result(running.popleft())

    def work(self) -> None:
        """Compute blocks until dismissed."""
        self.present.add(get_ident())
        _of_this_thread.workers = self
        try:
            while (task := self.tasks.get()) is not None and not self.dismissed:
                block, outcome = task
                outcome.put(self.outcome(block))
        finally:
            self.present.discard(get_ident())
            self.gone.put(None)

    def outcome(self, block: Item) -> tuple[Result | None, BaseException | None]:
        """The result of a block, or what it raised."""
        try:
            return self.function(block), None
        except BaseException as error:
            return None, error

    def dismiss(self) -> None:
        """End what is going on, and wait until all have left; may be repeated."""
        self.dismissed = True
        for _ in range(self.n_workers):
            self.tasks.put(None)
        while self.present:
            with suppress(Empty):
                self.gone.get(timeout=SECONDS_DEAF)


def _result(outcome: Outcome) -> Any:
    while True:
        try:
            result, error = outcome.get(timeout=SECONDS_DEAF)
            break
        except Empty:
            check_interrupt()
    if error is not None:
        raise error
    return result
