"""Patterns of missing responses: every target once, beside those that miss the same images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from joblib import parallel_config

from skalign.utils import MissingPatterns, check_missing, missing_explained, refuse_missing
from skalign.utils import _missing as module

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)


@given(is_missing=hnp.arrays(bool, SHAPES), weighted=st.booleans())
def test_targets_of_a_pattern_are_those_that_miss_the_same_images(is_missing, weighted):
    n_images, n_targets = is_missing.shape
    weight = (np.arange(n_images) % 3).astype(float) if weighted else None
    Y = np.where(is_missing, np.nan, np.arange(is_missing.size).reshape(is_missing.shape))
    patterns = MissingPatterns(Y, weight)
    assert patterns.any_missing == is_missing.any()
    assert sorted(np.concatenate([one.targets for one in patterns])) == list(range(n_targets))
    counts = np.ones(n_images, bool) if weight is None else weight > 0
    seen = set()
    for one in patterns:
        is_observed = ~is_missing[:, one.targets]
        if not is_observed.all():
            is_observed &= counts[:, None]
        assert (is_observed == is_observed[:, :1]).all()
        observed = np.arange(n_images)[one.observed]
        np.testing.assert_array_equal(observed, np.flatnonzero(is_observed[:, 0]))
        assert one.n_observed == len(observed)
        assert tuple(observed) not in seen
        seen.add(tuple(observed))
        responses = one.responses(Y)
        if one.n_observed:
            assert responses.shape == (len(observed), len(one.targets))
            np.testing.assert_array_equal(
                responses[:, 0 : len(one.targets)], Y[np.ix_(observed, one.targets)]
            )
        else:
            assert not responses.any()
            assert np.isin(one.targets, patterns.unobserved).all()


def test_blocks_of_targets_find_the_same_patterns(monkeypatch):
    rng = np.random.default_rng(0)
    Y = np.where(rng.random((5, 40)) < 0.2, np.nan, 1.0)
    whole = [one.targets.tolist() for one in MissingPatterns(Y)]
    monkeypatch.setattr(module, "BLOCK_BYTES", 8 * 5 * 3)
    assert [one.targets.tolist() for one in MissingPatterns(Y)] == whole
    with pytest.raises(ValueError, match=rf"in {np.isnan(Y).any(axis=0).sum()} of 40 targets"):
        refuse_missing(Y)


def test_integers_have_no_missing_values():
    patterns = MissingPatterns(np.zeros((3, 2), int))
    assert len(patterns) == 1
    assert not patterns.any_missing


@pytest.mark.parametrize("bytes_each", [1, 2**40])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_map_works_on_every_pattern(n_jobs, bytes_each):
    rng = np.random.default_rng(1)
    Y = np.where(rng.random((4, 300)) < 0.3, np.nan, 1.0)
    Y[:, :100] = 1.0  # more than a few targets
    patterns = MissingPatterns(Y)
    found = np.full(300, -1)
    for targets, n_observed in patterns.map(
        lambda one, _: one.n_observed, n_jobs, bytes_each=bytes_each
    ):
        found[targets] = n_observed
    np.testing.assert_array_equal(found, (~np.isnan(Y)).sum(axis=0))


@pytest.mark.parametrize(("bytes_each", "expected"), [(1, {1}), (2**31, {1, 4})])
def test_large_patterns_run_side_by_side_only_where_memory_allows(bytes_each, expected):
    Y = np.ones((12, 1000))
    for pattern in range(10):
        Y[pattern, pattern * 100 : pattern * 100 + 100] = np.nan
    Y[11, :10] = np.nan  # and one of few targets
    with parallel_config("threading"):
        found = list(MissingPatterns(Y).map(lambda _, n_jobs: n_jobs, 4, bytes_each=bytes_each))
    assert {n_jobs for _, n_jobs in found} == expected
    assert {len(targets): n_jobs for targets, n_jobs in found}[10] == 1


def test_error_counts_targets_and_images():
    Y = np.zeros((10, 5))
    Y[[2, 7], 3] = np.nan
    Y[7, 4] = np.nan
    message = r"NaN in 2 of 5 targets, first in target 3, and in 2 of 10 images\. Use missing=.mask"
    with pytest.raises(ValueError, match=message):
        refuse_missing(Y)
    with pytest.raises(ValueError, match=message), missing_explained(Y):
        raise ValueError("something that NaN caused")
    with pytest.raises(ValueError, match="something else"), missing_explained(np.zeros((2, 2))):
        raise ValueError("something else")


@pytest.mark.parametrize("value", ["drop", None, True, 3, np.array(["mask", "mask"])])
def test_other_values_are_refused(value):
    with pytest.raises(ValueError, match=r'missing must be "error" or "mask"; got'):
        check_missing(value)
