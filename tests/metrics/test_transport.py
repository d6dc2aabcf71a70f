"""Transport plans are feasible and as good as the full linear program's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import linprog

from skalign.metrics import _transport
from skalign.metrics._transport import transport_plan


def best_value(gain, fraction):
    """By a linear program over all pairs at once."""
    n_rows, n_columns = gain.shape
    rows = sparse.kron(sparse.eye_array(n_rows), np.ones((1, n_columns)))
    columns = sparse.kron(np.ones((1, n_rows)), sparse.eye_array(n_columns))
    found = linprog(
        -gain.ravel(),
        A_ub=sparse.vstack([rows, columns]),
        b_ub=np.repeat([1 / n_rows, 1 / n_columns], [n_rows, n_columns]),
        A_eq=np.ones((1, gain.size)),
        b_eq=[fraction],
    )
    return -found.fun


@settings(deadline=None, max_examples=80)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([1.0, 0.5, 0.9, 1e-3]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_plan_is_feasible_and_best(n_rows, n_columns, fraction, has_ties, is_program, seed):
    gain = np.random.default_rng(seed).uniform(-1, 1, (n_rows, n_columns))
    if has_ties:
        gain = np.round(gain, 1)
    solve = _transport._by_linear_program if is_program else transport_plan
    plan = solve(gain, fraction).toarray()
    assert plan.min() >= 0
    assert_allclose(plan.sum(), fraction, atol=1e-10)
    assert (plan.sum(axis=1) <= 1 / n_rows + 1e-10).all()
    assert (plan.sum(axis=0) <= 1 / n_columns + 1e-10).all()
    assert_allclose((plan * gain).sum(), best_value(gain, fraction), atol=1e-9)


@pytest.mark.parametrize("fraction", [1.0, 0.95])
def test_pairs_enter_the_program_until_none_pays(monkeypatch, fraction):
    """From the single best pair of every unit, more must enter to reach the optimum."""
    n_programs = []

    def count(*args, **kwargs):
        n_programs.append(1)
        return linprog(*args, **kwargs)

    monkeypatch.setattr(_transport, "linprog", count)
    monkeypatch.setattr(_transport, "NEAREST", 1)
    monkeypatch.setattr(_transport, "ENTERING", 1)
    gain = np.random.default_rng(0).uniform(-1, 1, (23, 19))
    plan = _transport._by_linear_program(gain, fraction)
    assert len(n_programs) > 2
    assert_allclose(plan.multiply(gain).sum(), best_value(gain, fraction), atol=1e-9)


def test_sizes_without_a_small_common_multiple_are_a_program(monkeypatch):
    gain = np.random.default_rng(0).uniform(-1, 1, (41, 37))
    by_assignment = transport_plan(gain)
    monkeypatch.setattr(_transport, "COPIES", 100)
    by_program = transport_plan(gain)
    assert_allclose(*(p.multiply(gain).sum() for p in (by_assignment, by_program)), atol=1e-10)
