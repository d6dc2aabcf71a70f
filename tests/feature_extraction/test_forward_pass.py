"""Passes through a module: what is kept of a layer, and that the module is left as it was."""

import subprocess
import sys

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone

from skalign.feature_extraction import LayerActivations

torch = pytest.importorskip("torch", reason="networks: pip install skalign[torch]")
nn = torch.nn

IMAGES = np.random.default_rng(0).normal(size=(7, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def network():
    """Two convolutions, each with a ReLU that overwrites its input, and a linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 5, 3),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(80, 6),
    )


class Residual(nn.Module):
    """One ReLU module for two rectifications, the second of a sum that no layer puts out."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.relu, self.unused = nn.ReLU(inplace=True), nn.ModuleList([nn.Linear(4, 4)])

    def forward(self, x):
        return self.relu(x + self.second(self.relu(self.first(x))))


class Functional(nn.Module):
    """Rectifies without a module, and names the argument of its last layer."""

    def __init__(self):
        super().__init__()
        self.features, self.head = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(input=torch.relu(self.features(x)))


def activations(model, layer, X=IMAGES, **options):
    return LayerActivations(model, layer, **options).fit_transform(X)


def step_by_step(network, X=IMAGES):
    """What every module of a sequence takes in and puts out, by hand."""
    passed = [torch.from_numpy(X)]
    with torch.no_grad():
        for module in network.eval():
            passed.append(module(passed[-1].clone()))
    return [tensor.numpy().reshape(len(X), -1) for tensor in passed]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_every_layer_before_and_after(network, batch_size):
    expected = step_by_step(network)
    for number in range(len(network)):
        for at, position in (("input", number), ("output", number + 1)):
            found = activations(network, str(number), at=at, batch_size=batch_size)
            assert found.dtype == np.float32
            assert found.flags.c_contiguous
            np.testing.assert_allclose(found, expected[position], atol=1e-6)
    assert (activations(network, "0") < 0).any()  # though the ReLU overwrites it
    np.testing.assert_allclose(activations(network, ""), expected[-1], atol=1e-6)


def test_functional_relu_has_its_output_where_the_next_layer_takes_it_in():
    model, X = Functional(), np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32)
    before, after = activations(model, "features", X), activations(model, "head", X, at="input")
    assert (before < 0).any()
    np.testing.assert_array_equal(after, np.maximum(before, 0))


def test_layer_that_runs_twice():
    model, X = Residual(), np.random.default_rng(2).normal(size=(9, 4)).astype(np.float32)
    first = activations(model, "first", X)
    total = X + activations(model, "second", X)
    for at, runs in (("input", [first, total]), ("output", np.maximum([first, total], 0))):
        for call in (0, 1, -1, -2):
            found = activations(model, "relu", X, at=at, call=call)
            np.testing.assert_allclose(found, runs[call], atol=1e-6)
    with pytest.raises(ValueError, match=r"'relu' runs 2 times .* from 0 \(the first\) to 1"):
        activations(model, "relu", X)
    for call in (2, -3):
        with pytest.raises(ValueError, match=f"call must be from -2 to 1 .* got {call}"):
            activations(model, "relu", X, call=call)


def test_layer_that_never_runs():
    model = Residual()
    for layer in ("unused", "unused.0"):
        with pytest.raises(ValueError, match=f"{layer}' did not run .* ModuleList"):
            activations(model, layer, IMAGES[:, 0, 0, :4])


class Named(nn.Module):
    """Puts out no tensor."""

    def forward(self, x):
        return "units", {"n_images": len(x)}


def test_layer_without_a_tensor():
    with pytest.raises(TypeError, match=r"output of layer '0' must be a tensor.* got a tuple"):
        activations(nn.Sequential(Named()), "0")
    model, X = nn.Sequential(nn.LSTM(4, 3, batch_first=True)), IMAGES[:, 0, :5, :4]
    last = activations(model, "0", X, pooling=lambda output: output[0][:, -1])
    with torch.no_grad():
        expected = model[0](torch.from_numpy(X.copy()))[1][0][0]
    np.testing.assert_allclose(last, expected, atol=1e-6)


def test_layer_without_a_row_per_image():
    model = nn.Sequential(nn.Flatten(0), nn.ReLU())
    with pytest.raises(ValueError, match=r"one row .* shape \(192,\) for 1 images"):
        activations(model, "0")


class Scaled(nn.Module):
    """Multiplies what is positive."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return torch.where(x > 0, x * self.factor, x)


@pytest.mark.parametrize(
    ("factor", "dtype"),
    [(np.inf, torch.float32), (np.nan, torch.float32), (1e300, torch.float64)],
)
def test_activations_that_are_not_finite(factor, dtype):
    model = nn.Sequential(Scaled(factor), nn.Linear(2, 1)).to(dtype)
    X = np.zeros((5, 2))
    X[4, 1] = 1  # in the last batch
    extractor = LayerActivations(model, "0", batch_size=2).fit(X)
    np.testing.assert_array_equal(extractor.transform(X[:4]), 0)
    message = r"layer '0' must be finite in float32; .* in 1 of 2: scale images .* pooling"
    with pytest.raises(ValueError, match=message):
        extractor.transform(X)
    with pytest.raises(ValueError, match=message):
        extractor.fit(X[4:])
    assert hooks_of(model) == []
    np.testing.assert_array_equal(activations(model, "0", X, at="input"), X)
    replaced = activations(model, "0", X, pooling=lambda a: torch.where(a.abs() < 9, a, 9))
    np.testing.assert_array_equal(replaced, 9 * X)


def test_layer_is_not_found(network):
    model = nn.ModuleDict({"features": network, "classifier": nn.Linear(6, 2)})
    with pytest.raises(ValueError, match=r"got 'feature.3'; of 11 names close .* 'features.3'"):
        activations(model, "feature.3")
    with pytest.raises(ValueError, match=r"close to it are 'features.7'"):
        activations(model, "backbone.body.7")
    with pytest.raises(ValueError, match=r"the first are 'features', 'features.0'"):
        activations(model, "xyz")


class Broken(nn.Module):
    """Fails when it sees a third batch."""

    batches = 0

    def forward(self, x):
        self.batches += 1
        if self.batches > 2:
            raise RuntimeError("broken")
        return x


def hooks_of(model):
    return [
        hook
        for module in model.modules()
        for hook in [*module._forward_hooks, *module._forward_pre_hooks]
    ]


@pytest.mark.parametrize("at", ["input", "output"])
@pytest.mark.parametrize("fails", [False, True])
def test_module_is_left_as_it_was(network, fails, at):
    network.train()
    network[5].eval()
    network.append(Broken() if fails else nn.Identity())
    flags = [module.training for module in network.modules()]
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    extractor = LayerActivations(network, "3", at=at, batch_size=2)
    if fails:
        with pytest.raises(RuntimeError, match="broken"):
            extractor.fit_transform(IMAGES)
    else:
        extractor.fit_transform(IMAGES)
    assert [module.training for module in network.modules()] == flags
    assert hooks_of(network) == []
    for name, tensor in network.state_dict().items():  # running means of the batch norm too
        torch.testing.assert_close(tensor, state[name], rtol=0, atol=0)
    assert all(weights.requires_grad for weights in network.parameters())
    assert torch.is_grad_enabled()
    network[:4](torch.from_numpy(IMAGES)).sum().backward()  # still trains


def test_evaluation_mode(network):
    network.train()
    first, again = (activations(network, "7") for _ in range(2))  # behind a dropout
    np.testing.assert_array_equal(first, again)


def test_model_moves_to_the_device_and_back(network):
    moves = []
    network.to = moves.append
    activations(network, "3", device=torch.device("cpu"))
    assert list(map(str, moves)) == ["cpu", "cpu"] * 2  # fit, then transform
    moves.clear()
    network.append(Broken())
    with pytest.raises(RuntimeError, match="broken"):
        activations(network, "3", device="cpu", batch_size=1)
    assert list(map(str, moves)) == ["cpu", "cpu"] * 2
    moves.clear()
    activations(network[:3], "0")
    assert moves == []


def test_device_that_cannot_be():
    spread = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2).to("meta"))
    with pytest.raises(ValueError, match=r"device must be None .* this one is on cpu, meta"):
        activations(spread, "0", IMAGES[:, 0, 0, :4], device="cpu")
    with pytest.raises(ValueError, match=r"device must be a torch device .* got 'abacus'"):
        activations(spread, "0", device="abacus")


def test_images_are_not_overwritten():
    model = nn.Sequential(nn.ReLU(inplace=True))
    kept = torch.from_numpy(IMAGES.copy())
    for X in (kept, IMAGES.copy()):
        before = np.asarray(X).copy()
        assert (activations(model, "0", X) >= 0).all()
        np.testing.assert_array_equal(np.asarray(X), before)
    assert (activations(model, "0", IMAGES, preprocess=lambda batch: kept[: len(batch)]) >= 0).all()
    assert (kept < 0).any()


def test_threads_share_one_module(network):
    network.train()
    expected = {layer: activations(network, layer) for layer in ("0", "3", "7")}
    extractors = [LayerActivations(network, layer, batch_size=1) for layer in expected] * 4
    found = Parallel(n_jobs=2, prefer="threads")(
        delayed(clone(extractor).fit_transform)(IMAGES) for extractor in extractors
    )
    for extractor, result in zip(extractors, found, strict=True):
        np.testing.assert_allclose(result, expected[extractor.layer], atol=1e-6)
    assert network[5].training


def test_torch_is_imported_late():
    code = "import sys, skalign.feature_extraction; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torch(network, monkeypatch):
    extractor = LayerActivations(network, "0")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "skalign\[torch\]"'):
        extractor.fit(IMAGES)
