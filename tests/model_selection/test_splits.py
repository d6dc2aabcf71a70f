"""Splits of a cross-validation: those of scikit-learn, groups never torn, errors with a remedy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    check_cv,
)

from skalign.model_selection import check_splits

X = np.zeros((24, 2))
RUNS = np.arange(24) % 6


def assert_same_splits(found, expected):
    assert len(found) == len(expected)
    for (train, test), (train_too, test_too) in zip(found, expected, strict=True):
        assert_array_equal(train, train_too)
        assert_array_equal(test, test_too)


@pytest.mark.parametrize(
    "cv", [None, 4, KFold(3), ShuffleSplit(2, random_state=0), PredefinedSplit([-1, 0] * 12)]
)
def test_without_groups_they_are_those_of_scikit_learn(cv):
    assert_same_splits(check_splits(cv, X), list(check_cv(cv).split(X)))


@pytest.mark.parametrize(("cv", "n_folds"), [(None, 5), (2, 2), (np.int64(6), 6)])
def test_a_number_of_folds_holds_out_whole_groups(cv, n_folds):
    found = check_splits(cv, X, groups=RUNS)
    assert_same_splits(found, list(GroupKFold(n_folds).split(X, groups=RUNS)))


@pytest.mark.parametrize("cv", [LeaveOneGroupOut(), GroupShuffleSplit(3, random_state=0)])
def test_splitters_by_group_are_obeyed(cv):
    assert_same_splits(check_splits(cv, X, groups=RUNS), list(cv.split(X, groups=RUNS)))


@given(
    st.lists(st.sampled_from(["run 1", "run 2", "run 3", "run 4"]), min_size=8, max_size=30),
    st.one_of(st.none(), st.integers(2, 5)),
)
def test_groups_are_never_torn(labels, cv):
    n_groups = len(set(labels))
    data = np.zeros((len(labels), 1))
    if n_groups < 2 or (cv or 0) > n_groups:
        with pytest.raises(ValueError, match=r"at least 2, to hold one out|at most one fold per"):
            check_splits(cv, data, groups=labels)
        return
    try:
        splits = check_splits(cv, data, groups=labels)
    except ValueError as error:  # a fold of one small group
        assert "at least 2 sample(s)" in str(error)  # noqa: PT017
        return
    held_out = np.concatenate([test for _, test in splits])
    assert_array_equal(np.sort(held_out), np.arange(len(labels)))
    for train, test in splits:
        assert not {labels[i] for i in train} & {labels[i] for i in test}


@pytest.mark.parametrize(
    "cv",
    [
        KFold(4),
        RepeatedKFold(n_splits=2, n_repeats=1, random_state=0),
        ShuffleSplit(1, random_state=0),
        PredefinedSplit([-1] * 12 + [0] * 12),
        [(np.arange(12), np.arange(12, 24))],
    ],
)
def test_splitters_that_ignore_groups_are_refused(cv):
    with pytest.raises(ValueError, match=r"\d group\(s\) with samples in both.*LeaveOneGroupOut"):
        check_splits(cv, X, groups=RUNS)


def test_splitters_that_ignore_groups_may_keep_them_together_all_the_same():
    blocks = np.repeat(["a", "b", "c", "d"], 6)
    assert_same_splits(check_splits(KFold(4), X, groups=blocks), list(KFold(4).split(X)))


ERRORS = {
    "no split": ({"cv": []}, r"at least one split; got none from \[\]"),
    "index beyond": ({"cv": [([0, 1], [2, 24])]}, "integers from 0 to n_samples - 1 = 23; got"),
    "mask": ({"cv": [([True] * 24, [False] * 24)]}, "integers from 0 to n_samples"),
    "test part of one": ({"cv": [([0, 1], [9, 9])]}, "at least 2 .*test part of every.*got 1 in"),
    "folds of one": ({"cv": 24}, "at least 2 sample.*Use fewer or larger folds"),
    "no weight in training": (
        {"cv": [([0, 1], [2, 3])], "sample_weight": np.r_[0.0, 0, np.ones(22)]},
        "at least 1 sample.*training part of every split; got 0 in split 0",
    ),
    "too few groups": (
        {"cv": 5, "groups": np.arange(24) % 3},
        "at most one fold per group, 3 here; got cv=5. Use cv=None or cv=3",
    ),
    "labels missing": ({"cv": 2, "groups": [1, 2]}, r"one label per sample, 24 here; got .*\(2,\)"),
    "labels NaN": ({"cv": 2, "groups": np.r_[np.nan, np.ones(23)]}, "a label for every sample"),
    "y too short": ({"cv": 2, "y": np.zeros(3)}, "inconsistent numbers of samples"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_the_rule_and_the_remedy(case):
    arguments, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        check_splits(X=X, **arguments)


def test_fewer_groups_than_five_folds_are_a_fold_each():
    groups = np.repeat(np.arange(3), 4)
    splits = check_splits(None, np.zeros((12, 1)), groups=groups)
    assert sorted(tuple(np.unique(groups[test])) for _, test in splits) == [(0,), (1,), (2,)]
    with pytest.raises(ValueError, match="groups must be at least 2, to hold one out; got 1"):
        check_splits(None, np.zeros((12, 1)), groups=np.zeros(12))
