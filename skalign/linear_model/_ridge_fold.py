"""Folds of a signed ridge in closed form: all alphas from one eigendecomposition, no weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skalign.linear_model._candidates import CandidateGrid
from skalign.linear_model._cross_validation_problem import CrossValidationProblem, Split
from skalign.linear_model._fold_scorers import BlockOfTargets, FoldScores
from skalign.linear_model._prediction_scores import PredictionScores, ScoreTables
from skalign.metrics import pearson_r_standard_error
from skalign.solvers import Design, RidgeSpectrum, penalty_strengths
from skalign.utils import Doubles

# Of the bound on the KKT violation: beyond, folds are fitted through their images.
LOOSEST = 0.5
ROUNDING, LOST = float(np.finfo(np.float64).eps), 1e-12  # of a fold's products, over their size
LEAST_LEFT = 1e-6  # of one, by a leverage
LEAST_LEFT_OUT = 3  # samples of which each can be left out


class RidgeFold:
    """A fold whose training part is decomposed once, for all targets and strengths.

    Parameters
    ----------
    problem : CrossValidationProblem
        Data and encoder, without sign constraint.
    grid : CandidateGrid
        Candidates without an l1 penalty.
    split : tuple of ndarray of int
        Training and test samples.
    kernel : ndarray of shape (n_samples, n_samples) or None
        Products of the rows of all samples, which folds share; see :func:`shared_kernel`.
    with_error : bool
        Whether r gets a standard error, by a bootstrap over the test images.
    """

    def __init__(
        self,
        problem: CrossValidationProblem,
        grid: CandidateGrid,
        split: Split,
        *,
        kernel: Doubles | None,
        with_error: bool,
    ) -> None:
        self._problem, self._grid, self._with_error = problem, grid, with_error
        self._train, self._test = split
        design = problem.design(self._train)
        within = None
        if kernel is not None:
            within, across = _centered_kernel(kernel, split, center=problem.fit_intercept)
            lost = ROUNDING * kernel.diagonal()[self._train].max()
            if lost > LOST * within.diagonal().max(initial=0):  # a fold far from the others
                within = None
        if within is None:
            self._spectrum = RidgeSpectrum.of(design)
            centered = problem.X[self._test] - design.mean.astype(design.dtype)
            self._rows = self._spectrum.rows(centered)
        else:
            self._spectrum = RidgeSpectrum.of(design, within)
            self._rows = across @ self._spectrum.vectors
        self._n_units = int(np.count_nonzero(design.norms))

    def is_accurate(self) -> bool:
        """Whether rounding leaves every fit optimal to well within the tolerance."""
        return _is_accurate(self._spectrum, self._problem, self._grid)

    def score(self, targets: BlockOfTargets, alphas: Doubles) -> FoldScores:
        """Score a block of targets at alphas (n_steps, n_l1_ratios, n_block)."""
        spectrum, weight = self._spectrum, self._problem.weight_of(self._test)
        prepared, means, _ = spectrum.design.targets(targets.Y[self._train])
        z = spectrum.coordinates(prepared)
        observed = targets.Y[self._test]
        scores = PredictionScores(observed, weight)
        tables = ScoreTables()
        for of_step in alphas[:, 0]:
            l2 = l2_of_alphas(self._problem, spectrum.design, of_step)
            predicted = self._rows @ shrunk(z, spectrum.eigenvalues, l2)
            tables.add(scores, predicted, means, spectrum.violation(l2))
            if self._with_error:
                tables.r_se.append(
                    pearson_r_standard_error(observed, predicted, sample_weight=weight)
                )
        return tables.finish(z, alphas, self._n_units)


class LeaveOneOutFold:
    """Every sample predicted by the fit to all others, in closed form, and scored together.

    The residual of a sample in the fit without it is its residual in the fit to all, over one minus
    its leverage, the diagonal of the hat matrix.

    Parameters
    ----------
    problem : CrossValidationProblem
        Data and encoder, without sign constraint.
    grid : CandidateGrid
        Candidates without an l1 penalty.
    design : Design
        Features of all samples, prepared.
    kernel : ndarray of shape (n_samples, n_samples) or None
        Products of their rows, where they are known.
    """

    def __init__(
        self,
        problem: CrossValidationProblem,
        grid: CandidateGrid,
        design: Design,
        kernel: Doubles | None,
    ) -> None:
        if design.is_sparse:
            design = replace(problem, X=problem.X.toarray()).design()
        self._problem, self._design = problem, design
        self._spectrum = spectrum = RidgeSpectrum.of(design, kernel)
        n_samples, root = design.X.shape[0], design.root_weight
        self._root = np.ones(n_samples) if root is None else root.astype(np.float64)
        self._factor = spectrum.vectors
        if not spectrum.is_dual:
            self._factor = design.X.astype(np.float64, copy=False) @ spectrum.vectors
        self._squares = self._factor**2
        self._n_units = int(np.count_nonzero(design.norms))
        weakest = _weakest(problem, design, grid)
        if not _is_accurate(spectrum, problem, grid) or not self._leaves_enough(weakest):
            if problem.penalty == "ols":
                raise ValueError(
                    "X must be far from collinear for cv=LeaveOneOut() of OLS, whose closed form "
                    f"loses its digits; got features of {design.X.shape[0]} samples that are not. "
                    "Use ridge, or cv=5."
                )
            raise ValueError(
                "alphas must be large enough for cv=LeaveOneOut(), whose closed form loses its "
                f"digits in features of {design.X.shape[0]} samples that are nearly collinear; got "
                "some that are too small. Use larger ones, or cv=5."
            )

    def score(self, targets: BlockOfTargets, alphas: Doubles) -> FoldScores:
        """Score a block of targets at alphas (n_steps, n_l1_ratios, n_block)."""
        spectrum = self._spectrum
        kept = slice(None) if self._root.all() else self._root > 0
        # All tables in one order: they take longer to pass over than the products to compute.
        Y = np.asfortranarray(targets.Y)
        prepared, _, _ = self._design.targets(Y)
        z = spectrum.coordinates(prepared)
        observed, weight = Y[kept], self._problem.weight_of(kept)
        scores = PredictionScores(observed, weight)
        tables = ScoreTables()
        for of_step in alphas[:, 0]:
            l2 = l2_of_alphas(self._problem, self._design, of_step)
            distinct, place = np.unique(l2, return_inverse=True)
            columns = slice(None) if distinct.size == 1 else place
            left_out = (self._left_out(distinct) * self._root[:, np.newaxis])[kept][:, columns]
            if spectrum.is_dual:
                scaled = z * shrinkage(spectrum.eigenvalues, distinct)[:, columns]
            else:
                scaled = z / (spectrum.eigenvalues[:, np.newaxis] + distinct)[:, columns]
            residual = (scaled.T @ self._factor.T).T
            if not spectrum.is_dual:
                np.subtract(prepared, residual, out=residual)
            residual = residual[kept]
            with np.errstate(divide="ignore", invalid="ignore"):
                residual *= 1 / left_out
            predicted = np.subtract(observed, residual, out=residual)
            tables.add(scores, predicted, np.zeros(len(l2)), spectrum.violation(l2))
            # That of normal data: a bootstrap would take longer than all fits together.
            tables.r_se.append((1 - tables.last_r**2) / np.sqrt(len(observed) - 1))
        return tables.finish(z, alphas, self._n_units)

    def _leaves_enough(self, weakest: Doubles) -> bool:
        """Whether digits are left of one minus every leverage, where that is a difference."""
        return self._spectrum.is_dual or self._left_out(weakest).min() > LEAST_LEFT

    def _left_out(self, l2: Doubles) -> Doubles:
        """One minus the leverage of samples, (n_samples, n_strengths).

        With XX', this and the residuals are times one factor for a strength, without a difference
        that loses digits: their ratio counts, which interpolating fits have as well.
        """
        eigenvalues = self._spectrum.eigenvalues
        if self._spectrum.is_dual:
            return self._squares @ shrinkage(eigenvalues, l2)
        leverage = self._squares @ shrunk(np.ones((len(eigenvalues), 1)), eigenvalues, l2)
        if self._design.centered:
            leverage += (self._root**2 / self._design.total_weight)[:, np.newaxis]
        return 1 - leverage


def split_of_leave_one_out(
    n_samples: int, grid: CandidateGrid, groups: Any, *, needs_theta: bool
) -> list[Split]:
    """Make the one fold in which every sample is left out once, for a closed form alone.

    Raises ValueError where there is none, or where samples come in groups.
    """
    if groups is not None:
        raise ValueError(
            "cv must keep the samples of a group together where groups are given; got "
            "LeaveOneOut(). Use LeaveOneGroupOut()."
        )
    if grid.positive or grid.l1_ratios.any():
        raise ValueError(
            "cv must not be LeaveOneOut() but with positive=False and no l1 penalty, where it has "
            "a closed form; a fold of one sample has no r. Use cv=5."
        )
    if n_samples < LEAST_LEFT_OUT:
        raise ValueError(
            f"X must have at least {LEAST_LEFT_OUT} samples for cv=LeaveOneOut(); got n_samples = "
            f"{n_samples}."
        )
    if needs_theta:
        raise ValueError(
            "cv must hold out several samples at a time for theta; got LeaveOneOut(). Use cv=5, or "
            "choose by r."
        )
    every = np.arange(n_samples)
    return [(every, every)]


def _is_accurate(
    spectrum: RidgeSpectrum, problem: CrossValidationProblem, grid: CandidateGrid
) -> bool:
    weakest = _weakest(problem, spectrum.design, grid)
    return bool((spectrum.violation(weakest) <= LOOSEST * problem.tol).all())


def _weakest(problem: CrossValidationProblem, design: Design, grid: CandidateGrid) -> Doubles:
    """The least strength of all candidates, (1,)."""
    least = min(alphas.min() for alphas in grid.alphas if alphas is not None)
    return l2_of_alphas(problem, design, np.array([least]))


def shared_kernel(problem: CrossValidationProblem, design: Design) -> Doubles | None:
    """Products XX' of all samples, from which those of every training part follow.

    None where folds make their own: with sample weights, or more samples than features.
    """
    n_samples, n_features = design.X.shape
    if problem.sample_weight is not None or n_samples >= n_features:
        return None
    X = design.X.astype(np.float64, copy=False)
    return X @ X.T


def _centered_kernel(kernel: Doubles, split: Split, *, center: bool) -> tuple[Doubles, Doubles]:
    """Products of the training part with itself and with the test part, about its own mean."""
    train, test = split
    within, across = kernel[np.ix_(train, train)], kernel[np.ix_(test, train)]
    if center:
        mean = within.mean(axis=0)
        across -= across.mean(axis=1, keepdims=True)
        across += mean.mean() - mean
        within += mean.mean() - mean - mean[:, np.newaxis]
    return within, across


def l2_of_alphas(problem: CrossValidationProblem, design: Design, alphas: Doubles) -> Doubles:
    """Strengths of the squared penalty (n_targets,) at alphas of candidates without l1."""
    return penalty_strengths(
        problem.penalty, alphas, 0.0, n_targets=alphas.size, total_weight=design.total_weight
    ).l2


def shrunk(z: Doubles, eigenvalues: Doubles, l2: Doubles) -> Doubles:
    """Coordinates over eigenvalues plus l2; 0 at an infinite strength."""
    return z / (eigenvalues[:, np.newaxis] + l2)


def shrinkage(eigenvalues: Doubles, l2: Doubles) -> Doubles:
    """Shares that a ridge leaves of coordinates, over the share of the first."""
    with np.errstate(invalid="ignore"):
        shares = (eigenvalues[0] + l2) / (eigenvalues[:, np.newaxis] + l2)
    return np.where(np.isinf(l2), 1.0, shares)
