"""Arrays of other libraries than NumPy, as scikit-learn's option ``array_api_dispatch`` allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import get_config

from skalign.utils import Array, import_array_api_compat


@dataclass(frozen=True, eq=False)
class ArrayLibrary:
    """The library, the device and the precision of a call's arrays.

    Parameters
    ----------
    xp : module
        Namespace of the array API standard.
    device : Any
        Device of the arrays, which also holds all that is made from them.
    dtype : Any
        Floating dtype in which the call computes: the widest of its arrays, single precision at
        least; double for integers, where the device has it.
    """

    xp: Any
    device: Any
    dtype: Any

    def table(self, values: Any, name: str, ensure_2d: bool = True) -> Any:
        """Check that an array has rows and real numbers, which may be NaN or infinite."""
        if values.ndim != 2 and (ensure_2d or values.ndim != 1):
            raise ValueError(
                f"{name} must be {'2-D' if ensure_2d else '1-D or 2-D'}; got shape "
                f"{tuple(values.shape)}."
            )
        if 0 in values.shape:
            raise ValueError(f"{name} must have values; got shape {tuple(values.shape)}.")
        if not self.xp.isdtype(values.dtype, ("bool", "integral", "real floating")):
            raise ValueError(f"{name} must hold real numbers; got dtype {values.dtype}.")
        return values

    def from_numpy(self, values: Array) -> Any:
        """Numbers on the device, in the precision of the call."""
        return self.xp.asarray(values, dtype=self.dtype, device=self.device)


def refuse_library(library: ArrayLibrary | None) -> None:
    """Raise ValueError for arrays of another library whose missing values would be masked."""
    if library is not None:
        raise ValueError(
            'missing must be "error" for arrays of other libraries than NumPy; got "mask". Convert '
            "the arrays to NumPy."
        )


def to_numpy(array: Any) -> Any:
    """An array of another library as NumPy's, in the memory of the host; all else as it is."""
    if not _is_of_other_library(array):
        return array
    compat = import_array_api_compat()
    # Only the strict implementation, which is for tests, names its devices by objects.
    xp = compat.array_namespace(array)
    host = xp.Device("CPU_DEVICE") if hasattr(xp, "Device") else "cpu"
    if hasattr(array, "detach"):  # torch converts no array that it differentiates
        array = array.detach()
    return np.asarray(compat.to_device(array, host))


def to_numpy_if_dispatched(array: Any) -> Any:
    """The same where scikit-learn's option is on; without it NumPy converts, as everywhere."""
    return to_numpy(array) if get_config()["array_api_dispatch"] else array


def array_library(*, sample_weight: Any = None, **arrays: Any) -> ArrayLibrary | None:
    """Find the library of a call's arrays.

    Parameters
    ----------
    sample_weight : array-like, default=None
        Weights of the images, which have no say in the precision.
    **arrays : array-like
        The other arguments, by name.

    Returns
    -------
    ArrayLibrary or None
        None for NumPy: where all arguments are array-like, sparse or tables, and wherever
        scikit-learn's option ``array_api_dispatch`` is off.

    Raises
    ------
    ImportError
        If array-api-compat is missing.
    TypeError
        If some arguments are arrays of another library and others are not.
    ValueError
        If the arguments are on several devices.
    """
    if not get_config()["array_api_dispatch"]:
        return None
    given = arrays if sample_weight is None else {**arrays, "sample_weight": sample_weight}
    first = next((name for name, value in given.items() if _is_of_other_library(value)), None)
    if first is None:
        return None
    compat = import_array_api_compat()
    xp, device = compat.array_namespace(given[first]), given[first].device
    for name, value in given.items():
        if not _is_of_other_library(value) or compat.array_namespace(value) is not xp:
            raise TypeError(
                f"{name} must be an array of the same library as {first}, "
                f"{_qualified_name(given[first])}, with array_api_dispatch on; got "
                f"{_qualified_name(value)}. Convert one of them."
            )
        if value.device != device:
            raise ValueError(
                f"{name} must be on the same device as {first}, {device}; got {value.device}. Move "
                "one of them."
            )
    return ArrayLibrary(xp, device, _floating_dtype(xp, device, list(arrays.values())))


def _is_of_other_library(value: Any) -> bool:
    """Whether a value is an array with a device that is not NumPy's."""
    return hasattr(value, "device") and not isinstance(value, np.ndarray | np.generic)


def _floating_dtype(xp: Any, device: Any, arrays: list[Any]) -> Any:
    floating = [array.dtype for array in arrays if xp.isdtype(array.dtype, "real floating")]
    if floating:
        return xp.result_type(xp.float32, *floating)
    known = xp.__array_namespace_info__().dtypes(device=device, kind="real floating")
    return known.get("float64", xp.float32)


def _qualified_name(value: Any) -> str:
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__qualname__}"
