"""Features over two images as arrows, and what an encoder makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from skalign.inspection._palette import GREEN
from skalign.metrics import linear_maps, linear_model_of, tuning_reorientation
from skalign.utils import Array, import_pyplot


class TuningArrowsDisplay:
    """Features as arrows over two images, colored by their weights, and the target in green.

    Made by one of the class methods, which draw it too.

    Parameters
    ----------
    X : ndarray of shape (2, n_features)
        Responses of the features to the two images.
    y : ndarray of shape (2,)
        Responses of the target.
    weights : ndarray of shape (n_features,)
        Weights of the features.
    theta : float
        Reorientation, from 0 to 2; low is aligned. NaN without weights.
    name : str
        First line of the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    arrows_ : matplotlib Quiver
        The features. It carries the colors: ``figure.colorbar(display.arrows_, ax=axes)`` makes a
        color bar for several panels.
    colorbar_ : matplotlib Colorbar or None
        Legend of the colors, where asked for.

    See Also
    --------
    skalign.datasets.make_tuning_toy : A problem to draw.
    TuningDirectionsDisplay : Tuning directions over many images.

    Notes
    -----
    An arrow ends at the responses to the first and the second image; its direction is the tuning
    that theta compares, here always with the target itself and without centering. Large weights
    lie on top. The colors end at `limit`; weights beyond it have its color, and the color bar
    a pointed end.

    Examples
    --------
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.datasets import make_tuning_toy
    >>> from skalign.inspection import TuningArrowsDisplay
    >>> toy = make_tuning_toy()
    >>> encoder = SparsePositiveEncoder("lasso", alpha=0.5, fit_intercept=False)
    >>> display = TuningArrowsDisplay.from_estimator(encoder.fit(toy.X, toy.y), toy.X, toy.y)
    >>> print(display.ax_.get_title())
    lasso, positive weights
    θ = 0.05, 2 of 100 active
    """

    ax_: Any
    figure_: Any
    arrows_: Any
    colorbar_: Any

    def __init__(
        self,
        X: Array,
        y: Array,
        weights: Array,
        theta: float,
        name: str = "",
    ) -> None:
        self.X = X
        self.y = y
        self.weights = weights
        self.theta = theta
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        name: str | None = None,
        limit: float = 0.03,
        colorbar: bool = True,
        ax: Any = None,
    ) -> TuningArrowsDisplay:
        """Draw the weights of a fitted encoder of one target.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a linear model inside.
        X : array-like of shape (2, n_features)
            Two images, as the estimator takes them; drawn is what reaches the linear model.
        y : array-like of shape (2,)
            Observed responses of the target.
        name : str, default=None
            First line of the title; by default penalty and sign, or the name of the class.
        limit : float, default=0.03
            Largest absolute weight that the colors tell apart.
        colorbar : bool, default=True
            Whether to add a color bar.
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        TuningArrowsDisplay
            Drawn.

        Raises
        ------
        TypeError
            If the estimator has no linear weights, or weights of a shape that does not fit.
        ValueError
            If there are not two images and one target.
        ImportError
            If matplotlib is missing.
        """
        maps = linear_maps(estimator, X, y, predict=False)
        if len(maps) != 1 or len(maps[0].weights) != 1:
            raise ValueError("y must be one target for arrows to have one color; got several.")
        name = _name(estimator) if name is None else name
        weights = np.asarray(maps[0].weights)[0]
        options = {"name": name, "limit": limit, "colorbar": colorbar, "ax": ax}
        return cls.from_weights(maps[0].features, maps[0].observed[:, 0], weights, **options)

    @classmethod
    def from_weights(
        cls,
        X: ArrayLike,
        y: ArrayLike,
        weights: ArrayLike,
        *,
        name: str = "",
        limit: float = 0.03,
        colorbar: bool = True,
        ax: Any = None,
    ) -> TuningArrowsDisplay:
        """Draw weights, wherever they come from.

        Parameters
        ----------
        X : array-like of shape (2, n_features)
            Responses of the features to two images.
        y : array-like of shape (2,)
            Responses of the target.
        weights : array-like of shape (n_features,)
            Weights of the features.
        name : str, default=""
            First line of the title.
        limit : float, default=0.03
            Largest absolute weight that the colors tell apart.
        colorbar : bool, default=True
            Whether to add a color bar.
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        TuningArrowsDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there are not two images, or weights do not fit.
        ImportError
            If matplotlib is missing.
        """
        features: Any = check_array(X, input_name="X")
        if len(features) != 2:
            raise ValueError(
                "X must be of shape (2, n_features) to be drawn in the plane; got "
                f"{features.shape}. For more images draw principal components: "
                "TuningDirectionsDisplay."
            )
        target = np.ravel(np.asarray(y, dtype=np.float64))
        weights = np.ravel(np.asarray(weights, dtype=np.float64))
        (theta,) = tuning_reorientation(features, target, weights)
        return cls(features, target, weights, float(theta), name).plot(
            ax, limit=limit, colorbar=colorbar
        )

    def plot(
        self, ax: Any = None, *, limit: float = 0.03, colorbar: bool = True
    ) -> TuningArrowsDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.
        limit : float, default=0.03
            Largest absolute weight that the colors tell apart.
        colorbar : bool, default=True
            Whether to add a color bar.

        Returns
        -------
        TuningArrowsDisplay
            This one, with ``ax_``, ``figure_``, ``arrows_`` and ``colorbar_``.

        Raises
        ------
        ValueError
            If `limit` is not positive.
        ImportError
            If matplotlib is missing.
        """
        if not limit > 0:
            raise ValueError(f"limit must be a positive weight; got {limit}.")
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_, self.colorbar_ = ax, ax.figure, None
        ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        ax.axvline(0, color="0.85", linewidth=0.8, zorder=0)
        from_origin = {"angles": "xy", "scale_units": "xy", "scale": 1}
        order = np.argsort(np.abs(self.weights), kind="stable")
        origin = np.zeros((2, order.size))
        self.arrows_ = ax.quiver(
            *origin,
            *self.X[:, order],
            self.weights[order],
            **from_origin,
            cmap="coolwarm",  # zero is a gray that shows on white
            clim=(-limit, limit),
            width=0.006,
            zorder=1,
        )
        ax.quiver(0, 0, *self.y, **from_origin, color=GREEN, width=0.016, zorder=2)
        reach = 1.05 * max(np.abs(self.X).max(), np.abs(self.y).max())
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        ax.set(xlabel="Response to image 1", ylabel="Response to image 2")
        inwards = {"ha": "right" if self.y[0] > 0 else "left", "va": "bottom", "xytext": (0, 3)}
        ax.annotate("target", self.y, textcoords="offset points", color=GREEN, zorder=3, **inwards)
        found = "undefined" if np.isnan(self.theta) else f"= {self.theta:.2f}"
        found = f"θ {found}, {np.count_nonzero(self.weights)} of {order.size} active"
        ax.set_title("\n".join(filter(None, [self.name, found])), fontsize="medium")
        if colorbar:
            below, above = self.weights.min() < -limit, self.weights.max() > limit
            extend = (
                "both" if below and above else "min" if below else "max" if above else "neither"
            )
            self.colorbar_ = ax.figure.colorbar(self.arrows_, ax=ax, label="Weight", extend=extend)
        return self


def _name(estimator: Any) -> str:
    model = linear_model_of(estimator).model
    penalty = getattr(model, "penalty", None)
    if penalty is None:
        return type(model).__name__
    return f"{penalty}, {'positive' if model.positive else 'signed'} weights"
