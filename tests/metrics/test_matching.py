"""Matching measures: the cases that a reader can check by hand, references, and invariances."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment, linprog

from skalign.metrics import (
    NoiseCeiling,
    one_to_one_matching,
    partial_soft_matching,
    semi_matching,
    soft_matching,
)

U1, U2 = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])
X = np.column_stack([U1, U2])
ROTATED = np.column_stack([U1 + U2, U2 - U1]) / np.sqrt(2)
WITH_MIXTURE = np.column_stack([U1, U2, (U1 + U2) / np.sqrt(2)])
UNSCALED_MIXTURE = np.column_stack([U1, U2, U1 + U2])
DOUBLED = np.column_stack([U1, U1, U2, U2])
ALL = [soft_matching, one_to_one_matching, semi_matching, partial_soft_matching]
HALF = np.sqrt(0.5)


def match(measure, X, Y, X_test=None, Y_test=None, **options):
    """Scored on the matching images where none are given; half of the units if partial."""
    if measure is partial_soft_matching:
        options.setdefault("fraction", 0.5)
    return measure(
        X, Y, X if X_test is None else X_test, Y if Y_test is None else Y_test, **options
    )


@pytest.mark.parametrize(
    ("measure", "Y", "expected", "options"),
    [
        (soft_matching, ROTATED, HALF, {}),
        (soft_matching, WITH_MIXTURE, (2 + HALF) / 3, {}),
        (soft_matching, -X, 0, {}),
        (soft_matching, DOUBLED, 1, {}),
        (one_to_one_matching, ROTATED, HALF, {}),
        (one_to_one_matching, WITH_MIXTURE, 1, {}),
        (one_to_one_matching, -X, 0, {}),
        (one_to_one_matching, DOUBLED, 1, {}),
        (semi_matching, ROTATED, HALF, {}),
        (semi_matching, WITH_MIXTURE, 1, {}),
        (semi_matching, -X, 0, {}),
        (semi_matching, DOUBLED, 1, {}),
        (soft_matching, ROTATED, np.sqrt(4 - 4 * HALF), {"form": "distance"}),
        (soft_matching, UNSCALED_MIXTURE, np.sqrt(2 / 3), {"form": "distance"}),
        (soft_matching, -X, 2, {"form": "distance"}),
        (soft_matching, DOUBLED, 0, {"form": "distance"}),
    ],
)
def test_cases_to_check_by_hand(measure, Y, expected, options):
    assert_allclose(match(measure, X, Y, **options).score, expected, atol=1e-9)


def test_the_other_direction_of_semi_matching_counts_all_units_of_the_other_system():
    assert_allclose(match(semi_matching, ROTATED, X).score, HALF, atol=1e-9)
    assert_allclose(match(semi_matching, WITH_MIXTURE, X).score, (2 + HALF) / 3, atol=1e-9)
    assert_allclose(match(semi_matching, -X, X).score, 0, atol=1e-9)
    assert_allclose(match(semi_matching, DOUBLED, X).score, 1, atol=1e-9)


@st.composite
def two_systems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    n_images, n_x, n_y = draw(st.integers(3, 12)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    shared = rng.standard_normal((n_images, 4))
    return tuple(
        shared @ rng.standard_normal((4, n)) + rng.standard_normal((n_images, n))
        for n in (n_x, n_y)
    )


@settings(deadline=None, max_examples=60)
@given(two_systems(), st.sampled_from(["correlation", "distance"]))
def test_equals_a_linear_program_and_an_assignment(systems, form):
    A, B = systems
    if form == "correlation":
        gain = np.corrcoef(A.T, B.T)[: A.shape[1], A.shape[1] :].reshape(A.shape[1], -1)
    else:
        A0, B0 = A - A.mean(axis=0), B - B.mean(axis=0)
        gain = -((A0[:, :, np.newaxis] - B0[:, np.newaxis]) ** 2).sum(axis=0)
    n_x, n_y = gain.shape
    rows = np.kron(np.eye(n_x), np.ones(n_y)), np.full(n_x, 1 / n_x)
    columns = np.kron(np.ones(n_x), np.eye(n_y)), np.full(n_y, 1 / n_y)
    program = linprog(
        -gain.ravel(), A_eq=np.vstack([rows[0], columns[0]]), b_eq=np.r_[rows[1], columns[1]]
    )
    expected = {
        soft_matching: -program.fun,
        one_to_one_matching: gain[linear_sum_assignment(-gain)].mean(),
        semi_matching: gain.max(axis=1).mean(),
    }
    for measure, value in expected.items():
        value = np.sqrt(-value) if form == "distance" else value
        assert_allclose(match(measure, A, B, form=form).score, value, atol=1e-8)


@pytest.mark.parametrize("measure", ALL)
@settings(deadline=None, max_examples=25)
@given(systems=two_systems(), seed=st.integers(0, 2**31))
def test_invariances(measure, systems, seed):
    A, B = systems
    rng = np.random.default_rng(seed)
    score = match(measure, A, B).score
    order = rng.permutation(B.shape[1])
    assert_allclose(match(measure, A, B[:, order]).score, score, atol=1e-9)
    scaled = B * rng.uniform(0.1, 10, B.shape[1]) + rng.normal(size=B.shape[1])
    assert_allclose(match(measure, A, scaled).score, score, atol=1e-9)
    images = rng.permutation(len(A))
    assert_allclose(match(measure, A[images], B[images]).score, score, atol=1e-9)
    if measure is not semi_matching:
        assert_allclose(match(measure, B, A).score, score, atol=1e-9)
    assert -1 <= score <= 1


@settings(deadline=None, max_examples=40)
@given(two_systems(), st.integers(1, 5), st.integers(0, 2**31))
def test_soft_matching_distance_is_a_metric(systems, n, seed):
    A, B = systems
    C = np.random.default_rng(seed).standard_normal((len(A), n))
    ab, bc, ac, aa = (
        match(soft_matching, left, right, form="distance").score
        for left, right in ((A, B), (B, C), (A, C), (A, A))
    )
    assert ac <= ab + bc + 1e-9
    assert_allclose(aa, 0, atol=1e-6)


@pytest.mark.parametrize("measure", ALL)
def test_matches_are_chosen_on_training_images_and_scored_on_others(measure):
    rng = np.random.default_rng(0)
    A, B, A_test, B_test = rng.standard_normal((4, 10, 40))
    chosen = match(measure, A, B)
    assert chosen.score > 0.3  # independent noise: nothing but the choice
    held_out = match(measure, A, B, A_test, B_test)
    assert abs(held_out.score) < 0.15
    assert_array_equal(held_out.plan.toarray(), chosen.plan.toarray())
    A0, B0 = ((T - T.mean(axis=0)) / T.std(axis=0) for T in (A_test, B_test))
    by_hand = (held_out.plan.toarray() * (A0.T @ B0 / 10)).sum() / held_out.plan.sum()
    assert_allclose(held_out.score, by_hand, atol=1e-12)


@pytest.mark.parametrize("measure", ALL)
def test_units_that_do_not_vary_have_no_correlation(measure):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 4))
    B = A.copy()
    B[:, 1] = 3.0
    found = match(measure, A, B, **({"fraction": 1.0} if measure is partial_soft_matching else {}))
    if measure is semi_matching:
        assert 0.75 <= found.score < 1
    else:
        assert_allclose(found.score, 0.75, atol=0.2)
        assert_allclose(found.unit_scores[[0, 2, 3]], 1)
    assert np.isfinite(found.score)


def test_partial_matching_leaves_units_without_a_counterpart():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((60, 4))
    A = np.hstack([shared, rng.standard_normal((60, 4))])
    B = np.hstack([rng.standard_normal((60, 4)), shared])
    found = match(partial_soft_matching, A, B, fraction=0.5)
    assert_allclose(found.score, 1)
    assert_array_equal(np.isnan(found.unit_scores), [False] * 4 + [True] * 4)
    frame = found.to_frame()
    assert frame["match"].tolist() == [4, 5, 6, 7, -1, -1, -1, -1]
    assert_allclose(
        match(partial_soft_matching, A, B, fraction=1).score, match(soft_matching, A, B).score
    )
    scores = [match(partial_soft_matching, A, B, fraction=f).score for f in (0.2, 0.5, 0.7, 1)]
    assert (np.diff(scores) <= 1e-12).all()


def test_ceilings_divide_means_and_drop_units_without_one():
    rng = np.random.default_rng(0)
    A, A_test = rng.standard_normal((2, 400, 6))
    noise = np.sqrt(1 / np.linspace(0.4, 0.9, 6) ** 2 - 1)  # for ceilings of r from .4 to .9
    B, B_test = (T + noise * rng.standard_normal(T.shape) for T in (A, A_test))
    ceiling = NoiseCeiling(np.linspace(0.4, 0.9, 6), "r")
    raw = match(soft_matching, A, B, A_test, B_test).score
    found = match(soft_matching, A, B, A_test, B_test, ceiling_y=ceiling).score
    assert raw < 0.75
    assert_allclose(found, 1, atol=0.08)
    assert_allclose(found, raw / ceiling.values.mean(), rtol=1e-9)
    few = NoiseCeiling(np.r_[np.nan, 0, ceiling.values[2:]], "r")
    dropped = match(soft_matching, A, B, A_test, B_test, ceiling_y=few)
    kept = match(soft_matching, A[:, 2:], B[:, 2:], A_test[:, 2:], B_test[:, 2:], ceiling_y=few[2:])
    assert_allclose(dropped.score, kept.score)
    assert np.isnan(dropped.unit_scores[:2]).all()


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"form": "cosine"}, ValueError, "form must be .*; got 'cosine'"),
        ({"center": 1}, TypeError, "center must be True or False; got 1"),
        ({"ceiling_x": [1, 1]}, TypeError, "ceiling_x must be a NoiseCeiling.*; got list"),
        ({"ceiling_y": NoiseCeiling([1.0], "r")}, ValueError, "ceiling_y must have .* 2 units"),
        ({"ceiling_y": NoiseCeiling([1.0, 1], "variance")}, ValueError, 'unit "r" for each'),
        (
            {"ceiling_y": NoiseCeiling([1.0, 1], "r"), "form": "distance"},
            ValueError,
            "ceiling_y must be None for distances",
        ),
    ],
)
def test_options_are_checked(measure, change, error, message):
    with pytest.raises(error, match=message):
        match(measure, X, X, **change)


@pytest.mark.parametrize("measure", ALL)
def test_shapes_are_checked(measure):
    with pytest.raises(ValueError, match="X and Y must have the same images; got 4 and 3"):
        match(measure, X, X[:3])
    with pytest.raises(ValueError, match="X_test and Y_test must have the same images"):
        match(measure, X, X, X, X[:3])
    with pytest.raises(ValueError, match=r"Y_test must have the 2 units of Y; got shape \(4, 3\)"):
        match(measure, X, X, X, WITH_MIXTURE)
    with pytest.raises(ValueError, match="must be finite"):
        match(measure, X, np.where(X == 1, np.nan, X))


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, np.nan, True, "0.5", None])
def test_fraction_is_a_share(fraction):
    with pytest.raises(ValueError, match="fraction must be a number above 0 and at most 1; got"):
        partial_soft_matching(X, X, X, X, fraction=fraction)


def test_the_size_of_a_layer_takes_no_time():
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((300, 50))
    A, B = (np.maximum(latents @ rng.standard_normal((50, 500)), 0) for _ in range(2))
    start = time.process_time()
    match(soft_matching, A, B)
    assert time.process_time() - start < 2
