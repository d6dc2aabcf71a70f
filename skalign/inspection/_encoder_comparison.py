"""Encoders on matched and mismatched units, subject by subject, as a figure."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from skalign.inspection._units_table import (
    BETWEEN,
    QUANTITIES,
    STYLES,
    Units,
    add_note,
    check_axes,
    finish_theta,
    names_of_units,
    range_between,
    select_roles,
    write_foot,
)
from skalign.utils import Array, import_pyplot

Points = Literal["subject", "model"]

_PENALTIES = {"ols": "OLS", "ridge": "ridge", "lasso": "lasso", "elasticnet": "elastic\nnet"}
_SIDE = 0.17  # how far the two roles stand from the tick of their penalty


class EncoderComparisonDisplay:
    """Matched against mismatched units in r and theta, for every penalty, signed and positive.

    Does an encoder tell units that prefer what a brain region prefers from units that prefer
    something else (Figures 2B to 2E and 4 of [1]_)? Made by :meth:`from_frame`, which draws it too.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per role, penalty, sign and subject: columns `role` ("matched", "mismatched" or
        "between"),
        `units`, `penalty`, `positive`, `subject`, `r`, `theta`, `n_active`, `empty_fraction`,
        `ceiling` and that of `columns`, and `model` for markers that are models.
    columns : str, default=None
        Column whose values have panels of their own: few, such as regions. For several models, give
        ``points="model"``.
    points : {"subject", "model"}, default="subject"
        What a marker is: a subject, or a model averaged over subjects.

    Attributes
    ----------
    axes_ : ndarray of shape (2, n_panels) of matplotlib Axes
        r above theta. For every value of `columns`: signed, then positive, where there are both.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    PairedUnitsDisplay : The same units over many models.
    PriceOfSignDisplay : Signed against positive, target by target.

    Notes
    -----
    - *Marker*: a subject, as the table has it, or a model, averaged over the subjects that have a
      value; a line joins the two groups of units. *Bar*: the mean over markers.
    - *Band*: the noise ceiling of r, from the lowest to the highest subject; the legend says of how
      many subjects it is known.
    - *Boxes*: brains predicted from other brains by the same encoder, from the lowest to the
      highest subject.
    - *Numbers* under theta: active units, and in brackets, where above 0, the share of targets
      that the fit leaves empty, means over fits. Low theta of a few units, or beside many empty
      targets, which have no theta, is no sign of alignment.

    What cannot be drawn, because the fit failed, all targets are empty or the table has no such
    row, is counted below its panel.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    >>> from itertools import product
    >>> import pandas as pd
    >>> from skalign.inspection import EncoderComparisonDisplay
    >>> design = product(["face", "scene"], ["s1", "s2"], ["ridge", "lasso"], [False, True])
    >>> table = pd.DataFrame(design, columns=["units", "subject", "penalty", "positive"])
    >>> fails = table["positive"] & (table["units"] == "scene")
    >>> table["r"] = 0.5 - 0.4 * fails
    >>> table["theta"] = 0.3 + 0.6 * (table["units"] == "scene") - 0.5 * fails
    >>> display = EncoderComparisonDisplay.from_frame(table, matched="face", mismatched="scene")
    >>> display.axes_.shape
    (2, 2)
    """

    axes_: Array
    figure_: Any

    def __init__(
        self, table: Any, *, columns: str | None = None, points: Points = "subject"
    ) -> None:
        self.table = table
        self.columns = columns
        self.points = points

    @classmethod
    def from_frame(
        cls,
        table: Any,
        *,
        matched: Units,
        mismatched: Units,
        between: str | None = None,
        columns: str | None = None,
        points: Points = "subject",
        ax: Any = None,
    ) -> EncoderComparisonDisplay:
        """Draw a tidy table of results.

        Parameters
        ----------
        table : pandas.DataFrame
            Columns `units`, `subject`, `penalty`, `positive`, `r` and `theta`, and where known
            `n_active`, `empty_fraction` and `ceiling`, with one row for every combination of the
            first four and `columns`. Rows of other units are ignored.
        matched, mismatched : str or dict of str to str
            What `units` says of the two groups. A dict from regions to units, where they differ
            between regions: needs the column `region`.
        between : str, default=None
            What `units` says of rows whose features are voxels of other subjects, such as those of
            :func:`skalign.inference.mutual_alignment`: drawn as a range over subjects.
        columns : str, default=None
            Column whose values have panels of their own, side by side in the order of the table:
            regions, models, or how alpha was chosen.
        points : {"subject", "model"}, default="subject"
            What a marker is: a subject, or a model, which needs the column `model` and one row for
            every model in every subject.
        ax : array-like of matplotlib Axes, default=None
            What to draw on, of the shape of ``axes_``; by default a new figure.

        Returns
        -------
        EncoderComparisonDisplay
            Drawn.

        Raises
        ------
        TypeError
            If the table is not a pandas DataFrame.
        ValueError
            If columns or units are missing, rows are repeated, or `points` has another value.
        ImportError
            If pandas or matplotlib is missing.
        """
        if points not in get_args(Points):
            raise ValueError(f"points must be one of {get_args(Points)}; got {points!r}.")
        keys = dict.fromkeys(["penalty", "positive", "subject", points])
        keys |= {} if columns is None else {columns: None}
        rows = select_roles(table, matched, mismatched, list(keys), between)
        return cls(rows, columns=columns, points=points).plot(ax)

    def plot(self, ax: Any = None) -> EncoderComparisonDisplay:
        """Draw.

        Parameters
        ----------
        ax : array-like of matplotlib Axes, default=None
            What to draw on, of the shape of ``axes_``; by default a new figure.

        Returns
        -------
        EncoderComparisonDisplay
            This one, with ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the number of `ax` differs from that of the panels.
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        panels = self._panels()
        is_own = ax is None
        if is_own:
            size = 1.2 + 3.2 * len(panels), 6.4
            options = {"sharex": True, "sharey": "row", "squeeze": False, "layout": "constrained"}
            _, ax = plt.subplots(2, len(panels), figsize=size, **options)
        self.axes_ = check_axes(ax, len(panels))
        self.figure_ = self.axes_[0, 0].figure
        for (r_ax, theta_ax), (title, rows) in zip(self.axes_.T, panels.items(), strict=True):
            r_ax.set_title(title, fontsize="medium")
            r_ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
            self._draw_ceiling(r_ax, rows)
            for axis, quantity in ((r_ax, "r"), (theta_ax, "theta")):
                self._draw_between(axis, rows, quantity)
                self._draw_values(axis, rows, quantity)
        finish_theta(self.axes_[1], [self._feet(rows) for rows in panels.values()])
        for label, first in zip(QUANTITIES.values(), self.axes_[:, 0], strict=True):
            first.set_ylabel(label)
        handles: dict[str, Any] = {}  # of any panel: not all have boxes
        for panel in self.axes_[0]:
            found, labels = panel.get_legend_handles_labels()
            handles |= dict(zip(labels, found, strict=True))
        legend = list(handles.values()), list(handles)
        if is_own:
            self.figure_.legend(
                *legend, loc="outside lower center", ncols=1 + len(panels) // 3, frameon=False
            )
        else:
            self.axes_[0, 0].legend(*legend, fontsize="small")
        return self

    def _panels(self) -> dict[str, Any]:
        """Rows of every panel, by its title."""
        facets = {"": self.table}
        if self.columns is not None:
            by_facet = self.table.groupby(self.columns, sort=False, observed=True)
            facets = {_title(self.columns, value): rows for value, rows in by_facet}
        signs = {False: "signed weights", True: "positive weights"}
        return {
            f"{facet}{sign}": rows[rows["positive"] == positive]
            for facet, rows in facets.items()
            for positive, sign in signs.items()
            if (self.table["positive"] == positive).any()
        }

    def _penalties(self) -> list[str]:
        found = self.table["penalty"].unique()
        return sorted(found, key=lambda name: [*_PENALTIES, name].index(name))

    def _draw_values(self, ax: Any, rows: Any, quantity: str) -> None:
        """Markers of one panel, and below it the count of what is not there."""
        penalties, drawn = self._penalties(), self.table[self.table["role"].isin(STYLES)]
        points = drawn[self.points].unique()
        values = np.full((len(STYLES), len(points), len(penalties)), np.nan)
        own = rows[rows["role"].isin(STYLES)]
        tables = own.groupby(["role", "penalty", self.points], observed=True)[quantity].mean()
        for k, role in enumerate(STYLES):
            if role in tables.index.levels[0]:
                table = tables[role].unstack("penalty")
                values[k] = table.reindex(index=points, columns=penalties)
        ticks = np.arange(len(penalties))
        sides = [side * _SIDE for _, _, side in STYLES.values()]
        for tick in ticks:
            line = {"color": "0.7", "linewidth": 0.8, "zorder": 1}
            ax.plot(tick + np.array(sides), values[:, :, tick], **line)
        units = names_of_units(self.table)
        for (role, (color, marker, side)), of_role in zip(STYLES.items(), values, strict=True):
            at = np.broadcast_to(ticks + side * _SIDE, of_role.shape)
            n_found = np.isfinite(of_role).sum(axis=0)
            mean = np.nansum(of_role, axis=0) / np.where(n_found, n_found, np.nan)
            ax.hlines(mean, at[0] - 0.13, at[0] + 0.13, color=color, linewidth=3, zorder=2)
            dots = {"color": color, "marker": marker, "edgecolor": "white", "linewidth": 0.5}
            label = f"{role} ({units[role]} units), a {self.points}; bar: mean"
            ax.scatter(at, of_role, 28, alpha=0.8, label=label, zorder=3, **dots)
        names = [_PENALTIES.get(name, name) for name in penalties]
        ax.set_xticks(ticks, names)
        ax.set_xlim(-0.6, len(penalties) - 0.4)
        n_fits = drawn.groupby(self.points, observed=True)["subject"].nunique().sum()
        n_fits *= len(STYLES) * own["penalty"].nunique()
        n_missing = n_fits - own[quantity].notna().sum()
        if n_missing:
            name = "r" if quantity == "r" else "θ"
            add_note(ax, f"{n_missing} of {n_fits} without {name}: not drawn")

    def _draw_ceiling(self, ax: Any, rows: Any) -> None:
        ceilings = rows.groupby("subject", observed=True)["ceiling"].mean().dropna()
        if ceilings.empty:
            return
        n_subjects = self.table["subject"].nunique()
        label = f"noise ceiling of r, range over {len(ceilings)} of {n_subjects} subjects"
        style = {"facecolor": "0.88", "edgecolor": "0.8", "linewidth": 1.5, "zorder": 0}
        ax.axhspan(ceilings.min(), ceilings.max(), label=label, **style)

    def _draw_between(self, ax: Any, rows: Any, quantity: str) -> None:
        """Boxes of maps between subjects, one for every penalty that has them."""
        label = "other brains as features, range over subjects"
        for tick, penalty in enumerate(self._penalties()):
            low, high, n_found = range_between(rows[rows["penalty"] == penalty], quantity)
            if n_found:
                ax.fill_between([tick - 0.4, tick + 0.4], low, high, label=label, **BETWEEN)
                label = "_"

    def _feet(self, rows: Any) -> dict[str, Any]:
        """Of both roles, the positions of penalties, and what to write below theta there."""
        penalties = self._penalties()
        by_cell = rows.groupby(["role", "penalty"], observed=True)
        by_cell = by_cell[["n_active", "empty_fraction"]].mean()
        texts = {cell: write_foot(*values) for cell, *values in by_cell.itertuples()}
        return {
            role: (range(len(penalties)), [texts.get((role, name), "") for name in penalties])
            for role in STYLES
        }


def _title(column: str, value: Any) -> str:
    return f"{value}\n" if isinstance(value, str) else f"{column} = {value}\n"
