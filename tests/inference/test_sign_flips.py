"""Sign flips against scipy's permutation test, and against the inversion that they claim to be."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import permutation_test

from skalign.inference import sign_flip_test

numbers = st.lists(st.integers(-20, 20), min_size=2, max_size=8).filter(lambda x: any(x))


@settings(max_examples=60, deadline=None)
@given(numbers, st.integers(-5, 5))
def test_p_value_is_that_of_scipy(values, null_value):
    """Integers make ties, which count on both sides."""
    found = sign_flip_test([float(value) for value in values], null_value=null_value)
    moved = np.array(values, dtype=float) - null_value
    expected = permutation_test(
        (moved,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert_allclose(found.p_value, expected.pvalue)
    assert found.is_exact
    assert found.n_flips == 2 ** len(values)


@settings(max_examples=60, deadline=None)
@given(numbers, st.sampled_from([0.5, 0.8, 0.9]))
def test_interval_has_the_means_that_the_test_does_not_reject(values, level):
    values = [value + 0.01 * place for place, value in enumerate(values)]
    found = sign_flip_test(values, confidence_level=level)
    for mean in np.linspace(min(values) - 1, max(values) + 1, 41) + 1e-4:
        rejected = sign_flip_test(values, null_value=mean).p_value <= 1 - level + 1e-9
        assert rejected == (not found.low <= mean <= found.high)


def test_random_flips_approach_all_of_them():
    values = np.random.default_rng(0).normal(0.4, 1, 16)
    found = sign_flip_test(values, n_resamples=20_000, random_state=0)
    again = sign_flip_test(values, n_resamples=20_000, random_state=0)
    assert found == again or found.p_value == again.p_value
    assert not found.is_exact
    exact = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=2**17)
    assert abs(found.p_value - exact.pvalue) < 4 * np.sqrt(exact.pvalue / 20_000)
    for end in (found.low, found.high):
        p = sign_flip_test(values, null_value=end, n_resamples=20_000, random_state=1).p_value
        assert abs(p - 0.05) < 0.01


def test_few_subjects_have_no_interval():
    values = [0.5, 0.6, 0.4, 0.55, 0.45]
    found = sign_flip_test(values)
    assert found.p_value == 2 / 32
    assert (found.low, found.high) == (-np.inf, np.inf)
    six = sign_flip_test([*values, 0.7])
    assert (six.low, six.high) == (0.4, 0.7)
    assert six.p_value == 2 / 64


def test_subjects_are_means_of_paired_differences():
    rng = np.random.default_rng(0)
    matched = [rng.random(size) for size in (5, 8, 3, 9, 4, 6, 7)]
    mismatched = [values + rng.random(values.size) for values in matched]
    mismatched[1][2] = np.nan
    found = sign_flip_test(matched, mismatched)
    means = [np.nanmean(one - other) for one, other in zip(matched, mismatched, strict=True)]
    expected = sign_flip_test(means)
    assert found == expected or found.p_value == expected.p_value
    assert_allclose([found.estimate, found.low], [np.mean(means), expected.low])
    lacking = sign_flip_test([*matched, [np.nan]], [*mismatched, [0.0]])
    assert lacking.n_subjects == 7
    assert lacking.p_value == found.p_value


def test_size_is_at_most_nominal():
    """Exact for symmetric values of any spread: heavy tails, and each subject its own scale."""
    rng = np.random.default_rng(0)
    values = rng.standard_t(2, (2000, 7)) * [1, 1, 1, 1, 2, 5, 20]
    p_values = np.array([sign_flip_test(row).p_value for row in values])
    for level in (1 / 64, 4 / 64, 0.25):
        rate = (p_values <= level).mean()
        assert abs(rate - level) < 3.5 * np.sqrt(level * (1 - level) / 2000)


def test_table(monkeypatch):
    pytest.importorskip("pandas")
    found = sign_flip_test([0.1, 0.2, 0.4])
    frame = found.to_frame()
    assert len(frame) == 1
    for name in ("estimate", "low", "high", "p_value", "n_subjects", "n_flips"):
        assert frame[name][0] == getattr(found, name)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skalign\[table\]"):
        found.to_frame()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([1.0],), {}, ValueError, "at least 2 subjects with a value; got 1"),
        (([1.0, np.nan],), {}, ValueError, "at least 2 subjects with a value; got 1"),
        (([1.0, np.inf],), {}, ValueError, "infinity"),
        (([1.0, 2.0], [1.0]), {}, ValueError, "minus must have one array per subject"),
        (([1.0, 2.0],), {"null_value": "0"}, TypeError, "null_value must be a real number"),
        (([1.0, 2.0],), {"confidence_level": 1.0}, ValueError, "confidence_level == 1.0"),
        (([1.0, 2.0],), {"n_resamples": 1}, ValueError, "n_resamples == 1"),
    ],
)
def test_errors_name_the_argument(arguments, options, error, message):
    with pytest.raises(error, match=message):
        sign_flip_test(*arguments, **options)
