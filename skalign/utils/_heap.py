"""Freed memory kept for the next array, where a Dask worker gives all of it back at once."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT_BYTES = 2**25  # arrays up to this size come from the heap: the most that glibc allows
MMAP_BYTES = 2**17  # what it starts with

_lock = threading.Lock()
_n_holders = 0


@contextmanager
def kept_heap() -> Iterator[None]:
    """Keep freed memory while inside, for arrays that follow.

    Dask starts its workers with a small ``MALLOC_TRIM_THRESHOLD_``, with which glibc asks the
    system for every array anew and gives it back when it is freed. Zeroing those pages takes a
    third of the time of a block. All is as before when the last one leaves.
    """
    given = os.environ.get("MALLOC_TRIM_THRESHOLD_", "")
    if not (sys.platform == "linux" and given.isdigit()):
        yield
        return
    _hold(1, int(given))
    try:
        yield
    finally:
        _hold(-1, int(given))


def _hold(change: int, usual: int) -> None:
    global _n_holders
    with _lock:
        before, _n_holders = _n_holders, _n_holders + change
        if bool(before) == bool(_n_holders):
            return
        try:
            libc = ctypes.CDLL(None)
            libc.mallopt(M_TRIM_THRESHOLD, 2**30 if _n_holders else usual)
            libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES if _n_holders else MMAP_BYTES)
            if not _n_holders:
                libc.malloc_trim(0)
        except (AttributeError, OSError):  # another C library
            pass
