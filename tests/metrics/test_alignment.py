"""Alignment target by target, against its parts computed by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import AlignmentScorer, SparsePositiveEncoder
from skalign.metrics import Alignment, alignment, pearson_r, tuning_reorientation


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


def test_summary_by_hand():
    nan = np.nan
    found = Alignment(
        r=np.array([0.5, nan, 0.4, nan]),
        theta=np.array([0.2, nan, 0.6, nan]),
        n_active=np.array([3, 0, 1, 2]),  # the last has weights, and a constant prediction
    )
    assert found.summary() == pytest.approx(
        {
            "r": 0.9 / 4,
            "theta": 0.4,
            "penalized_theta": (0.2 + 2 + 0.6 + 2) / 4,
            "n_active": 1.5,
            "empty_fraction": 0.25,
        }
    )
    other = found.summary(undefined_r=-1.0, undefined_theta=1.0)
    assert other == found.summary() | {"r": (0.9 - 2) / 4, "penalized_theta": 0.7}


def test_summary_of_empty_targets_alone():
    nothing = np.full(2, np.nan)
    means = Alignment(nothing, nothing, np.zeros(2, np.int64)).summary()
    assert np.isnan(means.pop("theta"))
    assert means == {"r": 0, "penalized_theta": 2, "n_active": 0, "empty_fraction": 1}


@pytest.mark.parametrize("undefined", [{}, {"undefined_r": -1.0, "undefined_theta": 1.5}])
def test_summary_is_the_same_whatever_the_targets_were_filled_with(data, undefined):
    X, Y = data
    Y[:, 1] = np.random.default_rng(1).standard_normal(60)
    model = SparsePositiveEncoder("lasso", 1.0).fit(X, Y)
    filled = alignment(model, X, Y, **undefined)
    assert 0 in filled.n_active
    assert filled.summary(**undefined) == alignment(model, X, Y).summary(**undefined)


@pytest.mark.parametrize("undefined", [{}, {"undefined_r": -1.0, "undefined_theta": 0.5}])
def test_means_are_the_scores(data, undefined):
    X, Y = data
    Y[:, 1] = np.random.default_rng(1).standard_normal(60)
    model = SparsePositiveEncoder("lasso", 1.0).fit(X, Y)
    means = alignment(model, X, Y).summary(**undefined)
    scores = AlignmentScorer(**undefined)(model, X, Y)
    assert scores == pytest.approx(
        {
            "r": means["r"],
            "neg_theta": -means["penalized_theta"],
            "n_active": means["n_active"],
            "nonempty_fraction": 1 - means["empty_fraction"],
        }
    )
    theta = undefined.get("undefined_theta", 2.0)
    theta -= (scores["neg_theta"] + theta) / scores["nonempty_fraction"]
    assert theta == pytest.approx(means["theta"])  # as the page of the scorer says


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
