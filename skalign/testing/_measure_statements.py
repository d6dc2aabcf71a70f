"""What holds for any measure of tuning reorientation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ortho_group

from skalign.testing._formula import reorientation_formula
from skalign.testing._problems import EncodingProblem, encoding_problems
from skalign.testing._property_check import Draw, Statements
from skalign.testing._strategies import features
from skalign.utils import Array, Doubles, Flags

STATEMENTS = Statements()

_FACTORS = st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**10])  # exact, as sums of the data are


@dataclass(frozen=True, eq=False)
class Measure:
    """A measure with what is declared of it; never sees the arrays themselves, but copies."""

    function: Callable[[Any, Any, Any], Any]
    center: bool
    undefined: float
    atol: float

    def __call__(self, features: Array, targets: Array, weights: Array) -> Array:
        values = np.asarray(self.function(features.copy(), targets.copy(), weights.copy()))
        n_targets = targets.shape[1]
        assert values.shape == (n_targets,), (
            f"the measure must return one value per target, shape ({n_targets},); it returned "
            f"shape {values.shape}"
        )
        return values

    def formula(self, *problem: Array) -> Doubles:
        return reorientation_formula(*problem, center=self.center, undefined=self.undefined)

    def is_defined(self, *problem: Array) -> Flags:
        return ~np.isnan(reorientation_formula(*problem, center=self.center))

    def assert_equal(self, actual: Any, expected: Any, message: str) -> None:
        np.testing.assert_allclose(actual, expected, rtol=0, atol=self.atol, err_msg=message)


def _uncentered(measure: Measure) -> bool:
    return not measure.center


def _centered(measure: Measure) -> bool:
    return measure.center


@STATEMENTS.add()
def check_one_value_per_target(measure: Measure, draw: Draw) -> None:
    problem = draw(encoding_problems())
    values = measure(*problem)
    assert np.issubdtype(values.dtype, np.floating), (
        f"the measure must return real numbers; it returned {values.dtype}"
    )


@STATEMENTS.add()
def check_range(measure: Measure, draw: Draw) -> None:
    problem = draw(encoding_problems())
    theta = measure(*problem)[measure.is_defined(*problem)]
    assert ((theta >= -measure.atol) & (theta <= 2 + measure.atol)).all(), (
        f"theta must lie in [0, 2] wherever it is defined; got {theta}"
    )


@STATEMENTS.add()
def check_formula(measure: Measure, draw: Draw) -> None:
    problem = draw(encoding_problems(sparse=draw(st.booleans())))
    measure.assert_equal(
        measure(*problem),
        measure.formula(*problem),
        "theta must equal the formula (skalign.testing.reorientation_formula)",
    )


@STATEMENTS.add()
def check_scale_of_features(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    factors = draw(arrays(float, X.shape[1], elements=_FACTORS), "factors")
    measure.assert_equal(
        measure(X * factors, Y, W),
        measure(X, Y, W),
        f"theta must not change when features are scaled, by {factors} here",
    )


@STATEMENTS.add()
def check_scale_of_targets(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    factors = draw(arrays(float, Y.shape[1], elements=_FACTORS), "factors")
    measure.assert_equal(
        measure(X, Y * factors, W),
        measure(X, Y, W),
        f"theta must not change when targets are scaled, by {factors} here",
    )


@STATEMENTS.add()
def check_scale_of_weights(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    factors = draw(arrays(float, (len(W), 1), elements=_FACTORS), "factors")
    measure.assert_equal(
        measure(X, Y, W * factors),
        measure(X, Y, W),
        f"theta must not change when a target's weights are scaled together, by {factors} here",
    )


@STATEMENTS.add()
def check_sign_of_weights(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    measure.assert_equal(
        measure(X, Y, W),
        measure(X, Y, np.abs(W)),
        "theta must weigh units by the absolute values of their weights",
    )


@STATEMENTS.add()
def check_opposite_targets(measure: Measure, draw: Draw) -> None:
    X, Y, W = problem = draw(encoding_problems())
    defined = measure.is_defined(*problem)
    measure.assert_equal(
        measure(X, -Y, W)[defined],
        2 - measure(X, Y, W)[defined],
        "theta of the opposite target must be 2 - theta",
    )


@STATEMENTS.add()
def check_order_of_images(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    order = draw(st.permutations(range(len(X))), "order")
    measure.assert_equal(
        measure(X[order], Y[order], W),
        measure(X, Y, W),
        f"theta must not depend on the order of the images, {order} here",
    )


@STATEMENTS.add()
def check_order_of_units(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    order = draw(st.permutations(range(X.shape[1])), "order")
    measure.assert_equal(
        measure(X[:, order], Y, W[:, order]),
        measure(X, Y, W),
        f"theta must not depend on the order of the units, {order} here",
    )


@STATEMENTS.add()
def check_order_of_targets(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    order = draw(st.permutations(range(Y.shape[1])), "order")
    measure.assert_equal(
        measure(X, Y[:, order], W[order]),
        measure(X, Y, W)[order],
        f"thetas must be permuted as the targets are, by {order} here",
    )


@STATEMENTS.add()
def check_targets_alone(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    alone = [measure(X, Y[:, [v]], W[[v]])[0] for v in range(Y.shape[1])]
    measure.assert_equal(
        measure(X, Y, W), alone, "theta of a target must not depend on the other targets"
    )


@STATEMENTS.add(applies=_uncentered)
def check_rotation_of_images(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems(n_images=st.integers(2, 8)))
    rotation = ortho_group.rvs(len(X), random_state=draw(st.integers(0, 100)))
    measure.assert_equal(
        measure(rotation @ X, rotation @ Y, W),
        measure(X, Y, W),
        "uncentered, theta must not change when features and targets are rotated together over "
        "images",
    )


@STATEMENTS.add(applies=_centered)
def check_offset(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    offset_X, offset_Y = (
        draw(arrays(float, A.shape[1], elements=st.integers(-9, 9).map(float))) for A in (X, Y)
    )
    measure.assert_equal(
        measure(X + offset_X, Y + offset_Y, W),
        measure(X, Y, W),
        "centered, theta must not change when constants are added to features and targets",
    )


@STATEMENTS.add()
def check_aligned_unit(measure: Measure, draw: Draw) -> None:
    _assert_theta_of_single_units(measure, draw, 1, 0, "the same tuning as the target")


@STATEMENTS.add()
def check_opposed_unit(measure: Measure, draw: Draw) -> None:
    _assert_theta_of_single_units(measure, draw, -1, 2, "the opposite tuning")


def _assert_theta_of_single_units(
    measure: Measure, draw: Draw, sign: float, expected: float, tuning: str
) -> None:
    """Every target is reached by one unit alone, which is what it is up to scale."""
    X = draw(features(degenerate=False))
    W = np.diag(draw(arrays(float, X.shape[1], elements=_FACTORS)))
    Y = sign * X * draw(_FACTORS)
    measure.assert_equal(
        measure(X, Y, W),
        np.full(X.shape[1], expected),
        f"theta must be {expected} where all weight is on one unit of {tuning}",
    )


@STATEMENTS.add()
def check_empty_weights(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems(degenerate=False))
    empty = draw(st.integers(0, len(W) - 1))
    W[empty] = 0
    theta = measure(X, Y, W)
    measure.assert_equal(
        theta[empty],
        measure.undefined,
        f"a target without weights has no theta: it must be {measure.undefined}, as declared",
    )
    others = np.arange(len(W)) != empty
    assert np.isfinite(theta[others]).all(), (
        f"a target without weights must leave the other thetas defined; got {theta}"
    )


@STATEMENTS.add()
def check_target_without_direction(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems(degenerate=False))
    silent = draw(st.integers(0, Y.shape[1] - 1))
    Y[:, silent] = _constant(measure, draw)
    measure.assert_equal(
        measure(X, Y, W)[silent],
        measure.undefined,
        f"a target without direction ({'constant' if measure.center else 'zero'} over images) has "
        f"no theta: it must be {measure.undefined}, as declared",
    )


@STATEMENTS.add()
def check_unit_without_direction(measure: Measure, draw: Draw) -> None:
    X, Y, W = draw(encoding_problems())
    place = draw(st.integers(0, X.shape[1]))
    silent = EncodingProblem(
        np.insert(X, place, _constant(measure, draw), axis=1),
        Y,
        np.insert(W, place, draw(st.sampled_from([1.0, -5.0, 1e3])), axis=1),
    )
    measure.assert_equal(
        measure(*silent),
        measure(X, Y, W),
        f"a unit without direction ({'constant' if measure.center else 'zero'} over images) must "
        "leave both sums of the formula, whatever its weight",
    )


def _constant(measure: Measure, draw: Draw) -> float:
    return float(draw(st.integers(-16, 16)) / 8) if measure.center else 0.0


@STATEMENTS.add()
def check_inputs_are_left_alone(measure: Measure, draw: Draw) -> None:
    given = draw(encoding_problems())
    before = [array.copy() for array in given]
    measure.function(*given)
    for name, array, original in zip(given._fields, given, before, strict=True):
        np.testing.assert_array_equal(
            array, original, err_msg=f"the measure must not modify its {name}"
        )
