"""Objects on their way to the workers of a Dask cluster."""

from __future__ import annotations

import io
import pickle
import threading
from typing import Any

import numpy as np

from skalign.utils._types import Array

ALIGNMENT = 64  # bytes

_lock = threading.Lock()


class Parcel:
    """An object that is pickled once, and opened once in every worker that gets it.

    Arrays are kept beside the pickle, as the memory that they occupy. Dask packs arrays one behind
    the other, at addresses that compiled code cannot use. They are moved when the parcel is opened.

    An object with a method ``recipe``, which gives a function and its arguments, is made again in
    the worker. That is for what is large and takes less time to compute than to send.

    Parameters
    ----------
    content : object
        Functions and classes that workers cannot import are pickled by value.
    """

    def __init__(self, content: Any) -> None:
        from cloudpickle import Pickler  # what Dask itself needs

        class RecipePickler(Pickler):
            def reducer_override(self, each: Any) -> Any:
                recipe = getattr(type(each), "recipe", None)
                return super().reducer_override(each) if recipe is None else recipe(each)

        file, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
        RecipePickler(file, protocol=5, buffer_callback=buffers.append).dump(content)
        self.pickled = file.getvalue()
        self.frames = [np.asarray(buffer.raw()) for buffer in buffers]

    @property
    def n_bytes(self) -> int:
        """Size of all that travels."""
        return len(self.pickled) + sum(frame.nbytes for frame in self.frames)

    def __getstate__(self) -> dict[str, Any]:
        return {"pickled": self.pickled, "frames": self.frames}

    def open(self) -> Any:
        """Give the object."""
        with _lock:
            if not hasattr(self, "content"):
                self.frames = [_aligned(frame) for frame in self.frames]
                self.content = pickle.loads(self.pickled, buffers=self.frames)
        return self.content


def _aligned(frame: Array) -> Array:
    """The same bytes, where compiled code can read them."""
    frame = np.asarray(frame)
    if frame.ctypes.data % 16 == 0:
        return frame
    room = np.empty(frame.nbytes + ALIGNMENT, frame.dtype)
    start = -room.ctypes.data % ALIGNMENT
    moved = room[start : start + frame.nbytes]
    moved[...] = frame
    return moved
