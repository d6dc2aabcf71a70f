"""One memory-mapped file per layer, filled batch by batch, that can be resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

_PROGRESS = "progress.json"


class LayerFiles:
    """Files ``LAYER.npy`` in a folder, with the number of images that they hold so far."""

    def __init__(self, folder: Path, shapes: dict[str, tuple[int, int]], settings: Any) -> None:
        self._progress = folder / _PROGRESS
        self._record = {"layers": {name: list(shape) for name, shape in shapes.items()}} | settings
        self._arrays: dict[str, np.memmap[Any, np.dtype[np.float32]]] = {}
        self.n_done = 0
        paths = {name: folder / f"{quote(name, safe='') or '(network)'}.npy" for name in shapes}
        if self._progress.exists():
            self.n_done = self._read_progress(folder)
        else:
            found = [path.name for path in paths.values() if path.exists()]
            if found:
                raise FileExistsError(
                    f"folder must be new, or one that this method wrote; got {folder} with "
                    f"{', '.join(found)} and no {_PROGRESS}: choose another folder."
                )
            folder.mkdir(parents=True, exist_ok=True)
        for name, path in paths.items():
            mode = "r+" if self._progress.exists() else "w+"
            options: Any = {} if mode == "r+" else {"dtype": np.float32, "shape": shapes[name]}
            self._arrays[name] = np.lib.format.open_memmap(path, mode=mode, **options)
        self._paths = paths
        self._write_progress()

    def put(self, rows: slice, activations: dict[str, NDArray[np.float32]]) -> None:
        """Write a batch; one that is there already must agree with it."""
        is_known = rows.stop <= self.n_done
        for name, array in self._arrays.items():
            if not is_known:
                array[rows] = activations[name]
                array.flush()
            elif not np.allclose(array[rows], activations[name], rtol=1e-3, atol=1e-5):
                raise ValueError(
                    f"Activations of layer {name!r} must be those in {self._paths[name]} when a "
                    f"run is resumed; images {rows.start} to {rows.stop - 1} differ: the network, "
                    "preprocess or X has changed. Remove the folder to start again."
                )
        if not is_known:
            self.n_done = rows.stop
            self._write_progress()

    def open(self) -> dict[str, NDArray[np.float32]]:
        """Return read-only maps of the files."""
        self._arrays.clear()
        return {name: np.load(path, mmap_mode="r") for name, path in self._paths.items()}

    def _read_progress(self, folder: Path) -> int:
        record = json.loads(self._progress.read_text(encoding="utf-8"))
        n_done = record.pop("n_done")
        if record != self._record:
            differ = [key for key in self._record if record.get(key) != self._record[key]]
            raise ValueError(
                f"folder must hold activations of the same layers, images and parameters to be "
                f"resumed; {folder} differs in {', '.join(differ)}: remove it, or choose another."
            )
        return int(n_done)

    def _write_progress(self) -> None:
        new = self._progress.with_suffix(".new")
        new.write_text(json.dumps({"n_done": self.n_done} | self._record), encoding="utf-8")
        new.replace(self._progress)
