"""Confidence intervals from draws at hand: t, percentile, basic and BCa."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtrit
from sklearn.utils import check_random_state, check_scalar

from skalign.metrics import target_column
from skalign.utils import Array, Doubles, import_pandas

Method = Literal["t", "percentile", "basic", "BCa"]

N_RESAMPLES = 1000  # default of all that draws without refitting
FEW = 10  # fewer things to draw from than that, and the ends of bootstrap intervals are too close


@dataclass(frozen=True, eq=False)
class ConfidenceInterval:
    """An estimate and its confidence interval, for a mean or for every target.

    Parameters
    ----------
    estimate : float or ndarray of shape (n_targets,)
        Value on the data as they are.
    low, high : float or ndarray of shape (n_targets,)
        Ends of the interval. NaN where the estimate is NaN, where fewer than two draws are defined,
        and where "BCa" is undefined because all draws lie on one side of the estimate.
    standard_error : float or ndarray of shape (n_targets,)
        Standard deviation of the draws; for "t" the standard error of the jackknife.
    n_undefined : int or ndarray of shape (n_targets,)
        Number of draws in which the value is undefined. They are ignored.
    n_left_out : int
        Number of targets that the mean leaves out because their value is undefined.
    n_resamples : int
        Number of draws; for "t" the number of groups, each of which is left out once.
    confidence_level : float
        Confidence level of the interval.
    method : {"t", "percentile", "basic", "BCa"}
        How the draws became an interval.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.
    degrees_of_freedom : float or ndarray of shape (n_targets,), default=inf
        Of Student's t, for "t".
    jackknife : ndarray of shape (n_resamples,), default=None
        For "t", of a mean: its values without each image or group.
    shares : ndarray of shape (n_resamples,), default=None
        For "t", of a mean: share of the images, or of their weight, that each group has.
    """

    estimate: Any
    low: Any
    high: Any
    standard_error: Any
    n_undefined: Any
    n_left_out: int
    n_resamples: int
    confidence_level: float
    method: Method
    target_names: Array | None = None
    degrees_of_freedom: Any = np.inf
    jackknife: Doubles | None = field(default=None, repr=False)
    shares: Doubles | None = field(default=None, repr=False)

    def pseudovalues(self) -> Doubles:
        """What each image or group contributes to the mean over targets, from the jackknife.

        Their mean is the estimate but for a bias of the order of 1 / n. For groups of equal size
        their standard error is that of the interval. Give them to :func:`crossed_mean` over
        networks, subjects and images.

        Returns
        -------
        ndarray of shape (n_resamples,)
            The estimate, plus n (1 - share) times what leaving the image or group out takes from
            it; n - 1 times for groups of equal size.

        Raises
        ------
        ValueError
            If the interval is not of a mean and by "t".
        """
        if self.jackknife is None or self.shares is None:
            raise ValueError(
                'method must be "t", of a mean over targets, for pseudo-values; got an interval '
                f"by {self.method!r} without a jackknife."
            )
        taken = self.estimate - self.jackknife
        return np.asarray(self.estimate + taken.size * (1 - self.shares) * taken)

    def to_frame(self) -> Any:
        """One row per target, or a single row for a mean, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target`` (not for a mean), ``estimate``, ``low``, ``high``,
            ``standard_error`` and ``n_undefined``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        frame = pd.DataFrame({name: np.atleast_1d(getattr(self, name)) for name in _COLUMNS})
        if np.ndim(self.estimate):
            frame.insert(0, "target", target_column(self.target_names, len(frame)))
        return frame


_COLUMNS = ("estimate", "low", "high", "standard_error", "n_undefined")


