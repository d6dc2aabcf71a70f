"""Measures with missing responses: every target as if alone, on its own images."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import AlignmentScorer, PearsonScorer, SparsePositiveEncoder, TuningReorientationScorer
from skalign.metrics import alignment, pearson_r, tuning_reorientation

N_IMAGES, N_TARGETS = 40, 6
SCORERS = [
    PearsonScorer,
    TuningReorientationScorer,
    lambda **options: TuningReorientationScorer(target="observed", **options),
]


def make(seed=0, share=0.2):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N_IMAGES, 5)) + 0.5
    weights = rng.uniform(-0.2, 1, (5, N_TARGETS))
    y = X @ weights + rng.standard_normal((N_IMAGES, N_TARGETS))
    y[rng.random(y.shape) < share] = np.nan
    y[:, 3] = np.where(np.isnan(y[:, 4]), np.nan, y[:, 3])
    y[:, 5] = np.nan_to_num(y[:, 5])
    return X, y, rng.integers(0, 3, N_IMAGES).astype(float)


@pytest.fixture
def data():
    return make()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), share=st.sampled_from([0.05, 0.5, 0.9]), weighted=st.booleans())
def test_measures_are_those_of_every_target_alone(seed, share, weighted):
    X, y, weight = make(seed, share)
    rng = np.random.default_rng(seed)
    y_pred, coef = rng.standard_normal(y.shape), rng.standard_normal((N_TARGETS, 5))
    options = {"sample_weight": weight} if weighted else {}
    r = pearson_r(y, y_pred, missing="mask", **options)
    theta = tuning_reorientation(X, y, coef, center=True, missing="mask", **options)
    for target in range(N_TARGETS):
        kept = ~np.isnan(y[:, target]) & (weight > 0 if weighted else True)
        own = {"sample_weight": weight[kept]} if weighted else {}
        if kept.sum() < 2:
            assert np.isnan(r[target])
            assert np.isnan(theta[target])
            continue
        one = [target]
        expected = pearson_r(y[kept][:, one], y_pred[kept][:, one], **own)
        assert_allclose(r[one], expected, atol=1e-13)
        expected = tuning_reorientation(X[kept], y[kept][:, one], coef[one], center=True, **own)
        assert_allclose(theta[one], expected, atol=1e-13)


def test_undefined_and_unobserved_targets(data):
    X, y, _ = data
    y[:, 0], y[1:, 1], y[:, 2] = np.nan, np.nan, np.where(np.isnan(y[:, 2]), np.nan, 3.0)
    y_pred, coef = np.nan_to_num(y[::-1]), np.ones((N_TARGETS, 5))
    assert np.isnan(pearson_r(y, y_pred, missing="mask")[:3]).all()
    assert_array_equal(pearson_r(y, y_pred, missing="mask", undefined=0)[:3], 0)
    theta = tuning_reorientation(X, y, coef, missing="mask", undefined=2)
    assert theta[0] == 2
    assert (theta[1:] < 2).all()  # one image has a direction where nothing is centered


@pytest.mark.parametrize("make_sparse", [sparse.csr_array, sparse.csc_array])
def test_sparse_features_and_weights(data, make_sparse):
    X, y, weight = data
    coef = np.abs(np.random.default_rng(1).standard_normal((N_TARGETS, 5)))
    options = {"sample_weight": weight, "missing": "mask"}
    expected = tuning_reorientation(X, y, coef, **options)
    found = tuning_reorientation(make_sparse(X), y, sparse.csr_array(coef), **options)
    assert_allclose(found, expected, atol=1e-12)
    as_frame = tuning_reorientation(pd.DataFrame(X), pd.DataFrame(y), coef, **options)
    assert_allclose(as_frame, expected)


MODELS = {
    "encoder": SparsePositiveEncoder(alpha=0.1, missing="mask"),
    "pipeline": make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=0.1, missing="mask")),
    "many models": MultiOutputRegressor(make_pipeline(StandardScaler(), Ridge())),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("weighted", [False, True])
def test_alignment_is_that_of_every_target_alone(data, name, weighted):
    X, y, weight = data
    y[:, 1] = np.nan
    y[1:, 2] = np.nan
    model = MODELS[name].fit(X, np.nan_to_num(y))
    options = {"sample_weight": weight} if weighted else {}
    found = alignment(model, X, y, center=True, missing="mask", **options)
    kept = ~np.isnan(y) & ((weight > 0)[:, None] if weighted else True)
    assert_array_equal(found.n_observed, kept.sum(axis=0))
    means = []
    for target in [0, 3, 4, 5]:
        own = np.flatnonzero(kept[:, target])
        whole = np.nan_to_num(y[own])  # a model asks for all its targets
        weights = {"sample_weight": weight[own]} if weighted else {}
        alone = alignment(model, X[own], whole, center=True, **weights)
        for measure in found.MEASURES:
            assert_allclose(getattr(found, measure)[target], getattr(alone, measure)[target])
        means.append([alone.r[target], alone.theta[target]])
    assert np.isnan(found.r[1:3]).all()
    assert np.isnan(found.theta[1])
    summary = found.summary()
    assert_allclose([summary["r"], summary["penalized_theta"]], np.mean(means, axis=0))
    assert list(found.to_frame()["n_observed"]) == list(found.n_observed)
    for scorer, expected in [
        (PearsonScorer(missing="mask"), summary["r"]),
        (TuningReorientationScorer(center=True, missing="mask"), -summary["penalized_theta"]),
        (
            TuningReorientationScorer(target="observed", center=True, missing="mask"),
            -summary["theta_observed"],
        ),
    ]:
        assert scorer(model, X, y, **options) == pytest.approx(expected)
    scores = AlignmentScorer(center=True, missing="mask")(model, X, y, **options)
    assert scores["r"] == pytest.approx(summary["r"])
    assert scores["neg_theta"] == pytest.approx(-summary["penalized_theta"])
    assert scores["neg_theta_observed"] == pytest.approx(-summary["theta_observed"])
    assert scores["nonempty_fraction"] == 1


KINDS = {
    "None in objects": lambda y: np.where(np.isnan(y), None, y.astype(object)),
    "nullable": lambda y: pd.DataFrame(y).convert_dtypes(),
    "masked": lambda y: np.ma.array(np.nan_to_num(y, nan=7.0), mask=np.isnan(y)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_counts_as_missing(data, kind):
    X, y, _ = data
    y = y.round(3)
    model = SparsePositiveEncoder(alpha=0.1, missing="mask").fit(X, y)
    given, y_pred = KINDS[kind](y), model.predict(X)
    assert_array_equal(
        pearson_r(given, y_pred, missing="mask"), pearson_r(y, y_pred, missing="mask")
    )
    expected = tuning_reorientation(X, y, model.coef_, missing="mask")
    assert_array_equal(tuning_reorientation(X, given, model.coef_, missing="mask"), expected)
    found = alignment(model, X, given, missing="mask")
    assert_array_equal(found.r, alignment(model, X, y, missing="mask").r)
    for scorer in SCORERS:
        one = scorer(missing="mask")
        assert one(model, X, given) == one(model, X, y)


def test_scores_are_nan_where_nothing_was_observed(data):
    X, y, _ = data
    model = SparsePositiveEncoder(missing="mask").fit(X, y)
    nothing = np.full_like(y, np.nan)
    assert all(np.isnan(make(missing="mask")(model, X, nothing)) for make in SCORERS)
    scores = AlignmentScorer(missing="mask")(model, X, nothing)
    assert all(np.isnan(value) for value in scores.values())


def test_searches_of_scikit_learn(data):
    X, y, _ = data
    model = SparsePositiveEncoder(missing="mask")
    search = GridSearchCV(
        model,
        {"alpha": [0.01, 0.1, 100]},
        scoring=AlignmentScorer(missing="mask"),
        refit="r",
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_["alpha"] < 100
    scores = cross_validate(model, X, y, cv=3, scoring=PearsonScorer(missing="mask"))
    assert np.isfinite(scores["test_score"]).all()


def test_default_refuses_with_numbers_and_remedy(data):
    X, y, _ = data
    model = SparsePositiveEncoder().fit(X, np.nan_to_num(y))
    message = r"must have no missing responses; got NaN in 5 of 6 targets, .*missing=.mask."
    calls = [
        lambda: pearson_r(y, y),
        lambda: pearson_r(y, np.nan_to_num(y)),
        lambda: tuning_reorientation(X, y, model.coef_),
        lambda: alignment(model, X, y),
        lambda: PearsonScorer()(model, X, y),
        lambda: TuningReorientationScorer(target="observed")(model, X, y),
        lambda: AlignmentScorer()(model, X, y),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()
    # Theta to the predicted responses asks nothing of the observed ones.
    assert TuningReorientationScorer()(model, X, y) < 0
    for scorer in [*SCORERS, AlignmentScorer]:
        with pytest.raises(ValueError, match='missing must be "error" or "mask"'):
            scorer(missing="drop")(model, X, y)


def test_infinite_values_are_refused(data):
    X, y, _ = data
    y[2, 2] = np.inf
    with pytest.raises(ValueError, match="y_true must be finite"):
        pearson_r(y, np.nan_to_num(y), missing="mask")
    with pytest.raises(ValueError, match="targets must be finite"):
        tuning_reorientation(X, y, np.ones((N_TARGETS, 5)), missing="mask")
    y[2, 2], y_pred = 0, np.nan_to_num(y)
    y_pred[0, 0] = y_pred[1, 1] = np.nan
    with pytest.raises(ValueError, match="y_pred must be finite"):
        pearson_r(np.nan_to_num(y), y_pred, missing="mask")
