"""Intervals of means over targets and subjects against scipy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import bootstrap, ttest_1samp

from skalign.inference import bootstrap_mean


def test_over_subjects_draws_their_means():
    rng = np.random.default_rng(0)
    matched = [rng.random(size) for size in (5, 8, 3, 9, 4, 6)]
    mismatched = [values + rng.random(values.size) for values in matched]
    mismatched[1][2] = np.nan
    with pytest.warns(UserWarning, match="10 subjects to draw from; got 6") as told:
        found = bootstrap_mean(
            matched, mismatched, over="subjects", method="percentile", random_state=1
        )
    assert told[0].filename == __file__
    means = [np.nanmean(one - other) for one, other in zip(matched, mismatched, strict=True)]
    state = np.random.RandomState(1)
    expected = bootstrap(
        (means,), np.mean, n_resamples=1000, method="percentile", random_state=state
    )
    assert found.n_left_out == 1
    assert_allclose(
        [found.estimate, found.low, found.high, found.standard_error],
        [np.mean(means), *expected.confidence_interval, expected.standard_error],
    )


def test_subject_without_a_value_is_left_out():
    values = [np.array([0.1, 0.2]), np.array([np.nan]), np.array([0.4])]
    found = bootstrap_mean(values, over="subjects")
    assert found.n_left_out == 1
    assert_allclose(found.estimate, (0.15 + 0.4) / 2)
    alone = bootstrap_mean(values[:2], over="subjects")
    assert_allclose(alone.estimate, 0.15)
    assert np.isnan([alone.low, alone.high, alone.standard_error]).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1.0],), {}, "at least 2 targets to draw from; got 1"),
        (([[1.0, 2.0]],), {"over": "subjects"}, "at least 2 subjects to draw from; got 1"),
        (([[1.0, 2.0]],), {}, "values must be 1-D"),
        (([1.0, np.inf],), {}, "infinity"),
        (([1.0, 2.0], [1.0, 2.0, 3.0]), {}, "minus must have one value per target of values, 2"),
        (([[1], [2]], [[1]]), {"over": "subjects"}, "minus must have one array per subject"),
        (([1.0, 2.0],), {"over": "images"}, "over must be"),
    ],
)
def test_means_name_what_is_wrong(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_mean(*arguments, **options)


@pytest.mark.parametrize("over", ["targets", "subjects"])
def test_t_is_that_of_student_and_the_default(over):
    values = np.random.default_rng(0).random(6)
    given = values if over == "targets" else [[value, value] for value in values]
    found = bootstrap_mean(given, over=over, confidence_level=0.9)
    expected = ttest_1samp(values, 0).confidence_interval(0.9)
    assert_allclose([found.low, found.high], expected)
    assert_allclose(found.standard_error, values.std(ddof=1) / np.sqrt(6))


def test_few_are_warned_of_and_ten_are_not():
    values = np.random.default_rng(0).random(10)
    bootstrap_mean(values, n_resamples=9, method="BCa")
    with pytest.warns(UserWarning, match="10 targets to draw from; got 9"):
        bootstrap_mean(values[1:], n_resamples=9, method="BCa")
    bootstrap_mean(values[1:], method="t")


def test_printed_interval_does_not_list_its_draws():
    interval = bootstrap_mean(np.arange(500.0), over="targets")
    assert interval.jackknife is not None
    assert "estimate=" in repr(interval)
    assert len(repr(interval)) < 500
