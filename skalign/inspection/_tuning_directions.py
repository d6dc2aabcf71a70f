"""Tuning directions of groups of units in the plane of a layer's principal components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA
from sklearn.utils import check_array

from skalign.inspection._palette import GROUPS
from skalign.utils import Doubles, Indices, import_pyplot


class TuningDirectionsDisplay:
    r"""Tuning directions of groups of units in the plane of a layer's principal components.

    Do face- and scene-selective units point to different parts of the layer's space (Figure 2A of
    [1]_)? Made by :meth:`from_responses`, which draws it too.

    Parameters
    ----------
    directions : ndarray of shape (n_units, 2)
        Correlation of every unit with the scores of the first two components; NaN for a unit that
        does not vary.
    groups : dict of str to ndarray of int
        Indices of the units of every group.
    explained_variance_ratio : ndarray of shape (2,)
        Share of the layer's variance in each component.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    skalign.feature_selection.SelectiveUnitLocalizer : Finds the units of a category.
    TuningArrowsDisplay : Tuning directions over two images, as they are.

    Notes
    -----
    The tuning of a unit is the vector of its responses to the images, here centered. Its arrow is
    the projection of the unit vector in this direction on the scores of the layer's first two
    components, scaled to unit norm:

    .. math:: a_{uk} = \mathrm{corr}(x_u, s_k), \quad k = 1, 2.

    Where an arrow ends on the dotted circle, the plane holds all of the unit's tuning; its squared
    length is the share of the unit's variance that it holds. Short arrows say little: the unit
    may point anywhere outside of the plane. Units of no group are gray points, at the ends of
    their arrows. A bold arrow is the mean of a group.

    Components are those of the responses as they are; units of large variance turn them.
    Standardize responses for equal say. The sign of a component is a convention.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.inspection import TuningDirectionsDisplay
    >>> rng = np.random.default_rng(0)
    >>> latent = rng.standard_normal((200, 2))
    >>> mixing = np.repeat([[1.0, 0.0], [-0.5, 1.0]], 10, axis=1)  # units 0-9, and 10-19
    >>> responses = latent @ mixing + 0.5 * rng.standard_normal((200, 20))
    >>> display = TuningDirectionsDisplay.from_responses(
    ...     responses, {"face": np.arange(10), "scene": np.arange(10, 20)}
    ... )
    >>> display.directions.shape
    (20, 2)
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        directions: Doubles,
        groups: Mapping[str, Indices],
        explained_variance_ratio: Doubles,
    ) -> None:
        self.directions = directions
        self.groups = groups
        self.explained_variance_ratio = explained_variance_ratio

    @classmethod
    def from_responses(
        cls, responses: ArrayLike, groups: Mapping[str, ArrayLike], *, ax: Any = None
    ) -> TuningDirectionsDisplay:
        """Find the components of a layer's responses, and draw the directions of its units.

        Parameters
        ----------
        responses : array-like of shape (n_images, n_units)
            Responses of a layer to many images, best ones that did not choose the units.
        groups : dict of str to array-like
            Units of every group: a mask of shape (n_units,), such as ``localizer.get_support()``,
            or indices. Groups may overlap; units of no group are drawn as points.
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        TuningDirectionsDisplay
            Drawn.

        Raises
        ------
        TypeError
            If groups are no dict, or neither masks nor indices.
        ValueError
            If responses are not finite or do not vary, groups do not fit or are too many for
            colors that can be told apart.
        ImportError
            If matplotlib is missing.
        """
        X: Any = check_array(
            responses,
            dtype=[np.float64, np.float32],
            ensure_min_samples=2,
            ensure_min_features=2,
            input_name="responses",
        )
        varies = np.ptp(X, axis=0) > 0
        if not varies.any():
            raise ValueError("responses must vary over images, but all units are constant.")
        indices = _check_groups(groups, X.shape[1])
        pca = PCA(2, random_state=0).fit(X)  # its solver draws where the layer is large
        loadings = pca.components_ * np.sqrt(pca.explained_variance_)[:, np.newaxis]
        directions = np.full((X.shape[1], 2), np.nan)
        directions[varies] = (loadings[:, varies] / X[:, varies].std(axis=0, ddof=1)).T
        return cls(directions, indices, pca.explained_variance_ratio_).plot(ax)

    def plot(self, ax: Any = None) -> TuningDirectionsDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        TuningDirectionsDisplay
            This one, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots(figsize=(6, 6.6), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        varies = ~np.isnan(self.directions[:, 0])
        other = varies.copy()
        for units in self.groups.values():
            other[units] = False
        for color, (name, units) in zip(GROUPS, self.groups.items(), strict=False):
            self._draw_group(name, units[varies[units]], color)
        if other.any():
            points = self.directions[other].T
            ax.scatter(*points, 6, color="0.75", label=f"other ({other.sum():,})", zorder=1)
        circle = {"fill": False, "color": "0.5", "linestyle": ":", "zorder": 0}
        ax.add_patch(plt.Circle((0, 0), 1, **circle))
        ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        ax.axvline(0, color="0.85", linewidth=0.8, zorder=0)
        reach = min(1.15 * np.abs(self.directions[varies]).max(), 1.05)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        for k, (axis, share) in enumerate(
            zip((ax.xaxis, ax.yaxis), self.explained_variance_ratio, strict=True), start=1
        ):
            axis.set_label_text(f"Correlation with PC {k} ({share:.1%} of variance)")
        if not varies.all():
            n_constant = f"{(~varies).sum():,} of {varies.size:,} units"
            ax.set_title(f"{n_constant} do not vary: not drawn", fontsize="medium")
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1), "frameon": False}
        ax.legend(title="Units, and the mean of each group", ncols=4, **below)
        return self

    def _draw_group(self, name: str, units: Indices, color: str) -> None:
        """Arrows of the units of a group, and a bold one for their mean."""
        from_origin = {"angles": "xy", "scale_units": "xy", "scale": 1, "color": color}
        label = f"{name} ({units.size:,})"
        self.ax_.plot([], [], color=color, linewidth=3, label=label)
        if not units.size:
            return
        opacity = float(np.clip(20 / units.size, 0.15, 0.6))
        origin = np.zeros((2, units.size))
        self.ax_.quiver(
            *origin, *self.directions[units].T, **from_origin, width=0.004, alpha=opacity, zorder=2
        )
        self.ax_.quiver(
            0,
            0,
            *self.directions[units].mean(axis=0),
            **from_origin,
            width=0.014,
            edgecolor="white",
            linewidth=1,
            zorder=3,
        )


