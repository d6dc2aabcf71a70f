"""r of every target against its noise ceiling, as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skalign.inspection._palette import GROUPS
from skalign.metrics import NoiseCeiling
from skalign.utils import Doubles, import_pyplot

_MARKERS = "osD^vP*"


class NoiseCeilingDisplay:
    """Predictivity r of every target against its noise ceiling, for one model or several.

    How much of what can be predicted in spite of noise is predicted? Made by :meth:`from_scores`,
    which draws it too.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n_targets,)
        Predictivity r of every model; NaN for an empty fit.
    ceiling : NoiseCeiling
        Noise ceilings of the targets, in the unit r.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    share_ : dict of str to float
        Of every model the mean r over the mean ceiling, of targets with a ceiling above 0; an
        empty fit has an r of 0.

    See Also
    --------
    AlignmentDisplay : Targets beside null fits or intervals, and ceilings.
    skalign.metrics.normalize_scores : The share of the ceiling of every target.

    Notes
    -----
    On the dotted line a target is predicted as well as its noise allows; noise puts some targets
    above it. *Hollow marker*: an empty fit, at an r of 0. Targets without a ceiling are counted in
    the title. The legend gives `share_`: the mean of the shares of single targets would be another
    number, in which the noisiest targets weigh most.

    Examples
    --------
    >>> from skalign.inspection import NoiseCeilingDisplay
    >>> from skalign.metrics import noise_ceiling
    >>> ceiling = noise_ceiling([0.3, 0.5, 1.0], n_repeats=3)
    >>> scores = {"matched": [0.3, 0.5, 0.7], "mismatched": [0.1, 0.1, 0.3]}
    >>> display = NoiseCeilingDisplay.from_scores(scores, ceiling)
    >>> {name: round(share, 2) for name, share in display.share_.items()}
    {'matched': 0.76, 'mismatched': 0.25}
    """

    ax_: Any
    figure_: Any
    share_: dict[str, float]

    def __init__(self, scores: Mapping[str, Doubles], ceiling: NoiseCeiling) -> None:
        self.scores = scores
        self.ceiling = ceiling

    @classmethod
    def from_scores(
        cls,
        scores: ArrayLike | Mapping[str, ArrayLike],
        ceiling: NoiseCeiling,
        *,
        ax: Any = None,
    ) -> NoiseCeilingDisplay:
        """Draw scores at hand.

        Parameters
        ----------
        scores : array-like of shape (n_targets,) or dict of str to array-like
            Predictivity r of every target, NaN for an empty fit: of one model, or of several by
            name. The first two have the colors of matched and mismatched units.
        ceiling : NoiseCeiling
            From :func:`~skalign.metrics.noise_ceiling`, of the same targets.
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        NoiseCeilingDisplay
            Drawn.

        Raises
        ------
        TypeError
            If `ceiling` is an array, which has no unit.
        ValueError
            If scores are no correlations of the targets of the ceiling, or models are too many for
            colors that can be told apart.
        ImportError
            If matplotlib is missing.
        """
        if not isinstance(ceiling, NoiseCeiling):
            raise TypeError(
                "ceiling must be a NoiseCeiling, which has a unit; got a "
                f"{type(ceiling).__name__}. Use noise_ceiling, or NoiseCeiling(values, unit)."
            )
        named = scores if isinstance(scores, Mapping) else {"": scores}
        if not 0 < len(named) <= len(GROUPS):
            raise ValueError(
                f"scores must be of 1 to {len(GROUPS)} models, the number of colors that can be "
                f"told apart; got {len(named)}."
            )
        checked = {name: _check_scores(one, name, ceiling) for name, one in named.items()}
        return cls(checked, ceiling.to_unit("r")).plot(ax)

    def plot(self, ax: Any = None) -> NoiseCeilingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; by default a new figure.

        Returns
        -------
        NoiseCeilingDisplay
            This one, with ``ax_``, ``figure_`` and ``share_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots(figsize=(5, 5), layout="constrained")
        self.ax_, self.figure_, self.share_ = ax, ax.figure, {}
        limits = self.ceiling.values
        has_ceiling = ~np.isnan(limits)
        ax.axline((0, 0), slope=1, color="0.5", linestyle=":", label="r = ceiling", zorder=0)
        ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        opacity = float(np.clip(100 / max(limits.size, 1), 0.25, 0.8))
        lowest = 0.0
        for (name, r), color, marker in zip(self.scores.items(), GROUPS, _MARKERS, strict=False):
            share = self.share_[name] = _share(r, limits)
            label = f"{share:.0%} of the ceiling" if np.isfinite(share) else "no ceiling"
            label = f"{name}: {label}" if name else label
            empty = np.isnan(r)
            points = {"s": 22, "marker": marker, "edgecolors": color, "alpha": opacity}
            filled = has_ceiling & ~empty
            ax.scatter(limits[filled], r[filled], facecolors=color, label=label, **points)
            if (empty & has_ceiling).any():
                at = limits[empty & has_ceiling]
                label = f"{f'{name}: ' if name else ''}empty, r = 0 ({at.size})"
                ax.scatter(at, np.zeros(at.size), facecolors="none", label=label, **points)
            lowest = min(lowest, float(np.nanmin(r[filled], initial=0)))
        ax.set(xlim=(0, 1.03), ylim=(1.1 * lowest, 1.03), xlabel="Noise ceiling of r")
        ax.set_ylabel("Predictivity r")
        if not has_ceiling.all():
            n_without = f"{(~has_ceiling).sum()} of {limits.size} targets"
            ax.set_title(f"{n_without} without a ceiling: not drawn", fontsize="medium")
        ax.legend(loc="upper left", fontsize="small", frameon=False)
        return self


def _share(r: Doubles, limits: Doubles) -> float:
    """Mean r over the mean ceiling, of the targets that have one."""
    counts = limits > 0
    total = limits[counts].sum()
    return float(np.nan_to_num(r[counts]).sum() / total) if total > 0 else np.nan


def _check_scores(scores: ArrayLike, name: str, ceiling: NoiseCeiling) -> Doubles:
    r = np.asarray(scores, dtype=np.float64)
    where = f"scores[{name!r}]" if name else "scores"
    if r.shape != ceiling.values.shape:
        raise ValueError(
            f"{where} must have one r for each of the {ceiling.values.size} targets of the "
            f"ceiling; got shape {r.shape}."
        )
    if (np.abs(r) > 1 + 1e-9).any():
        raise ValueError(
            f"{where} must be correlations from -1 to 1; got {r[np.nanargmax(np.abs(r))]:g}."
        )
    return r
