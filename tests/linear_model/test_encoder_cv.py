"""SparsePositiveEncoderCV against an explicit loop of fits over splits and candidates."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
)

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.linear_model import _folds
from skalign.metrics import pearson_r_standard_error
from skalign.model_selection import choose
from skalign.solvers import _blocks, certify
from tests.cross_validation import TABLES, assert_is_loop, fit_quietly, loop
from tests.reference import ENCODERS

ALPHAS = {"ols": [0.0], "ridge": [300, 30, 3], "lasso": [0.3, 0.1, 0.03], "elasticnet": [0.4, 0.1]}


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
        penalty,
        ALPHAS[penalty],
        positive=positive,
        fit_intercept=fit_intercept,
        cv=4,
        compute_theta=True,
    )
    fit_quietly(encoder, X, Y, weight)
    splits = list(KFold(4).split(X))
    found = loop(encoder, X, Y, splits, ALPHAS[penalty], weight)
    assert_is_loop(encoder, found)
    r = np.nan_to_num(found.r).mean(axis=0)
    best = choose("best", r, n_active=found.n_active.mean(axis=0))
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
        monkeypatch.setattr(_folds, "FOLD_BYTES", 0)  # one fold at a time
    if kind == "wide":
        monkeypatch.setattr(_blocks, "GRAM_FEATURES", 0)
        monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)
    given_X = given.get(kind, np.asarray)(X)
    if kind == "frame":
        given_X.columns = [f"unit {i}" for i in range(8)]
    encoder = fit_quietly(SparsePositiveEncoderCV(alphas=[0.3, 0.1, 0.03]), given_X, Y)
    tolerance = 1e-4 if kind == "float32" else 1e-10
    for name in TABLES:
        assert_allclose(encoder.cv_results_[name], expected.cv_results_[name], atol=tolerance)
    assert_allclose(encoder.coef_, expected.coef_, atol=tolerance)


def test_validation_set_as_in_the_paper(data):
    X, Y, weight = data
    fold = np.where(np.arange(60) < 40, -1, 0)
    train, test = np.arange(40), np.arange(40, 60)
    settings = {"alphas": [0.3, 0.1, 0.03], "cv": PredefinedSplit(fold)}
    encoder = fit_quietly(SparsePositiveEncoderCV(refit="train", **settings), X, Y, weight)
    r = loop(encoder, X, Y, [(train, test)], settings["alphas"], weight).r
    assert_allclose(encoder.cv_results_["mean_test_r"], np.nan_to_num(r[0]), atol=1e-9)
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
    by_ratio = [loop(encoder, X, Y, splits, alphas, l1_ratio=ratio).r for ratio in ratios]
    r = np.nan_to_num(np.stack(by_ratio, axis=2)).mean(axis=0)  # (n_alphas, n_ratios, n_targets)
    assert_allclose(encoder.cv_results_["mean_test_r"], r.reshape(6, 5), atol=1e-9)
    assert_array_equal(encoder.cv_results_["param_l1_ratio"], ratios * 3)
    assert set(encoder.l1_ratio_[:4]) <= set(ratios)
    for v in range(4):
        one = SparsePositiveEncoder(
            "elasticnet", encoder.alpha_[v], l1_ratio=encoder.l1_ratio_[v]
        ).fit(X, Y[:, v])
        assert_allclose(encoder.coef_[v], one.coef_, atol=1e-12)


def test_groups_are_held_out_whole(data):
    X, Y, _ = data
    groups = np.arange(60) % 6
    encoder = fit_quietly(SparsePositiveEncoderCV(alphas=[0.3, 0.1]), X, Y, groups=groups)
    splits = list(GroupKFold(5).split(X, groups=groups))
    assert_is_loop(encoder, loop(encoder, X, Y, splits, [0.3, 0.1]))
    with pytest.raises(ValueError, match="keep the samples of a group in the same part"):
        SparsePositiveEncoderCV(cv=KFold(3)).fit(X, Y, groups=groups)


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
