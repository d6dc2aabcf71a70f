"""Which candidate SparsePositiveEncoderCV takes for every target, and which targets stay empty."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Lasso
from sklearn.model_selection import (
    GridSearchCV,
    PredefinedSplit,
    ShuffleSplit,
    check_cv,
)

from skalign import AlignmentScorer, SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.model_selection import choose
from skalign.solvers import _target_blocks
from tests.cross_validation import SCORES, fit_quietly, loop
from tests.reference import ENCODERS


@pytest.mark.parametrize("select", ["one_se", "least_reorientation", "fewest_units"])
def test_rules_are_those_of_choose(data, select):
    X, Y, _ = data
    encoder = fit_quietly(SparsePositiveEncoderCV(select=select, tolerance=0.02, cv=3), X, Y)
    r, se, theta, n_active = (encoder.cv_results_[name] for name in SCORES)
    best = choose(select, r, r_se=se, theta=theta, n_active=n_active, tolerance=0.02)
    assert_array_equal(encoder.best_index_, best)
    plain = fit_quietly(SparsePositiveEncoderCV(cv=3), X, Y)
    assert (encoder.alpha_ != plain.alpha_).any()


def test_one_alpha_for_all_is_what_a_search_finds(data):
    X, Y, _ = data
    Y = Y[:, :4]
    alphas = [1.0, 0.3, 0.1, 0.03, 0.01]
    encoder = SparsePositiveEncoderCV(alphas=alphas, alpha_per_target=False, cv=3).fit(X, Y)
    search = GridSearchCV(
        SparsePositiveEncoder(), {"alpha": alphas}, scoring=AlignmentScorer(), refit="r", cv=3
    ).fit(X, Y)
    assert set(encoder.alpha_) == {search.best_params_["alpha"]}
    assert_allclose(encoder.coef_, search.best_estimator_.coef_, atol=1e-12)
    pooled = encoder.cv_results_["mean_test_r"].mean(axis=1)
    assert_allclose(pooled, search.cv_results_["mean_test_r"], atol=1e-9)


@pytest.mark.parametrize("cv", [3, PredefinedSplit(np.where(np.arange(60) < 40, -1, 0))])
@pytest.mark.parametrize("select", ["one_se", "least_reorientation", "fewest_units"])
def test_one_alpha_for_all_looks_at_scores_averaged_over_targets(data, select, cv, monkeypatch):
    monkeypatch.setattr(_target_blocks, "BLOCK_TARGETS", 2)
    X, Y, _ = data
    alphas = [3.0, 1.0, 0.3, 0.1, 0.03]
    encoder = SparsePositiveEncoderCV(alphas=alphas, alpha_per_target=False, cv=cv, select=select)
    fit_quietly(encoder, X, Y)
    splits = list(check_cv(cv).split(X))
    found = loop(encoder, X, Y, splits, alphas)
    theta = np.nan_to_num(found.theta, nan=2.0).mean(axis=(0, 2))
    pooled = np.nan_to_num(found.r).mean(axis=2)
    if len(splits) > 1:
        se = pooled.std(axis=0, ddof=1) / np.sqrt(len(splits))
    else:
        se = encoder.cv_results_["se_test_r"].mean(axis=1)
    scores = (pooled.mean(axis=0), se, theta, found.n_active.mean(axis=(0, 2)))
    r, se, theta, n_active = (score[:, np.newaxis] for score in scores)
    best = choose(select, r, r_se=se, theta=theta, n_active=n_active)
    assert_array_equal(encoder.best_index_, [best[0]] * 4 + [-1])
    assert_array_equal(encoder.alpha_, [alphas[best[0]]] * 4 + [np.inf])


def test_one_alpha_for_all_names_those_that_it_leaves_empty():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    Y = 10 * X[:, [0, 0, 0, 1]] + rng.standard_normal((60, 4))
    Y[:, 3] /= 100  # predicted well, but at small alphas only
    settings = {"alphas": [5.0, 1e-3], "select": "fewest_units", "tolerance": 0.5}
    encoder = SparsePositiveEncoderCV(alpha_per_target=False, **settings)
    with pytest.warns(UserWarning, match="or the one that suits all leaves them empty"):
        encoder.fit(X, Y)
    assert_array_equal(encoder.alpha_, [5, 5, 5, np.inf])
    assert_array_equal(encoder.empty_targets_, [3])
    assert encoder.cv_results_["mean_test_r"][1, 3] > 0.9
    of_its_own = SparsePositiveEncoderCV(**settings).fit(X, Y)
    assert_array_equal(of_its_own.alpha_, [5, 5, 5, 1e-3])


def test_hopeless_targets_are_left_empty_counted_and_named(data):
    X, Y, _ = data
    with pytest.warns(UserWarning, match=r"1 of 5 targets were left empty.*\(targets 4;"):
        encoder = SparsePositiveEncoderCV().fit(X, Y)
    assert_array_equal(encoder.empty_targets_, [4])
    assert encoder.alpha_[4] == np.inf
    assert not encoder.coef_[4].any()
    assert_allclose(encoder.intercept_[4], Y[:, 4].mean())
    assert_array_equal(encoder.best_index_ < 0, [False] * 4 + [True])
    assert encoder.kkt_violation_.max() < 1e-7
    assert encoder.n_iter_.min() >= 1


@pytest.mark.parametrize("select", ["best", "one_se", "fewest_units"])
@pytest.mark.parametrize("cv", [5, PredefinedSplit(np.where(np.arange(60) < 40, -1, 0))])
def test_what_is_empty_in_the_end_is_named(cv, select):
    """A fold may have weights at an alpha at which all data have none."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20))
    Y = X[:, :1] * 0.4 + rng.standard_normal((60, 100))
    encoder = SparsePositiveEncoderCV(select=select, cv=cv)
    with pytest.warns(UserWarning, match="left empty"):
        encoder.fit(X, Y)
    assert_array_equal(np.flatnonzero(~encoder.coef_.any(axis=1)), encoder.empty_targets_)
    assert_array_equal(np.isinf(encoder.alpha_), ~encoder.coef_.any(axis=1))
    # At the first alpha all samples are empty: the best of the others is taken, if one is any good.
    results = encoder.cv_results_
    is_good = (results["mean_test_r"][1:] > 0) & (results["mean_test_n_active"][1:] > 0)
    assert_array_equal(np.flatnonzero(~is_good.any(axis=0)), encoder.empty_targets_)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rounding_does_not_choose(dtype):
    rng = np.random.default_rng(0)
    for _ in range(30):
        X, y = rng.standard_normal((13, 1)).astype(dtype), rng.standard_normal(13).astype(dtype)
        y += 2 * X[:, 0]
        plain, weighted = (
            SparsePositiveEncoderCV().fit(X, y, weight) for weight in (None, np.ones(13))
        )
        # One unit: r is the same at every alpha, but the first, at which some folds are empty.
        assert_array_equal(plain.best_index_, weighted.best_index_)
        assert plain.best_index_[0] < 5


