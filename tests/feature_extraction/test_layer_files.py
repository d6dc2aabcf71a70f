"""Activations in one file per layer: equal to those in memory, bounded, resumable."""

import tracemalloc

import numpy as np
import pytest

from skalign.feature_extraction import LayerActivations

torch = pytest.importorskip("torch", reason="networks: pip install skalign[torch]")
nn = torch.nn

IMAGES = np.random.default_rng(0).random(size=(10, 3, 6, 6)).astype(np.float32)
LAYERS = ["", "0"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


@pytest.fixture
def extractor(network):
    return LayerActivations(network, LAYERS, batch_size=3).fit(IMAGES)


class Interrupted:
    """Images that cannot be read from a row on, and know how many passed."""

    def __init__(self, stop):
        self.shape, self.stop, self.n_read = IMAGES.shape, stop, 0

    def __getitem__(self, rows):
        if rows.stop > self.stop:
            raise OSError("disk")
        self.n_read += rows.stop - rows.start
        return IMAGES[rows]


def assert_same(found, expected):
    assert list(found) == list(expected)
    for layer, activations in expected.items():
        assert isinstance(found[layer], np.memmap)
        assert not found[layer].flags.writeable
        np.testing.assert_allclose(found[layer], activations, atol=1e-6)


def test_files_are_what_memory_holds(extractor, tmp_path):
    expected = extractor.transform_layers(IMAGES)
    for _ in range(2):  # the second call finds all done
        assert_same(extractor.transform_layers(IMAGES, tmp_path / "new" / "folder"), expected)
    on_disk = np.load(tmp_path / "new" / "folder" / "0.npy")
    np.testing.assert_array_equal(on_disk, expected["0"])
    assert (tmp_path / "new" / "folder" / "(network).npy").exists()


def test_interrupted_run_goes_on(extractor, tmp_path):
    expected = extractor.transform_layers(IMAGES)
    with pytest.raises(OSError, match="disk"):
        extractor.transform_layers(Interrupted(9), tmp_path)
    X = Interrupted(10)
    assert_same(extractor.transform_layers(X, tmp_path), expected)
    assert X.n_read == 3 + 3 + 1  # the first batch, the last that was done, and the rest


def test_resumed_with_other_batches(extractor, tmp_path):
    with pytest.raises(OSError, match="disk"):
        extractor.transform_layers(Interrupted(6), tmp_path)
    extractor.set_params(batch_size=4)
    assert_same(extractor.transform_layers(IMAGES, tmp_path), extractor.transform_layers(IMAGES))


def test_loader_is_resumed(extractor, tmp_path):
    with pytest.raises(OSError, match="disk"):
        extractor.transform_layers(Interrupted(6), tmp_path)
    loader = torch.utils.data.DataLoader(torch.from_numpy(IMAGES), batch_size=3)
    assert_same(extractor.transform_layers(loader, tmp_path), extractor.transform_layers(IMAGES))


@pytest.mark.parametrize("n_done", [6, 10])
def test_other_weights_or_images_are_refused(extractor, network, tmp_path, n_done):
    if n_done < 10:
        with pytest.raises(OSError, match="disk"):
            extractor.transform_layers(Interrupted(n_done), tmp_path)
    else:
        extractor.transform_layers(IMAGES, tmp_path)
    with pytest.raises(ValueError, match=r"images 0 to 2 differ: the network"):
        extractor.transform_layers(IMAGES[::-1], tmp_path)
    with torch.no_grad():
        network[3].bias += 0.1
    with pytest.raises(ValueError, match=r"layer '' must be those in .*\.npy when a run is"):
        extractor.transform_layers(IMAGES, tmp_path)


def test_folder_of_another_run(extractor, tmp_path):
    extractor.transform_layers(IMAGES, tmp_path)
    with pytest.raises(ValueError, match=r"differs in layers: remove it"):
        extractor.transform_layers(IMAGES[:9], tmp_path)
    (tmp_path / "progress.json").unlink()
    with pytest.raises(FileExistsError, match=r"with .*0.npy and no progress.json"):
        extractor.transform_layers(IMAGES, tmp_path)


def test_memory_is_a_batch(tmp_path):
    X = np.zeros((400, 1, 32, 32), dtype=np.float32)
    extractor = LayerActivations(nn.Sequential(nn.Conv2d(1, 16, 1)), "0", batch_size=8).fit(X)
    tracemalloc.start()
    found = extractor.transform_layers(X, tmp_path)["0"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.shape == (400, 16 * 32 * 32)
    assert peak < 0.1 * found.nbytes
