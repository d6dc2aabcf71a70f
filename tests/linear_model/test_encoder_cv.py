"""SparsePositiveEncoderCV against an explicit loop of fits over splits and alphas."""

import pickle
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    check_cv,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skalign import AlignmentScorer, SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.linear_model import _cross_validation
from skalign.metrics import alignment, pearson_r_standard_error
from skalign.model_selection import choose
from skalign.solvers import _blocks, _target_blocks, certify
from tests.reference import ENCODERS

ALPHAS = {"ols": [0.0], "ridge": [300, 30, 3], "lasso": [0.3, 0.1, 0.03], "elasticnet": [0.4, 0.1]}
SCORES = ["mean_test_r", "se_test_r", "mean_test_theta", "mean_test_n_active"]


@parametrize_with_checks(
    [
        SparsePositiveEncoderCV(),
        SparsePositiveEncoderCV("ols", positive=False),
        SparsePositiveEncoderCV("ridge", 3, positive=False),
        SparsePositiveEncoderCV("elasticnet", 3, l1_ratio=[0.2, 0.9], select="one_se"),
        SparsePositiveEncoderCV(
            "lasso", [0.1, 0.01], select="least_reorientation", alpha_per_target=False,
            fit_intercept=False, cv=2, n_jobs=2,
        ),
    ]
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:1 of 1 targets were left empty")  # the checks' data are noise
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 8)) * np.geomspace(0.5, 3, 8) + rng.uniform(-2, 2, 8)
    W = rng.exponential(size=(8, 5)) * (rng.random((8, 5)) < 0.4)
    W[:, 4] = -3  # no positive weights for this one
    return X, X @ W + rng.standard_normal((60, 5)) + 3, rng.uniform(0.2, 2, 60)