class IntervalRule(NamedTuple):
    """How many draws to take, and how they become an interval."""

    n_resamples: int
    confidence_level: float
    method: Method
    random_state: Any

    def check(self) -> IntervalRule:
        """Check everything but the state, which becomes a generator."""
        check_scalar(self.n_resamples, "n_resamples", (int, np.integer), min_val=2)
        check_scalar(
            self.confidence_level,
            "confidence_level",
            (float, np.floating),
            min_val=0,
            max_val=1,
            include_boundaries="neither",
        )
        if self.method not in get_args(Method):
            raise ValueError(f"method must be one of {get_args(Method)}; got {self.method!r}.")
        return self._replace(random_state=check_random_state(self.random_state))

    def warn_if_few(self, drawn: str, n_drawn: int, *, stacklevel: int) -> None:
        """Warn of a method that covers less than its level where few things are drawn."""
        if n_drawn < FEW and self.method != "t":
            warnings.warn(
                f"A {self.method} interval should have at least {FEW} {drawn} to draw from; got "
                f"{n_drawn}. It covers the truth less often than its level says: at 0.95, the mean "
                'of 4 subjects in 79 and of 8 in 89 of 100 cases. Use method="t" or, over '
                "subjects, sign_flip_test.",
                UserWarning,
                stacklevel=stacklevel + 1,
            )


def interval_of(
    rule: IntervalRule,
    estimate: ArrayLike,
    draws: Array,
    jackknife: Array | None = None,
    *,
    shares: Array | None = None,
    n_left_out: int = 0,
) -> ConfidenceInterval:
    """Intervals from bootstrap draws as in :func:`scipy.stats.bootstrap`, or from a jackknife.

    Parameters
    ----------
    rule : IntervalRule
        Checked.
    estimate : array-like of shape (n_targets,) or ()
        Values on the data as they are.
    draws : ndarray of shape (n_targets, n_resamples) or (n_resamples,)
        Values in the draws; NaN where undefined. For "t", values without each group of images.
    jackknife : ndarray of shape (n_targets, n_groups) or (n_groups,), default=None
        Values without each group of images, for "BCa".
    shares : ndarray of shape (n_resamples,), default=None
        Share of the weight that each group has, for "t"; equal shares by default.
    n_left_out : int, default=0
        Number of targets that the mean leaves out.

    Returns
    -------
    ConfidenceInterval
        Of arrays, or of numbers.
    """
    value = np.asarray(estimate, dtype=np.float64)
    tail = np.full(value.shape, (1 - rule.confidence_level) / 2)
    n_defined = np.count_nonzero(~np.isnan(draws), axis=-1)
    freedom = np.full(value.shape, np.inf)
    if rule.method == "t":
        if shares is None:
            shares = np.full(draws.shape[-1], 1 / draws.shape[-1])
        error, freedom = _of_jackknife(draws, shares)
        reach = -stdtrit(freedom, tail) * error
        low, high = value - reach, value + reach
    else:
        error = _standard_deviation(draws, n_defined)
        ordered = np.sort(draws, axis=-1)  # NaN at the end
        probabilities = tail, 1 - tail
        if rule.method == "BCa" and jackknife is not None:
            probabilities = _bca(tail, value, draws, n_defined, jackknife)
        low, high = (_quantile(ordered, n_defined, share) for share in probabilities)
        if rule.method == "basic":
            low, high = 2 * value - high, 2 * value - low
    known = (n_defined > 1) & ~np.isnan(value)
    return ConfidenceInterval(
        value[()],
        np.where(known, low, np.nan)[()],
        np.where(known, high, np.nan)[()],
        np.where(known, error, np.nan)[()],
        np.asarray(draws.shape[-1] - n_defined)[()],
        n_left_out,
        draws.shape[-1],
        float(rule.confidence_level),
        rule.method,
        degrees_of_freedom=freedom[()],
        jackknife=draws if rule.method == "t" and not value.ndim else None,
        shares=shares if rule.method == "t" and not value.ndim else None,
    )


def join(parts: list[ConfidenceInterval], target_names: Array | None = None) -> ConfidenceInterval:
    """Intervals of blocks of targets as one."""
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in (*_COLUMNS, "degrees_of_freedom")
    }
    return replace(parts[0], **joined, target_names=target_names)


