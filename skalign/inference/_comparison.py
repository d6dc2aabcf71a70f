"""Alignments of several fits on the same targets, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skalign.metrics import Alignment, check_target_names
from skalign.utils import Doubles, check_sample_weight, refuse_missing, target_names

Measure = Literal["r", "theta", "n_active", "theta_observed", "n_effective", "theta_floor"]


@dataclass(frozen=True, eq=False)
class AlignmentComparison:
    """Alignment of several fits on the same targets and test images, each under a name.

    Returned by :func:`alignment_against_control`; :class:`AlignmentBaselines` and
    :class:`PriceOfSign` are comparisons, too. ``comparison["control"]`` is the alignment of the
    side named "control".

    Parameters
    ----------
    sides : dict of str to Alignment
        The alignment of each side. High r and low theta are good; both are NaN for a target that
        the side leaves empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.inference import AlignmentComparison
    >>> from skalign.metrics import Alignment
    >>> unknown = np.full((3, 2), np.nan)
    >>> found = AlignmentComparison({
    ...     "trained": Alignment(np.array([0.6, 0.5]), np.array([0.2, 0.3]), [3, 4], *unknown),
    ...     "untrained": Alignment(np.array([0.3, 0.1]), np.array([0.6, 0.8]), [9, 7], *unknown),
    ... })
    >>> found["untrained"].r
    array([0.3, 0.1])
    >>> found.difference("theta")
    array([-0.4, -0.5])
    """

    sides: dict[str, Alignment]

    def __getitem__(self, side: str) -> Alignment:
        if side not in self.sides:
            raise KeyError(f"side must be one of {list(self.sides)}; got {side!r}.")
        return self.sides[side]

    def difference(
        self, measure: Measure, first: str | None = None, second: str | None = None
    ) -> Doubles:
        """Subtract one side from another, target by target.

        Parameters
        ----------
        measure : {"r", "theta", "n_active", "theta_observed", "n_effective", "theta_floor"}
            What is compared.
        first, second : str, default=None
            Names of the sides; by default the first and the second of ``sides``.

        Returns
        -------
        ndarray of shape (n_targets,)
            `first` minus `second`; NaN where either side has no value.

        Raises
        ------
        KeyError
            If there is no side of that name.
        ValueError
            If `measure` is none of these.
        """
        if measure not in get_args(Measure):
            raise ValueError(f"measure must be one of {get_args(Measure)}; got {measure!r}.")
        defaults = list(self.sides)
        one = self[defaults[0] if first is None else first]
        other = self[defaults[1] if second is None else second]
        return np.asarray(getattr(one, measure) - getattr(other, measure))

    def summary(self) -> dict[str, dict[str, float]]:
        """Average each side over targets, as :meth:`skalign.metrics.Alignment.summary` does.

        Returns
        -------
        dict of str to dict
            The summary of every side.
        """
        return {side: alignment.summary() for side, alignment in self.sides.items()}

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``; of every side ``r_<side>``, ``theta_<side>``,
            ``n_active_<side>``, ``theta_observed_<side>``, ``n_effective_<side>`` and
            ``theta_floor_<side>``; of two sides also ``r_difference``, ``theta_difference`` and
            ``theta_observed_difference``, the first minus the second.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        frames = {side: alignment.to_frame() for side, alignment in self.sides.items()}
        frame = next(iter(frames.values()))[["target"]].copy()
        for measure in Alignment.MEASURES:
            for side, of_side in frames.items():
                frame[f"{measure}_{side}"] = of_side[measure]
        if len(frames) == 2:
            frame["r_difference"] = self.difference("r")
            frame["theta_difference"] = self.difference("theta")
            frame["theta_observed_difference"] = self.difference("theta_observed")
        return frame


def check_test_weight(test_sample_weight: ArrayLike | None, n_samples: int) -> Doubles | None:
    """Weights of the samples that are scored, named as the user gave them."""
    if test_sample_weight is None:
        return None
    return check_sample_weight(test_sample_weight, n_samples, "test_sample_weight")


def check_test_targets(y: ArrayLike, y_test: ArrayLike) -> NDArray[np.object_] | None:
    """Names of the targets; test responses with other names, or that miss some, are refused."""
    refuse_missing(y_test, "y_test", maskable=False)
    return check_target_names(y_test, target_names(y), name="y_test", of="y")
