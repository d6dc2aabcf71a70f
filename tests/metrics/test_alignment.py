"""Alignment target by target, against its parts computed by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import AlignmentScorer, SparsePositiveEncoder
from skalign.metrics import alignment, pearson_r, tuning_reorientation


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5)) * [1, 2, 3, 4, 5] + 1
    Y = X @ rng.standard_normal((5, 3)) + rng.standard_normal((60, 3))
    return X, Y


def test_is_that_of_the_map_inside(data):
    X, Y = data
    weight = np.random.default_rng(1).random(60)
    model = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), Ridge()), transformer=StandardScaler()
    ).fit(X, Y)
    scaled = StandardScaler().fit_transform(X)
    inner = model.regressor_[-1]
    found = alignment(model, X, Y, sample_weight=weight)
    assert_allclose(found.r, pearson_r(Y, model.predict(X), sample_weight=weight))
    theta = tuning_reorientation(scaled, inner.predict(scaled), inner.coef_, sample_weight=weight)
    assert_allclose(found.theta, theta)
    assert_array_equal(found.n_active, 5)


def test_means_are_the_scores(data):
    X, Y = data
    model = SparsePositiveEncoder("lasso", 0.5).fit(X, Y)
    found = alignment(model, X, Y, undefined_r=0.0, undefined_theta=2.0)
    scores = AlignmentScorer()(model, X, Y)
    assert_allclose(scores["r"], found.r.mean())
    assert_allclose(scores["neg_theta"], -found.theta.mean())
    assert scores["n_active"] == found.n_active.mean()


def test_empty_target_is_undefined_or_what_is_asked(data):
    X, Y = data
    model = SparsePositiveEncoder("lasso", 1e3).fit(X, Y)
    found = alignment(model, X, Y)
    assert np.isnan(found.r).all()
    assert np.isnan(found.theta).all()
    assert_array_equal(found.n_active, 0)
    found = alignment(model, X, Y, undefined_r=0.0, undefined_theta=2.0)
    assert_array_equal(found.r, 0)
    assert_array_equal(found.theta, 2)


def test_frame_has_a_row_per_target(data):
    pytest.importorskip("pandas")
    X, Y = data
    found = alignment(SparsePositiveEncoder().fit(X, Y), X, Y)
    frame = found.to_frame()
    assert list(frame.columns) == ["target", "r", "theta", "n_active"]
    assert_array_equal(frame["theta"], found.theta)


def test_unknown_target_is_named(data):
    X, Y = data
    with pytest.raises(ValueError, match="target must be"):
        alignment(Ridge().fit(X, Y), X, Y, target="real")
