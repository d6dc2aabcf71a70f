"""Bootstrap intervals from draws at hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from sklearn.utils import check_random_state, check_scalar

from skalign.utils import import_pandas

Method = Literal["percentile", "basic", "BCa"]


@dataclass(frozen=True, eq=False)
class BootstrapInterval:
    """An estimate and its bootstrap interval.

    Parameters
    ----------
    estimate : float or ndarray of shape (n_targets,)
        The value on the data as they are.
    low, high : float or ndarray of shape (n_targets,)
        Ends of the interval. NaN where the estimate is, where fewer than two draws are defined, and
        where "BCa" is: all draws lie on one side of the estimate.
    standard_error : float or ndarray of shape (n_targets,)
        Standard deviation of the draws.
    n_undefined : int or ndarray of shape (n_targets,)
        Number of draws in which the value is undefined. Those of theta are left out of the interval
        and of the standard error; those of r count as r = 0.
    n_left_out : int
        Number of targets that the mean leaves out, because their value is undefined.
    n_resamples : int
        Number of draws.
    confidence_level : float
        Confidence level of the interval.
    method : {"percentile", "basic", "BCa"}
        How the draws became an interval.
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
        names = ("estimate", "low", "high", "standard_error", "n_undefined")
        frame = pd.DataFrame({name: np.atleast_1d(getattr(self, name)) for name in names})
        if np.ndim(self.estimate):
            frame.insert(0, "target", np.arange(len(frame)))
        return frame


@dataclass(frozen=True, eq=False)
class AlignmentIntervals:
    """Bootstrap intervals of predictivity and reorientation.

    Of one estimator, or of the difference between two.

    Parameters
    ----------
    r : BootstrapInterval
        Of the mean r over targets. A target that is predicted to be constant has r = 0.
    theta : BootstrapInterval
        Of the mean theta over the targets that have one. ``theta.n_left_out`` are the others, left
        without weights or without a direction.
    target_r, target_theta : BootstrapInterval or None
        Of every target. None where targets were drawn: one target has no interval then.
    """

    r: BootstrapInterval
    theta: BootstrapInterval
    target_r: BootstrapInterval | None
    target_theta: BootstrapInterval | None

    def to_frame(self) -> Any:
        """Means and targets in one table, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``measure`` ("r" or "theta"), ``target`` (missing for the mean over targets),
            ``estimate``, ``low``, ``high``, ``standard_error`` and ``n_undefined``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        frames = []
        for measure, mean, targets in (
            ("r", self.r, self.target_r),
            ("theta", self.theta, self.target_theta),
        ):
            frames.append(mean.to_frame().assign(measure=measure, target=pd.NA))
            if targets is not None:
                frames.append(targets.to_frame().assign(measure=measure))
        frames = [frame.astype({"target": "Int64"}) for frame in frames]
        frame = pd.concat(frames, ignore_index=True)
        first = ["measure", "target"]
        return frame[[*first, *frame.columns.drop(first)]]


class Rule(NamedTuple):
    """How many draws to take, and how they become an interval."""

    n_resamples: int
    confidence_level: float
    method: Method
    random_state: Any

    def check(self) -> Rule:
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
            raise ValueError(f"method must be one of {get_args(Method)}, got {self.method!r}.")
        return self._replace(random_state=check_random_state(self.random_state))


def interval_of(
    rule: Rule,
    estimate: ArrayLike,
    draws: NDArray[Any],
    jackknife: NDArray[Any] | None = None,
    *,
    n_undefined: NDArray[Any] | None = None,
    n_left_out: int = 0,
) -> BootstrapInterval:
    """Intervals from draws, as :func:`scipy.stats.bootstrap` takes them.

    Parameters
    ----------
    rule : Rule
        Checked.
    estimate : array-like of shape (n_targets,) or ()
        Values on the data as they are.
    draws : ndarray of shape (n_targets, n_resamples) or (n_resamples,)
        Values in the draws; NaN: undefined, and left out.
    jackknife : ndarray of shape (n_targets, n_groups) or (n_groups,), default=None
        Values without each group of images, for "BCa".
    n_undefined : ndarray of shape (n_targets,) or (), default=None
        Number of undefined draws, where that is not the number of NaN.
    n_left_out : int, default=0
        Number of targets that the mean leaves out.

    Returns
    -------
    BootstrapInterval
        Of arrays, or of numbers.
    """
    value = np.asarray(estimate, dtype=np.float64)
    n_defined = np.count_nonzero(~np.isnan(draws), axis=-1)
    ordered = np.sort(draws, axis=-1)  # NaN at the end
    tail = np.full(value.shape, (1 - rule.confidence_level) / 2)
    probabilities = tail, 1 - tail
    if rule.method == "BCa" and jackknife is not None:
        probabilities = _bca(tail, value, draws, n_defined, jackknife)
    low, high = (_quantile(ordered, n_defined, share) for share in probabilities)
    if rule.method == "basic":
        low, high = 2 * value - high, 2 * value - low
    known = (n_defined > 1) & ~np.isnan(value)
    error = _standard_deviation(draws, n_defined)
    if n_undefined is None:
        n_undefined = draws.shape[-1] - n_defined
    return BootstrapInterval(
        value[()],
        np.where(known, low, np.nan)[()],
        np.where(known, high, np.nan)[()],
        np.where(known, error, np.nan)[()],
        np.asarray(n_undefined)[()],
        n_left_out,
        draws.shape[-1],
        float(rule.confidence_level),
        rule.method,
    )


def join(parts: list[BootstrapInterval]) -> BootstrapInterval:
    """Intervals of blocks of targets as one."""
    names = ("estimate", "low", "high", "standard_error", "n_undefined")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in names
    }
    return replace(parts[0], **joined)


def _quantile(ordered: NDArray[Any], n_defined: NDArray[Any], share: NDArray[Any]) -> NDArray[Any]:
    """Linear quantiles of the defined values, which come first, one share for every row."""
    last = np.maximum(n_defined - 1, 0)
    position = np.nan_to_num(share) * last
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, last)
    at = [
        np.take_along_axis(ordered, index[..., np.newaxis], -1)[..., 0] for index in (below, above)
    ]
    found = at[0] + (position - below) * (at[1] - at[0])
    return np.where(np.isnan(share), np.nan, found)


def _standard_deviation(draws: NDArray[Any], n_defined: NDArray[Any]) -> NDArray[Any]:
    defined = ~np.isnan(draws)
    shape = (*n_defined.shape, 1)
    mean = draws.sum(axis=-1, where=defined) / np.maximum(n_defined, 1)
    square = ((draws - mean.reshape(shape)) ** 2).sum(axis=-1, where=defined)
    return np.sqrt(square / np.maximum(n_defined - 1, 1))


def _bca(
    tail: NDArray[Any],
    value: NDArray[Any],
    draws: NDArray[Any],
    n_defined: NDArray[Any],
    jackknife: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any]]:
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
