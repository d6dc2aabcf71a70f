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
    """Compute the fingerprint of arrays, estimators and plain values, equal in every process.

    A function counts by its own code and source, a class by those of its methods and bases. What
    they call does not count. Functions and classes of scikit-learn, numpy, scipy, joblib, the
    standard library and this package count by name.
    """
    parts = [part for content in contents for part in (_hash(content), _code(content))]
    whole: str = joblib.hash(parts)
    return whole


def fingerprint(*texts: str) -> str:
    """Compute the fingerprint of texts, in microseconds."""
    return blake2b(json.dumps(texts).encode("ascii"), digest_size=16).hexdigest()


def versions() -> tuple[str, str]:
    """Versions of this package and of scikit-learn.

    Imports must not point up to the top of the package, which has the version.
    """
    return sys.modules[__name__.partition(".")[0]].__version__, sklearn.__version__


def _hash(content: Any) -> str:
    hashed: str = joblib.hash(_plain(content))
    return hashed


def _plain(content: Any) -> Any:
    """Reduce an array to its values, and an estimator to the parameters that change a result."""
    if isinstance(content, np.ndarray):  # joblib would also hash how it lies in memory
        return content.shape, np.asarray(content, order="C").reshape(-1)
    if not hasattr(content, "get_params"):
        return content
    bare = clone(content)
    speed = [
        name for name in bare.get_params() if name.rpartition("__")[2] in ("n_jobs", "verbose")
    ]
    return bare.set_params(**dict.fromkeys(speed, None))


def _code(content: Any) -> list[tuple[Any, ...]]:
    """Code of all functions and classes inside; a pickle has only their names."""
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
        """Note functions and classes, and pickle everything as usual."""
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
    """Functions that a class itself defines: methods, class and static methods, properties."""
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
    """Instructions of a function without its place in the file, sets in a fixed order."""
    constants = tuple(
        _instructions(value)
        if isinstance(value, CodeType)
        else repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
        for value in code.co_consts
    )
    return code.co_code, code.co_names, constants
