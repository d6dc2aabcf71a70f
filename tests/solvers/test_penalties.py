"""The scale of penalties and the errors of their parameters."""

import re

import numpy as np
import pytest

from skalign.solvers import penalty_strengths, solve


@pytest.mark.parametrize(
    ("penalty", "l1", "l2", "unit"),
    [
        ("ols", 0.0, 0.0, 1.0),
        ("ridge", 0.0, 0.5, 2.0),
        ("lasso", 20.0, 0.0, 1 / 40),
        ("elasticnet", 5.0, 15.0, 1 / 40),
    ],
)
def test_strengths(penalty, l1, l2, unit):
    scale = penalty_strengths(penalty, 0.5, 0.25, n_targets=2, total_weight=40.0)
    np.testing.assert_array_equal(scale.l1, [l1, l1])
    np.testing.assert_array_equal(scale.l2, [l2, l2])
    assert scale.unit == unit


def test_one_alpha_per_target():
    scale = penalty_strengths("lasso", [0.0, 0.5], 0.5, n_targets=2, total_weight=10.0)
    np.testing.assert_array_equal(scale.l1, [0.0, 5.0])


ERRORS = {
    "unknown penalty": (
        {"penalty": "l1"},
        ValueError,
        "penalty must be one of ols, ridge, lasso, elasticnet; got 'l1'.",
    ),
    "penalty None": ({"penalty": None}, ValueError, "penalty must be one of"),
    "negative alpha": (
        {"alpha": -1.0},
        ValueError,
        "alpha must not be negative, nor NaN; got -1.0. Use alpha=0 for no penalty.",
    ),
    "one negative alpha": (
        {"alpha": [1.0, -0.1]},
        ValueError,
        "alpha must not be negative, nor NaN",
    ),
    "alpha NaN": ({"alpha": np.nan}, ValueError, "alpha must not be negative, nor NaN; got nan"),
    "alpha of the wrong length": (
        {"alpha": [1.0, 2.0, 3.0]},
        ValueError,
        "alpha must be one number or one per target, 2 here; got shape (3,).",
    ),
    "alpha of one for two": (
        {"alpha": [1.0]},
        ValueError,
        "one per target, 2 here; got shape (1,)",
    ),
    "alpha in two dimensions": ({"alpha": [[1.0, 2.0]]}, ValueError, "got shape (1, 2)"),
    "alpha a word": (
        {"alpha": "much"},
        TypeError,
        "alpha must be a number or one number per target; got 'much'.",
    ),
    "alpha a string of digits": (
        {"alpha": "0.1"},
        TypeError,
        "alpha must be a number or one number per target; got '0.1'.",
    ),
    "alphas strings of digits": ({"alpha": ["0.1", "1"]}, TypeError, "alpha must be a number or"),
    "alpha ragged": ({"alpha": [[1.0], [1.0, 2.0]]}, TypeError, "alpha must be a number or one"),
    "l1_ratio above 1": (
        {"l1_ratio": 1.5},
        ValueError,
        "l1_ratio must be a number between 0 and 1, or one such number per target; got 1.5.",
    ),
    "l1_ratio negative": (
        {"l1_ratio": -0.5},
        ValueError,
        "l1_ratio must be a number between 0 and 1",
    ),
    "l1_ratio NaN": ({"l1_ratio": np.nan}, ValueError, "l1_ratio must be a number between 0 and 1"),
    "l1_ratio None": ({"l1_ratio": None}, TypeError, "l1_ratio must be .*; got None"),
    "l1_ratio a string of digits": ({"l1_ratio": "0.5"}, TypeError, "l1_ratio must be a number"),
    "tol a string of digits": (
        {"tol": "1e-3"},
        TypeError,
        "tol must be a positive number or None; got '1e-3'.",
    ),
    "tol zero": ({"tol": 0.0}, ValueError, "tol must be a positive number or None; got 0.0."),
    "tol infinite": ({"tol": np.inf}, ValueError, "tol must be a positive number or None"),
    "max_iter a string": ({"max_iter": "9"}, TypeError, "max_iter must be a positive integer"),
    "max_iter a float": ({"max_iter": 9.0}, TypeError, "max_iter must be a positive integer"),
    "max_iter zero": ({"max_iter": 0}, ValueError, "max_iter must be a positive integer; got 0."),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_the_parameter_and_the_remedy(case):
    bad, error, message = ERRORS[case]
    settings = {"penalty": "elasticnet", "alpha": 0.1, "l1_ratio": 0.5} | bad
    pattern = message if ".*" in message else re.escape(message)
    with pytest.raises(error, match=pattern):
        solve(np.eye(3), np.ones((3, 2)), **settings)
