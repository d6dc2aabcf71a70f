"""Folds of a signed ridge in closed form: all alphas from one eigendecomposition, no weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skalign.linear_model._candidates import CandidateGrid
from skalign.linear_model._cross_validation_problem import CrossValidationProblem, Split
from skalign.linear_model._fold_scorers import BlockOfTargets, FoldScores
from skalign.metrics import ImageSpace, MomentScores, pearson_r_standard_error
from skalign.solvers import Design, RidgeSpectrum, penalty_strengths
from skalign.utils import Doubles, Floats

# Of the bound on the KKT violation: beyond, folds are fitted through their images.
LOOSEST = 0.5
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
        if kernel is None:
            self._spectrum = RidgeSpectrum.of(design)
            centered = problem.X[self._test] - design.mean.astype(design.dtype)
            self._rows = self._spectrum.rows(centered)
        else:
            within, across = _centered_kernel(kernel, split, center=problem.fit_intercept)
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
    """

    def __init__(
        self, problem: CrossValidationProblem, grid: CandidateGrid, design: Design
    ) -> None:
        if design.is_sparse:
            design = replace(problem, X=problem.X.toarray()).design()
        self._problem, self._design = problem, design
        self._spectrum = spectrum = RidgeSpectrum.of(design)
        if not _is_accurate(spectrum, problem, grid):
            raise ValueError(
                "alphas must be large enough for cv=LeaveOneOut(), whose closed form loses its "
                f"digits in features of {design.X.shape[0]} samples that are nearly collinear; got "
                "some that are too small. Use larger ones, or cv=5."
            )
        self._n_units = int(np.count_nonzero(design.norms))
        n_samples = design.X.shape[0]
        root = design.root_weight
        self._root = np.ones(n_samples) if root is None else root.astype(np.float64)
        self._factor = spectrum.vectors
        if not spectrum.is_dual:
            self._factor = design.X.astype(np.float64, copy=False) @ spectrum.vectors
        self._squares = self._factor**2

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


class PredictionScores:
    """r and R2 of many predictions of the same responses, which are normalized once.

    Parameters
    ----------
    observed : ndarray of shape (n_images, n_targets)
        Responses.
    weight : ndarray of shape (n_images,) or None
        Weights of the images.
    """

    def __init__(self, observed: Floats, weight: Doubles | None) -> None:
        space = ImageSpace(len(observed), weight, center=True)
        self._images, self._weight = space.images, space.weight
        directions, self._is_varied = space.directions(observed, "y")
        directions *= np.sqrt(space.weight)[:, np.newaxis]
        self._directions = directions
        kept = np.asarray(observed[space.images], dtype=np.float64)
        self._mean = space.weight @ kept
        kept = kept - self._mean
        self._spread = np.sqrt(np.einsum("i,ij,ij->j", space.weight, kept, kept))

    def of(self, predicted: Floats, offset: Doubles) -> tuple[Doubles, Doubles]:
        """R and R2 (n_targets,) of predictions to which `offset` (n_targets,) is still added."""
        kept = np.asarray(predicted[self._images], dtype=np.float64)
        mean = self._weight @ kept
        kept = kept - mean
        covariance = np.einsum("ij,ij->j", self._directions, kept)
        kept *= kept
        spread = np.sqrt(self._weight @ kept)
        is_varied = self._is_varied & (spread > 0)
        r, r2 = np.full((2, len(mean)), np.nan)
        np.divide(covariance, spread, out=r, where=is_varied)
        error = spread**2 - 2 * covariance * self._spread + (self._mean - mean - offset) ** 2
        np.divide(-error, self._spread**2, out=r2, where=self._is_varied)
        return np.clip(r, -1, 1), r2


class ScoreTables:
    """Scores of a block of targets at one alpha after the other."""

    def __init__(self) -> None:
        self._r: list[Doubles] = []
        self._r2: list[Doubles] = []
        self._violation: list[Doubles] = []
        self.r_se: list[Doubles] = []

    @property
    def last_r(self) -> Doubles:
        """Correlations at the latest alpha; 0 where undefined."""
        return np.nan_to_num(self._r[-1])

    def add(
        self,
        scores: PredictionScores,
        predicted: Floats,
        offset: Doubles,
        violation: Doubles,
    ) -> None:
        """Score predictions at the next alpha."""
        r, r2 = scores.of(predicted, offset)
        self._r.append(r)
        self._r2.append(r2)
        self._violation.append(violation)

    def finish(self, z: Doubles, alphas: Doubles, n_units: int) -> FoldScores:
        """The tables; a ridge uses all units that vary, unless a target is orthogonal to them."""
        is_active = (z != 0).any(axis=0) & np.isfinite(alphas[:, 0])
        r = np.array(self._r)
        unknown = np.full(r.shape, np.nan)
        return FoldScores(
            MomentScores(
                n_active=np.broadcast_to(np.where(is_active, n_units, 0), r.shape),
                r=r,
                r2=np.array(self._r2),
                theta=unknown,
                theta_observed=unknown,
                n_effective=unknown,
                theta_floor=unknown,
            ),
            kkt_violation=np.array(self._violation),
            r_se=np.array(self.r_se) if self.r_se else None,
            has_theta=False,
        )


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
    least = min(alphas.min() for alphas in grid.alphas if alphas is not None)
    l2 = l2_of_alphas(problem, spectrum.design, np.array([least]))
    return bool((spectrum.violation(l2) <= LOOSEST * problem.tol).all())


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
