"""A block of targets and its products with the features."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skalign.utils import Doubles, Flags, Floats, Indices


class PreparedTargets(NamedTuple):
    """A block of targets, prepared for one design.

    Attributes
    ----------
    q : ndarray of shape (n_targets, n_features)
        Features times targets; of no features where the way to a solution does without them.
    means, squared_norms : ndarray of shape (n_targets,)
        Means of the targets; squared norms when centered and weighted.
    images : ndarray of shape (n_samples, n_targets) or None
        The centered, weighted targets themselves; None where their moments are all that is asked.
    raw : ndarray of shape (n_samples, n_targets) or None
        The targets before they were prepared, where `images` is None.
    exponents : ndarray of shape (n_targets,) or int
        The targets here are ``2**-exponents`` times those of the user: not 0 where the floating
        type cannot hold their squares.
    """

    q: Floats
    means: Doubles
    squared_norms: Doubles
    images: Any = None
    raw: Any = None
    exponents: Any = 0

    def take(self, targets: Flags | Indices | slice) -> PreparedTargets:
        """Some of the targets."""
        return PreparedTargets(
            self.q[targets],
            self.means[targets],
            self.squared_norms[targets],
            None if self.images is None else self.images[:, targets],
            None if self.raw is None else self.raw[:, targets],
            np.broadcast_to(self.exponents, self.means.shape)[targets],
        )
