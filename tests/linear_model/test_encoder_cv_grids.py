"""Alphas and l1_ratios that SparsePositiveEncoderCV chooses from."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from tests.cross_validation import SCORES, fit_quietly


def test_grids_start_where_the_first_weight_appears(data):
    X, Y, _ = data
    encoder = fit_quietly(SparsePositiveEncoderCV(cv=3), X, Y)
    alphas = encoder.cv_results_["param_alpha"]
    assert alphas.shape == (10, 5)
    assert_allclose(alphas[0] / alphas[-1], 100)
    at_max = SparsePositiveEncoder(alpha=alphas[0]).fit(X, Y)
    below = SparsePositiveEncoder(alpha=0.999 * alphas[0]).fit(X, Y)
    assert not at_max.coef_.any()
    assert_array_equal((below.coef_ > 0).sum(axis=1), 1)
    shared = fit_quietly(SparsePositiveEncoderCV(cv=3, alpha_per_target=False), X, Y)
    assert_allclose(shared.cv_results_["param_alpha"][0], alphas[0].max())
    ridge = SparsePositiveEncoderCV("ridge", 7, cv=3, positive=False).fit(X, Y)
    largest = np.linalg.norm(X - X.mean(axis=0), 2) ** 2
    assert_allclose(ridge.cv_results_["param_alpha"][:, 0], largest * np.logspace(0, -6, 7))


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("ratios", [[0.1, 1.0, 0.5], [0.0, 0.5]])
def test_every_ratio_has_the_grid_that_it_would_have_alone(data, ratios, positive):
    X, Y, weight = data
    settings = {"alphas": 4, "cv": 3, "positive": positive, "compute_theta": True}
    encoder = fit_quietly(
        SparsePositiveEncoderCV("elasticnet", l1_ratio=ratios, **settings), X, Y, weight
    )
    results = encoder.cv_results_
    assert_array_equal(results["param_l1_ratio"], sorted(ratios, reverse=True) * 4)
    for ratio in ratios:
        alone = fit_quietly(
            SparsePositiveEncoderCV("elasticnet", l1_ratio=ratio, **settings), X, Y, weight
        )
        rows = results["param_l1_ratio"] == ratio
        assert (np.diff(results["param_alpha"][rows], axis=0) < 0).all()
        for name in ["param_alpha", *SCORES]:
            assert_allclose(results[name][rows], alone.cv_results_[name], atol=1e-9)
