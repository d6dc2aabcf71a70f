"""Looking through estimators to the linear model inside."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from skalign.metrics import linear_maps


def make_data():
    """Features and targets; constants of this module, so read-only."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6)) * [1, 2, 3, 1, 2, 3] + 1
    Y = X @ rng.standard_normal((6, 3)) + rng.standard_normal((40, 3)) + 5
    X.setflags(write=False)
    Y.setflags(write=False)
    return X, Y


X, Y = make_data()


def the_map(estimator, y=Y):
    (linear_map,) = linear_maps(estimator, X, y)
    return linear_map


@pytest.mark.parametrize(
    "model",
    [Lasso(0.1), Ridge(), LinearRegression(), ElasticNet(0.1), PLSRegression(2)],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("y", [Y, Y[:, :1], Y[:, 0]], ids=["2-D", "one column", "1-D"])
def test_scikit_learns_linear_models(model, y):
    model.fit(X, y)
    found = the_map(model, y)
    assert found.features is X
    assert found.is_outermost
    assert_allclose(found.predicted, model.predict(X).reshape(40, -1))
    assert_allclose(np.ptp(found.predicted - X @ found.weights.T, axis=0), 0, atol=1e-9)
    assert_allclose(the_map(model, y).observed, y.reshape(40, -1))


def test_pipeline_hands_over_what_reaches_the_model():
    pipeline = Pipeline(
        [
            ("skipped", "passthrough"),
            ("scale", StandardScaler()),
            ("nothing", None),
            ("select", SelectKBest(lambda X, y: f_regression(X, y[:, 0]), k=2)),
            ("inner", make_pipeline("passthrough", Ridge())),
        ]
    ).fit(X, Y)
    found = the_map(pipeline)
    assert_allclose(found.features, pipeline[:-1].transform(X))
    assert found.weights.shape == (3, 2)
    assert_allclose(found.predicted, pipeline.predict(X))


@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["2-D", "1-D"])
def test_transformed_targets_are_those_of_the_inner_model(y):
    outer = TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(X, y)
    found = the_map(outer, y)
    assert not found.is_outermost
    assert_allclose(found.predicted, outer.regressor_.predict(X).reshape(40, -1))
    observed = the_map(outer, y)
    assert_allclose(observed.observed, StandardScaler().fit_transform(y.reshape(40, -1)))
    outer = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), Ridge()), func=np.cbrt, inverse_func=lambda t: t**3
    ).fit(X, y)
    assert_allclose(the_map(outer, y).observed, np.cbrt(y).reshape(40, -1))


def test_the_target_transformer_may_change_the_number_of_targets():
    outer = TransformedTargetRegressor(Ridge(), transformer=PCA(2), check_inverse=False).fit(X, Y)
    assert the_map(outer).predicted.shape == the_map(outer).observed.shape == (40, 2)


def test_frozen_estimators_and_searches():
    search = GridSearchCV(Lasso(), {"alpha": [0.1, 1]}, cv=2).fit(X, Y)
    for estimator in (search, FrozenEstimator(search), FrozenEstimator(search.best_estimator_)):
        assert_allclose(the_map(estimator).weights, search.best_estimator_.coef_)
        assert_allclose(the_map(estimator).predicted, search.predict(X))
        assert_allclose(the_map(estimator).observed, Y)


def test_nesting():
    pipeline = make_pipeline(StandardScaler(), FrozenEstimator(Ridge().fit(X[:, :4], Y)))
    search = GridSearchCV(pipeline, {"standardscaler__with_mean": [True, False]}, cv=2)
    outer = TransformedTargetRegressor(search, transformer=StandardScaler())
    nested = FrozenEstimator(make_pipeline(FrozenEstimator(PCA(4).fit(X)), outer).fit(X, Y))
    found = the_map(nested)
    inner = nested.estimator[-1].regressor_
    assert found.features.shape == (40, 4)
    assert_allclose(found.predicted, inner.predict(PCA(4).fit_transform(X)))
    assert_allclose(found.weights, inner.best_estimator_[-1].coef_)


def test_multi_output_models_on_the_same_features_are_one_map():
    outer = make_pipeline(StandardScaler(), MultiOutputRegressor(Lasso(0.1))).fit(X, Y)
    found = the_map(outer)
    assert_allclose(found.weights, [model.coef_ for model in outer[-1].estimators_])
    assert_allclose(found.predicted, outer.predict(X))
    assert_allclose(the_map(outer).observed, Y)
    single = TransformedTargetRegressor(Ridge(), func=np.cbrt, inverse_func=lambda t: t**3)
    found = the_map(MultiOutputRegressor(single).fit(X, Y))
    assert_allclose(found.observed, np.cbrt(Y))
    assert not found.is_outermost


