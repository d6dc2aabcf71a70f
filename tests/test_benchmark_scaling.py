"""The script of scaling measures every series, and brings its page up to date."""

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "scaling.py"
if not SCRIPT.exists():
    pytest.skip("benchmarks are not here", allow_module_level=True)


def import_from(folder, name):
    """As Python runs a script: with its folder in the path."""
    sys.path.insert(0, str(ROOT / folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / folder))


@pytest.fixture(scope="module")
def scaling():
    return import_from("benchmarks", "scaling")


def test_a_small_table_has_every_series(scaling, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "MOST_RUNS", 1)
    monkeypatch.setattr(scaling, "REST", 0)
    path = tmp_path / "scaling.csv"
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--divide", "200", "--out", str(path)])
    scaling.main()
    lines = path.read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if line.startswith("# ")]
    assert [line.split(":")[0] for line in said[:3]] == ["# machine", "# date", "# versions"]
    table = pd.read_csv(path, comment="#")
    assert set(table["series"]) == {"targets", "units", "images", "cores", "subject"}
    assert table.columns.tolist() == pd.read_csv(scaling.TABLE, comment="#").columns.tolist()
    assert (table[["seconds", "floor_seconds", "n_active"]] > 0).all(axis=None)
    assert table.loc[table["series"] == "targets", "n_targets"].tolist() == [
        20, 20, 50, 150, 500, 1000
    ]  # fmt: skip
    subject = table[table["series"] == "subject"]
    assert subject["model"].tolist() == ["lasso"] * 2 + ["lasso CV"] * 2 + ["ridge CV"] * 2
    assert len(capsys.readouterr().out.splitlines()) == len(table) + 1


def test_the_site_has_a_table_with_usable_rates(scaling):
    subject = pd.read_csv(scaling.TABLE, comment="#").query("series == 'subject'")
    seconds = subject.pivot(index="model", columns="n_targets", values="seconds")
    few, many = seconds.columns
    assert (seconds[many] > seconds[few]).all()


def test_the_numbers_of_a_page_follow_its_table(scaling, tmp_path):
    (tmp_path / "scaling.csv").write_text("7", encoding="utf-8")
    page = tmp_path / "page.md"
    text = (
        "A page.\n\n```python\nwith open('scaling.csv') as file:\n    print(file.read())\n```\n\n"
    )
    page.write_text(text + "```text\n3\n```\n\n```python\nx = 1\n```\n", encoding="utf-8")
    scaling.refresh(page, tmp_path / "scaling.csv")
    expected = text + "```text\n7\n```\n\n```python\nx = 1\n```\n"
    assert page.read_text(encoding="utf-8") == expected


def test_every_series_is_drawn_with_its_floor(scaling, tmp_path):
    pytest.importorskip("matplotlib").use("agg")
    scaling_figure = import_from("doc", "scaling_figure")
    said, lines = scaling_figure.read_table(scaling.TABLE)
    assert said[0].startswith("machine: ")
    panels = scaling_figure.draw(said, lines, tmp_path / "generated" / "scaling.svg")
    for axes, (series, size) in zip(panels, scaling_figure.PANELS.items(), strict=True):
        shown = [line for line in lines if line["series"] == series]
        _, floor, fit = axes.get_lines()
        assert list(fit.get_xdata()) == list(floor.get_xdata()) == [int(one[size]) for one in shown]
        assert list(fit.get_ydata()) == [float(one["seconds"]) for one in shown]
        assert list(floor.get_ydata()) == [float(one["floor_seconds"]) for one in shown]
    assert said[1] in (tmp_path / "generated" / "scaling.svg").read_text(encoding="utf-8")
