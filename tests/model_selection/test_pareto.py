"""The front against a slow definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from skalign.model_selection import pareto_optimal


def slow_front(r, theta, n_active):
    """Of one target, by pairs."""
    points = [
        (-r[k], theta[k], n_active[k]) if r[k] > 0 and theta[k] >= 0 and n_active[k] > 0 else None
        for k in range(len(r))
    ]
    return [
        own is not None
        and not any(
            other is not None
            and other != own
            and all(a <= b for a, b in zip(other, own, strict=True))
            for other in points
        )
        for own in points
    ]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 7), st.integers(1, 3), st.data())
def test_front_is_what_nothing_else_beats(n_candidates, n_targets, data):
    def table(values):
        elements = st.sampled_from(values)
        return data.draw(arrays(float, (n_candidates, n_targets), elements=elements))

    r = table([np.nan, -0.5, 0.0, 0.25, 0.5, 0.75])
    theta = table([np.nan, 0.0, 0.5, 1.0])
    n_active = table([np.nan, 0.0, 1.0, 2.0, 3.0])
    columns = zip(r.T, theta.T, n_active.T, strict=True)
    expected = np.transpose([slow_front(*column) for column in columns])
    assert_array_equal(pareto_optimal(r, theta, n_active), expected)
    assert_array_equal(pareto_optimal(r[:, 0], theta[:, 0], n_active[:, 0]), expected[:, 0])