def _quantile(ordered: Array, n_defined: Array, share: Array) -> Array:
    """Linear quantiles of the defined values, which come first, one share for every row."""
    last = np.maximum(n_defined - 1, 0)
    position = np.nan_to_num(share) * last
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, last)
    at = [
        np.take_along_axis(ordered, index[..., np.newaxis], -1)[..., 0] for index in (below, above)
    ]
    found = at[0] + (position - below) * (at[1] - at[0])
    return np.asarray(np.where(np.isnan(share), np.nan, found))


def _standard_deviation(draws: Array, n_defined: Array) -> Array:
    defined = ~np.isnan(draws)
    shape = (*n_defined.shape, 1)
    mean = draws.sum(axis=-1, where=defined) / np.maximum(n_defined, 1)
    square = ((draws - mean.reshape(shape)) ** 2).sum(axis=-1, where=defined)
    return np.asarray(np.sqrt(square / np.maximum(n_defined - 1, 1)))


def freedom_of_shares(shares: Doubles) -> Doubles:
    """Degrees of freedom of the cluster-robust variance of a mean, from the shares of the groups.

    Of the variance that has no bias where all images are alike and independent, by Satterthwaite
    (Bell and McCaffrey 2002): n - 1 with n groups of equal size.

    Parameters
    ----------
    shares : ndarray of shape (..., n_groups)
        They sum to 1; groups of share 0 are not there.

    Returns
    -------
    ndarray of shape (...)
        From 1 to n - 1.
    """
    others = 1 - shares
    factor = np.divide(shares**2, others, out=np.zeros_like(shares), where=others > 0)
    crossed = factor * (factor.sum(axis=-1, keepdims=True) - factor)
    inverse = (shares**2 + crossed).sum(axis=-1)
    most = np.maximum((shares > 0).sum(axis=-1) - 1, 1)
    return np.asarray(np.clip(1 / np.maximum(inverse, 1 / most), 1, most))


def _of_jackknife(without: Doubles, shares: Doubles) -> tuple[Array, Array]:
    """Standard error and degrees of freedom from values without each group, of any sizes.

    With groups of equal size, they are those of the jackknife.
    """
    is_known, tiny = ~np.isnan(without), np.finfo(np.float64).tiny
    share = np.where(is_known, shares, 0)
    share = share / np.maximum(share.sum(axis=-1, keepdims=True), tiny)
    others, known = np.where(is_known, 1 - share, 0), np.where(is_known, without, 0)
    total = np.maximum(others.sum(axis=-1, keepdims=True), tiny)
    mean = (others * known).sum(axis=-1, keepdims=True) / total
    error = np.sqrt((others * (known - mean) ** 2).sum(axis=-1))
    return error, freedom_of_shares(share)


def _bca(
    tail: Array,
    value: Array,
    draws: Array,
    n_defined: Array,
    jackknife: Array,
) -> tuple[Array, Array]:
    """Shares of the draws below the two ends, corrected for bias and acceleration."""
    with np.errstate(invalid="ignore", divide="ignore"):
        at = value[..., np.newaxis]
        below = (draws < at).sum(axis=-1) + (draws <= at).sum(axis=-1)
        bias = ndtri(below / (2 * n_defined))
        defined = ~np.isnan(jackknife)
        n_jackknife = defined.sum(axis=-1)
        mean = jackknife.sum(axis=-1, where=defined) / n_jackknife
        away = mean[..., np.newaxis] - jackknife
        cube, square = ((away**power).sum(axis=-1, where=defined) for power in (3, 2))
        acceleration = cube / (6 * square**1.5)
        shares = []
        for z in (ndtri(tail), -ndtri(tail)):
            shifted = bias + z
            shares.append(ndtr(bias + shifted / (1 - acceleration * shifted)))
    return shares[0], shares[1]
