"""The fuzz script finds nothing wrong in a few hundred fits, and finds what is wrong."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"
if not SCRIPT.exists():
    pytest.skip("benchmarks are not here", allow_module_level=True)


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz_of_certificates", SCRIPT)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_certificates_of_random_problems_are_true(fuzz):
    report = fuzz.run(400, seed=1)
    assert report.wrong == []
    assert report.converged >= 0.93 * report.fits  # all but least squares from moments
    assert report.refused <= 0.02 * report.fits


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda s: {"coef": s.coef * (1 + 1e-3)}, "violation"),
        (lambda s: {"dual_gap": 0 * s.dual_gap, "kkt_violation": s.kkt_violation + 1}, "gap"),
        (lambda s: {"coef": s.coef * np.nan}, "not finite"),
    ],
)
def test_wrong_fits_are_found(fuzz, monkeypatch, change, found):
    true_solve = fuzz.solve

    def wrong_solve(*args, **kwargs):
        solution = true_solve(*args, tol=1e-2, **kwargs)
        return replace(solution, **change(solution))

    monkeypatch.setattr(fuzz, "solve", wrong_solve)
    report = fuzz.run(60, seed=2)
    assert any(found in line for line in report.wrong)