def test_accuracy_of_selection_on_planted_data():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((300, 40))
    W = np.zeros((40, 20))
    for v in range(20):
        W[rng.choice(40, 3, replace=False), v] = 1
    Y = X @ W + 2 * rng.standard_normal((300, 20))
    encoder = SparsePositiveEncoderCV(select="one_se").fit(X, Y)
    found = encoder.coef_.T > 0
    assert found[W > 0].mean() > 0.95  # the planted units
    assert found[W == 0].mean() < 0.15
    best = SparsePositiveEncoderCV().fit(X, Y)
    mse = [
        ((X @ W - Lasso(alpha, positive=True).fit(X, Y).predict(X)) ** 2).mean()
        for alpha in (1.0, 0.001)
    ]
    assert ((X @ W - best.predict(X)) ** 2).mean() < min(mse)


SETTINGS = [
    *({"penalty": penalty, "positive": positive, "alphas": 4} for penalty, positive in ENCODERS),
    {"penalty": "elasticnet", "l1_ratio": [0.0, 0.5, 1.0], "select": "fewest_units"},
    {"alphas": [0.1, 0.01], "alpha_per_target": False, "fit_intercept": False, "tol": 1e-9},
    {"cv": PredefinedSplit([-1] * 40 + [0] * 20), "refit": "train"},
    {"cv": ShuffleSplit(3, random_state=0), "max_iter": 500},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_fixed_keeps_the_choice(data, settings):
    X, Y, weight = data
    encoder = fit_quietly(SparsePositiveEncoderCV(**settings), X, Y, weight)
    fixed = encoder.fixed()
    assert not hasattr(fixed, "coef_")
    used = slice(40) if encoder.refit == "train" else slice(60)
    fixed = clone(fixed).fit(X[used], Y[used], weight[used])
    assert_allclose(fixed.coef_, encoder.coef_, atol=1e-9)
    assert_allclose(fixed.intercept_, encoder.intercept_, atol=1e-9)
    shared = {"penalty", "positive", "fit_intercept", "tol", "max_iter", "n_jobs"}
    assert shared <= set(fixed.get_params())
    for name in shared:
        assert getattr(fixed, name) == getattr(encoder, name)


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_chosen_alphas_are_those_of_the_encoder(data, penalty, positive):
    X, Y, _ = data
    encoder = fit_quietly(SparsePositiveEncoderCV(penalty, 4, positive=positive), X, Y)
    assert np.isinf(encoder.alpha_).any() == positive
    same = SparsePositiveEncoder(penalty, encoder.alpha_, positive=positive).fit(X, Y)
    assert_allclose(same.coef_, encoder.coef_, atol=1e-9)


def test_fixed_of_one_target_has_one_alpha(data):
    X, Y, _ = data
    encoder = SparsePositiveEncoderCV("elasticnet", 5, l1_ratio=[0.2, 0.8]).fit(X, Y[:, 0])
    fixed = encoder.fixed()
    assert (fixed.alpha, fixed.l1_ratio) == (encoder.alpha_, encoder.l1_ratio_)
    assert_allclose(fixed.fit(X, Y[:, 0]).coef_, encoder.coef_, atol=1e-9)
    with pytest.raises(NotFittedError):
        SparsePositiveEncoderCV().fixed()


def test_choices_at_an_end_of_the_grid_are_flagged():
    """Noise of growing size wants a growing alpha; a noiseless target the least, at any grid."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 10))
    Y = X[:, :3].sum(axis=1)[:, np.newaxis] + rng.standard_normal((120, 3)) * [0, 2, 2]
    Y = np.column_stack([Y, -X.sum(axis=1)])
    options = {"penalty": "elasticnet", "l1_ratio": [0.5, 0.9]}
    encoder = SparsePositiveEncoderCV(alphas=[1e-4, 0.05, 0.1, 0.2, 0.4, 50], **options)
    with pytest.warns(UserWarning, match="1 of 4 targets were left empty"):
        encoder.fit(X, Y)
    alphas = encoder.cv_results_["param_alpha"][:, 0]
    at_edge = np.isin(encoder.alpha_, [alphas.min(), alphas.max()])
    assert encoder.alpha_at_edge_.tolist() == at_edge.tolist() == [True, False, False, False]
    one_alpha = SparsePositiveEncoderCV(alphas=[0.05], **options).fit(X, Y[:, 1])
    assert encoder.alpha_at_edge_.dtype == bool
    assert one_alpha.alpha_at_edge_.tolist() == [False]


def test_constant_targets_are_told_as_such():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    Y = np.column_stack([X[:, 0], np.full(60, 3.0), -X.sum(axis=1)])
    encoder = SparsePositiveEncoderCV(alphas=3, cv=3)
    with pytest.warns(
        UserWarning, match="1 of 1 targets were left empty: they are constant .*Drop them"
    ):
        encoder.fit(X, Y[:, 1])
    told = "2 of 3 targets were left empty: no candidate .*; 1 of them are constant .*noise ceiling"
    with pytest.warns(UserWarning, match=told):
        encoder.fit(X, Y)
