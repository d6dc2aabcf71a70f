"""What is done about missing responses: an error that counts them, unless a mask is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast, get_args

import numpy as np

from skalign.utils._missing import ObservedResponses, blocks_of_missing

Missing = Literal["error", "mask"]


def check_missing(missing: Any) -> Missing:
    """Check what is done about missing responses.

    Parameters
    ----------
    missing : Any
        Value to check.

    Returns
    -------
    {"error", "mask"}
        The value.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from skalign.utils import check_missing
    >>> check_missing("mask")
    'mask'
    """
    if not isinstance(missing, str) or missing not in get_args(Missing):
        raise ValueError(f'missing must be "error" or "mask"; got {missing!r}.')
    return cast(Missing, missing)


def unmask(values: Any) -> Any:
    """Put NaN where a masked array of NumPy hides values; all else stays as it is.

    NumPy's own conversion would drop the mask, and what it hides would be taken for observed.

    Parameters
    ----------
    values : Any
        Responses.

    Returns
    -------
    Any
        An array in floating point, or the values as given.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.utils import unmask
    >>> unmask(np.ma.array([1, 2], mask=[False, True]))
    array([ 1., nan])
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    kept: Any = values if values.dtype.kind == "f" else values.astype(np.float64)
    return kept.filled(np.nan)


def refuse_missing(
    Y: Any, name: str = "y", *, maskable: bool = True, remedy: str | None = None
) -> None:
    """Raise ValueError if responses are missing, with the number of targets and images concerned.

    Parameters
    ----------
    Y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses; read block by block. What is no array of numbers is not searched.
    name : str, default="y"
        Name of the argument, for the message.
    maskable : bool, default=True
        Whether ``missing="mask"`` is a way out. If not, all targets are scored on the same images.
    remedy : str, default=None
        Another way out, for the message.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.utils import refuse_missing
    >>> refuse_missing(np.zeros((3, 2)))
    """
    Y = _as_table(Y)
    n_targets, first, images = 0, None, np.zeros(Y.shape[0], bool)
    for start, is_missing in blocks_of_missing(Y):
        some = np.flatnonzero(is_missing.any(axis=0))
        n_targets += some.size
        if some.size and first is None:
            first = start + int(some[0])
        images |= is_missing.any(axis=1)
    if n_targets:
        if remedy is None and maskable:
            remedy = (
                'Use missing="mask", which fits and scores every target on its own observed '
                "images, or drop or impute those targets or images."
            )
        elif remedy is None:
            remedy = (
                "Here all targets are scored on the same images: drop the images or the targets "
                "concerned."
            )
        raise ValueError(
            f"{name} must have no missing responses; got NaN in {n_targets} of {Y.shape[1]} "
            f"targets, first in target {first}, and in {images.sum()} of {Y.shape[0]} images. "
            f"{remedy}"
        )


@contextmanager
def missing_explained(Y: Any, name: str = "y", *, remedy: str | None = None) -> Iterator[None]:
    """Explain an error that missing responses caused: they are looked for only once it is there.

    Parameters
    ----------
    Y : ndarray of shape (n_images, n_targets)
        Responses.
    name, remedy : str
        As in :func:`refuse_missing`.

    Yields
    ------
    None
        Once, where the error may come.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.utils import missing_explained
    >>> with missing_explained(np.zeros((3, 2))):
    ...     pass
    """
    try:
        yield
    except ValueError as error:
        try:
            refuse_missing(Y, name, remedy=remedy)
        except ValueError as explained:
            raise explained from error
        raise


def _as_table(Y: Any) -> Any:
    """Responses as a table of numbers; an empty one where there is nothing to search."""
    if isinstance(Y, ObservedResponses):
        return Y
    try:
        table = np.asarray(Y)
        table = table.astype(np.float64) if table.dtype.kind not in "biuf" else table
    except (TypeError, ValueError):
        return np.empty((0, 0))
    if table.ndim == 1:
        return table.reshape(-1, 1)
    return table if table.ndim == 2 else np.empty((0, 0))