def fit_quietly(encoder, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 of 5 targets were left empty")
        return encoder.fit(*args, **kwargs)


def loop(encoder, X, Y, splits, alphas, weight=None, l1_ratio=0.5):
    """r, theta and active units of every fit (n_splits, n_alphas, n_targets), one at a time."""
    found = []
    for train, test in splits:
        for alpha in alphas:
            fitted = SparsePositiveEncoder(
                encoder.penalty,
                alpha,
                l1_ratio=l1_ratio,
                positive=encoder.positive,
                fit_intercept=encoder.fit_intercept,
            ).fit(X[train], Y[train], None if weight is None else weight[train])
            one = alignment(
                fitted,
                X[test],
                Y[test],
                sample_weight=None if weight is None else weight[test],
                center=encoder.center,
                undefined_r=0.0,
                undefined_theta=2.0,
            )
            found.append([one.r, one.theta, one.n_active])
    found = np.array(found).reshape(len(splits), len(alphas), 3, -1)
    return found[:, :, 0], found[:, :, 1], found[:, :, 2]


def assert_is_loop(encoder, found):
    r, theta, n_active = found
    results = encoder.cv_results_
    assert_allclose(results["mean_test_r"], r.mean(axis=0), atol=1e-9)
    se = r.std(axis=0, ddof=1) / np.sqrt(len(r))
    assert_allclose(results["se_test_r"], se, atol=1e-7)
    assert_allclose(results["mean_test_n_active"], n_active.mean(axis=0))
    assert_allclose(results["mean_test_penalized_theta"], theta.mean(axis=0), atol=1e-8)
    empty = n_active == 0
    assert_allclose(results["empty_fraction"], empty.mean(axis=0))
    of_nonempty = np.ma.masked_array(theta, empty).mean(axis=0).filled(np.nan)
    assert_allclose(results["mean_test_theta"], of_nonempty, atol=1e-8)


SPLITTERS = {
    "k-fold": KFold(4, shuffle=True, random_state=0),
    "runs": LeaveOneGroupOut(),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "not complements": ShuffleSplit(3, test_size=0.3, train_size=0.5, random_state=0),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_equals_a_loop_of_fits(data, penalty, positive, fit_intercept, weighted):
    X, Y, weight = data
    weight = weight if weighted else None
    encoder = SparsePositiveEncoderCV(
        penalty, ALPHAS[penalty], positive=positive, fit_intercept=fit_intercept, cv=4
    )
    fit_quietly(encoder, X, Y, weight)
    splits = list(KFold(4).split(X))
    found = loop(encoder, X, Y, splits, ALPHAS[penalty], weight)
    assert_is_loop(encoder, found)
    best = choose("best", found[0].mean(axis=0), n_active=found[2].mean(axis=0))
    assert_array_equal(encoder.best_index_, best)
    kept = np.flatnonzero(best >= 0)
    alpha = np.array(ALPHAS[penalty])[best]
    assert_array_equal(encoder.alpha_[kept], alpha[kept])
    refit = SparsePositiveEncoder(
        penalty, alpha, positive=positive, fit_intercept=fit_intercept
    ).fit(X, Y, weight)
    assert_allclose(encoder.coef_[kept], refit.coef_[kept], atol=1e-12)
    assert_allclose(encoder.intercept_[kept], refit.intercept_[kept], atol=1e-12)
    certificate = certify(
        X,
        Y[:, kept],
        encoder.coef_[kept],
        penalty,
        alpha[kept],
        positive=positive,
        fit_intercept=fit_intercept,
        sample_weight=weight,
    )
    assert certificate.kkt_violation.max() < 1e-9


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("name", SPLITTERS)
def test_any_splitter(data, name, center):
    X, Y, weight = data
    runs = np.arange(60) // 12
    encoder = SparsePositiveEncoderCV(alphas=[0.3, 0.1, 0.03], cv=SPLITTERS[name], center=center)
    groups = {"groups": runs} if name == "runs" else {}
    fit_quietly(encoder, X, Y, weight, **groups)
    splits = list(SPLITTERS[name].split(X, Y, **groups))
    assert encoder.n_splits_ == len(splits)
    assert_is_loop(encoder, loop(encoder, X, Y, splits, [0.3, 0.1, 0.03], weight))


@pytest.mark.parametrize("kind", ["sparse", "float32", "frame", "memory limit", "wide"])
def test_inputs(data, kind, monkeypatch):
    X, Y, _ = data
    expected = fit_quietly(SparsePositiveEncoderCV(alphas=[0.3, 0.1, 0.03]), X, Y)
    given = {"sparse": sparse.csr_array, "float32": np.float32, "frame": pd.DataFrame}
    if kind == "memory limit":
        monkeypatch.setattr(_cross_validation, "FOLD_BYTES", 0)  # one fold at a time
    if kind == "wide":
        monkeypatch.setattr(_blocks, "GRAM_FEATURES", 0)
        monkeypatch.setattr(_blocks, "GRAM_FEATURES_PER_TARGET", 0)
    given_X = given.get(kind, np.asarray)(X)
    if kind == "frame":
        given_X.columns = [f"unit {i}" for i in range(8)]
    encoder = fit_quietly(SparsePositiveEncoderCV(alphas=[0.3, 0.1, 0.03]), given_X, Y)
    tolerance = 1e-4 if kind == "float32" else 1e-10
    for name in SCORES:
        assert_allclose(encoder.cv_results_[name], expected.cv_results_[name], atol=tolerance)
    assert_allclose(encoder.coef_, expected.coef_, atol=tolerance)


@pytest.mark.parametrize(
    ("dtype", "factor"),
    [(np.float64, 1e3), (np.float64, 1e5), (np.float64, 1e8), (np.float32, 30), (np.float32, 1e4)],
)
def test_what_subtraction_loses_is_computed_afresh(dtype, factor):
    """A feature and a target that have all but a trace of their norm in the first fold."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    Y = X @ rng.exponential(size=(4, 3)) + rng.standard_normal((40, 3))
    X[:10, 1] *= factor
    Y[:10, 2] *= 100 * factor
    X, Y = X.astype(dtype), Y.astype(dtype)
    splits = list(KFold(4).split(X))
    encoder = SparsePositiveEncoderCV(alphas=[0.1, 0.01], cv=4).fit(X, Y)
    r, _, n_active = loop(encoder, X, Y, splits, [0.1, 0.01])
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    assert n_active[0, 1].min() > 1  # the feature's weight matters without the first fold
    assert_allclose(encoder.cv_results_["mean_test_r"], r.mean(axis=0), atol=tolerance)


def test_constants_cost_nothing(data):
    """Silent units and voxels, constant everywhere or in a training part only."""
    X, Y, weight = data
    X[:, 0], X[15:, 1] = 0, 7.3
    Y[:, 1], Y[:, 2] = 0, 5.1
    Y[15:, 3] = 2.2
    encoder = SparsePositiveEncoderCV(alphas=[0.1, 0.01], cv=4)
    with pytest.warns(UserWarning, match="left empty"):
        encoder.fit(X, Y, weight)
    assert_is_loop(encoder, loop(encoder, X, Y, list(KFold(4).split(X)), [0.1, 0.01], weight))
    assert {1, 2} <= set(encoder.empty_targets_)


@pytest.mark.parametrize(("penalty", "alpha"), [("ols", 0), ("ridge", 1.0), ("elasticnet", 0.1)])
def test_rounding_in_a_fold_is_not_fitted(penalty, alpha):
    """In the training part of one fold targets are orthogonal to all features."""
    rng = np.random.default_rng(0)
    factorial = np.array(list(product([-1.0, 1.0], repeat=4)))
    orthogonal = (factorial[:, 0] * factorial[:, 1])[:, None] * rng.uniform(0.1, 1, 4)
    other = rng.standard_normal((16, 3))
    X = np.vstack([other, factorial[:, :3] * rng.uniform(0.1, 1, 3)])
    Y = np.vstack([other @ np.ones((3, 4)), orthogonal])
    encoder = SparsePositiveEncoderCV(penalty, [alpha], l1_ratio=0, cv=2)
    with pytest.warns(UserWarning, match="4 of 4 targets were left empty"):
        encoder.fit(X, Y)
    assert_array_equal(encoder.cv_results_["mean_test_n_active"], 1.5)
    assert_array_equal(encoder.cv_results_["mean_test_r"], 0)


def test_validation_set_as_in_the_paper(data):
    X, Y, weight = data
    fold = np.where(np.arange(60) < 40, -1, 0)
    train, test = np.arange(40), np.arange(40, 60)
    settings = {"alphas": [0.3, 0.1, 0.03], "cv": PredefinedSplit(fold)}
    encoder = fit_quietly(SparsePositiveEncoderCV(refit="train", **settings), X, Y, weight)
    r = loop(encoder, X, Y, [(train, test)], settings["alphas"], weight)[0]
    assert_allclose(encoder.cv_results_["mean_test_r"], r[0], atol=1e-9)
    for k, alpha in enumerate(settings["alphas"]):
        fitted = SparsePositiveEncoder(alpha=alpha).fit(X[train], Y[train], weight[train])
        se = pearson_r_standard_error(Y[test], fitted.predict(X[test]), sample_weight=weight[test])
        assert_allclose(encoder.cv_results_["se_test_r"][k], se, atol=1e-9)
    kept = encoder.best_index_ >= 0
    refit = SparsePositiveEncoder(alpha=np.where(kept, encoder.alpha_, 1)).fit(
        X[train], Y[train], weight[train]
    )
    assert_allclose(encoder.coef_[kept], refit.coef_[kept], atol=1e-12)
    on_all = fit_quietly(SparsePositiveEncoderCV(**settings), X, Y, weight)
    assert_array_equal(on_all.alpha_, encoder.alpha_)
    assert np.abs(on_all.coef_ - encoder.coef_).max() > 1e-3


def test_elastic_net_chooses_its_ratio_per_target(data):
    X, Y, _ = data
    alphas, ratios = [0.4, 0.1, 0.01], [0.9, 0.1]
    encoder = SparsePositiveEncoderCV("elasticnet", alphas, l1_ratio=ratios[::-1], cv=3)
    fit_quietly(encoder, X, Y)
    splits = list(KFold(3).split(X))
    by_ratio = [loop(encoder, X, Y, splits, alphas, l1_ratio=ratio)[0] for ratio in ratios]
    r = np.stack(by_ratio, axis=2).mean(axis=0)  # (n_alphas, n_ratios, n_targets)
    assert_allclose(encoder.cv_results_["mean_test_r"], r.reshape(6, 5), atol=1e-9)
    assert_array_equal(encoder.cv_results_["param_l1_ratio"], ratios * 3)
    assert set(encoder.l1_ratio_[:4]) <= set(ratios)
    for v in range(4):
        one = SparsePositiveEncoder(
            "elasticnet", encoder.alpha_[v], l1_ratio=encoder.l1_ratio_[v]
        ).fit(X, Y[:, v])
        assert_allclose(encoder.coef_[v], one.coef_, atol=1e-12)


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
    r, theta, n_active = loop(encoder, X, Y, splits, alphas)
    mean_theta = np.where(n_active.any(axis=0), theta.mean(axis=0), 2.0).mean(axis=1)
    pooled = r.mean(axis=2)
    if len(splits) > 1:
        se = pooled.std(axis=0, ddof=1) / np.sqrt(len(splits))
    else:
        se = encoder.cv_results_["se_test_r"].mean(axis=1)
    scores = (pooled.mean(axis=0), se, mean_theta, n_active.mean(axis=(0, 2)))
    r, se, theta, n_active = (score[:, np.newaxis] for score in scores)
    best = choose(select, r, r_se=se, theta=theta, n_active=n_active)
    assert_array_equal(encoder.best_index_, [best[0]] * 4 + [-1])
    assert_array_equal(encoder.alpha_, [alphas[best[0]]] * 4 + [np.inf])


def test_one_alpha_for_all_names_those_that_it_leaves_empty():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    Y = 10 * X[:, [0, 0, 0, 1]] + rng.standard_normal((60, 4))
    Y[:, 3] /= 100  # predicted well, but at small alphas only
    encoder = SparsePositiveEncoderCV(alphas=[5.0, 1e-3], alpha_per_target=False, select="one_se")
    encoder.set_params(alphas=[5.0])
    with pytest.warns(UserWarning, match="or the one that suits all leaves them empty"):
        encoder.fit(X, Y)
    assert_array_equal(encoder.empty_targets_, [3])
    assert encoder.kkt_violation_[:3].max() < 1e-7


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("ratios", [[0.1, 1.0, 0.5], [0.0, 0.5]])
def test_every_ratio_has_the_grid_that_it_would_have_alone(data, ratios, positive):
    X, Y, weight = data
    settings = {"alphas": 4, "cv": 3, "positive": positive}
    encoder = fit_quietly(
        SparsePositiveEncoderCV("elasticnet", l1_ratio=ratios, **settings), X, Y, weight
    )
    results = encoder.cv_results_
    assert_array_equal(results["param_l1_ratio"], sorted(ratios, reverse=True) * 4)
    for ratio in ratios:
        alone = fit_quietly(
            SparsePositiveEncoderCV("elasticnet", l1_ratio=ratio, **settings), X, Y, weight
        )
        rows = results["param_l1_ratio"] == ratio
        assert (np.diff(results["param_alpha"][rows], axis=0) < 0).all()
        for name in ["param_alpha", *SCORES]:
            assert_allclose(results[name][rows], alone.cv_results_[name], atol=1e-9)


def test_folds_that_do_not_converge_are_told(data):
    X, Y, _ = data
    encoder = SparsePositiveEncoderCV("lasso", [1e-6], max_iter=1, positive=False)
    with pytest.warns(ConvergenceWarning) as warned:
        encoder.fit(X, Y[:, :4])
    messages = [str(one.message) for one in warned]
    assert any(message.startswith("In the folds, 4 of 4 targets") for message in messages)
    assert (encoder.cv_results_["max_kkt_violation"] > 1e-7).all()


def test_grids_start_where_the_first_weight_appears(data):
    X, Y, _ = data
    encoder = fit_quietly(SparsePositiveEncoderCV(cv=3), X, Y)
    alphas = encoder.cv_results_["param_alpha"]
    assert alphas.shape == (10, 5)
    assert_allclose(alphas[0] / alphas[-1], 100)
    at_max = SparsePositiveEncoder(alpha=alphas[0]).fit(X, Y)
    below = SparsePositiveEncoder(alpha=0.999 * alphas[0]).fit(X, Y)
    assert not at_max.coef_.any()
    assert_array_equal((below.coef_ > 0).sum(axis=1), 1)
    shared = fit_quietly(SparsePositiveEncoderCV(cv=3, alpha_per_target=False), X, Y)
    assert_allclose(shared.cv_results_["param_alpha"][0], alphas[0].max())
    ridge = SparsePositiveEncoderCV("ridge", 7, cv=3, positive=False).fit(X, Y)
    largest = np.linalg.norm(X - X.mean(axis=0), 2) ** 2
    assert_allclose(ridge.cv_results_["param_alpha"][:, 0], largest * np.logspace(0, -6, 7))


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


def test_targets_together_equal_targets_alone(data):
    X, Y, weight = data
    together = fit_quietly(SparsePositiveEncoderCV(), X, Y, weight)
    for v in range(4):
        alone = SparsePositiveEncoderCV().fit(X, Y[:, v], weight)
        assert isinstance(alone.alpha_, float)
        assert alone.coef_.shape == (8,)
        assert_allclose(alone.alpha_, together.alpha_[v])
        assert_allclose(alone.coef_, together.coef_[v], atol=1e-10)
    for n_jobs in (1, 2):
        many = np.tile(Y, 40)
        with pytest.warns(UserWarning, match="40 of 200"):
            encoder = SparsePositiveEncoderCV(n_jobs=n_jobs).fit(X, many, weight)
        assert_allclose(encoder.coef_, np.tile(together.coef_, (40, 1)), atol=1e-10)


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


def test_is_an_estimator(data):
    X, Y, _ = data
    encoder = SparsePositiveEncoderCV(alphas=[0.1], cv=GroupKFold(3))
    groups = np.arange(60) // 10
    fit_quietly(encoder, X, Y, groups=groups)
    again = pickle.loads(pickle.dumps(encoder))
    assert_array_equal(again.predict(X), encoder.predict(X))
    assert_array_equal(encoder.sparse_coef_.toarray(), encoder.coef_)
    assert not hasattr(clone(encoder), "coef_")
    pipeline = make_pipeline(StandardScaler(), SparsePositiveEncoderCV(cv=3))
    fit_quietly(pipeline, X, Y)
    assert np.isfinite(alignment(pipeline, X, Y).theta[:4]).all()


BAD = {
    "refit": ({"refit": "some"}, ValueError, 'refit must be "all" or "train"'),
    "refit train": (
        {"refit": "train"},
        ValueError,
        'refit must be "all" where cv makes several splits, 5 here; got "train"',
    ),
    "select": ({"select": "worst"}, ValueError, "select must be one of"),
    "tolerance": ({"select": "fewest_units", "tolerance": -1}, ValueError, "tolerance must be"),
    "alphas": ({"alphas": "many"}, TypeError, "alphas must be the number of strengths"),
    "no alphas": ({"alphas": 0}, ValueError, "alphas must be a positive number"),
    "negative": ({"alphas": [1, -1]}, ValueError, "alphas must not be negative, nor NaN"),
    "l1_ratio": ({"penalty": "elasticnet", "l1_ratio": [0.5, 2]}, ValueError, "l1_ratio must be"),
    "center": ({"center": 1}, TypeError, "center must be True or False"),
    "grids": (
        {"alphas": np.ones((2, 5)), "alpha_per_target": False},
        ValueError,
        "alphas must be 1-D with alpha_per_target=False",
    ),
    "no split": ({"cv": []}, ValueError, "cv must make at least one split"),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_name_the_parameter_and_the_remedy(data, case):
    X, Y, _ = data
    settings, error, message = BAD[case]
    encoder = SparsePositiveEncoderCV(**settings)
    with pytest.raises(error, match=message):
        encoder.fit(X, Y)
    assert not hasattr(encoder, "coef_")


def test_groups_are_held_out_whole(data):
    X, Y, _ = data
    groups = np.arange(60) % 6
    encoder = fit_quietly(SparsePositiveEncoderCV(alphas=[0.3, 0.1]), X, Y, groups=groups)
    splits = list(GroupKFold(5).split(X, groups=groups))
    assert_is_loop(encoder, loop(encoder, X, Y, splits, [0.3, 0.1]))
    with pytest.raises(ValueError, match="keep the samples of a group in the same part"):
        SparsePositiveEncoderCV(cv=KFold(3)).fit(X, Y, groups=groups)


def test_splits_without_weight_are_an_error(data):
    X, Y, _ = data
    with pytest.raises(ValueError, match=r"test part of every split; got 0 in split 0"):
        SparsePositiveEncoderCV(cv=4).fit(X, Y, np.arange(60) >= 15)


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
    assert encoder.empty_targets_.size < 50  # the next alpha is taken where it can be
