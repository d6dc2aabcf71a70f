"""Is the working tree slower than another commit?

``python benchmarks/regressions.py`` compares it with the commit it branched from main at, or else
with the one before; a commit may be named instead. Both are installed into temporary folders, and
each row of `regression_rows.py` runs in both in alternation, in processes of their own. The least
processor times are compared: whatever else the machine does only adds to them. A row that seems
slower is measured again in new processes, and is one if it still does.

It prints a ratio for each row, and exits with 1 if one is above 1.25. ``--quick`` takes the small
rows only, as continuous integration does.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from regression_rows import LARGE, SMALL

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 1.25
ROUNDS = 4
SECOND_LOOKS = 2
MAIN = ("origin/main", "main")


class TimingProcess:
    """A process that times rows in one tree.

    Parameters
    ----------
    tree : Path
        Folder with the package `skalign`, built.
    """

    def __init__(self, tree: Path) -> None:
        one_thread = dict.fromkeys(
            ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", ROOT / "benchmarks" / "regression_rows.py", tree],
            env=os.environ | one_thread | {"PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "TimingProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()  # which closes its input, and so ends it

    def seconds(self, row: str) -> float:
        """Least processor time of a call. Raises RowError where the tree cannot do the work."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(row + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that timed {row} ended; its error is above")
        answer = json.loads(line)
        if "error" in answer:
            raise RowError(answer["error"])
        return float(answer["seconds"])


class RowError(Exception):
    """A tree cannot do the work of a row."""


@dataclass
class Comparison:
    """Least times of a row in both trees, in seconds of a processor."""

    row: str
    base: float = float("inf")
    head: float = float("inf")

    @property
    def ratio(self) -> float:
        """Time after the change over that before."""
        return self.head / self.base

    def update(self, base: float, head: float) -> None:
        """Take in one more measurement of both."""
        self.base, self.head = min(self.base, base), min(self.head, head)


def compare(
    base: Path, head: Path, rows: Iterable[str], rounds: int = ROUNDS
) -> tuple[list[Comparison], dict[str, str]]:
    """Time rows in two trees in alternation.

    Returns the comparisons, and the rows that the tree before could not do, with its errors. Raises
    RowError where only the tree after cannot.
    """
    found = {row: Comparison(row) for row in rows}
    left_out: dict[str, str] = {}
    measure(base, head, found, rounds, left_out)
    for _ in range(SECOND_LOOKS):
        slower = {row: each for row, each in found.items() if each.ratio > LIMIT}
        if slower:
            measure(base, head, slower, 2 * rounds, left_out)
    return list(found.values()), left_out


def measure(
    base: Path,
    head: Path,
    found: dict[str, Comparison],
    rounds: int,
    left_out: dict[str, str],
) -> None:
    """Update comparisons in new processes; rows that `base` cannot do are taken out."""
    with TimingProcess(base) as before, TimingProcess(head) as after:
        for turn in range(rounds):
            for row in list(found):
                head_seconds = after.seconds(row) if turn % 2 else None
                try:
                    base_seconds = before.seconds(row)
                except RowError as error:
                    left_out[row] = str(error)
                    del found[row]
                    continue
                if head_seconds is None:
                    head_seconds = after.seconds(row)
                found[row].update(base_seconds, head_seconds)


def other_commit() -> str | None:
    """Where the working tree branched from main; else the commit before; None if unknown."""
    here = git("rev-parse", "HEAD")
    for main in MAIN:
        branched = git("merge-base", "HEAD", main)
        if branched and branched != here:
            return branched
    if git("status", "--porcelain"):  # changes on main itself
        return here
    return git("rev-parse", "--verify", "--quiet", "HEAD~1")


def git(*arguments: str) -> str | None:
    """Output of git in this repository; None if it fails or says nothing."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def sources_of_commit(commit: str, folder: Path) -> None:
    """Write the files of a commit."""
    archive = subprocess.run(
        ["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def sources_of_working_tree(folder: Path) -> None:
    """Copy the files that are in git, or would be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def install(sources: Path, folder: Path) -> None:
    """Build the package into a folder, by what is installed here if it has Cython."""
    here = ["--no-build-isolation"] if find_spec("Cython") and find_spec("setuptools") else []
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *here, "--no-deps", "--target", folder, sources], check=True)


def as_text(comparisons: Sequence[Comparison], left_out: dict[str, str]) -> str:
    """A line for each row."""
    lines = [
        f"{each.row:28s} {1e3 * each.base:9.3f} ms -> {1e3 * each.head:9.3f} ms  "
        f"{each.ratio:5.2f} x{'  SLOWER' if each.ratio > LIMIT else ''}"
        for each in comparisons
    ]
    lines += [f"{row:28s} left out: not in the commit before ({e})" for row, e in left_out.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> bool:
    """Print the comparison; whether no row is slower."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit", nargs="?", help="by default where this branched from main")
    parser.add_argument("--quick", action="store_true", help="small rows only")
    given = parser.parse_args(arguments)
    commit = given.commit or other_commit()
    if commit is None:
        print("No earlier commit to compare with: nothing is measured.")
        return True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trees = {}
        for name in ("base", "head"):
            sources, trees[name] = folder / f"{name}-sources", folder / name
            sources.mkdir()
            if name == "base":
                sources_of_commit(commit, sources)
            else:
                sources_of_working_tree(sources)
            install(sources, trees[name])
        rows = list(SMALL) if given.quick else [*SMALL, *LARGE]
        comparisons, left_out = compare(trees["base"], trees["head"], rows)
    print(f"{commit[:12]} -> working tree, processor time, at most {LIMIT:g} x")
    print(as_text(comparisons, left_out))
    return all(each.ratio <= LIMIT for each in comparisons)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
