"""skalign beside other solvers: one table of ratios, with the unavoidable products as floor.

``python benchmarks/peers.py`` measures all rows and prints them; ``--list`` names them, and names
choose some. ``--quick`` takes a tenth of the targets: a look, whose floors do not count.
``--csv doc/guide/peers.csv`` replaces the measured rows in the table that the documentation draws.

All contenders of a row run in turn, in one process, on the same data and from X and Y: a Gram or an
eigendecomposition is part of the work. Times are the least of up to fifteen runs. Peers are given
centered data and fit no intercept; skalign validates, centers and fits one. It exits with 1 if a
floor was missed.
"""

import argparse
import csv
import datetime
import os
import platform
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from math import isnan, nan
from pathlib import Path

from peer_rows import ROWS
from peer_solvers import ACCURACY
from peer_work import OURS, Row
from timing import Contender, least_seconds

BUDGET, QUICK_BUDGET = 4.0, 0.5  # seconds of a contender in a row
QUICK_DIVISOR = 10
# More processes a core than this, over the last minute, are not those of this script.
BUSY, SHARED = 2.0, "shared with other work at the time"


@dataclass(frozen=True)
class Measurement:
    """One contender in one row, as a line of the table.

    Attributes
    ----------
    row, title, contender : str
        The work and who does it.
    version : str
        Of the contender's package; empty where it is not installed.
    seconds, times_ours : float
        Least time, and the same over ours.
    at_least : float
        The floor of ``times_ours``; NaN without one.
    violation, tolerance : float
        KKT violation of its weights and its own tolerance; NaN where there is none.
    skipped : str
        Why it was not measured; empty if it was.
    machine, date : str
        Where and when.
    """

    row: str
    title: str
    contender: str
    version: str
    seconds: float
    times_ours: float
    at_least: float
    violation: float
    tolerance: float
    skipped: str
    machine: str
    date: str

    @property
    def accurate(self) -> bool:
        """Whether its weights are as accurate as those of all others must be."""
        return isnan(self.violation) or self.violation <= ACCURACY

    @property
    def held(self) -> bool:
        """Whether its floor, if any, is held; one that was not measured is not."""
        return isnan(self.at_least) or self.times_ours >= self.at_least


def measure(row: Row, *, quick: bool) -> list[Measurement]:
    """Run all contenders of a row in turn."""
    found: dict[str, Contender] = {}
    skipped: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers at loose tolerances warn; accuracy is measured
        for name, make in row.contenders(QUICK_DIVISOR if quick else 1):
            if isinstance(make, str):
                skipped[name] = make
                continue
            try:
                found[name] = make()
            except ImportError as error:
                skipped[name] = f"not installed: no module named {error.name}"
        times = least_seconds(found, QUICK_BUDGET if quick else BUDGET)
    return [
        Measurement(
            row=row.name,
            title=row.title,
            contender=name,
            version=version_of(found[name].distribution) if name in found else "",
            seconds=times.get(name, nan),
            times_ours=times.get(name, nan) / times[OURS],
            at_least=row.floors.get(name, nan),
            violation=found[name].violation if name in found else nan,
            tolerance=found[name].tolerance if name in found else nan,
            skipped=skipped.get(name, ""),
            machine=machine(),
            date=datetime.date.today().isoformat(),
        )
        for name in [*found, *skipped]
    ]


def version_of(distribution: str | None) -> str:
    """Version of what pip installed; that of the source for skalign."""
    import skalign

    if distribution == "skalign":
        return skalign.__version__
    try:
        return version(distribution) if distribution else ""
    except PackageNotFoundError:
        return "?"


def machine() -> str:
    """Processor, cores, system and Python, and whether others use it at the same time."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    cores = os.cpu_count() or 1
    where = f"{model}, {cores} cores, {platform.system()}, Python {sys.version.split()[0]}"
    busy = hasattr(os, "getloadavg") and os.getloadavg()[0] > BUSY * cores
    return f"{where}, {SHARED}" if busy else where


def as_text(measurements: Sequence[Measurement], *, quick: bool) -> str:
    """A row of the table, a line for each contender."""
    name = measurements[0].row
    lines = [f"{name}: {measurements[0].title}{' (a tenth of the targets)' if quick else ''}"]
    for each in measurements:
        label = f"{each.contender} {each.version}"
        if each.skipped:
            lines.append(f"  {label:32s} skipped, {each.skipped}")
            continue
        line = f"  {label:32s} {1e3 * each.seconds:11.2f} ms {each.times_ours:8.2f} x ours"
        if not isnan(each.violation):
            line += f"   KKT {each.violation:.0e}"
        if not isnan(each.tolerance):
            line += f" at tolerance {each.tolerance:.0e}"
        if not each.accurate:
            line += " (NOT accurate)"
        if not isnan(each.at_least):
            line += f"   at least {each.at_least:.2f}"
            if not quick:
                line += f": {'held' if each.held else 'MISSED'}"
        lines.append(line)
    return "\n".join(lines)


def read_table(path: Path) -> list[Measurement]:
    """Read a table; an empty field is NaN where a number belongs."""
    numbers = {field.name for field in fields(Measurement) if field.type is float}
    with path.open(newline="") as file:
        return [
            Measurement(**{
                name: float(text or nan) if name in numbers else text
                for name, text in line.items()
            })
            for line in csv.DictReader(file)
        ]  # fmt: skip


def as_field(value: float | str) -> str:
    """A number with the digits that a clock has, empty for NaN; text as it is."""
    if isinstance(value, str):
        return value
    return "" if isnan(value) else f"{value:.4g}"


def write_table(path: Path, measurements: Iterable[Measurement]) -> None:
    """Write a table."""
    with path.open("w", newline="") as file:
        names = [field.name for field in fields(Measurement)]
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for each in measurements:
            writer.writerow({name: as_field(value) for name, value in asdict(each).items()})


def replace_rows(path: Path, measurements: Sequence[Measurement]) -> None:
    """Put measured rows into a table, in the order of `ROWS`; all other rows stay as they are."""
    measured = {each.row for each in measurements}
    before = read_table(path) if path.exists() else []
    kept = [each for each in before if each.row not in measured]
    order = {row.name: k for k, row in enumerate(ROWS)}
    known = [each for each in [*kept, *measurements] if each.row in order]
    write_table(path, sorted(known, key=lambda each: order[each.row]))


def main(arguments: Sequence[str] | None = None) -> bool:
    """Print the table; whether every floor held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help="names of rows; all by default")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and exit")
    parser.add_argument("--quick", action="store_true", help="a tenth of the targets, few runs")
    parser.add_argument("--csv", type=Path, help="replace these rows in this table")
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(f"{row.name:24s} {row.title}" for row in ROWS))
        return True
    unknown = set(given.rows) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"rows must be among those of --list; got {', '.join(sorted(unknown))}")
    if given.quick and given.csv:
        parser.error("--csv must be without --quick: a tenth of the work is not the work")
    print(machine(), datetime.date.today().isoformat(), sep="\n")
    good = True
    for row in ROWS:
        if given.rows and row.name not in given.rows:
            continue
        found = measure(row, quick=given.quick)
        print("", as_text(found, quick=given.quick), sep="\n", flush=True)
        ours = found[0]
        good &= ours.accurate and (given.quick or all(each.held for each in found))
        if given.csv:
            replace_rows(given.csv, found)
    return good


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
