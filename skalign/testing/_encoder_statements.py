"""What holds for any linear encoder, and for one with a declared objective."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone

from skalign.solvers import certify
from skalign.testing._declared_encoder import Encoder
from skalign.testing._property_check import Draw, Statements
from skalign.testing._strategies import features

STATEMENTS = Statements()


def _has_objective(encoder: Encoder) -> bool:
    return encoder.penalty is not None


@STATEMENTS.add()
def check_shapes(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    fit = encoder.fit(X, Y)  # which looks at the shapes
    if Y.shape[1] > 1:
        predicted = fit.estimator.predict(X).shape
        assert predicted == Y.shape, f"predictions must have y's shape {Y.shape}; got {predicted}"
    flat = clone(encoder.estimator).fit(X, Y[:, 0])
    shape, predicted = np.shape(flat.coef_), flat.predict(X).shape
    assert shape == (X.shape[1],), (
        f"with 1-D y, coef_ must have shape (n_features,) = ({X.shape[1]},); it has shape {shape}"
    )
    assert predicted == (len(X),), f"with 1-D y, predictions must be 1-D; got shape {predicted}"


@STATEMENTS.add()
def check_weights_are_finite(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw_any(draw, degenerate=True)
    fit = encoder.fit(X, Y)
    for name, values in [("coef_", fit.coef), ("intercept_", fit.intercept)]:
        assert np.isfinite(values).all(), f"{name} must be finite, whatever the data; got {values}"


@STATEMENTS.add(applies=lambda encoder: encoder.positive)
def check_weights_are_not_negative(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw_any(draw, degenerate=draw(st.booleans(), "degenerate"))
    coef = encoder.fit(X, Y).coef
    assert (coef >= 0).all(), f"with positive=True, no weight may be negative; got {coef.min()}"


@STATEMENTS.add(applies=_has_objective)
def check_optimality(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    violation = certify(X, Y, encoder.fit(X, Y).coef, **encoder.objective).kkt_violation
    assert (violation <= encoder.tol).all(), (
        f"weights must be optimal for {encoder.objective}: the KKT conditions are violated by "
        f"{violation}, as a correlation, and may be by {encoder.tol}"
    )


@STATEMENTS.add(applies=_has_objective)
def check_intercept(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    fit = encoder.fit(X, Y)
    if encoder.fit_intercept:
        expected = Y.mean(axis=0) - fit.coef @ X.mean(axis=0)
        message = "intercept_ must leave residuals of mean zero, whatever the weights"
    else:
        expected = np.zeros(Y.shape[1])
        message = "intercept_ must be zero with fit_intercept=False"
    encoder.assert_same(fit.intercept, expected, message)


@STATEMENTS.add()
def check_prediction(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    X_new = draw(features(draw(st.integers(1, 5)), X.shape[1]), "new X")
    fit = encoder.fit(X, Y)
    encoder.assert_same(
        fit.estimator.predict(X_new).reshape(-1, Y.shape[1]),
        fit.predict(X_new),
        "predictions must be X @ coef_.T + intercept_",
    )


@STATEMENTS.add()
def check_order_of_images(encoder: Encoder, draw: Draw) -> None:
    data = encoder.draw(draw)
    order = draw(st.permutations(range(len(data.X))), "order")
    encoder.assert_same_fit(
        data,
        encoder.fit(data.X[order], data.Y[order]),
        encoder.fit(data.X, data.Y),
        f"a fit must not depend on the order of the images, {order} here",
    )


@STATEMENTS.add()
def check_order_of_features(encoder: Encoder, draw: Draw) -> None:
    data = encoder.draw(draw)
    order = draw(st.permutations(range(data.X.shape[1])), "order")
    permuted = encoder.fit(data.X[:, order], data.Y)
    encoder.assert_same_fit(
        data,
        permuted._replace(coef=permuted.coef[:, np.argsort(order)]),
        encoder.fit(data.X, data.Y),
        f"weights must be permuted as the features are, by {order} here",
    )


@STATEMENTS.add()
def check_order_of_targets(encoder: Encoder, draw: Draw) -> None:
    data = encoder.draw(draw)
    order = draw(st.permutations(range(data.Y.shape[1])), "order")
    fit = encoder.fit(data.X, data.Y)
    encoder.assert_same_fit(
        data,
        encoder.fit(data.X, data.Y[:, order]),
        fit._replace(coef=fit.coef[order], intercept=fit.intercept[order]),
        f"weights must be permuted as the targets are, by {order} here",
    )


@STATEMENTS.add()
def check_targets_alone(encoder: Encoder, draw: Draw) -> None:
    data = encoder.draw(draw)
    together = encoder.fit(data.X, data.Y)
    for v in range(data.Y.shape[1]):
        encoder.assert_same_fit(
            data,
            together._replace(coef=together.coef[[v]], intercept=together.intercept[[v]]),
            encoder.fit(data.X, data.Y[:, [v]]),
            f"the fit of target {v} must not depend on the other targets",
        )


@STATEMENTS.add()
def check_constant_target(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    constant = draw(st.sampled_from([3.0, -0.1, 0.0]), "constant") if encoder.fit_intercept else 0.0
    Y[:, 0] = constant
    fit = encoder.fit(X, Y)
    kind = "constant" if encoder.fit_intercept else "zero"
    encoder.assert_same(fit.coef[0], 0, f"a {kind} target must get zero weights")
    encoder.assert_same(
        fit.intercept[0], constant, f"the intercept of a {kind} target must be its value"
    )


@STATEMENTS.add()
def check_constant_feature(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    place = draw(st.integers(0, X.shape[1]), "place")
    constant = draw(st.sampled_from([0.0, 2.0, -0.5]), "constant") if encoder.fit_intercept else 0.0
    fit = encoder.fit(np.insert(X, place, constant, axis=1), Y)
    encoder.assert_same(
        fit.coef[:, place],
        0,
        f"a feature that is {constant} for every image must get zero weights",
    )


@STATEMENTS.add(applies=lambda encoder: encoder.takes_sample_weight)
def check_sample_weight_repeats_images(encoder: Encoder, draw: Draw) -> None:
    data = encoder.draw(draw)
    repeats = draw(arrays(int, len(data.X), elements=st.integers(0, 3)), "repeats")
    kept = encoder.min_images if _has_objective(encoder) else len(repeats)
    repeats[:kept] = np.maximum(repeats[:kept], 1)
    encoder.assert_same_fit(
        data._replace(
            X=data.X[repeats > 0], unique=data.unique and (encoder.strictly_convex or repeats.all())
        ),
        encoder.fit(data.X, data.Y, sample_weight=repeats.astype(float)),
        encoder.fit(np.repeat(data.X, repeats, axis=0), np.repeat(data.Y, repeats, axis=0)),
        f"integer sample weights must equal repeated images, {repeats} here",
    )


@STATEMENTS.add(applies=_has_objective)
def check_scaling_law(encoder: Encoder, draw: Draw) -> None:
    data = encoder.draw(draw)
    factor = draw(st.sampled_from([2.0**-7, 3.0, 2.0**13]), "factor")
    match encoder.penalty:
        case "lasso":
            parameters = {"alpha": factor * encoder.alpha}
        case "elasticnet":
            l1 = factor * encoder.alpha * encoder.l1_ratio
            strength = l1 + encoder.alpha * (1 - encoder.l1_ratio)
            ratio = l1 / strength if strength else 0.0
            parameters = {"alpha": strength, "l1_ratio": ratio}
        case _:
            parameters = {}
    scaled = encoder.fit(data.X, factor * data.Y, **parameters)
    encoder.assert_same_fit(
        data,
        scaled._replace(coef=scaled.coef / factor, intercept=scaled.intercept / factor),
        encoder.fit(data.X, data.Y),
        f"weights must scale with the targets, by {factor}, if the l1 penalty does",
    )


@STATEMENTS.add()
def check_single_precision(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    single, double = encoder.fit(X.astype("f4"), Y.astype("f4")), encoder.fit(X, Y)
    np.testing.assert_allclose(
        single.predict(X),
        double.predict(X),
        rtol=0,
        atol=1e-2 * max(1, np.abs(Y).max()),
        err_msg="a fit in float32 must predict what a fit in float64 predicts, to 1 %",
    )


@STATEMENTS.add(applies=lambda encoder: encoder.has_l1)
def check_alpha_max(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    y = Y[:, :1]
    centered_X, centered_y = ((A - A.mean(axis=0)) if encoder.fit_intercept else A for A in (X, y))
    pull = centered_X.T @ centered_y / len(X)
    l1_ratio = 1.0 if encoder.penalty == "lasso" else encoder.l1_ratio
    largest = max(0.0, (pull if encoder.positive else np.abs(pull)).max()) / l1_ratio
    above = encoder.fit(X, y, alpha=largest * (1 + 1e-9) + 1e-9).coef
    assert not above.any(), (
        f"weights must all be zero from alpha_max = {largest} on; got weights up to "
        f"{np.abs(above).max()}"
    )
    if largest > 1e-9:
        below = encoder.fit(X, y, alpha=largest * (1 - min(0.5, 10 * encoder.tol))).coef
        assert below.any(), f"weights must not all be zero below alpha_max = {largest}"


@STATEMENTS.add()
def check_inputs_are_left_alone(encoder: Encoder, draw: Draw) -> None:
    X, Y, _ = encoder.draw(draw)
    given = {"X": X, "y": Y}
    if encoder.takes_sample_weight:
        given["sample_weight"] = 1.0 + np.arange(len(X)) % 3
    before = {name: array.copy() for name, array in given.items()}
    clone(encoder.estimator).fit(**given).predict(X)
    for name, array in given.items():
        np.testing.assert_array_equal(
            array, before[name], err_msg=f"fit and predict must not modify {name}"
        )
