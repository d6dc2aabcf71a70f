"""The splits of a cross-validation, checked before anything is fitted."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import GroupKFold, check_cv
from sklearn.utils import check_consistent_length

from skalign.utils import Array, Doubles, Indices, check_groups

N_FOLDS = 5  # of cv=None, as in scikit-learn

Split = tuple[Indices, Indices]  # training and test samples


def check_splits(
    cv: Any,
    X: Any,
    y: Any = None,
    *,
    sample_weight: Doubles | None = None,
    groups: ArrayLike | None = None,
) -> list[Split]:
    """Make the splits of a cross-validation, samples of a group always in the same part.

    Parameters
    ----------
    cv : int, cross-validation generator, iterable or None
        Any of scikit-learn's. A number of folds, or None for 5 folds, makes folds of whole groups
        where `groups` are given (:class:`~sklearn.model_selection.GroupKFold`).
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
        Targets, for splitters that stratify.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of the samples. A sample of weight zero does not count.
    groups : array-like of shape (n_samples,), default=None
        Run, session or subject of every sample.

    Returns
    -------
    list of (train, test)
        Indices of the training and of the test samples of every split.

    Raises
    ------
    ValueError
        If `cv` makes no split, or more folds than there are groups; if an index is out of range;
        if a training part has no sample of positive weight, or a test part has fewer than the two
        that Pearson's r needs; if a group has samples in both parts of a split.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.model_selection import check_splits
    >>> X, runs = np.zeros((6, 2)), [1, 2, 1, 2, 3, 3]
    >>> for train, test in check_splits(3, X, groups=runs):
    ...     print(train, test)
    [0 1 2 3] [4 5]
    [0 2 4 5] [1 3]
    [1 3 4 5] [0 2]
    """
    n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
    labels = None if groups is None else check_groups(groups, n_samples)
    if labels is not None and (cv is None or isinstance(cv, Integral)):
        cv = _group_folds(cv, labels)
    check_consistent_length(X, y)
    with warnings.catch_warnings():
        # Splits that tear groups apart are an error below.
        warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
        splits = [
            (np.asarray(train), np.asarray(test))
            for train, test in check_cv(cv).split(X, y, groups if labels is None else labels)
        ]
    if not splits:
        raise ValueError(f"cv must make at least one split; got none from {cv!r}.")
    for number, split in enumerate(splits):
        for part, samples, least in zip(("training", "test"), split, (1, 2), strict=True):
            _check_part(samples, f"the {part} part of split {number}", n_samples)
            seen = np.unique(samples)
            n_seen = len(seen) if sample_weight is None else np.count_nonzero(sample_weight[seen])
            if n_seen < least:
                raise ValueError(
                    f"cv must leave at least {least} sample(s) of positive weight in the {part} "
                    f"part of every split; got {n_seen} in split {number} (n_samples = "
                    f"{n_samples}). Use fewer or larger folds."
                )
        if labels is not None:
            _check_whole_groups(cv, split, number, labels)
    return splits


def _group_folds(cv: Any, labels: Indices) -> GroupKFold:
    n_groups = int(labels.max()) + 1
    n_folds = min(N_FOLDS, n_groups) if cv is None else int(cv)
    if n_groups < 2:
        raise ValueError(
            "groups must be at least 2, to hold one out; got 1. A single group cannot be split: "
            "label runs or sessions, or drop groups if samples are independent."
        )
    if n_folds > n_groups:
        raise ValueError(
            f"cv must make at most one fold per group, {n_groups} here; got cv={cv!r}. Use "
            f"cv=None or cv={n_groups}."
        )
    return GroupKFold(n_folds)


def _check_part(samples: Array, name: str, n_samples: int) -> None:
    if samples.dtype.kind not in "iu" or ((samples < 0) | (samples >= n_samples)).any():
        raise ValueError(
            f"cv must make splits of integers from 0 to n_samples - 1 = {n_samples - 1}; got "
            f"{samples!r} as {name}."
        )


def _check_whole_groups(cv: Any, split: Split, number: int, labels: Indices) -> None:
    train, test = split
    torn = np.intersect1d(labels[train], labels[test])
    if torn.size:
        raise ValueError(
            "cv must keep the samples of a group in the same part of every split where groups are "
            f"given; got {torn.size} group(s) with samples in both parts of split {number} from "
            f"{type(cv).__name__}. Use cv=None, a number of folds, or a splitter by groups such as "
            "LeaveOneGroupOut."
        )
