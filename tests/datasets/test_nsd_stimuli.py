"""Images of NSD, batch by batch."""

import sys

import numpy as np
import pytest

from skalign.datasets import iter_nsd_stimuli
from tests.datasets.nsd_folder import paths

h5py = pytest.importorskip("h5py", reason="NSD is read with h5py")


@pytest.fixture
def folder(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
    path = paths(tmp_path).stimuli
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["imgBrick"] = pictures
    return tmp_path, pictures


def test_batches_in_the_order_asked_for(folder):
    root, pictures = folder
    images = [7, 3, 29, 0, 3, 12, 11]
    batches = list(iter_nsd_stimuli(root, images, batch_size=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert batches[0].dtype == np.uint8
    np.testing.assert_array_equal(np.concatenate(batches), pictures[images])


def test_only_one_batch_is_read_at_a_time(folder):
    root, pictures = folder
    batches = iter_nsd_stimuli(root, np.arange(30), batch_size=10)
    np.testing.assert_array_equal(next(batches), pictures[:10])
    with h5py.File(paths(root).stimuli, "r") as file:  # the rest changes nothing for the first
        assert file["imgBrick"].shape == pictures.shape


@pytest.mark.parametrize("images", [[], [30], [-1], [0.0]])
def test_images_that_the_file_has_not(folder, images):
    with pytest.raises(
        ValueError, match=r"images must be a list of rows .* whole numbers from 0 to 29"
    ):
        iter_nsd_stimuli(folder[0], images)


def test_errors(folder, monkeypatch):
    root, _ = folder
    path = paths(root).stimuli
    with pytest.raises(ValueError, match="batch_size == 0, must be"):
        iter_nsd_stimuli(root, [0], batch_size=0)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "h5py", None)
        with pytest.raises(ImportError, match=r'h5py: pip install "skalign\[nsd\]"'):
            iter_nsd_stimuli(root, [0])
    with h5py.File(path, "w") as file:
        file["imgBrick"] = np.zeros((30, 4, 5), dtype=np.uint8)
    with pytest.raises(
        ValueError, match=rf"{path} must have a dataset \"imgBrick\" .*\(30, 4, 5\)"
    ):
        iter_nsd_stimuli(root, [0])
    path.write_text("no HDF5")
    with pytest.raises(ValueError, match=f"The file of stimuli cannot be read from {path}"):
        iter_nsd_stimuli(root, [0])
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"The file of stimuli is expected at {path}"):
        iter_nsd_stimuli(root, [0])
    with pytest.raises(FileNotFoundError, match="root must be the folder of NSD"):
        iter_nsd_stimuli(root / "nowhere", [0])
