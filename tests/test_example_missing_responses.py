"""The example on subjects who saw different images: its prose is true."""

import pytest

from tests.example_scripts import run_example


def test_missing_responses(tmp_path):
    example = run_example(
        "plot_missing_responses", tmp_path, smaller={"[25, 50, 100, 150, 200]": "[50, 200]"}
    )
    common, filled, masked = example.R2
    assert common == pytest.approx([0.25, 0.25], abs=0.005)
    assert masked[0] < masked[1] == pytest.approx(0.28, abs=0.006)
    assert filled[0] > filled[1] == pytest.approx(0.16, abs=0.006)
    assert example.r[1] == pytest.approx(example.r[2], abs=0.01)
    assert example.r_of_folds[1, 1] == pytest.approx(0.23, abs=0.006)
    assert example.r[1, 1] == pytest.approx(0.53, abs=0.006)
    assert example.r_of_folds[2] == pytest.approx(example.r[2], abs=0.03)
