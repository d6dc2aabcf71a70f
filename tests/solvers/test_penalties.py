"""The scale of penalties and the errors of their parameters."""

import re

import numpy as np
import pytest

from skalign.solvers import penalty_scale, solve


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
    scale = penalty_scale(penalty, 0.5, 0.25, n_targets=2, total_weight=40.0)
    np.testing.assert_array_equal(scale.l1, [l1, l1])
    np.testing.assert_array_equal(scale.l2, [l2, l2])
    assert scale.unit == unit


def test_one_alpha_per_target():
    scale = penalty_scale("lasso", [0.0, 0.5], 0.5, n_targets=2, total_weight=10.0)
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
        "alpha must be finite and not negative; got -1.0. Use alpha=0 for no penalty.",
    ),
    "one negative alpha": (
        {"alpha": [1.0, -0.1]},
        ValueError,
        "alpha must be finite and not negative",
    ),
    "alpha NaN": ({"alpha": np.nan}, ValueError, "alpha must be finite and not negative; got nan"),
    "alpha infinite": (
        {"alpha": np.inf},
        ValueError,
        "alpha must be finite and not negative; got inf",
    ),
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
    "l1_ratio None": (
        {"l1_ratio": None},
        ValueError,
        "l1_ratio must be .*; got None",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_the_parameter_and_the_remedy(case):
    bad, error, message = ERRORS[case]
    settings = {"penalty": "elasticnet", "alpha": 0.1, "l1_ratio": 0.5} | bad
    pattern = message if ".*" in message else re.escape(message)
    with pytest.raises(error, match=pattern):
        solve(np.eye(3), np.ones((3, 2)), **settings)
