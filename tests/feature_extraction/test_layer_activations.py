"""LayerActivations as an estimator: images in, float32 units out, pipelines, clones and names."""

import pickle
import tracemalloc

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skalign import SelectiveUnitLocalizer
from skalign.feature_extraction import LayerActivations

pd = pytest.importorskip("pandas", reason="set_output makes tables: pip install skalign[table]")
torch = pytest.importorskip("torch", reason="networks: pip install skalign[torch]")
nn = torch.nn

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(10, 3, 6, 6)).astype(np.float32)


# The checks feed tables, so the networks here are ones that take any number of columns: all apply.
# Images of four dimensions, which no check feeds, are what the other tests are about.
@parametrize_with_checks(
    [
        LayerActivations(nn.ReLU(), ""),
        LayerActivations(nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)), "1", at="input"),
        LayerActivations(nn.Identity(), "", split_sign=True, batch_size=7, pooling="max"),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


def maps(network, X=IMAGES):
    with torch.no_grad():
        return network[0](torch.from_numpy(X)).numpy()


def test_flat_and_pooled(network):
    extractor = LayerActivations(network, "0").fit(IMAGES)
    assert extractor.activation_shapes_ == {"0": (4, 4, 4)}
    expected = maps(network)
    np.testing.assert_allclose(extractor.transform(IMAGES), expected.reshape(10, 64), atol=1e-6)
    for pooling, pooled in {
        "mean": expected.mean((2, 3)),
        "max": expected.max((2, 3)),
        (lambda maps: maps[:, :, 0]): expected[:, :, 0].reshape(10, 16),
    }.items():
        found = LayerActivations(network, "0", pooling=pooling).fit_transform(IMAGES)
        np.testing.assert_allclose(found, pooled, atol=1e-6)
    for pooling in ("mean", "max"):  # a layer without places stays as it is
        found = LayerActivations(network, "3", pooling=pooling).fit_transform(IMAGES)
        np.testing.assert_array_equal(found, LayerActivations(network, "3").fit_transform(IMAGES))


def test_pooling_of_five_axes_leaves_channels():
    X = RNG.normal(size=(4, 3, 2, 5, 6)).astype(np.float32)
    found = LayerActivations(nn.Identity(), "", pooling="mean").fit_transform(X)
    np.testing.assert_allclose(found, X.mean((2, 3, 4)), atol=1e-6)


def test_signed_units_are_split_into_halves(network):
    signed = LayerActivations(network, "0").fit_transform(IMAGES)
    halves = LayerActivations(network, "0", split_sign=True).fit_transform(IMAGES)
    assert halves.dtype == np.float32
    assert (halves >= 0).all()
    on, off = np.hsplit(halves, 2)
    np.testing.assert_array_equal(on - off, signed)
    np.testing.assert_array_equal(np.minimum(on, off), 0)
    assert on.any()
    assert off.any()
    in_batches = LayerActivations(network, "0", split_sign=True, batch_size=3)
    np.testing.assert_allclose(in_batches.fit_transform(IMAGES), halves, atol=1e-6)


def test_names(network):
    extractor = LayerActivations(network, "0").fit(IMAGES)
    names = extractor.get_feature_names_out().reshape(4, 4, 4)
    assert names[2, 0, 3] == "0[2,0,3]"
    extractor.set_params(split_sign=True, pooling="mean").fit(IMAGES)
    expected = ["0[0]+", "0[1]+", "0[2]+", "0[3]+", "0[0]-", "0[1]-", "0[2]-", "0[3]-"]
    assert extractor.get_feature_names_out().tolist() == expected
    table = clone(extractor).set_output(transform="pandas").fit_transform(IMAGES)
    assert list(table.columns) == expected
    assert (table.dtypes == np.float32).all()
    assert LayerActivations(network, "").fit(IMAGES).get_feature_names_out()[4] == "Sequential[4]"
    scalar = LayerActivations(network, "3", pooling=lambda units: units[:, 0]).fit(IMAGES)
    assert scalar.activation_shapes_ == {"3": ()}
    assert scalar.get_feature_names_out().tolist() == ["3"]
    assert scalar.transform(IMAGES).shape == (10, 1)


class OnDisk:
    """Array that is read by slices of at most `limit` images, and never as a whole."""

    def __init__(self, images, limit):
        self.images, self.limit = images, limit
        self.shape, self.ndim = images.shape, images.ndim

    def __getitem__(self, rows):
        assert len(range(*rows.indices(len(self.images)))) <= self.limit
        return self.images[rows]