def _check_groups(groups: Mapping[str, ArrayLike], n_units: int) -> dict[str, Indices]:
    """Indices of the units of every group."""
    if not isinstance(groups, Mapping):
        raise TypeError(
            'groups must be a dict from names to units, such as {"face": mask}; got '
            f"{type(groups).__name__}."
        )
    if len(groups) > len(GROUPS):
        raise ValueError(
            f"groups must be at most {len(GROUPS)}, the number of colors that can be told "
            f"apart; got {len(groups)}. Draw some of them."
        )
    return {name: _check_units(units, name, n_units) for name, units in groups.items()}


def _check_units(units: ArrayLike, name: str, n_units: int) -> Indices:
    units = np.asarray(units)
    if units.dtype == bool:
        if units.shape != (n_units,):
            raise ValueError(
                f"groups[{name!r}] must be a mask of the {n_units} units; got shape {units.shape}."
            )
        return np.flatnonzero(units)
    if units.size == 0:
        return np.zeros(0, dtype=np.intp)
    if not np.issubdtype(units.dtype, np.integer):
        raise TypeError(
            f"groups[{name!r}] must be a mask or indices of units; got values of type "
            f"{units.dtype}."
        )
    if units.ndim != 1 or units.min() < 0 or units.max() >= n_units:
        raise ValueError(
            f"groups[{name!r}] must be a list of indices from 0 to {n_units - 1}; got {units!r}."
        )
    return units.astype(np.intp)
