"""What bad input gets: an error with name, rule and remedy; nothing fitted, nothing overwritten."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from skalign import SparsePositiveEncoder

N_SAMPLES, N_FEATURES, N_TARGETS = 20, 3, 2
TOO_LARGE = "Input y contains NaN, infinity or values too large for float64, first in target 1."

# case: (parameters, changes to the data, exception, words of the message)
ERRORS = {
    "NaN in X": ({}, {"X": np.nan}, ValueError, "Input X contains NaN."),
    "infinity in X": ({}, {"X": np.inf}, ValueError, "Input X contains infinity"),
    "NaN in y": (
        {},
        {"y": np.nan},
        ValueError,
        "y must have no missing responses; got NaN in 1 of",
    ),
    "infinity in y": ({}, {"y": -np.inf}, ValueError, TOO_LARGE),
    "short y": (
        {},
        {"y": np.ones((N_SAMPLES - 1, 2))},
        ValueError,
        "inconsistent numbers of samples: [20, 19]",
    ),
    "no y": ({}, {"y": None}, ValueError, "requires y to be passed, but the target y is None"),
    "words as y": (
        {},
        {"y": ["word"] * N_SAMPLES},
        ValueError,
        "not compatible with arrays of bytes/str",
    ),
    "3-D y": ({}, {"y": np.ones((N_SAMPLES, 2, 2))}, ValueError, "Found array with dim 3"),
    "1-D X": ({}, {"X": np.ones(N_SAMPLES)}, ValueError, "Expected 2D array, got 1D array instead"),
    "no features": (
        {},
        {"X": np.ones((N_SAMPLES, 0))},
        ValueError,
        "Found array with 0 feature(s)",
    ),
    "no targets": ({}, {"y": np.ones((N_SAMPLES, 0))}, ValueError, "Found array with 0 feature(s)"),
    "complex X": (
        {},
        {"X": np.ones((N_SAMPLES, 3)) * 1j},
        ValueError,
        "Complex data not supported",
    ),
    "unknown penalty": (
        {"penalty": "L1"},
        {},
        ValueError,
        "penalty must be one of ols, ridge, lasso, elasticnet; got 'L1'.",
    ),
    "negative alpha": (
        {"alpha": -0.1},
        {},
        ValueError,
        "alpha must not be negative, nor NaN; got -0.1. Use alpha=0 for no penalty.",
    ),
    "alpha of the wrong length": (
        {"alpha": [0.1, 0.2, 0.3]},
        {},
        ValueError,
        "alpha must be one number or one per target, 2 here; got shape (3,).",
    ),
    "alpha a word": (
        {"alpha": "best"},
        {},
        TypeError,
        "alpha must be a number or one number per target",
    ),
    "alpha a number in words": (
        {"alpha": "0.1"},
        {},
        TypeError,
        "alpha must be a number or one number per target; got '0.1'",
    ),
    "l1_ratio above 1": (
        {"penalty": "elasticnet", "l1_ratio": 2},
        {},
        ValueError,
        "l1_ratio must be a number between 0 and 1, or one such number per target; got 2.",
    ),
    "l1_ratio None": (
        {"l1_ratio": None},
        {},
        TypeError,
        "l1_ratio must be a number between 0 and 1",
    ),
    "tol zero": ({"tol": 0.0}, {}, ValueError, "tol must be a positive number or None; got 0.0."),
    "tol negative": ({"tol": -1}, {}, ValueError, "tol must be a positive number or None; got -1."),
    "tol NaN": ({"tol": np.nan}, {}, ValueError, "tol must be a positive number or None; got nan."),
    "tol a word": (
        {"tol": "low"},
        {},
        TypeError,
        "tol must be a positive number or None; got 'low'.",
    ),
    "max_iter zero": (
        {"max_iter": 0},
        {},
        ValueError,
        "max_iter must be a positive integer; got 0.",
    ),
    "max_iter a fraction": (
        {"max_iter": 1.5},
        {},
        TypeError,
        "max_iter must be a positive integer; got 1.5.",
    ),
    "max_iter None": ({"max_iter": None}, {}, TypeError, "max_iter must be a positive integer"),
    "positive text": ({"positive": "no"}, {}, TypeError, "positive must be True or False"),
    "fit_intercept text": ({"fit_intercept": "no"}, {}, TypeError, "fit_intercept must be True"),
    "tol infinite": ({"tol": np.inf}, {}, ValueError, "tol must be a positive number or None"),
    "negative weight": (
        {},
        {"sample_weight": np.r_[-1.0, np.ones(N_SAMPLES - 1)]},
        ValueError,
        "sample_weight must not be negative",
    ),
    "all weights zero": (
        {},
        {"sample_weight": np.zeros(N_SAMPLES)},
        ValueError,
        "sample_weight must not be negative, nor zero for every sample",
    ),
    "NaN weight": (
        {},
        {"sample_weight": np.full(N_SAMPLES, np.nan)},
        ValueError,
        "sample_weight must be finite",
    ),
    "few weights": (
        {},
        {"sample_weight": np.ones(3)},
        ValueError,
        "sample_weight must be 1-D, one weight per sample, 20 here; got shape (3,).",
    ),
    "2-D weights": (
        {},
        {"sample_weight": np.ones((N_SAMPLES, 2))},
        ValueError,
        "sample_weight must be 1-D, one weight per sample, 20 here; got shape (20, 2).",
    ),
    "scalar weight": (
        {},
        {"sample_weight": 2.0},
        ValueError,
        "sample_weight must be 1-D, one weight per sample, 20 here; got shape ().",
    ),
}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return {
        "X": rng.standard_normal((N_SAMPLES, N_FEATURES)),
        "y": rng.standard_normal((N_SAMPLES, N_TARGETS)),
    }


def spoil(data, changes):
    """The data with whole arguments replaced, or one number of the last column."""
    spoilt = dict(data)
    for name, change in changes.items():
        if isinstance(change, float) and name in data:
            spoilt[name] = data[name].copy()
            spoilt[name][5, -1] = change
        else:
            spoilt[name] = change
    return spoilt


@pytest.mark.parametrize("case", ERRORS)
def test_error_says_what_is_wrong_and_nothing_is_fitted(data, case):
    parameters, changes, error, message = ERRORS[case]
    encoder = SparsePositiveEncoder(**parameters)
    with pytest.raises(error, match=re.escape(message)):
        encoder.fit(**spoil(data, changes))
    assert vars(encoder) == vars(SparsePositiveEncoder(**parameters))
    with pytest.raises(NotFittedError):
        encoder.predict(data["X"])


@pytest.mark.parametrize("case", ERRORS)
def test_failed_refit_overwrites_nothing(data, case):
    parameters, changes, error, _ = ERRORS[case]
    names = ["a", "b", "c"]
    encoder = SparsePositiveEncoder(alpha=0.01).fit(
        pd.DataFrame(data["X"], columns=names), data["y"]
    )
    before = {name: value for name, value in vars(encoder).items() if name.endswith("_")}
    predicted = encoder.predict(pd.DataFrame(data["X"], columns=names))
    encoder.set_params(**parameters)
    wider = dict(data, X=np.c_[data["X"], data["X"]])
    for original in [data, wider]:
        with pytest.raises(error):
            encoder.fit(**spoil(original, changes))
        after = {name: value for name, value in vars(encoder).items() if name.endswith("_")}
        assert before.keys() == after.keys()
        assert all(before[name] is after[name] for name in before)
    again = encoder.predict(pd.DataFrame(data["X"], columns=names))
    np.testing.assert_array_equal(again, predicted)


def test_mixed_feature_names_leave_nothing_fitted(data):
    frame = pd.DataFrame(data["X"], columns=["a", 1, 2])
    encoder = SparsePositiveEncoder()
    with pytest.raises(TypeError, match="Feature names are only supported if all input features"):
        encoder.fit(frame, data["y"])
    assert vars(encoder) == vars(SparsePositiveEncoder())


def test_predict_with_other_features(data):
    encoder = SparsePositiveEncoder().fit(**data)
    with pytest.raises(
        ValueError, match="X has 2 features, but SparsePositiveEncoder is expecting 3"
    ):
        encoder.predict(data["X"][:, :2])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        encoder.predict(np.full((2, 3), np.nan))
