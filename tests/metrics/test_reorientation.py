"""Tuning reorientation against the paper's formula, its invariances, and hostile input."""

import tracemalloc
from functools import partial
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy import sparse

from skalign.metrics import _directions, _problem, tuning_reorientation, tuning_reorientation_parts
from skalign.testing import (
    encoding_problems,
    parametrize_with_reorientation_checks,
    reorientation_formula,
)

scales = st.sampled_from([1e-200, 1e-100, 1e-3, 1.0, 7.0, 1e100, 1e200])
few = settings(max_examples=40, deadline=None)
fewer = settings(max_examples=25, deadline=None)


def by_both_products(*problem, **options):
    """Theta by the dense and by the sparse product, which small problems would not choose."""
    with mock.patch.object(_problem, "_SPARSE_DENSITY", -1):
        dense = tuning_reorientation(*problem, **options)
    with mock.patch.object(_problem, "_SPARSE_DENSITY", np.inf):
        theta = tuning_reorientation(*problem, **options)
    single = getattr(problem[0], "dtype", float) == np.float32
    assert_allclose(theta, dense, atol=2e-7 if single else 1e-12)
    for defined in (values[~np.isnan(values)] for values in (dense, theta)):
        assert ((defined >= 0) & (defined <= 2)).all()  # rounding included
    return theta


def random_problem(n_images=20, n_units=30, n_targets=8, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n_images, n_units)) + 0.5
    weights = rng.standard_normal((n_targets, n_units))
    return features, rng.standard_normal((n_images, n_targets)) + 1, weights


@parametrize_with_reorientation_checks(by_both_products, atol=1e-12, settings=fewer)
def test_is_tuning_reorientation(check):
    check()


@parametrize_with_reorientation_checks(
    partial(by_both_products, center=True, undefined=2),
    center=True,
    undefined=2,
    atol=1e-12,
    settings=fewer,
)
def test_is_tuning_reorientation_centered(check):
    check()


@few
@given(encoding_problems(), st.data())
def test_does_not_see_extreme_scales(problem, data):
    features, targets, weights = problem
    (n_targets, n_units) = weights.shape
    features = features * data.draw(arrays(float, n_units, elements=scales))
    targets = targets * data.draw(arrays(float, n_targets, elements=scales))
    weights = weights * data.draw(arrays(float, (n_targets, 1), elements=scales))
    expected = tuning_reorientation(*problem)
    for given_features in (features, sparse.csc_array(features)):
        assert_allclose(by_both_products(given_features, targets, weights), expected, atol=1e-12)


@few
@given(encoding_problems(n_images=st.integers(2, 8)))
def test_centered_is_uncentered_on_centered_data(problem):
    # Multiples of 1/256, which this makes multiples of the number of images: exact means.
    features, targets, weights = (array * 256 * len(problem.features) for array in problem)
    centered = features - features.mean(axis=0), targets - targets.mean(axis=0), weights
    assert_allclose(
        tuning_reorientation(features, targets, weights, center=True),
        tuning_reorientation(*centered),
        atol=1e-12,
    )


@few
@given(encoding_problems(), st.data(), st.booleans())
def test_integer_sample_weight_repeats_images(problem, data, center):
    features, targets, weights = problem
    repeats = data.draw(arrays(int, len(features), elements=st.integers(0, 3)).filter(np.any))
    assert_allclose(
        tuning_reorientation(*problem, center=center, sample_weight=repeats),
        tuning_reorientation(
            np.repeat(features, repeats, axis=0),
            np.repeat(targets, repeats, axis=0),
            weights,
            center=center,
        ),
        atol=1e-12,
    )


@few
@given(encoding_problems(), st.booleans(), st.booleans())
def test_sparse_equals_dense(problem, center, weighted):
    features, targets, weights = problem
    sample_weight = np.arange(1, len(features) + 1) if weighted else None
    options = {"center": center, "sample_weight": sample_weight}
    dense = tuning_reorientation(*problem, **options)
    for to_sparse in (sparse.csr_array, sparse.csc_matrix, sparse.coo_matrix):
        for inputs in (
            (features, targets, to_sparse(weights)),
            (to_sparse(features), targets, weights),
            (to_sparse(features), targets, to_sparse(weights)),
        ):
            assert_allclose(by_both_products(*inputs, **options), dense, atol=1e-12)


