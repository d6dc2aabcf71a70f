"""The example of the toy runs, and what it says is true of its table."""

import numpy as np
import pytest

from tests.example_scripts import assert_only_figure, run_example

N_DRAWS = 100


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """One run of the script in an empty folder, with fewer draws to be quick."""
    smaller = {"n_draws = 1000\n": f"n_draws = {N_DRAWS}\n"}
    folder = tmp_path_factory.mktemp("example")
    return run_example("plot_tuning_toy", folder, "figure.png", smaller=smaller)


def test_draws_begin_with_the_published_one(example):
    assert example.draws.shape == (N_DRAWS, 8)
    np.testing.assert_array_equal(example.draws[0], example.theta)
    assert np.isfinite(example.draws).all()
    assert len(np.unique(example.draws[:, 0])) == N_DRAWS


def test_reading_is_true_of_the_table(example):
    table = example.table
    theta = table["theta"].unstack("weights")
    assert list(table.index) == [
        (weights, penalty)
        for weights in ("signed", "positive")
        for penalty in ("ols", "ridge", "lasso", "elasticnet")
    ]
    assert (theta["signed"] > 1.4).all()
    assert theta["signed"].idxmax() == "lasso"
    assert (example.signed > 1).mean() > 0.98
    assert (theta["positive"] < 0.3).all()
    assert theta["positive"].idxmin() == "lasso"
    assert (table["median"]["positive"] < 0.4).all()
    assert 0.2 < example.lasso_wins < 0.8
    # Positive OLS: maps without error, of any theta.
    assert len(example.exact) > 100
    assert min(example.exact) < 0.05 < 1 < max(example.exact)
    misfit = table["misfit"].unstack("weights")
    assert (misfit.loc["ols"] < 1e-9).all()
    assert (misfit.loc["ridge"] > 3).all()
    assert (example.toy.y @ example.toy.X < 0).mean() > 0.6


def test_it_prints_the_table_and_its_reading(example):
    rows = [line.split() for line in example.printed.splitlines()]
    rows = [row for row in rows if row and row[0] in ("signed", "positive")]
    assert len(rows) == 8
    for weights, penalty, theta, *_ in rows:
        assert f"{example.table['theta'][weights, penalty]:.2f}" == theta
    _, reading = example.printed.split("\nReading:")
    assert reading.count("\n- ") == 6
    assert "0.06 in the paper" in " ".join(reading.split())
    assert "nan" not in reading
    assert "depends on the solver" in " ".join(reading.split())
    assert f"{example.table['theta']['positive', 'ols']:.2f}" in reading


def test_figure_has_all_encoders_and_their_distribution(example):
    panels = [ax for ax in example.fig.axes if "active" in ax.get_title()]
    titles = [ax.get_title() for ax in panels]
    expected = [f"θ = {theta:.2f}," for theta in example.theta]
    assert [part in title for part, title in zip(expected, titles, strict=True)] == [True] * 8
    assert len(example.violins["bodies"]) == 8
    assert_only_figure(example, "figure.png", height=600, width=1500)
