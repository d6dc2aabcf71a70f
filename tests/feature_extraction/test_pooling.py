"""Pooling by name, of a vision transformer's tokens and of outputs that hold several tensors."""

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from skalign.feature_extraction import LayerActivations

torch = pytest.importorskip("torch", reason="networks: pip install skalign[torch]")
nn = torch.nn

IMAGES = np.random.default_rng(0).normal(size=(7, 3, 8, 8)).astype(np.float32)


class VisionTransformer(nn.Module):
    """Patches of 4 x 4 pixels and a class token, through one block of attention."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 6, kernel_size=4, stride=4)
        self.cls = nn.Parameter(torch.randn(1, 1, 6))
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], dim=1)
        attended, _ = self.attention(tokens, tokens, tokens)
        return self.norm(tokens + attended)


@pytest.fixture
def transformer():
    torch.manual_seed(0)
    return VisionTransformer().eval()


def test_tokens_by_name(transformer):
    with torch.no_grad():
        tokens = transformer(torch.from_numpy(IMAGES)).numpy()
    assert tokens.shape == (7, 5, 6)
    for pooling, expected in {
        "flatten": tokens.reshape(7, 30),
        "mean": tokens.mean(axis=1),
        "max": tokens.max(axis=1),
        "cls": tokens[:, 0],
        partial(torch.mean, dim=2): tokens.mean(axis=2),
    }.items():
        extractor = LayerActivations(transformer, "norm", pooling=pooling, batch_size=3).fit(IMAGES)
        for fitted in (extractor, pickle.loads(pickle.dumps(extractor))):
            np.testing.assert_allclose(fitted.transform(IMAGES), expected, atol=1e-5)


def test_cls_needs_tokens(transformer):
    with pytest.raises(
        ValueError, match=r"got 'cls' for layer 'patches' with shape \(1, 6, 2, 2\)"
    ):
        LayerActivations(transformer, "patches", pooling="cls").fit(IMAGES)


def test_module_that_puts_out_a_tuple(transformer):
    found = LayerActivations(transformer, "attention", pooling="cls").fit_transform(IMAGES)
    whole = LayerActivations(
        transformer, "attention", pooling=lambda output: output[0][:, 0]
    ).fit_transform(IMAGES)
    np.testing.assert_array_equal(found, whole)


@dataclass
class ModelOutput:
    """Output as some libraries have it; what was not asked for is None."""

    loss: object
    last: object
    pooled: object


class Mapping(OrderedDict):
    """Mapping that is no dict of tensors alone."""


@pytest.mark.parametrize(
    "pack",
    [
        lambda last, pooled: ModelOutput(None, last, pooled),
        lambda last, pooled: Mapping(loss=None, last=last, pooled=pooled),
        lambda last, pooled: {"nested": (None, last), "pooled": pooled},
        lambda last, pooled: [last, pooled],
    ],
    ids=["dataclass", "mapping", "nested", "list"],
)
def test_first_tensor_of_an_output(pack):
    class Packed(nn.Module):
        def forward(self, images):
            return pack(images.flatten(1), images.mean((2, 3)))

    found = LayerActivations(Packed(), "").fit_transform(IMAGES)
    np.testing.assert_array_equal(found, IMAGES.reshape(7, -1))