@few
@given(encoding_problems(), st.booleans())
def test_parts_sum_to_theta(problem, center):
    features, targets, _ = problem
    parts = tuning_reorientation_parts(*problem, center=center)
    theta = tuning_reorientation(*problem, center=center)
    assert_allclose(parts.theta, theta, atol=1e-12)
    assert_allclose(parts.contribution.sum(axis=1), theta, atol=1e-12)
    all_units = np.eye(features.shape[1])
    for target, distance in zip(targets.T, parts.distance, strict=True):
        each = np.column_stack([target] * len(all_units))
        assert_allclose(
            distance, tuning_reorientation(features, each, all_units, center=center), atol=1e-12
        )


@pytest.mark.parametrize("density", [1.0, 0.01])
@pytest.mark.parametrize("center", [False, True])
def test_large_problems_are_walked_in_blocks(monkeypatch, density, center):
    monkeypatch.setattr(_directions, "_BLOCK_BYTES", 8 * 8 * 200 * 7)
    rng = np.random.default_rng(0)
    features, targets, weights = random_problem(200, 300, 50)
    weights[rng.random(weights.shape) >= density] = 0
    expected = reorientation_formula(features, targets, weights, center=center)
    for given_weights in (weights, np.asfortranarray(weights), sparse.csr_array(weights)):
        theta = tuning_reorientation(features, targets, given_weights, center=center)
        assert_allclose(theta, expected, atol=1e-12)
        parts = tuning_reorientation_parts(features, targets, given_weights, center=center)
        assert_allclose(parts.theta, expected, atol=1e-12)
    theta = tuning_reorientation(sparse.csr_array(features), targets, weights, center=center)
    assert_allclose(theta, expected, atol=1e-12)


@pytest.mark.parametrize("density", [1.0, 0.01])
def test_single_precision_is_close_to_double(density):
    rng = np.random.default_rng(0)
    problem = random_problem(100, 400, 40)
    problem[2][rng.random(problem[2].shape) >= density] = 0
    single = [array.astype(np.float32) for array in problem]
    theta = tuning_reorientation(*single)
    assert theta.dtype == np.float64
    assert_allclose(theta, tuning_reorientation(*problem), atol=2e-6)
    parts = tuning_reorientation_parts(*single)
    assert parts.distance.dtype == parts.contribution.dtype == np.float32
    assert_allclose(parts.theta, tuning_reorientation(*problem), atol=2e-6)
    half = [array.astype(np.float16) for array in problem]
    assert_allclose(tuning_reorientation(*half), tuning_reorientation(*problem), atol=2e-3)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_single_precision_does_not_see_scale(scale):
    features, targets, weights = (array.astype(np.float32) for array in random_problem())
    scaled = (array * np.float32(scale) for array in (features, targets, weights))
    expected = tuning_reorientation(features, targets, weights)
    assert_allclose(by_both_products(*scaled), expected, atol=2e-6)


@pytest.mark.parametrize(
    ("dtype", "scale"), [(float, 1e308), (float, 1e-310), (np.float32, 1e38), (np.float32, 1e-40)]
)
def test_weights_at_the_ends_of_the_range(dtype, scale):
    features, targets, weights = random_problem()
    weights /= np.abs(weights).max()
    problem = [array.astype(dtype) for array in (features, targets, scale * weights)]
    assert_allclose(by_both_products(*problem), reorientation_formula(*random_problem()), atol=1e-4)
    problem[2] = sparse.csr_array(problem[2])
    assert_allclose(by_both_products(*problem), reorientation_formula(*random_problem()), atol=1e-4)


def test_one_unit_is_its_own_prediction():
    features = np.random.default_rng(0).standard_normal((20, 200))
    weights = np.diag(np.arange(1.0, 201))
    for sign, expected in ((1, 0), (-1, 2)):
        theta = tuning_reorientation(features, sign * features @ weights, sign * weights)
        assert_allclose(theta, expected, atol=1e-14)
        assert ((theta >= 0) & (theta <= 2)).all()  # rounding included
        parts = tuning_reorientation_parts(features, sign * features @ weights, sign * weights)
        assert ((parts.distance >= 0) & (parts.distance <= 2)).all()


def test_positive_weights_on_rectified_noise_share_a_direction():
    # The trap that the docstring names: near 0.4 without any alignment, unless centered.
    rng = np.random.default_rng(0)
    features = np.maximum(rng.standard_normal((500, 200)), 0)
    weights = rng.random((20, 200))
    targets = features @ weights.T
    assert_allclose(tuning_reorientation(features, targets, weights), 0.42, atol=0.02)
    assert (tuning_reorientation(features, targets, weights, center=True) > 0.9).all()


