"""What a refit hands to the fit of any model, and which strengths it keeps."""

from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import ElasticNetCV, Lasso, LassoCV, Ridge, RidgeCV
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneGroupOut
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference._refits import RefittableModel, with_chosen_alpha

N = 40
X = np.random.default_rng(0).standard_normal((N, 3))
Y = X @ [[1.0, 0.0], [0.5, 1.0], [0.0, 0.2]] + np.random.default_rng(1).standard_normal((N, 2))
WEIGHT = np.random.default_rng(2).random(N) + 0.1
GROUPS = np.arange(N) // 4


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps what its fits are given, in a list that clones share."""

    seen: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None, groups=None, extra=None):
        self.seen.append({"n": len(X), "w": sample_weight, "g": groups, "e": extra})
        self.coef_ = np.zeros((np.shape(y)[1], X.shape[1]) if np.ndim(y) > 1 else X.shape[1])
        return self

    def predict(self, X):
        return X @ self.coef_.T


@pytest.fixture
def seen(monkeypatch):
    monkeypatch.setattr(Recorder, "seen", [])
    return Recorder.seen


def nested(inner):
    """Compositions that hand fit arguments on, each in its own way."""
    piped = make_pipeline(StandardScaler(), inner)
    return {
        "plain": inner,
        "pipeline": piped,
        "pipelines": make_pipeline(StandardScaler(), piped),
        "target transformer": TransformedTargetRegressor(piped, transformer=StandardScaler()),
        "several": MultiOutputRegressor(piped),
        "target transformer in a pipeline": make_pipeline(
            StandardScaler(), TransformedTargetRegressor(inner, transformer=StandardScaler())
        ),
    }


@pytest.mark.parametrize("name", nested(None))
def test_weights_and_groups_reach_the_last_step(name, seen):
    model = RefittableModel(nested(Recorder())[name], N, WEIGHT, GROUPS)
    model.fit(X, Y)
    assert_array_equal(seen[-1]["w"], WEIGHT)
    assert_array_equal(seen[-1]["g"], GROUPS)
    rows = np.array([3, 3, 17, 30])
    model.fit(X, Y, rows)
    assert seen[-1]["n"] == 4
    assert_array_equal(seen[-1]["w"], WEIGHT[rows])
    assert_array_equal(seen[-1]["g"], GROUPS[rows])


@pytest.mark.parametrize("name", nested(None))
def test_weights_and_groups_are_routed(name, seen):
    with config_context(enable_metadata_routing=True):
        inner = Recorder().set_fit_request(sample_weight=True, groups=True)
        with_scaler = nested(inner)[name]
        for part in with_scaler.get_params().values():
            if isinstance(part, StandardScaler):
                part.set_fit_request(sample_weight=True)
        RefittableModel(with_scaler, N, WEIGHT, GROUPS).fit(X, Y, np.arange(5))
    assert_array_equal(seen[-1]["w"], WEIGHT[:5])
    assert_array_equal(seen[-1]["g"], GROUPS[:5])


def test_routing_asks_who_wants_groups():
    with config_context(enable_metadata_routing=True):
        model = RefittableModel(make_pipeline(Recorder()), N, groups=GROUPS)
        with pytest.raises(UnsetMetadataPassedError, match="groups"):
            model.fit(X, Y)
        RefittableModel(make_pipeline(Lasso()), N, groups=GROUPS).fit(X, Y)


@pytest.mark.parametrize("cv", [2, GroupKFold(2), "routed"])
def test_a_search_splits_by_groups_and_fits_with_weights(cv, seen):
    """By a number of folds, too, and whether or not its splitter asks for groups."""
    with config_context(enable_metadata_routing=cv == "routed"):
        inner, scorer = Recorder(), get_scorer("r2")
        if cv == "routed":
            inner.set_fit_request(sample_weight=True, groups=False)
            scorer, cv = scorer.set_score_request(sample_weight=False), GroupKFold(2)
        candidates = {"recorder": [inner]}
        search = GridSearchCV(make_pipeline(inner), candidates, cv=cv, scoring=scorer)
        model = RefittableModel(search, N, WEIGHT, GROUPS)
        model.fit(X, Y)
        of_weight = dict(zip(WEIGHT, GROUPS, strict=True))
        for fit in seen[:2]:
            groups_seen = {of_weight[weight] for weight in fit["w"]}
            assert len(groups_seen) == 5
            assert len(fit["w"]) == 4 * 5
        assert len(seen[2]["w"]) == N
        assert search.cv is cv
        model.fit(X, Y, np.arange(12))
        assert {len(fit["w"]) for fit in seen[3:5]} == {4, 8}


@pytest.mark.parametrize(
    "make",
    [
        lambda cv: LassoCV(cv=cv),
        lambda cv: TransformedTargetRegressor(make_pipeline(StandardScaler(), LassoCV(cv=cv))),
        lambda cv: make_pipeline(GridSearchCV(Lasso(), {"alpha": [0.1, 1.0]}, cv=cv)),
        lambda cv: make_pipeline(SparsePositiveEncoderCV(cv=cv)),
    ],
)
def test_groups_are_never_torn(make):
    """A splitter that ignores them is refused, with the remedy."""
    y = Y[:, 0]
    RefittableModel(make(None), N, groups=GROUPS).fit(X, y)
    RefittableModel(make(LeaveOneGroupOut()), N, groups=GROUPS).fit(X, y)
    torn = RefittableModel(make(KFold(3)), N, groups=GROUPS)
    with pytest.raises(ValueError, match="cv must keep the samples of a group in the same part"):
        torn.fit(X, y)
    RefittableModel(FrozenEstimator(make(KFold(3)).fit(X, y)), N, groups=GROUPS).fit(X, y)


def test_further_arguments_are_cut_to_the_rows(seen):
    params = {"recorder__extra": np.arange(N), "standardscaler__sample_weight": WEIGHT}
    model = RefittableModel(make_pipeline(StandardScaler(), Recorder()), N, fit_params=params)
    fitted = model.fit(X, Y, np.array([5, 6, 9]))
    assert_array_equal(seen[-1]["e"], [5, 6, 9])
    expected = np.average(X[[5, 6, 9]], axis=0, weights=WEIGHT[[5, 6, 9]])
    assert_allclose(fitted[0].mean_, expected)
    whole = RefittableModel(Recorder(), N, fit_params={"extra": "whole"})
    whole.fit(X, Y, np.array([0, 1]))
    assert seen[-1]["e"] == "whole"


def test_groups_are_ignored_where_nothing_takes_them():
    assert RefittableModel(make_pipeline(StandardScaler(), Lasso()), N, groups=GROUPS).fit(X, Y)


@pytest.mark.parametrize(
    ("estimator", "given", "error", "message"),
    [
        (RidgeCV(), {"sample_weight": WEIGHT[:3]}, ValueError, "one weight per sample, 40"),
        (RidgeCV(), {"groups": [1, 2]}, ValueError, "one label per sample, 40"),
        (make_pipeline("passthrough"), {"sample_weight": WEIGHT}, TypeError, "takes no weights"),
        (
            Ridge(),
            {"sample_weight": WEIGHT, "fit_params": {"sample_weight": WEIGHT}},
            ValueError,
            "fit_params must not have 'sample_weight'",
        ),
    ],
)
def test_errors_name_the_argument(estimator, given, error, message):
    with pytest.raises(error, match=message):
        RefittableModel(estimator, N, **given)


def same(first, second):
    return repr(first) == repr(second)


def test_a_search_is_kept_as_its_best_estimator():
    search = GridSearchCV(make_pipeline(StandardScaler(), Lasso()), {"lasso__alpha": [0.1, 5.0]})
    kept = with_chosen_alpha(search.fit(X, Y))
    assert same(kept, make_pipeline(StandardScaler(), Lasso(0.1)))
    assert not hasattr(kept[-1], "coef_")


@pytest.mark.parametrize("make", [LassoCV, ElasticNetCV])
def test_an_encoder_of_scikit_learn_keeps_one_alpha(make):
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), make()))
    fitted = clone(model).fit(X, Y[:, 0])
    chosen = fitted.regressor_[-1].alpha_
    again = with_chosen_alpha(fitted).fit(X[:30], Y[:30, 0])
    assert again.regressor_[-1].alpha_ == chosen
    assert clone(model).fit(X[:30], Y[:30, 0]).regressor_[-1].alpha_ != chosen


def test_one_that_chooses_nothing_is_cloned():
    fitted = make_pipeline(StandardScaler(), Ridge(3.0)).fit(X, Y)
    assert same(with_chosen_alpha(fitted), fitted)
    frozen = FrozenEstimator(fitted)
    assert with_chosen_alpha(frozen) is frozen


def test_choices_that_cannot_be_kept_are_refused():
    several = MultiOutputRegressor(LassoCV()).fit(X, Y)
    with pytest.raises(TypeError, match="keep_alpha must be False for a MultiOutputRegressor"):
        with_chosen_alpha(several)
    per_target = RidgeCV([0.1, 100.0], alpha_per_target=True).fit(X, Y)
    with pytest.raises(TypeError, match="keep_alpha must be False for a RidgeCV"):
        with_chosen_alpha(per_target)
    alike = MultiOutputRegressor(LassoCV(alphas=[0.1])).fit(X, Y)
    assert same(with_chosen_alpha(alike).estimator, LassoCV(alphas=[alike.estimators_[0].alpha_]))


@pytest.mark.parametrize("routing", [False, True])
def test_a_cross_validated_encoder_keeps_alpha_of_every_target(routing):
    with config_context(enable_metadata_routing=routing):
        encoder = SparsePositiveEncoderCV(alphas=[0.5, 0.1, 0.02], cv=3)
        if routing:
            encoder.set_fit_request(sample_weight=True, groups=True)
        model = RefittableModel(make_pipeline(encoder), N, WEIGHT, GROUPS)
        first = model.fit(X, Y)
        kept = model.keep_alpha(first)
        assert isinstance(kept.estimator[-1], SparsePositiveEncoder)
        assert_array_equal(kept.estimator[-1].alpha, first[-1].alpha_)
        assert_allclose(kept.fit(X, Y)[-1].coef_, first[-1].coef_, atol=1e-6)