def test_images_are_read_batch_by_batch(network, tmp_path):
    expected = LayerActivations(network, "3").fit_transform(IMAGES)
    X = OnDisk(IMAGES, 4)
    found = LayerActivations(network, "3", batch_size=4).fit_transform(X)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")  # read-only
    np.testing.assert_array_equal(LayerActivations(network, "3").fit_transform(mapped), expected)


def test_memory_is_the_output_and_a_batch():
    model = nn.Sequential(nn.Conv2d(1, 16, 1))
    X = np.zeros((400, 1, 32, 32), dtype=np.float32)
    extractor = LayerActivations(model, "0", batch_size=8).fit(X)
    tracemalloc.start()
    found = extractor.transform(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.nbytes < peak < 1.1 * found.nbytes


@pytest.mark.parametrize(
    "X",
    [
        IMAGES.astype(np.float64),
        IMAGES.astype(">f4"),
        np.asfortranarray(IMAGES),
        np.ascontiguousarray(IMAGES[::-1])[::-1],
        IMAGES.tolist(),
        torch.from_numpy(IMAGES),
        torch.from_numpy(IMAGES).double().requires_grad_(),
    ],
    ids=["float64", "big-endian", "Fortran", "reversed", "list", "tensor", "double tensor"],
)
def test_kinds_of_arrays(network, X):
    expected = LayerActivations(network, "3").fit_transform(IMAGES)
    found = LayerActivations(network, "3").fit_transform(X)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    in_double = LayerActivations(network.double(), "3").fit_transform(X)
    assert in_double.dtype == np.float32
    np.testing.assert_allclose(in_double, expected, atol=1e-6)


def test_pixels_in_double_reach_a_model_in_double():
    model, X = nn.Sequential(nn.Linear(1, 1).double()), np.array([[1 + 2**-40]])
    with torch.no_grad():
        model[0].weight.fill_(2.0**30)
        model[0].bias.fill_(-(2.0**30))
    found = LayerActivations(model, "0").fit_transform(X)
    np.testing.assert_array_equal(found, [[2.0**-10]])


def test_tokens_and_pixels(network):
    tokens = RNG.integers(5, size=(6, 4))
    embedding = nn.Sequential(nn.Embedding(5, 3), nn.Flatten())
    expected = embedding[0].weight.detach().numpy()[tokens].reshape(6, -1)
    for X in (tokens, tokens.astype(np.uint8), torch.from_numpy(tokens), pd.DataFrame(tokens)):
        found = LayerActivations(embedding, "0").fit_transform(X)
        np.testing.assert_array_equal(found, expected)
    pixels = RNG.integers(256, size=IMAGES.shape).astype(np.uint8)
    for X in (pixels, torch.from_numpy(pixels)):
        with pytest.raises(TypeError, match=r"must be floats, .* got torch.uint8 .* preprocess"):
            LayerActivations(network, "3").fit(X)
    scaled = LayerActivations(network, "3").fit_transform(pixels / 255)
    extractor = LayerActivations(network, "3", preprocess=lambda batch: batch / 255)
    np.testing.assert_array_equal(extractor.fit_transform(pixels), scaled)


def test_preprocess_takes_what_has_a_length_and_slices(network):
    names = [f"image {number}" for number in range(10)]
    seen = []

    def read(batch):
        seen.append(batch)
        return torch.from_numpy(IMAGES[[int(name.split()[1]) for name in batch]])

    extractor = LayerActivations(network, "3", preprocess=read, batch_size=4).fit(names)
    assert seen == [names[:1]]
    expected = LayerActivations(network, "3").fit_transform(IMAGES)
    np.testing.assert_allclose(extractor.transform(names), expected, atol=1e-6)
    assert seen[1:] == [names[:4], names[4:8], names[8:]]
    with pytest.raises(ValueError, match="one image for each that it takes; got 1 for 4"):
        extractor.set_params(preprocess=lambda batch: IMAGES[:1]).transform(names)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_images_that_are_not_finite(network, bad):
    X = IMAGES.copy()
    X[9, 2, 5, 5] = bad  # in the last batch
    extractor = LayerActivations(network, "3", batch_size=4).fit(X)
    for images in (X, torch.from_numpy(X)):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            extractor.transform(images)


def test_images_of_another_size(network):
    larger = np.zeros((2, 3, 7, 7))
    extractor = LayerActivations(network[:2], "0").fit(IMAGES)
    with pytest.raises(ValueError, match=r"'0' must .* \(4, 4, 4\) per image; got \(4, 5, 5\)"):
        extractor.transform(larger)
    pooled = LayerActivations(network[:2], "0", pooling="mean").fit(IMAGES)
    assert pooled.transform(larger).shape == (2, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": "inside"}, '"output" or "input"; got \'inside\''),
        ({"call": 1.5}, "call must be an int, or None; got 1.5"),
        ({"call": True}, "call must be an int"),
        ({"pooling": None}, "pooling must be .* got None"),
        ({"layer": ["3", "3"]}, "layer must name one layer, or several once each"),
        ({"layer": []}, "layer must name one layer"),
        ({"pooling": "median"}, "pooling must be .* got 'median'"),
        ({"preprocess": "resize"}, "preprocess must be a callable"),
        ({"split_sign": "yes"}, "split_sign must be True or False; got 'yes'"),
        ({"batch_size": 0}, "batch_size must be a positive int; got 0"),
        ({"batch_size": 2.0}, "batch_size must be a positive int; got 2.0"),
        ({"layer": None}, "layer must be a name .* got None"),
    ],
)
def test_parameters_out_of_range(network, options, message):
    extractor = LayerActivations(**{"model": network, "layer": "3"} | options)
    with pytest.raises(ValueError, match=message):
        extractor.fit(IMAGES)


