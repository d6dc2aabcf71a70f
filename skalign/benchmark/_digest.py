"""Fingerprints of what a cell depends on: arrays, estimators and the code they bring along."""

from __future__ import annotations

import inspect
import io
import json
import pickle
import sys
from hashlib import blake2b
from types import CodeType, FunctionType
from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.base import clone

_RELEASED = {"skalign", "sklearn", "numpy", "scipy", "joblib", *sys.stdlib_module_names}


def digest(*contents: Any) -> str:
    """Fingerprint of arrays, estimators and plain values, the same in every process.

    A function counts by its own code and source, a class by that of its methods and bases; what
    they call does not. Those of scikit-learn, numpy, scipy, joblib, the standard library and this
    package count by name alone.
    """
    parts = [part for content in contents for part in (_hash(content), _code(content))]
    whole: str = joblib.hash(parts)
    return whole


def fingerprint(*texts: str) -> str:
    """Fingerprint of texts alone, in microseconds."""
    return blake2b(json.dumps(texts).encode("ascii"), digest_size=16).hexdigest()


def versions() -> tuple[str, str]:
    """Versions of this package, whose imports must not point up to its top, and scikit-learn."""
    return sys.modules[__name__.partition(".")[0]].__version__, sklearn.__version__


def _hash(content: Any) -> str:
    hashed: str = joblib.hash(_plain(content))
    return hashed


def _plain(content: Any) -> Any:
    """An array by its values alone, an estimator without what changes no result."""
    if isinstance(content, np.ndarray):
        return np.asarray(content)
    if not hasattr(content, "get_params"):
        return content
    bare = clone(content)
    speed = [
        name for name in bare.get_params() if name.rpartition("__")[2] in ("n_jobs", "verbose")
    ]
    return bare.set_params(**dict.fromkeys(speed, None))


def _code(content: Any) -> list[tuple[Any, ...]]:
    """Code of all functions and classes inside, which a pickle has by name alone."""
    if isinstance(content, str) or (
        isinstance(content, np.ndarray) and not content.dtype.hasobject
    ):
        return []
    collector = _Collector()
    collector.dump(_plain(content))
    return sorted(collector.found.values(), key=repr)


class _Collector(pickle.Pickler):
    """Finds functions and classes in what it pickles, without copying arrays."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5, buffer_callback=lambda buffer: None)
        self.found: dict[Any, tuple[Any, ...]] = {}

    def reducer_override(self, value: Any) -> Any:
        """Note functions and classes; all is pickled as ever."""
        if isinstance(value, FunctionType):
            self._note(value, [value])
        elif isinstance(value, type):
            for kind in value.__mro__:
                self._note(kind, _methods(kind))
        return NotImplemented

    def _note(self, value: Any, functions: list[FunctionType]) -> None:
        if (value.__module__ or "").partition(".")[0] in _RELEASED:
            return
        # The source tells defaults and attributes, the code what really runs: a file may have been
        # edited since it was imported.
        codes = tuple(_instructions(function.__code__) for function in functions)
        self.found[value] = (value.__module__, value.__qualname__, _source(value), codes)


def _methods(kind: type) -> list[FunctionType]:
    """All functions that a class itself defines, also those of properties and the like."""
    found = []
    for value in vars(kind).values():
        parts = [getattr(value, name, None) for name in ("__func__", "fget", "fset")]
        found += [part for part in (value, *parts) if isinstance(part, FunctionType)]
    return found


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):  # typed in, or compiled
        return ""


def _instructions(code: CodeType) -> tuple[Any, ...]:
    """What a function does, without where it stands; sets in an order that is always the same."""
    constants = tuple(
        _instructions(value)
        if isinstance(value, CodeType)
        else repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
        for value in code.co_consts
    )
    return code.co_code, code.co_names, constants
