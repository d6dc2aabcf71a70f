"""P-values of observed values among null values: per target, family-wise and of the region's mean.

Arrays hold the observed fits in row 0 and the null fits in the other rows, (1 + n_resamples,
n_targets). Every statistic is computed from all rows alike. Under the null hypothesis the rows are
exchangeable, so that the rank of row 0 is uniform.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import false_discovery_control
from sklearn.utils import gen_batches

from skalign.utils import Doubles, Flags, Integers

BLOCK_BYTES = 2**26  # of the designs of regressions that are solved together
RANK_TOLERANCE = 1e-8  # smallest singular value of a regression, as a share of the largest
ALONE = 1e-6  # 1 - leverage up to which the other rows do not determine the fit of a row
LEAST_SPREAD = 0.1  # least expected size of a residual, as a share of the mean size


class PValues(NamedTuple):
    """P-values of one measure.

    Attributes
    ----------
    p_value : ndarray of shape (n_targets,)
        Of every target on its own.
    q_value : ndarray of shape (n_targets,)
        The same, adjusted for the false discovery rate.
    familywise_p_value : ndarray of shape (n_targets,)
        Of every target among the largest values of all targets.
    region_p_value : float
        Of the mean over targets.
    """

    p_value: Doubles
    q_value: Doubles
    familywise_p_value: Doubles
    region_p_value: float


def p_values_of(statistic: Doubles, is_tested: Flags, correction: str, tie: float) -> PValues:
    """Test whether the observed row has larger values than the null rows.

    Parameters
    ----------
    statistic : ndarray of shape (1 + n_resamples, n_targets)
        Values in a scale that targets share; high is good. A NaN in a null row counts as better
        than the observed value of its target; means over targets ignore it.
    is_tested : ndarray of shape (n_targets,)
        Whether the target has an observed fit. If not, its p-values are 1.
    correction : {"bh", "by"}
        Rule of the false discovery rate.
    tie : float
        Difference up to which two values are equal.

    Returns
    -------
    PValues
        One-sided p-values.
    """
    observed, null = statistic[0], statistic[1:]
    n_rows = len(statistic)
    with np.errstate(invalid="ignore"):
        p_value = (1 + (~(null < observed - tie)).sum(axis=0)) / n_rows
        largest = np.where(np.isnan(null), -np.inf, null).max(axis=1)
        above = np.sort(largest)
        # Number of draws whose largest value reaches the observed one.
        reached = n_rows - 1 - np.searchsorted(above, observed - tie, side="left")
    p_value[~is_tested] = 1.0
    familywise = np.where(is_tested, (1 + reached) / n_rows, 1.0)
    q_value = false_discovery_control(p_value, method=correction)
    mean = _mean_of_defined(statistic)
    region = 1.0
    if not np.isnan(mean[0]):
        region = (1 + int((~(mean[1:] < mean[0] - tie)).sum())) / n_rows
    return PValues(p_value, q_value, np.maximum(familywise, p_value), region)


def least_p_value(n_resamples: int, n_arrangements: float) -> float:
    """Least p-value that draws can give.

    Parameters
    ----------
    n_resamples : int
        Number of draws.
    n_arrangements : float
        Number of different draws there are; may be infinite.

    Returns
    -------
    float
        The larger of 1 / (1 + n_resamples) and, on average, 1 / n_arrangements.
    """
    return max(1 / (1 + n_resamples), 1 / n_arrangements)


def n_targets_for_discovery(least: float, n_targets: int, correction: str, rate: float) -> int:
    """Count the targets at the least p-value that a false discovery rate needs.

    Parameters
    ----------
    least : float
        The least p-value.
    n_targets : int
        Number of targets tested.
    correction : {"bh", "by"}
        Rule of the false discovery rate.
    rate : float
        The rate.

    Returns
    -------
    int
        Fewer targets at the least p-value are no discovery; may exceed `n_targets`.
    """
    penalty = 1.0 if correction == "bh" else float((1 / np.arange(1, n_targets + 1)).sum())
    return int(np.ceil(n_targets * penalty * least / rate - 1e-9))


def center_draws(r: Doubles) -> Doubles:
    """Subtract the mean of each target over all rows; an empty fit counts as 0."""
    r = np.nan_to_num(r)
    return np.asarray(r - r.mean(axis=0))


def compare_at_equal_units(
    theta: Doubles, n_active: Integers, tie: float
) -> tuple[Doubles, Doubles]:
    """Compare theta with what the pooled fits have at the same number of active units.

    For every target and row theta is predicted from ``(1, log k, log^2 k)``, with k active units,
    by a regression over all other rows, and the size of the residual by one on ``(1, log k)``.

    Parameters
    ----------
    theta : ndarray of shape (1 + n_resamples, n_targets)
        Theta; NaN for an empty fit.
    n_active : ndarray of shape (1 + n_resamples, n_targets)
        Numbers of active units.
    tie : float
        Residuals up to this size are rounding errors.

    Returns
    -------
    excess : ndarray of shape (1 + n_resamples, n_targets)
        Residuals: theta minus what the other rows predict; NaN for an empty fit.
    statistic : ndarray of shape (1 + n_resamples, n_targets)
        Minus the residuals over their expected size: high is good.
    """
    excess, statistic = np.empty_like(theta), np.empty_like(theta)
    n_block = max(1, BLOCK_BYTES // (8 * 3 * 4 * len(theta)))
    for block in gen_batches(theta.shape[1], n_block):
        found = _residuals(theta[:, block].T, n_active[:, block].T, tie)
        excess[:, block], statistic[:, block] = found[0].T, found[1].T
    return excess, statistic


def _residuals(theta: Doubles, n_active: Integers, tie: float) -> tuple[Doubles, Doubles]:
    """Residuals and statistics of some targets, (n_targets, n_rows)."""
    is_fit = ~np.isnan(theta) & (n_active > 0)
    n_fits = np.maximum(is_fit.sum(axis=1, keepdims=True), 1)
    log = np.log(np.where(is_fit, n_active, 1))
    log = np.where(is_fit, log - log.sum(axis=1, keepdims=True) / n_fits, 0)
    spread = np.sqrt((log**2).sum(axis=1, keepdims=True) / n_fits)
    log /= np.where(spread > RANK_TOLERANCE, spread, np.inf)
    design = np.stack([is_fit, log, log**2], axis=-1).astype(np.float64)
    values = np.where(is_fit, theta, 0)
    residual = _deleted_residuals(design, values)
    residual[np.abs(residual) <= tie] = 0
    size = np.abs(residual)
    expected = size - _deleted_residuals(design[..., :2], size)
    mean_size = (size.sum(axis=1, keepdims=True) - size) / np.maximum(n_fits - 1, 1)
    expected = np.maximum(expected, LEAST_SPREAD * mean_size)
    statistic = -residual / np.where(expected > 0, expected, 1)
    return np.where(is_fit, residual, np.nan), np.where(is_fit, statistic, np.nan)


def _deleted_residuals(design: Doubles, values: Doubles) -> Doubles:
    """Residual of every row from the least-squares fit of all other rows, (n_targets, n_rows).

    It is the ordinary residual over 1 - h, with h the leverage. A row that the others say nothing
    about, of leverage 1, has a residual of 0.
    """
    basis, singular, _ = np.linalg.svd(design, full_matrices=False)
    basis = basis * (singular > RANK_TOLERANCE * singular[:, :1])[:, np.newaxis]
    residual = values - np.einsum("tij,tj->ti", basis, np.einsum("tij,ti->tj", basis, values))
    left = 1 - np.einsum("tij,tij->ti", basis, basis)
    return np.asarray(np.divide(residual, left, out=np.zeros_like(residual), where=left > ALONE))


def _mean_of_defined(values: Doubles) -> Doubles:
    """Means over targets that have a value, row by row; NaN where none has."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(values, axis=1) / (~np.isnan(values)).sum(axis=1))
