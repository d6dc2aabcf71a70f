"""The mean r as a share of the mean noise ceiling, and its interval over test images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skalign.inference._interval import ConfidenceInterval, IntervalRule, interval_of
from skalign.metrics import (
    ImagesToDraw,
    JackknifeDraws,
    NoiseCeiling,
    check_responses,
    noise_ceiling,
    normalize_scores,
    pearson_r,
    pearson_r_of_draws,
)
from skalign.utils import Array, Doubles


def share_of_means(r: Doubles, ceiling: NoiseCeiling) -> float:
    """Mean r, where an undefined one is 0, over the mean ceiling of targets that have one."""
    has_ceiling = ceiling.values > 0
    if not has_ceiling.any():
        return np.nan
    return float(np.nan_to_num(r[has_ceiling]).sum() / ceiling.values[has_ceiling].sum())


def normalized_r_intervals(
    y_test: ArrayLike,
    y_pred: Array,
    trials: ArrayLike,
    images: ImagesToDraw,
    confidence_level: float,
) -> tuple[NoiseCeiling, tuple[ConfidenceInterval, ConfidenceInterval]]:
    """The ceiling, and normalized r of the mean and of targets, both anew without each group."""
    trials = np.asarray(trials, dtype=np.float64)
    if trials.ndim != 3 or trials.shape[::2] != y_pred.shape:
        raise ValueError(
            "trials_test must be of shape (n_test_images, n_repeats, n_targets), with the images "
            f"and targets of y_test, {y_pred.shape}; got shape {trials.shape}."
        )
    ceiling = noise_ceiling(trials=trials)
    draws = JackknifeDraws(images)
    r = pearson_r_of_draws(draws, check_responses(y_test, "y_test"), y_pred).T
    ceilings = [
        noise_ceiling(trials=trials[draws.weight(draw) > 0]) for draw in range(draws.n_draws)
    ]
    pairs = list(zip(r, ceilings, strict=True))
    whole = pearson_r(y_test, y_pred)
    rule = IntervalRule(2, confidence_level, "t", None).check()
    mean = interval_of(
        rule,
        share_of_means(whole, ceiling),
        np.array([share_of_means(*pair) for pair in pairs]),
        shares=images.shares(),
        n_left_out=int((~(ceiling.values > 0)).sum()),
    )
    of_targets = interval_of(
        rule,
        normalize_scores(whole, ceiling, unit="r"),
        np.array([normalize_scores(one, limit, unit="r") for one, limit in pairs]).T,
        shares=images.shares(),
    )
    return ceiling, (mean, of_targets)
