"""The tutorial runs, and what its prose says is true of its numbers."""

import numpy as np
import pytest

from tests.example_scripts import run_example


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return run_example("plot_first_encoding_model", tmp_path_factory.mktemp("example"))


def test_no_noise_is_shared_and_no_run_serves_twice(example):
    X, responses = example.of_other_runs, example.responses
    same = example.category == example.category[0]
    np.testing.assert_allclose(X[same][0], responses[same][1:3].mean(axis=0))
    parts = np.stack([example.localizing, example.train, example.test])
    assert (parts.sum(axis=0) == 1).all()
    assert [len(set(example.run[part])) for part in parts] == [3, 6, 3]


def test_ceiling_and_voxels(example):
    assert example.y.shape == (96, 20)
    assert example.ceiling.values.mean() == pytest.approx(0.59, abs=0.005)


def test_matched_units(example):
    table = example.table
    of_lasso, of_ridge = (table.loc["house", name] for name in ("positive lasso", "signed ridge"))
    for row in (of_lasso, of_ridge):
        assert row["r"] == pytest.approx(0.4, abs=0.02)
        assert row["theta, observed"] == pytest.approx(0.7, abs=0.03)
    assert of_lasso["active units"] == pytest.approx(6, abs=0.5)
    assert of_ridge["active units"] > 28


def test_mismatched_units(example):
    of_lasso, of_ridge = (
        example.table.loc["face", name] for name in ("positive lasso", "signed ridge")
    )
    assert of_ridge["r"] == pytest.approx(0.17, abs=0.005)
    assert of_ridge["theta, observed"] == pytest.approx(1, abs=0.02)
    assert of_lasso["empty"] == 0.5
    assert of_lasso["r"] == pytest.approx(0.07, abs=0.005)
    predicted = example.table["theta, predicted"].unstack()["positive lasso"]
    assert (predicted < 0.35).all()


def test_null(example):
    means = example.null.summary()
    assert means["excess_theta"] == pytest.approx(-0.10, abs=0.005)
    assert means["region_p_value_theta"] == means["least_p_value"] == pytest.approx(1 / 101)
    assert means["region_p_value_r"] == pytest.approx(0.05, abs=0.005)
    assert example.null.familywise_p_value_theta.min() > 0.05
    assert example.features["house"].shape[1] == 30
    assert example.is_unit.sum() == 265


def test_shares_of_the_ceiling(example):
    shares = example.against_ceiling.share_
    assert {name: f"{share:.0%}" for name, share in shares.items()} == {
        "matched": "65%",
        "mismatched": "12%",
    }
    assert np.isnan(example.scores["mismatched"]).sum() == 10
    tested = example.display.means.set_index("measure")["value"]
    assert tested["theta"] == pytest.approx(example.null.summary()["theta_observed"])


def test_map(example):
    signed, positive = (example.fitted["house", name][-1].coef_ for name in ("ridge", "lasso"))
    assert (positive >= 0).all()
    assert (signed < 0).any()
