"""Images as datasets, loaders, mappings of keyword inputs and lists of paths."""

import pickle

import numpy as np
import pytest

from skalign.feature_extraction import ImageReader, LayerActivations

torch = pytest.importorskip("torch", reason="networks: pip install skalign[torch]")
Image = pytest.importorskip("PIL.Image", reason="image files: pip install pillow")
nn, data = torch.nn, torch.utils.data

IMAGES = np.random.default_rng(0).random(size=(10, 3, 6, 6)).astype(np.float32)
LABELS = torch.arange(10)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


@pytest.fixture
def expected(network):
    return LayerActivations(network, "3").fit_transform(IMAGES)


class Masked(nn.Module):
    """Takes images and a mask by keyword."""

    def forward(self, *, pixel_values, mask):
        assert mask.dtype == torch.bool
        return torch.where(mask, pixel_values, 0)


def datasets():
    tensors = torch.from_numpy(IMAGES)
    labeled = data.TensorDataset(tensors, LABELS)
    return {
        "dataset": labeled,
        "subset": data.Subset(labeled, range(10)),
        "loader": data.DataLoader(labeled, batch_size=4),
        "loader of tensors": data.DataLoader(tensors, batch_size=3),
        "full batches": data.DataLoader(labeled, batch_size=5, drop_last=True),
        "workers": data.DataLoader(labeled, batch_size=4, num_workers=1),
    }


@pytest.mark.parametrize("kind", datasets())
def test_datasets_and_loaders(network, expected, kind):
    extractor = LayerActivations(network, ["3"], batch_size=4)
    found = extractor.fit_transform(datasets()[kind])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_loader_that_would_mix_up_rows(network):
    labeled = data.TensorDataset(torch.from_numpy(IMAGES), LABELS)
    by_batch = data.BatchSampler(data.RandomSampler(labeled), batch_size=4, drop_last=False)
    for loader in (
        data.DataLoader(labeled, batch_size=4, shuffle=True),
        data.DataLoader(labeled, batch_sampler=by_batch),
    ):
        with pytest.raises(ValueError, match=r"shuffle=False.*got RandomSampler"):
            LayerActivations(network, "3").fit(loader)
    with pytest.raises(ValueError, match="batch_size and shuffle=False"):
        LayerActivations(network, "3").fit(data.DataLoader(labeled, batch_size=None))
    with pytest.raises(ValueError, match="drop_last=True for 10 images in batches of 4"):
        LayerActivations(network, "3").fit(data.DataLoader(labeled, batch_size=4, drop_last=True))


def test_dataset_without_items(network):
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(IMAGES)

    for stream in (Stream(), data.DataLoader(Stream(), batch_size=2)):
        with pytest.raises(TypeError, match=r"with a length and items; got .* Stream"):
            LayerActivations(network, "3").fit(stream)


class Samples(data.Dataset):
    """Samples of named inputs."""

    def __init__(self, inputs):
        self.inputs = inputs

    def __len__(self):
        return 10

    def __getitem__(self, row):
        return {name: torch.as_tensor(values[row]) for name, values in self.inputs.items()}


def test_keyword_inputs():
    inputs = {"pixel_values": IMAGES, "mask": IMAGES > 0.5}
    expected = np.where(IMAGES > 0.5, IMAGES, 0).reshape(10, -1)
    loader = data.DataLoader(Samples(inputs), batch_size=3)
    for X in (inputs, Samples(inputs), loader):
        found = LayerActivations(Masked(), "", batch_size=4).fit_transform(X)
        np.testing.assert_array_equal(found, expected)
    rows = list(range(10))
    read = LayerActivations(
        Masked(), "", preprocess=lambda rows: {name: x[rows] for name, x in inputs.items()}
    )
    np.testing.assert_array_equal(read.fit_transform(rows), expected)
    with pytest.raises(ValueError, match=r"same number of images; got .*'mask': 9"):
        LayerActivations(Masked(), "").fit({**inputs, "mask": IMAGES[:9] > 0.5})
    bad = {**inputs, "pixel_values": np.where(IMAGES > 0.9, np.nan, IMAGES)}
    with pytest.raises(ValueError, match=r"pixel_values contains NaN"):
        LayerActivations(Masked(), "").fit_transform(bad)


@pytest.fixture
def paths(tmp_path):
    """Ten files with eight bits per color."""
    found = [tmp_path / f"{number}.png" for number in range(10)]
    for path, image in zip(found, IMAGES, strict=True):
        Image.fromarray(np.uint8(255 * image).transpose(1, 2, 0)).save(path)
    return found


def double(image):
    """A transform of one image, as those that come with weights."""
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1) / 127.5).float()


def test_lists_of_paths(network, paths):
    pixels = np.uint8(255 * IMAGES) / 255
    for factor, reader in {1: ImageReader(), 2: ImageReader(double)}.items():
        extractor = LayerActivations(network, "0", preprocess=reader, batch_size=4)
        found = extractor.fit_transform([str(path) for path in paths])
        expected = LayerActivations(network, "0").fit_transform(factor * pixels)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        again = pickle.loads(pickle.dumps(extractor))
        np.testing.assert_array_equal(again.transform(paths), found)


def test_paths_that_cannot_be_read(network, paths):
    with pytest.raises(ValueError, match=r"paths with a preprocess .*ImageReader\(transform\)"):
        LayerActivations(network, "3").fit(paths)
    Image.new("L", (5, 7)).save(paths[1])
    message = r"one shape; got \(3, 6, 6\) for .*0.png and \(3, 7, 5\) for .*1.png.* resizes"
    with pytest.raises(ValueError, match=message):
        ImageReader()(paths)
    with pytest.raises(TypeError, match="transform must be a callable, or None; got 'resize'"):
        ImageReader("resize")
