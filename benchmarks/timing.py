"""Times of several ways to do the same work, taken in turn in one process."""

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

REST = 0.2  # seconds; the BLAS threads of one contender go on spinning beside the next
MOST_RUNS = 15
FRESH = 2**29  # bytes that are touched first: a virtual machine may hand out new memory slowly
# Some packages bind the process to one core as they are imported: adelie 1.1.52.
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None


@dataclass(frozen=True)
class Contender:
    """One way to do the work of a row.

    Parameters
    ----------
    run : callable
        Does the work, or a known part of it.
    scale : float, default=1
        What its time is multiplied by, where it does a part only: the number of targets over those
        it fits, divided by 2 where it is given two processes that share the work perfectly.
    once : callable, default=None
        What all parts share, such as a Gram; its time is added as it is.
    distribution : str, default=None
        Whose version is printed.
    tolerance : float, default=nan
        The contender's own tolerance; NaN where it has none.
    violation : float, default=nan
        KKT violation of its weights, measured from the residual; NaN where they have none.
    """

    run: Callable[[], Any]
    scale: float = 1.0
    once: Callable[[], Any] | None = None
    distribution: str | None = None
    tolerance: float = math.nan
    violation: float = math.nan

    def seconds(self) -> float:
        """Time of all the work, from one run."""
        shared = seconds(self.once) if self.once is not None else 0.0
        return shared + self.scale * seconds(self.run)


def seconds(function: Callable[[], Any]) -> float:
    """Wall time of one call, on all cores that were ours at the start."""
    if CORES is not None:
        os.sched_setaffinity(0, CORES)
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def least_seconds(contenders: Mapping[str, Contender], budget: float) -> dict[str, float]:
    """Least time of every contender, all run in turn so that a slow moment meets each.

    A contender runs up to fifteen times, and no more once its runs have taken the budget (seconds).
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    spent = dict.fromkeys(contenders, 0.0)
    for _ in range(MOST_RUNS):
        for name, contender in contenders.items():
            if spent[name] > budget:
                continue
            np.ones(FRESH // 8)
            time.sleep(REST)
            start = time.perf_counter()
            times[name].append(contender.seconds())
            spent[name] += time.perf_counter() - start
    return {name: min(found) for name, found in times.items()}
