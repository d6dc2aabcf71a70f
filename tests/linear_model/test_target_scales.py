"""Targets whose mean drowns their spread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skalign.linear_model import SparsePositiveEncoder
from skalign.linear_model._target_scales import DROWNED, find_drowned


def drowned_slowly(Y, limit):
    """Numbers of the targets that vary and whose mean is at least so many times their spread."""
    found = []
    for number, column in enumerate(Y.T):
        seen = column[~np.isnan(column)].astype(np.float64)
        if seen.size and seen.min() < seen.max() and abs(seen.mean()) >= limit * seen.std():
            found.append(number)
    return found


@given(
    st.integers(2, 30),
    st.integers(1, 12),
    st.integers(0, 2**32 - 1),
    st.sampled_from("fd"),
    st.booleans(),
)
def test_targets_are_found_as_by_reading_all(n_samples, n_targets, seed, kind, has_missing):
    dtype, rng = np.dtype(kind), np.random.default_rng(seed)
    Y = rng.standard_normal((n_samples, n_targets))
    Y += rng.choice([0, 0.3, 2, 30], n_targets) * DROWNED[dtype] * rng.choice([-1, 1], n_targets)
    Y[:, rng.random(n_targets) < 0.2] = 5.0  # constant
    Y = Y.astype(dtype)
    if has_missing:
        Y[rng.random(Y.shape) < 0.3] = np.nan
    assert find_drowned(Y, dtype).tolist() == drowned_slowly(Y, DROWNED[dtype])


@pytest.mark.parametrize("exponent", [530, -530])
def test_targets_of_any_size_are_judged_alike(exponent):
    Y = np.random.default_rng(0).standard_normal((20, 4))
    Y[:, [1, 3]] += 1e13
    Y[0, 2:] = np.nan
    assert find_drowned(np.ldexp(Y, exponent), np.dtype("d")).tolist() == [1, 3]


@pytest.mark.parametrize(("dtype", "mean"), [(np.float64, 1e13), (np.float32, 1e7)])
def test_an_encoder_tells_of_a_mean_that_drowns_the_spread(dtype, mean):
    rng = np.random.default_rng(0)
    X = rng.random((40, 3)).astype(dtype)
    y = (X @ rng.random((3, 4))).astype(dtype)
    y[:, 2] += mean
    with pytest.warns(UserWarning, match=r"1 of 4 targets .* times their spread \(targets 2\)"):
        SparsePositiveEncoder("ols").fit(X, y)
    SparsePositiveEncoder("ols", fit_intercept=False).fit(X, y)  # no mean is taken off