def test_multi_output_models_with_their_own_features_are_several_maps():
    single = make_pipeline(SelectKBest(f_regression, k=2), Ridge())
    outer = MultiOutputRegressor(single).fit(X, Y)
    maps = linear_maps(outer, X, Y)
    assert [found.weights.shape for found in maps] == [(1, 2)] * 3
    assert_allclose(np.hstack([found.predicted for found in maps]), outer.predict(X))
    assert_allclose(np.hstack([found.observed for found in maps]), Y)
    search = GridSearchCV(single, {"selectkbest__k": [1, 2]}, cv=2)
    transformed = TransformedTargetRegressor(MultiOutputRegressor(search), transformer=PCA(2))
    maps = linear_maps(transformed.set_params(check_inverse=False).fit(X, Y), X, Y)
    assert len(maps) == 2
    assert not any(found.is_outermost for found in maps)


def test_sparse_weights_stay_sparse():
    class SparseWeights(Ridge):
        def fit(self, X, y):
            super().fit(X, y)
            self.coef_ = sparse.csr_array(np.atleast_2d(self.coef_))
            return self

        def predict(self, X):
            return (self.coef_ @ X.T).T + self.intercept_

    found = the_map(SparseWeights().fit(X, Y))
    assert sparse.issparse(found.weights)
    outer = MultiOutputRegressor(SparseWeights()).fit(X, Y)
    found = the_map(outer)
    assert sparse.issparse(found.weights)
    assert found.weights.shape == (3, 6)


class Transposed(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.coef_ = np.linalg.lstsq(X, y)[0]
        return self

    def predict(self, X):
        return X @ self.coef_


@pytest.mark.parametrize(
    ("estimator", "y", "message"),
    [
        (RandomForestRegressor(2), Y, "coef_.*RandomForestRegressor, which is not a linear"),
        (make_pipeline(PCA(2), SVR()), Y[:, 0], "SVR, which is not a linear regressor"),
        (LogisticRegression(), np.arange(40) % 2, "got LogisticRegression, which is not a linear"),
        (
            GridSearchCV(Ridge(), {"alpha": [1]}, cv=2, refit=False),
            Y,
            "search with refit; got GridSearchCV, which is not a linear",
        ),
        (
            Transposed(),
            Y,
            r"coef_ of Transposed must .* \(n_targets, n_features\) = \(3, 6\),.*; got \(6, 3\)",
        ),
    ],
)
def test_estimators_without_linear_weights(estimator, y, message):
    with pytest.raises(TypeError, match=message):
        linear_maps(estimator.fit(X, y), X, y, predict=False)


@pytest.mark.parametrize("estimator", [Ridge(), make_pipeline(StandardScaler(), Ridge())])
def test_an_unfitted_estimator(estimator):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        linear_maps(estimator, X, Y)


def test_what_is_not_asked_for_is_none():
    model = Ridge().fit(X, Y)
    (found,) = linear_maps(model, X)
    assert found.observed is None
    assert_allclose(found.predicted, model.predict(X))
    (found,) = linear_maps(model, X, Y, predict=False)
    assert found.predicted is None
    assert_allclose(found.observed, Y)


def test_names_of_the_features_that_reach_the_model():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    select = SelectKBest(lambda X, y: f_regression(X, y[:, 0]), k=2)
    pipeline = make_pipeline("passthrough", StandardScaler(), make_pipeline(select, Ridge()))
    expected = frame.columns[select.fit(X, Y).get_support()]
    for outer in (pipeline, TransformedTargetRegressor(pipeline), FrozenEstimator(pipeline)):
        pipeline.fit(frame, Y)
        (found,) = linear_maps(outer.fit(frame, Y), frame)
        assert [type(one).__name__ for one in found.transformers] == [
            "StandardScaler",
            "SelectKBest",
        ]
        assert found.feature_names.tolist() == expected.tolist()
    (found,) = linear_maps(Ridge().fit(frame, Y), frame)
    assert found.feature_names.tolist() == list("abcdef")
    assert the_map(Ridge().fit(X, Y)).feature_names is None
    unknown = make_pipeline(FunctionTransformer(np.abs), StandardScaler(), Ridge()).fit(X, Y)
    assert the_map(unknown).feature_names is None


def test_weights_of_models_on_the_same_features_keep_their_transformers():
    outer = make_pipeline(StandardScaler(), MultiOutputRegressor(Lasso(0.1))).fit(X, Y)
    assert the_map(outer).transformers == (outer[0],)