def test_undefined_targets():
    features = np.array([[1.0, 0.0], [2.0, 0.0]])
    targets = np.array([[1.0, 0.0, 1.0, 1.0], [2.0, 0.0, 2.0, 2.0]])
    # Fitted; without a direction; without weights; with all weight on a silent unit.
    weights = np.array([[1.0, 5.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    theta = by_both_products(features, targets, weights)
    assert_allclose(theta, [0, np.nan, np.nan, np.nan], atol=1e-15)
    theta = tuning_reorientation(features, targets, weights, undefined=2)
    assert_allclose(theta, [0, 2, 2, 2], atol=1e-15)
    parts = tuning_reorientation_parts(features, targets, weights, undefined=2)
    assert_allclose(parts.theta, theta, atol=1e-15)
    assert_allclose(parts.contribution[0], [0, 0], atol=1e-15)
    assert np.isnan(parts.contribution[1:]).all()
    assert np.isnan(parts.distance[:, 1]).all()
    assert np.isnan(parts.distance[1]).all()


def test_a_silent_unit_leaves_both_sums_where_a_nansum_keeps_its_weight():
    features = np.eye(4)[:, :3]
    features[:, 2] = 0
    targets, weights = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 3.0, 4.0])
    (theta,) = tuning_reorientation(features, targets, weights)
    distance = 1 - np.sqrt(0.5)
    assert theta == pytest.approx(distance)
    with np.errstate(invalid="ignore"):
        cosine = targets @ features / (np.linalg.norm(features, axis=0) * np.sqrt(2))
    of_nansum = np.nansum(weights * (1 - cosine)) / weights.sum()
    assert of_nansum == pytest.approx(distance / 2)


def test_of_positive_weights_on_standardized_units_by_their_sum():
    """1 - sd(prediction) / sum of weights: why a penalty on that sum lowers theta."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((50, 8))
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    weights = rng.random((5, 8)) * (rng.random((5, 8)) < 0.5)
    predicted = features @ weights.T + 3
    theta = tuning_reorientation(features, predicted, weights, center=True)
    assert_allclose(theta, 1 - predicted.std(axis=0) / weights.sum(axis=1))


def test_constant_units_have_no_direction_when_centered():
    rng = np.random.default_rng(0)
    features, targets = rng.standard_normal((50, 2)), rng.standard_normal(50)
    features[:, 1] = 0.1 + 2e-17 * rng.integers(-1, 2, 50)
    features[::2, 1] += np.spacing(0.1)
    alone = tuning_reorientation(features[:, :1], targets, [1.0], center=True)
    for both in (features, sparse.csr_array(features)):
        theta = tuning_reorientation(both, targets, [1.0, 9.0], center=True)
        assert_allclose(theta, alone, atol=1e-12)


def test_dead_units_do_not_hide_tiny_weights():
    features, targets = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1.0, 1.0])
    for weights in (np.array([1e-200, 1e200]), sparse.csr_array([[1e-200, 1e200]])):
        assert_allclose(by_both_products(features, targets, weights), [0], atol=1e-15)


def test_one_target_may_be_one_dimensional():
    features, targets, weights = random_problem(n_targets=1)
    expected = tuning_reorientation(features, targets, weights)
    assert expected.shape == (1,)
    for one in (weights[0], sparse.coo_array(weights[0]), list(weights[0])):
        assert_allclose(tuning_reorientation(features, targets[:, 0], one), expected)


def test_duplicate_entries_of_sparse_input_are_summed():
    features, targets, weights = random_problem(5, 2, 1)
    first, second = weights[0]
    twice = sparse.csr_array(
        (np.array([first, 3.0, -3.0, second]), np.array([0, 0, 0, 1]), np.array([0, 4]))
    )
    expected = tuning_reorientation(features, targets, weights)
    assert_allclose(by_both_products(features, targets, twice), expected)
    twice = sparse.csr_array(features)
    twice.data, twice.indices = np.repeat(twice.data / 2, 2), np.repeat(twice.indices, 2)
    twice.indptr *= 2
    assert_allclose(tuning_reorientation(twice, targets, weights), expected)


def test_inputs_of_other_kinds():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    problem = [rng.integers(-5, 6, shape) for shape in ((9, 4), (9, 3), (3, 4))]
    expected = reorientation_formula(*problem)
    for kind in (
        list,
        pd.DataFrame,
        np.asfortranarray,
        lambda a: a.astype(np.int8),
        lambda a: a.astype(np.float32),
        lambda a: a.astype(object),
    ):
        assert_allclose(tuning_reorientation(*map(kind, problem)), expected, atol=1e-6)
    smallest = [np.array(a, dtype=np.int8) for a in ([[-128], [1]], [[-128], [1]], [[-128]])]
    assert_allclose(tuning_reorientation(*smallest), [0], atol=1e-15)


def test_input_is_not_written_to():
    problem = random_problem()
    problem[0][:, 0] = 0
    for array in problem:
        array.setflags(write=False)
    frozen = sparse.csr_array(problem[2])
    before = frozen.toarray()
    for weights in (problem[2], frozen):
        for center in (False, True):
            tuning_reorientation(*problem[:2], weights, center=center, sample_weight=np.arange(20))
            tuning_reorientation_parts(*problem[:2], weights, center=center)
    assert_allclose(frozen.toarray(), before)


def test_memory_mapped_targets_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(_directions, "_BLOCK_BYTES", 2**19)
    features, targets, weights = random_problem(50, 20, 40_000)
    mapped = []
    for name, array in (("targets", targets), ("weights", weights)):
        np.save(tmp_path / f"{name}.npy", array)
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    tracemalloc.start()
    theta = tuning_reorientation(features, *mapped)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < targets.nbytes / 4
    assert_allclose(theta, tuning_reorientation(features, targets, weights))


@pytest.mark.parametrize("measure", [tuning_reorientation, tuning_reorientation_parts])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"targets": np.ones((4, 2))}, ValueError, "targets must have one row per sample"),
        ({"weights": np.ones((3, 2))}, ValueError, r"weights must have shape .* = \(2, 3\)"),
        ({"weights": np.ones(3)}, ValueError, r"weights must have shape .* got shape \(1, 3\)"),
        ({"weights": sparse.csr_array((3, 2))}, ValueError, "weights must have shape"),
        ({"features": np.ones(5)}, ValueError, "Expected 2D array"),
        ({"features": np.full((5, 3), np.nan)}, ValueError, "features must be finite"),
        ({"features": sparse.csr_array(np.diag([1, 1, np.inf, 1, 1])[:, :3])}, ValueError, "feat"),
        ({"targets": np.full((5, 2), np.inf)}, ValueError, "targets must be finite"),
        ({"weights": np.array([[1, 2, np.nan], [1, 1, 1]])}, ValueError, "weights must be finite"),
        ({"weights": np.array([[1, 2, 3], [1, 1, -np.inf]])}, ValueError, "weights must be finite"),
        ({"weights": sparse.csr_array([[0, 0, np.nan], [0, 0, 0]])}, ValueError, "weights must be"),
        ({"features": [["a"] * 3] * 5}, ValueError, "numeric"),
        ({"targets": sparse.csr_array(np.ones((5, 2)))}, TypeError, "targets"),
        (
            {"sample_weight": np.ones(4)},
            ValueError,
            "sample_weight must be 1-D, one weight per sample",
        ),
        ({"sample_weight": -np.ones(5)}, ValueError, "sample_weight must not be negative"),
        ({"sample_weight": np.zeros(5)}, ValueError, "nor zero for every sample"),
        ({"sample_weight": np.full(5, np.nan)}, ValueError, "sample_weight must be finite"),
        ({"undefined": "worst"}, TypeError, "undefined must be a real number"),
    ],
)
def test_errors_name_the_argument(measure, change, error, message):
    arguments = {
        "features": np.ones((5, 3)),
        "targets": np.ones((5, 2)),
        "weights": np.ones((2, 3)),
    }
    with pytest.raises(error, match=message):
        measure(**(arguments | change))


@pytest.mark.parametrize("weights", [[[1.0, np.nan]], [[1.0, np.inf]]])
def test_weights_of_silent_units_must_be_finite_too(weights):
    with pytest.raises(ValueError, match="weights must be finite"):
        by_both_products([[1.0, 0.0], [1.0, 0.0]], [1.0, 2.0], weights)


def test_sums_of_many_sparse_float32_weights_are_exact():
    """SciPy would sum them in float32, one after the other."""
    rng = np.random.default_rng(0)
    features = rng.random((3, 100_000)).astype(np.float32)
    targets = rng.random((3, 1)).astype(np.float32)
    weights = np.full((1, 100_000), 0.1, np.float32)
    dense = tuning_reorientation(features.astype(float), targets, weights.astype(float))
    with mock.patch.object(_problem, "_SPARSE_DENSITY", np.inf):
        theta = tuning_reorientation(features, targets, sparse.csr_array(weights))
    np.testing.assert_allclose(theta, dense, atol=2e-5)
