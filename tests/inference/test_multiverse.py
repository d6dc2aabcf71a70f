"""Every row of the multiverse against an analysis by hand that makes the same choices."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference import AnalysisChoices, alignment_multiverse
from skalign.metrics import alignment, tuning_reorientation

pd = pytest.importorskip("pandas", reason="tables: pip install skalign[table]")


@pytest.fixture(scope="module")
def data():
    """Units of unlike means and scales; the third target is out of reach of positive weights."""
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(160, 6)) * [1, 5, 0.3, 1, 2, 1]
    Y = X @ [[1, 0, -1], [0.2, 0, -1], [0, 2, -1], [0, 1, 0], [0, 0, 0], [0, 0, -1]]
    Y = 2 + Y * [1, 3, 1] + rng.standard_normal((160, 3))
    return X[:100], Y[:100], X[100:], Y[100:]


def by_hand(encoder, data, choices):
    """Fit and score with columns standardized by the training images, where that is chosen."""
    X, Y, X_test, Y_test = data
    if choices.standardize:
        X, X_test = (X - X.mean(0)) / X.std(0), (X_test - X.mean(0)) / X.std(0)
        Y, Y_test = (Y - Y.mean(0)) / Y.std(0), (Y_test - Y.mean(0)) / Y.std(0)
    fitted = encoder.set_params(fit_intercept=choices.fit_intercept).fit(X, Y)
    return fitted, alignment(fitted, X_test, Y_test, center=choices.center), X_test, Y_test


def assert_same(found, expected):
    for name in ("r", "theta", "theta_observed", "n_active"):
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-12)


CHOICES = [AnalysisChoices(*flags) for flags in product((False, True), repeat=3)]


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_is_that_of_an_analysis_by_hand(data, choices):
    found = alignment_multiverse(SparsePositiveEncoder("lasso", 0.3), *data)
    fitted, expected, X_test, Y_test = by_hand(SparsePositiveEncoder("lasso", 0.3), data, choices)
    assert_same(found[choices], expected)
    for name, responses in (("theta", fitted.predict(X_test)), ("theta_observed", Y_test)):
        theta = tuning_reorientation(X_test, responses, fitted.coef_, center=choices.center)
        assert_allclose(getattr(found[choices], name), theta, atol=1e-12)


def test_rows_of_the_tables_are_those_alignments(data):
    found = alignment_multiverse(SparsePositiveEncoder("lasso", 0.3), *data)
    table, summary = found.to_frame(), found.summary_frame()
    names = ["standardize", "fit_intercept", "center", "responses"]
    assert table.columns.tolist() == [*names, "target", "r", "theta", "n_active"]
    assert summary.columns.tolist() == [*names, "r", "theta", "n_active", "empty_fraction"]
    assert len(table) == 16 * 3
    assert len(summary) == len(summary[names].drop_duplicates()) == 16
    by_row = table.set_index(names).sort_index()
    for row in summary.itertuples():
        of_targets = by_row.loc[tuple(getattr(row, name) for name in names)]
        one = found[row.standardize, row.fit_intercept, row.center]
        theta = one.theta if row.responses == "predicted" else one.theta_observed
        assert_allclose(of_targets["theta"], theta)
        assert_allclose(of_targets["r"], one.r)
        assert_allclose([row.r, row.n_active], [np.nansum(one.r) / 3, one.n_active.mean()])
        has_theta = one.n_active > 0
        assert_allclose(row.theta, theta[has_theta].mean())
        assert_allclose(row.empty_fraction, 1 - has_theta.mean())
    assert summary["empty_fraction"].max() > 0
    assert summary["theta"].max() - summary["theta"].min() > 0.2


def test_intercept_and_center_are_no_matter_once_all_is_standardized(data):
    """By the images to fit, that is: means of the test images are near 0."""
    X, Y, *_ = data
    found = alignment_multiverse(SparsePositiveEncoder("lasso", 0.3), X, Y, X, Y)
    first, *others = (found[choices] for choices in CHOICES if choices.standardize)
    for other in others:
        assert_same(other, first)


MODELS = {
    "pipeline": make_pipeline(FunctionTransformer(), SparsePositiveEncoder("lasso", 0.3)),
    "own scaler": make_pipeline(StandardScaler(), SparsePositiveEncoder("lasso", 0.3)),
    "of targets": TransformedTargetRegressor(
        make_pipeline(StandardScaler(), SparsePositiveEncoder("lasso", 0.3)),
        transformer=StandardScaler(),
    ),
    "targets in a pipeline": TransformedTargetRegressor(
        SparsePositiveEncoder("lasso", 0.3),
        transformer=make_pipeline(FunctionTransformer(), StandardScaler()),
    ),
    "search": GridSearchCV(
        make_pipeline(FunctionTransformer(), SparsePositiveEncoder("lasso")),
        {"sparsepositiveencoder__alpha": [0.3]},
    ),
    "search of a scaled pipeline": make_pipeline(
        StandardScaler(), GridSearchCV(SparsePositiveEncoder(), {"alpha": [0.3]})
    ),
    "one by one": MultiOutputRegressor(SparsePositiveEncoder("lasso", 0.3)),
    "scikit-learn": make_pipeline(Lasso(0.3, positive=True, tol=1e-12)),
}


@pytest.mark.filterwarnings("ignore:.* left empty:UserWarning")
@pytest.mark.parametrize("name", MODELS)
def test_any_model_makes_the_same_choices(data, name):
    found = alignment_multiverse(MODELS[name], *data)
    for choices in CHOICES:
        _, expected, _, _ = by_hand(SparsePositiveEncoder("lasso", 0.3), data, choices)
        for measure in ("r", "theta", "theta_observed", "n_active"):
            one, other = (getattr(side, measure) for side in (found[choices], expected))
            assert_allclose(one, other, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.* left empty:UserWarning")
def test_an_encoder_chooses_anew_or_keeps_its_choice(data):
    encoder = SparsePositiveEncoderCV("lasso", 6, cv=3)
    kept = alignment_multiverse(encoder, *data, keep_alpha=True)
    anew = alignment_multiverse(encoder, *data)
    chosen = SparsePositiveEncoder("lasso", encoder.fit(*data[:2]).alpha_)
    for choices in CHOICES:
        assert_same(kept[choices], by_hand(chosen, data, choices)[1])
        assert_same(anew[choices], by_hand(encoder, data, choices)[1])


def test_features_are_standardized_behind_a_localizer(data):
    """Which sees its units as they are: scores of unlike units would change by scaling them."""
    X, Y, X_test, Y_test = data
    shown = np.random.default_rng(0).exponential(size=(40, 6)) * [1, 5, 0.3, 1, 2, 1]
    shown[:20, [1, 4]] += 5
    kinds = np.repeat(["face", "scene"], 20)
    localizer = SelectiveUnitLocalizer("face", n_units=2, stimuli=(shown, kinds))
    encoder = make_pipeline(localizer, SparsePositiveEncoder("ridge", 1.0, positive=False))
    found = alignment_multiverse(encoder, *data)
    units = [1, 4]
    cut = X[:, units], Y, X_test[:, units], Y_test
    for choices in CHOICES:
        bare = SparsePositiveEncoder("ridge", 1.0, positive=False)
        assert_same(found[choices], by_hand(bare, cut, choices)[1])


def test_weights_of_images(data):
    X, Y, X_test, Y_test = data
    weight, test_weight = np.linspace(0, 1, 100), np.linspace(0, 1, 60)
    pipeline = make_pipeline(FunctionTransformer(), Ridge())
    found = alignment_multiverse(
        pipeline, *data, sample_weight=weight, test_sample_weight=test_weight
    )
    (one, one_test), (of_one, of_test) = (
        [(part - train.mean(0)) / train.std(0) for part in (train, test)]
        for train, test in ((X, X_test), (Y, Y_test))
    )
    fitted = Ridge().fit(one, of_one, sample_weight=weight)
    expected = alignment(fitted, one_test, of_test, sample_weight=test_weight)
    assert_same(found[True, True, False], expected)
    with config_context(enable_metadata_routing=True):
        ridge = Ridge().set_fit_request(sample_weight=True)
        routed = alignment_multiverse(
            make_pipeline(FunctionTransformer(), ridge), *data, sample_weight=weight
        )
    assert_allclose(routed[True, True, False].n_active, 6)


def test_sparse_features_are_scaled(data):
    X, Y, X_test, Y_test = data
    X, X_test = (np.where(part > 1, part, 0) for part in (X, X_test))
    for encoder in (SparsePositiveEncoder(), make_pipeline(MaxAbsScaler(), LinearRegression())):
        of_sparse = alignment_multiverse(
            encoder, sparse.csr_array(X), Y, sparse.csr_array(X_test), Y_test
        )
        dense = alignment_multiverse(encoder, X, Y, X_test, Y_test)
        assert_same(of_sparse[True, True, True], dense[True, True, True])
        assert_same(of_sparse[False, False, False], dense[False, False, False])


def test_responses_to_fit_may_be_missing(data):
    X, Y, X_test, Y_test = data
    Y = np.where(np.arange(300).reshape(100, 3) % 7 == 0, np.nan, Y)
    encoder = SparsePositiveEncoder("lasso", 0.3, missing="mask")
    found = alignment_multiverse(encoder, X, Y, X_test, Y_test)
    (one, one_test), (of_one, of_test) = (
        [(part - np.nanmean(fit, 0)) / np.nanstd(fit, 0) for part in (fit, test)]
        for fit, test in ((X, X_test), (Y, Y_test))
    )
    fitted = SparsePositiveEncoder("lasso", 0.3, missing="mask").fit(one, of_one)
    assert_same(found[True, True, False], alignment(fitted, one_test, of_test))


def test_names_of_targets_and_a_single_one(data):
    X, Y, X_test, Y_test = data
    names = ["a", "b", "c"]
    found = alignment_multiverse(
        SparsePositiveEncoder(), X, pd.DataFrame(Y, columns=names), X_test, Y_test
    )
    assert found.to_frame()["target"].tolist() == names * 16
    single = alignment_multiverse(SparsePositiveEncoder(), X, Y[:, 1], X_test, Y_test[:, 1])
    for choices in CHOICES:
        assert_array_equal(single[choices].n_active, found[choices].n_active[1:2])
        assert_allclose(single[choices].theta, found[choices].theta[1:2], atol=1e-12)
    with pytest.raises(ValueError, match="y_test"):
        alignment_multiverse(
            SparsePositiveEncoder(),
            X,
            pd.DataFrame(Y, columns=names),
            X_test,
            pd.DataFrame(Y_test, columns=names[::-1]),
        )


def test_what_cannot_be_chosen_is_refused(data):
    grid = {"fit_intercept": [True, False]}
    with pytest.raises(TypeError, match="must not search over fit_intercept, for fit_intercept is"):
        alignment_multiverse(GridSearchCV(SparsePositiveEncoder(), grid), *data)
    grid = {"standardscaler": [StandardScaler(), "passthrough"]}
    search = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), grid)
    with pytest.raises(TypeError, match="must not search over standardscaler"):
        alignment_multiverse(search, *data)
    search.set_params(param_grid={"standardscaler__with_mean": [True, False]})
    with pytest.raises(TypeError, match="over standardscaler__with_mean, for standardscaler is"):
        alignment_multiverse(search, *data)
    frozen = FrozenEstimator(SparsePositiveEncoder().fit(*data[:2]))
    with pytest.raises(TypeError, match="must not be frozen"):
        alignment_multiverse(frozen, *data)
    with pytest.raises(TypeError, match="keep_alpha must be"):
        alignment_multiverse(SparsePositiveEncoder(), *data, keep_alpha=1)
    found = alignment_multiverse(SparsePositiveEncoder(), *data)
    with pytest.raises(KeyError, match="choices must be one of"):
        found[1, 2, 3]
