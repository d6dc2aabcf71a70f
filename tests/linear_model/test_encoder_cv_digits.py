"""Where SparsePositiveEncoderCV could lose digits: folds by subtraction, constants, scales of y."""

import warnings
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
)

from skalign import SparsePositiveEncoderCV
from tests.cross_validation import TABLES, assert_is_loop, fit_quietly, loop


@pytest.mark.parametrize(
    ("dtype", "factor"),
    [(np.float64, 1e3), (np.float64, 1e5), (np.float64, 1e8), (np.float32, 30), (np.float32, 1e4)],
)
def test_what_subtraction_loses_is_computed_afresh(dtype, factor):
    """A feature and a target that have all but a trace of their norm in the first fold."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    Y = X @ rng.exponential(size=(4, 3)) + rng.standard_normal((40, 3))
    X[:10, 1] *= factor
    Y[:10, 2] *= 100 * factor
    X, Y = X.astype(dtype), Y.astype(dtype)
    splits = list(KFold(4).split(X))
    encoder = SparsePositiveEncoderCV(alphas=[0.1, 0.01], cv=4).fit(X, Y)
    found = loop(encoder, X, Y, splits, [0.1, 0.01])
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    assert found.n_active[0, 1].min() > 1  # the feature's weight matters without the first fold
    assert_allclose(encoder.cv_results_["mean_test_r"], found.r.mean(axis=0), atol=tolerance)


def test_constants_cost_nothing(data):
    """Silent units and voxels, constant everywhere or in a training part only."""
    X, Y, weight = data
    X[:, 0], X[15:, 1] = 0, 7.3
    Y[:, 1], Y[:, 2] = 0, 5.1
    Y[15:, 3] = 2.2
    encoder = SparsePositiveEncoderCV(alphas=[0.1, 0.01], cv=4)
    with pytest.warns(UserWarning, match="left empty"):
        encoder.fit(X, Y, weight)
    assert_is_loop(encoder, loop(encoder, X, Y, list(KFold(4).split(X)), [0.1, 0.01], weight))
    assert {1, 2} <= set(encoder.empty_targets_)


@pytest.mark.parametrize(("penalty", "alpha"), [("ols", 0), ("ridge", 1.0), ("elasticnet", 0.1)])
def test_rounding_in_a_fold_is_not_fitted(penalty, alpha):
    """In the training part of one fold targets are orthogonal to all features."""
    rng = np.random.default_rng(0)
    factorial = np.array(list(product([-1.0, 1.0], repeat=4)))
    orthogonal = (factorial[:, 0] * factorial[:, 1])[:, None] * rng.uniform(0.1, 1, 4)
    other = rng.standard_normal((16, 3))
    X = np.vstack([other, factorial[:, :3] * rng.uniform(0.1, 1, 3)])
    Y = np.vstack([other @ np.ones((3, 4)), orthogonal])
    encoder = SparsePositiveEncoderCV(penalty, [alpha], l1_ratio=0, cv=2)
    with pytest.warns(UserWarning, match="4 of 4 targets were left empty"):
        encoder.fit(X, Y)
    assert_array_equal(encoder.cv_results_["mean_test_n_active"], 1.5)
    assert_array_equal(encoder.cv_results_["mean_test_r"], 0)


def test_folds_that_do_not_converge_are_told(data):
    X, Y, _ = data
    encoder = SparsePositiveEncoderCV("lasso", [1e-6], max_iter=1, positive=False)
    with pytest.warns(ConvergenceWarning) as warned:
        encoder.fit(X, Y[:, :4])
    messages = [str(one.message) for one in warned]
    assert any(message.startswith("In the folds, 4 of 4 targets") for message in messages)
    assert (encoder.cv_results_["max_kkt_violation"] > 1e-7).all()


@pytest.mark.parametrize("cv", [3, ShuffleSplit(3, random_state=0)])
@pytest.mark.parametrize("exponent", [256, -282, 400, -400])  # 1e77, 1e-85, 3e120, 4e-121
def test_units_of_the_targets_do_not_matter(data, exponent, cv):
    X, Y, _ = data
    plain = fit_quietly(SparsePositiveEncoderCV(cv=cv), X, Y)
    scaled = fit_quietly(SparsePositiveEncoderCV(cv=cv), X, Y * 2.0**exponent)
    assert_array_equal(scaled.best_index_, plain.best_index_)
    for name in TABLES:
        assert_allclose(scaled.cv_results_[name], plain.cv_results_[name], rtol=1e-10, atol=1e-10)
    assert_allclose(scaled.alpha_ * 2.0**-exponent, plain.alpha_, rtol=1e-10)
    assert_allclose(scaled.coef_ * 2.0**-exponent, plain.coef_, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("positive", [True, False])  # moments; images
@pytest.mark.parametrize(("dtype", "size"), [(np.float64, 1e-200), (np.float32, 1e-85)])
def test_targets_too_small_for_their_squares_are_refused(data, dtype, size, positive):
    X, Y, _ = data
    Y[:, 2] *= size
    encoder = SparsePositiveEncoderCV("ridge", [1.0], positive=positive)
    with pytest.raises(ValueError, match=r"y must .* in target 2\. Scale y"):
        encoder.fit(X.astype(dtype), Y)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(("dtype", "size"), [(np.float64, 1e200), (np.float32, 1e50)])
def test_targets_too_large_for_their_squares_are_refused(data, dtype, size, positive):
    X, Y, _ = data
    Y[:, 2] *= size
    encoder = SparsePositiveEncoderCV("ridge", [1.0], positive=positive)
    with pytest.raises(ValueError, match=r"too large for float\d\d, first in target 2\."):
        encoder.fit(X.astype(dtype), Y)


@pytest.mark.parametrize("cv", [3, ShuffleSplit(3, random_state=0)])
@pytest.mark.parametrize(("dtype", "mean"), [(np.float64, 1e13), (np.float32, 1e7)])
def test_a_mean_that_drowns_the_spread_is_told(data, dtype, mean, cv):
    X, Y, _ = data
    Y[:, 1] += mean * Y[:, 1].std()
    Y[:, 3] = mean  # a constant is no reason to warn
    encoder = SparsePositiveEncoderCV(alphas=[0.1], cv=cv)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoder.fit(X.astype(dtype), Y)
    told = [str(one.message) for one in caught if "times their spread" in str(one.message)]
    assert len(told) == 1
    assert told[0].startswith("1 of 5 targets")
    assert "(targets 1)" in told[0]
    assert {one.filename for one in caught} == {__file__}
