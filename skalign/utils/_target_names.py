"""Names of targets, as data frames carry them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def target_names(y: Any) -> NDArray[np.object_] | None:
    """Read the names of targets from a data frame or a series, of pandas, polars or their like.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.

    Returns
    -------
    ndarray of shape (n_targets,), dtype object, or None
        Column names of a data frame, or the name of a series. None for other arrays, and where
        not every name is a string or a name is empty.

    Notes
    -----
    No data frame library is imported: a data frame is what has ``columns``, a series what has one
    dimension, a ``name`` and ``to_numpy``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skalign.utils import target_names
    >>> target_names(pd.DataFrame({"voxel 1": [0.5, 1.0], "voxel 2": [2.0, 0.1]}))
    array(['voxel 1', 'voxel 2'], dtype=object)
    """
    if hasattr(y, "columns"):
        names = list(y.columns)
    elif hasattr(y, "name") and hasattr(y, "to_numpy") and len(np.shape(y)) == 1:
        names = [y.name]
    else:
        return None
    if not names or not all(isinstance(name, str) and name for name in names):
        return None
    return np.array(names, dtype=object)
