"""The strategies keep what they promise, and do find the degenerate cases they are there for."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skalign.testing import encoding_problems, features, targets, weights

few = settings(max_examples=40, deadline=None, derandomize=True)
many = settings(few, max_examples=250, suppress_health_check=[HealthCheck.too_slow])


def drawn(strategy, settings=few):
    """A list of examples."""
    examples = []

    @settings
    @given(strategy)
    def collect(example):
        examples.append(example)

    collect()
    return examples


def norms(array):
    return np.linalg.norm(array, axis=0)


def is_constant(array):
    return np.ptp(array, axis=0) == 0


def copies(array):
    """Whether a column that is not constant stands twice."""
    columns = array[:, ~is_constant(array)]
    return np.unique(columns, axis=1).shape[1] < columns.shape[1]


def opposites(array):
    columns = array[:, ~is_constant(array)]
    return copies(np.c_[columns, -columns]) and not copies(columns)


def unequal(sizes):
    sizes = sizes[sizes > 0]
    return sizes.size > 1 and sizes.max() > 100 * sizes.min()


CASES = {
    "silent unit": lambda p: (norms(p.features) == 0).any(),
    "constant unit": lambda p: (is_constant(p.features) & (norms(p.features) > 0)).any(),
    "duplicated units": lambda p: copies(p.features),
    "opposite units": lambda p: len(p.features) > 1 and opposites(p.features),
    "unequal scales of units": lambda p: unequal(norms(p.features)),
    "single image": lambda p: len(p.features) == 1,
    "single unit": lambda p: p.features.shape[1] == 1,
    "more units than images": lambda p: p.features.shape[1] > len(p.features) > 1,
    "zero target": lambda p: (norms(p.targets) == 0).any(),
    "all targets zero": lambda p: not p.targets.any() and p.targets.shape[1] > 1,
    "constant target": lambda p: (is_constant(p.targets) & (norms(p.targets) > 0)).any(),
    "duplicated targets": lambda p: copies(p.targets),
    "unequal scales of targets": lambda p: unequal(norms(p.targets)),
    "empty weights of one target": lambda p: p.weights.any() and not p.weights.any(axis=1).all(),
    "all weights empty": lambda p: not p.weights.any(),
    "weights of both signs": lambda p: p.weights.min() < 0 < p.weights.max(),
    "unequal scales of weights": lambda p: unequal(norms(p.weights.T)),
    "plain": lambda p: (
        np.linalg.matrix_rank(p.features) == p.features.shape[1] > 3 and p.weights.all()
    ),
}


@pytest.fixture(scope="module")
def many_problems():
    return drawn(encoding_problems(), many)


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_drawn(many_problems, case):
    assert any(map(CASES[case], many_problems))


@few
@given(encoding_problems())
def test_shapes_fit(problem):
    (n_images, n_units), n_targets = problem.features.shape, problem.targets.shape[1]
    assert problem.targets.shape == (n_images, n_targets)
    assert problem.weights.shape == (n_targets, n_units)
    assert 1 <= n_images <= 8
    for array in problem:
        assert array.dtype == np.float64
        assert array.flags.writeable
        np.testing.assert_array_equal(array * 256, np.round(array * 256))


@few
@given(encoding_problems(degenerate=False))
def test_plain_problems_are_in_general_position(problem):
    X, Y, W = problem
    for array in (X, Y):
        assert not is_constant(array).any()
    singular_values = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)
    assert singular_values[-1] > 1e-3
    assert singular_values.size == X.shape[1]
    assert W.any(axis=1).all()


@few
@given(encoding_problems(n_images=3, n_units=st.integers(5, 6), n_targets=2, degenerate=False))
def test_sizes_are_those_asked_for(problem):
    assert problem.features.shape in [(3, 5), (3, 6)]
    assert np.linalg.matrix_rank(problem.features) == 3
    assert problem.targets.shape == (3, 2)


@pytest.mark.parametrize("degenerate", [True, False])
def test_positive_and_sparse_weights(degenerate):
    options = {"positive": True, "degenerate": degenerate}
    for sparse in (True, False):
        examples = drawn(weights(6, 8, sparse=sparse, **options))
        assert min(W.min() for W in examples) == 0
        assert max(W.max() for W in examples) > 0
        empty = np.mean([np.mean(W[W.any(axis=1)] == 0) for W in examples if W.any()])
        assert empty > 0.5 if sparse else empty < 0.5


@few
@given(encoding_problems(dtype=np.float32), encoding_problems(dtype=st.just("f4")))
def test_type_is_that_asked_for(problem, other):
    assert {array.dtype for array in (*problem, *other)} == {np.dtype(np.float32)}


def test_one_type_for_all_three_arrays():
    types = st.sampled_from([np.float32, np.float64])
    seen = {tuple(array.dtype.name for array in p) for p in drawn(encoding_problems(dtype=types))}
    assert seen == {("float32",) * 3, ("float64",) * 3}


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (features(0, 3), "n_images must be a positive integer .* got 0"),
        (features(3, 2.5), "n_units must be a positive integer or a hypothesis strategy"),
        (targets(3, "4"), "n_targets must be a positive integer"),
        (weights(2, -1), "n_units must be a positive integer"),
        (encoding_problems(n_targets=st.just(0)), "n_targets must be a positive integer"),
        (features(1, 3, degenerate=False), "n_images must be at least 2 where degenerate=False"),
    ],
)
def test_errors_name_the_size(strategy, message):
    with pytest.raises(ValueError, match=message):
        drawn(strategy)
