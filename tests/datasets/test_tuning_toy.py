"""The toy is the published draw, and any other that is asked for."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import nnls

from skalign import SparsePositiveEncoder, tuning_reorientation
from skalign.datasets import make_tuning_toy


def test_default_is_the_published_draw():
    features = np.random.RandomState(1).randn(100, 2) * 1.5 - 0.75
    toy = make_tuning_toy()
    assert_array_equal(toy.X, features.T)
    assert_array_equal(toy.y, [3, 2.5])
    # Written out, should the legacy stream ever change under both.
    assert_allclose(toy.X[:, :2], [[1.68651805, -1.54225763], [-1.66763462, -2.35945293]])
    assert toy.X.flags.c_contiguous
    assert toy.DESCR


def test_a_random_state_goes_on():
    stream = np.random.RandomState(1)
    first, second = make_tuning_toy(random_state=stream), make_tuning_toy(random_state=stream)
    assert_array_equal(first.X, make_tuning_toy(random_state=1).X)
    assert not np.isin(second.X, first.X).any()
    assert_array_equal(make_tuning_toy(random_state=3).X, make_tuning_toy(random_state=3).X)


def test_features_have_the_moments_of_the_recipe():
    X = make_tuning_toy(n_features=40_000, random_state=0).X
    assert X.shape == (2, 40_000)
    assert_allclose(X.mean(axis=1), -0.75, atol=0.04)
    assert_allclose(np.cov(X), 1.5**2 * np.eye(2), atol=0.05)


def test_a_target_of_its_own_for_every_caller():
    make_tuning_toy().y[:] = 0
    assert_array_equal(make_tuning_toy().y, [3, 2.5])


@pytest.mark.parametrize(("n_features", "error"), [(0, ValueError), (2.5, TypeError)])
def test_impossible_number_of_features_is_named(n_features, error):
    with pytest.raises(error, match="n_features"):
        make_tuning_toy(n_features=n_features)


def test_positive_weights_turn_less():
    toy = make_tuning_toy()
    theta = {}
    for positive in (False, True):
        encoder = SparsePositiveEncoder("lasso", 0.5, positive=positive, fit_intercept=False)
        (theta[positive],) = tuning_reorientation(toy.X, toy.y, encoder.fit(toy.X, toy.y).coef_)
    assert theta[True] < 0.1
    assert theta[False] > 1.8


def test_positive_least_squares_has_no_single_theta():
    toy = make_tuning_toy()
    thetas = []
    for pair in combinations(range(100), 2):
        weights = np.linalg.solve(toy.X[:, pair], toy.y)
        if (weights >= 0).all():
            thetas += [*tuning_reorientation(toy.X[:, pair], toy.y, weights)]
    assert len(thetas) > 100
    assert min(thetas) < 0.05
    assert max(thetas) > 1
    ours = SparsePositiveEncoder("ols", fit_intercept=False).fit(toy.X, toy.y).coef_
    for weights in (ours, nnls(toy.X, toy.y)[0]):
        assert_allclose(toy.X @ weights, toy.y)
        assert (weights >= 0).all()
