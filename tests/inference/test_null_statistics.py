"""Ranks of an observed row among null rows, against explicit counts and regressions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import false_discovery_control

from skalign.inference import _null_statistics
from skalign.inference._null_statistics import (
    center_draws,
    compare_at_equal_units,
    least_p_value,
    n_targets_for_discovery,
    p_values_of,
)

TIE = 1e-9


@pytest.fixture
def fits():
    """Theta and numbers of active units of 40 fits of 5 targets, some of them empty."""
    rng = np.random.default_rng(0)
    n_active = rng.integers(0, 12, size=(40, 5))
    n_active[:, 3] = 4
    n_active[:, 4] = rng.integers(1, 3, size=40)
    theta = 1 - 1 / np.sqrt(np.maximum(n_active, 1)) + 0.1 * rng.standard_normal((40, 5))
    return np.where(n_active > 0, theta, np.nan), n_active


def predict_from_others(values, n_active, degree):
    """For each fit: least squares on the others, of powers of log k; NaN fits stay out."""
    predicted = np.full(len(values), np.nan)
    for row in np.flatnonzero(n_active):
        others = (n_active > 0) & (np.arange(len(values)) != row)
        logs = np.log(n_active[others])
        # What these numbers of units cannot tell apart is left out.
        degree_told = min(degree, len(set(logs)) - 1)
        coefficients = np.polyfit(logs, values[others], degree_told)
        predicted[row] = np.polyval(coefficients, np.log(n_active[row]))
    return predicted


def test_theta_is_compared_with_a_regression_over_all_other_fits(fits):
    theta, n_active = fits
    excess, statistic = compare_at_equal_units(theta, n_active, TIE)
    for t in range(5):
        expected = theta[:, t] - predict_from_others(theta[:, t], n_active[:, t], 2)
        assert_allclose(excess[:, t], expected, atol=1e-10)
        size = predict_from_others(abs(expected), n_active[:, t], 1)
        assert np.nanmin(size) > 0.01
        assert_allclose(statistic[:, t], -expected / size, atol=1e-8)
    assert_array_equal(np.isnan(excess), n_active == 0)


def test_expected_size_has_a_floor(fits):
    """A regression may predict a negative size."""
    n_active = np.array([*range(1, 12), 60])[:, np.newaxis]
    theta = 0.5 + np.resize([0.1, -0.1], 12)[:, np.newaxis] / n_active
    excess, statistic = compare_at_equal_units(theta, n_active, TIE)
    size = np.abs(excess[:, 0])
    assert predict_from_others(size, n_active[:, 0], 1)[-1] < 0
    assert_allclose(-excess[-1, 0] / statistic[-1, 0], 0.1 * size[:-1].mean())


def test_blocks_of_targets_change_nothing(fits, monkeypatch):
    expected = compare_at_equal_units(*fits, TIE)
    monkeypatch.setattr(_null_statistics, "BLOCK_BYTES", 1)
    for found, one in zip(compare_at_equal_units(*fits, TIE), expected, strict=True):
        assert_allclose(found, one, atol=1e-12)


def test_all_fits_are_treated_alike(fits):
    """Another fit as the observed one: the residuals go with the fits."""
    theta, n_active = fits
    order = np.random.default_rng(1).permutation(len(theta))
    whole = compare_at_equal_units(theta, n_active, TIE)
    shuffled = compare_at_equal_units(theta[order], n_active[order], TIE)
    for one, other in zip(whole, shuffled, strict=True):
        assert_allclose(one[order], other, atol=1e-10)
    assert_allclose(center_draws(theta)[order], center_draws(theta[order]), atol=1e-12)


def test_what_the_other_fits_do_not_determine_is_no_evidence():
    """The only fit with more than one unit, and the only fit at all."""
    n_active = np.array([[5, 1], [1, 0], [1, 0], [1, 0]])
    theta = np.array([[0.1, 0.1], [0.0, np.nan], [0.0, np.nan], [0.0, np.nan]])
    excess, statistic = compare_at_equal_units(theta, n_active, TIE)
    assert_array_equal(excess[0], 0)
    found = p_values_of(statistic, n_active[0] > 0, "bh", TIE)
    assert_array_equal(found.p_value, 1)
    assert found.region_p_value == 1


def test_rounding_errors_are_ties():
    """Every single unit is its own prediction."""
    n_active = np.ones((20, 3), int)
    theta = 1e-15 * np.random.default_rng(0).standard_normal((20, 3))
    _, statistic = compare_at_equal_units(theta, n_active, TIE)
    assert_array_equal(p_values_of(statistic, np.ones(3, bool), "bh", TIE).p_value, 1)


def explicit_p_values(statistic, is_tested):
    """Draw by draw, target by target."""
    n_rows, n_targets = statistic.shape
    p, familywise = np.ones((2, n_targets))
    for t in np.flatnonzero(is_tested):
        count = count_of_largest = 1
        for row in statistic[1:]:
            count += np.isnan(row[t]) or row[t] >= statistic[0, t]
            defined = [value for value in row if not np.isnan(value)]
            count_of_largest += bool(defined) and max(defined) >= statistic[0, t]
        p[t], familywise[t] = count / n_rows, max(count, count_of_largest) / n_rows
    means = [np.mean([v for v in row if not np.isnan(v)] or [np.nan]) for row in statistic]
    region = 1.0
    if not np.isnan(means[0]):
        region = (1 + sum(np.isnan(m) or m >= means[0] for m in means[1:])) / n_rows
    return p, familywise, region


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31 - 1), st.integers(1, 12), st.integers(1, 6), st.floats(0, 0.9),
    st.sampled_from(["bh", "by"]),
)  # fmt: skip
def test_p_values(seed, n_resamples, n_targets, empty, correction):
    rng = np.random.default_rng(seed)
    statistic = rng.integers(-3, 4, size=(1 + n_resamples, n_targets)).astype(float)  # with ties
    statistic[rng.random(statistic.shape) < empty] = np.nan
    is_tested = ~np.isnan(statistic[0])
    found = p_values_of(statistic, is_tested, correction, TIE)
    p, familywise, region = explicit_p_values(statistic, is_tested)
    assert_allclose(found.p_value, p)
    assert_allclose(found.familywise_p_value, familywise)
    assert_allclose(found.region_p_value, region)
    assert_allclose(found.q_value, false_discovery_control(p, method=correction))


def test_observed_values_of_equal_size_up_to_rounding_are_ties():
    statistic = np.array([[1.0], [1.0 - 1e-12], [0.5], [0.5]])
    assert_allclose(p_values_of(statistic, np.ones(1, bool), "bh", TIE).p_value, 0.5)


def test_familywise_rate_and_region():
    """Dependent targets without any effect, then a weak effect that all targets share."""
    rng = np.random.default_rng(0)
    n_targets, n_sims = 20, 400
    any_target, single, region = [], [], []
    for _ in range(n_sims):
        statistic = rng.standard_normal((40, n_targets)) + rng.standard_normal((40, 1))
        found = p_values_of(statistic, np.ones(n_targets, bool), "bh", TIE)
        single.append((found.p_value <= 0.05).any())
        any_target.append((found.familywise_p_value <= 0.05).any())
        region.append(found.region_p_value <= 0.05)
    error = np.sqrt(0.05 * 0.95 / n_sims)
    assert abs(np.mean(any_target) - 0.05) < 3 * error
    assert abs(np.mean(region) - 0.05) < 3 * error
    assert np.mean(single) > 0.2
    shifted = rng.standard_normal((100, n_targets))
    shifted[0] += 0.7
    found = p_values_of(shifted, np.ones(n_targets, bool), "bh", TIE)
    assert found.region_p_value == 0.01
    assert (found.familywise_p_value > 0.05).mean() > 0.9


@pytest.mark.parametrize("correction", ["bh", "by"])
@pytest.mark.parametrize("n_resamples", [99, 199, 1000])
@pytest.mark.parametrize("n_targets", [1, 7, 50])
def test_number_of_targets_that_discoveries_need(correction, n_resamples, n_targets):
    least = least_p_value(n_resamples, np.inf)
    needed = n_targets_for_discovery(least, n_targets, correction, 0.05)
    for n_found in range(1, n_targets + 1):
        p = np.r_[np.full(n_found, least), np.ones(n_targets - n_found)]
        discovered = false_discovery_control(p, method=correction)[0] <= 0.05 + 1e-12
        assert discovered == (n_found >= needed)


def test_few_arrangements_bound_p_values():
    assert least_p_value(199, 24.0) == 1 / 24
    assert least_p_value(9, 24.0) == 0.1
