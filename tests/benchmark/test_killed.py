"""Runs and workers that are killed: what is finished is kept, and the rest is computed again."""

import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import Ridge

import skalign
from skalign.benchmark import read_store, run_benchmark

pd = pytest.importorskip("pandas", reason="tables: pip install skalign[table]")
assert_frame_equal = pd.testing.assert_frame_equal

SLOW = """
import os, time
import numpy as np
from sklearn.linear_model import Ridge
from skalign.benchmark import ModelFeatures, RegionResponses

class SlowRidge(Ridge):
    def fit(self, X, y):
        with open(os.environ["FITS"], "a") as log:
            log.write("fit\\n")
        time.sleep(float(os.environ["PAUSE"]))
        return super().fit(X, y)

def arguments():
    rng = np.random.default_rng(0)
    parts = [{part: rng.standard_normal((30, 5)) for part in ("train", "test")} for _ in range(4)]
    return dict(
        models=[ModelFeatures(f"model {i}", **parts[i]) for i in (0, 1)],
        regions=[RegionResponses(i, "V1", **parts[i]) for i in (2, 3)],
        encoders={f"alpha {i}": SlowRidge(float(i)) for i in range(1, 6)},
    )
"""
RUN = """
from slow import arguments
from skalign.benchmark import run_benchmark
run_benchmark(**arguments(), store="store").to_pickle("table.pickle")
"""


def test_killed_run_resumes_where_it_was(tmp_path, monkeypatch):
    """A real process, killed between two cells or within one: 20 cells in all."""
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    log, store = tmp_path / "fits.log", tmp_path / "store"
    monkeypatch.setenv("FITS", str(log))
    monkeypatch.setenv("PYTHONPATH", f"{Path(skalign.__file__).parents[1]}{os.pathsep}{tmp_path}")

    def start(pause):
        monkeypatch.setenv("PAUSE", str(pause))
        return subprocess.Popen([sys.executable, "-c", RUN], cwd=tmp_path)

    def fits():
        return len(log.read_text().splitlines())

    process = start(pause=0.1)
    while len(list(store.glob("cells-*"))) < 7:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    stored = read_store(store)
    assert 7 <= len(stored) < 20
    n_killed = fits()
    assert n_killed - len(stored) in (0, 1)  # no cell but the one it was in is lost
    assert not (tmp_path / "table.pickle").exists()

    assert start(pause=0).wait() == 0
    assert fits() - n_killed == 20 - len(stored)
    resumed = pd.read_pickle(tmp_path / "table.pickle")
    assert set(stored["seconds"]) < set(resumed["seconds"])  # these were not computed again
    afresh = run_benchmark(**runpy.run_path(str(tmp_path / "slow.py"))["arguments"]())
    assert_frame_equal(
        resumed.drop(columns=["seconds", "penalty"]), afresh.drop(columns=["seconds", "penalty"])
    )


class Noting(Ridge):
    """Notes the number of units and the sum of the responses of every fit."""

    def __init__(self, alpha=1.0, log=None):
        super().__init__(alpha)
        self.log = log

    def fit(self, X, y):
        with self.log.open("a") as log:
            log.write(f"{X.shape[1]} {y[:10].sum():.6f}\n")
        return super().fit(X, y)


class Deadly(Ridge):
    """Kills its process if there are five units, unless the test itself runs in it.

    A file that it waits for tells that another worker has fitted something.
    """

    def __init__(self, alpha=1.0, home=None, log=None):
        super().__init__(alpha)
        self.home = home
        self.log = log

    def fit(self, X, y):
        if X.shape[1] == 5 and os.getpid() != self.home:
            until = time.monotonic() + 60
            while not self.log.exists() and time.monotonic() < until:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.mark.parametrize("n_models", [1, 3])
def test_workers_that_die_do_not_lose_the_table(problem, tmp_path, n_models):
    """Workers share the cells of one model, or three models of which the first is deadly."""
    first, second = (replace(model, localizer=None) for model in problem["models"])
    small = {part: getattr(first, part)[:, :5] for part in ("train", "test", "validation")}
    models = [replace(first, name="deadly", **small), first, second][:n_models]
    problem = {
        "models": models,
        "regions": problem["regions"],
        "encoders": {
            "noting": Noting(log=tmp_path / "fits.log"),
            **problem["encoders"],
            "deadly": Deadly(home=os.getpid(), log=tmp_path / "fits.log"),
        },
    }
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.warns(UserWarning, match="did not give back.*TerminatedWorker") as caught,
    ):
        table = run_benchmark(**problem, store=tmp_path / "store")
    fits = (tmp_path / "fits.log").read_text().splitlines()
    assert fits.count(next(fit for fit in fits if fit.startswith("5 "))) == 1  # stored, and found
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert len(table) == 8 * n_models
    failed = table["error"].notna()
    assert table["error"][failed].str.startswith("TerminatedWorkerError: ", na=False).all()
    assert failed[(table["encoder"] == "deadly") & (table["model"] == "deadly")].all()
    assert not failed[table["model"] != "deadly"].any()
    stored = read_store(tmp_path / "store")
    assert (~failed).sum() <= len(stored) < len(table)
    assert not stored.duplicated(["model", "region", "encoder"]).any()
    again = run_benchmark(**problem, store=tmp_path / "store")
    expected = run_benchmark(**problem)
    assert_frame_equal(again.drop(columns="seconds"), expected.drop(columns="seconds"))
    assert set(stored["seconds"]) < set(again["seconds"])


def test_task_that_cannot_be_sent_is_said(problem):
    class Unsendable(Ridge):
        def __reduce__(self):
            raise TypeError("stays at home")

    problem["encoders"] = {"home": Unsendable()}
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.warns(UserWarning, match="Workers did not give back 8 cells.*PicklingError"),
    ):
        table = run_benchmark(**problem)
    assert table["error"].str.startswith("PicklingError: ", na=False).all()
