"""Observed r and theta of every target against those of null fits, as a figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from skalign.inference import AlignmentNull
from skalign.inspection._palette import BLUE, ORANGE
from skalign.utils import Array, check_number, import_pyplot


class AlignmentNullDisplay:
    """Every target's r and theta beside the range of its null fits.

    Parameters
    ----------
    result : AlignmentNull
        What :func:`~skalign.inference.alignment_null` returns.

    Attributes
    ----------
    axes_ : ndarray of 2 matplotlib Axes
        Of r and theta.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    skalign.inference.alignment_null : The test behind it.

    Notes
    -----
    Targets are ordered by their observed value. Gray lines go from the 2.5th to the 97.5th
    percentile of the null fits; an empty null fit has an r of 0 and no theta. Blue points are
    targets with a q-value of at most `rate`. In theta, a point below its line is no evidence by
    itself: the q-value compares with null fits of as many active units. Targets without a value
    are counted in the legend.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import alignment_null
    >>> from skalign.inspection import AlignmentNullDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = np.abs(rng.standard_normal((200, 8)))
    >>> y = X[:, :4] + rng.standard_normal((200, 4))
    >>> result = alignment_null(
    ...     SparsePositiveEncoder(), X[:100], y[:100], X[100:], y[100:], n_resamples=19
    ... )
    >>> AlignmentNullDisplay.from_result(result).axes_[0].get_ylabel()
    'r'
    """

    axes_: Array
    figure_: Any

    def __init__(self, result: AlignmentNull) -> None:
        self.result = result

    @classmethod
    def from_result(
        cls, result: AlignmentNull, *, rate: float = 0.05, ax: Any = None
    ) -> AlignmentNullDisplay:
        """Draw a test that is there already.

        Parameters
        ----------
        result : AlignmentNull
            What :func:`~skalign.inference.alignment_null` returns.
        rate : float, default=0.05
            Largest q-value of the targets in blue.
        ax : array-like of 2 matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        AlignmentNullDisplay
            Drawn.
        """
        return cls(result).plot(ax, rate=rate)

    def plot(self, ax: Any = None, *, rate: float = 0.05) -> AlignmentNullDisplay:
        """Draw.

        Parameters
        ----------
        ax : array-like of 2 matplotlib Axes, default=None
            For r and theta; by default a new figure.
        rate : float, default=0.05
            Largest q-value of the targets in blue.

        Returns
        -------
        AlignmentNullDisplay
            This one, with ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If `ax` are not two.
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        rate = check_number(rate, "rate")
        if ax is None:
            _, ax = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
        self.axes_ = np.ravel(np.asarray(ax, dtype=object))
        if self.axes_.size != 2:
            raise ValueError(f"ax must be two Axes, for r and theta; got {self.axes_.size}.")
        self.figure_ = self.axes_[0].figure
        result, own = self.result, self.result.encoder
        sides = {
            "r": (own.r, np.nan_to_num(result.null_r), result.q_value_r),
            "θ": (own.theta, result.null_theta, result.q_value_theta),
        }
        for axes, (name, (observed, null, q_value)) in zip(self.axes_, sides.items(), strict=True):
            _draw(axes, name, observed, null, q_value <= rate, rate)
        return self


def _draw(ax: Any, name: str, observed: Array, null: Array, found: Array, rate: float) -> None:
    order = np.argsort(observed, kind="stable")  # NaN come last
    order = order[np.isfinite(observed[order])]
    observed_of, null_of, found_of = observed[order], null[:, order], found[order]
    place = np.arange(order.size)
    has_null = np.isfinite(null_of).any(axis=0)
    if has_null.any():
        ends = np.nanpercentile(null_of[:, has_null], [2.5, 97.5], axis=0)
        ax.vlines(place[has_null], *ends, color="0.7", linewidth=2, label="Null fits, 95 %")
    for group, color, label in (
        (found_of, BLUE, f"q at most {rate:g}"),
        (~found_of, ORANGE, f"q above {rate:g}, or none"),
    ):
        if group.any():
            ax.scatter(
                place[group], observed_of[group], 16, color=color, label=f"{label} ({group.sum()})"
            )
    n_missing = observed.size - order.size
    if n_missing:
        ax.plot([], [], " ", label=f"No {name}: not drawn ({n_missing})")
    ax.set(xlabel=f"Targets, by observed {name}", ylabel=name)
    ax.xaxis.get_major_locator().set_params(integer=True)
    style = {"fontsize": "small", "frameon": False, "columnspacing": 1.0, "handletextpad": 0.4}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, **style)
