"""Checks of the measures beside theta pass skalign's own, and each catches a mutant."""

import hypothesis
import numpy as np
import pytest
from hypothesis import Phase
from sklearn.linear_model import LinearRegression

from skalign.metrics import (
    NoiseCeiling,
    alignment,
    axis_alignment,
    correct_reorientation,
    one_to_one_matching,
    partial_soft_matching,
    semi_matching,
    soft_matching,
)
from skalign.testing import check_measure, measure_checks, parametrize_with_measure_checks
from skalign.testing._property_check import SETTINGS

quick = hypothesis.settings(SETTINGS, phases=[Phase.generate])  # mutants need no smallest example
few = hypothesis.settings(quick, max_examples=8)


def soft(*data):
    return soft_matching(*data).score


def one_to_one(*data):
    return one_to_one_matching(*data).score


def semi(*data):
    return semi_matching(*data).score


def partial_soft(*data):
    *systems, fraction = data
    return partial_soft_matching(*systems, fraction=fraction).score


def axes(score, *data):
    return axis_alignment(
        score, *data, n_resamples=20, standardize=False, random_state=0
    ).difference


def aligned(X, W, y=None, center=False):
    model = LinearRegression()
    model.coef_, model.intercept_ = W, 0.0
    return alignment(model, X, X @ W.T if y is None else y, center=center)


def n_effective(W):
    return aligned(np.eye(W.shape[1] + 1, W.shape[1]), W).n_effective


def theta_floor(X, W):
    return aligned(X, W).theta_floor


def corrected(theta, ceiling):
    """Targets at that observed theta to the single unit of their map."""
    cosine = 1 - theta
    unit, other = np.array([[1.0, -1, 1, -1], [1, 1, -1, -1]])
    y = np.outer(unit, cosine) + np.outer(other, np.sqrt(1 - cosine**2))
    found = aligned(unit[:, None], np.ones((theta.size, 1)), y, center=True)
    return correct_reorientation(found, NoiseCeiling(ceiling, "r")).theta


OWN = {
    "soft_matching": soft,
    "one_to_one_matching": one_to_one,
    "semi_matching": semi,
    "partial_soft_matching": partial_soft,
    "axis_alignment": axes,
    "n_effective": n_effective,
    "theta_floor": theta_floor,
    "corrected_reorientation": corrected,
}


@pytest.mark.parametrize("kind", OWN)
def test_skaligns_own_measures(kind):
    check_measure(kind, OWN[kind], settings=few)


def scores_the_images_that_choose(X, Y, X_test, Y_test):
    return soft(X, Y, X, Y)


def forgets_to_center(*data):
    return soft_matching(*data, center=False).score


def takes_covariances(X, Y, X_test, Y_test):
    return soft(X, Y, X_test, Y_test) * np.std(X_test) / 3


def leaves_units_out(X, Y, X_test, Y_test):
    return soft(X[:, :1], Y[:, :1], X_test[:, :1], Y_test[:, :1])


def drops_the_last_image(X, Y, X_test, Y_test):
    return soft(X[:-1], Y[:-1], X_test, Y_test)


def doubles(*data):
    return 2 * soft(*data)


def rectifies(*data):
    return soft(*(np.maximum(part, 0) for part in data))


def semi_twice(X, Y, X_test, Y_test):
    """Not the optimum of either system, but of each in its turn."""
    return (semi(X, Y, X_test, Y_test) + semi(Y, X, Y_test, X_test)) / 2


def writes_to_its_inputs(X, *others):
    X -= X.mean(axis=0)
    return soft(X, *others)


def returns_nan_where_a_unit_does_not_vary(*data):
    return float("nan") if any((np.ptp(part, axis=0) == 0).any() for part in data) else soft(*data)


def is_rotated_itself(score, *data):
    return score(*data)


def takes_the_absolute_difference(score, *data):
    return abs(axes(score, *data)) ** 0.5


def forgets_the_rotations(score, *data):
    return 0.0


def counts_active(W):
    return np.count_nonzero(W, axis=1).astype(float)


def sums_squares(W):
    return np.divide(
        W.sum(axis=1) ** 2, (W**2).sum(axis=1), where=W.any(axis=1), out=np.full(len(W), np.nan)
    )


def is_one_where_empty(W):
    return np.nan_to_num(n_effective(W), nan=1.0)


def weighs_the_first_unit(W):
    return n_effective(W * (1 + (np.arange(W.shape[1]) == 0)))


def regularizes(W):
    absolute = np.abs(W)
    return absolute.sum(axis=1) ** 2 / ((W**2).sum(axis=1) + 1e-3)


def ignores_the_cosine(X, W):
    return np.where((W < 0).any(axis=1), np.nan, 1 - 1 / np.sqrt(n_effective(W)))


def takes_weights_of_any_sign(X, W):
    return theta_floor(X, np.abs(W))


def takes_inner_products(X, W):
    size = np.linalg.norm(X, axis=0)
    return theta_floor(X, W * size)


def counts_instead(X, W):
    return theta_floor(X, np.sign(W))