def test_model_must_be_a_module():
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module; got a str"):
        LayerActivations("resnet50", "fc").fit(IMAGES)


def test_not_fitted(network):
    with pytest.raises(NotFittedError):
        LayerActivations(network, "3").transform(IMAGES)


def test_clone_shares_the_weights_and_nothing_else(network):
    extractor = LayerActivations(network, "0", pooling="mean").set_output(transform="pandas")
    copy = clone(make_pipeline(extractor.fit(IMAGES)))[0]
    assert copy is not extractor
    assert copy.model is network
    assert not hasattr(copy, "activation_shapes_")
    assert {**copy.get_params(), "model": 0} == {**extractor.get_params(), "model": 0}
    assert isinstance(copy.fit_transform(IMAGES), pd.DataFrame)
    assert extractor.model is network


def test_several_layers_in_one_pass(network):
    passes = []
    network.register_forward_hook(lambda *_: passes.append(1))
    layers = ["3", "0"]
    extractor = LayerActivations(network, layers, split_sign=True, batch_size=4).fit(IMAGES)
    assert extractor.activation_shapes_ == {"3": (5,), "0": (4, 4, 4)}
    passes.clear()
    found = extractor.transform(IMAGES)
    assert len(passes) == 3  # batches, not batches times layers
    apart = [
        LayerActivations(network, layer, split_sign=True, batch_size=4).fit(IMAGES)
        for layer in layers
    ]
    expected = [single.transform(IMAGES) for single in apart]
    np.testing.assert_array_equal(found, np.hstack(expected))
    by_layer = extractor.transform_layers(IMAGES)
    assert list(by_layer) == layers
    for layer, activations in zip(layers, expected, strict=True):
        np.testing.assert_array_equal(by_layer[layer], activations)
    names = np.concatenate([single.get_feature_names_out() for single in apart])
    np.testing.assert_array_equal(extractor.get_feature_names_out(), names)
    assert len(set(names)) == found.shape[1]


def test_pickle(network):
    extractor = LayerActivations(network, "3", split_sign=True).fit(IMAGES)
    again = pickle.loads(pickle.dumps(extractor))
    assert again.model is not network
    np.testing.assert_array_equal(again.transform(IMAGES), extractor.transform(IMAGES))


def test_pipeline_finds_planted_face_channels_in_a_search_over_layers():
    """Faces are bright in the second color, which two channels of the network read."""
    model = nn.Sequential(nn.Conv2d(3, 6, 1, bias=False), nn.ReLU(inplace=True))
    with torch.no_grad():
        model[0].weight.zero_()
        for channel, color in enumerate([0, 1, 2, 1, 0, 2]):
            model[0].weight[channel, color] = 1
    y = np.tile(["face", "other"], 20)
    X = RNG.normal(size=(40, 3, 5, 5))
    X[y == "face", 1] += 2
    pipeline = make_pipeline(
        LayerActivations(model, "1", pooling="mean", batch_size=16),
        SelectiveUnitLocalizer("face", n_units=2),
    ).fit(X, y)
    assert pipeline.get_feature_names_out().tolist() == ["1[1]", "1[3]"]

    search = GridSearchCV(
        make_pipeline(*clone(pipeline), LogisticRegression()),
        {"layeractivations__layer": ["0", "1"], "selectiveunitlocalizer__n_units": [1, 2]},
        cv=2,
    ).fit(X, y)
    assert search.best_score_ > 0.9
    assert search.best_estimator_[0].model is model
