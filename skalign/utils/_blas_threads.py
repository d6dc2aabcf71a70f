"""BLAS held to one thread: a limit for the whole process, shared by all who ask for it."""

import functools
import os
import threading
from contextlib import AbstractContextManager, nullcontext
from queue import SimpleQueue
from typing import Any

from joblib import effective_n_jobs
from threadpoolctl import ThreadpoolController

from skalign.utils._start_thread import start_thread

SMALL_PRODUCT = 10**9  # multiplications that one BLAS thread does in no time

# The limit is set while there is a holder: `_settle` makes that true, from whatever state it finds.
_lock = threading.Lock()
_holders: set["_Holder"] = set()
_limiter: Any = None


class _Holder:
    """One claim on single-threaded BLAS.

    An interrupt may come between any two lines of the main thread. So claims are made and given up
    in steps that can be repeated, and the limit itself is changed in a thread of its own, where no
    interrupt comes.
    """

    def __enter__(self) -> None:
        self.thread = threading.get_ident()
        try:
            _holders.add(self)
            _settle()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            _holders.discard(self)
            _settle()
        finally:  # an interrupt may have cut that short
            _holders.discard(self)
            _settle()


def _settle() -> None:
    with _lock:
        if bool(_holders) == (_limiter is not None):
            return
    outcome: SimpleQueue[BaseException | None] = SimpleQueue()
    start_thread(lambda: outcome.put(_set_or_lift()))
    error = outcome.get()
    if error is not None:
        raise error


def _set_or_lift() -> BaseException | None:
    global _limiter
    try:
        with _lock:
            if _holders and _limiter is None:
                _limiter = _controller().limit(limits=1, user_api="blas")
            elif not _holders and _limiter is not None:
                _limiter.restore_original_limits()
                _limiter = None
            # threadpoolctl heeds only the first thread that sets a limit, until it is done.
            for library in _controller().lib_controllers:
                done = getattr(library, "clear_controlling_thread", None)  # threadpoolctl >= 3.8
                if done is not None:
                    done()
    except BaseException as error:
        return error
    return None


@functools.cache
def _controller() -> ThreadpoolController:
    """Finding the libraries costs milliseconds, so that is done once."""
    return ThreadpoolController()


def _after_fork_in_child() -> None:
    """Only the thread that forked goes on: the claims of all others end."""
    _lock.release()
    for holder in [each for each in _holders if each.thread != threading.get_ident()]:
        _holders.discard(holder)
    _settle()


if hasattr(os, "register_at_fork"):  # a child must not inherit a limit that is half set
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_after_fork_in_child,
    )


def single_threaded_blas() -> AbstractContextManager[None]:
    """Hold BLAS to one thread while anybody is inside.

    Returns
    -------
    context manager
        Sets the limit, unless another holder has done so, and lifts it when the last holder leaves.

    Notes
    -----
    The limit is global to the process. Limits that overlap would restore each other's, so all
    holders share one.

    Where Ctrl-C may come, enter the same holder twice, ``with limit, limit:``. An interrupt at the
    very start of an ``__exit__`` skips it, and the second one makes up for it. An interrupt inside
    ``ExitStack.enter_context`` would leave the limit set.
    """
    return _Holder()


def single_threaded_blas_if_small(
    n_samples: int, n_features: int, n_jobs: int | None
) -> AbstractContextManager[None]:
    """Hold BLAS to one thread where products with the features take no time.

    The threads that BLAS wakes for such products would go on spinning, beside our own.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of the features.
    n_jobs : int or None
        Number of threads over blocks of targets.

    Returns
    -------
    context manager
        Holds the limit, or does nothing where products are large or one thread does all the work.
    """
    small = n_features * n_samples * n_features <= SMALL_PRODUCT
    return single_threaded_blas() if small and effective_n_jobs(n_jobs) > 1 else nullcontext()
