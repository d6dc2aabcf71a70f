"""What holds for matches of the units of two systems, and for what a score owes to its axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from skalign.testing._property_check import Draw, Statements
from skalign.testing._strategies import features, targets
from skalign.utils import Array, Doubles

MATCHING, AXES = Statements(), Statements()

_FACTORS = st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**10])
_FRACTIONS = st.sampled_from([0.25, 0.5, 0.75, 1.0])


class Systems(NamedTuple):
    """Two systems, on the images that choose matches and on those that are scored."""

    X: Array
    Y: Array
    X_test: Array
    Y_test: Array

    def change(self, of_x: Callable[[Array], Array], of_y: Callable[[Array], Array]) -> Systems:
        return Systems(of_x(self.X), of_y(self.Y), of_x(self.X_test), of_y(self.Y_test))


@dataclass(frozen=True, eq=False)
class SystemMeasure:
    """A measure of two systems with what is declared of it; it only sees copies."""

    function: Callable[..., Any]
    kind: str
    atol: float

    @property
    def is_symmetric(self) -> bool:
        return self.kind != "semi_matching"

    @property
    def counts_shares(self) -> bool:
        return self.kind != "one_to_one_matching"

    def draw(self, draw: Draw, *, degenerate: bool = False) -> tuple[Systems, list[float]]:
        """Two systems of up to five units, and the further arguments of the measure."""
        n_x, n_y = draw(st.integers(1, 5), "units of X"), draw(st.integers(1, 5), "units of Y")
        n_train, n_test = draw(st.integers(7, 10)), draw(st.integers(7, 10))
        systems = Systems(
            draw(features(n_train, n_x, degenerate=degenerate), "X"),
            draw(targets(n_train, n_y, degenerate=degenerate), "Y"),
            draw(features(n_test, n_x, degenerate=degenerate), "X_test"),
            draw(targets(n_test, n_y, degenerate=degenerate), "Y_test"),
        )
        is_partial = self.kind == "partial_soft_matching"
        return systems, [draw(_FRACTIONS, "fraction")] if is_partial else []

    def __call__(self, systems: Systems, options: list[float]) -> float:
        found = self.function(*(array.copy() for array in systems), *options)
        assert isinstance(found, Real), f"the measure must return a number; it returned {found!r}"
        return float(found)

    def assert_equal(self, actual: Any, expected: Any, message: str) -> None:
        np.testing.assert_allclose(actual, expected, rtol=0, atol=self.atol, err_msg=message)

    def assert_unchanged(
        self, systems: Systems, changed: Systems, options: list[float], change: str
    ) -> None:
        self.assert_equal(
            self(changed, options), self(systems, options), f"the score must not change {change}"
        )

    def formula(self, systems: Systems, fraction: float = 1.0) -> float:
        """The score from its definition, slowly."""
        chosen = _correlations(systems.X, systems.Y)
        scored = _correlations(systems.X_test, systems.Y_test)
        match self.kind:
            case "semi_matching":
                return float(scored[np.arange(len(chosen)), chosen.argmax(axis=1)].mean())
            case "one_to_one_matching":
                if chosen.shape[0] > chosen.shape[1]:
                    chosen, scored = chosen.T, scored.T
                rows = np.arange(len(chosen))
                orders = (list(order) for order in permutations(range(chosen.shape[1]), len(rows)))
                best = max(orders, key=lambda order: chosen[rows, order].sum())
                return float(scored[rows, best].mean())
        return float((_plan(chosen, fraction) * scored).sum() / fraction)


def _correlations(X: Array, Y: Array) -> Doubles:
    """Correlations of units, (n_units_x, n_units_y), one by one."""
    return np.array([[np.corrcoef(x, y)[0, 1] for y in Y.T] for x in X.T])


def _plan(gain: Doubles, fraction: float) -> Doubles:
    """A best partial transport plan, from its linear program."""
    n_x, n_y = gain.shape
    rows = np.kron(np.eye(n_x), np.ones(n_y))
    columns = np.kron(np.ones(n_x), np.eye(n_y))
    found = linprog(
        -gain.ravel(),
        A_ub=np.vstack([rows, columns]),
        b_ub=np.repeat([1 / n_x, 1 / n_y], [n_x, n_y]),
        A_eq=np.ones((1, gain.size)),
        b_eq=[fraction],
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return np.reshape(found.x, gain.shape)


@MATCHING.add()
def check_definition(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    measure.assert_equal(
        measure(systems, options),
        measure.formula(systems, *options),
        f"{measure.kind} must choose the best matches of the first images, and score the others",
    )


@MATCHING.add()
def check_range(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw, degenerate=True)
    X, Y, X_test, Y_test = systems
    for other, other_test in ((Y, Y_test), (X, X_test), (-X, -X_test)):
        score = measure(Systems(X, other, X_test, other_test), options)
        assert abs(score) <= 1 + measure.atol, (
            "a mean correlation must lie in [-1, 1], where units that do not vary count as 0; got "
            f"{score}"
        )


@MATCHING.add()
def check_same_system(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    same = Systems(systems.X, systems.X, systems.X_test, systems.X_test)
    measure.assert_equal(measure(same, options), 1, "a system must match itself with a score of 1")


@MATCHING.add()
def check_order_of_units(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    of_x, of_y = (draw(st.permutations(range(part.shape[1]))) for part in systems[:2])
    measure.assert_unchanged(
        systems,
        systems.change(lambda part: part[:, of_x], lambda part: part[:, of_y]),
        options,
        "when units are reordered",
    )


@MATCHING.add()
def check_order_of_images(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    train, test = (draw(st.permutations(range(len(part)))) for part in systems[1:3])
    X, Y, X_test, Y_test = systems
    measure.assert_unchanged(
        systems,
        Systems(X[train], Y[train], X_test[test], Y_test[test]),
        options,
        "when images are reordered",
    )


@MATCHING.add()
def check_scale_and_offset(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    factors, offsets = (
        [draw(arrays(float, part.shape[1], elements=elements)) for part in systems[:2]]
        for elements in (_FACTORS, st.integers(-9, 9).map(float))
    )
    measure.assert_unchanged(
        systems,
        systems.change(
            lambda part: part * factors[0] + offsets[0],
            lambda part: part * factors[1] + offsets[1],
        ),
        options,
        "when units are multiplied by positive numbers, and constants are added",
    )


@MATCHING.add()
def check_signs_of_both(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    measure.assert_unchanged(
        systems,
        systems.change(np.negative, np.negative),
        options,
        "when all units of both systems change their signs",
    )


@MATCHING.add(applies=lambda measure: measure.is_symmetric)
def check_exchange(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    X, Y, X_test, Y_test = systems
    measure.assert_unchanged(
        systems, Systems(Y, X, Y_test, X_test), options, "when the systems are exchanged"
    )


@MATCHING.add(applies=lambda measure: measure.counts_shares)
def check_copies(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    measure.assert_unchanged(
        systems,
        systems.change(lambda part: np.repeat(part, 2, axis=1), np.asarray),
        options,
        "when every unit of a system is there twice",
    )


@MATCHING.add()
def check_inputs_are_left_alone(measure: SystemMeasure, draw: Draw) -> None:
    systems, options = measure.draw(draw)
    before = [array.copy() for array in systems]
    measure.function(*systems, *options)
    for name, array, original in zip(systems._fields, systems, before, strict=True):
        np.testing.assert_array_equal(
            array, original, err_msg=f"the measure must not modify its {name}"
        )


def signed_map_r(X: Array, Y: Array, X_test: Array, Y_test: Array) -> float:
    """Mean r of an unpenalized signed linear map, which no rotation of the features changes."""
    mean = X.mean(axis=0)
    weights = np.linalg.lstsq(X - mean, Y - Y.mean(axis=0), rcond=None)[0]
    predicted = (X_test - mean) @ weights
    return float(np.mean(np.diag(_correlations(predicted, Y_test))))


def best_unit_r(X: Array, Y: Array, X_test: Array, Y_test: Array) -> float:
    """Mean r of the single unit that is most like a target."""
    best = _correlations(X, Y).argmax(axis=0)
    return float(np.mean(np.diag(_correlations(X_test[:, best], Y_test))))


def _draw_axes(draw: Draw) -> tuple[Array, Array]:
    """Features of more images than units."""
    n_units = draw(st.integers(2, 5), "number of units")
    return tuple(draw(features(n_units + 8, n_units, degenerate=False)) for _ in range(2))


@AXES.add()
def check_score_without_axes(measure: SystemMeasure, draw: Draw) -> None:
    X, X_test = _draw_axes(draw)
    Y, Y_test = (draw(targets(len(part), 2, degenerate=False)) for part in (X, X_test))
    found = float(measure.function(signed_map_r, X, Y, X_test, Y_test))
    measure.assert_equal(found, 0, "a score that rotations do not change must owe nothing to axes")


@AXES.add()
def check_score_on_axes(measure: SystemMeasure, draw: Draw) -> None:
    X, X_test = _draw_axes(draw)
    found = float(measure.function(best_unit_r, X, X.copy(), X_test, X_test.copy()))
    assert 0 < found <= 2 + measure.atol, (
        "targets that are single units must owe some of their score to the axes, a number above 0 "
        f"and at most 2; got {found}"
    )


@AXES.add()
def check_scale_of_score(measure: SystemMeasure, draw: Draw) -> None:
    X, X_test = _draw_axes(draw)
    factor, offset = draw(_FACTORS, "factor"), draw(st.integers(-3, 3), "offset")
    data = X, X[:, :1], X_test, X_test[:, :1]

    def changed(*systems: Array) -> float:
        return factor * best_unit_r(*systems) + offset

    measure.assert_equal(
        float(measure.function(changed, *data)) / factor,
        float(measure.function(best_unit_r, *data)),
        "a difference must be multiplied as the score is, and ignore what is added to it",
    )
