"""The front of predictivity, reorientation and sparsity as a figure."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skalign.inspection._palette import ORANGE
from skalign.model_selection import AlignmentFront, pareto_optimal
from skalign.utils import Flags, import_pyplot


class AlignmentFrontDisplay:
    """Predictivity r over reorientation theta of candidates, colored by active units.

    Made by one of the class methods, which draw it too. Up and left is good.

    Parameters
    ----------
    front : AlignmentFront
        Averaged over targets, or of one target.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    colorbar_ : matplotlib Colorbar or None
        Legend of the colors; None where no candidate has units.

    See Also
    --------
    skalign.model_selection.AlignmentFront : The same as a table.

    Notes
    -----
    - *Large disc*: on the front; no other candidate is better in r, theta or number of units and
      as good in the other two. *Small disc*: not on it.
    - *Line*: the front of r and theta alone. What else is on the front is there for its sparsity.
    - *Triangle* instead of a disc: some targets are empty, and count as 2 in the mean theta (or
      as the scorer of a search says).
    - *Ring*: chosen; the larger, the more targets chose it.
    - *Bar*: one standard error of r up and down, where there is one.

    Candidates without a theta, empty for all targets, cannot be drawn: the title counts them.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skalign import AlignmentScorer, SparsePositiveEncoder
    >>> from skalign.inspection import AlignmentFrontDisplay
    >>> X, y = make_regression(n_samples=90, n_features=20, n_targets=3, random_state=0)
    >>> grid = {"alpha": [0.1, 1, 10], "positive": [True, False]}
    >>> search = GridSearchCV(
    ...     SparsePositiveEncoder(), grid, scoring=AlignmentScorer(), refit="r"
    ... ).fit(X, y)
    >>> display = AlignmentFrontDisplay.from_cv_results(search)
    >>> display.ax_.get_ylabel()
    'Predictivity r'
    """

    ax_: Any
    figure_: Any
    colorbar_: Any

    def __init__(self, front: AlignmentFront) -> None:
        self.front = front

    @classmethod
    def from_cv_results(cls, search_or_cv_results: Any, *, ax: Any = None) -> AlignmentFrontDisplay:
        """Draw the front of a search of scikit-learn.

        Parameters
        ----------
        search_or_cv_results : fitted search or dict
            With ``scoring=AlignmentScorer()``; or its ``cv_results_``.
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        AlignmentFrontDisplay
            Drawn.
        """
        return cls(AlignmentFront.from_cv_results(search_or_cv_results)).plot(ax)

    @classmethod
    def from_encoder_cv(
        cls, encoder: Any, *, target: int | None = None, ax: Any = None
    ) -> AlignmentFrontDisplay:
        """Draw the front of a fitted :class:`~skalign.linear_model.SparsePositiveEncoderCV`.

        Parameters
        ----------
        encoder : SparsePositiveEncoderCV
            Fitted.
        target : int, default=None
            Target to draw; by default the mean over all.
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        AlignmentFrontDisplay
            Drawn.
        """
        front = AlignmentFront.from_encoder_cv(encoder, per_target=target is not None)
        return cls(front if target is None else front.for_target(target)).plot(ax)

    @classmethod
    def from_path(
        cls,
        path: Any,
        X: Any,
        y: ArrayLike,
        *,
        target: int | None = None,
        center: bool = False,
        sample_weight: ArrayLike | None = None,
        ax: Any = None,
    ) -> AlignmentFrontDisplay:
        """Draw the front of the alphas of a path, scored on given images.

        Parameters
        ----------
        path : record
            What :func:`~skalign.linear_model.sparse_positive_path` returns.
        X : {array-like, sparse matrix} of shape (n_images, n_features)
            Images, best ones that the path was not fitted to.
        y : array-like of shape (n_images, n_targets) or (n_images,)
            Observed responses.
        target : int, default=None
            Target to draw; by default the mean over all.
        center : bool, default=False
            Whether theta, taken to the predicted responses, centers features and predictions.
        sample_weight : array-like of shape (n_images,), default=None
            Weights of the images in r and theta.
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        AlignmentFrontDisplay
            Drawn.
        """
        front = AlignmentFront.from_path(
            path,
            X,
            y,
            per_target=target is not None,
            center=center,
            sample_weight=sample_weight,
        )
        return cls(front if target is None else front.for_target(target)).plot(ax)

    def plot(self, ax: Any = None) -> AlignmentFrontDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        AlignmentFrontDisplay
            This one, with ``ax_``, ``figure_`` and ``colorbar_``.

        Raises
        ------
        ValueError
            If the front has several targets.
        ImportError
            If matplotlib is missing.
        """
        front = self.front
        if front.r.ndim != 1:
            raise ValueError(
                "front must be averaged over targets, or of one target, to be drawn; got one of "
                f"{front.r.shape[1]} targets. Take front.for_target(0), or per_target=False."
            )
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_, self.colorbar_ = ax, ax.figure, None
        drawn = np.isfinite(front.penalized_theta) & np.isfinite(front.r) & (front.n_active > 0)
        ax.set(xlabel="Reorientation θ (low: aligned)", ylabel="Predictivity r")
        ax.set_title("\n".join(self._not_drawn(drawn)), fontsize="medium")
        if not drawn.any():
            return self

        theta, r, r_se = front.penalized_theta[drawn], front.r[drawn], front.r_se[drawn]
        label = "1 standard error of r" if np.isfinite(r_se).any() else None
        ax.errorbar(theta, r, r_se, fmt="none", ecolor="0.75", label=label, zorder=1)
        line = pareto_optimal(r, theta, np.ones(r.size))
        by_theta = np.argsort(theta[line])
        ax.plot(
            theta[line][by_theta],
            r[line][by_theta],
            color="0.35",
            label="Front of r and θ alone",
            zorder=2,
        )
        self._draw_candidates(drawn)
        chosen = drawn & front.chosen
        if chosen.any():
            size = 100 + 300 * front.chosen_fraction[chosen]
            ring = {"facecolor": "none", "edgecolor": ORANGE, "linewidth": 2, "zorder": 4}
            label = "Chosen (larger: more targets)" if chosen.sum() > 1 else "Chosen"
            ax.scatter(front.penalized_theta[chosen], front.r[chosen], size, label=label, **ring)
        legend = ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.13),
            ncols=2,
            fontsize="small",
            frameon=False,
        )
        for handle in legend.legend_handles:
            if handle.get_label().startswith("Chosen"):
                handle.set_sizes([100])
        return self

    def _draw_candidates(self, drawn: Flags) -> None:
        """Markers in the colors of active units, with a color bar."""
        from matplotlib.colors import LogNorm
        from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

        front = self.front
        n_active = front.n_active[drawn]
        low = max(n_active.min(), 1)  # a mean below one unit is that of mostly empty targets
        norm = LogNorm(low, max(n_active.max(), 2 * low))
        partial = front.empty_fraction > 0
        for is_on_front, is_partial in product([True, False], [False, True]):
            group = drawn & (front.on_front == is_on_front) & (partial == is_partial)
            if not group.any():
                continue
            label = "On the front" if is_on_front else "Off the front"
            points = self.ax_.scatter(
                front.penalized_theta[group],
                front.r[group],
                70 if is_on_front else 25,
                front.n_active[group],
                norm=norm,
                marker="^" if is_partial else "o",
                edgecolor="black",
                linewidth=0.8 if is_on_front else 0.3,
                label=f"{label}{', some targets empty' * is_partial} ({group.sum()})",
                zorder=3,
            )
        spans_decades = max(n_active.max(), 2 * low) >= 10 * low
        steps: Any = (1, 2, 5) if spans_decades else (1, 1.5, 2, 3, 5, 7)
        self.colorbar_ = self.figure_.colorbar(
            points,
            ax=self.ax_,
            label="Active units",
            ticks=LogLocator(subs=steps),
            format=StrMethodFormatter("{x:g}"),
            extend="min" if (n_active < low).any() else "neither",
        )
        self.colorbar_.ax.yaxis.set_minor_locator(NullLocator())

    def _not_drawn(self, drawn: Flags) -> list[str]:
        """What a reader would not see, counted."""
        front, notes = self.front, []
        empty = int((front.empty_fraction == 1).sum())
        if empty:
            notes.append(f"{empty} of {drawn.size} candidates empty for all targets: not drawn")
        failed = int((~drawn & (front.empty_fraction != 1)).sum())
        if failed:
            notes.append(f"{failed} of {drawn.size} candidates without r or θ: not drawn")
        left_empty = 1 - front.chosen_fraction.sum()
        if front.chosen.any() and left_empty > 1e-9:
            notes.append(f"{left_empty:.1%} of the targets left empty by the choice")
        return notes
