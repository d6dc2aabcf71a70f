"""Matched and mismatched units of many models, joined model by model, as a figure."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy import stats

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
from skalign.utils import Array, import_pandas, import_pyplot

_STATISTICS = {"t": "t({df})", "wilcoxon": "W"}


class PairedUnitsDisplay:
    """Matched against mismatched units of many models, in r and theta, with a paired test.

    Do matched units predict a brain region better, and with less reorientation, over models in
    general (Figure 3 of [1]_)? Made by :meth:`from_frame`, which draws it too.

    Parameters
    ----------
    pairs : pandas.DataFrame
        One row per region, quantity ("r" or "theta") and model: columns `region`, `quantity`,
        `model`, `matched` and `mismatched`.
    tests : pandas.DataFrame
        One row per region and quantity: columns `region`, `quantity`, `n` (models), `n_left_out`
        (pairs), `n_pairs` (there could be), `mean_matched`, `mean_mismatched`,
        `mean_difference` (matched - mismatched), `statistic`, `p`, and of both groups, as in
        `units_matched`, `units`, `n_active` and `empty` (fraction of targets); of maps between
        subjects `between_low`, `between_high` and `n_between` (subjects).
    test : {"t", "wilcoxon"}, default="t"
        The test.

    Attributes
    ----------
    axes_ : ndarray of shape (2, n_regions) of matplotlib Axes
        r above theta, regions in the order of the table.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    EncoderComparisonDisplay : The same units over encoders.
    scipy.stats.ttest_rel : The default test.

    Notes
    -----
    A pair is a model in a subject. Pairs without one of the two values, because a fit failed or
    left all targets empty, are left out of figure and test and counted below their panel. What
    remains is averaged over subjects, so that the test, two-sided, is over models: subjects of one
    model are not independent. It takes models for a random sample; families of alike ones make p
    too small. Where differences are all the same, or of a single model, statistic and p are NaN.

    Numbers under theta are active units, and in brackets, where above 0, the share of targets left
    empty, means over all fits.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skalign.inspection import PairedUnitsDisplay
    >>> rng = np.random.default_rng(0)
    >>> tables = [
    ...     pd.DataFrame(
    ...         {
    ...             "model": [f"m{k}" for k in range(20)],
    ...             "units": units,
    ...             "subject": "s1",
    ...             "region": "FFA",
    ...             "r": 0.4 + 0.05 * rng.standard_normal(20),
    ...             "theta": theta + 0.1 * rng.standard_normal(20),
    ...         }
    ...     )
    ...     for units, theta in [("face", 0.6), ("scene", 1.0)]
    ... ]
    >>> display = PairedUnitsDisplay.from_frame(
    ...     pd.concat(tables), matched="face", mismatched="scene"
    ... )
    >>> display.tests[["region", "quantity", "n", "mean_difference", "p"]].round(3)
      region quantity   n  mean_difference      p
    0    FFA        r  20           -0.027  0.082
    1    FFA    theta  20           -0.419  0.000
    """

    axes_: Array
    figure_: Any

    def __init__(
        self,
        pairs: Any,
        tests: Any,
        test: Literal["t", "wilcoxon"] = "t",
    ) -> None:
        self.pairs = pairs
        self.tests = tests
        self.test = test

    @classmethod
    def from_frame(
        cls,
        table: Any,
        *,
        matched: Units,
        mismatched: Units,
        between: str | None = None,
        test: Literal["t", "wilcoxon"] = "t",
        ax: Any = None,
    ) -> PairedUnitsDisplay:
        """Pair a tidy table of results, test the differences and draw them.

        Parameters
        ----------
        table : pandas.DataFrame
            Columns `model`, `units`, `subject`, `region`, `r` and `theta`, and where known
            `n_active` and `empty_fraction`, with one row for every combination of the first four.
            Rows of other units are ignored.
        matched, mismatched : str or dict of str to str
            What `units` says of the two groups, or a dict from regions to that:
            ``{"FFA": "face", "PPA": "scene"}``.
        between : str, default=None
            What `units` says of rows whose features are voxels of other subjects, such as those of
            :func:`skalign.inference.mutual_alignment`: drawn as a band, from the lowest to the
            highest subject. Their `model` is any name.
        test : {"t", "wilcoxon"}, default="t"
            :func:`scipy.stats.ttest_rel`, or the signed-rank test :func:`scipy.stats.wilcoxon`,
            which a few extreme models move less.
        ax : array-like of matplotlib Axes, default=None
            What to draw on, of the shape of ``axes_``; by default a new figure.

        Returns
        -------
        PairedUnitsDisplay
            Drawn.

        Raises
        ------
        TypeError
            If the table is not a pandas DataFrame.
        ValueError
            If columns or units are missing, rows are repeated, or the test is unknown.
        ImportError
            If pandas or matplotlib is missing.
        """
        if test not in _STATISTICS:
            raise ValueError(f"test must be one of {sorted(_STATISTICS)}; got {test!r}.")
        keys = ["region", "model", "subject"]
        rows = select_roles(table, matched, mismatched, keys, between)
        pd = import_pandas()
        pairs, tests = [], []
        for region, of_region in rows.groupby("region", sort=False, observed=True):
            for quantity in QUANTITIES:
                where = {"region": region, "quantity": quantity}
                means, counts = _pair(of_region[of_region["role"] != "between"], quantity)
                pairs.append(means.reset_index().assign(**where))
                low, high, n_subjects = range_between(of_region, quantity)
                band = {"between_low": low, "between_high": high, "n_between": n_subjects}
                tests.append(where | counts | _test(means, test) | band)
        return cls(pd.concat(pairs), pd.DataFrame(tests), test).plot(ax)

    def plot(self, ax: Any = None) -> PairedUnitsDisplay:
        """Draw.

        Parameters
        ----------
        ax : array-like of matplotlib Axes, default=None
            What to draw on, of the shape of ``axes_``; by default a new figure.

        Returns
        -------
        PairedUnitsDisplay
            This one, with ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If the number of `ax` differs from that of the panels.
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        regions = self.tests["region"].unique()
        is_own = ax is None
        if is_own:
            size = 1.2 + 3.2 * len(regions), 7
            options = {"sharey": "row", "squeeze": False, "layout": "constrained"}
            _, ax = plt.subplots(2, len(regions), figsize=size, **options)
        self.axes_ = check_axes(ax, len(regions))
        self.figure_ = self.axes_[0, 0].figure
        for row, (quantity, label) in zip(self.axes_, QUANTITIES.items(), strict=True):
            row[0].set_ylabel(label)
            for axis, region in zip(row, regions, strict=True):
                self._draw_panel(axis, region, quantity)
        feet = []
        for found in self.tests[self.tests["quantity"] == "theta"].to_dict("records"):
            texts = [
                write_foot(found[f"n_active_{role}"], found[f"empty_{role}"]) for role in STYLES
            ]
            feet.append({role: ([at], [texts[at]]) for at, role in enumerate(STYLES)})
        finish_theta(self.axes_[1], feet)
        return self

    def _draw_panel(self, ax: Any, region: Any, quantity: str) -> None:
        """Joined dots of one region, the means, and what the test says."""
        where = "region == @region and quantity == @quantity"
        means = self.pairs.query(where)
        (found,) = self.tests.query(where).to_dict("records")
        values = means[list(STYLES)].to_numpy().T
        if found["n_between"]:
            ax.axhspan(found["between_low"], found["between_high"], **BETWEEN)
            add_note(ax, f"green: other brains as features, range over {found['n_between']}")
        opacity = float(np.clip(30 / max(len(means), 1), 0.25, 0.8))
        ax.plot([0, 1], values, color="0.5", alpha=opacity, linewidth=0.8, zorder=1)
        for at, (role, (color, marker, _)) in enumerate(STYLES.items()):
            dots = {"color": color, "marker": marker, "alpha": 0.5, "linewidth": 0, "zorder": 2}
            ax.scatter(np.full(len(means), at), values[at], 18, **dots)
            big = {"color": color, "markeredgecolor": "black", "markersize": 10, "zorder": 3}
            ax.plot(at, found[f"mean_{role}"], marker, **big)
        ax.set(xlim=(-0.45, 1.45), xticks=[0, 1])
        names = [f"{role}\n({found[f'units_{role}']} units)" for role in STYLES]
        ax.set_xticklabels(names if quantity == "theta" else [])
        lines = [f"matched - mismatched {found['mean_difference']:+.3f}, n = {found['n']}"]
        name = _STATISTICS[self.test].format(df=found["n"] - 1)
        lines.append(f"{name} = {found['statistic']:.4g}, {_p_value(found['p'])}")
        if np.isnan(found["p"]):
            lines[-1] = "no test: " + (
                "differences all alike" if found["n"] > 1 else "under 2 models"
            )
        ax.set_title("\n".join([*([str(region)] if quantity == "r" else []), *lines]), fontsize=10)
        if found["n_left_out"]:
            add_note(ax, f"{found['n_left_out']} of {found['n_pairs']} pairs incomplete: left out")


