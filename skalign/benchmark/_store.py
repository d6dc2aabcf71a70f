"""The store of finished cells: one small parquet file each, named by the content it depends on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from skalign.benchmark._digest import digest
from skalign.benchmark._rows import COLUMNS, Row


class Store:
    """A folder of finished cells.

    Parameters
    ----------
    folder : str, path or None
        Made where it is missing. None stores nothing.
    """

    def __init__(self, folder: str | os.PathLike | None) -> None:
        self.folder = None if folder is None else Path(folder).absolute()
        if self.folder is not None:
            _import_pyarrow()
            self.folder.mkdir(parents=True, exist_ok=True)

    def digest(self, *contents: Any) -> str:
        """Fingerprint, as `digest`; of nothing where nothing is stored."""
        return "" if self.folder is None else digest(*contents)

    def read(self, key: str | None) -> list[Row] | None:
        """Rows of a cell; None where it is not there, failed, or cannot be read."""
        if self.folder is None or key is None:
            return None
        try:
            rows = _import_pyarrow().parquet.read_table(self._path(key)).to_pylist()
        except (OSError, ValueError):  # none, or one that a crash of the machine has cut
            return None
        return None if any(row["error"] is not None for row in rows) else rows

    def write(self, key: str | None, rows: list[Row]) -> None:
        """Keep a cell, at once and as a whole: a reader sees all of the file or nothing."""
        if self.folder is None or key is None:
            return
        pa = _import_pyarrow()
        types = dict.fromkeys(COLUMNS, pa.float64())
        types |= dict.fromkeys(_TEXTS, pa.string())
        types |= {"positive": pa.bool_(), "n_targets": pa.int64()}
        table = pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))
        # A leading dot hides what is not finished from readers of the folder.
        temporary = self.folder / f".{key}-{uuid4().hex}"
        try:
            pa.parquet.write_table(table, temporary)
            os.replace(temporary, self._path(key))
        finally:
            temporary.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{key}.parquet"


_TEXTS = (
    *("model", "layer", "units", "subject", "region", "encoder", "penalty", "partition"),
    "error",
)


def _import_pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError('A store needs pyarrow: pip install "skalign[table]".') from error
    return pyarrow
