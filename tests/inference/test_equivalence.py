"""Two one-sided tests: against scipy's t-tests, and against the interval that they mirror."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.linear_model import Ridge

from skalign.inference import (
    EquivalenceTest,
    bootstrap_alignment_difference,
    bootstrap_mean,
    crossed_mean,
    equivalence_test,
)


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.2])
def test_is_the_larger_p_of_two_t_tests(shift):
    values = np.random.default_rng(0).normal(shift, 0.3, 9)
    found = equivalence_test(
        bootstrap_mean([[value] for value in values], over="subjects", method="t"), 0.25
    )
    expected = max(
        stats.ttest_1samp(values, -0.25, alternative="greater").pvalue,
        stats.ttest_1samp(values, 0.25, alternative="less").pvalue,
    )
    assert_allclose(found.p_value, expected)
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert_allclose([found.low, found.high], [interval.low, interval.high])


def test_shown_where_the_interval_lies_within_the_margin():
    rng = np.random.default_rng(0)
    for _ in range(50):
        interval = crossed_mean(rng.normal(0, 1, (6, 5)), factors=("networks", "subjects"))
        margin, level = rng.uniform(0.1, 2), rng.uniform(0.01, 0.3)
        found = equivalence_test(interval, margin, level=level)
        assert found.is_equivalent == (-margin < found.low and found.high < margin)
        assert found.is_equivalent == (found.p_value < level)


def test_every_target_has_a_test_with_its_name():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X, other = rng.standard_normal((2, 80, 3))
    Y = pd.DataFrame(X + 0.3 * rng.standard_normal((80, 3)), columns=["u", "v", "w"])
    Y["w"] = other[:, 0]
    sides = {"a": (Ridge(1.0).fit(X, Y), X), "b": (Ridge(1.5).fit(X, Y), X)}
    sides["other"] = (Ridge().fit(other, Y), other)
    alike = bootstrap_alignment_difference({k: sides[k] for k in "ab"}, Y, method="t")
    unlike = bootstrap_alignment_difference({k: sides[k] for k in ("a", "other")}, Y, method="t")
    found, lost = (equivalence_test(one.target_r, 0.1) for one in (alike, unlike))
    assert_array_equal(found.is_equivalent, [True, True, True])
    assert_array_equal(lost.is_equivalent, [False, False, False])
    frame = found.to_frame()
    assert_array_equal(frame["target"], ["u", "v", "w"])
    assert_array_equal(frame["p_value"], found.p_value)
    z = (np.abs(unlike.target_r.estimate) - 0.1) / unlike.target_r.standard_error
    assert_allclose(lost.p_value, stats.t.cdf(z, 79))
    mean = equivalence_test(alike.r, 0.1)
    assert mean.is_equivalent is True
    assert list(mean.to_frame().columns) == list(frame.columns[1:])


def test_bootstrap_intervals_are_taken_for_normal():
    values = np.random.default_rng(0).normal(0.1, 1, 40)
    interval = bootstrap_mean(values, method="percentile", random_state=0)
    found = equivalence_test(interval, 0.5)
    z = (abs(interval.estimate) - 0.5) / interval.standard_error
    assert_allclose(found.p_value, stats.norm.cdf(z))


def test_without_spread_there_is_no_test():
    interval = bootstrap_mean([[0.0], [0.0], [0.0]], over="subjects", method="t")
    found = equivalence_test(interval, 0.1)
    assert isinstance(found, EquivalenceTest)
    assert np.isnan(found.p_value)
    assert found.is_equivalent is False


def test_size_at_the_margin():
    rng = np.random.default_rng(0)
    shown = [
        equivalence_test(crossed_mean(values, factors=["subjects"]), 5.0).is_equivalent
        for values in rng.normal(5.0, 1.0, (1500, 6))
    ]
    assert abs(np.mean(shown) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 1500)


def test_bad_arguments_are_refused():
    interval = bootstrap_mean([0.1, 0.2, 0.4], method="t")
    with pytest.raises(TypeError, match="difference must be a ConfidenceInterval"):
        equivalence_test(0.1, 0.1)
    with pytest.raises(ValueError, match="margin must be above 0; got 0"):
        equivalence_test(interval, 0)
    with pytest.raises(ValueError, match="level must be between"):
        equivalence_test(interval, 0.1, level=0.5)
