"""The example of a rotation runs, and what its prose says is true of its numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.example_scripts import run_example


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return run_example("plot_rotation", tmp_path_factory.mktemp("example"))


def test_signed_maps_do_not_see_the_rotation_and_theta_does(example):
    table = example.table
    assert_allclose(table["r, signed"], 1)
    assert (np.diff(table["theta, signed"]) > 0).all()
    assert table["theta, signed"].iloc[-1] > 0.9


def test_positive_maps_and_matches_lose_with_the_angle(example):
    table = example.table
    assert (np.diff(table["r, positive"]) < 0.001).all()
    assert table["r, positive"].iloc[-1] < 0.6
    assert_allclose(table["soft matching"], np.cos(np.radians(table.index)), atol=0.03)


def test_only_what_sees_the_axes_owes_them_something(example):
    signed, positive, matching = example.axes_matter.values()
    assert abs(signed.difference) < 1e-10
    for found in (positive, matching):
        assert found.difference > 5 * found.standard_error > 0
