"""Theta and r under every combination of choices, as a figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from skalign.inference import AlignmentMultiverse
from skalign.inspection._palette import BLUE, ORANGE
from skalign.inspection._units_table import write_foot
from skalign.utils import Array, import_pyplot

_RESPONSES = {"predicted": (BLUE, "o"), "observed": (ORANGE, "s")}
_CHOICES = {"standardize": "standardized", "fit_intercept": "intercept", "center": "θ centered"}


class AlignmentMultiverseDisplay:
    """Theta and r, means over targets, of every combination of choices, in the order of theta.

    Parameters
    ----------
    result : AlignmentMultiverse
        What :func:`~skalign.inference.alignment_multiverse` returns.

    Attributes
    ----------
    axes_ : ndarray of 3 matplotlib Axes
        Of theta, of r and of the choices.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    skalign.inference.alignment_multiverse : The same as a table.

    Notes
    -----
    - *Theta*: circles to the predicted, squares to the observed responses, from the lowest to the
      highest. A combination that leaves all targets empty has none and comes last.
    - *r*: of the same fits; it depends on two of the choices only.
    - *Choices*: a filled disc for yes, a dot for no. The lowest row has the mean number of active
      units and in brackets, where above 0, the share of targets that the fit leaves empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import alignment_multiverse
    >>> from skalign.inspection import AlignmentMultiverseDisplay
    >>> X = np.random.default_rng(0).exponential(size=(200, 8))
    >>> y = X[:, :4] + X[:, 4:]
    >>> result = alignment_multiverse(
    ...     SparsePositiveEncoder(), X[:100], y[:100], X[100:], y[100:]
    ... )
    >>> AlignmentMultiverseDisplay.from_result(result).axes_[1].get_ylabel()
    'r'
    """

    axes_: Array
    figure_: Any

    def __init__(self, result: AlignmentMultiverse) -> None:
        self.result = result

    @classmethod
    def from_result(
        cls, result: AlignmentMultiverse, *, ax: Any = None
    ) -> AlignmentMultiverseDisplay:
        """Draw a result that is there already.

        Parameters
        ----------
        result : AlignmentMultiverse
            What :func:`~skalign.inference.alignment_multiverse` returns.
        ax : array-like of 3 matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        AlignmentMultiverseDisplay
            Drawn.
        """
        return cls(result).plot(ax)

    def plot(self, ax: Any = None) -> AlignmentMultiverseDisplay:
        """Draw.

        Parameters
        ----------
        ax : array-like of 3 matplotlib Axes, default=None
            For theta, r and the choices; by default a new figure.

        Returns
        -------
        AlignmentMultiverseDisplay
            This one, with ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If `ax` are not three.
        ImportError
            If matplotlib or pandas is missing.
        """
        plt = import_pyplot()
        if ax is None:
            options = {"height_ratios": [3, 1.5, 2.6], "sharex": True, "layout": "constrained"}
            _, ax = plt.subplots(3, 1, figsize=(6.4, 6), **options)
        self.axes_ = np.ravel(np.asarray(ax, dtype=object))
        if self.axes_.size != 3:
            raise ValueError(
                f"ax must be three Axes, for theta, r and the choices; got {self.axes_.size}."
            )
        self.figure_ = self.axes_[0].figure
        table = self.result.summary_frame()
        order = table["theta"].round(9).sort_values(kind="stable").index  # NaN come last
        table = table.loc[order].reset_index(drop=True)
        _draw_theta(self.axes_[0], table)
        _draw_r(self.axes_[1], table)
        _draw_choices(self.axes_[2], table)
        return self


def _draw_theta(ax: Any, table: Any) -> None:
    for responses, (color, marker) in _RESPONSES.items():
        rows = table[(table["responses"] == responses) & table["theta"].notna()]
        label = f"to the {responses} responses"
        ax.scatter(rows.index, rows["theta"], 45, color=color, marker=marker, label=label)
    n_missing = int(table["theta"].isna().sum())
    if n_missing:
        ax.plot([], [], " ", label=f"all targets empty: not drawn ({n_missing})")
    top = max(1.0, float(table["theta"].max() if n_missing < len(table) else 1))
    ax.set(ylabel="Reorientation θ\n(low: aligned)", ylim=(0, 1.06 * top))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)


def _draw_r(ax: Any, table: Any) -> None:
    ax.bar(table.index, table["r"], 0.6, color="0.6")
    ax.axhline(0, color="0.4", linewidth=0.8)
    ax.set(ylabel="r")


def _draw_choices(ax: Any, table: Any) -> None:
    names = list(_CHOICES)
    for row, name in enumerate(names):
        chosen = table[name].to_numpy()
        ax.scatter(table.index[chosen], np.full(chosen.sum(), row), 45, color="0.2")
        ax.scatter(table.index[~chosen], np.full((~chosen).sum(), row), 6, color="0.6")
    foot = len(names) + 0.6
    for at, n_active, empty_fraction in table[["n_active", "empty_fraction"]].itertuples():
        text = write_foot(n_active, empty_fraction)
        ax.text(at, foot, text, rotation=90, ha="center", va="center", fontsize="small")
    ax.set_yticks([*range(len(names)), foot], [*_CHOICES.values(), "active units\n(empty)"])
    ax.set(ylim=(foot + 1.2, -0.6), xlim=(-0.6, len(table) - 0.4))
    ax.tick_params(bottom=False, labelbottom=False)
    ax.set_xlabel("Combinations of choices, by θ")
