"""Encoders whose targets miss responses: each is what it would be alone, on its own images."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV

from skalign import SparsePositiveEncoder
from skalign.linear_model import sparse_positive_path


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    y = X[:, :3] @ rng.uniform(0, 1, (3, 4)) + 0.3 * rng.standard_normal((60, 4))
    y[rng.random(y.shape) < 0.2] = np.nan
    y[:, 3] = np.where(np.isnan(y[:, 2]), np.nan, y[:, 3])
    return X, y


def alone(model, X, y, target):
    kept = ~np.isnan(y[:, target])
    return clone(model).fit(X[kept], y[kept, target])


def test_every_target_is_fitted_as_if_alone(data):
    X, y = data
    encoder = SparsePositiveEncoder(alpha=0.05, missing="mask").fit(X, y)
    for target in range(4):
        expected = alone(encoder, X, y, target)
        np.testing.assert_allclose(encoder.coef_[target], expected.coef_, atol=1e-12)
        np.testing.assert_allclose(encoder.intercept_[target], expected.intercept_, atol=1e-12)
    single = clone(encoder).fit(X, y[:, 0])
    assert single.coef_.shape == (5,)
    np.testing.assert_allclose(single.coef_, encoder.coef_[0], atol=1e-12)


def test_path_is_that_of_every_target_alone(data):
    X, y = data
    path = sparse_positive_path(X, y, alphas=5, missing="mask")
    kept = ~np.isnan(y[:, 1])
    expected = sparse_positive_path(X[kept], y[kept, 1], alphas=5)
    np.testing.assert_allclose(path.coef[:, 1], expected.coef[:, 0], atol=1e-12)
    with pytest.raises(ValueError, match=r"NaN in 4 of 4 targets"):
        sparse_positive_path(X, y)


def test_without_missing_responses_nothing_changes(data):
    X, y = data
    y = np.nan_to_num(y)
    encoder = SparsePositiveEncoder(missing="mask").fit(X, y)
    expected = SparsePositiveEncoder().fit(X, y)
    np.testing.assert_array_equal(encoder.coef_, expected.coef_)
    assert encoder.score(X, y) == pytest.approx(expected.score(X, y), abs=1e-14)


def test_default_refuses_missing_responses_with_numbers_and_remedy(data):
    X, y = data
    n_images = np.isnan(y).any(axis=1).sum()
    message = rf"NaN in 4 of 4 targets, first in target 0, and in {n_images} of 60 images\. Use "
    encoder = SparsePositiveEncoder()
    with pytest.raises(ValueError, match=message):
        encoder.fit(X, y)
    assert not hasattr(encoder, "coef_")


MISSING_KINDS = {
    "None in objects": lambda y: np.where(np.isnan(y), None, y.astype(object)),
    "list": lambda y: np.where(np.isnan(y), None, y.astype(object)).tolist(),
    "pandas": pd.DataFrame,
    "nullable": lambda y: pd.DataFrame(y).convert_dtypes(),
    "float32": lambda y: y.astype(np.float32),
    "masked": lambda y: np.ma.array(np.nan_to_num(y, nan=7.0), mask=np.isnan(y)),
}


@pytest.mark.parametrize("kind", MISSING_KINDS)
def test_what_counts_as_missing(data, kind):
    X, y = data
    y = y.round(3)
    encoder = SparsePositiveEncoder(missing="mask").fit(X, MISSING_KINDS[kind](y))
    expected = SparsePositiveEncoder(missing="mask").fit(X, y)
    np.testing.assert_allclose(encoder.coef_, expected.coef_, atol=1e-6)


@pytest.mark.parametrize("wrap", [np.asarray, np.ndarray.tolist])
def test_objects_that_are_no_numbers_are_refused(data, wrap):
    X, y = data
    y = y.astype(object)
    y[0, 0] = pd.NA
    with pytest.raises(ValueError, match=r"y must be made of numbers, and of NaN or None .*NAType"):
        SparsePositiveEncoder(missing="mask").fit(X, wrap(y))


def test_infinite_responses_and_missing_features_are_refused(data):
    X, y = data
    y[5, 2] = np.inf
    encoder = SparsePositiveEncoder(missing="mask")
    with pytest.raises(ValueError, match=r"infinity .* first in target 2"):
        encoder.fit(X, y)
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        encoder.fit(X, y)


def test_targets_that_were_never_observed_are_empty_and_warned_of(data):
    X, y = data
    y[:, 1] = np.nan
    with pytest.warns(UserWarning, match=r"1 of 4 targets have no observed image \(targets 1\)"):
        encoder = SparsePositiveEncoder(missing="mask").fit(X, y)
    assert not encoder.coef_[1].any()
    assert encoder.intercept_[1] == 0
    assert np.isfinite(encoder.predict(X)).all()
    with pytest.raises(ValueError, match=r"y must have observed responses .* in all 4 target"):
        SparsePositiveEncoder(missing="mask").fit(X, np.full_like(y, np.nan))


def test_score_is_over_the_observed_images(data):
    X, y = data
    weight = np.random.default_rng(1).uniform(0.5, 2, 60)
    encoder = SparsePositiveEncoder(alpha=0.05, missing="mask").fit(X, y)
    for sample_weight in (None, weight):
        expected = [
            r2_score(
                y[kept, target],
                encoder.predict(X)[kept, target],
                sample_weight=None if sample_weight is None else sample_weight[kept],
            )
            for target, kept in enumerate(~np.isnan(y.T))
        ]
        assert encoder.score(X, y, sample_weight) == pytest.approx(np.mean(expected))
    y[1:, 0] = np.nan
    assert encoder.score(X, y) == pytest.approx(
        np.mean(
            [
                r2_score(y[kept, target], encoder.predict(X)[kept, target])
                for target, kept in enumerate(~np.isnan(y.T))
                if target
            ]
        )
    )
    assert np.isnan(encoder.score(X, np.full_like(y, np.nan)))
    with pytest.raises(ValueError, match='missing must be "error" or "mask"'):
        encoder.set_params(missing="drop").score(X, y)
    with pytest.raises(ValueError, match="NaN"):
        SparsePositiveEncoder().fit(X, np.nan_to_num(y)).score(X, y)


def test_search_of_scikit_learn_takes_missing_responses(data):
    X, y = data
    grid = {"alpha": [0.01, 0.1, 10.0]}
    search = GridSearchCV(SparsePositiveEncoder(missing="mask"), grid, error_score="raise")
    assert search.fit(X, y).best_params_["alpha"] < 10


def test_partial_fit_refuses_missing_responses(data):
    X, y = data
    encoder = SparsePositiveEncoder(missing="mask")
    encoder.partial_fit(X, np.nan_to_num(y))
    moments = encoder.moments_
    with pytest.raises(
        ValueError, match=r"NaN in 4 of 4 .*fit with missing=.mask. on all sessions"
    ):
        encoder.partial_fit(X, y)
    assert encoder.moments_ is moments
