"""Every check of a measure catches the mutant that it is there for, and passes what is right."""

from functools import partial

import hypothesis
import numpy as np
import pytest
from hypothesis import Phase

from skalign.metrics import tuning_reorientation
from skalign.testing import (
    check_reorientation,
    parametrize_with_reorientation_checks,
    reorientation_checks,
    reorientation_formula,
)
from skalign.testing._property_check import SETTINGS

quick = hypothesis.settings(SETTINGS, phases=[Phase.generate])  # mutants need no smallest example
few = hypothesis.settings(quick, max_examples=8)
right = reorientation_formula


@parametrize_with_reorientation_checks(tuning_reorientation, atol=1e-12, settings=few)
def test_skaligns_own_measure(check):
    check()


@parametrize_with_reorientation_checks(
    partial(tuning_reorientation, center=True, undefined=2.0),
    center=True,
    undefined=2.0,
    atol=1e-12,
    settings=few,
)
def test_skaligns_own_measure_centered(check):
    check()


def cosine(X, Y, norms=True):
    """Cosines of units and targets, (n_targets, n_units); 0 where there is no direction."""
    product = Y.T @ X
    scale = np.linalg.norm(Y, axis=0)[:, None] * np.linalg.norm(X, axis=0)
    return np.divide(product, scale if norms else 1.0, out=0 * product, where=scale > 0)


def mean_distance(distance, weight):
    total = weight.sum(axis=1)
    undefined = np.full(len(total), np.nan)
    return np.divide((weight * distance).sum(axis=1), total, out=undefined, where=total > 0)


def keeps_a_column(X, Y, W):
    return right(X, Y, W)[:, None]


def is_clipped_at_one(X, Y, W):
    return np.minimum(right(X, Y, W), 1)


def forgets_to_divide_by_the_weights(X, Y, W):
    return right(X, Y, W) * np.abs(W).sum(axis=1)


def squares_the_weights(X, Y, W):
    return right(X, Y, W**2)


def forgets_to_normalize_features(X, Y, W):
    norms = np.linalg.norm(X, axis=0)
    return right(X, Y, W * norms)


def forgets_to_normalize_targets(X, Y, W):
    theta = right(X, Y, W)
    return 1 + (theta - 1) * np.minimum(np.linalg.norm(Y, axis=0), 1)


def regularizes_the_weights(X, Y, W):
    total = np.abs(W).sum(axis=1)
    return right(X, Y, W) * total / (total + 0.1)


def forgets_abs(X, Y, W):
    return right(X, Y, np.maximum(W, 0))


def folds_opposites(X, Y, W):
    theta = right(X, Y, W)
    return np.minimum(theta, 2 - theta)


def drops_the_last_image(X, Y, W):
    return right(X[:-1], Y[:-1], W) if len(X) > 1 else right(X, Y, W)


def depends_on_the_order_of_units(X, Y, W):
    return right(X, Y, W * (1 + np.arange(X.shape[1])))


def returns_sorted_values(X, Y, W):
    return np.sort(right(X, Y, W))


def averages_over_targets(X, Y, W):
    theta = right(X, Y, W)
    return np.full(len(theta), np.mean(theta))


def takes_city_block_norms(X, Y, W):
    distance = 1 - Y.T @ X / np.maximum(
        np.outer(np.abs(Y).sum(axis=0), np.abs(X).sum(axis=0)), 1e-300
    )
    return mean_distance(distance, np.abs(W) * X.any(axis=0) * Y.any(axis=0)[:, None])


def halves_the_distance(X, Y, W):
    return 1 + (right(X, Y, W) - 1) / 2


def starts_at_one(X, Y, W):
    return 1 + right(X, Y, W) / 2


def is_perfect_where_empty(X, Y, W):
    return np.where(W.any(axis=1), right(X, Y, W), 0.0)


def lets_an_empty_target_spoil_all(X, Y, W):
    theta = right(X, Y, W)
    return theta if W.any(axis=1).all() else np.full(len(theta), np.nan)


def is_perfect_where_the_target_is_silent(X, Y, W):
    return np.where(Y.any(axis=0), right(X, Y, W), 0.0)


def is_diluted_by_silent_units(X, Y, W):
    """A nansum: the numerator alone leaves out the units without direction."""
    alive = X.any(axis=0) & Y.any(axis=0)[:, None]
    return mean_distance((1 - cosine(X, Y)) * alive, np.abs(W))


def counts_silent_units_as_orthogonal(X, Y, W):
    return mean_distance(1 - cosine(X, Y), np.abs(W) * Y.any(axis=0)[:, None])


def normalizes_in_place(X, Y, W):
    theta = right(X, Y, W)
    X /= np.maximum(np.linalg.norm(X, axis=0), 1e-300)
    return theta


def takes_abs_in_place(X, Y, W):
    np.abs(W, out=W)
    return right(X, Y, W)


def centers_anyway(X, Y, W):
    return right(X, Y, W, center=True)


