"""The price of sign as a figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skalign.inference import PriceOfSign, price_of_sign
from skalign.inspection._palette import BLUE, ORANGE
from skalign.utils import Array, import_pyplot


class PriceOfSignDisplay:
    """Signed against positive fits, target by target, and the units with the negative weight.

    Parameters
    ----------
    price : PriceOfSign
        What :func:`~skalign.inference.price_of_sign` returns.

    Attributes
    ----------
    axes_ : ndarray of 3 matplotlib Axes
        Of r, theta and units.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    skalign.inference.price_of_sign : The comparison as a table.

    Notes
    -----
    - *r*: a point per target. Below the diagonal positivity costs predictivity.
    - *Theta*: below the diagonal positivity saves reorientation. Targets that either fit leaves
      empty have no theta there: the legend counts them. In r, where they count as 0, they are drawn
      in orange.
    - *Units*: the sum over targets of their absolute negative weight in the signed fit, and for
      how many targets it is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inspection import PriceOfSignDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 5))
    >>> y = X @ rng.standard_normal((5, 8)) + rng.standard_normal((200, 8))
    >>> display = PriceOfSignDisplay.from_estimator(
    ...     SparsePositiveEncoder(), X[:100], y[:100], X[100:], y[100:]
    ... )
    >>> display.axes_[0].get_ylabel()
    'r, positive weights'
    """

    axes_: Array
    figure_: Any

    def __init__(self, price: PriceOfSign) -> None:
        self.price = price

    @classmethod
    def from_estimator(
        cls,
        encoder: Any,
        X: Any,
        y: ArrayLike,
        X_test: Any,
        y_test: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        center: bool = False,
        n_units: int = 10,
        ax: Any = None,
    ) -> PriceOfSignDisplay:
        """Fit an encoder with signed and with positive weights, and draw the comparison.

        Parameters
        ----------
        encoder : estimator
            With a parameter ``positive``, alone or inside a pipeline or a target transformer.
        X : {array-like, sparse matrix} of shape (n_images, n_features)
            Images to fit.
        y : array-like of shape (n_images, n_targets) or (n_images,)
            Responses to fit.
        X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
            Images to score.
        y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
            Observed responses to them.
        sample_weight : array-like of shape (n_images,), default=None
            Weights of the images to fit.
        center : bool, default=False
            Whether theta centers features and targets over images.
        n_units : int, default=10
            Largest number of units to show.
        ax : array-like of 3 matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        PriceOfSignDisplay
            Drawn.
        """
        price = price_of_sign(
            encoder, X, y, X_test, y_test, sample_weight=sample_weight, center=center
        )
        return cls(price).plot(ax, n_units=n_units)

    @classmethod
    def from_price(
        cls, price: PriceOfSign, *, n_units: int = 10, ax: Any = None
    ) -> PriceOfSignDisplay:
        """Draw a comparison that is there already.

        Parameters
        ----------
        price : PriceOfSign
            What :func:`~skalign.inference.price_of_sign` returns.
        n_units : int, default=10
            Largest number of units to show.
        ax : array-like of 3 matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        PriceOfSignDisplay
            Drawn.
        """
        return cls(price).plot(ax, n_units=n_units)

    def plot(self, ax: Any = None, *, n_units: int = 10) -> PriceOfSignDisplay:
        """Draw.

        Parameters
        ----------
        ax : array-like of 3 matplotlib Axes, default=None
            For r, theta and units; by default a new figure.
        n_units : int, default=10
            Largest number of units to show.

        Returns
        -------
        PriceOfSignDisplay
            This one, with ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            If `ax` are not three.
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        if ax is None:
            figure, ax = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
            figure.get_layout_engine().set(w_pad=0.1)
        self.axes_ = np.ravel(np.asarray(ax, dtype=object))
        if self.axes_.size != 3:
            raise ValueError(
                f"ax must be three Axes, for r, theta and units; got {self.axes_.size}."
            )
        self.figure_ = self.axes_[0].figure
        self._draw_r(self.axes_[0])
        self._draw_theta(self.axes_[1])
        self._draw_units(self.axes_[2], n_units)
        return self

    def _draw_r(self, ax: Any) -> None:
        sides = [self.price["signed"], self.price["positive"]]
        signed, positive = (side.n_active == 0 for side in sides)
        r_signed, r_positive = (np.nan_to_num(side.r) for side in sides)  # empty: r = 0
        groups = {
            "Both fits have units": (~signed & ~positive, "o", BLUE),
            "Positive fit empty, r = 0": (~signed & positive, "v", ORANGE),
            "Signed fit empty, r = 0": (signed & ~positive, "<", ORANGE),
            "Both empty, r = 0": (signed & positive, "s", ORANGE),
        }
        for label, (group, marker, color) in groups.items():
            if group.any():
                _draw_targets(
                    ax,
                    r_signed[group],
                    r_positive[group],
                    marker=marker,
                    color=color,
                    label=f"{label} ({group.sum()})",
                )
        _compare(ax, "r", [r_signed, r_positive])
        change = _change(r_signed - r_positive)
        ax.set_title(f"Predictivity: with positive weights\nr {change}", size=10)
        ax.legend(fontsize="small")

    def _draw_theta(self, ax: Any) -> None:
        difference = self.price.difference("theta")
        drawn = np.isfinite(difference)
        values = [self.price[side].theta[drawn] for side in ("signed", "positive")]
        if drawn.any():
            label = f"Both fits have θ ({drawn.sum()})"
            _draw_targets(ax, *values, marker="o", color=BLUE, label=label)
            ax.set_title(
                f"Reorientation: with positive weights\nθ {_change(difference[drawn])}",
                size=10,
            )
        if not drawn.all():
            ax.plot([], [], " ", label=f"No θ in a fit: not drawn ({(~drawn).sum()})")
        _compare(ax, "θ", values)
        ax.legend(fontsize="small")

    def _draw_units(self, ax: Any, n_units: int) -> None:
        price = self.price
        top = np.argsort(-price.negative_weight, kind="stable")[:n_units]
        top = top[price.negative_weight[top] > 0]
        names = [str(unit if price.unit_names is None else price.unit_names[unit]) for unit in top]
        bars = ax.barh(np.arange(top.size), price.negative_weight[top], color=ORANGE)
        ax.bar_label(bars, [f"{n:,}" for n in price.n_negative[top]], padding=3, fontsize="small")
        ax.set_yticks(np.arange(top.size), names)
        ax.invert_yaxis()
        ax.margins(x=0.15)
        ax.set(xlabel="Negative weight, summed over targets", ylabel="Unit")
        n_negative = int((price.negative_weight > 0).sum())
        ax.set_title(
            f"{n_negative:,} of {price.negative_weight.size:,} units have negative weight\n"
            "(at the bars: for how many targets)",
            size=10,
        )


def _draw_targets(ax: Any, signed: Any, positive: Any, **style: Any) -> None:
    opacity = float(np.clip(100 / signed.size, 0.2, 0.8))
    ax.scatter(signed, positive, 18, alpha=opacity, linewidth=0, **style)


def _compare(ax: Any, name: str, values: list[Array]) -> None:
    """Equal axes, the diagonal and labels."""
    both = np.concatenate(values)
    low, high = (both.min(), both.max()) if both.size else (0, 1)
    pad = 0.05 * (high - low) or 0.05
    limits = low - pad, high + pad
    ax.axline((0, 0), slope=1, color="0.6", linewidth=1, linestyle="--", zorder=0)
    ax.set(xlim=limits, ylim=limits, aspect="equal")
    ax.set(xlabel=f"{name}, signed weights", ylabel=f"{name}, positive weights")


def _change(difference: Array) -> str:
    """What happens on average when negative weights are taken away."""
    mean = difference.mean()
    return f"{'falls' if mean >= 0 else 'rises'} by {abs(mean):.3f} on average"
