"""Scores from moments against those of the images themselves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

from skalign.metrics import pearson_r, scores_of_moments, tuning_reorientation
from skalign.metrics._map_scores import scores_of_map
from skalign.solvers import Moments


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 12)) + rng.uniform(-2, 2, 12)
    X[:, 3] = 0.7  # a silent unit
    coef = rng.standard_normal((6, 12)) * (rng.random((6, 12)) < 0.5)
    coef[4] = 0  # an empty fit
    Y = X @ coef.T + rng.standard_normal((40, 6)) + 5
    Y[:, 5] = 2.0  # a silent voxel
    return X, Y, coef, rng.standard_normal(6), rng.uniform(0, 2, 40)


@pytest.mark.parametrize("sparsity", ["dense", "few"])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_equal_those_of_the_images(images, positive, weighted, center, sparsity):
    X, Y, coef, intercept, weight = images
    if positive:
        coef = np.abs(coef)
    if sparsity == "few":
        coef[:, 2:] = 0
    weight = weight if weighted else None
    moments = Moments.of(X, Y, weight)
    scores = scores_of_moments(moments, coef, intercept, center=center)
    predicted = X @ coef.T + intercept
    r = pearson_r(Y, predicted, sample_weight=weight)
    assert_allclose(scores.r, r, atol=1e-12)
    options = {"center": center, "sample_weight": weight}
    for theta, reached in ((scores.theta, predicted), (scores.theta_observed, Y)):
        assert_allclose(theta, tuning_reorientation(X, reached, coef, **options), atol=1e-12)
    found = scores_of_map(X, predicted, Y, coef, **options)
    assert_allclose(scores.n_effective, found.n_effective, atol=1e-12)
    assert_allclose(scores.theta_floor, found.theta_floor, atol=1e-12)
    assert np.isnan(scores.theta_floor).tolist() == [
        not (row.any() and (row >= 0).all()) or not (row[np.arange(12) != 3].any() or not center)
        for row in coef
    ]
    r2 = r2_score(Y, predicted, sample_weight=weight, multioutput="raw_values")
    assert_allclose(scores.r2[:5], r2[:5], atol=1e-11)
    assert_array_equal(np.isnan(scores.r2), [False] * 5 + [True])
    assert_array_equal(scores.n_active, np.count_nonzero(coef, axis=1))


@pytest.mark.parametrize("exponent", [256, -282, 450, -450])  # 1e77, 1e-85, 3e135, 3e-136
def test_units_of_the_responses_do_not_matter(images, exponent):
    X, Y, coef, intercept, _ = images
    scale = 2.0**exponent
    plain = scores_of_moments(Moments.of(X, Y), coef, intercept, center=False)
    scaled = Moments.of(X, Y * scale)
    scores = scores_of_moments(scaled, coef * scale, intercept * scale, center=False)
    for expected, found in zip(plain, scores, strict=True):
        assert_array_equal(found, expected)
