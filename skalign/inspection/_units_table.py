"""The rows of a tidy results table that are of matched and of mismatched units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skalign.inspection._palette import GREEN, UNIT_COLORS
from skalign.utils import Array, import_pandas

Units = str | Mapping[str, str]
QUANTITIES = {"r": "Predictivity r", "theta": "Reorientation θ\n(low: aligned)"}
STYLES = {  # color, marker, side
    "matched": (UNIT_COLORS["matched"], "o", -1),
    "mismatched": (UNIT_COLORS["mismatched"], "s", 1),
}
BETWEEN = {"facecolor": GREEN, "alpha": 0.18, "edgecolor": GREEN, "linewidth": 1.5, "zorder": 0.5}
OPTIONAL = ["n_active", "empty_fraction", "ceiling"]
_DESIGN = [
    "model",
    "layer",
    "region",
    "subject",
    "encoder",
    "penalty",
    "positive",
    "alpha",
    "partition",
]


def select_roles(
    table: Any, matched: Units, mismatched: Units, keys: list[str], between: str | None = None
) -> Any:
    """Keep the rows of matched and mismatched units, and say in a column `role` which they are.

    Parameters
    ----------
    table : pandas.DataFrame
        Tidy results.
    matched, mismatched : str or dict of str to str
        What the column `units` says of them; by region where it differs between regions.
    keys : list of str
        Columns that with the role tell rows apart.
    between : str, default=None
        What the column `units` says of maps between subjects, which have a role of their own.

    Returns
    -------
    pandas.DataFrame
        With the columns `role`, `units`, the keys, `r`, `theta`, and those of `OPTIONAL`, which are
        NaN where the table has none.
    """
    pd = import_pandas()
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"table must be a pandas DataFrame; got {type(table).__name__}.")
    by_region = [units for units in (matched, mismatched) if isinstance(units, Mapping)]
    needed = dict.fromkeys(["units", *keys, *(["region"] if by_region else []), "r", "theta"])
    absent = [name for name in needed if name not in table.columns]
    if absent:
        raise ValueError(f"table must have the columns {absent}; got {list(table.columns)}.")
    blank = [name for name in needed if name not in QUANTITIES and table[name].isna().any()]
    if blank:
        raise ValueError(f"table must have a value in every row of {blank}; got missing ones.")
    if "positive" in keys and not table["positive"].isin([False, True]).all():
        raise ValueError(
            "table must have True or False in the column 'positive'; got "
            f"{table['positive'].unique().tolist()}."
        )
    is_matched = _is_of(table, matched, "matched")
    is_mismatched = _is_of(table, mismatched, "mismatched")
    if (is_matched & is_mismatched).any():
        raise ValueError(
            f"matched and mismatched must be different units; got {matched!r} and {mismatched!r}."
        )
    role = np.where(is_matched, "matched", "mismatched")
    is_kept = is_matched | is_mismatched
    if between is not None:
        is_between = _is_of(table, between, "between")
        if (is_kept & is_between).any():
            raise ValueError(
                f"between must differ from matched and mismatched units; got {between!r}."
            )
        role, is_kept = np.where(is_between, "between", role), is_kept | is_between
    rows = table.assign(role=role)[is_kept]
    rows = rows.assign(**{name: np.nan for name in OPTIONAL if name not in table.columns})
    _check_unique(rows, [*keys, "role"])
    return rows[["role", "units", *keys, "r", "theta", *OPTIONAL]].reset_index(drop=True)


def names_of_units(rows: Any) -> dict[str, str]:
    """Names of the units that play the roles."""
    units = rows["units"].astype(object).groupby(rows["role"]).unique()
    return {role: " / ".join(map(str, units.get(role, []))) for role in STYLES}


def range_between(rows: Any, quantity: str) -> tuple[float, float, int]:
    """Lowest and highest value of maps between subjects, and of how many; NaN where of none."""
    found = rows.loc[rows["role"] == "between", ["subject", quantity]].dropna()
    return found[quantity].min(), found[quantity].max(), found["subject"].nunique()


def check_axes(ax: Any, n_panels: int) -> Array:
    """Axes of shape (2, n_panels), r above theta."""
    axes = np.asarray(ax, dtype=object)
    if axes.size != 2 * n_panels:
        raise ValueError(
            f"ax must be Axes of shape (2, {n_panels}), r above theta; got shape {axes.shape}."
        )
    return axes.reshape(2, n_panels)


def finish_theta(axes: Array, feet: list[dict[str, Any]]) -> None:
    """Start theta at 0, and write below that how many units are active and targets empty.

    Parameters
    ----------
    axes : ndarray of matplotlib Axes
        A row of panels of theta.
    feet : list of dict of str to tuple
        Of every panel: by role, positions on the x axis, and what to write there (`write_foot`).
        Roles have lines of their own, so that they do not run into each other.
    """
    top = max(ax.get_ylim()[1] for ax in axes)
    any_text = any(any(texts) for roles in feet for _, texts in roles.values())
    for ax, roles in zip(axes, feet, strict=True):
        limits = -0.17 * top if any_text else 0, top
        ax.set_ylim(limits)
        ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])
        ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        for (role, (positions, texts)), height in zip(roles.items(), (0.085, 0.02), strict=True):
            for position, text in zip(positions, texts, strict=True):
                style = {"color": STYLES[role][0], "fontsize": "small", "ha": "center"}
                ax.text(position, height, text, transform=ax.get_xaxis_transform(), **style)
        if any(any(texts) for _, texts in roles.values()):
            add_note(ax, "in color: active units (targets left empty)")


def write_foot(n_active: float, empty_fraction: float) -> str:
    """Number of active units, if known, and in brackets the share of empty targets above 0."""
    parts = []
    if np.isfinite(n_active):
        parts.append(f"{n_active:.0f}" if n_active >= 10 or n_active == 0 else f"{n_active:.1f}")
    if empty_fraction > 0:
        parts.append(f"({empty_fraction:.0%})" if empty_fraction >= 0.005 else "(<1%)")
    return " ".join(parts)


def add_note(ax: Any, note: str) -> None:
    """Add a line below a panel."""
    ax.set_xlabel("\n".join(filter(None, [ax.get_xlabel(), note])), fontsize="small")


def _is_of(table: Any, units: Units, name: str) -> Any:
    """Whether rows are of these units."""
    if isinstance(units, Mapping):
        unknown = sorted(set(table["region"]) - set(units))
        if unknown:
            raise ValueError(
                f"{name} must name the units of every region, but has none for {unknown}. Add "
                "them, or leave these regions out of the table."
            )
        found = table["units"].astype(object) == table["region"].astype(object).map(units)
    else:
        found = table["units"] == units
    if not found.any():
        raise ValueError(
            f"{name} must be units of the table; got {units!r}, but the table has "
            f"{sorted(set(table['units']))}."
        )
    return found


def _check_unique(rows: Any, keys: list[str]) -> None:
    repeated = rows[rows.duplicated(keys, keep=False)]
    if repeated.empty:
        return
    names = [name for name in _DESIGN if name in rows.columns and name not in keys]
    n_values = repeated.groupby(keys, observed=True)[names].nunique(dropna=False)
    differ = [name for name in names if (n_values[name] > 1).any()]
    reason = f"that differ in {differ}. Select one of each" if differ else "that say the same twice"
    raise ValueError(
        f"table must have one row for every combination of {keys}; got {len(repeated)} rows in "
        f"{len(n_values)} combinations, {reason}, such as table.query(\"partition == 'test'\")."
    )
