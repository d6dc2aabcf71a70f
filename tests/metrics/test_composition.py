"""The linear model inside compositions, fitted or not, and the parameter that holds it."""

import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_regression
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.metrics import linear_model_of


def compositions(model):
    scaled = make_pipeline(StandardScaler(), model)
    step = type(model).__name__.lower()
    search = GridSearchCV(scaled, {f"{step}__alpha": [0.2, 0.3]}, cv=2)
    drawn = RandomizedSearchCV(model, {"alpha": [0.2, 0.3]}, n_iter=1, cv=2)
    transformed = TransformedTargetRegressor(search, transformer=StandardScaler())
    return {
        "model": (model, ""),
        "pipeline": (scaled, step),
        "transformed": (TransformedTargetRegressor(scaled), f"regressor__{step}"),
        "search": (search, f"estimator__{step}"),
        "random search": (drawn, "estimator"),
        "multi-output": (MultiOutputRegressor(scaled), f"estimator__{step}"),
        "nested": (make_pipeline(PCA(), transformed), None),
    }


@pytest.fixture(scope="module")
def data():
    return make_regression(n_samples=40, n_features=4, n_targets=2, random_state=0)


@pytest.mark.parametrize("name", compositions(Lasso()))
@pytest.mark.parametrize("model", [Lasso(alpha=0.7), SparsePositiveEncoder(alpha=0.7)])
def test_the_model_and_its_parameters(data, name, model):
    estimator, parameter = compositions(model)[name]
    found = linear_model_of(estimator)
    assert found.model is model
    assert not found.is_frozen
    if parameter is not None:
        assert found.name == parameter
    changed = clone(estimator).set_params(**{found.parameter("alpha"): 0.9})
    assert linear_model_of(changed).model.alpha == 0.9

    fitted = linear_model_of(estimator.fit(*data))
    assert fitted.name == found.name
    assert fitted.model.coef_.shape[-1] == 4
    assert fitted.model.alpha in ((0.2, 0.3) if "search" in name or name == "nested" else (0.7,))


def test_a_frozen_model_is_found_and_its_parameters_are_not_set(data):
    model = Ridge().fit(*data)
    found = linear_model_of(make_pipeline("passthrough", FrozenEstimator(model)))
    assert found.model is model
    assert found.is_frozen
    with pytest.raises(TypeError, match="must not be frozen where its parameter 'alpha'"):
        found.parameter("alpha")


def test_a_frozen_transformer_does_not_freeze_the_model(data):
    pipeline = make_pipeline(FrozenEstimator(StandardScaler().fit(data[0])), Ridge())
    assert not linear_model_of(pipeline).is_frozen


def test_the_default_of_a_target_transformer():
    assert isinstance(linear_model_of(TransformedTargetRegressor()).model, LinearRegression)


def test_an_encoder_that_cross_validates_is_no_search():
    encoder = SparsePositiveEncoderCV()
    assert linear_model_of(encoder).model is encoder


def test_an_unknown_parameter_is_told_with_those_that_there_are():
    with pytest.raises(TypeError, match=r"parameter 'penalty'; got Ridge, which has \['alpha',"):
        linear_model_of(make_pipeline(StandardScaler(), Ridge())).parameter("penalty")


@pytest.mark.parametrize(
    "estimator",
    [
        None,
        Ridge,
        "ridge",
        StandardScaler(),
        make_pipeline(StandardScaler(), "passthrough"),
        make_pipeline(Ridge(), None),
        GridSearchCV(PCA(), {}),
    ],
)
def test_what_has_no_regressor_inside(estimator):
    with pytest.raises(TypeError, match=r"must have a linear regressor inside, .*; got"):
        linear_model_of(estimator)


@pytest.mark.parametrize("model", [RandomForestRegressor(2), LogisticRegression()])
def test_a_fitted_model_without_linear_weights(data, model):
    X, y = data
    fitted = make_pipeline(StandardScaler(), model).fit(X, y[:, 0] > 0)
    with pytest.raises(TypeError, match=f"{type(model).__name__}, which is not a linear regressor"):
        linear_model_of(fitted)
