"""The store of finished cells: lines of JSON, each with its checksum, in files that never change.

The checksum of its bytes names a file, and a line starts with the checksum of what follows: the
fingerprint of a cell and its rows, or that of a measure of a cell and its value. So neither a
flipped bit nor a file under a wrong name can make one cell appear as another; a line that fails its
check is not read. A file is written under another name, renamed when it is whole, and never
changed: a writer needs no lock, and one that is killed leaves the other files as they were.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4
from warnings import warn

from skalign.benchmark._rows import Row, add_measures, to_table

_START, _THEN, _AFTER = b'{"checksum":"', b'","fingerprint":"', b'","rows":'


def read_store(folder: str | os.PathLike[str]) -> Any:
    """Read all cells of a benchmark's store as one table.

    The store may be in use: a run adds every cell when it is finished.

    Parameters
    ----------
    folder : str or path
        The `store` of :func:`run_benchmark`.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`run_benchmark`, with those of all measures that the store has, sorted
        by the names of model, units, subject, region and encoder. Cells of earlier inputs, such as
        another alpha under the same name, are among them until the folder is emptied. If the store
        has an axis alignment over several numbers of rotations, the largest counts.

    Raises
    ------
    ImportError
        If pandas is missing.
    NotADirectoryError
        If there is no such folder.

    Warns
    -----
    UserWarning
        If a file does not hold what was written to it. Its damaged cells are left out.

    See Also
    --------
    run_benchmark : Returns the table of its own cells only, in the order of its arguments.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.benchmark import ModelFeatures, RegionResponses, read_store, run_benchmark
    >>> train, test = np.random.default_rng(0).standard_normal((2, 100, 6))
    >>> region = RegionResponses(1, "FFA", train=train[:, :1], test=test[:, :1])
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("b", "a"):
    ...         _ = run_benchmark(
    ...             [ModelFeatures(name, train, test)],
    ...             [region],
    ...             {"lasso": SparsePositiveEncoder()},
    ...             store=folder,
    ...         )
    ...     table = read_store(folder)
    >>> table["model"].tolist()
    ['a', 'b']
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"folder must be the store of a benchmark; got {str(folder)!r}.")
    content = _read_folder(folder)
    content.warn_of_damage(stacklevel=3)
    lines = {fingerprint: _rows_of(line) for fingerprint, line in content.lines.items()}
    cells = {key: rows for key, rows in lines.items() if "measure" not in rows[0]}
    measures = add_measures(cells, (rows[0] for key, rows in lines.items() if key not in cells))
    in_order = sorted(cells.values(), key=lambda rows: _names(rows[0]))
    return to_table(chain.from_iterable(in_order), measures)


def _names(row: Row) -> list[str]:
    return [row[name] for name in ("model", "units", "subject", "region", "encoder")]


