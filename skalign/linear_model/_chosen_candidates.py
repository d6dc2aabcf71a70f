"""Which candidate of a cross-validation every target gets."""

from __future__ import annotations

import numpy as np

from skalign.linear_model._cross_validation import CrossValidation
from skalign.model_selection import Select, choose
from skalign.utils import Indices

# Differences of r and theta up to here are rounding errors.
TIE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-6}


def choose_candidates(
    found: CrossValidation,
    select: Select,
    tolerance: float | str,
    *,
    alpha_per_target: bool,
    fits_all_samples: bool,
    dtype: np.dtype,
) -> Indices:
    """Choose a candidate for every target, or the same one for all.

    Parameters
    ----------
    found : CrossValidation
        Scores of all candidates.
    select : {"best", "one_se", "least_reorientation", "fewest_units"}
        The rule.
    tolerance : float or str
        How far below the best r a candidate may lie.
    alpha_per_target : bool
        Whether every target has a choice of its own. If not, scores are averaged over targets.
    fits_all_samples : bool
        Whether the final fit is one to all samples, which must not be empty.
    dtype : dtype
        Floating type of the fits.

    Returns
    -------
    ndarray of shape (n_targets,)
        Index of the candidate; -1 for a target that is left empty.
    """
    scores = found.scores
    r, r_se, n_active = scores.r, scores.r_se, scores.n_active
    # Where theta was not computed, the rule does without.
    theta = None if np.isnan(scores.penalized_theta).all() else scores.penalized_theta
    if fits_all_samples:  # a fold may have weights where all samples together have none
        n_active = np.where(found.is_empty, 0, n_active)
    if not alpha_per_target:
        is_scored = ~np.isnan(r).all(axis=0)
        n_folds = len(scores.r_of_folds)
        r = scores.r_of_folds.mean(axis=0)[:, np.newaxis]
        if n_folds > 1:
            r_se = scores.r_of_folds.std(axis=0, ddof=1)[:, np.newaxis] / np.sqrt(n_folds)
        else:
            r_se = r_se[:, is_scored].mean(axis=1, keepdims=True)
        theta = None if theta is None else theta[:, is_scored].mean(axis=1, keepdims=True)
        n_active = n_active[:, is_scored].mean(axis=1, keepdims=True)
    best = choose(
        select,
        r,
        r_se=r_se,
        theta=theta,
        n_active=n_active,
        tolerance=tolerance,
        tie=TIE[dtype],
    )
    if alpha_per_target:
        return best
    best = np.repeat(best, scores.r.shape[1])
    # What suits most may leave a target empty; one that nothing predicts stays so.
    hopeless = ~((scores.r > 0) & (scores.n_active > 0)).any(axis=0)
    return np.where(hopeless, -1, best)
