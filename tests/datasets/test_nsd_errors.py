"""Every wrong or missing file of NSD, and every wrong argument, gets an error that says which."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from skalign.datasets import NSDSubject, iter_nsd_stimuli
from tests.datasets.nsd_folder import (
    AFFINE,
    SHAPE,
    design,
    label_volumes,
    paths,
    write_folder,
    write_session,
    write_volume,
)

h5py = pytest.importorskip("h5py", reason="NSD is read with h5py")
nibabel = pytest.importorskip("nibabel", reason="NSD is read with nibabel")


@pytest.fixture
def root(tmp_path):
    """Session 1 of subject 1 as HDF5."""
    write_folder(tmp_path, sessions=(1,))
    return tmp_path


def test_root(tmp_path, root):
    with pytest.raises(FileNotFoundError, match=r"root must be the folder of NSD; got .*nowhere"):
        NSDSubject(tmp_path / "nowhere", 1)
    with pytest.raises(FileNotFoundError, match=r"holds nsddata and nsddata_betas: .*nsddata/nsdd"):
        NSDSubject(root / "nsddata", 1)
    folder = paths(root, 2).betas
    with pytest.raises(FileNotFoundError, match=f"subject 2 are expected in {folder}"):
        NSDSubject(root, 2)


@pytest.mark.parametrize("subject", [0, 9])
def test_subject(root, subject):
    with pytest.raises(ValueError, match=f"subject == {subject}, must be"):
        NSDSubject(root, subject)
    with pytest.raises(TypeError, match="subject must be an instance of"):
        NSDSubject(root, "subj01")
    with pytest.raises(TypeError, match="betas must be the name of a folder"):
        NSDSubject(root, 1, betas=3)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("design", "The design of the experiment"),
        ("ncsnr", "The volume of ncsnr"),
        ("faces", "The volume of floc-faces"),
    ],
)
@pytest.mark.parametrize("damage", ["missing", "foreign", "truncated"])
def test_files_read_as_a_whole(root, file, what, damage):
    where = paths(root)
    where.faces = where.roi / "lh.floc-faces.nii.gz"
    path = getattr(where, file)
    content = path.read_bytes()
    path.unlink()
    error, message = ValueError, f"{what} cannot be read from {path}"
    if damage == "missing":
        error, message = FileNotFoundError, f"{what} is expected at {path}, and there is no such"
    elif damage == "foreign":
        path.write_text("<html>Access denied</html>")
    else:
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(error, match=re.escape(message)):
        NSDSubject(root, 1).read(NSDSubject(root, 1).voxels("FFA-1", hemisphere="lh"))


@pytest.mark.parametrize("kind", ["hdf5", "nii.gz"])
@pytest.mark.parametrize("damage", ["foreign", "truncated"])
def test_damaged_sessions(tmp_path, kind, damage):
    write_folder(tmp_path, sessions=(1,), kind=kind)
    path = paths(tmp_path).betas / f"betas_session01.{kind}"
    content = path.read_bytes()
    path.write_bytes(b"<html>Access denied</html>" if damage == "foreign" else content[:-5000])
    with pytest.raises(ValueError, match=f"The responses of a session cannot be read from {path}"):
        NSDSubject(tmp_path, 1).read("FFA-1")


def test_missing_sessions(root):
    path = paths(root).betas / "betas_session02.hdf5"
    message = f"session 2 are expected at {path}, or as betas_session02.nii.gz beside it"
    for call in (
        NSDSubject(root, 1).trials,
        lambda numbers: NSDSubject(root, 1).read("PPA", sessions=numbers),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            call([1, 2])
    (paths(root).betas / "betas_session01.hdf5").unlink()
    with pytest.raises(FileNotFoundError, match=r"session 1 are expected at .*session01\.hdf5"):
        NSDSubject(root, 1).read("FFA-1")
    with pytest.raises(FileNotFoundError, match=r"session 1 are expected at .*session01\.hdf5"):
        _ = NSDSubject(root, 1).sessions


@pytest.mark.parametrize("sessions", [[], [0], [1, 41], [1, 1], [1.0], 1, "12", [[1]]])
def test_sessions(root, sessions):
    with pytest.raises(
        ValueError, match="sessions must be a list of different numbers from 1 to 40"
    ):
        NSDSubject(root, 1).trials(sessions)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.zeros((749, *SHAPE), np.int16), r"shape \(750, 5, 7, 6\), \(trials, z, y, x\)"),
        (np.zeros((750, 6, 7, 6), np.int16), r"grid of the regions; got \(750, 6, 7, 6\)"),
        (np.zeros((750, *SHAPE[::-1]), np.int16), r"got \(750, 6, 7, 5\) from .*session01\.hdf5"),
        (np.zeros((750, *SHAPE), np.float32), r"int16, percent signal change x 300; got float32"),
        (np.zeros((750, *SHAPE), np.uint16), "int16, percent signal change x 300; got uint16"),
    ],
)
def test_hdf5_that_is_not_nsds(root, counts, message):
    write_session(paths(root).betas, 1, counts)
    with pytest.raises(ValueError, match=message):
        NSDSubject(root, 1).read("FFA-1")


STORAGE = {"a chunk a trial": (1, 5, 7, 6), "boxes": (50, 5, 7, 1), "contiguous": None}


@pytest.mark.parametrize(("layout", "chunks"), STORAGE.items())
def test_parts_of_hdf5_that_were_never_written_are_refused(root, layout, chunks):
    path = paths(root).betas / "betas_session01.hdf5"
    with h5py.File(path) as file:
        counts = file["betas"][:]
    with h5py.File(path, "w") as file:
        betas = file.create_dataset("betas", counts.shape, np.int16, chunks=chunks)
        if layout != "contiguous":
            betas[:100] = counts[:100]  # as a download that stopped
    with pytest.raises(ValueError, match=rf"{path} must hold .*750 trials; got .* never written"):
        NSDSubject(root, 1).read("FFA-1")


def test_parts_of_hdf5_that_nobody_asks_for_may_be_missing(root):
    path = paths(root).betas / "betas_session01.hdf5"
    expected = NSDSubject(root, 1).read("FFA-1", sessions=[1]).responses
    with h5py.File(path) as file:
        counts = file["betas"][:]
    z = np.unique(NSDSubject(root, 1).voxels("FFA-1").xyz[:, 2])
    assert len(z) < counts.shape[1]
    with h5py.File(path, "w") as file:
        betas = file.create_dataset("betas", counts.shape, np.int16, chunks=(750, 1, 7, 6))
        for plane in z:
            betas[:, plane] = counts[:, plane]
    read = NSDSubject(root, 1).read("FFA-1", sessions=[1]).responses
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("axes", [(0, 3, 2, 1), (0, 1, 3, 2), (1, 2, 3, 0), (3, 2, 1, 0)])
@pytest.mark.parametrize("kind", ["hdf5", "nifti"])
def test_swapped_axes_are_refused(tmp_path, kind, axes):
    counts = write_folder(tmp_path, sessions=(1,))[1]  # (trials, x, y, z)
    where = paths(tmp_path).betas
    path = where / "betas_session01.hdf5"
    if kind == "hdf5":
        swapped = counts.transpose(0, 3, 2, 1).transpose(axes)
        with h5py.File(path, "w") as file:
            file["betas"] = swapped
    else:
        path.unlink()
        path = where / "betas_session01.nii.gz"
        swapped = counts.transpose(1, 2, 3, 0).transpose(axes)
        nibabel.Nifti1Image(swapped, AFFINE).to_filename(path)
    message = rf"got {re.escape(str(swapped.shape))} from {path}\. Its axes are swapped: transpose"
    with pytest.raises(ValueError, match=message):
        NSDSubject(tmp_path, 1).read("FFA-1")


FLIPPED = AFFINE @ np.diag([-1, 1, 1, 1])
SHIFTED = AFFINE + np.eye(4)[:, [0]] @ np.eye(4)[[3]] * 1.8  # by one voxel


@pytest.mark.parametrize("affine", [FLIPPED, SHIFTED])
@pytest.mark.parametrize("which", ["ncsnr", "session", "hemisphere", "region"])
def test_volumes_that_lie_otherwise_in_space_are_refused(root, which, affine):
    where = paths(root)
    path = {
        "ncsnr": where.ncsnr,
        "session": where.betas / "betas_session01.nii.gz",
        "hemisphere": where.roi / "rh.floc-faces.nii.gz",
        "region": where.roi / "floc-places.nii.gz",
    }[which]
    if which == "session":
        (where.betas / "betas_session01.hdf5").unlink()
        values = np.ones((*SHAPE, 750), np.int16)
    else:
        values = np.asanyarray(nibabel.load(path).dataobj)
    if which == "hemisphere":
        (where.roi / "floc-faces.nii.gz").unlink()
    nibabel.Nifti1Image(values, affine).to_filename(path)
    with pytest.raises(ValueError, match=rf"{path} must have the affine of .*; got .* again"):
        NSDSubject(root, 1).read(["FFA-1", "PPA"], sessions=[1])


@pytest.mark.parametrize("name", ["zscore", "average"])
@pytest.mark.parametrize("value", ["no", 0, None])
def test_options_are_flags(root, name, value):
    with pytest.raises(TypeError, match=f"{name} must be True or False; got {value!r}"):
        NSDSubject(root, 1).read("FFA-1", **{name: value})


@pytest.mark.parametrize("voxels", [None, 3, [], [3], np.ones(5)])
def test_voxels_are_named_in_their_error(root, voxels):
    with pytest.raises(TypeError, match="voxels must be NSDVoxels, the name of a region"):
        NSDSubject(root, 1).read(voxels)


def test_stimuli_of_another_type_are_refused(root):
    path = paths(root).stimuli
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["imgBrick"] = np.zeros((5, 4, 4, 3), np.float32)
    with pytest.raises(ValueError, match=r"dtype uint8; got shape .* dtype float32"):
        iter_nsd_stimuli(root, [0])


def test_hdf5_without_betas(root):
    path = paths(root).betas / "betas_session01.hdf5"
    with h5py.File(path, "w") as file:
        file["data"] = [1]
        file.create_group("betas")
    with pytest.raises(
        ValueError, match=rf"{path} must have a dataset \"betas\"; got \['betas', 'd"
    ):
        NSDSubject(root, 1).read("FFA-1")


@pytest.mark.parametrize(
    ("shape", "dtype", "slope", "message"),
    [
        ((*SHAPE, 749), np.int16, None, r"shape \(6, 7, 5, 750\), \(x, y, z, trials\)"),
        ((*SHAPE[::-1], 750), np.int16, None, r"grid of the regions; got \(5, 7, 6, 750\)"),
        ((*SHAPE, 750), np.float32, None, "int16, percent signal change x 300; got float32"),
        ((*SHAPE, 750), np.int16, 1 / 300, "without a scale factor in its header; got slope 0.003"),
    ],
)
def test_nifti_that_is_not_nsds(root, shape, dtype, slope, message):
    (paths(root).betas / "betas_session01.hdf5").unlink()
    image = nibabel.Nifti1Image(np.zeros(shape, dtype), AFFINE)
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    image.to_filename(paths(root).betas / "betas_session01.nii.gz")
    with pytest.raises(ValueError, match=message):
        NSDSubject(root, 1).read("FFA-1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sharedix": None}, r"variables masterordering, subjectim, sharedix; no \['sharedix'\]"),
        (
            {"subjectim": design()["subjectim"][:7]},
            r"subjectim of 8 rows .* got shapes \(7, 10000\)",
        ),
        ({"masterordering": np.ones((1, 750))}, r"at least 30000 trials; got .* \(1, 750\)"),
        (
            {"masterordering": design()["masterordering"] - 1},
            "masterordering must hold whole numbers from 1 to 10000",
        ),
        ({"subjectim": design()["subjectim"] - 1}, "subjectim must hold whole numbers from 1 to 7"),
        ({"sharedix": design()["sharedix"] + 0.5}, "sharedix must hold whole numbers from 1 to 7"),
        ({"sharedix": design()["sharedix"][:, :515]}, r"1000 different .* got 515 in 515 numbers"),
        ({"sharedix": design()["sharedix"][:, [0] * 1000]}, "got 1 in 1000 numbers"),
        ({"sharedix": design()["sharedix"][:, ::-1] + 1}, "first columns of subjectim must be the"),
    ],
)
def test_designs_that_are_not_nsds(root, change, message):
    path = paths(root).design
    content = {name: values for name, values in (design() | change).items() if values is not None}
    savemat(path, content)
    with pytest.raises(ValueError, match=message) as caught:
        NSDSubject(root, 1).trials()
    assert str(path) in str(caught.value)


def test_regions_that_are_not_there(root):
    subject = NSDSubject(root, 1)
    known = r"floc-faces \(OFA, FFA-1, .*\); floc-places \(OPA, PPA, RSC\)"
    with pytest.raises(ValueError, match=rf"no region 'FFA' in .*func1pt8mm/roi, .*{known}"):
        subject.voxels("FFA")
    with pytest.raises(ValueError, match="no region 'floc-places/FFA-1'"):
        subject.voxels("floc-places/FFA-1")
    with pytest.raises(ValueError, match="The region 'aTL-faces' has no voxels in subject 1"):
        subject.voxels(["FFA-1", "aTL-faces"])
    with pytest.raises(ValueError, match="no voxels in subject 1, hemisphere 'rh'"):
        subject.voxels("mTL-faces", hemisphere="rh")
    for regions in ([], None, [1], ""):
        with pytest.raises((TypeError, ValueError), match="region"):
            subject.voxels(regions)
    for call in (subject.regions, lambda side: subject.voxels("FFA-1", hemisphere=side)):
        with pytest.raises(ValueError, match='hemisphere must be "lh", "rh" or None for both'):
            call("left")


def test_a_collection_without_names_says_where_its_table_is_expected(root):
    write_volume(paths(root).roi / "lh.streams.nii.gz", label_volumes()["floc-faces"])
    message = rf"expected in {paths(root).label}, as lh\.streams\.mgz\.ctab"
    with pytest.raises(ValueError, match=message):
        NSDSubject(root, 1).voxels("ventral")


def test_no_regions(root):
    for path in paths(root).roi.iterdir():
        path.unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"such as floc-faces\.nii\.gz, .*{paths(root).roi}"
    ):
        NSDSubject(root, 1).voxels("FFA-1")


@pytest.mark.parametrize("line", ["FFA-1", "two FFA-1", "2"])
def test_label_tables_that_are_not(root, line):
    path = paths(root).label / "rh.floc-faces.mgz.ctab"
    path.write_text(f"0 Unknown\n{line}\n")
    with pytest.raises(ValueError, match=f'Lines of {path} must be "label name"; got {line!r}'):
        NSDSubject(root, 1).regions()


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (b"1 A\n", b"1 B\n", "must give labels the same names"),
        (b"1 A\n2 B\n", b"1 A\nB 2\n", "Lines of .*rh.other.* got 'B 2'"),
        (b"1 A\n2 B\n", b"\xff\xfe", r"cannot be read from .*rh\.other\.mgz\.ctab"),
    ],
)
def test_a_faulty_table_is_in_the_way_of_its_own_regions_only(root, left, right, message):
    where = paths(root)
    write_volume(where.roi / "other.nii.gz", label_volumes()["floc-faces"])
    (where.label / "lh.other.mgz.ctab").write_bytes(left)
    (where.label / "rh.other.mgz.ctab").write_bytes(right)
    subject = NSDSubject(root, 1)
    assert len(subject.voxels("FFA-1")) == len(subject.voxels("floc-faces/FFA-1")) == 12
    for region in ("A", "other/A", "B"):
        with pytest.raises(ValueError, match=message):
            subject.voxels(region)
    with pytest.raises(ValueError, match=message):
        subject.regions()
    with pytest.raises(ValueError, match=f"no region 'FAA-1' .*FFA-1, .*{message}"):
        subject.voxels("FAA-1")


@pytest.mark.parametrize("line", ["two PPA", "PPA 2", "PPA", "9 PPA\ntwo"])
def test_a_name_in_a_faulty_table_too_is_asked_for_with_its_collection(root, line):
    path = paths(root).label / "lh.floc-faces.mgz.ctab"
    path.write_text(f"{line}\n")
    subject = NSDSubject(root, 1)
    with pytest.raises(ValueError, match="ask for 'floc-faces/PPA' or 'floc-places/PPA'"):
        subject.voxels("PPA")
    assert len(subject.voxels("floc-places/PPA")) == 16
    with pytest.raises(ValueError, match=f"Lines of {path}"):
        subject.voxels("floc-faces/PPA")


def test_only_the_tables_of_the_collection_asked_for_are_read(root, monkeypatch):
    read = []
    read_text = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, **options: read.append(path) or read_text(path, **options)
    )
    NSDSubject(root, 1).voxels("floc-faces/FFA-1")
    assert {path.name for path in read} == {"lh.floc-faces.mgz.ctab", "rh.floc-faces.mgz.ctab"}


def test_volumes_on_other_grids(root):
    where = paths(root)
    subject = NSDSubject(root, 1)
    write_volume(where.ncsnr, np.zeros((6, 7, 6), np.float32))
    with pytest.raises(ValueError, match=rf"{where.ncsnr} must be on the grid .*\(6, 7, 5\); got"):
        subject.voxels("FFA-1")
    write_volume(where.roi / "floc-places.nii.gz", np.full((6, 7, 6), 2, np.int16))
    with pytest.raises(
        ValueError, match=r"one grid: that of 'PPA' has shape \(6, 7, 6\), that of 'F"
    ):
        subject.voxels(["FFA-1", "PPA"])
    (where.roi / "floc-places.nii.gz").unlink()
    write_volume(where.roi / "rh.floc-places.nii.gz", np.full((6, 7, 6), 2, np.int16))
    with pytest.raises(ValueError, match=r"lh\.floc-places.*rh\.floc-places.* must be on one grid"):
        subject.voxels("PPA")
    write_volume(where.roi / "floc-places.nii.gz", np.zeros((*SHAPE, 2), np.int16))
    with pytest.raises(
        ValueError, match=r"floc-places must be a volume of three axes; got .*, 2\)"
    ):
        subject.voxels("PPA")


@pytest.mark.parametrize("images", [[], [[1]], [0.5], [-1], [73_000], "12"])
def test_images_that_are_not_rows_of_the_stimulus_file(root, images):
    with pytest.raises(ValueError, match="images must be a list of rows of the stimulus file"):
        NSDSubject(root, 1).read("FFA-1", images=images)


def test_images_that_were_not_shown_or_are_named_twice(root):
    subject = NSDSubject(root, 1)
    shown = np.unique(subject.trials())
    unseen = np.setdiff1d(np.arange(73_000), shown)[:2]
    message = f"2 of {len(shown) + 2} were not, {unseen[0]} the first"
    with pytest.raises(ValueError, match=message):
        subject.read("FFA-1", images=[*shown, *unseen])
    with pytest.raises(ValueError, match="images must all be different"):
        subject.read("FFA-1", images=[shown[0], shown[1], shown[0]])


def test_voxels_of_another_subject(root):
    write_folder(root, subject=2, sessions=(1,))
    voxels = NSDSubject(root, 2).voxels("FFA-1")
    with pytest.raises(ValueError, match="must be those of subject 1; got subject 2's"):
        NSDSubject(root, 1).read(voxels)


def test_memory_errors_are_not_blamed_on_the_file(root, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(gzip.GzipFile, "read", fail)
    with pytest.raises(MemoryError):
        NSDSubject(root, 1).voxels("FFA-1")
