"""Names of targets: whether two sets are the same, and the column that shows them in tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skalign.metrics._composition import open_shell
from skalign.utils import Array, target_names


def fitted_target_names(estimator: Any) -> NDArray[np.object_] | None:
    """Read the names of the targets that an estimator was fitted to.

    Parameters
    ----------
    estimator : estimator
        Fitted, alone or within pipelines, searches and frozen estimators.

    Returns
    -------
    ndarray of shape (n_targets,), dtype object, or None
        ``target_names_in_``; None where no part of the estimator knows them, as inside target
        transformers.

    Examples
    --------
    >>> import pandas as pd
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.metrics import fitted_target_names
    >>> y = pd.DataFrame({"voxel 1": [1.0, 2.0, 3.0]})
    >>> fitted_target_names(SparsePositiveEncoder().fit([[1.0], [2.0], [3.0]], y))
    array(['voxel 1'], dtype=object)
    """
    while not hasattr(estimator, "target_names_in_"):
        shell = open_shell(estimator)
        if shell is None or len(shell.fitted) != 1:
            return None
        (estimator,) = shell.fitted
    return np.asarray(estimator.target_names_in_, dtype=object)


def check_target_names(
    y: Any, expected: NDArray[np.object_] | None, *, name: str = "y", of: str = "the estimator"
) -> NDArray[np.object_] | None:
    """Refuse responses whose targets have other names, or another order, than expected.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_targets) or (n_samples,)
        Responses. Arrays without names are never refused.
    expected : ndarray of shape (n_targets,) or None
        The expected names; None where they are not known.
    name : str, default="y"
        Name of the argument, for the error.
    of : str, default="the estimator"
        Where the expected names come from, for the error.

    Returns
    -------
    ndarray of shape (n_targets,), dtype object, or None
        The names, from either side; None where neither has any.

    Raises
    ------
    ValueError
        If both have names that are not equal, in order.

    Examples
    --------
    >>> import pandas as pd
    >>> from skalign.metrics import check_target_names
    >>> check_target_names(pd.DataFrame({"V1": [0.1], "V2": [0.5]}), ["V1", "V2"])
    array(['V1', 'V2'], dtype=object)
    """
    names = target_names(y)
    if expected is None or names is None:
        return names if expected is None else np.asarray(expected, dtype=object)
    if list(names) != list(expected):
        raise ValueError(
            f"{name} must have the {len(expected)} targets of {of}, in their order; got "
            f"{_how_names_differ(list(names), list(expected))}. Select the columns of {name} in "
            "that order, or give an array without names."
        )
    return names


def target_column(names: NDArray[np.object_] | None, n_targets: int) -> Array:
    """Give the column ``target`` of a table: names of the targets, or their numbers.

    Parameters
    ----------
    names : ndarray of shape (n_targets,) or None
        The names, where known.
    n_targets : int
        Number of targets.

    Returns
    -------
    ndarray of shape (n_targets,)
        The names, or integers from 0.

    Examples
    --------
    >>> from skalign.metrics import target_column
    >>> target_column(None, 3)
    array([0, 1, 2])
    """
    return np.arange(n_targets) if names is None else np.asarray(names, dtype=object)


def _how_names_differ(names: list[str], expected: list[str]) -> str:
    known, given = set(expected), set(names)
    missing = [name for name in expected if name not in given]
    unknown = [name for name in names if name not in known]
    if missing or unknown:
        parts = [f"without {_some(missing)}"] * bool(missing)
        parts += [f"with {_some(unknown)}, which it does not have"] * bool(unknown)
        return f"{len(names)} targets {' and '.join(parts)}"
    if len(names) != len(expected):
        return f"{len(names)} targets, some of them repeated"
    first = next(k for k, name in enumerate(names) if name != expected[k])
    return f"another order: target {first} is {names[first]!r} instead of {expected[first]!r}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
