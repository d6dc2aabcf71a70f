"""What holds for any data: optimality, and how solutions move with what is done to the problem.

Predictions Xw are unique always, weights where the penalty is strictly convex.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import nnls

from skalign.linear_model import SparsePositiveEncoder
from skalign.solvers import certify, solve
from skalign.testing import encoding_problems, parametrize_with_encoder_checks
from tests.reference import PENALTIES

check = settings(deadline=None, max_examples=60)

encoders = st.fixed_dictionaries(
    {
        "penalty": st.sampled_from(PENALTIES),
        "alpha": st.sampled_from([1e-3, 0.1, 1.0]),
        "l1_ratio": st.sampled_from([0.0, 0.3, 1.0]),
        "positive": st.booleans(),
        "fit_intercept": st.booleans(),
    }
)
seeds = st.integers(0, 2**32 - 1)


data = encoding_problems(n_targets=st.integers(1, 3)).map(lambda problem: problem[:2])


def predict(X, solution):
    return X @ solution.coef.T + solution.intercept


def assert_same(actual, expected):
    np.testing.assert_allclose(actual, expected, atol=1e-6 * max(1, np.abs(expected).max()), rtol=0)


def strictly_convex(encoder):
    ridge_share = encoder["penalty"] == "elasticnet" and encoder["l1_ratio"] < 1
    return encoder["penalty"] == "ridge" or ridge_share


def assert_equivalent(X, encoder, solution, expected):
    """Same predictions; same weights where they are unique."""
    assert_same(predict(X, solution), predict(X, expected))
    if strictly_convex(encoder):
        assert_same(solution.coef, expected.coef)


@parametrize_with_encoder_checks(
    encoders.map(lambda encoder: SparsePositiveEncoder(**encoder)), tol=1e-7, settings=check
)
def test_is_an_encoder(check):
    """Through the estimator, which fits what the solver finds."""
    check()


@check
@given(data, encoders)
def test_every_certificate_is_true(data, encoder):
    X, Y = data
    solution = solve(X, Y, **encoder)
    certificate = certify(X, Y, solution.coef, **encoder)
    assert certificate.kkt_violation.max() <= 1e-7
    np.testing.assert_array_equal(solution.kkt_violation <= 1e-7, True)
    if encoder["penalty"] == "ols":
        assert np.isnan(certificate.dual_gap).all()
        return
    empty = certify(X, Y, 0 * solution.coef, **encoder).objective
    assert (certificate.dual_gap <= 1e-6 * empty).all()
    assert (solution.dual_gap <= 1e-6 * empty).all()


@check
@given(data, encoders, seeds)
def test_no_other_weights_are_better(data, encoder, seed):
    X, Y = data
    coef = solve(X, Y, **encoder).coef
    others = coef + np.random.default_rng(seed).normal(scale=0.1, size=coef.shape)
    if encoder["positive"]:
        others = np.maximum(others, 0)
    best, other = (certify(X, Y, w, **encoder).objective for w in [coef, others])
    assert (best <= other + 1e-9 * (1 + other)).all()


@check
@given(data, encoders, st.integers(-50, 50), st.integers(-50, 50))
def test_intercept_absorbs_any_shift(data, encoder, shift_X, shift_y):
    X, Y = data
    encoder["fit_intercept"] = True
    plain, shifted = solve(X, Y, **encoder), solve(X + shift_X, Y + shift_y, **encoder)
    assert_same(predict(X + shift_X, shifted) - shift_y, predict(X, plain))


@check
@given(data, encoders, st.data())
def test_integer_weights_equal_repeated_rows(data, encoder, draw):
    """Fits do, and so do the certificates of any weights, here far from optimal."""
    X, Y = data
    n_samples = X.shape[0]
    repeats = draw.draw(arrays(np.int64, n_samples, elements=st.integers(0, 3)).filter(np.any))
    repeated = np.repeat(X, repeats, axis=0), np.repeat(Y, repeats, axis=0)
    weighted = solve(X, Y, sample_weight=repeats, **encoder)
    assert_equivalent(X, encoder, weighted, solve(*repeated, **encoder))
    coef = weighted.coef + 0.1
    of_weights = certify(X, Y, coef, sample_weight=repeats, **encoder)
    of_rows = certify(*repeated, coef, **encoder)
    for name in ("objective", "kkt_violation", "dual_gap"):
        actual, expected = (getattr(one, name) for one in (of_weights, of_rows))
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9)


@check
@given(data, encoders, st.sampled_from([1e-3, 7.0, 1e3]))
def test_only_ratios_of_weights_matter(data, encoder, factor):
    """But for ridge, whose alpha competes with the sum of squares itself."""
    X, Y = data
    weight = 1.0 + np.arange(X.shape[0]) % 3
    plain = solve(X, Y, sample_weight=weight, **encoder)
    if encoder["penalty"] == "ridge":
        encoder["alpha"] *= factor
    scaled = solve(X, Y, sample_weight=factor * weight, **encoder)
    assert_equivalent(X, encoder, scaled, plain)


@check
@given(data, encoders, seeds)
def test_rows_of_zero_weight_equal_removed_rows(data, encoder, seed):
    X, Y = data
    junk = np.random.default_rng(seed).normal(scale=100, size=(3, X.shape[1] + Y.shape[1]))
    weight = np.r_[np.full(X.shape[0], 0.7), np.zeros(3)]
    ignored = solve(
        np.r_[X, junk[:, : X.shape[1]]],
        np.r_[Y, junk[:, X.shape[1] :]],
        sample_weight=weight,
        **encoder,
    )
    removed = solve(X, Y, sample_weight=weight[: X.shape[0]], **encoder)
    assert_equivalent(X, encoder, ignored, removed)


@check
@given(data, encoders, st.booleans())
def test_ridge_share_is_ols_or_lasso_on_augmented_data(data, encoder, elastic):
    """Ridge and elastic net are OLS and lasso on sqrt(l2) I appended to the centered features."""
    X, Y = data
    (n_samples, n_features), positive, alpha = X.shape, encoder["positive"], encoder["alpha"]
    if encoder["fit_intercept"]:
        X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    l2 = n_samples * alpha * (1 - encoder["l1_ratio"]) if elastic else alpha
    X_long = np.r_[X, np.sqrt(l2) * np.eye(n_features)]
    Y_long = np.r_[Y, np.zeros((n_features, Y.shape[1]))]
    options = {"positive": positive, "fit_intercept": False}
    if elastic:
        net = solve(X, Y, "elasticnet", alpha, l1_ratio=encoder["l1_ratio"], **options)
        l1 = alpha * encoder["l1_ratio"] * n_samples / (n_samples + n_features)
        assert_same(
            X_long @ net.coef.T, X_long @ solve(X_long, Y_long, "lasso", l1, **options).coef.T
        )
        return
    coef = solve(X, Y, "ridge", alpha, **options).coef
    if positive:
        expected = [nnls(X_long, y)[0] for y in Y_long.T]
    else:
        expected = np.linalg.lstsq(X_long, Y_long, rcond=None)[0].T
    assert_same(coef, expected)


@check
@given(data, encoders)
def test_float32_reaches_the_objective_of_float64(data, encoder):
    X, Y = data
    single = solve(X.astype(np.float32), Y.astype(np.float32), **encoder)
    double = solve(X, Y, **encoder)
    # Large weights that cancel are beyond what float32 can tell, and say so.
    cancel = np.abs(double.coef) @ np.abs(X).max(axis=0) > 10 * np.abs(Y).max(axis=0)
    assert (single.converged | cancel).all()
    objectives = [certify(X, Y, one.coef, **encoder).objective for one in (single, double)]
    scale = max(1, np.abs(Y).max() / 3)
    np.testing.assert_allclose(*objectives, atol=1e-3 * scale**2)
