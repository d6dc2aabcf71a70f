"""Solutions through the images: closed forms, wide designs, fits whose digits a Gram loses."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skalign.solvers._certificate import certify_residual, rounding_violation
from skalign.solvers._design import Design
from skalign.solvers._dual_newton import solve_by_residual
from skalign.solvers._kernel_fits import NEARLY_DEPENDENT
from skalign.solvers._least_norm import choose_minimizers
from skalign.solvers._least_squares import least_squares_solver
from skalign.solvers._penalties import PenaltyStrengths
from skalign.solvers._polish import polish
from skalign.solvers._prepared_targets import PreparedTargets
from skalign.solvers._solution import Solution, put_better
from skalign.solvers._working_set import solve_working_set
from skalign.utils import Doubles, Flags, Floats, Indices


class ImageSolver:
    """Solves blocks of prepared targets through the images.

    Parameters
    ----------
    design : Design
        Prepared features.
    closed_l2 : ndarray of shape (n_strengths,)
        All l2 penalties of targets with a closed form.
    positive : bool
        Whether weights must not be negative.
    tol : float
        Bound on the KKT violation.
    max_iter : int
        Bound on the iterations of one target.
    """

    def __init__(
        self, design: Design, closed_l2: Doubles, *, positive: bool, tol: float, max_iter: int
    ) -> None:
        self._design = design
        self._positive, self._tol, self._max_iter = positive, tol, max_iter
        self._least_squares = least_squares_solver(design, closed_l2) if closed_l2.size else None

    def least_squares(self, targets: PreparedTargets, penalty: PenaltyStrengths) -> Solution:
        """Solve a block that has a closed form."""
        assert self._least_squares is not None
        coef = self._least_squares.solve(targets.images, targets.q, penalty.l2)
        coef[~targets.q.any(axis=1)] = 0
        coef[:, self._design.norms == 0] = 0
        residual = targets.images - self._design.predict(coef)
        n_iter = np.ones(len(coef), np.int32)
        solution = self._certified(targets, penalty, coef, n_iter, residual)
        solution.unique[:] = (penalty.l2 > 0) | self._least_squares.full_rank
        return solution

    def through_residuals(
        self, targets: PreparedTargets, penalty: PenaltyStrengths, coef: Floats | None
    ) -> Solution:
        """Solve a block of nonnegative ridge by Newton steps in the space of the images."""
        X = self._double_design.X
        images = targets.images.astype(np.float64, copy=False)
        n_iter = np.ones(len(images.T), np.int32)
        start = np.zeros(targets.q.shape) if coef is None else coef.astype(np.float64)
        found = np.zeros(targets.q.shape, self._design.dtype)
        for target, (y, w) in enumerate(zip(images.T, start, strict=True)):
            found[target], n_iter[target] = solve_by_residual(
                X, y, penalty.l1[target], penalty.l2[target], w, self._max_iter
            )
        residual = images - self._double_design.predict(found.astype(np.float64))
        np.maximum(n_iter, 1, out=n_iter)
        solution = self._certified(targets, penalty, found, n_iter, residual)
        missed = np.flatnonzero(~solution.converged & (n_iter < self._max_iter))
        if missed.size:  # a penalty that is nothing beside the features
            again = self.through_columns(
                targets.take(missed), penalty.take(missed), solution.coef[missed]
            )
            put_better(solution, missed, again, self._tol)
        return solution

    def through_columns(
        self, targets: PreparedTargets, penalty: PenaltyStrengths, coef: Floats | None
    ) -> Solution:
        """Solve a block over the features that become active, without the Gram of the others."""
        if coef is None:
            coef = np.zeros(targets.q.shape, self._design.dtype)
        n_iter = np.ones(len(coef), np.int32)
        residual, gradient, pivot = solve_working_set(
            self._design,
            targets.images,
            targets.q,
            targets.squared_norms,
            l1=penalty.l1,
            l2=penalty.l2,
            positive=self._positive,
            tol=self._tol,
            max_iter=self._max_iter,
            coef=coef,
            n_iter=n_iter,
        )
        solution = self._certified(targets, penalty, coef, n_iter, residual, gradient)
        doubtful = coef.any(axis=1) & (n_iter < self._max_iter)
        doubtful &= (pivot < NEARLY_DEPENDENT[coef.dtype]) | ~solution.converged
        if doubtful.any():
            self.polish(targets, penalty, solution, doubtful)
        if (penalty.l2 == 0).any():
            self._choose_minimizers(targets, penalty, solution, gradient, pivot)
        return solution

    def _choose_minimizers(
        self,
        targets: PreparedTargets,
        penalty: PenaltyStrengths,
        solution: Solution,
        gradient: Floats,
        pivot: Doubles,
    ) -> None:
        """Replace minimizers by those of minimum norm where there are many."""
        free = np.flatnonzero(penalty.l2 == 0)
        chosen, solution.unique[free] = choose_minimizers(
            self.columns,
            gradient[free].astype(np.float64, copy=False),
            solution.coef[free],
            penalty.l1[free],
            norms=self._design.norms,
            sizes=np.sqrt(targets.squared_norms[free]),
            independent=pivot[free] > 0,
            positive=self._positive,
            tol=self._tol,
        )
        changed = free[(chosen != solution.coef[free]).any(axis=1)]
        if changed.size:
            coef = chosen[np.isin(free, changed)]
            residual = targets.images[:, changed] - self._design.predict(coef)
            n_iter = solution.n_iter[changed]
            part = self._certified(
                targets.take(changed), penalty.take(changed), coef, n_iter, residual
            )
            put_better(solution, changed, part, self._tol)

    def polish(
        self,
        targets: PreparedTargets,
        penalty: PenaltyStrengths,
        solution: Solution,
        doubtful: Flags,
    ) -> None:
        """Solve some targets again through the features, which know more digits than a Gram."""
        some = np.flatnonzero(doubtful)
        images = targets.images
        prepared = (
            self._design.targets(targets.raw[:, some])[0] if images is None else images[:, some]
        )
        prepared = prepared.astype(np.float64)
        coef = np.array(
            [
                polish(
                    self._double_design, y, solution.coef[target], l1, l2, positive=self._positive
                )
                for y, target, l1, l2 in zip(
                    prepared.T, some, penalty.l1[some], penalty.l2[some], strict=True
                )
            ]
        ).astype(solution.coef.dtype)
        residual = prepared - self._double_design.predict(coef.astype(np.float64))
        part = self._certified(
            targets.take(some), penalty.take(some), coef, solution.n_iter[some], residual
        )
        put_better(solution, some, part, 1e-3 * self._tol)

    @cached_property
    def _double_design(self) -> Design:
        return replace(self._design, X=self._design.X.astype(np.float64, copy=False))

    def columns(self, index: Indices) -> Doubles:
        """Columns of the prepared features in double precision."""
        return self._design.columns(index).astype(np.float64)

    def _certified(
        self,
        targets: PreparedTargets,
        penalty: PenaltyStrengths,
        coef: Floats,
        n_iter: NDArray[np.int32],
        residual: Floats,
        products: Floats | None = None,
    ) -> Solution:
        certificate = certify_residual(
            self._design,
            residual,
            coef,
            penalty,
            targets.squared_norms,
            self._positive,
            products=products,
        )
        kkt = certificate.kkt_violation
        hidden = rounding_violation(self._design.norms, coef, targets.squared_norms)
        kkt += np.where(hidden > 0.5 * self._tol, hidden, 0)
        intercept = targets.means - coef @ self._design.mean
        return Solution(
            coef=coef,
            intercept=intercept.astype(coef.dtype),
            n_iter=n_iter,
            kkt_violation=kkt,
            dual_gap=certificate.dual_gap,
            converged=kkt <= self._tol,
            unique=np.ones(len(coef), bool),
        )
