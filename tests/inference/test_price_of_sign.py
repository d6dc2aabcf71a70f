"""The price of sign against two fits made by hand, and against known answers."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import BayesianRidge, Lasso, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference import price_of_sign
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
    price = price_of_sign(encoder, *data, sample_weight=weight, center=True)
    for name, positive in [("signed", False), ("positive", True)]:
        fit = SparsePositiveEncoder(
            "elasticnet", [0.1, 0.2, 0.3, 0.4], l1_ratio=0.7, positive=positive
        ).fit(X, Y, sample_weight=weight)
        found = alignment(fit, X_test, Y_test, center=True)
        for measure in ("r", "theta", "n_active"):
            assert_allclose(getattr(price[name], measure), getattr(found, measure))
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
    assert price.difference("r")[0] > 0.1
    assert abs(price.difference("r")[1]) < 0.01
    assert np.isnan(price["positive"].r[2])  # an empty fit has no r; in a mean it counts as 0
    assert price["signed"].r[2] > 0.9
    means = price.summary()
    assert_allclose(means["positive"]["r"], np.nansum(price["positive"].r) / 4)
    assert means["positive"]["empty_fraction"] > means["signed"]["empty_fraction"] == 0.25
    assert np.isnan(price["positive"].theta[2])
    assert np.isnan(price.difference("theta")[2])
    assert_array_equal(price["positive"].n_active[2], 0)
    assert_allclose(price.negative_share[1:3], [0, 1])
    assert_array_equal(price.negative_weight > 0, [True, True, False, False, False, False])
    assert_array_equal(price.n_negative[:2], 1)


def test_theta_falls_where_signs_cancelled(data):
    """The target is one unit minus another: with signs, a feature is turned around."""
    price = price_of_sign(SparsePositiveEncoder(), *data, center=True)
    assert price.difference("theta")[0] > 0.1
    assert_allclose(price["signed"].theta - price["positive"].theta, price.difference("theta"))


def test_empty_signed_fit_has_no_share(data):
    price = price_of_sign(SparsePositiveEncoder(alpha=1e3), *data)
    assert np.isnan(price.negative_share).all()
    assert np.isnan(price.difference("r")).all()
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
    for side in ("signed", "positive"):
        assert_allclose(price[side].r, expected[side].r)
        assert_allclose(price[side].theta, expected[side].theta)
    assert_allclose(price.negative_weight, expected.negative_weight)


def test_scikit_learns_own(data):
    expected = price_of_sign(SparsePositiveEncoder(alpha=0.1), *data)
    for encoder in (Lasso(0.1, tol=1e-10), MultiOutputRegressor(Lasso(0.1, tol=1e-10))):
        price = price_of_sign(encoder, *data)
        assert_allclose(price["positive"].r, expected["positive"].r, atol=1e-6)
        assert_allclose(price.negative_weight, expected.negative_weight, atol=1e-5)
    X, Y, X_test, Y_test = data
    price = price_of_sign(Ridge(), X, Y[:, 0], X_test, Y_test[:, 0])
    assert price["signed"].r.shape == (1,)


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
    assert_allclose(price["positive"].r, expected["positive"].r)


def test_frames(data):
    pytest.importorskip("pandas")
    price = price_of_sign(SparsePositiveEncoder(), *data)
    frame = price.to_frame()
    assert list(frame["target"]) == [0, 1, 2, 3]
    assert_array_equal(frame["theta_positive"], price["positive"].theta)
    assert_array_equal(frame["r_difference"], price.difference("r"))
    assert_array_equal(frame["negative_share"], price.negative_share)
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
    """The inner pipeline turns the features; the outer one knows other names for them."""
    inner = make_pipeline(PCA(), SparsePositiveEncoder())
    for encoder in (inner, make_pipeline(StandardScaler(), inner)):
        names = price_of_sign(encoder, *data).unit_names
        assert list(names) == [f"pca{unit}" for unit in range(6)]
    assert price_of_sign(SparsePositiveEncoder(), *data).unit_names is None
    unnamed = make_pipeline(FunctionTransformer(), SparsePositiveEncoder())
    assert price_of_sign(unnamed, *data).unit_names is None


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (FunctionTransformer(), "must have a linear regressor inside.* got FunctionTransformer"),
        ("lasso", "must have a linear regressor inside.* got 'lasso'"),
        (make_pipeline(StandardScaler(), BayesianRidge()), "'positive'; got BayesianRidge"),
        (FrozenEstimator(Lasso()), "must not be frozen"),
        (GridSearchCV(Lasso(), {"positive": [True]}), "must not search over positive"),
        (
            make_pipeline(GridSearchCV(Lasso(), [{"alpha": [1.0]}, {"positive": [True]}])),
            "got gridsearchcv__param_grid of Pipeline",
        ),
    ],
)
def test_encoder_that_does_not_serve_is_refused(data, encoder, message):
    with pytest.raises(TypeError, match=message):
        price_of_sign(encoder, *data)


def test_targets_with_features_of_their_own_are_refused(data):
    encoder = MultiOutputRegressor(make_pipeline(StandardScaler(), Lasso()))
    with pytest.raises(TypeError, match=r"one set of features for all targets.*; got 4 sets"):
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
    np.testing.assert_allclose(price["signed"].r, plain["signed"].r)
    unweighted = price_of_sign(wrapped, X, Y, X, Y)
    assert np.abs(price["signed"].r - unweighted["signed"].r).max() > 1e-6


def test_each_sign_chooses_its_alpha_unless_kept(data):
    X, Y, X_test, Y_test = data
    chooser = make_pipeline(StandardScaler(), GridSearchCV(Lasso(), {"alpha": [0.01, 0.3, 3.0]}))
    price = price_of_sign(chooser, *data)
    positive = chooser.set_params(gridsearchcv__estimator__positive=True).fit(X, Y)
    alpha = positive[-1].best_params_["alpha"]
    assert_allclose(price["positive"].r, alignment(positive, X_test, Y_test).r)
    signed = chooser.set_params(gridsearchcv__estimator__positive=False).fit(X, Y)
    assert signed[-1].best_params_["alpha"] < alpha
    kept = price_of_sign(chooser, *data, keep_alpha=True)
    assert_allclose(kept["signed"].r, price["signed"].r)
    fixed = make_pipeline(StandardScaler(), Lasso(signed[-1].best_params_["alpha"], positive=True))
    assert_allclose(kept["positive"].r, alignment(fixed.fit(X, Y), X_test, Y_test).r)
    with pytest.raises(TypeError, match="keep_alpha must be True or False"):
        price_of_sign(chooser, *data, keep_alpha="yes")


@pytest.mark.filterwarnings("ignore:1 of 4 targets were left empty")
def test_a_cross_validated_encoder_chooses_for_every_target(data):
    X, Y, X_test, Y_test = data
    chooser = SparsePositiveEncoderCV(alphas=[0.3, 0.1, 0.03], cv=3)
    price = price_of_sign(chooser, *data)
    kept = price_of_sign(chooser, *data, keep_alpha=True)
    alpha = chooser.fit(X, Y).alpha_
    assert_array_equal(np.isnan(price["positive"].r), np.isinf(alpha))
    assert np.isinf(alpha).sum() == 1
    assert_allclose(kept["positive"].r, price["positive"].r, atol=1e-6)
    fixed = SparsePositiveEncoder(alpha=alpha, positive=False).fit(X, Y)
    assert_allclose(kept["signed"].r, alignment(fixed, X_test, Y_test).r)
    assert_array_equal(np.isnan(kept["signed"].r), np.isinf(alpha))  # which empties that fit, too
    assert abs(kept["signed"].r - price["signed"].r)[:3].max() > 1e-4
