"""An infinite alpha leaves a target empty: zero weights, its mean as intercept, nothing amiss."""

import numpy as np
import pytest

from skalign.solvers import (
    Moments,
    _blocks,
    certify,
    solve,
    solve_moments,
    solve_moments_path,
    solve_path,
)
from tests.designs import noisy_targets
from tests.reference import ALPHA, ENCODERS

PENALIZED = [encoder for encoder in ENCODERS if encoder[0] != "ols"]
LEFT_EMPTY = np.array([True, False, True, False])


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6)) + 0.3
    return X, noisy_targets(rng, X, n_targets=4) + 5, rng.uniform(0.2, 3, 40)


def assert_empty(solution, means, where=slice(None)):
    assert not solution.coef[where].any()
    np.testing.assert_allclose(solution.intercept[where], means[where], rtol=1e-6)
    assert (solution.n_iter[where] >= 1).all()
    assert not solution.kkt_violation[where].any()
    assert not solution.dual_gap[where].any()
    assert solution.converged[where].all()


def means_of(Y, weight, fit_intercept):
    return weight @ Y / weight.sum() if fit_intercept else np.zeros(Y.shape[1])


@pytest.mark.parametrize("route", ["gram", "columns", "moments"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), PENALIZED)
def test_some_or_all_targets(data, monkeypatch, penalty, positive, fit_intercept, l1_ratio, route):
    X, Y, weight = data
    if route == "columns":
        monkeypatch.setattr(_blocks, "GRAM_FEATURES", 0)
        monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)
    images = {"fit_intercept": fit_intercept, "sample_weight": weight}
    settings = {"positive": positive, "l1_ratio": l1_ratio}

    def fit(alpha, coef_init=None):
        if route == "moments":
            moments = Moments.of(X, Y, **images)
            return solve_moments(moments, penalty, alpha, coef_init=coef_init, **settings)
        return solve(X, Y, penalty, alpha, coef_init=coef_init, **images, **settings)

    means = means_of(Y, weight, fit_intercept)
    for start in (None, np.ones((4, 6))):
        assert_empty(fit(np.inf, start), means)
        alpha = np.where(LEFT_EMPTY, np.inf, ALPHA[penalty])
        some = fit(alpha, start)
        assert_empty(some, means, LEFT_EMPTY)
        others = fit(ALPHA[penalty])
        np.testing.assert_allclose(some.coef[~LEFT_EMPTY], others.coef[~LEFT_EMPTY], atol=1e-9)
        truth = certify(X, Y, some.coef, penalty, alpha, **images, **settings)
        assert truth.kkt_violation.max() < 1e-7
        assert not truth.dual_gap[LEFT_EMPTY].any()
        residual = np.sqrt(weight)[:, None] * (Y - means)
        unit = 1.0 if penalty == "ridge" else 0.5 / weight.sum()
        np.testing.assert_allclose(
            truth.objective[LEFT_EMPTY], (unit * (residual**2).sum(axis=0))[LEFT_EMPTY]
        )


@pytest.mark.parametrize(("penalty", "positive"), PENALIZED)
def test_weights_at_an_infinite_alpha_are_infinitely_wrong(data, penalty, positive):
    X, Y, _ = data
    coef = np.zeros((4, 6))
    coef[1, 2] = 1e-9
    truth = certify(X, Y, coef, penalty, np.inf, positive=positive)
    for found in (truth.kkt_violation, truth.dual_gap):
        np.testing.assert_array_equal(found, [0, np.inf, 0, 0])
    np.testing.assert_array_equal(np.isinf(truth.objective), [False, True, False, False])


@pytest.mark.parametrize("gram_features", [1024, 0])
@pytest.mark.parametrize(("penalty", "positive"), PENALIZED)
def test_a_path_may_start_there(data, monkeypatch, penalty, positive, gram_features):
    X, Y, weight = data
    monkeypatch.setattr(_blocks, "GRAM_FEATURES", gram_features)
    monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)
    alphas = np.array([[np.inf] * 4, np.where(LEFT_EMPTY, np.inf, 0.2), [0.1] * 4])
    paths = [
        solve_path(X, Y, penalty, alphas, positive=positive, sample_weight=weight),
        solve_moments_path(Moments.of(X, Y, weight), penalty, alphas, positive=positive),
    ]
    means = means_of(Y, weight, True)
    for path in paths:
        np.testing.assert_array_equal(path.alphas, alphas)
        assert path.converged.all()
        assert (path.n_iter >= 1).all()
        empty = np.isinf(alphas)
        assert not path.coef[empty].any()
        assert not path.kkt_violation[empty].any()
        assert not path.dual_gap[empty].any()
        np.testing.assert_allclose(path.intercept[empty], np.broadcast_to(means, (3, 4))[empty])
        for k in (1, 2):
            alone = solve(X, Y, penalty, alphas[k], positive=positive, sample_weight=weight)
            np.testing.assert_allclose(path.coef[k], alone.coef, atol=1e-8)


@pytest.mark.parametrize("positive", [True, False])
def test_ols_ignores_finite_alphas(data, positive):
    X, Y, weight = data
    settings = {"positive": positive, "sample_weight": weight}
    expected = solve(X, Y, "ols", 0.0, **settings)
    assert expected.coef[~LEFT_EMPTY].any()
    found = solve(X, Y, "ols", 9.0, **settings)
    np.testing.assert_array_equal(found.coef, expected.coef)
    alpha = np.where(LEFT_EMPTY, np.inf, 9.0)
    moments = Moments.of(X, Y, weight)
    for some in (
        solve(X, Y, "ols", alpha, **settings),
        solve_moments(moments, "ols", alpha, positive=positive),
    ):
        assert not some.coef[LEFT_EMPTY].any()
        np.testing.assert_allclose(some.coef[~LEFT_EMPTY], expected.coef[~LEFT_EMPTY], atol=1e-10)
        np.testing.assert_allclose(
            some.intercept[LEFT_EMPTY], means_of(Y, weight, True)[LEFT_EMPTY]
        )
        assert some.converged.all()
        assert not some.kkt_violation[LEFT_EMPTY].any()
        assert np.isnan(some.dual_gap).all()
        truth = certify(X, Y, some.coef, "ols", alpha, **settings)
        assert truth.kkt_violation.max() < 1e-7
        assert np.isnan(truth.dual_gap).all()
    for path in (
        solve_path(X, Y, "ols", [alpha], **settings),
        solve_moments_path(moments, "ols", [alpha], positive=positive),
    ):
        np.testing.assert_allclose(path.coef[0], some.coef, atol=1e-10)
        assert np.isnan(path.dual_gap).all()


def test_extreme_targets_and_features_stay_empty_too(data):
    X, Y, _ = data
    for scale in (1e-140, 1e140):
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            for penalty in ("lasso", "elasticnet", "ridge"):
                assert_empty(solve(X, Y * scale, penalty, np.inf), (Y * scale).mean(axis=0))
    assert_empty(solve(X.astype("f4"), 1e12 * Y, "lasso", np.inf), 1e12 * Y.mean(axis=0))
