"""What holds for the number of effective weights, the floor of theta, and theta without noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skalign.testing._property_check import Draw, Statements
from skalign.testing._strategies import features, weights
from skalign.utils import Array, Doubles

EFFECTIVE, FLOOR, CORRECTED = Statements(), Statements(), Statements()

_FACTORS = st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**10])


@dataclass(frozen=True, eq=False)
class TargetMeasure:
    """A measure that gives one value per target; it only sees copies."""

    function: Callable[..., Any]
    atol: float

    def __call__(self, *given: Array, n_targets: int | None = None) -> Doubles:
        values = np.asarray(self.function(*(array.copy() for array in given)), dtype=float)
        shape = (len(given[-1]) if n_targets is None else n_targets,)
        assert values.shape == shape, (
            f"the measure must return one value per target, shape {shape}; it returned shape "
            f"{values.shape}"
        )
        return values

    def assert_equal(self, actual: Any, expected: Any, message: str) -> None:
        np.testing.assert_allclose(actual, expected, rtol=0, atol=self.atol, err_msg=message)


@EFFECTIVE.add()
def check_count(measure: TargetMeasure, draw: Draw) -> None:
    W = draw(weights(degenerate=False))
    measure.assert_equal(
        measure(W),
        np.abs(W).sum(axis=1) ** 2 / (W**2).sum(axis=1),
        "n_effective must be the squared sum of absolute weights over the sum of squares",
    )


@EFFECTIVE.add()
def check_range_of_count(measure: TargetMeasure, draw: Draw) -> None:
    W = draw(weights(sparse=True, degenerate=False))
    found = measure(W)
    most = np.count_nonzero(W, axis=1)
    assert ((found >= 1 - measure.atol) & (found <= most + measure.atol)).all(), (
        f"n_effective must lie between 1 and the number of active units, {most}; got {found}"
    )


@EFFECTIVE.add()
def check_equal_weights(measure: TargetMeasure, draw: Draw) -> None:
    W = np.sign(draw(weights(degenerate=False)))
    measure.assert_equal(
        measure(W), np.count_nonzero(W, axis=1), "equal weights must all count as one unit each"
    )


@EFFECTIVE.add()
def check_scale_of_weights(measure: TargetMeasure, draw: Draw) -> None:
    W = draw(weights(degenerate=False))
    factors = draw(arrays(float, (len(W), 1), elements=_FACTORS), "factors")
    measure.assert_equal(
        measure(-W * factors), measure(W), "n_effective must ignore the scale and sign of weights"
    )


@EFFECTIVE.add()
def check_order_of_units(measure: TargetMeasure, draw: Draw) -> None:
    W = draw(weights(degenerate=False))
    order = draw(st.permutations(range(W.shape[1])), "order")
    measure.assert_equal(
        measure(W[:, order]), measure(W), "n_effective must not depend on the order of the units"
    )


@EFFECTIVE.add()
def check_empty_target(measure: TargetMeasure, draw: Draw) -> None:
    W = draw(weights(degenerate=False))
    W[draw(st.integers(0, len(W) - 1))] = 0
    measure.assert_equal(
        np.isnan(measure(W)), ~W.any(axis=1), "a target without weights, and no other, must be NaN"
    )


@FLOOR.add()
def check_orthonormal_units(measure: TargetMeasure, draw: Draw) -> None:
    """Units that are orthogonal reach a sum of theirs at its floor exactly."""
    W = draw(weights(positive=True, degenerate=False))
    X = np.linalg.qr(draw(features(W.shape[1] + 2, W.shape[1], degenerate=False)))[0]
    expected = 1 - np.linalg.norm(W, axis=1) / W.sum(axis=1)
    measure.assert_equal(
        measure(X, W), expected, "the floor of orthogonal units must be 1 - 1 / sqrt(n_effective)"
    )


@FLOOR.add()
def check_exchangeable_units(measure: TargetMeasure, draw: Draw) -> None:
    """The mean cosine of two units, whatever it is."""
    W = draw(weights(positive=True, degenerate=False))
    X = draw(features(W.shape[1] + 2, W.shape[1], degenerate=False))
    norms = np.linalg.norm(X, axis=0)
    cosines = X.T @ X / np.outer(norms, norms)
    n_units = W.shape[1]
    others = n_units * (n_units - 1)
    mean = (cosines.sum() - n_units) / others if others else 0.0
    shared = mean + (1 - mean) * (W**2).sum(axis=1) / W.sum(axis=1) ** 2
    measure.assert_equal(
        measure(X, W),
        1 - np.sqrt(np.clip(shared, 0, 1)),
        "the floor must be 1 - sqrt(c + (1 - c) / n_effective), c the mean cosine of two units",
    )


@FLOOR.add()
def check_single_unit(measure: TargetMeasure, draw: Draw) -> None:
    X = draw(features(degenerate=False))
    W = np.diag(draw(arrays(float, X.shape[1], elements=_FACTORS)))
    measure.assert_equal(
        measure(X, W), np.zeros(len(W)), "the floor of a single unit must be 0: it predicts itself"
    )


@FLOOR.add()
def check_scale_of_both(measure: TargetMeasure, draw: Draw) -> None:
    W = draw(weights(positive=True, degenerate=False))
    X = draw(features(W.shape[1] + 2, W.shape[1], degenerate=False))
    of_units = draw(arrays(float, W.shape[1], elements=_FACTORS), "factors of units")
    of_weights = draw(arrays(float, (len(W), 1), elements=_FACTORS), "factors of weights")
    measure.assert_equal(
        measure(X * of_units, W * of_weights),
        measure(X, W),
        "the floor must ignore the scale of units, and that of a target's weights",
    )


@FLOOR.add()
def check_signed_weights(measure: TargetMeasure, draw: Draw) -> None:
    W = draw(weights(positive=True, degenerate=False))
    X = draw(features(W.shape[1] + 2, W.shape[1], degenerate=False))
    negative = draw(st.integers(0, len(W) - 1))
    W[negative, draw(st.integers(0, W.shape[1] - 1))] = -1.0
    measure.assert_equal(
        np.isnan(measure(X, W)),
        np.arange(len(W)) == negative,
        "a target with a negative weight, and no other, has no floor by geometry: it must be NaN",
    )


def _draw_thetas(draw: Draw) -> tuple[Array, Array]:
    n_targets = draw(st.integers(1, 5), "number of targets")
    theta = draw(arrays(float, n_targets, elements=st.integers(0, 64).map(lambda k: k / 32)))
    ceiling = draw(arrays(float, n_targets, elements=st.integers(1, 32).map(lambda k: k / 32)))
    return theta, ceiling


@CORRECTED.add()
def check_noise_is_undone(measure: TargetMeasure, draw: Draw) -> None:
    theta, ceiling = _draw_thetas(draw)
    measure.assert_equal(
        measure(1 - (1 - theta) * ceiling, ceiling),
        theta,
        "a theta whose correlations noise shrinks by the ceiling must be recovered",
    )


@CORRECTED.add()
def check_without_noise(measure: TargetMeasure, draw: Draw) -> None:
    theta, _ = _draw_thetas(draw)
    measure.assert_equal(
        measure(theta, np.ones_like(theta)), theta, "a ceiling of 1 must leave theta as it is"
    )


@CORRECTED.add()
def check_orthogonal_target(measure: TargetMeasure, draw: Draw) -> None:
    _, ceiling = _draw_thetas(draw)
    ones = np.ones_like(ceiling)
    measure.assert_equal(
        measure(ones, ceiling), ones, "a theta of 1 has no correlation to correct: it must stay"
    )


@CORRECTED.add()
def check_no_ceiling(measure: TargetMeasure, draw: Draw) -> None:
    theta, ceiling = _draw_thetas(draw)
    without = draw(st.integers(0, theta.size - 1))
    ceiling[without] = draw(st.sampled_from([0.0, np.nan]))
    measure.assert_equal(
        np.isnan(measure(theta, ceiling)),
        np.arange(theta.size) == without,
        "a target whose ceiling is 0 or NaN, and no other, must be NaN",
    )
