"""The table of coverages, small: what is said of the intervals, and that its script runs."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "interval_coverage.py"
if not SCRIPT.exists():
    pytest.skip("benchmarks are not here", allow_module_level=True)


@pytest.fixture(scope="module")
def coverage():
    sys.path.insert(0, str(SCRIPT.parent))  # as if the script were run
    spec = importlib.util.spec_from_file_location("coverage_of_intervals", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPT.parent))
    return module


def rows_of(coverage, setting, n_simulations):
    rows = coverage.coverage_rows(n_simulations, n_resamples=200, settings=[setting])
    return {(row.interval, row.measure): row for row in rows}


def test_means_over_few_subjects(coverage):
    rows = rows_of(coverage, "8 subjects, normal", 400)
    for interval in ("bootstrap_mean, t", "sign_flip_test"):
        row = rows[interval, "mean"]
        assert abs(row.coverage - 0.955) < 3.5 * row.standard_error
    too_low = rows["bootstrap_mean, percentile", "mean"]
    assert too_low.coverage < 0.95 - 2 * too_low.standard_error
    size = rows["equivalence_test, 1 - size, t", "mean"]
    assert abs(size.coverage - 0.95) < 3.5 * size.standard_error
    accepted = rows["sign_flip_test, 1 - size", "p-value"]
    assert accepted.coverage == rows["sign_flip_test", "mean"].coverage


def test_few_groups_of_images(coverage):
    rows = rows_of(coverage, "4 groups of 20 dependent images, standardized", 40)
    for measure in ("r", "theta"):
        by_t, by_draws = (
            rows[f"bootstrap_alignment, {method}", measure].coverage
            for method in ("t", "percentile")
        )
        assert by_t > 0.78  # 4 standard errors below what it is
        assert by_draws < by_t


def test_independent_images(coverage):
    rows = rows_of(coverage, "100 images, rectified", 20)
    assert len(rows) == 24  # r and theta of the mean, a target, a difference, a test; three ways
    assert all(row.coverage > 0.7 for row in rows.values())


def test_parts_of_variance(coverage):
    rows = rows_of(coverage, "parts of variance, 8 groups of 20", 100)
    for measure in ("matched", "only mismatched, target", "matched & mismatched"):
        by_t, by_draws = (
            rows[f"variance_partition, {method}", measure].coverage
            for method in ("t", "percentile")
        )
        assert by_t > 0.88  # 3 standard errors below 0.95
        assert by_draws < by_t


def test_crossed_factors(coverage):
    rows = rows_of(coverage, "6 families of 4 x 8 subjects", 400)
    by_t = rows["crossed_mean, t", "mean"]
    assert abs(by_t.coverage - 0.95) < 3.5 * by_t.standard_error
    ignored = rows["crossed_mean, t, families ignored", "mean"]
    assert ignored.coverage < 0.95 - 2 * ignored.standard_error


def test_refits(coverage):
    rows = rows_of(coverage, "refits to 60 images", 50)
    given_fit, over_both = (
        rows[f"refit_intervals, {over}", "theta"].coverage for over in ("test", "both")
    )
    assert over_both > 0.8
    assert given_fit < over_both - 0.1
