"""Responses read from a folder of NSD: their values, what was read for them, in what memory."""

import builtins
import tracemalloc
import warnings

import numpy as np
import pytest

import skalign.datasets._nsd._betas as reader
from skalign.datasets import NSDSubject
from tests.datasets.nsd_folder import (
    BETAS,
    SHAPE,
    image_of_trial,
    label_volumes,
    paths,
    write_folder,
    write_session,
    write_volume,
)

h5py = pytest.importorskip("h5py", reason="NSD is read with h5py")
pytest.importorskip("nibabel", reason="NSD is read with nibabel")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sessions 1 and 2 of subject 1 in HDF5, with the integers in them."""
    root = tmp_path_factory.mktemp("nsd")
    return root, write_folder(root)


def expected(counts, positions, zscore):
    """Trials x voxels by the definition, and the image of each trial."""
    blocks, images = [], []
    for number, integers in counts.items():
        percent = np.array([integers[:, x, y, z] for x, y, z in positions]).T / 300.0
        if zscore:
            percent = (percent - percent.mean(axis=0)) / percent.std(axis=0)
        blocks.append(percent)
        images += [image_of_trial(1, trial) for trial in range(750 * (number - 1), 750 * number)]
    return np.concatenate(blocks), np.array(images)


def ffa():
    return np.argwhere(label_volumes()["floc-faces"] == 2)


@pytest.mark.parametrize("zscore", [True, False])
def test_trials(folder, zscore):
    root, counts = folder
    read = NSDSubject(root, 1).read("FFA-1", zscore=zscore, average=False)
    responses, images = expected(counts, ffa(), zscore)
    assert read.responses.dtype == np.float32
    assert read.responses.shape == (1500, 12)
    np.testing.assert_allclose(read.responses, responses, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(read.images, images)
    assert set(read.n_trials) == {1}
    assert read.sessions.tolist() == [1, 2]
    np.testing.assert_array_equal(read.voxels.xyz, ffa())


@pytest.mark.parametrize("zscore", [True, False])
def test_averages_over_repeats(folder, zscore):
    root, counts = folder
    read = NSDSubject(root, 1).read("FFA-1", zscore=zscore)
    trials, images = expected(counts, ffa(), zscore)
    assert read.images.tolist() == sorted(set(images.tolist()))
    assert read.responses.shape == (500, 12)
    assert set(read.n_trials) == {3}
    means = [trials[images == image].mean(axis=0) for image in read.images]
    np.testing.assert_allclose(read.responses, means, rtol=1e-5, atol=1e-5)


def test_only_the_repeats_of_the_sessions_count(folder):
    root, counts = folder
    read = NSDSubject(root, 1).read("FFA-1", sessions=[2])
    trials, images = expected({2: counts[2]}, ffa(), zscore=True)
    assert set(read.n_trials) == {1, 2, 3}
    for image, n_trials, response in zip(read.images, read.n_trials, read.responses, strict=True):
        assert n_trials == np.count_nonzero(images == image)
        mean = trials[images == image].mean(axis=0)
        np.testing.assert_allclose(response, mean, rtol=1e-5, atol=1e-5)


def test_sessions_are_read_in_their_order(folder):
    subject = NSDSubject(folder[0], 1)
    read = subject.read("FFA-1", sessions=[2, 1], average=False)
    assert read.sessions.tolist() == [1, 2]
    np.testing.assert_array_equal(read.images, subject.trials())


def test_rows_follow_the_images_asked_for(folder):
    subject = NSDSubject(folder[0], 1)
    everything = subject.read("FFA-1")
    which = np.random.default_rng(0).permutation(500)[:50]
    some = subject.read("FFA-1", images=everything.images[which])
    np.testing.assert_array_equal(some.images, everything.images[which])
    np.testing.assert_array_equal(some.responses, everything.responses[which])
    trials = subject.read("FFA-1", images=everything.images[which], average=False)
    assert len(trials.responses) == 150
    is_wanted = np.isin(subject.trials(), everything.images[which])
    np.testing.assert_array_equal(trials.images, subject.trials()[is_wanted])


def test_nifti_and_a_mixture_agree_with_hdf5(folder, tmp_path):
    root, counts = folder
    write_folder(tmp_path, kind="nii.gz")
    asked = NSDSubject(root, 1).read(["FFA-1", "PPA"])
    read = NSDSubject(tmp_path, 1).read(["FFA-1", "PPA"])
    np.testing.assert_array_equal(read.responses, asked.responses)
    (paths(tmp_path).betas / "betas_session02.nii.gz").unlink()
    write_session(paths(tmp_path).betas, 2, counts[2])
    read = NSDSubject(tmp_path, 1).read(["FFA-1", "PPA"])
    np.testing.assert_array_equal(read.responses, asked.responses)


def test_gaps_in_sessions_warn_and_are_skipped(tmp_path):
    write_folder(tmp_path, sessions=(2, 5))
    subject = NSDSubject(tmp_path, 1)
    message = r"Sessions 1, 3, 4 of subject 1 are missing from .*, which has sessions up to 5"
    with pytest.warns(UserWarning, match=message) as caught:
        assert subject.sessions == [2, 5]
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=message):
        read = subject.read("FFA-1", average=False)
    images = [image_of_trial(1, trial) for trial in [*range(750, 1500), *range(3000, 3750)]]
    asked = subject.trials(sessions=[2, 5])  # a choice, which does not warn
    assert read.images.tolist() == images == asked.tolist()


def test_sessions_beyond_those_completed_are_not_looked_at(tmp_path):
    counts = write_folder(tmp_path, subject=4, sessions=(30,))
    write_session(paths(tmp_path, 4).betas, 31, counts[30])
    with pytest.warns(UserWarning, match=r"Sessions 1, .* 29 of subject 4"):
        assert NSDSubject(tmp_path, 4).sessions == [30]


def test_z_scores_are_of_each_session(folder):
    read = NSDSubject(folder[0], 1).read("PPA", average=False)
    for session in np.split(read.responses.astype(float), 2):
        np.testing.assert_allclose(session.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(session.std(axis=0), 1, atol=1e-6)


LAYOUTS = {
    "a chunk a voxel": {"chunks": (750, 1, 1, 1)},
    "boxes": {"chunks": (50, 2, 3, 4), "compression": "gzip"},
    "a chunk a trial": {"chunks": (1, 5, 7, 6)},
    "contiguous": {},
}


@pytest.mark.parametrize("block", [1, 3000, 2**23])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_and_block_reads_the_same(folder, tmp_path, monkeypatch, layout, block):
    root, counts = folder
    asked = NSDSubject(root, 1).read(["FFA-1", "RSC"], sessions=[1])
    write_folder(tmp_path, sessions=())
    write_session(paths(tmp_path).betas, 1, counts[1], **LAYOUTS[layout])
    monkeypatch.setattr(reader, "_BLOCK_BYTES", block)
    read = NSDSubject(tmp_path, 1).read(["FFA-1", "RSC"])
    np.testing.assert_array_equal(read.responses, asked.responses)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_read_is_the_box_of_voxels_in_each_chunk(folder, tmp_path, monkeypatch, layout):
    write_folder(tmp_path, sessions=())
    write_session(paths(tmp_path).betas, 1, folder[1][1], **LAYOUTS[layout])
    plane = (1, SHAPE[1], SHAPE[0])
    extent = LAYOUTS[layout].get("chunks", (1, *plane))[1:]
    boxes = {}
    for x, y, z in ffa():
        cell = tuple(position // size for position, size in zip((z, y, x), extent, strict=True))
        boxes.setdefault(cell, []).append((z, y, x))
    sizes = [np.prod(np.ptp(box, axis=0) + 1) for box in boxes.values()]

    n_read, get = [], h5py.Dataset.__getitem__

    def count(dataset, index):
        values = get(dataset, index)
        n_read.append(values.size)
        return values

    monkeypatch.setattr(h5py.Dataset, "__getitem__", count)
    NSDSubject(tmp_path, 1).read("FFA-1")
    assert sum(n_read) == 750 * sum(sizes)


@pytest.mark.parametrize("block", [1, 3000])
def test_nifti_in_any_block(folder, tmp_path, monkeypatch, block):
    root, counts = folder
    asked = NSDSubject(root, 1).read("FFA-1", sessions=[1])
    write_folder(tmp_path, sessions=())
    write_session(paths(tmp_path).betas, 1, counts[1], kind="nii.gz")
    monkeypatch.setattr(reader, "_BLOCK_BYTES", block)
    read = NSDSubject(tmp_path, 1).read("FFA-1")
    np.testing.assert_array_equal(read.responses, asked.responses)


def test_a_compressed_stream_is_not_begun_again_for_every_block(folder, tmp_path, monkeypatch):
    write_folder(tmp_path, sessions=())
    path = write_session(paths(tmp_path).betas, 1, folder[1][1], kind="nii.gz")
    opened, open_file = [], builtins.open

    def count(file, *args, **kwargs):
        opened.append(str(file))
        return open_file(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", count)
    n_opened = []
    for block in (1, 2**23):
        monkeypatch.setattr(reader, "_BLOCK_BYTES", block)
        NSDSubject(tmp_path, 1).read("FFA-1")
        n_opened.append(opened.count(str(path)))
        opened.clear()
    assert 0 < n_opened[0] == n_opened[1]


def test_no_other_voxel_is_read(folder, tmp_path):
    """The chunks of all others are destroyed."""
    root, counts = folder
    write_folder(tmp_path, sessions=())
    layout = {"chunks": (750, 1, 1, 1), "compression": "gzip"}
    path = write_session(paths(tmp_path).betas, 1, counts[1], **layout)
    wanted = {tuple(position) for position in ffa()}
    with h5py.File(path) as file:
        betas = file["betas"].id
        chunks = [betas.get_chunk_info(index) for index in range(betas.get_num_chunks())]
    with open(path, "r+b") as file:
        for chunk in chunks:
            if chunk.chunk_offset[:0:-1] not in wanted:
                file.seek(chunk.byte_offset)
                file.write(b"\xff" * chunk.size)
    subject = NSDSubject(tmp_path, 1)
    asked = NSDSubject(root, 1).read("FFA-1", sessions=[1])
    np.testing.assert_array_equal(subject.read("FFA-1").responses, asked.responses)
    with pytest.raises(ValueError, match=r"cannot be read from .*betas_session01\.hdf5"):
        subject.read("FFA-2")


@pytest.mark.parametrize("ends", [(17_000, -17_000), (32_767, -32_768)])
def test_voxels_that_vary_by_more_than_int16_holds_are_kept(folder, tmp_path, ends):
    _, counts = folder
    write_folder(tmp_path, sessions=())
    integers = counts[1].copy()
    integers[(slice(None), *ffa()[0])] = 0
    integers[(slice(2), *ffa()[0])] = ends
    write_session(paths(tmp_path).betas, 1, integers)
    read = NSDSubject(tmp_path, 1).read("FFA-1", zscore=False, average=False)
    np.testing.assert_array_equal(read.voxels.xyz, ffa())
    np.testing.assert_allclose(read.responses[:2, 0], np.array(ends) / 300, rtol=1e-6)


def test_invalid_voxels_are_left_out_and_said(folder, tmp_path):
    _, counts = folder
    write_folder(tmp_path, sessions=())
    positions = ffa()
    first, second = tuple(positions[3]), tuple(positions[7])
    for number, voxel in [(1, first), (2, second)]:
        integers = counts[number].copy()
        integers[(slice(None), *voxel)] = 0
        write_session(paths(tmp_path).betas, number, integers)
    subject = NSDSubject(tmp_path, 1)
    with pytest.warns(UserWarning, match="2 of 12 voxels are constant in a session") as caught:
        read = subject.read("FFA-1")
    assert caught[0].filename == __file__
    kept = np.delete(positions, [3, 7], axis=0)
    np.testing.assert_array_equal(read.voxels.xyz, kept)
    asked = NSDSubject(folder[0], 1).read("FFA-1")
    np.testing.assert_array_equal(read.responses, np.delete(asked.responses, [3, 7], axis=1))
    only = subject.voxels("FFA-1").select([3, 7])
    where = r"1 of them in session 1, .*betas_session01.hdf5, and others in 1 other session"
    with pytest.raises(ValueError, match=rf"2 of 2 voxels are constant.*{where}.*no voxel is left"):
        subject.read(only)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(subject.read("FFA-2").voxels) == 8
    with pytest.warns(UserWarning, match="1 of 2 voxels"):
        read = subject.read(only, sessions=[2], zscore=False)
    assert read.voxels.xyz.tolist() == [[*first]]


@pytest.mark.parametrize("kind", ["hdf5", "nii.gz"])
def test_memory_is_bounded(tmp_path, kind):
    """A session of 40 MB is never in memory, nor do sessions add up."""
    shape = (30, 30, 30)
    where = paths(tmp_path)
    write_folder(tmp_path, sessions=())
    regions = np.zeros(shape, dtype=np.int16)
    regions[::7, ::7, ::7] = 2
    for path in where.roi.iterdir():
        write_volume(path, regions)
    write_volume(where.ncsnr, np.ones(shape, dtype=np.float32))
    counts = np.zeros((750, *shape), dtype=np.int16)
    counts[:, ::7, ::7, ::7] = np.random.default_rng(0).integers(-900, 900, (750, 5, 5, 5))
    for number in (1, 2):
        write_session(where.betas, number, counts, kind)
    del counts
    subject = NSDSubject(tmp_path, 1)
    images, voxels = subject.trials()[:20], subject.voxels("FFA-1")
    images = np.unique(images)
    peaks = []
    for sessions in ([1], [1, 2]):
        tracemalloc.start()
        read = subject.read(voxels, images=images, sessions=sessions)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read.responses.shape == (len(images), 125)
    assert peaks[0] < 20e6
    assert peaks[1] < peaks[0] + 1e6


def test_another_version_of_the_betas(folder, tmp_path):
    write_folder(tmp_path)
    paths(tmp_path).betas.rename(paths(tmp_path).betas.with_name("betas_assumehrf"))
    with pytest.raises(
        FileNotFoundError, match=rf"func1pt8mm/{BETAS}, and there is no such folder"
    ):
        NSDSubject(tmp_path, 1)
    read = NSDSubject(tmp_path, 1, betas="betas_assumehrf").read("FFA-1")
    asked = NSDSubject(folder[0], 1).read("FFA-1")
    np.testing.assert_array_equal(read.responses, asked.responses)


def test_the_folder_may_be_a_string_and_the_grid_is_that_of_the_files(folder):
    voxels = NSDSubject(str(folder[0]), np.int64(1)).voxels("FFA-1")
    assert voxels.shape == SHAPE
