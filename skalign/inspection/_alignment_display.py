"""r and theta of every target beside null fits or intervals, region by region, as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skalign.inference import AlignmentNull
from skalign.inspection._palette import BLUE, ORANGE
from skalign.inspection._target_tables import LABELS, Over, tables_of_intervals, tables_of_null
from skalign.metrics import NoiseCeiling
from skalign.utils import Array, check_number, import_pandas, import_pyplot

_SYMBOLS = {"r": "r", "theta": "θ"}


class AlignmentDisplay:
    """Every target's r and theta beside the range of null fits, or beside their intervals.

    Which targets of which region are predicted better, and reoriented less, than null fits are? How
    sure are the values, and how far below the noise ceiling? Made by :meth:`from_null` or
    :meth:`from_intervals`, which draw it too.

    Parameters
    ----------
    targets : pandas.DataFrame
        One row per region, measure ("r" or "theta") and target: columns `region`, `measure`,
        `target`, `value`, the ends `low` and `high`, `found` (whether in blue) and `ceiling`.
    means : pandas.DataFrame
        One row per region and measure: columns `region`, `measure`, `value` (the mean over the
        region's targets), its `low` and `high`, and `p`.
    labels : dict of str to str
        What the ends of targets, those of means, and the colors are: "ends", "means", "found" and
        "other".

    Attributes
    ----------
    axes_ : ndarray of 2 matplotlib Axes
        Of r and theta.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    NoiseCeilingDisplay : Predictivity against the noise ceiling.
    skalign.inference.alignment_null : Null fits, and the test of both measures.
    skalign.inference.bootstrap_alignment : Intervals.

    Notes
    -----
    - *Point*: a target. Those of a region stand side by side, in the order of their value.
    - *Vertical line*: from the 2.5th to the 97.5th percentile of its null fits (gray), or its
      interval. An empty null fit has an r of 0 and no theta.
    - *Blue*: q-value of at most `rate`, among the targets of the region. In theta a point below its
      line is no evidence by itself: the q-value compares with null fits of as many active units.
    - *Horizontal line*: the mean over the targets of a region; *band*: the range of that mean over
      null fits, or its interval. Below it stands the p-value of the mean.
    - *Dash*: the noise ceiling of r.

    Targets without a value are counted in the legend. A mean r counts them as 0, a mean theta is
    over the others.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import alignment_null
    >>> from skalign.inspection import AlignmentDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = np.abs(rng.standard_normal((200, 8)))
    >>> y = X[:, :4] + rng.standard_normal((200, 4))
    >>> results = {
    ...     region: alignment_null(
    ...         SparsePositiveEncoder(), X[:100], y[:100, half], X[100:], y[100:, half],
    ...         n_resamples=19, random_state=0,
    ...     )
    ...     for region, half in [("FFA", slice(0, 2)), ("PPA", slice(2, 4))]
    ... }
    >>> display = AlignmentDisplay.from_null(results)
    >>> display.means[["region", "measure", "p"]]
      region measure     p
    0    FFA       r  0.05
    1    FFA   theta  0.40
    2    PPA       r  0.05
    3    PPA   theta  0.25
    """

    axes_: Array
    figure_: Any

    def __init__(self, targets: Any, means: Any, labels: Mapping[str, str]) -> None:
        self.targets = targets
        self.means = means
        self.labels = labels

    @classmethod
    def from_null(
        cls,
        results: AlignmentNull | Mapping[str, AlignmentNull],
        *,
        ceilings: NoiseCeiling | Mapping[str, NoiseCeiling] | None = None,
        rate: float = 0.05,
        ax: Any = None,
    ) -> AlignmentDisplay:
        """Draw observed values beside those of null fits.

        Parameters
        ----------
        results : AlignmentNull or dict of str to AlignmentNull
            What :func:`~skalign.inference.alignment_null` returns; of several regions, by name.
        ceilings : NoiseCeiling or dict of str to NoiseCeiling, default=None
            Noise ceilings of the same targets.
        rate : float, default=0.05
            Largest q-value of the targets in blue.
        ax : array-like of 2 matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        AlignmentDisplay
            Drawn.

        Raises
        ------
        TypeError
            If results or ceilings are of another type.
        ValueError
            If regions of the ceilings, or their numbers of targets, are not those of the results.
        ImportError
            If pandas or matplotlib is missing.
        """
        rate = check_number(rate, "rate")
        tables = tables_of_null(results, ceilings, rate)
        labels = {
            "ends": "Null fits, 95 %",
            "means": "Null means, 95 %",
            "found": f"q at most {rate:g}",
            "other": f"q above {rate:g}, or none",
        }
        return cls(*tables, labels).plot(ax)

    @classmethod
    def from_intervals(
        cls,
        results: Any,
        *,
        over: Over = "both",
        ceilings: NoiseCeiling | Mapping[str, NoiseCeiling] | None = None,
        ax: Any = None,
    ) -> AlignmentDisplay:
        """Draw values and their confidence intervals.

        Parameters
        ----------
        results : AlignmentIntervals, RefitIntervals or dict of str to these
            What :func:`~skalign.inference.bootstrap_alignment` or
            :func:`~skalign.inference.refit_intervals` returns; of several regions, by name.
        over : {"test", "fit", "both"}, default="both"
            Of `RefitIntervals`, the images that the intervals are over.
        ceilings : NoiseCeiling or dict of str to NoiseCeiling, default=None
            Noise ceilings of the same targets.
        ax : array-like of 2 matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        AlignmentDisplay
            Drawn.

        Raises
        ------
        TypeError
            If results or ceilings are of another type.
        ValueError
            If regions of the ceilings, or their numbers of targets, are not those of the results.
        ImportError
            If pandas or matplotlib is missing.
        """
        tables, confidence_level = tables_of_intervals(results, ceilings, over)
        level = f"{100 * confidence_level:g} %"
        labels = {
            "ends": f"Interval, {level}",
            "means": f"Of the mean, {level}",
            "found": "Targets",
            "other": "",
        }
        return cls(*tables, labels).plot(ax)

    def plot(self, ax: Any = None) -> AlignmentDisplay:
        """Draw.

        Parameters
        ----------
        ax : array-like of 2 matplotlib Axes, default=None
            For r and theta; by default a new figure.

        Returns
        -------
        AlignmentDisplay
            This one, with ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If `ax` are not two.
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        if ax is None:
            width = 9 + 0.6 * max(self.means["region"].nunique() - 3, 0)
            _, ax = plt.subplots(1, 2, figsize=(width, 4.4), layout="constrained")
        self.axes_ = np.ravel(np.asarray(ax, dtype=object))
        if self.axes_.size != 2:
            raise ValueError(f"ax must be two Axes, for r and theta; got {self.axes_.size}.")
        self.figure_ = self.axes_[0].figure
        for axes, measure in zip(self.axes_, LABELS, strict=True):
            self._draw(axes, measure)
        return self

    def _draw(self, ax: Any, measure: str) -> None:
        """One panel: the targets of all regions, and the means."""
        rows = self.targets[self.targets["measure"] == measure]
        means = self.means[self.means["measure"] == measure]
        n_drawn = int(rows["value"].notna().sum())
        gap = max(1, n_drawn // 30)
        size, width = np.clip(800 / max(n_drawn, 1), 4, 16), np.clip(200 / max(n_drawn, 1), 0.4, 2)
        parts, ticks, start = [], [], 0
        for mean in means.itertuples():
            of_region = rows[(rows["region"] == mean.region) & rows["value"].notna()]
            of_region = of_region.sort_values("value", kind="stable")
            ends = start - 0.5, start + max(len(of_region), 1) - 0.5
            parts.append(of_region.assign(place=start + np.arange(len(of_region))))
            ticks.append((np.mean(ends), _tick(mean, len(means) > 1)))
            self._draw_mean(ax, mean, ends, is_first=start == 0)
            start = int(ends[1] + 0.5) + gap
        drawn = import_pandas().concat(parts)
        has_ends = drawn[drawn["low"].notna()]
        if len(has_ends):
            line = {"color": "0.7", "linewidth": width, "label": self.labels["ends"], "zorder": 1}
            ax.vlines(has_ends["place"], has_ends["low"], has_ends["high"], **line)
        has_ceiling = drawn[drawn["ceiling"].notna()] if measure == "r" else drawn[:0]
        if len(has_ceiling):
            dash = {"marker": "_", "color": "black", "linewidth": 1.2, "label": "Noise ceiling"}
            ax.scatter(has_ceiling["place"], has_ceiling["ceiling"], 2 * size, **dash)
        for is_found, name, color in ((True, "found", BLUE), (False, "other", ORANGE)):
            group = drawn[drawn["found"] == is_found]
            if len(group):
                label = f"{self.labels[name]} ({len(group)})"
                ax.scatter(group["place"], group["value"], size, color=color, label=label, zorder=3)
        if n_drawn < len(rows):
            ax.plot([], [], " ", label=f"No {_SYMBOLS[measure]}: not drawn ({len(rows) - n_drawn})")
        label = f"Targets, by {_SYMBOLS[measure]}"
        has_p = means["p"].notna().any()
        ax.set(xlabel=f"{label}; p of their mean" if has_p else label, ylabel=LABELS[measure])
        ax.set_xticks(*zip(*ticks, strict=True))
        ax.tick_params(axis="x", length=0)
        style = {"fontsize": "small", "frameon": False, "columnspacing": 1.0, "handletextpad": 0.4}
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, **style)

    def _draw_mean(self, ax: Any, mean: Any, ends: tuple[float, float], *, is_first: bool) -> None:
        label = "Mean of targets" if is_first else None
        ax.hlines(mean.value, *ends, color="black", linewidth=1.5, label=label, zorder=2)
        if np.isfinite(mean.low):
            band = {"facecolor": "0.5", "alpha": 0.25, "linewidth": 0, "zorder": 0}
            label = self.labels["means"] if is_first else None
            ax.fill_between(ends, mean.low, mean.high, label=label, **band)


def _tick(mean: Any, is_named: bool) -> str:
    """Name of the region, and the p-value of its mean."""
    p = f"p = {mean.p:.2g}" if np.isfinite(mean.p) else ""
    return "\n".join(filter(None, [str(mean.region) if is_named else "", p]))
