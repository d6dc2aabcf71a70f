"""Groups: numbered by label, and one label for every sample."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skalign.utils import check_groups


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