MUTANTS = [
    ("check_one_value_per_target", keeps_a_column, "one value per target"),
    ("check_one_value_per_target", lambda X, Y, W: right(X, Y, W) + 0j, "real numbers"),
    ("check_range", forgets_to_divide_by_the_weights, r"must lie in \[0, 2\]"),
    ("check_formula", squares_the_weights, "must equal the formula"),
    ("check_scale_of_features", forgets_to_normalize_features, "when features are scaled"),
    ("check_scale_of_targets", forgets_to_normalize_targets, "when targets are scaled"),
    ("check_scale_of_weights", regularizes_the_weights, "weights are scaled together"),
    ("check_scale_of_weights", forgets_to_divide_by_the_weights, "weights are scaled together"),
    ("check_sign_of_weights", forgets_abs, "absolute values of their weights"),
    ("check_opposite_targets", folds_opposites, "must be 2 - theta"),
    ("check_opposite_targets", is_clipped_at_one, "must be 2 - theta"),
    ("check_order_of_images", drops_the_last_image, "order of the images"),
    ("check_order_of_units", depends_on_the_order_of_units, "order of the units"),
    ("check_order_of_targets", returns_sorted_values, "permuted as the targets are"),
    ("check_targets_alone", averages_over_targets, "must not depend on the other targets"),
    ("check_rotation_of_images", takes_city_block_norms, "rotated together"),
    ("check_rotation_of_images", centers_anyway, "rotated together"),
    ("check_aligned_unit", starts_at_one, "must be 0 where all weight is on one unit"),
    ("check_opposed_unit", is_clipped_at_one, "must be 2 where all weight is on one unit"),
    ("check_opposed_unit", halves_the_distance, "must be 2 where all weight is on one unit"),
    ("check_empty_weights", is_perfect_where_empty, "without weights has no theta"),
    ("check_empty_weights", lets_an_empty_target_spoil_all, "leave the other thetas defined"),
    (
        "check_target_without_direction",
        is_perfect_where_the_target_is_silent,
        r"without direction \(zero over images\) has no theta",
    ),
    (
        "check_unit_without_direction",
        is_diluted_by_silent_units,
        r"unit without direction \(zero over images\) must leave both sums",
    ),
    ("check_unit_without_direction", counts_silent_units_as_orthogonal, "leave both sums"),
    ("check_inputs_are_left_alone", normalizes_in_place, "must not modify its features"),
    ("check_inputs_are_left_alone", takes_abs_in_place, "must not modify its weights"),
]

CENTRED_MUTANTS = [
    ("check_offset", right, "constants are added"),
    ("check_unit_without_direction", right, r"\(constant over images\) must leave both sums"),
    ("check_target_without_direction", right, r"\(constant over images\) has no theta"),
    ("check_formula", right, "must equal the formula"),
]


def named(name, measure, **options):
    [check] = [check for check in reorientation_checks(measure, **options) if check.name == name]
    return check


@pytest.mark.parametrize(("name", "mutant", "message"), MUTANTS)
def test_check_catches_its_mutant(name, mutant, message):
    with pytest.raises(AssertionError, match=message):
        named(name, mutant, settings=quick)()


@pytest.mark.parametrize(("name", "mutant", "message"), CENTRED_MUTANTS)
def test_check_catches_a_measure_that_does_not_center(name, mutant, message):
    with pytest.raises(AssertionError, match=message):
        named(name, mutant, center=True, settings=quick)()


def test_every_check_has_a_mutant():
    every = {c.name for center in (False, True) for c in reorientation_checks(right, center=center)}
    assert {name for name, *_ in MUTANTS + CENTRED_MUTANTS} == every


@pytest.mark.parametrize("mutant", [normalizes_in_place, takes_abs_in_place])
def test_writing_to_the_inputs_fails_that_check_only(mutant):
    for check in reorientation_checks(mutant, settings=hypothesis.settings(few, max_examples=3)):
        if check.name != "check_inputs_are_left_alone":
            check()


def test_declared_value_of_what_is_undefined():
    worst = partial(right, undefined=2.0)
    for name in ("check_empty_weights", "check_target_without_direction", "check_formula"):
        named(name, worst, undefined=2.0, settings=quick)()
        with pytest.raises(AssertionError):
            named(name, worst, settings=quick)()


def test_declared_tolerance():
    def rounded(X, Y, W):
        return np.round(right(X, Y, W), 4)

    named("check_formula", rounded, atol=1e-3, settings=quick)()
    with pytest.raises(AssertionError, match="formula"):
        named("check_formula", rounded, settings=quick)()


def test_all_checks_at_once():
    check_reorientation(right, settings=hypothesis.settings(few, max_examples=2))
    with pytest.raises(AssertionError, match=r"must lie in|formula|absolute values"):
        check_reorientation(forgets_abs, settings=quick)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("theta",), {}, TypeError, "measure must be a callable"),
        ((right,), {"center": 1}, TypeError, "center must be True or False; got 1"),
        ((right,), {"undefined": None}, TypeError, "undefined must be a real number"),
        ((right,), {"atol": -1}, ValueError, "atol must be a finite number, not negative"),
        ((right,), {"settings": 100}, TypeError, "settings must be a hypothesis.settings"),
    ],
)
@pytest.mark.parametrize(
    "function",
    [reorientation_checks, check_reorientation, parametrize_with_reorientation_checks],
)
def test_errors_name_the_argument(function, arguments, options, error, message):
    with pytest.raises(error, match=message):
        function(*arguments, **options)


class TestFormula:
    def test_by_hand(self):
        X = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
        Y = np.array([[3.0, 0.0], [4.0, 0.0]])
        W = np.array([[1.0, -3.0, 9.0], [1.0, 1.0, 1.0]])
        np.testing.assert_allclose(right(X, Y, W), [(0.4 + 3 * 0.2) / 4, np.nan])
        assert right(X, Y, W, undefined=2)[1] == 2

    def test_centered_is_correlation(self):
        rng = np.random.default_rng(0)
        x, y = rng.random(9) + 5, rng.random(9) - 7
        theta = right(x[:, None], y[:, None], [[-2.0]], center=True)
        np.testing.assert_allclose(theta, [1 - np.corrcoef(x, y)[0, 1]])
