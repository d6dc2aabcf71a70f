"""How systems predict each other: alignments of all maps, their tables, and asymmetries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skalign.inference._alignment_intervals import AlignmentIntervals
from skalign.inference._interval import (
    N_RESAMPLES,
    ConfidenceInterval,
    IntervalRule,
    interval_of,
)
from skalign.inference._normalized_r import share_of_means
from skalign.metrics import (
    Alignment,
    NoiseCeiling,
    UnitMatching,
    correct_reorientation,
    normalize_scores,
)
from skalign.utils import import_pandas


@dataclass(frozen=True, eq=False)
class MutualAlignment:
    """How systems predict each other: one alignment for each of them as the features.

    Returned by :func:`mutual_alignment`. ``found["network", "brain"]`` is the alignment of the map
    from the units of "network" to those of "brain".

    Parameters
    ----------
    sides : dict of tuple (features, targets) to Alignment
        Alignment of every map, by the names of the systems. The features are "others" where all
        other systems are pooled. High r and low theta are good.
    matchings : dict of tuple (features, targets) to UnitMatching
        Matches of the same units; empty unless asked for.
    ceilings : dict of str to NoiseCeiling
        Noise ceilings in r of the systems; empty unless given.
    intervals : dict of tuple (features, targets) to AlignmentIntervals
        Intervals of every map over test images; empty unless asked for.
    """

    sides: dict[tuple[str, str], Alignment]
    matchings: dict[tuple[str, str], UnitMatching]
    ceilings: dict[str, NoiseCeiling]
    intervals: dict[tuple[str, str], AlignmentIntervals]

    def __getitem__(self, pair: tuple[str, str]) -> Alignment:
        if pair not in self.sides:
            raise KeyError(
                f"The key must be a pair (features, targets) of {list(self.sides)}; got {pair!r}."
            )
        return self.sides[pair]

    def to_frame(self) -> Any:
        """One row per map and target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``features`` and ``targets``, the names of the systems; those of
            :meth:`skalign.metrics.Alignment.to_frame`; with ceilings also ``r_normalized`` and, if
            centered, ``theta_corrected``, the observed theta without the noise of the targets.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        frames = []
        for (features, targets), side in self.sides.items():
            frame = side.to_frame()
            if targets in self.ceilings:
                ceiling = self.ceilings[targets]
                frame["r_normalized"] = normalize_scores(side.r, ceiling, unit="r")
                if side.centered:
                    frame["theta_corrected"] = correct_reorientation(side, ceiling).theta
            frame.insert(0, "features", features)
            frame.insert(1, "targets", targets)
            frames.append(frame)
        return import_pandas().concat(frames, ignore_index=True)

    def summary_frame(self) -> Any:
        """One row per map, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``features`` and ``targets``, the names of the systems; those of
            :meth:`skalign.metrics.Alignment.summary`; with ceilings also ``r_normalized``, the mean
            r as a share of the mean ceiling, and, if centered, ``theta_corrected``, the observed
            theta without the noise of the targets; with matches also ``matching``, their score.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        rows = []
        for pair, side in self.sides.items():
            row: dict[str, Any] = {"features": pair[0], "targets": pair[1], **side.summary()}
            if pair[1] in self.ceilings:
                ceiling = self.ceilings[pair[1]]
                row["r_normalized"] = share_of_means(side.r, ceiling)
                if side.centered:
                    row["theta_corrected"] = correct_reorientation(side, ceiling).mean
            if pair in self.matchings:
                row["matching"] = self.matchings[pair].score
            rows.append(row)
        return import_pandas().DataFrame(rows)

    def asymmetry(self, first: str, second: str) -> ConfidenceInterval:
        """How much better one system predicts another than it is predicted, with its interval.

        Parameters
        ----------
        first, second : str
            Names of two systems.

        Returns
        -------
        ConfidenceInterval
            Of the mean r from the units of `first` to those of `second`, minus that of the other
            direction. Each mean is divided by the mean ceiling of its targets, where that was
            given. Both directions leave out the same test images.

        Raises
        ------
        KeyError
            If one of the directions was not fitted.
        ValueError
            If intervals were not asked for, or a ceiling is 0 or NaN for some targets.
        """
        pairs = [(first, second), (second, first)]
        of_sides = [self[pair] for pair in pairs]  # raises
        if not self.intervals:
            raise ValueError(
                "confidence_level must be given to mutual_alignment for intervals of an asymmetry; "
                "got None."
            )
        means = [self.intervals[pair].r for pair in pairs]
        estimates, jackknives = [], []
        for (_, targets), side, mean in zip(pairs, of_sides, means, strict=True):
            divisor = 1.0
            if targets in self.ceilings:
                ceiling = self.ceilings[targets].values
                if not (ceiling > 0).all():
                    raise ValueError(
                        f"ceilings[{targets!r}] must be above 0 for every target of an asymmetry; "
                        f"got {np.count_nonzero(~(ceiling > 0))} of {side.r.size} that are 0 or "
                        "NaN. Leave these targets out (reliable_targets gives their mask)."
                    )
                divisor = float(ceiling.mean())
            estimates.append(mean.estimate / divisor)
            jackknives.append(np.asarray(mean.jackknife) / divisor)
        rule = IntervalRule(N_RESAMPLES, means[0].confidence_level, "t", None)
        return interval_of(
            rule,
            estimates[0] - estimates[1],
            jackknives[0] - jackknives[1],
            shares=means[0].shares,
        )
