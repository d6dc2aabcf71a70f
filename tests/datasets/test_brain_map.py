"""Maps through nilearn's maskers, in volumes and on surfaces: read back equal, NaN elsewhere."""

import numpy as np
import pytest

from skalign.datasets import to_brain_map

nib = pytest.importorskip("nibabel", reason="maps are NIfTI: pip install skalign[maps]")
maskers = pytest.importorskip("nilearn.maskers", reason="maskers: pip install skalign[maps]")
nilearn_datasets = pytest.importorskip("nilearn.datasets")
surface = pytest.importorskip("nilearn.surface")

RNG = np.random.default_rng(0)
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
MASK = RNG.random((5, 6, 7)) > 0.6


@pytest.fixture
def voxels():
    return maskers.NiftiMasker(nib.Nifti1Image(MASK.astype(np.int8), AFFINE)).fit()


def values(*shape):
    """Values of targets: the first is 0, a value; the second is of an empty target."""
    found = RNG.random(shape).astype(np.float32)
    found[..., 0], found[..., 1] = 0, np.nan
    return found


def test_volume_is_read_back_equal(voxels, tmp_path):
    theta = values(MASK.sum())
    to_brain_map(theta, voxels).to_filename(tmp_path / "theta.nii.gz")
    image = nib.load(tmp_path / "theta.nii.gz")
    np.testing.assert_array_equal(image.affine, AFFINE)
    volume = np.asanyarray(image.dataobj)
    assert volume.dtype == np.float32
    np.testing.assert_array_equal(volume[MASK], theta)
    assert np.isnan(volume[~MASK]).all()
    as_nilearn = voxels.inverse_transform(np.nan_to_num(theta)).get_fdata()
    np.testing.assert_array_equal(np.nan_to_num(volume), as_nilearn)


def test_several_maps(voxels):
    maps = values(3, MASK.sum())
    maps[1, 2] = np.nan  # an empty target of one map
    volume = to_brain_map(maps, voxels).get_fdata()
    np.testing.assert_array_equal(volume[MASK].T, maps)
    assert np.isnan(volume[~MASK]).all()


def test_template_that_ships_with_nilearn():
    template = nilearn_datasets.load_mni152_brain_mask(resolution=8)
    mask = template.get_fdata() > 0
    r = values(mask.sum())
    image = to_brain_map(r, maskers.NiftiMasker(template).fit())
    np.testing.assert_array_equal(image.get_fdata()[mask], r)
    assert np.isnan(image.get_fdata()[~mask]).all()


def test_regions_by_labels():
    labels = MASK * RNG.integers(1, 5, MASK.shape)
    masker = maskers.NiftiLabelsMasker(nib.Nifti1Image(labels.astype(np.int16), AFFINE)).fit()
    volume = to_brain_map([0.0, np.nan, 0.25, 0.5], masker).get_fdata()
    expected = np.array([np.nan, 0.0, np.nan, 0.25, 0.5])[labels]
    np.testing.assert_array_equal(volume, expected)


@pytest.mark.parametrize("n_maps", [None, 2])
def test_surface_that_ships_with_nilearn(n_maps):
    mesh = nilearn_datasets.load_fsaverage("fsaverage5")["pial"]
    inside = {name: RNG.random(part.n_vertices) > 0.5 for name, part in mesh.parts.items()}
    parts = {name: mask.astype(np.int8) for name, mask in inside.items()}
    masker = maskers.SurfaceMasker(surface.SurfaceImage(mesh, parts)).fit()
    n_left, n_right = (int(mask.sum()) for mask in inside.values())
    theta = values(*filter(None, [n_maps]), n_left + n_right)
    image = to_brain_map(theta, masker)
    assert image.mesh.parts.keys() == mesh.parts.keys()
    read = [image.data.parts[name][mask].T for name, mask in inside.items()]
    np.testing.assert_array_equal(np.concatenate(read, axis=-1), theta)
    for name, mask in inside.items():
        assert np.isnan(image.data.parts[name][~mask]).all()


def test_maps_that_overlap_are_refused():
    weights = RNG.random((5, 6, 7, 3)).astype(np.float32)
    masker = maskers.NiftiMapsMasker(nib.Nifti1Image(weights, AFFINE)).fit()
    with pytest.raises(ValueError, match="each target on places of its own; got one whose"):
        to_brain_map([[0.0, 0.5, 1.0]], masker)


def test_values_that_are_not_those_of_targets(voxels):
    with pytest.raises(ValueError, match="values contains infinity"):
        to_brain_map(np.full(MASK.sum(), np.inf), voxels)
    with pytest.raises((TypeError, ValueError)):
        to_brain_map(np.zeros(MASK.sum() - 1), voxels)
