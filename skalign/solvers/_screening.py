"""Which features a residual may still call for, from products in single precision.

Those take half the time of double precision, and their errors are bounded: a feature that is
dismissed needs no other look. The few that are left are for double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skalign.solvers._design import Design
from skalign.utils import Array, Doubles, Flags, Indices, check_interrupt

TILE = 2**19  # numbers that are converted at a time: few enough for the cache
PLAIN_NORMS = 1e-12, 1e12  # norms between need no scaling before they are converted
FARTHEST = 1e30  # the largest norm over a feature's, as far as single precision holds it
EPS = float(np.finfo(np.float32).eps)


class Screen:
    """Correlations of residuals with all features of one design.

    Parameters
    ----------
    design : Design
        Prepared features.

    Attributes
    ----------
    error : float
        Bound on the error of a correlation.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        norms = design.norms
        used = norms > 0
        least, most = norms.min(where=used, initial=np.inf), norms.max(initial=0)
        self._most = float(most) or 1.0
        self._inverse = np.divide(1, norms, out=np.zeros(len(norms)), where=used)
        self._is_plain = PLAIN_NORMS[0] <= least and most <= PLAIN_NORMS[1]
        self._constant = np.flatnonzero(~used)
        # A gradient over the largest norm and that of the residual, times this, is a correlation.
        heights = np.minimum(self._most * self._inverse, FARTHEST)
        self._heights = heights.astype(np.float32)
        # Roundings of both factors, of a dot product, of norms, and of what it is compared with.
        roundings = 0.5 * (design.X.shape[0] + 16) * EPS
        self.error = design.rounding + 8 * EPS if design.is_sparse else roundings

    def correlate(self, residuals: Array, out: Array, rows: Indices) -> None:
        """Correlations of residuals with all features, in single precision.

        Parameters
        ----------
        residuals : ndarray of shape (n_samples, n_rows)
            The residuals.
        out : ndarray of shape (n_targets, n_features), float32
            Written in its `rows`: products over ``|x_j| |r|``.
        rows : ndarray of int of shape (n_rows,)
            Where each residual belongs.
        """
        lengths = np.linalg.norm(residuals.astype(np.float64, copy=False), axis=0)
        unit = residuals / np.where(lengths > 0, lengths, 1)
        X = self.design.X
        if self.design.is_sparse:
            products = self.design.cross(unit.astype(X.dtype, copy=False))
            out[rows] = products * self._inverse
            return
        of_rows = np.ascontiguousarray(unit.T, dtype=np.float32)
        order: Any = "F" if X.flags.f_contiguous else "C"
        width = min(max(1, TILE // len(X)), X.shape[1])
        converted = np.empty((len(X), width), np.float32, order=order)
        inverse = self._inverse.astype(np.float32) if self._is_plain else None
        for start in range(0, X.shape[1], width):
            check_interrupt()
            tile = slice(start, min(start + width, X.shape[1]))
            columns = converted[:, : tile.stop - start]
            if inverse is None:
                columns[...] = X[:, tile] * self._inverse[tile]
            elif X.dtype == np.float32:
                columns = X[:, tile]
            else:
                columns[...] = X[:, tile]
            found = of_rows @ columns
            if inverse is not None:
                found *= inverse[tile]
            out[rows, tile] = found

    def survivors(
        self, correlations: Array, l1: float, length: float, margin: float, *, positive: bool
    ) -> Flags:
        """Features whose gradient may be out of its bounds.

        Parameters
        ----------
        correlations : ndarray of shape (n_features,), float32
            Correlations with a residual.
        l1 : float
            Bound on the gradient.
        length : float
            Norm of the residual.
        margin : float
            How far a gradient may be above what the correlation says, over the norm of the feature.
        positive : bool
            Whether only the upper bound counts.

        Returns
        -------
        ndarray of shape (n_features,)
            Flags; false for constant features.
        """
        length = length or 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            bars = self._heights * np.float32(l1 / self._most / length)
            bars -= np.float32(margin / length)
        reached = correlations if positive else np.abs(correlations)
        found: Flags = ~(reached <= bars)  # what overflows is not dismissed
        found[self._constant] = False
        return found

    def gradients(self, correlations: Array, features: Indices) -> Doubles:
        """Gradients of some features that a residual of norm 1 has with such correlations."""
        found: Doubles = correlations[features] * self.design.norms[features]
        return found

    def excess(self, gradient: Array, features: Indices, l1: float, *, positive: bool) -> Doubles:
        """How far gradients are out of their bounds, over the norms of their features."""
        reached = gradient if positive else np.abs(gradient)
        found: Doubles = (reached - l1) * self._inverse[features]
        return found
