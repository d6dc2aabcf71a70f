"""Time of a fit against targets, units, images and cores, beside the products it needs at least.

Writes the table that the site draws and computes with, and brings the numbers on its page up to
date. On a quiet machine this takes about twenty minutes::

    python benchmarks/scaling.py
    python benchmarks/scaling.py --divide 20 --out /tmp/scaling.csv  # sizes divided, in a minute

The fits are those of a positive lasso at one alpha, in single precision. The floor is the product
of units and responses, X'Y, and that of units with units, X'X, where there are not more units than
images: fits of more units form only parts of it. Rows of the series "subject" are a layer of a
network for few and for many voxels: the difference gives the cost of a voxel, the rest is what all
voxels share. Targets beyond the first five thousand repeat those.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
from problem import encoding_problem
from threadpoolctl import threadpool_info, threadpool_limits
from timing import MOST_RUNS, REST, seconds

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV

GUIDE = Path(__file__).parents[1] / "doc" / "guide"
TABLE, PAGE = GUIDE / "scaling.csv", GUIDE / "whole_subject.md"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

N_IMAGES, N_UNITS, N_TARGETS = 1000, 1000, 1000
TARGETS = (1000, 3000, 10_000, 30_000, 100_000, 200_000)
UNITS = (100, 300, 1000, 3000, 10_000, 50_000)
IMAGES = (300, 1000, 3000, 10_000, 30_000)
OF_CORES = 20_000  # targets
SUBJECT = (10_000, 4096, (500, 2000))
ALPHA = 0.1
DRAWN = 5000  # more targets repeat those
BUDGET = 10.0  # seconds of all runs of a row


@dataclass(frozen=True)
class Row:
    """One measured size."""

    series: str
    model: str
    n_images: int
    n_units: int
    n_targets: int
    n_cores: int
    seconds: float
    floor_seconds: float
    n_active: float


def least_seconds(function: Callable[[], Any]) -> float:
    """Least time of several runs, or of one long one."""
    times: list[float] = []
    while len(times) < MOST_RUNS and sum(times) <= BUDGET:
        sleep(REST)
        times.append(seconds(function))
    return min(times)


def models(n_cores: int) -> dict[str, Any]:
    """The fits that are measured, by the names that they have in the table."""
    ridge = np.logspace(1, 5, 10)
    return {
        "lasso": SparsePositiveEncoder(alpha=ALPHA, n_jobs=n_cores),
        "lasso CV": SparsePositiveEncoderCV(cv=5, n_jobs=n_cores),
        "ridge CV": SparsePositiveEncoderCV(
            "ridge", alphas=ridge, cv=5, positive=False, n_jobs=n_cores
        ),
    }


def measured(series: str, name: str, X: Any, Y: Any, n_cores: int) -> Row:
    """Time of a fit and of its floor."""
    (n_images, n_units), n_targets = X.shape, Y.shape[1]
    model = models(n_cores)[name]

    def products() -> None:
        X.T @ Y
        if n_units <= n_images:
            X.T @ X

    # Only where needed: threadpoolctl heeds no other limit meanwhile, not even that of skalign.
    with threadpool_limits(n_cores) if n_cores < CORES else nullcontext():
        fit, floor = least_seconds(lambda: model.fit(X, Y)), least_seconds(products)
    n_active = float(np.mean([np.count_nonzero(weights) for weights in model.coef_]))
    row = Row(
        series, name, n_images, n_units, n_targets, n_cores, round(fit, 5), round(floor, 5),
        round(n_active, 1),
    )  # fmt: skip
    print(*(f"{value:>9}" for value in asdict(row).values()), flush=True)
    return row


def rows(divisor: int) -> Iterator[Row]:
    """Measure all sizes, divided."""

    def size(number: int) -> int:
        return max(number // divisor, 20)

    def draw(n_images: int, n_units: int, n_targets: int, **options: Any) -> tuple[Any, Any]:
        X, Y = encoding_problem(
            n_images, n_units, min(n_targets, DRAWN), dtype=np.float32, **options
        )
        repeats = -(-n_targets // Y.shape[1])
        return X, np.asfortranarray(np.tile(Y, repeats)[:, :n_targets])

    X, Y = draw(size(N_IMAGES), size(N_UNITS), size(max(TARGETS)))
    for n_targets in map(size, TARGETS):
        yield measured("targets", "lasso", X, Y[:, :n_targets], CORES)
    n_cores = sorted({*(2**k for k in range(CORES.bit_length())), CORES})
    for count in n_cores:
        yield measured("cores", "lasso", X, Y[:, : size(OF_CORES)], count)
    for n_units in map(size, UNITS):
        X, Y = draw(size(N_IMAGES), n_units, size(N_TARGETS))
        yield measured("units", "lasso", X, Y, CORES)
    for n_images in map(size, IMAGES):
        X, Y = draw(n_images, size(N_UNITS), size(N_TARGETS))
        yield measured("images", "lasso", X, Y, CORES)
    n_images, n_units, (few, many) = SUBJECT
    X, Y = draw(size(n_images), size(n_units), size(many), k=30, n_latents=600, decay=0.7)
    for name in models(CORES):
        for n_targets in map(size, (few, many)):
            yield measured("subject", name, X, Y[:, :n_targets], CORES)


def provenance(load: float) -> list[str]:
    """Machine, date and versions."""
    processor = platform.processor() or platform.machine()
    known = Path("/proc/cpuinfo")
    if known.exists():
        found = re.search(r"model name\s*:\s*(.*)", known.read_text(encoding="utf-8"))
        processor = found[1] if found else processor
    blas = {f"{info['internal_api']} {info['version']}" for info in threadpool_info()
            if info["user_api"] == "blas"}  # fmt: skip
    packages = ("numpy", "scipy", "scikit-learn", "skalign")
    return [
        f"machine: {processor}, {CORES} cores, {platform.system()} {platform.machine()}, "
        f"with {load:.1f} other processes running at the start",
        f"date: {datetime.date.today().isoformat()}",
        f"versions: Python {platform.python_version()}, "
        + ", ".join(f"{package} {version(package)}" for package in packages)
        + f", BLAS {' and '.join(sorted(blas))}",
        "times in seconds, of single precision; written by benchmarks/scaling.py",
    ]


def refresh(page: Path, table: Path) -> None:
    """Put what the snippets of a page print under them."""
    parts = re.split(r"(```(?:python|text)\n.*?```)", page.read_text(encoding="utf-8"), flags=re.S)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    before = Path.cwd()
    os.chdir(table.parent)
    try:
        for place, part in enumerate(parts):
            if part.startswith("```python"):
                out = StringIO()
                with redirect_stdout(out):
                    exec(part.removeprefix("```python\n").removesuffix("```"), namespace)
                printed = out.getvalue()
            elif part.startswith("```text"):
                parts[place] = f"```text\n{printed}```"
    finally:
        os.chdir(before)
    page.write_text("".join(parts), encoding="utf-8")


def main() -> None:
    """Measure, write the table, and bring the page up to date where it is the site's table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--divide", type=int, default=1, help="divides all sizes")
    parser.add_argument("--out", type=Path, default=TABLE, help="table that is written")
    arguments = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    names = [field.name for field in fields(Row)]
    print(*(f"{name[:9]:>9}" for name in names))
    found = list(rows(arguments.divide))
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in provenance(load))
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in found)
    if arguments.out == TABLE:
        refresh(PAGE, TABLE)


if __name__ == "__main__":
    main()
