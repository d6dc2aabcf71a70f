"""The splits of a cross-validation, checked before anything is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv
from sklearn.utils import indexable

Split = tuple[NDArray, NDArray]  # training and test images


def checked_splits(cv: Any, X: Any, y: NDArray, weight: NDArray | None, groups: Any) -> list[Split]:
    """All splits that `cv` makes, as index arrays.

    Raises ValueError if there is none, if indices are out of range, or if a training part has no
    sample of positive weight, or a test part fewer than the two that Pearson's r needs.
    """
    _, _, groups = indexable(X, y, groups)
    splits = [
        (np.asarray(train), np.asarray(test)) for train, test in check_cv(cv).split(X, y, groups)
    ]
    if not splits:
        raise ValueError(f"cv must make at least one split; {cv!r} makes none.")
    for number, split in enumerate(splits):
        for part, samples, least in zip(("training", "test"), split, (1, 2), strict=True):
            if samples.dtype.kind not in "iu" or ((samples < 0) | (samples >= len(y))).any():
                raise ValueError(
                    f"Splits of cv must be integers from 0 to n_samples - 1 = {len(y) - 1}; "
                    f"the {part} part of split {number} is {samples!r}."
                )
            seen = np.unique(samples)
            n_seen = len(seen) if weight is None else np.count_nonzero(weight[seen])
            if n_seen < least:
                raise ValueError(
                    f"The {part} part of every split of cv must have at least {least} "
                    f"sample(s) of positive weight; that of split {number} has {n_seen} "
                    f"(n_samples = {len(y)}). Use fewer or larger folds."
                )
    return splits
