"""Blocks of work on a Dask cluster: what all blocks share reaches every worker once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from typing import Any, Generic, TypeVar
from uuid import uuid4

from joblib import parallel_config

from skalign.utils._blas_threads import single_threaded_blas
from skalign.utils._heap import kept_heap
from skalign.utils._parcel import Parcel
from skalign.utils._steps import compute_steps, ignore_step
from skalign.utils._threads import SECONDS_DEAF, check_interrupt, working_for

Item = TypeVar("Item")
Result = TypeVar("Result")

ATTEMPTS = 4  # to compute a block whose data are lost with their workers; as many as Dask's own
SCATTERED_BYTES = 10**5  # larger blocks do not pass through the scheduler's graph
STEPS = "skalign steps"  # topic of the events that tell a client of steps

_steps_taken: dict[str, list[int]] = {}  # by the blocks that this process waits for


def client_of(backend: Any) -> Any:
    """Give the Dask client of a joblib backend; None for any other backend."""
    distributed = sys.modules.get("distributed")
    client = getattr(backend, "client", None)
    return client if distributed is not None and isinstance(client, distributed.Client) else None


def in_dask_task() -> bool:
    """Whether this thread computes a task of a Dask worker."""
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True


def compute(
    function: Callable[[Any], Any],
    block: Any,
    on_step: Callable[[], Any] = ignore_step,
) -> Any:
    """Compute a block in a worker, where nothing is parallel any more."""
    limit = single_threaded_blas()
    with parallel_config(backend="sequential"), limit, limit:
        return compute_steps(function, block, on_step)


class ClusterBlocks(Generic[Item, Result]):
    """The blocks of one call, computed by the workers of a Dask cluster.

    The function, with all arrays in it, is sent to one worker, from which every other one gets it
    with its first block. Two blocks for each thread of the cluster are there at a time, and results
    come back in order. Dask computes the blocks of a worker that dies again in another. Data that
    die with the last worker which held them are sent again.

    Parameters
    ----------
    client : distributed.Client
        Connection to the cluster.
    function : callable
        Called with one block; it and its results can be pickled.
    n_workers : int
        Number of threads in the cluster.
    n_steps : int, default=1
        Number of steps of every block: None comes for each but the last.
    """

    def __init__(
        self, client: Any, function: Callable[[Item], Any], n_workers: int, n_steps: int = 1
    ) -> None:
        self.client, self.n_workers, self.n_steps = client, n_workers, n_steps
        name = getattr(getattr(function, "func", function), "__name__", "blocks")
        self.name = name.strip("_<>")
        self.direct = True if _is_local(client) else None
        self.parcel, self.shared = Parcel(function), None
        self.running: list[_SentBlock] = []
        if n_steps > 1:
            client.subscribe_topic(STEPS, _note_step)

    def map(
        self, blocks: Iterable[Item], *, in_order: bool = True
    ) -> Generator[Result | None, None, None]:
        """Results as they come; those of two blocks a thread at most wait in the workers."""
        try:
            for block in blocks:
                if len(self.running) == 2 * self.n_workers:
                    yield from self.next_result(in_order)
                self.running.append(_SentBlock(block, self.submit(block)))
            while self.running:
                yield from self.next_result(in_order)
        finally:
            self.release()

    def submit(self, block: Item) -> Any:
        """Send a block to the cluster, as a future of its result."""
        if self.shared is None or self.shared.status == "cancelled":
            self.shared = self.scatter(self.parcel)
        sent: Any = Parcel(block)
        if sent.n_bytes > SCATTERED_BYTES:
            sent = self.scatter(sent)
        key = f"{self.name}-{uuid4().hex}"
        if self.n_steps > 1:
            _steps_taken[key] = [0]
        return self.client.submit(_compute_in_task, self.shared, sent, key=key)

    def scatter(self, data: Any) -> Any:
        """Send data to a worker, from which others get them; a future."""
        for attempt in range(ATTEMPTS):
            try:
                (sent,) = self.client.scatter([data], direct=self.direct, hash=False)
                break
            except OSError:  # a worker died that the scheduler took to be alive
                if attempt == ATTEMPTS - 1:
                    raise
                sleep(SECONDS_DEAF)
        return sent

    def next_result(self, in_order: bool) -> Generator[Result | None, None, None]:
        """Wait for the oldest block, or for any; pass on the steps of all meanwhile."""
        for attempt in range(ATTEMPTS):
            waited = self.running[:1] if in_order else self.running
            with suppress(CancelledError):  # said again by the future itself
                while not _one_is_done([sent.future for sent in waited]):
                    yield from self.steps()
            done = next(sent for sent in waited if sent.future.status != "pending")
            try:
                result: Result = self.client.gather(done.future, direct=self.direct)
                break
            except CancelledError:  # with a worker, the last copy of its data was lost
                if attempt == ATTEMPTS - 1:
                    raise
                self.forget(done)
                done.future = self.submit(done.block)
        self.running.remove(done)
        self.forget(done)  # coroutines that waited for it may still refer to it
        yield from [None] * (self.n_steps - 1 - done.n_noted)
        yield result

    def steps(self) -> Generator[None, None, None]:
        """None for every step that was taken lately; a block that is repeated repeats none."""
        for sent in self.running:
            (taken,) = _steps_taken.get(sent.future.key, [0])
            taken = min(taken, self.n_steps - 1)
            while sent.n_noted < taken:
                sent.n_noted += 1
                yield None

    def forget(self, sent: _SentBlock) -> None:
        """Give up the future of a block."""
        _steps_taken.pop(sent.future.key, None)
        sent.future.release()

    def release(self) -> None:
        """Give up what is still running."""
        for sent in self.running:
            self.forget(sent)
        self.running.clear()
        if self.shared is not None:
            self.shared.release()


@dataclass(eq=False)
class _SentBlock:
    """A block, the future of its result, and how many of its steps were passed on."""

    block: Any
    future: Any
    n_noted: int = 0


def _is_local(client: Any) -> bool:
    """Whether data can pass the scheduler by; elsewhere, a client may not reach the workers."""
    distributed: Any = sys.modules["distributed"]
    return isinstance(client.cluster, distributed.LocalCluster)


def _one_is_done(futures: list[Any]) -> bool:
    """Wait until one is done, for as long as no interrupt is heard."""
    distributed: Any = sys.modules["distributed"]
    try:
        distributed.wait(futures, timeout=SECONDS_DEAF, return_when="FIRST_COMPLETED")
    except TimeoutError:
        check_interrupt()
        return False
    return True


def _note_step(event: tuple[float, Any]) -> None:
    """Hear of a step from the scheduler, which tells every client."""
    key, number = event[1]
    taken = _steps_taken.get(key)
    if taken is not None:  # heard by every client, and again from a task that is repeated
        taken[0] = max(taken[0], number)


def _compute_in_task(function: Parcel, block: Parcel) -> Any:
    task = _WorkerTask()
    with working_for(task), kept_heap():
        return compute(_compute_parcel, (function, block), task.note_step)


def _compute_parcel(parcels: tuple[Parcel, Parcel]) -> Any:
    function, block = parcels
    return function.open()(block.open())


class _WorkerTask:
    """The task of this thread of a Dask worker, which ends when nobody waits for it any more."""

    outer = None

    def __init__(self) -> None:
        from distributed import get_worker

        self.worker: Any = get_worker()
        self.tasks, self.key = self.worker.state.tasks, self.worker.get_current_task()
        self.n_steps = 0

    @property
    def dismissed(self) -> bool:
        """Whether the client has given the task up."""
        task = self.tasks.get(self.key)
        return task is None or task.state == "cancelled"

    def note_step(self) -> None:
        """Tell the client that one more step is done."""
        self.n_steps += 1
        self.worker.log_event(STEPS, (self.key, self.n_steps))
