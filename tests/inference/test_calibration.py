"""The table of rejection rates, small: nulls hold their size, and the table would show if not."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "calibration.py"
if not SCRIPT.exists():
    pytest.skip("benchmarks are not here", allow_module_level=True)


@pytest.fixture(scope="module")
def calibration():
    sys.path.insert(0, str(SCRIPT.parent))  # as if the script were run
    spec = importlib.util.spec_from_file_location("calibration_of_nulls", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPT.parent))
    return module


@pytest.mark.parametrize(
    "setting",
    [
        "units of a pool, rectified",
        "random axes, few active units",
        "AR(1), 4 whole runs",
        "AR(1), shifts in 8 runs",
    ],
)
def test_nulls_hold_their_size(calibration, setting):
    rows = list(calibration.rejection_rows(60, n_resamples=19, settings=[setting]))
    tests = {row.test for row in rows if row.measure == "r"}
    assert tests == {
        "single targets", "any target, family-wise", "any target, FDR", "mean of the region"
    }  # fmt: skip
    for row in rows:
        assert not row.fails(3.5), row
        assert 0 < row.standard_error < 0.1


@pytest.mark.parametrize(
    ("setting", "measure"),
    [
        ("random axes, standardized before", "theta"),
        ("AR(1), the same runs scored", "r"),
        ("AR(1) and drift, single images", "r"),
    ],
)
def test_tests_that_do_not_hold_it_are_seen(calibration, setting, measure):
    rows = calibration.rejection_rows(250, n_resamples=19, settings=[setting])
    (row,) = (row for row in rows if (row.test, row.measure) == ("single targets", measure))
    assert row.exceeds(2.5)
    assert row.documented > 0.1
    assert not row.fails(3.5)
    assert row._replace(documented=0.06).fails()


def test_every_setting_runs(calibration):
    rows = list(calibration.rejection_rows(1, n_resamples=19))
    assert {row.setting for row in rows} == set(calibration.SETTINGS)
    assert all(0 <= row.rate <= 1 for row in rows if not np.isnan(row.rate))


def test_what_is_marked_is_simulated_again(calibration, monkeypatch, capsys):
    """From another seed, four times as often; only a row that is marked twice fails."""
    seen = []

    def rows(n_simulations, *, settings, seed=0):
        seen.append((n_simulations, settings[0], seed))
        row = calibration.Rejection(settings[0], "single targets", "r", 0.05, 0.005, 100, None)
        yield row._replace(test="mean of the region")
        is_large = settings[0] == "b" or (settings[0] == "a" and seed == 0)
        documented = 0.08 if settings[0] == "c" else None
        yield row._replace(rate=0.08 if is_large or documented else 0.06, documented=documented)

    monkeypatch.setattr(calibration, "SETTINGS", dict.fromkeys("abc"))
    monkeypatch.setattr(calibration, "rejection_rows", rows)
    (failed,) = calibration.rows_that_fail(10)
    assert (failed.setting, failed.test) == ("b", "single targets")
    assert seen == [(10, "a", 0), (40, "a", 3), (10, "b", 0), (40, "b", 3), (10, "c", 0)]
    printed = capsys.readouterr().out.splitlines()
    assert ["(again)" in line for line in printed] == [False, False, True] * 2 + [False] * 2
    assert "(*)" in printed[-1]
    monkeypatch.setattr(sys, "argv", ["calibration.py", "--no-coverage"])
    assert calibration.main() == 1


def test_rate_and_its_error(calibration):
    """Ten simulations of four targets that agree count as ten, not as forty."""
    agreeing = [np.full(4, k < 2) for k in range(10)]
    rate, error = calibration.rate_of(agreeing)
    assert rate == 0.2
    assert error == pytest.approx(np.sqrt(0.2 * 0.8 / 10))
    rate, error = calibration.rate_of([np.zeros(4, bool)] * 10)
    assert (rate, error) == (0, pytest.approx(np.sqrt(0.05 * 0.95 / 40)))
