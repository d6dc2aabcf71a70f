"""The price of sign against two fits made by hand, and against known answers."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.linear_model import Lasso, LassoCV, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
from skalign.inference import price_of_sign
from skalign.linear_model import SparsePositiveEncoderCV
from skalign.metrics import alignment


@pytest.fixture(scope="module")
def data():
    """Fit and test halves; the third target is minus the first unit, the fourth is noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 6)) + 1
    coef = np.zeros((4, 6))
    coef[0, :2], coef[1, [1, 3]], coef[2, 0] = [2, -1], [1, 1], -3
    Y = X @ coef.T + 0.3 * rng.standard_normal((160, 4))
    return X[:100], Y[:100], X[100:], Y[100:]


def test_is_that_of_two_fits(data):
    X, Y, X_test, Y_test = data
    weight = np.linspace(0, 1, 100)
    encoder = SparsePositiveEncoder("elasticnet", [0.1, 0.2, 0.3, 0.4], l1_ratio=0.7)
    price = price_of_sign(encoder, *data, sample_weight=weight, target="observed", center=True)
    for name, positive in [("signed", False), ("positive", True)]:
        fit = SparsePositiveEncoder(
            "elasticnet", [0.1, 0.2, 0.3, 0.4], l1_ratio=0.7, positive=positive
        ).fit(X, Y, sample_weight=weight)
        found = alignment(fit, X_test, Y_test, target="observed", center=True, undefined_r=0.0)
        assert_allclose(getattr(price, f"r_{name}"), found.r)
        assert_allclose(getattr(price, f"theta_{name}"), found.theta)
        assert_array_equal(getattr(price, f"n_active_{name}"), found.n_active)
        if name == "signed":
            coef = fit.coef_
    negative = np.where(coef < 0, -coef, 0)
    share = [
        row.sum() / whole if whole else np.nan
        for row, whole in zip(negative, abs(coef).sum(1), strict=True)
    ]
    assert_allclose(price.negative_share, share)
    assert_allclose(price.negative_weight, negative.sum(axis=0))
    assert_array_equal(price.n_negative, (coef < 0).sum(axis=0))
    assert encoder.positive  # what was given is left as it was
    assert not hasattr(encoder, "coef_")


def test_known_answers(data):
    price = price_of_sign(SparsePositiveEncoder(alpha=[0.1, 0.1, 1.5, 1.5]), *data)
    assert price.r_difference[0] > 0.1
    assert abs(price.r_difference[1]) < 0.01
    assert price.r_positive[2] == 0  # an empty fit explains nothing: the whole r is the price
    assert price.r_difference[2] == price.r_signed[2] > 0.9
    assert np.isnan(price.theta_positive[2])
    assert np.isnan(price.theta_difference[2])
    assert_array_equal(price.n_active_positive[2], 0)
    assert_allclose(price.negative_share[1:3], [0, 1])
    assert_array_equal(price.negative_weight > 0, [True, True, False, False, False, False])
    assert_array_equal(price.n_negative[:2], 1)


def test_theta_falls_where_signs_cancelled(data):
    """The target is one unit minus another: with signs, a feature is turned around."""
    price = price_of_sign(SparsePositiveEncoder(), *data, center=True)
    assert price.theta_difference[0] > 0.1
    assert_allclose(price.theta_signed - price.theta_positive, price.theta_difference)


def test_empty_signed_fit_has_no_share(data):
    price = price_of_sign(SparsePositiveEncoder(alpha=1e3), *data)
    assert np.isnan(price.negative_share).all()
    assert_array_equal(price.r_difference, 0)
    assert_array_equal(price.negative_weight, 0)
    assert price.unit_names is None


@pytest.mark.parametrize(
    "around",
    [
        lambda encoder: encoder,
        lambda encoder: make_pipeline(FunctionTransformer(), encoder),
        lambda encoder: make_pipeline("passthrough", make_pipeline(FunctionTransformer(), encoder)),
        lambda encoder: TransformedTargetRegressor(encoder, transformer=FunctionTransformer()),
        lambda encoder: make_pipeline(
            FunctionTransformer(),
            TransformedTargetRegressor(encoder, transformer=FunctionTransformer()),
        ),
    ],
)
def test_inside_of_what_changes_nothing(data, around):
    weight = np.linspace(0, 1, 100)
    expected = price_of_sign(SparsePositiveEncoder(), *data, sample_weight=weight)
    price = price_of_sign(around(SparsePositiveEncoder()), *data, sample_weight=weight)
    for name in ("r_signed", "r_positive", "theta_signed", "negative_weight"):
        assert_allclose(getattr(price, name), getattr(expected, name))


def test_scikit_learns_own(data):
    expected = price_of_sign(SparsePositiveEncoder(alpha=0.1), *data)
    for encoder in (Lasso(0.1, tol=1e-10), MultiOutputRegressor(Lasso(0.1, tol=1e-10))):
        price = price_of_sign(encoder, *data)
        assert_allclose(price.r_positive, expected.r_positive, atol=1e-6)
        assert_allclose(price.negative_weight, expected.negative_weight, atol=1e-5)
    X, Y, X_test, Y_test = data
    price = price_of_sign(Ridge(), X, Y[:, 0], X_test, Y_test[:, 0])
    assert price.r_signed.shape == (1,)


class SparseLasso(Lasso):
    def fit(self, X, y):
        super().fit(X, y)
        self.coef_ = sparse.csr_array(np.atleast_2d(self.coef_))
        return self

    def predict(self, X):
        return X @ self.coef_.T.toarray() + self.intercept_


