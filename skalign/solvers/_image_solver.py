"""Solutions through the images: closed forms, wide designs, fits whose digits a Gram loses."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from skalign.solvers._certificate import Certificate, certify_residual, rounding_violation
from skalign.solvers._design import Design
from skalign.solvers._dual_newton import solve_by_residual
from skalign.solvers._dual_ridge import certify_combination, weights_of_images
from skalign.solvers._kernel_fits import NEARLY_DEPENDENT
from skalign.solvers._least_norm import choose_minimizers
from skalign.solvers._least_squares import least_squares_solver
from skalign.solvers._penalties import PenaltyStrengths
from skalign.solvers._polish import polish
from skalign.solvers._prepared_targets import PreparedTargets
from skalign.solvers._screening import Screen
from skalign.solvers._solution import Solution, put_better
from skalign.solvers._working_set import WorkingSets
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

    @property
    def needs_products(self) -> bool:
        """Whether closed forms are found from products of targets and features."""
        return self._least_squares is None or not self._least_squares.is_dual

    def least_squares(self, targets: PreparedTargets, penalty: PenaltyStrengths) -> Solution:
        """Solve a block that has a closed form."""
        assert self._least_squares is not None
        if self._least_squares.is_dual:
            return self._combination_of_images(targets, penalty)
        coef = self._least_squares.solve(targets.images, targets.q, penalty.l2)
        coef[~targets.q.any(axis=1)] = 0
        coef[:, self._design.norms == 0] = 0
        residual = targets.images - self._design.predict(coef)
        n_iter = np.ones(len(coef), np.int32)
        solution = self._certified(targets, penalty, coef, n_iter, residual)
        solution.unique[:] = (penalty.l2 > 0) | self._least_squares.full_rank
        return solution

    def _combination_of_images(
        self, targets: PreparedTargets, penalty: PenaltyStrengths
    ) -> Solution:
        assert self._least_squares is not None
        design, images, squared_norms = self._design, targets.images, targets.squared_norms
        coefficients = self._least_squares.solve(images, penalty.l2)
        coef = weights_of_images(design, images, squared_norms, coefficients, penalty.l2)
        residual = images - design.predict(coef)
        bounds = certify_combination(design, residual, coef, coefficients, penalty, squared_norms)
        n_iter = np.ones(len(coef), np.int32)
        solution = self._certified(targets, penalty, coef, n_iter, residual, certificate=bounds)
        loose = np.flatnonzero(~solution.converged)
        if loose.size:  # where the bound is not enough, the products may tell of less
            part = self._certified(
                targets.take(loose),
                penalty.take(loose),
                coef[loose],
                n_iter[loose],
                residual[:, loose],
            )
            put_better(solution, loose, part, self._tol)
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
            some = targets.take(missed)
            sets = self.working_sets(some, solution.coef[missed])
            again = self.through_columns(some, penalty.take(missed), sets)
            put_better(solution, missed, again, self._tol)
        return solution

    def working_sets(self, targets: PreparedTargets, coef: Floats | None) -> WorkingSets:
        """What a block tries, starting with weights, and kept from one penalty to the next."""
        return WorkingSets(
            self._screen,
            targets.images,
            targets.squared_norms,
            coef,
            positive=self._positive,
            tol=self._tol,
            max_iter=self._max_iter,
        )

    def through_columns(
        self, targets: PreparedTargets, penalty: PenaltyStrengths, sets: WorkingSets
    ) -> Solution:
        """Solve a block over the features that become active, without the Gram of the others."""
        sets.solve(penalty)
        coef = np.zeros((len(targets.means), len(self._design.norms)), self._design.dtype)
        parts = []
        for target in range(len(coef)):
            features, weights, gradient = sets.known(target)
            coef[target, features] = weights
            one = slice(target, target + 1)
            part = self._certified(
                targets.take(one),
                penalty.take(one),
                weights[np.newaxis],
                sets.n_iter[one],
                sets.residual[:, one],
                features=features,
                products=gradient[np.newaxis],
            )
            parts.append(part)
        solution = Solution(
            coef=coef,
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(Solution)
                if field.name != "coef"
            },
        )
        doubtful = coef.any(axis=1) & (solution.n_iter < self._max_iter)
        doubtful &= (sets.pivot < NEARLY_DEPENDENT[coef.dtype]) | ~solution.converged
        if doubtful.any():
            self.polish(targets, penalty, solution, doubtful)
        if (penalty.l2 == 0).any():
            self._choose_minimizers(targets, penalty, solution, sets, doubtful)
        return solution

    def _choose_minimizers(
        self,
        targets: PreparedTargets,
        penalty: PenaltyStrengths,
        solution: Solution,
        sets: WorkingSets,
        polished: Flags,
    ) -> None:
        """Replace minimizers by those of minimum norm where there are many."""
        changed, rows = [], []
        for target in np.flatnonzero(penalty.l2 == 0).tolist():
            one = slice(target, target + 1)
            features, _, gradient = sets.known(target)
            if polished[target]:  # others may have entered
                features = np.arange(solution.coef.shape[1])
                gradient = self._design.cross(sets.residual[:, one])[0]
            given = solution.coef[target, features]
            chosen, solution.unique[one] = choose_minimizers(
                partial(self._columns_among, features),
                gradient[np.newaxis].astype(np.float64, copy=False),
                given[np.newaxis],
                penalty.l1[one],
                norms=self._design.norms[features],
                sizes=np.sqrt(targets.squared_norms[one]),
                independent=sets.pivot[one] > 0,
                positive=self._positive,
                tol=self._tol,
            )
            if (chosen[0] != given).any():
                row = np.zeros_like(solution.coef[target])
                row[features] = chosen[0]
                changed.append(target)
                rows.append(row)
        if changed:
            others, coef = np.array(changed), np.array(rows)
            residual = targets.images[:, others] - self._design.predict(coef)
            n_iter = solution.n_iter[others]
            part = self._certified(
                targets.take(others), penalty.take(others), coef, n_iter, residual
            )
            put_better(solution, others, part, self._tol)

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

    @cached_property
    def _screen(self) -> Screen:
        return Screen(self._design)

    def columns(self, index: Indices) -> Doubles:
        """Columns of the prepared features in double precision."""
        return self._design.columns(index).astype(np.float64)

    def _columns_among(self, features: Indices, index: Indices) -> Doubles:
        return self.columns(features[index])

    def _certified(
        self,
        targets: PreparedTargets,
        penalty: PenaltyStrengths,
        coef: Floats,
        n_iter: NDArray[np.int32],
        residual: Floats,
        *,
        features: Indices | None = None,
        products: Floats | None = None,
        certificate: Certificate | None = None,
    ) -> Solution:
        """The solution of weights of some `features`, where all others are known to be optimal."""
        design = self._design
        if features is not None:
            design = replace(design, norms=design.norms[features], mean=design.mean[features])
        if certificate is None:
            certificate = certify_residual(
                design,
                residual,
                coef,
                penalty,
                targets.squared_norms,
                self._positive,
                products=products,
            )
        kkt = certificate.kkt_violation
        hidden = rounding_violation(design.norms, coef, targets.squared_norms)
        kkt += np.where(hidden > 0.5 * self._tol, hidden, 0)
        intercept = targets.means - coef @ design.mean
        return Solution(
            coef=coef,
            intercept=intercept.astype(coef.dtype),
            n_iter=n_iter,
            kkt_violation=kkt,
            dual_gap=certificate.dual_gap,
            converged=kkt <= self._tol,
            unique=np.ones(len(coef), bool),
        )
