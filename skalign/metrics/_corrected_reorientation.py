"""The observed theta of noiseless responses: corrected by a noise ceiling, or by two halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skalign.metrics._alignment import alignment
from skalign.metrics._alignment_record import Alignment
from skalign.metrics._names import target_column
from skalign.metrics._noise_ceiling import NoiseCeiling
from skalign.metrics._normalized_scores import normalize_scores
from skalign.metrics._predictivity import pearson_r
from skalign.utils import Doubles, import_pandas, refuse_missing


@dataclass(frozen=True, eq=False)
class CorrectedReorientation:
    """Observed theta without the noise of the responses, of every target and on average.

    Returned by :func:`correct_reorientation` and :func:`correct_reorientation_by_halves`.

    Parameters
    ----------
    theta : ndarray of shape (n_targets,)
        Estimate of the theta that responses without noise have; low is aligned. By chance it lies
        below 0 or above 2. NaN where the observed theta is undefined, or the ceiling is 0 or NaN.
    mean : float
        Mean over targets, each weighted by its ceiling: one minus the ratio of the means of
        ``1 - theta_observed`` and of the ceiling. Unlike the mean of `theta`, it is not dominated
        by the targets with the most noise. NaN if no target has both.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.
    """

    theta: Doubles
    mean: float
    target_names: NDArray[np.object_] | None = None

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, its name where known and else its index; ``theta_corrected``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        target = target_column(self.target_names, self.theta.size)
        return import_pandas().DataFrame({"target": target, "theta_corrected": self.theta})


def correct_reorientation(alignment: Alignment, ceiling: NoiseCeiling) -> CorrectedReorientation:
    r"""Correct the observed theta for the noise of the responses.

    .. math::
        \theta_\text{corrected} = 1 - \frac{1 - \theta_\text{observed}}{\text{NC}_r}

    Noise that is independent of the features shrinks every correlation with a response by the
    same factor, the noise ceiling in r.

    Parameters
    ----------
    alignment : Alignment
        Result of :func:`alignment` with ``center=True``. Its observed theta is corrected. The theta
        of predicted responses has no noise and no ceiling.
    ceiling : NoiseCeiling
        Noise ceiling of the scored responses in unit "r", one value per target.

    Returns
    -------
    CorrectedReorientation
        Of every target, and the mean over targets.

    Raises
    ------
    TypeError
        If `alignment` is no Alignment, or `ceiling` has no unit.
    ValueError
        If `alignment` is not centered, or `ceiling` is in another unit or has another number of
        targets.

    See Also
    --------
    correct_reorientation_by_halves : Without a model of the noise, from two halves of the trials.
    noise_ceiling : The ceiling; estimate its ncsnr on training images.
    normalize_scores : The same correction of r.

    Notes
    -----
    Without centering, the noise shrinks cosines by another factor than correlations, which depends
    on the mean response. Such alignments are refused.

    Average over targets with ``mean``, which is unbiased but for terms of the order of one over the
    number of images. A mean of corrected values is biased where ceilings are low.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.metrics import alignment, correct_reorientation, noise_ceiling
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((2000, 5))
    >>> signal = X[:, :2] + X[:, 2:4]
    >>> y = signal + np.sqrt(2) * rng.standard_normal(signal.shape)  # a ncsnr of 1
    >>> encoder = SparsePositiveEncoder("ols").fit(X[:1000], y[:1000])
    >>> found = alignment(encoder, X[1000:], y[1000:], center=True)
    >>> corrected = correct_reorientation(found, noise_ceiling([1.0, 1.0], n_repeats=1))
    >>> noiseless = alignment(encoder, X[1000:], signal[1000:], center=True)
    >>> for theta in (found.theta_observed, corrected.theta, noiseless.theta_observed):
    ...     print(theta.round(2))
    [0.5  0.51]
    [0.29 0.3 ]
    [0.3  0.29]
    """
    if not isinstance(alignment, Alignment):
        raise TypeError(
            "alignment must be an Alignment, whose observed theta is corrected; got "
            f"{type(alignment).__name__}. Use skalign.metrics.alignment(..., center=True)."
        )
    if not alignment.centered:
        raise ValueError(
            "alignment must be centered, because a ceiling in r is one of correlations; got one "
            "that is not. Use alignment(..., center=True)."
        )
    similarity = 1 - alignment.theta_observed
    theta = 1 - normalize_scores(similarity, ceiling, unit="r")
    return CorrectedReorientation(
        theta, _ratio_of_means(similarity, ceiling.values), alignment.target_names
    )


def correct_reorientation_by_halves(
    estimator: Any,
    X: Any,
    y_first: ArrayLike,
    y_second: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> CorrectedReorientation:
    r"""Correct the observed theta for noise by two independent halves of the trials.

    .. math::
        \theta_\text{corrected} = 1 - \frac{\sum_i |w_i|
        \bigl(\operatorname{corr}(f_i, y_1) + \operatorname{corr}(f_i, y_2)\bigr) / 2}
        {\sum_i |w_i| \sqrt{\operatorname{corr}(y_1, y_2)}}

    Parameters
    ----------
    estimator : estimator
        Fitted, with a linear model inside, to other images.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Held-out images.
    y_first, y_second : array-like of shape (n_samples, n_targets) or (n_samples,)
        Responses to these images, each averaged over one half of the trials.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images.

    Returns
    -------
    CorrectedReorientation
        Of every target, and the mean over targets. A target whose halves do not correlate
        positively has none.

    Raises
    ------
    TypeError
        If the estimator has no linear weights.
    ValueError
        If the halves have different shapes, or do not fit the estimator.

    See Also
    --------
    correct_reorientation : By a noise ceiling.
    split_half_reliability : The correlation of halves.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.metrics import correct_reorientation_by_halves
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((2000, 5))
    >>> signal = X[:, :2] + X[:, 2:4]
    >>> halves = signal + 2 * rng.standard_normal((2, *signal.shape))
    >>> encoder = SparsePositiveEncoder("ols").fit(X[:1000], halves[:, :1000].mean(axis=0))
    >>> corrected = correct_reorientation_by_halves(encoder, X[1000:], *halves[:, 1000:])
    >>> corrected.theta.round(1), round(corrected.mean, 1)
    (array([0.3, 0.3]), 0.3)
    """
    for half, name in ((y_first, "y_first"), (y_second, "y_second")):
        refuse_missing(half, name, maskable=False)
    halves = [
        alignment(estimator, X, half, center=True, sample_weight=sample_weight)
        for half in (y_first, y_second)
    ]
    similarity = np.mean([1 - half.theta_observed for half in halves], axis=0)
    reliability = pearson_r(y_first, y_second, sample_weight=sample_weight)
    ceiling = NoiseCeiling(np.sqrt(np.maximum(reliability, 0)), "r")
    theta = 1 - normalize_scores(similarity, ceiling, unit="r")
    return CorrectedReorientation(
        theta, _ratio_of_means(similarity, ceiling.values), halves[0].target_names
    )


def _ratio_of_means(similarity: Doubles, ceiling: Doubles) -> float:
    """Mean theta over the targets that have both, or NaN."""
    has_both = ~np.isnan(similarity) & ~np.isnan(ceiling)
    total = ceiling[has_both].sum()
    return float(1 - similarity[has_both].sum() / total) if total > 0 else np.nan
