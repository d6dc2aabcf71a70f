"""Checks of arguments: groups, weights and numbers."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skalign.utils import check_groups, check_number, check_numbers, check_sample_weight


@pytest.mark.parametrize(
    "labels", [["b", "a", "b", "c"], [7, -1, 7, 9], np.array([2.5, 0, 2.5, 3])]
)
def test_groups_are_numbered_in_the_order_of_their_labels(labels):
    assert_array_equal(check_groups(labels, 4), [1, 0, 1, 2])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 2], r"one label per sample, 4 here; got shape \(2,\)"),
        (np.ones((4, 1)), "must be 1-D"),
        ([1, 2, np.nan, 1], "must have a label for every sample; got NaN"),
        (
            np.array(["a", np.nan, "b", "c"], dtype=object),
            "must have a label for every sample; got NaN",
        ),
    ],
)
def test_groups_that_are_none(labels, message):
    with pytest.raises(ValueError, match=message):
        check_groups(labels, 4)


@pytest.mark.parametrize("given", ["1", True, np.True_, None, [1.0]])
def test_flags_and_strings_are_no_number(given):
    with pytest.raises(TypeError, match="undefined must be a real number"):
        check_number(given, "undefined")


@pytest.mark.parametrize("given", [True, [1, "2"], ["1", "2"], [True, False], [1, None]])
def test_flags_and_strings_are_no_numbers(given):
    with pytest.raises(TypeError, match="alpha must be numbers; got"):
        check_numbers(given, "alpha must be numbers")


def test_weights_are_numbers_or_a_mask():
    for given in ([1, 0], np.array([1, 0], dtype=object), [True, False], np.float32([1, 0])):
        assert_array_equal(check_sample_weight(given, 2), [1.0, 0.0])
    with pytest.raises(TypeError, match="sample_weight must be one number per sample; got"):
        check_sample_weight(["1", "0"], 2)
