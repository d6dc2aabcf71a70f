"""Regions of NSD by name, the table of voxels, and maps back on the grid."""

import sys

import numpy as np
import pytest

from skalign.datasets import NSDSubject
from tests.datasets.nsd_folder import (
    AFFINE,
    NAMES,
    SHAPE,
    label_volumes,
    paths,
    write_folder,
    write_label_tables,
    write_volume,
)

pytest.importorskip("h5py", reason="NSD is read with h5py")
nibabel = pytest.importorskip("nibabel", reason="NSD is read with nibabel")


@pytest.fixture
def root(tmp_path):
    """A folder without sessions and label tables."""
    write_folder(tmp_path, sessions=(), tables=False)
    return tmp_path


def positions(volume, label):
    return np.argwhere(label_volumes()[volume] == label)


@pytest.mark.parametrize("tables", [True, False])
@pytest.mark.parametrize("collection", NAMES)
def test_every_name_has_its_label(root, collection, tables):
    if tables:
        write_label_tables(root)
    subject = NSDSubject(root, 1)
    assert subject.regions() == {name: of[1:] for name, of in NAMES.items()}
    for label, name in enumerate(NAMES[collection]):
        where = positions(collection, label)
        if label > 0 and len(where):
            np.testing.assert_array_equal(subject.voxels(name).xyz, where)


@pytest.mark.parametrize("sides", [("lh.", "rh."), ("",), ("rh.",)])
def test_tables_come_before_the_fixed_names(root, sides):
    names = {"floc-faces": ["Unknown", "FFA-1", "OFA", "mine"]}
    write_label_tables(root, names=names, sides=sides)
    subject = NSDSubject(root, 1)
    assert subject.regions()["floc-faces"] == ["FFA-1", "OFA", "mine"]
    assert subject.regions()["floc-places"] == NAMES["floc-places"][1:]
    np.testing.assert_array_equal(subject.voxels("FFA-1").xyz, positions("floc-faces", 1))
    np.testing.assert_array_equal(subject.voxels("mine").xyz, positions("floc-faces", 3))


def test_tables_may_have_colors_comments_and_gaps(root):
    table = "# made by hand\n\n  0  Unknown  0 0 0 0\n  7\tPPA\t10 20 30 0\n2 FFA-1 1 1 1 0\n"
    for side in ("lh", "rh"):
        (paths(root).label).mkdir(parents=True, exist_ok=True)
        (paths(root).label / f"{side}.floc-faces.mgz.ctab").write_text(table)
    assert NSDSubject(root, 1).regions()["floc-faces"] == ["PPA", "FFA-1"]


def test_a_hemisphere_has_its_own_table_and_volume(root):
    subject = NSDSubject(root, 1)
    both = subject.voxels("PPA")
    for side, is_in in [("lh", both.xyz[:, 0] < 3), ("rh", both.xyz[:, 0] >= 3)]:
        voxels = subject.voxels("PPA", hemisphere=side)
        assert len(voxels) == 8
        np.testing.assert_array_equal(voxels.xyz, positions(f"{side}.floc-places", 2))
        np.testing.assert_array_equal(voxels.xyz, both.xyz[is_in])
    write_label_tables(root, names={"floc-places": ["Unknown", "PPA"]}, sides=["lh."])
    write_label_tables(root, names={"floc-places": ["Unknown", "RSC", "PPA"]}, sides=["rh."])
    left, right = (subject.voxels("PPA", hemisphere=side).xyz for side in ("lh", "rh"))
    np.testing.assert_array_equal(left, positions("lh.floc-places", 1))
    np.testing.assert_array_equal(right, positions("rh.floc-places", 2))
    with pytest.raises(ValueError, match=r"lh\.floc-places.*rh\.floc-places.*the same names"):
        subject.voxels("PPA")


def test_without_a_volume_of_both_hemispheres_the_two_are_joined(root):
    (paths(root).roi / "floc-faces.nii.gz").unlink()
    voxels = NSDSubject(root, 1).voxels("FFA-1")
    np.testing.assert_array_equal(voxels.xyz, positions("floc-faces", 2))


def test_several_regions(root):
    names = ["PPA", "FFA-1", "PPA"]
    voxels = NSDSubject(root, 1).voxels(names)
    assert len(voxels) == 16 + 12
    assert (np.diff(voxels.voxel_id) > 0).all()
    for name, volume, label in [("PPA", "floc-places", 2), ("FFA-1", "floc-faces", 2)]:
        where = voxels.xyz[voxels.region == name]
        np.testing.assert_array_equal(where, positions(volume, label))


