"""Intervals of predictivity and reorientation, of one model or of the difference of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skalign.inference._comparison import AlignmentComparison
from skalign.inference._interval import ConfidenceInterval
from skalign.utils import import_pandas


@dataclass(frozen=True, eq=False)
class AlignmentIntervals:
    """Confidence intervals of predictivity and reorientation.

    Returned by :func:`bootstrap_alignment` for one model, and by
    :func:`bootstrap_alignment_difference` for the difference of two.

    Parameters
    ----------
    sides : AlignmentComparison
        Alignment on the images as they are: of the side "encoder", or of the two sides that are
        compared, by their names.
    r : ConfidenceInterval
        Of the mean r over targets. A target without an r counts as 0: its model explains nothing.
    theta : ConfidenceInterval
        Of the mean theta over the targets that have one. ``theta.n_left_out`` is the number of the
        others; read it beside `empty_fraction`.
    theta_observed : ConfidenceInterval
        Of the mean observed theta over the targets that have one.
    penalized_theta : ConfidenceInterval
        Of the mean theta over all targets, where a target without a theta counts as 2, the worst.
    empty_fraction : float
        Fraction of the targets that have no active unit, on one of the sides at least.
    target_r, target_theta, target_theta_observed : ConfidenceInterval
        Of every target. NaN where the target has no value. Where targets were drawn, a single
        target has an estimate but no interval.

    Notes
    -----
    Ends are cut to the values that the measure can have: from -1 to 1 for r, from 0 to 2 for theta,
    and from -2 to 2 for differences.
    """

    sides: AlignmentComparison
    r: ConfidenceInterval
    theta: ConfidenceInterval
    theta_observed: ConfidenceInterval
    penalized_theta: ConfidenceInterval
    empty_fraction: float
    target_r: ConfidenceInterval
    target_theta: ConfidenceInterval
    target_theta_observed: ConfidenceInterval

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``; ``r``, ``r_low``, ``r_high``, ``r_standard_error``,
            ``r_n_undefined``; the same for ``theta`` and ``theta_observed``. Of a difference, all
            are differences.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        measures = ("r", "theta", "theta_observed")
        frames = {name: getattr(self, f"target_{name}").to_frame() for name in measures}
        frame = frames["r"][["target"]].copy()
        for measure, columns in frames.items():
            for name in columns.columns.drop("target"):
                frame[measure if name == "estimate" else f"{measure}_{name}"] = columns[name]
        return frame

    def summary_frame(self) -> Any:
        """One row per mean over targets, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``measure`` ("r", "theta", "theta_observed" or "penalized_theta"),
            ``estimate``, ``low``, ``high``, ``standard_error``, ``n_undefined`` and
            ``empty_fraction``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        names = ["r", "theta", "theta_observed", "penalized_theta"]
        frame = pd.concat([getattr(self, name).to_frame() for name in names], ignore_index=True)
        frame.insert(0, "measure", np.array(names, dtype=object))
        return frame.assign(empty_fraction=self.empty_fraction)
