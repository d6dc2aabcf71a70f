"""The table of peers, small: who is accurate, who is skipped, which floors are missed."""

import importlib
import os
import sys
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "benchmarks" / "peers.py").exists():
    pytest.skip("benchmarks are not here", allow_module_level=True)


@pytest.fixture(scope="module")
def peers():
    """The script, imported as Python runs it: with its folder in the path."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("peers")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(autouse=True)
def one_run(peers, monkeypatch):
    monkeypatch.setattr(sys.modules["timing"], "REST", 0.0)
    monkeypatch.setattr(sys.modules["timing"], "MOST_RUNS", 1)


@pytest.fixture
def fit_row():
    return sys.modules["peer_work"].fit_row


def measured(peers, row):
    return {each.contender: each for each in peers.measure(row, quick=True)}


@pytest.mark.parametrize(
    ("penalty", "positive", "names"),
    [
        ("lasso", True, {"scikit-learn"}),
        ("elasticnet", False, {"scikit-learn"}),
        ("ols", True, {"SciPy NNLS"}),
        ("ridge", True, {"scikit-learn", "SciPy NNLS"}),
        ("ridge", False, {"scikit-learn"}),
    ],
)
def test_all_do_the_same_work(peers, fit_row, penalty, positive, names):
    row = fit_row("small", penalty, (60, 20, 40), 0.05, positive=positive)
    found = measured(peers, row)
    assert next(iter(found)) == "skalign"
    assert found["skalign"].times_ours == 1
    assert found["skalign"].version == importlib.import_module("skalign").__version__
    for name in {"skalign"} | names:
        assert found[name].violation <= 1e-6
        assert found[name].seconds > 0
    assert not found["X'X and X'Y"].skipped
    assert isnan(found["X'X and X'Y"].violation)


def test_loosest_accurate_tolerance(peers, fit_row):
    row = fit_row("small", "lasso", (60, 20, 40), 0.05)
    make = dict(row.contenders(10))["scikit-learn"]
    contender = make()
    assert contender.violation <= 1e-6
    solvers = sys.modules["peer_solvers"]
    task = make.args[0]
    looser = solvers.scikit_learn(task, task.X.T @ task.X, 100 * contender.tolerance)(task.Y)
    assert task.violation(task.Y, looser) > 1e-6


def test_missing_peers_are_skipped(peers, fit_row, monkeypatch):
    monkeypatch.setitem(sys.modules, "celer", None)
    row = fit_row("small", "lasso", (60, 20, 40), 0.05, floors={"celer": 1.0})
    found = measured(peers, row)["celer"]
    assert found.skipped == "not installed: no module named celer"
    assert not found.held
    assert "skipped, not installed" in peers.as_text([found], quick=False)


def test_gram_that_is_too_large(peers, fit_row, monkeypatch):
    monkeypatch.setattr(sys.modules["peer_work"], "MOST_GRAM", 399)
    found = measured(peers, fit_row("small", "lasso", (60, 20, 40), 0.05))
    for name in ("scikit-learn", "SPAMS", "X'X and X'Y"):
        assert found[name].skipped.startswith("X'X has")
    assert not found["skalign"].skipped


def test_missed_floors_and_inaccurate_weights(peers, fit_row, monkeypatch, capsys):
    for floor, held in ((1e-9, True), (1e9, False)):
        row = fit_row("small", "ols", (60, 20, 10), 0.0, floors={"SciPy NNLS": floor})
        monkeypatch.setattr(peers, "ROWS", [row])
        assert peers.main(["small"]) is held
        assert f"at least {floor:.2f}: {'held' if held else 'MISSED'}" in capsys.readouterr().out
    inaccurate = replace(measured(peers, row)["skalign"], violation=1e-5)
    assert not inaccurate.accurate
    assert "NOT accurate" in peers.as_text([inaccurate], quick=False)


def test_wrong_weights_violate(peers):
    solvers = sys.modules["peer_solvers"]
    X, Y = sys.modules["peer_work"].encoding_problem(60, 20, 3)
    task = solvers.Task("elasticnet", True, 0.05, X, Y)
    right = solvers.scikit_learn(task, X.T @ X, 1e-12)(Y)
    assert task.violation(Y, right) <= 1e-9
    assert task.violation(Y, right * 1.001) > 1e-6


def test_contender_scales_what_it_measures(peers, monkeypatch):
    timing = sys.modules["timing"]
    clock = iter([0.0, 1.0, 10.0, 12.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    contender = timing.Contender(run=lambda: None, scale=5.0, once=lambda: None)
    assert contender.seconds() == 1.0 + 5 * 2.0


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="the system does not tell its load")
def test_busy_machine_is_told(peers, monkeypatch):
    for load, told in ((0.5, False), (1000.0, True)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0, 0))
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        assert ("shared with other work" in peers.machine()) is told


def test_table_is_replaced_by_rows(peers, tmp_path):
    line = peers.Measurement(
        row="theta",
        title="work",
        contender="skalign",
        version="1",
        seconds=0.25,
        times_ours=1.0,
        at_least=nan,
        violation=nan,
        tolerance=nan,
        skipped="",
        machine="one, with a comma",
        date="2026-01-01",
    )
    path = tmp_path / "peers.csv"
    peers.replace_rows(path, [line])
    peers.replace_rows(path, [replace(line, row="tiny")])
    peers.replace_rows(path, [replace(line, seconds=0.5)])
    first, second = peers.read_table(path)
    assert (first.row, first.seconds) == ("tiny", 0.25)  # in the order of the script
    assert (second.row, second.seconds) == ("theta", 0.5)
    assert isnan(second.at_least)
    assert second.machine == "one, with a comma"


def test_stored_table_is_that_of_the_script(peers):
    rows = {row.name: row for row in peers.ROWS}
    assert len(rows) == len(peers.ROWS)
    table = peers.read_table(ROOT / "doc" / "guide" / "peers.csv")
    assert table
    for line in table:
        row = rows[line.row]
        assert line.title == row.title
        floor = row.floors.get(line.contender, nan)
        assert line.at_least == pytest.approx(floor, rel=1e-3, nan_ok=True)
        assert line.accurate or line.contender != "skalign"


def test_figure_shows_the_table(peers, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "doc")
    peers_figure = importlib.import_module("peers_figure")
    lines = peers_figure.read_table()
    peers_figure.draw(lines, tmp_path / "made" / "peers.svg")
    text = (tmp_path / "made" / "peers.svg").read_text()
    drawn = {name for *_, who in peers_figure.MARKS.values() for name in who}
    for line in lines:
        assert line["contender"] in drawn | {"skalign", "one fit", "lasso"}
        assert line["date"] in text
        assert line["title"] in text
        assert line["version"] in text
