"""Scorers in scikit-learn's searches and cross-validation, and their values."""

import pickle
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import clone, config_context
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import estimator_html_repr

from skalign.metrics import (
    AlignmentScorer,
    PearsonScorer,
    TuningReorientationScorer,
    pearson_r,
    tuning_reorientation,
)


def make_data():
    """Features, targets and weights of images; constants of this module, so read-only."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 6)) * [1, 2, 3, 1, 2, 3] + 1
    Y = X @ rng.standard_normal((6, 3)) + 3 * rng.standard_normal((60, 3)) + 5
    weight = rng.random(60)
    for array in (X, Y, weight):
        array.setflags(write=False)
    return X, Y, weight


X, Y, WEIGHT = make_data()
FOLDS = list(KFold(3).split(X))
SCORERS = [TuningReorientationScorer(), PearsonScorer(), AlignmentScorer()]
BOTH = {"theta": TuningReorientationScorer(), "r": PearsonScorer()}

by_name = pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: type(scorer).__name__)


def one_number(scores):
    return scores["r"] + scores["neg_theta"] if isinstance(scores, dict) else scores


def models():
    select = SelectKBest(lambda X, y: f_regression(X, y[:, 0] if y.ndim > 1 else y), k=4)
    return {
        "Lasso": Lasso(0.1),
        "positive Lasso": Lasso(0.1, positive=True),
        "Ridge": Ridge(),
        "LinearRegression": LinearRegression(),
        "ElasticNet": ElasticNet(0.1),
        "PLSRegression": PLSRegression(2),
        "MultiOutputRegressor": MultiOutputRegressor(Lasso(0.1)),
        "pipelines of their own": MultiOutputRegressor(make_pipeline(select, Ridge())),
        "Pipeline": make_pipeline(StandardScaler(), select, Ridge()),
        "TransformedTargetRegressor": TransformedTargetRegressor(
            make_pipeline(StandardScaler(), Lasso(0.1)), transformer=StandardScaler()
        ),
        "FrozenEstimator": FrozenEstimator(Ridge().fit(X, Y)),
        "search": GridSearchCV(
            make_pipeline(StandardScaler(), Lasso()), {"lasso__alpha": [0.1, 1]}, cv=2
        ),
    }


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize("target", ["predicted", "observed"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
def test_alignment_is_what_the_others_say(name, target, weight):
    model = models()[name].fit(X, Y)
    scores = AlignmentScorer(target=target, center=True)(model, X, Y, sample_weight=weight)
    theta = TuningReorientationScorer(target=target, center=True)
    assert scores["neg_theta"] == theta.score(model, X, Y, sample_weight=weight)
    assert_allclose(scores["r"], PearsonScorer()(model, X, Y, weight))
    assert -2 <= scores["neg_theta"] <= 0
    assert 0 < scores["n_active"] <= 6
    assert scores["nonempty_fraction"] == 1


@pytest.mark.parametrize("name", models())
def test_cross_validation_with_every_model(name):
    model = models()[name]
    results = cross_validate(model, X, Y, scoring=AlignmentScorer(), cv=FOLDS, error_score="raise")
    assert np.isfinite(results["test_neg_theta"]).all()
    if "own" not in name and "Frozen" not in name:
        y = Y[:, [0]] if "MultiOutput" in name else Y[:, 0]
        results = cross_validate(model, X, y, scoring=BOTH, cv=FOLDS, error_score="raise")
        assert np.isfinite(results["test_theta"]).all()


def test_values():
    model = Lasso(0.5).fit(X, Y)
    predicted = model.predict(X)
    options = {"center": True, "sample_weight": WEIGHT}
    theta = tuning_reorientation(X, predicted, model.coef_, **options).mean()
    assert_allclose(TuningReorientationScorer(center=True)(model, X, Y, WEIGHT), -theta)
    theta = tuning_reorientation(X, Y, model.coef_, **options).mean()
    scorer = TuningReorientationScorer(center=True, target="observed")
    assert_allclose(scorer(model, X, Y, WEIGHT), -theta)
    r = pearson_r(Y, predicted, sample_weight=WEIGHT).mean()
    assert_allclose(PearsonScorer()(model, X, Y, WEIGHT), r)
    assert AlignmentScorer()(model, X, Y)["n_active"] == np.count_nonzero(model.coef_) / 3


def test_an_empty_target_never_wins():
    targets = Y.copy()
    targets[:, 1] = np.random.default_rng(0).standard_normal(60)
    model = Lasso(1.5).fit(X, targets)
    assert model.coef_.any(axis=1).tolist() == [True, False, True]
    scores = AlignmentScorer()(model, X, targets)
    theta = tuning_reorientation(X, model.predict(X), model.coef_)
    r = pearson_r(targets, model.predict(X))
    assert_allclose(scores["neg_theta"], -(theta[0] + 2 + theta[2]) / 3)
    assert_allclose(scores["r"], (r[0] + 0 + r[2]) / 3)
    assert_allclose(scores["nonempty_fraction"], 2 / 3)
    assert np.isnan(TuningReorientationScorer(undefined=np.nan)(model, X, targets))
    scores = AlignmentScorer(undefined_theta=1, undefined_r=-1)(model, X, targets)
    assert_allclose(scores["neg_theta"], -(theta[0] + 1 + theta[2]) / 3)
    assert_allclose(scores["r"], (r[0] - 1 + r[2]) / 3)
    assert one_number(AlignmentScorer()(Lasso(1e9).fit(X, Y), X, Y)) == -2


def test_sparse_weights_are_counted_without_stored_zeros():
    model = Ridge().fit(X, Y)
    expected = AlignmentScorer()(model, X, Y)
    model.coef_[:, 0] = 0
    dense = AlignmentScorer(target="observed")(model, X, Y)
    model.coef_ = sparse.csr_array(np.where(model.coef_ == 0, 1, model.coef_))
    model.coef_.data[model.coef_.data == 1] = 0
    with mock.patch.object(Ridge, "predict", lambda self, X: X @ self.coef_.T + self.intercept_):
        assert AlignmentScorer(target="observed")(model, X, Y) == pytest.approx(dense)
    assert expected["n_active"] == dense["n_active"] + 1


@pytest.mark.parametrize("target", ["predicted", "observed"])
def test_alignment_predicts_once(target):
    model = make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
    with mock.patch.object(Ridge, "predict", side_effect=model[-1].predict) as predict:
        AlignmentScorer(target=target)(model, X, Y)
    assert predict.call_count == 1


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("routing", [False, True])
def test_search_passes_weights_alone_and_in_a_dict(n_jobs, routing):
    with config_context(enable_metadata_routing=routing):
        model, *scorers = map(clone, (Ridge(), *SCORERS))
        both = {name: clone(scorer) for name, scorer in BOTH.items()}
        if routing:
            model.set_fit_request(sample_weight=True)
            for scorer in (*scorers, *both.values()):
                scorer.set_score_request(sample_weight=True)
        for scoring in (*scorers, both):
            refit = "r" if isinstance(scoring, (dict, AlignmentScorer)) else True
            search = GridSearchCV(
                model, {"alpha": [1, 100]}, scoring=scoring, refit=refit, cv=FOLDS, n_jobs=n_jobs
            ).fit(X, Y, sample_weight=WEIGHT)
            each = scoring if isinstance(scoring, dict) else {"score": scoring}
            for fold, (train, test) in enumerate(FOLDS):
                fitted = Ridge(100).fit(X[train], Y[train], WEIGHT[train])
                for name, scorer in each.items():
                    score = scorer(fitted, X[test], Y[test], WEIGHT[test])
                    scores = score if isinstance(score, dict) else {name: score}
                    for key, value in scores.items():
                        assert_allclose(search.cv_results_[f"split{fold}_test_{key}"][1], value)
            assert np.isfinite(search.score(X, Y))


@pytest.mark.parametrize("n_jobs", [None, 2])
@by_name
def test_cross_validate_routes_weights(scorer, n_jobs):
    with config_context(enable_metadata_routing=True):
        model = Ridge().set_fit_request(sample_weight=True)
        options = {"cv": FOLDS, "params": {"sample_weight": WEIGHT}, "n_jobs": n_jobs}
        asking = clone(scorer).set_score_request(sample_weight=True)
        deaf = clone(scorer).set_score_request(sample_weight=False)
        fitted = [Ridge().fit(X[train], Y[train], WEIGHT[train]) for train, _ in FOLDS]
        for scoring, weighted in ((asking, True), (deaf, False)):
            expected = [
                scorer(model, X[test], Y[test], WEIGHT[test] if weighted else None)
                for model, (_, test) in zip(fitted, FOLDS, strict=True)
            ]
            if isinstance(scorer, AlignmentScorer):
                results = cross_validate(model, X, Y, scoring=scoring, **options)
                for name in expected[0]:
                    values = [score[name] for score in expected]
                    assert_allclose(results[f"test_{name}"], values)
            else:
                scores = cross_val_score(model, X, Y, scoring=scoring, **options)
                assert_allclose(scores, expected)
                results = cross_validate(model, X, Y, scoring={"it": scoring}, **options)
                assert_allclose(results["test_it"], expected)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(model, X, Y, scoring=scorer, **options)


@pytest.mark.parametrize("routing", [False, True])
@by_name
def test_nested_search(scorer, routing):
    with config_context(enable_metadata_routing=routing):
        model, scoring = Ridge(), clone(scorer)
        if routing:
            model.set_fit_request(sample_weight=True)
            scoring.set_score_request(sample_weight=True)
        refit = "r" if isinstance(scorer, AlignmentScorer) else True
        search = GridSearchCV(model, {"alpha": [1, 100]}, scoring=scoring, refit=refit, cv=2)
        results = cross_validate(
            search,
            X,
            Y,
            scoring=scoring,
            cv=FOLDS,
            params={"sample_weight": WEIGHT},
            return_estimator=True,
            error_score="raise",
        )
        inner = results["estimator"][0]
    train, test = FOLDS[0]
    with config_context(enable_metadata_routing=False):
        alone = clone(search).set_params(estimator=Ridge(), scoring=clone(scorer))
        alone.fit(X[train], Y[train], sample_weight=WEIGHT[train])
    # With routing off, cross_validate keeps weights from scorers; a search does not.
    expected = scorer(alone, X[test], Y[test], WEIGHT[test] if routing else None)
    name = "score"
    if isinstance(expected, dict):
        name, expected = "neg_theta", expected["neg_theta"]
    assert_allclose(results[f"test_{name}"][0], expected)
    assert_allclose(inner.cv_results_[f"mean_test_{name}"], alone.cv_results_[f"mean_test_{name}"])


@by_name
def test_beside_other_scorers(scorer):
    if isinstance(scorer, AlignmentScorer):
        with pytest.raises(ValueError, match="scoring must return a number"):
            cross_validate(Ridge(), X, Y, scoring={"all": scorer}, cv=FOLDS)
        with pytest.raises(ValueError, match="scoring must return a number"):
            cross_val_score(Ridge(), X, Y, scoring=scorer, cv=FOLDS)
    else:
        results = cross_validate(Ridge(), X, Y, scoring={"it": scorer, "r2": "r2"}, cv=FOLDS)
        assert_allclose(
            results["test_it"], cross_val_score(Ridge(), X, Y, scoring=scorer, cv=FOLDS)
        )
        GridSearchCV(Ridge(), {"alpha": [1]}, scoring={"it": scorer, "r2": "r2"}, refit="it").fit(
            X, Y, sample_weight=WEIGHT
        )


def test_data_frames():
    pd = pytest.importorskip("pandas")
    frames = pd.DataFrame(X).add_prefix("unit"), pd.DataFrame(Y).add_prefix("voxel")
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), Lasso(0.1))
    model = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    for target in ("predicted", "observed"):
        scoring = AlignmentScorer(target=target)
        expected = cross_validate(clone(model), X, Y, scoring=scoring, cv=FOLDS)
        results = cross_validate(model, *frames, scoring=scoring, cv=FOLDS, error_score="raise")
        for name in ("test_r", "test_neg_theta", "test_n_active"):
            assert_allclose(results[name], expected[name])
        one = cross_validate(model, frames[0], frames[1]["voxel0"], scoring=scoring, cv=FOLDS)
        assert np.isfinite(one["test_neg_theta"]).all()


def test_sparse_features():
    model = Lasso(0.1).fit(sparse.csr_array(X), Y)
    assert_allclose(
        one_number(AlignmentScorer()(model, sparse.csr_array(X), Y)),
        one_number(AlignmentScorer()(model, X, Y)),
    )


@by_name
def test_scikit_learn_sees_a_scorer(scorer):
    assert check_scoring(Ridge(), scorer) is scorer
    assert repr(scorer) == f"{type(scorer).__name__}()"
    changed = clone(scorer).set_params(**{name: 1 for name in scorer.get_params() if "und" in name})
    assert clone(changed).get_params() == changed.get_params() != scorer.get_params()
    assert "undefined" in repr(changed)
    model = Ridge().fit(X, Y)
    assert pickle.loads(pickle.dumps(changed))(model, X, Y) == changed(model, X, Y)
    with config_context(enable_metadata_routing=True):
        asking = clone(scorer).set_score_request(sample_weight="importance")
        for copy in (clone(asking), pickle.loads(pickle.dumps(asking))):
            request = copy.get_metadata_routing().score.requests
            assert request == {"sample_weight": "importance"}
    search = GridSearchCV(model, {"alpha": [1]}, scoring=scorer)
    assert type(scorer).__name__ in estimator_html_repr(search)
    assert clone(search).set_params(**{f"scoring__{name}": 1 for name in scorer.get_params()})


def test_pearson_scores_any_regressor_and_the_others_say_what_they_need():
    tree = DecisionTreeRegressor().fit(X, Y)
    assert PearsonScorer()(tree, X, Y) == pytest.approx(1)
    for scorer in (TuningReorientationScorer(), AlignmentScorer()):
        with pytest.raises(TypeError, match="DecisionTreeRegressor, which is not a linear"):
            scorer(tree, X, Y)


@pytest.mark.parametrize(
    ("scorer", "error", "message"),
    [
        (TuningReorientationScorer(target="true"), ValueError, 'target must be "predicted" or'),
        (TuningReorientationScorer(center="no"), TypeError, "center must be True or False"),
        (TuningReorientationScorer(undefined=None), TypeError, "undefined must be a real number"),
        (PearsonScorer(undefined="0"), TypeError, "undefined must be a real number"),
        (AlignmentScorer(target=None), ValueError, 'target must be "predicted" or "observed"'),
        (AlignmentScorer(center=0), TypeError, "center must be True or False"),
        (AlignmentScorer(undefined_theta=None), TypeError, "undefined_theta must be a real"),
        (AlignmentScorer(undefined_r=None), TypeError, "undefined_r must be a real number"),
    ],
)
def test_parameters_are_checked_when_scoring(scorer, error, message):
    with pytest.raises(error, match=message):
        scorer(Ridge().fit(X, Y), X, Y)
