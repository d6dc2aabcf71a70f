"""Work whose time is compared between two trees, and the process that times it in one of them.

It is started by `regressions.py` with one tree in its path. It reads names of rows, one a line, and
answers each with the least processor time of a call. BLAS has one thread, and so has skalign: the
time of a processor says more than a clock where others share it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from problem import encoding_problem

Work = Callable[[], Any]
LEAST_SECONDS = 0.004  # of one measurement; shorter work is repeated
MOST_SECONDS = 1.0  # of all measurements in a row
MEASUREMENTS = 10  # in a row, of which the least counts: some are not disturbed

SMALL: dict[str, Callable[[], Work]] = {}
LARGE: dict[str, Callable[[], Work]] = {}  # seconds each


def row(rows: dict[str, Callable[[], Work]]) -> Callable[[Callable[[], Work]], Callable[[], Work]]:
    """Register a function that makes data, and returns the work to be timed."""

    def register(make: Callable[[], Work]) -> Callable[[], Work]:
        rows[make.__name__] = make
        return make

    return register


def encode(size: tuple[int, int, int], *args: Any, **options: Any) -> Work:
    from skalign import SparsePositiveEncoder

    X, Y = encoding_problem(*size)
    encoder = SparsePositiveEncoder(*args, **options)
    return lambda: encoder.fit(X, Y)


def choose(size: tuple[int, int, int], *args: Any, **options: Any) -> Work:
    from skalign import SparsePositiveEncoderCV

    X, Y = encoding_problem(*size)
    encoder = SparsePositiveEncoderCV(*args, cv=5, **options)
    return lambda: encoder.fit(X, Y)


@row(SMALL)
def tiny_fit() -> Work:
    from skalign import SparsePositiveEncoder

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 10)), rng.standard_normal(50)
    encoder = SparsePositiveEncoder()
    return lambda: encoder.fit(X, y)


@row(SMALL)
def lasso() -> Work:
    return encode((500, 100, 500), "lasso", 0.1)


@row(SMALL)
def lasso_of_many_units() -> Work:
    return encode((400, 600, 60), "lasso", 0.02)


@row(SMALL)
def signed_lasso() -> Work:
    return encode((400, 200, 100), "lasso", 0.02, positive=False)


@row(SMALL)
def elasticnet() -> Work:
    return encode((400, 200, 100), "elasticnet", 0.1)


@row(SMALL)
def positive_ridge() -> Work:
    return encode((400, 200, 100), "ridge", 1.0)


@row(SMALL)
def positive_ols() -> Work:
    return encode((400, 200, 100), "ols")


@row(SMALL)
def signed_ridge() -> Work:
    return encode((400, 200, 500), "ridge", 10.0, positive=False)


@row(SMALL)
def wide_lasso() -> Work:
    return encode((200, 3000, 20), "lasso", 0.1)


@row(SMALL)
def path() -> Work:
    from skalign.linear_model import sparse_positive_path

    X, Y = encoding_problem(400, 100, 50)
    return lambda: sparse_positive_path(X, Y, "lasso")


@row(SMALL)
def lasso_cv() -> Work:
    return choose((300, 50, 60), "lasso", np.geomspace(0.5, 0.02, 5))


@row(SMALL)
def signed_ridge_cv() -> Work:
    return choose((200, 300, 200), "ridge", np.geomspace(1, 1000, 5), positive=False)


@row(SMALL)
def theta() -> Work:
    from skalign.metrics import tuning_reorientation

    X, Y = encoding_problem(300, 400, 300)
    weights = np.random.default_rng(0).standard_normal((300, 400))
    return lambda: tuning_reorientation(X, Y, weights)


@row(SMALL)
def theta_of_few_weights() -> Work:
    from skalign.metrics import tuning_reorientation

    X, Y = encoding_problem(300, 400, 500)
    rng = np.random.default_rng(0)
    weights = np.where(rng.random((500, 400)) < 0.01, rng.random((500, 400)), 0)
    return lambda: tuning_reorientation(X, Y, weights)


@row(SMALL)
def pearson() -> Work:
    from skalign.metrics import pearson_r

    X, Y = encoding_problem(300, 1000, 1000)
    return lambda: pearson_r(X, Y)


@row(SMALL)
def moment_scores() -> Work:
    from skalign.metrics import scores_of_moments
    from skalign.solvers import Moments

    X, Y = encoding_problem(200, 200, 500)
    moments, rng = Moments.of(X, Y), np.random.default_rng(0)
    coef = np.where(rng.random((500, 200)) < 0.05, rng.random((500, 200)), 0)
    return lambda: scores_of_moments(moments, coef, np.zeros(500), center=True)


@row(SMALL)
def localizer() -> Work:
    from skalign import SelectiveUnitLocalizer

    rng = np.random.default_rng(0)
    X, labels = rng.random((300, 1000)), np.repeat(["face", "scene", "word"], 100)
    chosen = SelectiveUnitLocalizer("face", n_units=100)
    return lambda: chosen.fit(X, labels)


@row(LARGE)
def lasso_of_a_layer() -> Work:
    return encode((1000, 4096, 200), "lasso", 0.02)


@row(LARGE)
def positive_ridge_of_a_layer() -> Work:
    return encode((1000, 2000, 100), "ridge", 100.0)


@row(LARGE)
def wider_lasso() -> Work:
    return encode((500, 20_000, 50), "lasso", 0.1)


@row(LARGE)
def lasso_cv_of_many_units() -> Work:
    return choose((1000, 500, 300), "lasso", np.geomspace(0.5, 0.02, 5))


ROWS = SMALL | LARGE


def seconds_of_processor(work: Work, n_calls: int) -> float:
    """Processor time of a call, all threads together."""
    start = time.process_time()
    for _ in range(n_calls):
        work()
    return (time.process_time() - start) / n_calls


class TimedRows:
    """Rows in this tree, each made when first asked for."""

    def __init__(self) -> None:
        self._works: dict[str, tuple[Work, int]] = {}

    def least_seconds(self, name: str) -> float:
        """Least processor time of a call, of a few measurements."""
        if name not in self._works:
            work = ROWS[name]()
            work()  # what is computed once
            first = seconds_of_processor(work, 1)
            self._works[name] = work, max(1, int(LEAST_SECONDS / max(first, 1e-6)))
        work, n_calls = self._works[name]
        times: list[float] = []
        while len(times) < MEASUREMENTS and n_calls * sum(times) < MOST_SECONDS:
            times.append(seconds_of_processor(work, n_calls))
        return min(times)


def answer(rows: TimedRows, name: str) -> dict[str, Any]:
    """What to say to the name of a row: its time, or why there is none."""
    try:
        return {"seconds": rows.least_seconds(name)}
    except (ImportError, AttributeError, TypeError, ValueError) as error:  # another interface
        return {"error": f"{type(error).__name__}: {error}"}


def only_tree(tree: str) -> None:
    """Import skalign from the tree alone, not from what is installed where that is editable."""
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if not getattr(finder, "__module__", "").startswith("__editable__")
    ]
    import skalign

    if not Path(skalign.__file__).is_relative_to(tree):
        raise RuntimeError(f"skalign must be that of {tree}; got {skalign.__file__}.")


if __name__ == "__main__":
    only_tree(sys.argv[1])
    timed = TimedRows()
    for line in sys.stdin:
        print(json.dumps(answer(timed, line.strip())), flush=True)