def test_sparse_weights(data):
    price, expected = (price_of_sign(model(0.1), *data) for model in (SparseLasso, Lasso))
    for name in ("negative_share", "negative_weight", "n_negative"):
        assert_allclose(getattr(price, name), getattr(expected, name))
        assert getattr(price, name).shape == getattr(expected, name).shape


def test_with_routing_whoever_asked_gets_the_weights(data):
    import sklearn

    weight = np.linspace(0, 1, 100)
    expected = price_of_sign(SparsePositiveEncoder(), *data, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        encoder = SparsePositiveEncoder().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(FunctionTransformer(), encoder)
        price = price_of_sign(pipeline, *data, sample_weight=weight)
    assert_allclose(price.r_positive, expected.r_positive)


def test_frames(data):
    pytest.importorskip("pandas")
    price = price_of_sign(SparsePositiveEncoder(), *data)
    frame = price.to_frame()
    assert list(frame["target"]) == [0, 1, 2, 3]
    for name in frame.columns.drop("target"):
        assert_array_equal(frame[name], getattr(price, name))
    assert {"r_difference", "theta_difference", "negative_share"} <= set(frame.columns)
    units = price.units_frame()
    assert list(units.columns) == ["unit", "negative_weight", "n_negative"]
    assert list(units["unit"]) == [0, 1, 2, 3, 4, 5]  # ties in their order
    assert_array_equal(units["negative_weight"], np.sort(price.negative_weight)[::-1])


def test_units_have_the_names_of_what_reaches_the_model(data):
    pd = pytest.importorskip("pandas")
    names = np.array(list("abcdef"), dtype=object)
    X, Y, X_test, Y_test = data
    frames = pd.DataFrame(X, columns=names), Y, pd.DataFrame(X_test, columns=names), Y_test
    for encoder in (
        SparsePositiveEncoder(),
        make_pipeline(StandardScaler(), SparsePositiveEncoder()),
        make_pipeline(StandardScaler().set_output(transform="pandas"), SparsePositiveEncoder()),
    ):
        price = price_of_sign(encoder, *frames)
        assert list(price.unit_names) == list(names)
    assert list(price.units_frame()["name"][:2]) == ["a", "b"]
    stimuli = np.vstack([np.eye(6)[[1, 1]], np.eye(6)[[3, 3]] / 2]), ["f", "f", "g", "g"]
    stimuli[0][0] += 0.1
    localizer = SelectiveUnitLocalizer("f", n_units=2, stimuli=stimuli)
    price = price_of_sign(make_pipeline(localizer, SparsePositiveEncoder()), X, Y, X_test, Y_test)
    kept = np.flatnonzero(localizer.fit(X, Y).get_support())
    assert list(price.unit_names) == [f"x{unit}" for unit in kept]


def test_names_that_are_not_known_are_not_guessed(data):
    """The inner pipeline turns the features; the outer one knows as many names."""
    inner = make_pipeline(PCA(), SparsePositiveEncoder())
    for encoder in (inner, make_pipeline(StandardScaler(), inner), SparsePositiveEncoder()):
        names = price_of_sign(encoder, *data).unit_names
        assert (names is None) == (encoder is not inner)
    unnamed = make_pipeline(FunctionTransformer(), SparsePositiveEncoder())
    assert price_of_sign(unnamed, *data).unit_names is None


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (FunctionTransformer(), "one parameter positive.* got FunctionTransformer with none"),
        ("lasso", "one parameter positive.* got str with none"),
        (make_pipeline(Lasso(), Lasso()), "got Pipeline with .'lasso-1__positive'"),
        (LassoCV(), "fixed alpha.* got LassoCV"),
        (make_pipeline(StandardScaler(), LassoCV()), "fixed alpha.* got Pipeline"),
        (SparsePositiveEncoderCV(), "fixed alpha.* got SparsePositiveEncoderCV"),
        (GridSearchCV(Lasso(), {"alpha": [1.0]}), "fixed alpha.* got GridSearchCV"),
    ],
)
def test_encoder_that_does_not_serve_is_refused(data, encoder, message):
    with pytest.raises(TypeError, match=message):
        price_of_sign(encoder, *data)


def test_targets_with_features_of_their_own_are_refused(data):
    encoder = MultiOutputRegressor(make_pipeline(StandardScaler(), Lasso()))
    with pytest.raises(TypeError, match="one set of features for all targets, got 4"):
        price_of_sign(encoder, *data)


def test_missing_pandas_is_named(data, monkeypatch):
    price = price_of_sign(SparsePositiveEncoder(), *data)
    monkeypatch.setitem(sys.modules, "pandas", None)
    for make_table in (price.to_frame, price.units_frame):
        with pytest.raises(ImportError, match=r"skalign\[table\]"):
            make_table()


def test_weights_reach_the_encoder_inside_a_target_transformer():
    rng = np.random.default_rng(0)
    X, weight = rng.standard_normal((60, 4)), rng.uniform(0.1, 2, 60)
    Y = X[:, :2] - X[:, 2:] + rng.standard_normal((60, 2))
    inner = make_pipeline(StandardScaler(), SparsePositiveEncoder())
    wrapped = TransformedTargetRegressor(inner, transformer=FunctionTransformer())
    plain = price_of_sign(inner, X, Y, X, Y, sample_weight=weight)
    price = price_of_sign(wrapped, X, Y, X, Y, sample_weight=weight)
    np.testing.assert_allclose(price.r_signed, plain.r_signed)
    unweighted = price_of_sign(wrapped, X, Y, X, Y)
    assert np.abs(price.r_signed - unweighted.r_signed).max() > 1e-6
