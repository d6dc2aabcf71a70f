"""Worker threads that compute blocks, and how interrupts reach them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import get_ident, local
from typing import Any, Generic, Protocol, TypeVar

from skalign.utils._start_thread import start_thread
from skalign.utils._steps import compute_steps

Item = TypeVar("Item")
Result = TypeVar("Result")
Found = TypeVar("Found")
Outcome = SimpleQueue[tuple[Any, BaseException | None]]  # one result or error

SECONDS_DEAF = 0.5  # where a waiting thread hears no interrupt (Windows), it waits no longer

_of_this_thread = local()  # `crew`: those that it works with, if any


class Crew(Protocol):
    """Workers that compute the blocks of one call."""

    @property
    def dismissed(self) -> bool:
        """Whether nobody waits for their results any more."""

    @property
    def outer(self) -> Crew | None:
        """The crew that the call was made in."""


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
    crew = _own_crew()
    while crew is not None:
        if crew.dismissed:
            raise CancelledError
        crew = crew.outer


def _own_crew() -> Crew | None:
    return getattr(_of_this_thread, "crew", None)


@contextmanager
def working_for(crew: Crew) -> Iterator[None]:
    """Have :func:`check_interrupt` ask this crew, in this thread."""
    before = _own_crew()
    _of_this_thread.crew = crew
    try:
        yield
    finally:
        _of_this_thread.crew = before


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
    result, error = _get(outcome)
    if error is not None:
        raise error
    found: Result = result
    return found


class Workers(Generic[Item, Result]):
    """Threads that compute the blocks of one call.

    What joblib's threads would do; but joblib looks for results every 10 ms only, and its threads,
    like those of ``concurrent.futures``, are handed work through Python code that an interrupt can
    break. Here the calling thread does nothing but put into queues and wait for them.
    """

    def __init__(self, function: Callable[[Item], Any], n_workers: int, n_steps: int = 1) -> None:
        self.function, self.n_workers, self.n_steps = function, n_workers, n_steps
        self.outer = _own_crew()
        self.dismissed = False
        self.tasks: SimpleQueue[_Task[Item] | None] = SimpleQueue()
        self.events: SimpleQueue[_Task[Item]] = SimpleQueue()  # of each step and result
        self.present: set[int] = set()  # idents of threads
        self.gone: SimpleQueue[None] = SimpleQueue()

    def map(self, blocks: Sequence[Item]) -> Generator[Result | None, None, None]:
        """Results in order; at most two a worker wait in memory until they are asked for.

        Before a result, None comes for every step of its block but the last.
        """
        for _ in range(self.n_workers):
            start_thread(self.work)
        running: deque[_Task[Item]] = deque()
        for block in blocks:
            if len(running) == 2 * self.n_workers:
                yield from self.until_done(running.popleft())
            running.append(_Task(block))
            self.tasks.put(running[-1])
        while running:
            yield from self.until_done(running.popleft())

    def until_done(self, task: _Task[Item]) -> Generator[Result | None, None, None]:
        """Wait for the result of a task; pass on the steps of all tasks meanwhile."""
        while task.outcome is None:
            stepped = _get(self.events)
            if stepped.n_noted < min(stepped.n_done, self.n_steps - 1):
                stepped.n_noted += 1
                yield None
        result, error = task.outcome
        if error is not None:
            raise error
        yield from [None] * (self.n_steps - 1 - task.n_noted)
        task.n_noted = self.n_steps
        yield result

    def work(self) -> None:
        """Compute blocks until dismissed."""
        self.present.add(get_ident())
        _of_this_thread.crew = self
        try:
            while (task := self.tasks.get()) is not None and not self.dismissed:
                self.compute(task)
                self.events.put(task)
        finally:
            self.present.discard(get_ident())
            self.gone.put(None)

    def compute(self, task: _Task[Item]) -> None:
        """Note the result of a block, or what it raised."""

        def on_step() -> None:
            task.n_done += 1
            self.events.put(task)

        try:
            task.outcome = compute_steps(self.function, task.block, on_step), None
        except BaseException as error:
            task.outcome = None, error

    def dismiss(self) -> None:
        """End what is going on, and wait until all have left; may be repeated."""
        self.dismissed = True
        for _ in range(self.n_workers):
            self.tasks.put(None)
        while self.present:
            with suppress(Empty):
                self.gone.get(timeout=SECONDS_DEAF)


class _Task(Generic[Item]):
    """A block on its way through a worker."""

    def __init__(self, block: Item) -> None:
        self.block = block
        self.n_done = self.n_noted = 0  # steps: taken, and told to the caller
        self.outcome: tuple[Any, BaseException | None] | None = None


def _get(queue: SimpleQueue[Found]) -> Found:
    """Wait for what comes next, and hear interrupts meanwhile."""
    while True:
        with suppress(Empty):
            return queue.get(timeout=SECONDS_DEAF)
        check_interrupt()