class CellStore:
    """A folder of finished cells.

    Parameters
    ----------
    folder : str, path or None
        The folder is made if it is missing. None stores nothing.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self.folder = None if folder is None else Path(folder).absolute()
        self.run = uuid4().hex
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            _content_at_start(self.folder, self.run).warn_of_damage(stacklevel=4)

    def look_again(self) -> None:
        """Read the folder anew when it is next asked for: workers have stored cells."""
        self.run = uuid4().hex

    def read(self, fingerprint: str | None) -> list[Row] | None:
        """Rows of a stored cell; None if it is missing or has an error.

        A process reads the folder once in a run, at the first call.
        """
        if self.folder is None or fingerprint is None:
            return None
        line = _content_at_start(self.folder, self.run).lines.get(fingerprint)
        rows = [] if line is None else _rows_of(line)
        return None if not rows or _has_error(rows) else rows

    def write(self, fingerprint: str | None, rows: list[Row]) -> str | None:
        """Keep a cell at once; return why that failed, or None."""
        if self.folder is None or fingerprint is None:
            return None
        try:
            _write_file(self.folder, _line(fingerprint, rows))
        except OSError as error:  # a full disk, for one: the run goes on, and its table is returned
            return str(error)
        return None

    def compact(self) -> None:
        """Merge all files into one; a cell that is stored twice is kept once.

        The merged file is on the disk before the others are deleted. What another process adds in
        the meantime is not touched.
        """
        if self.folder is None:
            return
        _content_at_start.cache_clear()
        content = _read_folder(self.folder)
        if len(content.paths) > 1 or content.damaged:
            merged = b"".join(content.lines.values())
            kept = _write_file(self.folder, merged, durable=True) if merged else None
            for path in content.paths:
                if path != kept:
                    path.unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class FolderContent:
    """What the files of a store hold: one line for each cell, and how many of each file failed."""

    folder: Path
    paths: list[Path]
    lines: dict[str, bytes]
    damaged: dict[str, str]

    def warn_of_damage(self, stacklevel: int) -> None:
        """Name the files that do not hold what was written to them."""
        if self.damaged:
            files = ", ".join(f"{name} ({what})" for name, what in self.damaged.items())
            warn(
                f"{len(self.damaged)} files of the store {str(self.folder)!r} do not hold what was "
                f"written to them: {files}. run_benchmark computes the missing cells again. Check "
                "the disk.",
                UserWarning,
                stacklevel=stacklevel,
            )


@lru_cache(maxsize=1)
def _content_at_start(folder: Path, run: str) -> FolderContent:
    """The folder, as this process first sees it in a run: read once for all cells."""
    return _read_folder(folder)


def _read_folder(folder: Path) -> FolderContent:
    content = FolderContent(folder, [], {}, {})
    seen: set[str] = set()
    for _ in range(10):  # files may be merged meanwhile: the merged one is there before they vanish
        if not (new := [path for path in folder.glob("cells-*") if path.name not in seen]):
            break
        files = []
        for path in new:
            seen.add(path.name)
            with suppress(FileNotFoundError):
                files.append((path.stat().st_mtime_ns, path.name, path.read_bytes()))
        for _, name, data in sorted(files):
            _add_file(content, folder / name, data)
    return content


def _add_file(content: FolderContent, path: Path, data: bytes) -> None:
    lines = data.splitlines(keepends=True)
    checked = [line for line in lines if _is_whole(line)]
    content.paths.append(path)
    if path.name != _file_name(data):
        content.damaged[path.name] = f"{len(checked)} of {len(lines)} cells can be read"
    for line in checked:
        fingerprint = _fingerprint_of(line)
        former = content.lines.get(fingerprint)
        if former is None or _has_error(_rows_of(former)) or not _has_error(_rows_of(line)):
            content.lines[fingerprint] = line


def _write_file(folder: Path, data: bytes, *, durable: bool = False) -> Path:
    """Write a file that no reader sees before it is whole."""
    path, unfinished = folder / _file_name(data), folder / f".{uuid4().hex}"
    try:
        with open(unfinished, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _file_name(data: bytes) -> str:
    return f"cells-{_checksum(data)}.jsonl"


def _line(fingerprint: str, rows: list[Row]) -> bytes:
    told = json.dumps(rows, separators=(",", ":")).encode("ascii")
    rest = b"".join([_THEN, fingerprint.encode("ascii"), _AFTER, told, b"}\n"])
    return _START + _checksum(rest).encode("ascii") + rest


def _checksum(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


_REST = len(_START) + len(_checksum(b""))


def _is_whole(line: bytes) -> bool:
    return line[:_REST] == _START + _checksum(line[_REST:]).encode("ascii")


def _fingerprint_of(line: bytes) -> str:
    start = _REST + len(_THEN)
    return line[start : line.index(b'"', start)].decode("ascii")


def _rows_of(line: bytes) -> list[Row]:
    rows: list[Row] = json.loads(line)["rows"]
    return rows


def _has_error(rows: Iterable[Row]) -> bool:
    return any(row["error"] is not None for row in rows)
