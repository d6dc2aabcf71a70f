"""The test scores in ``cv_results_`` of scikit-learn's searches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from skalign.utils import Array, Doubles, Indices


def last_iteration(cv_results: Mapping[str, Any]) -> Indices:
    """Rows that compare: all, or those with the most resources in a halving search."""
    iteration = np.asarray(cv_results.get("iter", np.zeros(len(cv_results["params"]))))
    return np.flatnonzero(iteration == iteration.max())


def score_names(cv_results: Mapping[str, Any]) -> list[str]:
    """Names of the test scores of a search."""
    start = "mean_test_"
    return sorted(key.removeprefix(start) for key in cv_results if key.startswith(start))


def splits_of(cv_results: Mapping[str, Any], name: str) -> list[Array]:
    """Values of a test score, (n_candidates,) for every split; none where it is missing."""
    pattern = re.compile(rf"split\d+_test_{re.escape(name)}")
    return [np.asarray(cv_results[key]) for key in cv_results if pattern.fullmatch(key)]


def read_score(cv_results: Mapping[str, Any], name: str, rows: Indices) -> tuple[Doubles, Doubles]:
    """Mean of a score over splits, and its standard error, both NaN where a split has failed."""
    splits = splits_of(cv_results, name)
    if not splits:
        raise ValueError(
            f"cv_results must have the test score {name!r}; got {score_names(cv_results)}. Give "
            "the search scoring=AlignmentScorer()."
        )
    scores = np.array([split[rows] for split in splits], dtype=np.float64)
    scores[~np.isfinite(scores)] = np.nan
    if len(scores) == 1:
        return scores[0], np.full(rows.size, np.nan)
    return scores.mean(axis=0), scores.std(axis=0, ddof=1) / np.sqrt(len(scores))


def theta_of(neg_theta: Doubles, name: str) -> Doubles:
    """Theta from the score that is minus it."""
    if (neg_theta > 0).any():
        raise ValueError(
            f"The score {name!r} must be minus theta, from -2 to 0, as AlignmentScorer and "
            f"TuningReorientationScorer give it; got {neg_theta[neg_theta > 0][0]:.3g}."
        )
    return -neg_theta + 0.0  # not -0.0


def theta_without_penalty(
    penalized_theta: Doubles, empty_fraction: Doubles, penalty: float
) -> Doubles:
    """Mean theta of the fits that are not empty; NaN where all are.

    `penalized_theta` is the mean in which an empty fit counts as `penalty`. A fit that has weights
    but no direction on the scored images counts as `penalty` in the result too.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        theta = penalty - (penalty - penalized_theta) / (1 - empty_fraction)
    return np.where(empty_fraction < 1, np.clip(theta, 0, 2), np.nan)


def parameter_column(params: list[dict[str, Any]], name: str) -> Array:
    """One parameter of all candidates, each value as it is; NaN where a grid does not have it."""
    column = np.empty(len(params), dtype=object)
    for k, values in enumerate(params):
        column[k] = values.get(name, np.nan)
    return column
