"""Maps in a volume and on a surface are what the example says, and have gaps where it says."""

import warnings

import numpy as np
import pytest

from tests.example_scripts import run_example

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # old ones say at import that no window will open
    pytest.importorskip("nilearn.plotting", reason="maps: pip install skalign[maps]")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return run_example("plot_map", tmp_path_factory.mktemp("map"))


def test_regions_are_where_they_usually_are(example):
    for code, centers in enumerate(example.CENTERS.values(), start=1):
        voxels = np.argwhere(example.regions == code) @ example.brain.affine[:3, :3].T
        voxels += example.brain.affine[:3, 3]
        left = voxels[:, 0] < 0
        np.testing.assert_allclose(voxels[left].mean(axis=0), centers[0], atol=4)
        np.testing.assert_allclose(voxels[~left].mean(axis=0), centers[1], atol=4)


def test_responses_pass_through_the_image(example):
    one = example.responses_of(example.region, example.cortex.y_train)
    np.testing.assert_allclose(example.y_train, one, rtol=1e-6)


@pytest.mark.parametrize("where", ["volume", "surface"])
def test_prose(example, where):
    found, region = example.found, example.region
    if where == "surface":
        found, region = example.found_on_surface, example.region_of_vertex
    (ffa, ppa), is_empty = (region == 1, region == 2), found.n_active == 0
    assert np.nan_to_num(found.r[ffa]).mean() == pytest.approx(0.53, abs=0.01)
    assert np.nan_to_num(found.r[ppa]).mean() == pytest.approx(0.17, abs=0.01)
    assert np.nanmean(found.theta_observed[ffa]) == pytest.approx(0.57, abs=0.005)
    assert np.nanmean(found.theta_observed[ppa]) > 0.8
    assert not is_empty[ffa].any()
    assert is_empty[ppa].mean() == pytest.approx(0.06, abs=0.01)


def test_gaps_are_nan(example):
    for volume in example.maps.values():
        values = volume.get_fdata()
        assert np.isnan(values[example.regions == 0]).all()
        assert np.isfinite(values).sum() == (example.found.n_active > 0).sum()
    assert "True" in example.printed.split()[-1]
    drawn = np.concatenate(list(example.theta_on_surface.data.parts.values()))
    assert np.isfinite(drawn).sum() == (example.found_on_surface.n_active > 0).sum()
