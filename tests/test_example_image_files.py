"""The example on image files streams them, goes on after a run, and says what its table says."""

import numpy as np
import pytest

from tests.example_scripts import run_example

pytest.importorskip("torch", reason="networks: pip install skalign[torch]")
pytest.importorskip("PIL", reason="images are files")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return run_example("plot_image_files", tmp_path_factory.mktemp("image_files"))


def test_files_are_read_batch_by_batch(example):
    assert len({path.name for path in example.paths}) == example.n_images == 600
    for activations in example.units.values():
        assert isinstance(activations, np.memmap)
        assert activations.shape == (600, 16)
    np.testing.assert_allclose(
        example.layers.transform(example.paths[-3:]),
        np.hstack([activations[-3:] for activations in example.units.values()]),
        rtol=1e-4,
        atol=1e-6,
    )
    assert "100 of 600 images were read again" in example.printed


def test_the_second_layer_is_a_rotation_of_the_first(example):
    oriented, mixed = example.units.values()
    np.testing.assert_allclose(mixed, oriented @ example.rotation.T, rtol=1e-3, atol=1e-4)
    assert (oriented >= 0).all()


def test_prose(example):
    table = example.table
    ridge, lasso = (
        table.xs(name, level="encoder").loc[["oriented", "mixed"]]
        for name in ("signed ridge", "positive lasso")
    )
    assert ridge["r"].iloc[0] == pytest.approx(ridge["r"].iloc[1], abs=0.005)
    assert lasso["theta, observed"].iloc[0] == pytest.approx(0.23, abs=0.01)
    assert lasso["theta, observed"].iloc[1] == pytest.approx(0.65, abs=0.01)
    assert ridge["theta, observed"].iloc[1] == pytest.approx(1, abs=0.03)
    assert (ridge["r"] - lasso["r"]).iloc[0] == pytest.approx(0.04, abs=0.005)
    assert lasso["active units"].iloc[0] == pytest.approx(2, abs=0.3)
    ratio = lasso["active units"].iloc[1] / lasso["active units"].iloc[0]
    assert ratio == pytest.approx(2, abs=0.25)