def test_a_voxel_in_two_regions_has_both_names(root):
    places = label_volumes()["floc-places"]
    shared = tuple(positions("floc-faces", 2)[0])
    places[shared] = 2
    write_volume(paths(root).roi / "floc-places.nii.gz", places)
    voxels = NSDSubject(root, 1).voxels(["PPA", "FFA-1"])
    assert len(voxels) == 16 + 12
    assert voxels.region[(voxels.xyz == shared).all(axis=1)].tolist() == ["PPA+FFA-1"]


def test_a_name_in_two_collections_is_asked_for_with_one(root):
    write_volume(paths(root).roi / "Kastner.nii.gz", label_volumes()["floc-faces"])
    write_label_tables(root, names={"Kastner": ["Unknown", "V1", "PPA"]})
    subject = NSDSubject(root, 1)
    with pytest.raises(ValueError, match="ask for 'Kastner/PPA' or 'floc-places/PPA'"):
        subject.voxels("PPA")
    voxels = subject.voxels("Kastner/PPA")
    np.testing.assert_array_equal(voxels.xyz, positions("floc-faces", 2))


def test_labels_that_share_a_name_are_one_region(root):
    names = {"floc-faces": ["Unknown", "OFA", "FFA", "FFA"]}
    write_label_tables(root, names=names)
    subject = NSDSubject(root, 1)
    assert subject.regions()["floc-faces"] == ["OFA", "FFA"]
    for side in (None, "lh", "rh"):
        volume = "floc-faces" if side is None else f"{side}.floc-faces"
        expected = np.argwhere(np.isin(label_volumes()[volume], [2, 3]))
        np.testing.assert_array_equal(subject.voxels("FFA", hemisphere=side).xyz, expected)


def test_table_of_voxels(root):
    pytest.importorskip("pandas")
    voxels = NSDSubject(root, 1).voxels("FFA-1")
    frame = voxels.to_frame()
    assert list(frame) == ["voxel_id", "subject", "region", "ncsnr", "x", "y", "z"]
    ncsnr = nibabel.load(paths(root).ncsnr).get_fdata()
    for row in frame.itertuples():
        assert row.voxel_id == (row.x * SHAPE[1] + row.y) * SHAPE[2] + row.z
        assert row.ncsnr == np.float32(ncsnr[row.x, row.y, row.z])
    assert set(frame["subject"]) == {1}
    assert set(frame["region"]) == {"FFA-1"}


def test_select(root):
    voxels = NSDSubject(root, 1).voxels("FFA-1")
    reliable = voxels.select(voxels.ncsnr > 0.5)
    assert 0 < len(reliable) < len(voxels)
    assert (reliable.ncsnr > 0.5).all()
    assert set(reliable.voxel_id) == set(voxels.voxel_id[voxels.ncsnr > 0.5])
    np.testing.assert_array_equal(voxels.select([5, 2]).xyz, voxels.xyz[[2, 5]])
    with pytest.raises(ValueError, match="at least one of the 12 voxels"):
        voxels.select(voxels.ncsnr > 2)
    with pytest.raises(ValueError, match=r"each of the 12 voxels; got shape \(3,\)"):
        voxels.select([True, False, True])


def test_maps_lie_where_the_voxels_are(root, tmp_path):
    voxels = NSDSubject(root, 1).voxels(["FFA-1", "PPA"])
    r, theta = np.random.default_rng(0).uniform(size=(2, len(voxels)))
    theta[3] = np.nan  # an empty map has no theta
    voxels.to_nifti(theta).to_filename(tmp_path / "theta.nii.gz")
    image = nibabel.load(tmp_path / "theta.nii.gz")
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
    assert image.shape == SHAPE
    assert image.get_data_dtype() == np.float32
    volume = image.get_fdata()
    for (x, y, z), value in zip(voxels.xyz, theta, strict=True):
        np.testing.assert_equal(volume[x, y, z], np.float32(value))
    assert np.isfinite(volume).sum() == len(voxels) - 1
    both = voxels.to_nifti([r, theta]).get_fdata()
    assert both.shape == (*SHAPE, 2)
    np.testing.assert_array_equal(both[..., 1], volume)
    np.testing.assert_array_equal(both[..., 0][tuple(voxels.xyz.T)], r.astype(np.float32))


def test_maps_of_another_length(root):
    with pytest.raises(ValueError, match=r"each of the 12 voxels .* got shape \(13,\)"):
        NSDSubject(root, 1).voxels("FFA-1").to_nifti(np.zeros(13))


def test_packages_that_are_missing_are_named(root, monkeypatch):
    subject = NSDSubject(root, 1)
    voxels = subject.voxels("FFA-1")
    for package, extra, call in [
        ("nibabel", "nsd", lambda: subject.voxels("FFA-1")),
        ("nibabel", "nsd", lambda: voxels.to_nifti(voxels.ncsnr)),
        ("pandas", "table", voxels.to_frame),
    ]:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(ImportError, match=rf'{package}: pip install "skalign\[{extra}\]"'):
                call()
