"""Observed r and theta beside those of null fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from skalign.inference._null_draws import NullDraws
from skalign.inference._null_statistics import (
    PValues,
    center_draws,
    compare_at_equal_units,
    least_p_value,
    n_targets_for_discovery,
    p_values_of,
)
from skalign.metrics import Alignment
from skalign.utils import Doubles, Integers

NullName = Literal["units", "rotation", "images"]
Correction = Literal["bh", "by"]
Target = Literal["predicted", "observed"]

TIE = 0.1  # roots of a rounding error within which two values are equal
P_VALUES = ["p_value", "q_value", "familywise_p_value"]


@dataclass(frozen=True, eq=False)
class AlignmentNull:
    """Observed r and theta of every target, those of null fits, and p-values.

    Returned by :func:`alignment_null`. High r and low theta are good.

    Parameters
    ----------
    null : {"units", "rotation", "images"}
        Kind of null fits.
    encoder : Alignment
        Alignment of the encoder. It has the names of the targets, where `y` had names.
    null_r, null_theta, null_n_active : ndarray of shape (n_resamples, n_targets)
        Predictivity r, tuning reorientation theta, taken to `target` of :func:`alignment_null`, and
        number of active units of every null fit. r and theta of an empty fit are NaN.
    excess_theta : ndarray of shape (n_targets,)
        The encoder's theta to `target` minus the theta that fits with as many active units have on
        average; negative is good. NaN for an empty fit and for ``null="images"``.
    p_value_r, p_value_theta : ndarray of shape (n_targets,)
        One-sided p-values of single targets. Those of theta are NaN for ``null="images"``.
    q_value_r, q_value_theta : ndarray of shape (n_targets,)
        The same p-values, adjusted for the false discovery rate: among the targets with a q-value
        of at most 0.05, at most 5 % are false discoveries on average.
    familywise_p_value_r, familywise_p_value_theta : ndarray of shape (n_targets,)
        The same p-values, adjusted for the family-wise error rate: without any effect, the
        probability that one or more targets have 0.05 or less is 5 %.
    region_p_value_r, region_p_value_theta : float
        One-sided p-values of the means over all targets, for targets that form one region.
    correction : {"bh", "by"}
        Rule of the q-values.
    least_p_value : float
        Least p-value that this number of draws can give.
    target : {"predicted", "observed"}, default="predicted"
        Which responses the theta that is tested is taken to.
    """

    null: NullName
    encoder: Alignment
    null_r: Doubles = field(repr=False)
    null_theta: Doubles = field(repr=False)
    null_n_active: Integers = field(repr=False)
    excess_theta: Doubles
    p_value_r: Doubles
    p_value_theta: Doubles
    q_value_r: Doubles
    q_value_theta: Doubles
    familywise_p_value_r: Doubles
    familywise_p_value_theta: Doubles
    region_p_value_r: float
    region_p_value_theta: float
    correction: Correction
    least_p_value: float
    target: Target = "predicted"

    @property
    def tested_theta(self) -> Doubles:
        """The encoder's theta to `target`, to be read beside `null_theta`, (n_targets,)."""
        return self.encoder.theta if self.target == "predicted" else self.encoder.theta_observed

    @property
    def n_empty(self) -> Integers:
        """Number of null fits without any active unit, (n_targets,)."""
        return np.asarray(np.count_nonzero(self.null_n_active == 0, axis=0))

    def n_targets_for_discovery(self, rate: float = 0.05) -> int:
        """Count the targets at the least p-value that make discoveries possible.

        Parameters
        ----------
        rate : float, default=0.05
            False discovery rate.

        Returns
        -------
        int
            If no more than that number of targets have an effect, none of them can have a q-value
            of `rate` or less, however strong the effect: increase `n_resamples`.
        """
        return n_targets_for_discovery(
            self.least_p_value, self.p_value_r.size, self.correction, rate
        )

    def summary(self) -> dict[str, float]:
        """Average over targets, and say what the number of draws can show.

        Returns
        -------
        dict of str to float
            - ``"r"``, ``"theta"`` and all else of :meth:`skalign.metrics.Alignment.summary`, of the
              encoder.
            - ``"excess_theta"``: mean over the targets that have one.
            - ``"region_p_value_r"``, ``"region_p_value_theta"``: p-values of the means.
            - ``"n_resamples"``: number of null fits.
            - ``"least_p_value"``: least p-value that they can give.
            - ``"n_targets_for_discovery"``: number of targets that must have the least p-value for
              a q-value of 0.05.
        """
        excess = self.excess_theta[~np.isnan(self.excess_theta)]
        return {
            **self.encoder.summary(),
            "excess_theta": float(excess.mean()) if excess.size else np.nan,
            "region_p_value_r": self.region_p_value_r,
            "region_p_value_theta": self.region_p_value_theta,
            "n_resamples": len(self.null_r),
            "least_p_value": self.least_p_value,
            "n_targets_for_discovery": self.n_targets_for_discovery(),
        }

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            The columns of :meth:`skalign.metrics.Alignment.to_frame`; ``null_r``, ``null_theta``
            and ``null_n_active``, means over the null fits (of theta: those that have one; an empty
            fit has an r of 0); ``excess_theta``, ``n_empty``; ``p_value_r``, ``q_value_r``,
            ``familywise_p_value_r`` and the same of theta.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        theta = np.ma.masked_invalid(self.null_theta).mean(axis=0)
        columns = {
            "null_r": np.nan_to_num(self.null_r).mean(axis=0),
            "null_theta": np.ma.filled(theta.astype(np.float64), np.nan),
            "null_n_active": self.null_n_active.mean(axis=0),
            "excess_theta": self.excess_theta,
            "n_empty": self.n_empty,
        }
        for measure in ("r", "theta"):
            columns |= {f"{p}_{measure}": getattr(self, f"{p}_{measure}") for p in P_VALUES}
        return self.encoder.to_frame().assign(**columns)


def result_of(
    values: Doubles,
    own: Alignment,
    draws: NullDraws,
    *,
    null: NullName,
    correction: Correction,
    target: Target,
) -> AlignmentNull:
    """Test the observed fit, `own` and row 0 of `values`, against the null fits."""
    r, theta, n_active = values[..., 0], values[..., 1], values[..., 2].astype(np.int64)
    tie = TIE * np.sqrt(np.finfo(draws.dtype).eps)
    is_tested = n_active[0] > 0
    of_r = p_values_of(center_draws(r), is_tested, correction, tie)
    excess = np.full(r.shape[1], np.nan)
    of_theta = PValues(excess, excess, excess, np.nan)
    if null != "images":
        residual, statistic = compare_at_equal_units(theta, n_active, tie)
        of_theta, excess = p_values_of(statistic, is_tested, correction, tie), residual[0]
    return AlignmentNull(
        null=null,
        encoder=own,
        null_r=r[1:],
        null_theta=theta[1:],
        null_n_active=n_active[1:],
        excess_theta=excess,
        p_value_r=of_r.p_value,
        p_value_theta=of_theta.p_value,
        q_value_r=of_r.q_value,
        q_value_theta=of_theta.q_value,
        familywise_p_value_r=of_r.familywise_p_value,
        familywise_p_value_theta=of_theta.familywise_p_value,
        region_p_value_r=of_r.region_p_value,
        region_p_value_theta=of_theta.region_p_value,
        correction=correction,
        least_p_value=least_p_value(len(r) - 1, draws.n_arrangements),
        target=target,
    )
