"""Theta of a linear map to predicted and to observed responses, and what geometry alone gives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.metrics._directions import check_responses
from skalign.metrics._observed_images import over_observed, take_observed
from skalign.metrics._problem import ReorientationProblem, check_map
from skalign.metrics._reorientation import aligned_weights
from skalign.utils import Doubles, Missing, PatternOfTargets


class MapScores(NamedTuple):
    """Scores of a linear map, each (n_targets,); NaN where undefined."""

    theta: Doubles
    theta_observed: Doubles
    n_effective: Doubles
    theta_floor: Doubles


def scores_of_map(
    features: Any,
    predicted: Any,
    observed: Any,
    weights: Any,
    *,
    center: bool,
    sample_weight: ArrayLike | None,
    missing: Missing = "error",
) -> MapScores:
    """Score a linear map with one product of its features and weights.

    Parameters
    ----------
    features, weights, center, sample_weight
        As for :func:`tuning_reorientation`.
    predicted, observed : ndarray of shape (n_samples, n_targets)
        The two responses that theta is taken to.
    missing : {"error", "mask"}, default="error"
        Whether every target is scored on the images on which it was observed.

    Returns
    -------
    MapScores
        Of every target.
    """
    if missing == "mask":
        features, observed, weights = check_map(features, observed, weights)
        responses = [check_responses(predicted, "y_pred"), observed]

        def score(pattern: PatternOfTargets, weight: Doubles | None) -> MapScores:
            own = take_observed(features, responses, weights, pattern)
            return scores_of_map(*own, center=center, sample_weight=weight)

        return MapScores(*over_observed(observed, sample_weight, score, n_scores=4, least=1))
    problem = ReorientationProblem(features, predicted, weights, center, sample_weight, np.nan)
    observed = check_responses(observed, "y")
    theta, theta_observed, n_effective = np.full((3, problem.n_targets), np.nan)
    for block in problem.blocks():
        directions, is_varied = problem.directions(observed[:, block.index], "y")
        aligned = aligned_weights(problem, block, [block.targets, directions])
        for found, one, is_defined in zip(
            (theta, theta_observed), aligned, (block.defined, is_varied), strict=True
        ):
            found[block.index] = np.where(is_defined, 1 - one / block.total, np.nan)
        n_effective[block.index] = block.total**2 / _squared_norms(block.weights)
    floor = geometric_floor(n_effective, problem.mean_cosine())
    return MapScores(
        problem.finish(theta),
        problem.finish(theta_observed),
        n_effective,
        np.where(problem.has_negative, np.nan, floor),
    )


def geometric_floor(n_effective: Doubles, mean_cosine: float) -> Doubles:
    """Theta that positive weights on that many exchangeable units have by geometry alone."""
    shared = mean_cosine + (1 - mean_cosine) / n_effective
    return np.asarray(1 - np.sqrt(np.clip(shared, 0, 1)))


def _squared_norms(weights: Any) -> Doubles:
    """Sums of squares of every row; NaN for rows of zeros."""
    if sparse.issparse(weights):
        squares = np.bincount(weights.indices, weights.data.astype(float) ** 2, weights.shape[0])
    else:
        squares = np.einsum("ij,ij->i", weights, weights, dtype=np.float64)
    return np.where(squares > 0, squares, np.nan)
