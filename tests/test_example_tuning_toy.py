"""The example of the toy runs, and what it says is true of its table."""

import numpy as np
import pytest

from tests.example_scripts import run_example

N_DRAWS = 100


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """One run of the script in an empty folder, with fewer draws to be quick."""
    smaller = {"n_draws = 300\n": f"n_draws = {N_DRAWS}\n"}
    folder = tmp_path_factory.mktemp("example")
    return run_example("plot_tuning_toy", folder, smaller=smaller)


def test_draws_begin_with_the_published_one(example):
    assert example.draws.shape == (N_DRAWS, 8)
    np.testing.assert_array_equal(example.draws[0], example.theta)
    assert np.isfinite(example.draws).all()
    assert len(np.unique(example.draws[:, 0])) == N_DRAWS


def test_prose_is_true_of_the_draw(example):
    table = example.table
    theta = table["theta"].unstack("weights")
    assert list(table.index) == [
        (weights, penalty)
        for weights in ("signed", "positive")
        for penalty in ("ols", "ridge", "lasso", "elasticnet")
    ]
    assert (example.toy.y @ example.toy.X < 0).mean() == pytest.approx(0.75, abs=0.02)
    assert (theta["signed"] > 1.4).all()
    assert theta["signed"].idxmax() == "lasso"
    assert (theta["positive"] < 0.3).all()
    assert theta["positive"].idxmin() == "lasso"
    assert theta["positive"]["lasso"] == pytest.approx(0.05, abs=0.005)
    assert table["active of 100"]["positive", "lasso"] == 2
    misfit = table["misfit"].unstack("weights")
    assert np.linalg.norm(example.toy.y) == pytest.approx(3.9, abs=0.01)
    assert (misfit.loc["ols"] < 1e-9).all()
    assert (misfit.loc["ridge"] > 3).all()


def test_prose_is_true_of_all_draws(example):
    median = example.table["median"]
    assert (median["signed"] > 1.4).all()
    assert (median["positive"] < 0.4).all()
    lasso = example.draws[:, example.design.index(("positive", "lasso"))]
    assert 0.2 < (lasso == example.draws[:, 4:].min(axis=1)).mean() < 0.8
    # Positive OLS: maps without error, of any theta.
    assert len(example.exact) > 100
    assert min(example.exact) < 0.05
    assert max(example.exact) > 1


def test_figures_have_all_encoders_and_their_distribution(example):
    titles = [ax.get_title() for ax in example.axes.T.flat]
    expected = [f"θ = {theta:.2f}," for theta in example.theta]
    assert [part in title for part, title in zip(expected, titles, strict=True)] == [True] * 8
    assert len(example.violins["bodies"]) == 8
    assert not list(example.folder.iterdir())
