"""SparsePositiveEncoderCV as a scikit-learn estimator: checks, errors, attributes."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import (
    GroupKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_non_transformer_estimators_n_iter,
    check_regressors_train,
    parametrize_with_checks,
)

from skalign import SparsePositiveEncoderCV
from skalign.metrics import alignment
from tests.cross_validation import fit_quietly


@parametrize_with_checks(
    [
        SparsePositiveEncoderCV(),
        SparsePositiveEncoderCV(cv=3),
        SparsePositiveEncoderCV(cv=2, missing="mask"),
        SparsePositiveEncoderCV("ols", positive=False),
        SparsePositiveEncoderCV("ridge", 3, select="one_se"),
        SparsePositiveEncoderCV("ridge", 3, positive=False, cv=2),
        SparsePositiveEncoderCV("elasticnet", 3, l1_ratio=[0.0, 0.9], select="fewest_units"),
        SparsePositiveEncoderCV("elasticnet", 3, l1_ratio=[0.0, 0.5], positive=False, cv=2),
        SparsePositiveEncoderCV(
            "lasso",
            [0.1, 0.01],
            select="least_reorientation",
            alpha_per_target=False,
            fit_intercept=False,
            cv=2,
            n_jobs=2,
        ),
    ]
)
@pytest.mark.filterwarnings("ignore:1 of 1 targets were left empty")  # the checks' data are noise
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("select", ["best", "one_se", "least_reorientation", "fewest_units"])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(
    ("penalty", "l1_ratio"),
    [
        *(("ols", 0.5), ("ridge", 0.5), ("lasso", 0.5), ("elasticnet", 0.5), ("elasticnet", 0.0)),
        *(("elasticnet", ratios) for ratios in ([0.1, 0.5, 0.9], [0.0, 0.5], [0.01, 1.0])),
    ],
)
def test_the_grid_predicts_under_every_rule(penalty, l1_ratio, positive, select):
    """R2 above one half, although r, which the rules look at, does not see shrinkage."""
    encoder = SparsePositiveEncoderCV(penalty, l1_ratio=l1_ratio, positive=positive, select=select)
    check_regressors_train("SparsePositiveEncoderCV", encoder)
    check_non_transformer_estimators_n_iter("SparsePositiveEncoderCV", encoder)


def test_is_an_estimator(data):
    X, Y, _ = data
    encoder = SparsePositiveEncoderCV(alphas=[0.1], cv=GroupKFold(3))
    groups = np.arange(60) // 10
    fit_quietly(encoder, X, Y, groups=groups)
    again = pickle.loads(pickle.dumps(encoder))
    assert_array_equal(again.predict(X), encoder.predict(X))
    assert_array_equal(encoder.sparse_coef_.toarray(), encoder.coef_)
    assert not hasattr(clone(encoder), "coef_")
    pipeline = make_pipeline(StandardScaler(), SparsePositiveEncoderCV(cv=3))
    fit_quietly(pipeline, X, Y)
    assert np.isfinite(alignment(pipeline, X, Y).theta[:4]).all()


BAD = {
    "refit": ({"refit": "some"}, ValueError, 'refit must be "all" or "train"'),
    "refit train": (
        {"refit": "train"},
        ValueError,
        'refit must be "all" where cv makes several splits, 5 here; got "train"',
    ),
    "select": ({"select": "worst"}, ValueError, "select must be one of"),
    "tolerance": ({"select": "fewest_units", "tolerance": -1}, ValueError, "tolerance must be"),
    "alphas": ({"alphas": "many"}, TypeError, "alphas must be the number of strengths"),
    "no alphas": ({"alphas": 0}, ValueError, "alphas must be a positive number"),
    "negative": ({"alphas": [1, -1]}, ValueError, "alphas must not be negative, nor NaN"),
    "l1_ratio": ({"penalty": "elasticnet", "l1_ratio": [0.5, 2]}, ValueError, "l1_ratio must be"),
    "center": ({"center": 1}, TypeError, "center must be True or False"),
    "grids": (
        {"alphas": np.ones((2, 5)), "alpha_per_target": False},
        ValueError,
        "alphas must be 1-D with alpha_per_target=False",
    ),
    "text as alpha": ({"alphas": ["0.1"]}, TypeError, "alphas must be the number of strengths"),
    "text as l1_ratio": (
        {"penalty": "elasticnet", "l1_ratio": "0.5"},
        TypeError,
        "l1_ratio must be a number between 0 and 1 or a 1-D array of them; got '0.5'",
    ),
    "penalty": ({"penalty": "l1"}, ValueError, "penalty must be one of ols, ridge, lasso, elastic"),
    "alpha_per_target": ({"alpha_per_target": 1}, TypeError, "alpha_per_target must be True or F"),
    "no split": ({"cv": []}, ValueError, "cv must make at least one split"),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_name_the_parameter_and_the_remedy(data, case):
    X, Y, _ = data
    settings, error, message = BAD[case]
    encoder = SparsePositiveEncoderCV(**settings)
    with pytest.raises(error, match=message):
        encoder.fit(X, Y)
    assert not hasattr(encoder, "coef_")


def test_splits_without_weight_are_an_error(data):
    X, Y, _ = data
    with pytest.raises(ValueError, match=r"test part of every split; got 0 in split 0"):
        SparsePositiveEncoderCV(cv=4).fit(X, Y, np.arange(60) >= 15)
