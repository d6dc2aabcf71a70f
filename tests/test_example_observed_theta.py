"""The example of the observed theta runs, and what its prose says is true of its numbers."""

import numpy as np
import pytest

from tests.example_scripts import run_example


@pytest.fixture(scope="module")
def gaps(tmp_path_factory):
    example = run_example("plot_observed_theta", tmp_path_factory.mktemp("example"))
    return {
        name: 1 - found.theta_observed - found.r * (1 - found.theta)
        for name, found in example.found.items()
    }


def test_positive_voxels_lie_on_the_line_and_overfitted_signed_ones_above(gaps):
    assert np.abs(gaps["positive lasso"]).max() < 0.003
    assert gaps["signed least squares"].min() > 0.05