def _pair(rows: Any, quantity: str) -> tuple[Any, dict[str, Any]]:
    """Means over the subjects of every model, and how many there are of what."""
    both = rows.pivot(index=["model", "subject"], columns="role", values=quantity)
    both = both.reindex(columns=list(STYLES)).rename_axis(columns=None)
    complete = both.dropna()
    means = complete.groupby("model", sort=False, observed=True).mean()
    counts = {"n": len(means), "n_left_out": len(both) - len(complete), "n_pairs": len(both)}
    by_role = rows.groupby("role")[["n_active", "empty_fraction"]].mean().reindex(list(STYLES))
    counts |= {f"mean_{role}": means[role].mean() for role in STYLES}
    for role, n_active, empty_fraction in by_role.itertuples():
        counts |= {f"n_active_{role}": n_active, f"empty_{role}": empty_fraction}
    return means, counts | {f"units_{role}": name for role, name in names_of_units(rows).items()}


def _test(means: Any, test: str) -> dict[str, float]:
    difference = (means["matched"] - means["mismatched"]).to_numpy()
    result = {"mean_difference": means["matched"].mean() - means["mismatched"].mean()}
    if len(difference) < 2 or np.allclose(difference, difference[0], rtol=1e-9, atol=0):
        return result | {"statistic": np.nan, "p": np.nan}
    compare = stats.ttest_rel if test == "t" else stats.wilcoxon
    found = compare(means["matched"], means["mismatched"])
    return result | {"statistic": float(found.statistic), "p": float(found.pvalue)}


def _p_value(p: float) -> str:
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
