"""Sides by name, their differences and tables."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skalign.inference import AlignmentComparison
from skalign.metrics import Alignment


def make_sides(*names):
    rng = np.random.default_rng(0)
    return {
        name: Alignment(*rng.random((2, 3)), rng.integers(1, 9, 3), *rng.random((3, 3)))
        for name in names
    }


def test_differences_are_between_named_sides():
    sides = make_sides("a", "b", "c")
    sides["b"].theta[1] = np.nan
    found = AlignmentComparison(sides)
    assert found["c"] is sides["c"]
    assert_array_equal(found.difference("theta"), sides["a"].theta - sides["b"].theta)
    assert np.isnan(found.difference("theta")[1])
    assert_array_equal(found.difference("r", "c", "b"), sides["c"].r - sides["b"].r)
    expected = sides["a"].n_active - sides["c"].n_active
    assert_array_equal(found.difference("n_active", second="c"), expected)
    assert found.summary()["b"] == sides["b"].summary()


def test_table_has_a_row_per_target_and_every_side():
    sides = make_sides("a", "b")
    found = AlignmentComparison(sides)
    frame = found.to_frame()
    of_sides = [f"{measure}_{side}" for measure in Alignment.MEASURES for side in "ab"]
    differences = ["r_difference", "theta_difference", "theta_observed_difference"]
    assert list(frame.columns) == ["target", *of_sides, *differences]
    assert_array_equal(frame["target"], [0, 1, 2])
    assert_array_equal(frame["theta_b"], sides["b"].theta)
    for name in differences:
        measure = name.removesuffix("_difference")
        assert_array_equal(frame[name], found.difference(measure))
    three = AlignmentComparison(make_sides("a", "b", "c")).to_frame()
    assert three.columns.size == 1 + 6 * 3
    assert not any("difference" in name for name in three)


def test_names_that_are_not_there():
    found = AlignmentComparison(make_sides("a", "b"))
    with pytest.raises(KeyError, match=r"side must be one of .*; got 'first'"):
        found["first"]
    with pytest.raises(KeyError, match="got 'c'"):
        found.difference("r", "a", "c")
    with pytest.raises(ValueError, match="measure must be"):
        found.difference("alpha")
