"""What the table says of encoders."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import (
    ElasticNet,
    LassoCV,
    LinearRegression,
    MultiTaskLasso,
    Ridge,
    RidgeCV,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.benchmark._rows import describe, summarize
from skalign.metrics import alignment

NAN = np.nan


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (SparsePositiveEncoder(), ("lasso", True, 0.1)),
        (SparsePositiveEncoder("ridge", 3, positive=False), ("ridge", False, 3)),
        (SparsePositiveEncoder("ols"), ("ols", True, NAN)),
        (SparsePositiveEncoder(alpha=[1.0, 2.0, 6.0]), ("lasso", True, 2)),
        (SparsePositiveEncoder(alpha="much"), ("lasso", True, NAN)),
        (SparsePositiveEncoderCV("elasticnet"), ("elasticnet", True, NAN)),
        (LinearRegression(positive=True), ("ols", True, NAN)),
        (Ridge(2), ("ridge", False, 2)),
        (ElasticNet(2, positive=True), ("elasticnet", True, 2)),
        (MultiTaskLasso(2), ("MultiTaskLasso", False, 2)),
        (make_pipeline(StandardScaler(), Ridge(2)), ("ridge", False, 2)),
        (TransformedTargetRegressor(Ridge(2)), ("ridge", False, 2)),
        (MultiOutputRegressor(Ridge(2)), ("ridge", False, 2)),
        (GridSearchCV(make_pipeline(Ridge(2)), {}), ("ridge", False, 2)),
    ],
    ids=str,
)
def test_encoder_is_described(estimator, expected):
    assert_equal(tuple(describe(estimator).values()), (*expected, NAN))


def test_chosen_alpha_of_targets_that_are_not_empty():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    Y = X[:, [0, 1, 2, 0]] + rng.standard_normal((60, 4)) * [0.1, 0.5, 1, 0]
    Y[:, 3] *= -1  # left empty
    with pytest.warns(UserWarning, match="1 of 4 targets were left empty"):
        fitted = SparsePositiveEncoderCV().fit(X, Y)
    assert describe(fitted)["alpha"] == np.median(fitted.alpha_[:3]) < np.inf
    assert describe(fitted)["alpha_at_edge"] == fitted.alpha_at_edge_.mean()
    search = GridSearchCV(Ridge(), {"alpha": [1e6, 0.1]}).fit(X, Y[:, 0])
    assert describe(search)["alpha"] == 0.1
    assert describe(search)["alpha_at_edge"] == 1
    for model in (RidgeCV(), LassoCV()):
        assert describe(model.fit(X, Y[:, 0]))["alpha"] == model.alpha_


def test_scores_of_one_fit_are_those_of_alignment():
    """Of folds alike in size: r, and all that counts empty targets, are means over folds."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    Y = X[:, [0, 1, 0]] * [1, 1, -1] + 0.1 * rng.standard_normal((60, 3))
    fitted = SparsePositiveEncoder(alpha=0.1).fit(X, Y)
    folds = [alignment(fitted, X[rows], Y[rows]) for rows in (slice(30), slice(30, None))]
    assert summarize(folds[:1]) == folds[0].summary()
    together = summarize(folds)
    for name in ("r", "penalized_theta", "n_active", "empty_fraction"):
        assert_allclose(together[name], np.mean([fold.summary()[name] for fold in folds]))
    assert_allclose(together["theta"], np.mean([fold.theta[:2] for fold in folds]))