def is_never_zero(X, W):
    return theta_floor(X, W) + 1e-3


def divides_theta(theta, ceiling):
    return theta / np.where(ceiling > 0, ceiling, np.nan)


def leaves_it_as_it_is(theta, ceiling):
    return np.where(ceiling > 0, theta, np.nan)


def divides_by_the_variance(theta, ceiling):
    return 1 - (1 - theta) / np.where(ceiling > 0, ceiling, np.nan) ** 2


def is_theta_without_a_ceiling(theta, ceiling):
    return np.where(ceiling > 0, corrected(theta, ceiling), theta)


def adds_to_theta(theta, ceiling):
    return corrected(theta, ceiling) + 0.01


MUTANTS = [
    ("soft_matching", scores_the_images_that_choose, "check_definition"),
    ("soft_matching", one_to_one, "check_copies"),
    ("soft_matching", semi, "check_exchange"),
    ("one_to_one_matching", soft, "check_definition"),
    ("semi_matching", semi_twice, "check_definition"),
    ("partial_soft_matching", lambda *data: soft(*data[:-1]), "check_definition"),
    ("soft_matching", doubles, "check_range"),
    ("soft_matching", returns_nan_where_a_unit_does_not_vary, "check_range"),
    ("soft_matching", takes_covariances, "check_same_system"),
    ("soft_matching", leaves_units_out, "check_order_of_units"),
    ("soft_matching", drops_the_last_image, "check_order_of_images"),
    ("soft_matching", forgets_to_center, "check_scale_and_offset"),
    ("soft_matching", takes_covariances, "check_scale_and_offset"),
    ("soft_matching", rectifies, "check_signs_of_both"),
    ("soft_matching", writes_to_its_inputs, "check_inputs_are_left_alone"),
    ("axis_alignment", is_rotated_itself, "check_score_without_axes"),
    ("axis_alignment", forgets_the_rotations, "check_score_on_axes"),
    ("axis_alignment", is_rotated_itself, "check_scale_of_score"),
    ("axis_alignment", takes_the_absolute_difference, "check_scale_of_score"),
    ("n_effective", counts_active, "check_count"),
    ("n_effective", sums_squares, "check_count"),
    ("n_effective", sums_squares, "check_range_of_count"),
    ("n_effective", sums_squares, "check_equal_weights"),
    ("n_effective", regularizes, "check_scale_of_weights"),
    ("n_effective", weighs_the_first_unit, "check_order_of_units"),
    ("n_effective", is_one_where_empty, "check_empty_target"),
    ("theta_floor", counts_instead, "check_orthonormal_units"),
    ("theta_floor", ignores_the_cosine, "check_exchangeable_units"),
    ("theta_floor", is_never_zero, "check_single_unit"),
    ("theta_floor", takes_inner_products, "check_scale_of_both"),
    ("theta_floor", takes_weights_of_any_sign, "check_signed_weights"),
    ("corrected_reorientation", divides_by_the_variance, "check_noise_is_undone"),
    ("corrected_reorientation", leaves_it_as_it_is, "check_noise_is_undone"),
    ("corrected_reorientation", adds_to_theta, "check_without_noise"),
    ("corrected_reorientation", divides_theta, "check_orthogonal_target"),
    ("corrected_reorientation", is_theta_without_a_ceiling, "check_no_ceiling"),
]


@pytest.mark.parametrize(("kind", "mutant", "name"), MUTANTS)
def test_mutants_are_caught(kind, mutant, name):
    (check,) = [one for one in measure_checks(kind, mutant, settings=quick) if one.name == name]
    with pytest.raises(AssertionError):
        check()


def test_every_check_has_a_mutant():
    caught = {name for _, _, name in MUTANTS}
    all_checks = {check.name for kind in OWN for check in measure_checks(kind, OWN[kind])}
    assert caught == all_checks


def test_checks_that_apply_depend_on_the_kind():
    names = {kind: [check.name for check in measure_checks(kind, OWN[kind])] for kind in OWN}
    assert "check_exchange" not in names["semi_matching"]
    assert "check_copies" not in names["one_to_one_matching"]
    assert {"check_exchange", "check_copies"} < set(names["partial_soft_matching"])


@parametrize_with_measure_checks("n_effective", n_effective, settings=few)
def test_one_test_per_check(check):
    assert str(check).startswith("n_effective-check_")
    check()


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"kind must be one of \('soft_matching', .*got 'cka'"):
        measure_checks("cka", soft)
    with pytest.raises(TypeError, match="measure must be callable, as n_effective is; got 3"):
        measure_checks("n_effective", 3)
    with pytest.raises(ValueError, match="atol must be a finite number, not negative; got -1"):
        check_measure("n_effective", n_effective, atol=-1)
    with pytest.raises(AssertionError, match=r"one value per target, shape \(\d,\); .* shape \(\)"):
        check_measure("n_effective", lambda W: 1.0)
    with pytest.raises(AssertionError, match="the measure must return a number"):
        check_measure("semi_matching", semi_matching)
