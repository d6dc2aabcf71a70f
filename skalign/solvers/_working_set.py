"""Wide designs: the full Gram is never formed; every target has the one of the features it tries.

A target is solved to the end on the features it tries, before others are judged. For that, products
of all features with the residuals of many targets are taken at once, in single precision. As a
residual moves, a gradient changes by no more than the norm of its feature times that of the move.
So most features stay dismissed without another product, and the gradients of those that are left
are taken in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skalign.solvers._gram import gram_of
from skalign.solvers._kernel import solve_block
from skalign.solvers._least_norm import TIED
from skalign.solvers._penalties import PenaltyStrengths
from skalign.solvers._screening import Screen
from skalign.utils import Array, Doubles, Floats, Indices, check_interrupt

ENTER_TOGETHER = 64  # features that a target may bring in a round, or as many as it has already
FEW = 1 / 64  # of the features, whose own products cost less than those of all in single precision
GRAM_BYTES = 2**27  # of all targets of a block, kept from one round to the next


class WorkingSets:
    """A block of targets, each over its own growing set of features.

    What is known of the other features is kept from one penalty to the next.

    Parameters
    ----------
    screen : Screen
        The features.
    images : ndarray of shape (n_samples, n_targets)
        Prepared targets.
    squared_norms : ndarray of shape (n_targets,)
        Their squared norms.
    coef : ndarray of shape (n_targets, n_features) or None
        Weights to start from.
    positive : bool
        Whether weights must not be negative.
    tol : float
        Bound on the KKT violation.
    max_iter : int
        Bound on the iterations of every target.

    Attributes
    ----------
    residual : ndarray of shape (n_samples, n_targets)
        The residuals, computed from the weights.
    n_iter : ndarray of shape (n_targets,)
        Iterations of every target.
    pivot : ndarray of shape (n_targets,)
        Least squared sine between an active feature and those before it.
    """

    def __init__(
        self,
        screen: Screen,
        images: Array,
        squared_norms: Doubles,
        coef: Floats | None,
        *,
        positive: bool,
        tol: float,
        max_iter: int,
    ) -> None:
        design = screen.design
        self._design, self._screen = design, screen
        self._images, self._squared_norms = images, squared_norms
        self._positive, self._tol, self._max_iter = positive, tol, max_iter
        self._sizes = np.sqrt(squared_norms)
        self._rounding, self._eps = design.rounding, float(np.finfo(design.dtype).eps)
        n_targets = len(squared_norms)
        self.residual = np.array(images, order="F")
        self.n_iter: NDArray[np.int32] = np.zeros(n_targets, np.int32)
        self.pivot = np.ones(n_targets)
        none: Any = np.empty(0, np.intp)
        self._tried: list[Indices] = [none] * n_targets
        self._weights: list[Floats] = [np.empty(0, design.dtype)] * n_targets
        self._q: list[Floats] = list(self._weights)
        self._gradient: list[Floats] = list(self._weights)  # of what is tried
        self._others: list[tuple[Indices, Floats]] = [(none, np.empty(0, design.dtype))] * n_targets
        self._grams: dict[int, Array] = {}
        self._kept_bytes = 0
        # Correlations of all features with earlier residuals, and those residuals.
        self._correlations = np.empty((n_targets, design.X.shape[1]), np.float32)
        self._judged = np.empty_like(self.residual)
        self._is_judged, self._is_orthogonal = np.zeros((2, n_targets), bool)
        for target, weights in enumerate(() if coef is None else coef):
            tried = self._tried[target] = np.flatnonzero(weights)
            self._weights[target] = weights[tried]

    def solve(self, penalty: PenaltyStrengths) -> None:
        """Solve all targets, from the weights they have.

        Parameters
        ----------
        penalty : PenaltyStrengths
            Strengths.
        """
        self.n_iter[:] = 0
        n_targets = len(self._tried)
        for target in range(n_targets):
            if self._tried[target].size:
                check_interrupt()
                self._fit(target, penalty)
        unsolved: Indices = np.arange(n_targets)
        while True:
            unsolved = unsolved[[self._advance(target, penalty) for target in unsolved.tolist()]]
            if not unsolved.size:
                break
            self._judge(unsolved)
        np.maximum(self.n_iter, 1, out=self.n_iter)

    def _judge(self, targets: Indices) -> None:
        """Correlate residuals with all features."""
        first = targets[~self._is_judged[targets]]
        residual = self.residual[:, targets]
        self._screen.correlate(residual, self._correlations, targets)
        self._judged[:, targets], self._is_judged[targets] = residual, True
        for target in first.tolist():
            if np.abs(self._correlations[target]).max(initial=0) <= 2 * self._screen.error:
                self._empty_if_orthogonal(target)

    def _empty_if_orthogonal(self, target: int) -> None:
        """Leave a target without weights whose products with all features are rounding errors."""
        one, none = slice(target, target + 1), np.empty(0, self._design.dtype)
        products, _ = self._design.correlate(self._images[:, one], self._squared_norms[one])
        if not products.any():
            self._is_orthogonal[target] = True
            self.residual[:, target] = self._images[:, target]
            self._tried[target] = np.empty(0, np.intp)
            self._weights[target] = self._q[target] = self._gradient[target] = none

    def known(self, target: int) -> tuple[Indices, Floats, Floats]:
        """Features of a target that may be active or out of bounds, their weights and gradients.

        The gradients of all other features are within their bounds, rounding errors included.
        """
        others, gradient = self._others[target]
        features = np.concatenate([self._tried[target], others])
        weights = np.zeros(features.size, self._design.dtype)
        weights[: self._weights[target].size] = self._weights[target]
        return features, weights, np.concatenate([self._gradient[target], gradient])

    def _advance(self, target: int, penalty: PenaltyStrengths) -> bool:
        """Go on until the target is solved, or needs correlations with its residual."""
        while not self._is_orthogonal[target]:
            check_interrupt()
            entering = self._entering(target, penalty.l1[target])
            if entering is None:
                return True
            if not entering.size:
                return False
            self._tried[target] = np.concatenate([self._tried[target], entering])
            self._fit(target, penalty)
        return False

    def _entering(self, target: int, l1: float) -> Indices | None:
        """Features to be tried next, none where all others are within their bounds.

        None where the correlations at hand are too old to tell.
        """
        if not self._is_judged[target]:
            return None
        screen, tried, size = self._screen, self._tried[target], self._sizes[target]
        ended = self.n_iter[target] >= self._max_iter
        judged = self._judged[:, target].astype(np.float64, copy=False)
        step = judged - self.residual[:, target]
        length, moved = float(np.sqrt(judged @ judged)), float(np.sqrt(step @ step))
        sure = screen.error * length + moved
        weights = self._weights[target]
        rounding = self._rounding + self._eps * weights.size
        reach = size + np.abs(weights).astype(np.float64) @ self._design.norms[tried]
        margin = (sure + rounding * reach + TIED * self._tol * size) * (1 + 1e-6)
        correlations = self._correlations[target]
        survives = screen.survivors(correlations, l1, length, margin, positive=self._positive)
        survives[tried] = False
        others = np.flatnonzero(survives)
        most = max(ENTER_TOGETHER, tried.size)
        if moved > 0 and (ended or others.size > FEW * self._design.X.shape[1]):
            return None
        if moved == 0 and not ended:
            excess = screen.excess(
                length * screen.gradients(correlations, others), others, l1, positive=self._positive
            )
            # An interpolated target has a residual of rounding, with which half of them correlate.
            certain = _worst(excess, max(sure, 0.5 * self._tol * size), most)
            if certain.size:
                return others[certain]
        gradient = self._gradient_of(others, target)
        self._others[target] = others, gradient
        excess = screen.excess(gradient, others, l1, positive=self._positive)
        return others[[] if ended else _worst(excess, 0.5 * self._tol * size, most)]

    def _gradient_of(self, features: Indices, target: int) -> Floats:
        residual = self.residual[:, target]
        if features.size > self._design.X.shape[1] // 8:
            return self._design.cross(residual[:, None])[0, features]
        found: Floats = residual @ self._design.columns(features)
        return found

    def _fit(self, target: int, penalty: PenaltyStrengths) -> None:
        """Solve a target over the features it tries."""
        design, tried, image = self._design, self._tried[target], self._images[:, target]
        columns = design.columns(tried)
        gram = self._grams.pop(target, None)
        self._kept_bytes -= 0 if gram is None else gram.nbytes
        if gram is None or len(gram) < tried.size:
            gram = gram_of(columns, gram)
        known = self._q[target]
        q = self._q[target] = np.concatenate([known, image @ columns[:, known.size :]])
        weights = np.zeros((1, 1, tried.size), design.dtype)
        weights[0, 0, : self._weights[target].size] = self._weights[target]
        one = slice(target, target + 1)
        kkt, gap, sine = np.ones((3, 1, 1))
        spent, ties = np.empty((2, 1, 1), np.int32)
        solve_block(
            gram,
            q[None],
            self._squared_norms[one],
            self._rounding,
            penalty.l1[None, one],
            penalty.l2[None, one],
            self._positive,
            self._tol,
            np.maximum(self._max_iter - self.n_iter[one], 0),
            weights,
            spent,
            kkt,
            gap,
            sine,
            ties,
        )
        self._weights[target] = weights[0, 0]
        self.pivot[target] = sine[0, 0]
        self.n_iter[target] += spent[0, 0]
        self.residual[:, target] = image - columns @ weights[0, 0]
        self._gradient[target] = self.residual[:, target] @ columns
        if self._kept_bytes + gram.nbytes <= GRAM_BYTES:
            self._grams[target] = gram
            self._kept_bytes += gram.nbytes


def _worst(excess: Array, allowed: float, most: int) -> Indices:
    """Up to `most` features whose excess is the largest, and not allowed, in ascending order."""
    violating = np.flatnonzero(excess > allowed)
    if violating.size <= most:
        return violating
    largest = np.argpartition(excess[violating], -most)[-most:]
    return np.sort(violating[largest])
