"""Bootstrap intervals of means over targets or subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy.stats import bootstrap
from sklearn.utils import check_array

from skalign.inference._interval import (
    N_RESAMPLES,
    ConfidenceInterval,
    IntervalRule,
    Method,
    interval_of,
)
from skalign.utils import Doubles

_BATCH_BYTES = 2**26


def bootstrap_mean(
    values: Any,
    minus: Any = None,
    *,
    over: Literal["targets", "subjects"] = "targets",
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = 0.95,
    method: Method = "t",
    random_state: Any = None,
) -> ConfidenceInterval:
    """Estimate the confidence interval of a mean over targets or over subjects.

    For r or theta of every target, as :func:`skalign.metrics.alignment` gives them. A subject
    counts with the mean over its targets.

    Parameters
    ----------
    values : array-like of shape (n_targets,), or list of such arrays
        Values of the targets; with ``over="subjects"``, one array per subject, of any lengths. NaN
        marks a target that has no value, such as theta of a target without weights.
    minus : like `values`, default=None
        Values of the same targets to subtract, for the interval of a paired difference. A target
        without a value on either side has no difference.
    over : {"targets", "subjects"}, default="targets"
        What is drawn with replacement.
    n_resamples : int, default=1000
        Number of draws of a bootstrap interval.
    confidence_level : float, default=0.95
        Confidence level of the interval.
    method : {"t", "percentile", "basic", "BCa"}, default="t"
        How the interval is made. "t" is Student's interval, ``mean +- t s / sqrt(n)`` with n - 1
        degrees of freedom. The others are the bootstrap intervals of
        :func:`scipy.stats.bootstrap`.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap draws; an integer makes them reproducible.

    Returns
    -------
    ConfidenceInterval
        Of the mean, in the units of `values`.

    Raises
    ------
    ValueError
        If there are fewer than two targets or subjects, values are infinite, or `minus` does not
        have the shape of `values`.

    Warns
    -----
    UserWarning
        If fewer than ten targets or subjects are drawn for a bootstrap interval.

    See Also
    --------
    sign_flip_test : Exact test and interval of a mean over a handful of subjects.
    bootstrap_alignment : Intervals of a fitted estimator, over images or targets.

    Notes
    -----
    Targets without a value are left out of the means, and counted in ``n_left_out``. A subject
    without any value is left out with them. With fewer than two values left, the interval is NaN.

    Neighboring voxels are not independent. An interval over targets is therefore too narrow as a
    statement about other people's brains: draw subjects for that.

    Bootstrap intervals of few subjects are too narrow, because four subjects can be drawn in 35
    ways only. Intervals of level 0.95 covered the truth in these shares of 1000 simulated means of
    normal values (``benchmarks/interval_coverage.py``; "BCa" is like "percentile"):

    ============  ====  ==========
    Subjects      t     percentile
    ============  ====  ==========
    4             0.95  0.80
    8             0.95  0.88
    12            0.94  0.89
    30            0.95  0.92
    ============  ====  ==========

    Values of a skewed (exponential) distribution were covered less often: by "t" in 0.87, 0.89,
    0.90 and 0.92 of the simulations, by "percentile" in 0.75, 0.85, 0.87 and 0.91.

    Examples
    --------
    Theta of matched and of mismatched units in four subjects:

    >>> import numpy as np
    >>> from skalign.inference import bootstrap_mean
    >>> rng = np.random.default_rng(0)
    >>> matched = [rng.uniform(0.2, 0.4, n_voxels) for n_voxels in (30, 40, 25, 35)]
    >>> mismatched = [theta + rng.uniform(0, 0.4, theta.size) for theta in matched]
    >>> interval = bootstrap_mean(matched, mismatched, over="subjects")
    >>> bool(interval.low <= interval.estimate <= interval.high < 0)
    True
    """
    rule = IntervalRule(n_resamples, confidence_level, method, random_state).check()
    if over not in ("targets", "subjects"):
        raise ValueError(f'over must be "targets" or "subjects"; got {over!r}.')
    differences = differences_by_subject(values, minus, over)
    n_drawn = len(differences) if over == "subjects" else differences[0].size
    found = interval_of_mean(rule, differences, over)
    rule.warn_if_few(over, n_drawn, stacklevel=2)
    return found


def differences_by_subject(
    values: Any, minus: Any, over: Literal["targets", "subjects"]
) -> list[Doubles]:
    """Checked values less what is subtracted, one array per subject; over targets, one array."""
    per_subject = [values] if over == "targets" else list(values)
    subtracted = [None] * len(per_subject) if minus is None else [minus]
    if minus is not None and over == "subjects":
        subtracted = list(minus)
    if len(subtracted) != len(per_subject):
        raise ValueError(
            f"minus must have one array per subject of values, {len(per_subject)}; got "
            f"{len(subtracted)}."
        )
    return [_check_values(*pair) for pair in zip(per_subject, subtracted, strict=True)]


def means_of_subjects(values: Sequence[Doubles]) -> Doubles:
    """Mean over the targets that have a value, of every subject that has any."""
    defined = [array[~np.isnan(array)] for array in values]
    return np.array([array.mean() for array in defined if array.size])


def interval_of_mean(
    rule: IntervalRule,
    values: Sequence[Doubles],
    over: Literal["targets", "subjects"],
) -> ConfidenceInterval:
    """See `bootstrap_mean`; of checked arrays, one per subject."""
    n_left_out = int(sum(np.isnan(array).sum() for array in values))
    if over == "subjects":
        drawn, n_given = means_of_subjects(values), len(values)
    else:
        drawn, n_given = values[0][~np.isnan(values[0])], values[0].size
    if n_given < 2:
        raise ValueError(
            f"values must have at least 2 {over} to draw from; got {n_given}. Give more of them, "
            "or use bootstrap_alignment over images."
        )
    estimate = drawn.mean() if drawn.size else np.nan
    if drawn.size < 2:
        unknown = np.full(rule.n_resamples, np.nan)
        return interval_of(rule, estimate, unknown, unknown, n_left_out=n_left_out)
    if rule.method == "t":
        without_one = (drawn.sum() - drawn) / (drawn.size - 1)
        return interval_of(rule, estimate, without_one, n_left_out=n_left_out)
    found = bootstrap(
        (drawn,),
        np.mean,
        batch=max(1, _BATCH_BYTES // (16 * drawn.size)),
        vectorized=True,
        n_resamples=rule.n_resamples,
        confidence_level=rule.confidence_level,
        method=rule.method,
        random_state=rule.random_state,
    )
    return ConfidenceInterval(
        estimate,
        found.confidence_interval.low,
        found.confidence_interval.high,
        found.standard_error,
        0,
        n_left_out,
        rule.n_resamples,
        float(rule.confidence_level),
        rule.method,
    )


def _check_values(values: Any, minus: Any) -> Doubles:
    checked: list[Doubles] = []
    for array, name in ((values, "values"), (minus, "minus")):
        if array is not None:
            array = check_array(
                array,
                dtype=np.float64,
                ensure_2d=False,
                ensure_all_finite="allow-nan",
                input_name=name,
            )
            if array.ndim != 1:
                raise ValueError(
                    f"{name} must be 1-D, one value per target (and a list of such arrays with "
                    f'over="subjects"); got shape {array.shape}.'
                )
            checked.append(array)
    if len(checked) == 1:
        return checked[0]
    if checked[0].shape != checked[1].shape:
        raise ValueError(
            f"minus must have one value per target of values, {checked[0].size}; got "
            f"{checked[1].size}."
        )
    return np.subtract(*checked)
