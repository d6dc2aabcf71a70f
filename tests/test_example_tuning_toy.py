"""The example of the toy runs, and what it says is true of its table."""

import contextlib
import io
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="examples draw: pip install skalign[plot]")
pytest.importorskip("pandas", reason="examples make tables: pip install skalign[table]")

SCRIPT = Path(__file__).parents[1] / "examples" / "plot_tuning_toy.py"
N_DRAWS = 100


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """One run of the script in an empty folder, with fewer draws to be quick."""
    folder = tmp_path_factory.mktemp("example")
    source = SCRIPT.read_text(encoding="utf-8")
    assert "n_draws = 1000\n" in source
    script = tmp_path_factory.mktemp("script") / SCRIPT.name
    script.write_text(source.replace("n_draws = 1000\n", f"n_draws = {N_DRAWS}\n"), "utf-8")
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(printed),
    ):
        patch.setenv("MPLBACKEND", "agg")
        patch.setattr("sys.argv", [str(script), "figure.png"])
        matplotlib.use("agg")
        names = runpy.run_path(str(script))
    matplotlib.pyplot.close("all")
    return SimpleNamespace(folder=folder, printed=printed.getvalue(), **names)


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
    assert [file.name for file in example.folder.iterdir()] == ["figure.png"]
    height, width = matplotlib.image.imread(example.folder / "figure.png").shape[:2]
    assert width >= 1500
    assert height >= 600
