"""Measures of targets that miss responses: each over the images on which it was observed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skalign.metrics._directions import check_responses
from skalign.utils import (
    Array,
    Doubles,
    Integers,
    MissingPatterns,
    PatternOfTargets,
    check_sample_weight,
)

Score = Callable[[PatternOfTargets, Doubles | None], Sequence[Doubles]]


def over_observed(
    Y: Array, sample_weight: ArrayLike | None, score: Score, *, n_scores: int, least: int
) -> Doubles:
    """Score targets that miss the same images together, on the images that they have.

    Parameters
    ----------
    Y : ndarray of shape (n_images, n_targets)
        Responses, NaN where missing.
    sample_weight : array-like of shape (n_images,) or None
        Weights of the images.
    score : callable
        Called as ``score(pattern, sample_weight)``; gives `n_scores` arrays over its targets.
    n_scores : int
        Number of scores.
    least : int
        Number of observed images that a target needs.

    Returns
    -------
    ndarray of shape (n_scores, n_targets)
        The scores; NaN for targets with fewer images.
    """
    weight = None if sample_weight is None else check_sample_weight(sample_weight, len(Y))
    found = np.full((n_scores, Y.shape[1]), np.nan)
    for pattern in MissingPatterns(Y, weight):
        if pattern.n_observed >= least:
            own_weight = None if weight is None else weight[pattern.observed]
            found[:, pattern.targets] = score(pattern, own_weight)
    return found


def count_observed(y: Any, sample_weight: ArrayLike | None) -> Integers:
    """Count the observed images of every target.

    Parameters
    ----------
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses, NaN where missing.
    sample_weight : array-like of shape (n_images,) or None
        Weights of the images; those of weight zero do not count.

    Returns
    -------
    ndarray of shape (n_targets,)
        The numbers.
    """
    Y = check_responses(y, "y")
    weight = None if sample_weight is None else check_sample_weight(sample_weight, len(Y))
    found = np.empty(Y.shape[1], np.int64)
    for pattern in MissingPatterns(Y, weight):
        n_observed = pattern.n_observed
        if weight is not None:
            n_observed = int(np.count_nonzero(weight[pattern.observed]))
        found[pattern.targets] = n_observed
    return found


def take_observed(
    features: Any, responses: Sequence[Any], weights: Any, pattern: PatternOfTargets
) -> tuple[Any, ...]:
    """Features, responses and weights of a map, of the images and targets of a pattern.

    Parameters
    ----------
    features : {ndarray, csr_array} of shape (n_images, n_features)
        Features.
    responses : sequence of ndarray of shape (n_images, n_targets)
        Observed or predicted responses.
    weights : {ndarray, csr_array} of shape (n_targets, n_features)
        Weights.
    pattern : PatternOfTargets
        The pattern.

    Returns
    -------
    features, *responses, weights
        Of the pattern.
    """
    images, targets = pattern.observed, pattern.targets
    of_targets = [one[images][:, targets] for one in responses]
    return features[images], *of_targets, weights[targets]
