"""One fold of a cross-validation: a path fitted on the training part, scored on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from skalign.metrics import Alignment, pearson_r, tuning_reorientation
from skalign.metrics._gram_alignment import alignment_of_moments
from skalign.metrics._resampled import pearson_r_standard_error
from skalign.solvers import (
    BlockSolver,
    Design,
    Moments,
    Penalty,
    count_active,
    penalty_strengths,
    solve_moments_path,
)
from skalign.solvers._fold import Fold, TargetMoments

EMPTY = {"undefined_r": 0.0, "undefined_theta": 2.0}  # what an empty fit counts as in a fold

Split = tuple[NDArray[np.intp], NDArray[np.intp]]  # training and test samples
Grid = int | NDArray  # descending alphas (n_alphas, 1 or n_targets), or how many


@dataclass(frozen=True, eq=False)
class Problem:
    """What every fit of a cross-validation shares.

    Attributes
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
        Features.
    Y : ndarray of shape (n_samples, n_targets)
        Targets, read block by block.
    weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    penalty, positive, fit_intercept, tol, max_iter
        As in the encoder.
    center : bool
        Whether theta centers features and predictions over images.
    """

    X: Any
    Y: Any
    weight: NDArray | None
    penalty: Penalty
    positive: bool
    fit_intercept: bool
    tol: float
    max_iter: int
    center: bool

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return self.Y.shape[1]

    def design(self, samples: Any = slice(None)) -> Design:
        """Features of some samples, prepared."""
        weight = None if self.weight is None else self.weight[samples]
        return Design.prepare(self.X[samples], sample_weight=weight, center=self.fit_intercept)


class BlockScores(NamedTuple):
    """Scores of a block in one fold, each (n_candidates, n_targets), and errors of r."""

    r: NDArray
    theta: NDArray
    n_active: NDArray
    kkt_violation: NDArray
    r_se: NDArray | None


class FoldScorer(Protocol):
    """Fits a path on the training part of a fold, and scores it on the held-out part."""

    def score(
        self, Y_block: NDArray, block: slice, moments: TargetMoments, alphas: NDArray, ratio: float
    ) -> BlockScores:
        """Scores at alphas (n_alphas, n_targets)."""


class SharedMoments:
    """A fold whose training part is the complement of its held-out part: all is in moments."""

    def __init__(self, problem: Problem, fold: Fold) -> None:
        self._problem, self._fold = problem, fold

    def score(
        self, Y_block: NDArray, block: slice, moments: TargetMoments, alphas: NDArray, ratio: float
    ) -> BlockScores:
        """Scores at alphas (n_alphas, n_targets)."""
        problem, fold = self._problem, self._fold
        training, held_out = fold.targets(Y_block, moments)
        path = solve_moments_path(
            Moments(fold.features, training.q, training.mean, training.squared_norms),
            problem.penalty,
            alphas,
            l1_ratio=ratio,
            positive=problem.positive,
            tol=problem.tol,
            max_iter=problem.max_iter,
            n_jobs=1,
        )
        found = []
        for coef in path.coef:
            mean, offset = np.zeros(coef.shape[1]), np.zeros(len(coef))
            if not problem.center:
                mean = fold.held_out.mean
                offset = coef @ mean
                if problem.fit_intercept:
                    offset += training.mean - coef @ fold.mean
            found.append(
                alignment_of_moments(
                    fold.held_out_gram, held_out.q, held_out.squared_norms, coef,
                    mean=mean, offset=offset, total_weight=fold.held_out.total_weight, **EMPTY,
                )
            )  # fmt: skip
        return _stack(found, list(path.kkt_violation))


class SeparateFits:
    """Any other fold: fitted to its training images, scored on its test images."""

    def __init__(
        self, problem: Problem, split: Split, grid: Grid, l1_ratios: Sequence[float],
        *, with_error: bool,
    ) -> None:  # fmt: skip
        self._problem, (self._train, self._test) = problem, split
        self._X_test = problem.X[self._test]
        self._with_error = with_error
        self._design = design = problem.design(self._train)
        self._solvers = {}
        alphas = np.ones(1) if isinstance(grid, int) else grid.ravel()
        for ratio in l1_ratios:
            strengths = penalty_strengths(
                problem.penalty,
                alphas,
                ratio,
                n_targets=alphas.size,
                total_weight=design.total_weight,
            )
            self._solvers[ratio] = BlockSolver(
                design,
                strengths,
                problem.n_targets,
                positive=problem.positive,
                tol=problem.tol,
                max_iter=problem.max_iter,
            )

    def score(
        self, Y_block: NDArray, block: slice, moments: TargetMoments, alphas: NDArray, ratio: float
    ) -> BlockScores:
        """Scores at alphas (n_alphas, n_targets)."""
        problem, solver = self._problem, self._solvers[ratio]
        X_test, Y_test = self._X_test, Y_block[self._test]
        weight = None if problem.weight is None else problem.weight[self._test]
        penalties = [
            penalty_strengths(
                problem.penalty,
                alpha,
                ratio,
                n_targets=alpha.size,
                total_weight=self._design.total_weight,
            )
            for alpha in alphas
        ]
        numbers = np.arange(problem.n_targets)[block]
        found, errors, violations = [], [], []
        for solution in solver.path(Y_block[self._train], penalties, numbers=numbers):
            coef = solution.coef
            predicted = X_test @ coef.T + solution.intercept
            r = pearson_r(Y_test, predicted, sample_weight=weight, undefined=EMPTY["undefined_r"])
            theta = tuning_reorientation(
                X_test, predicted, coef, center=problem.center, sample_weight=weight,
                undefined=EMPTY["undefined_theta"],
            )  # fmt: skip
            found.append(Alignment(r, theta, count_active(coef)))
            violations.append(solution.kkt_violation)
            if self._with_error:
                errors.append(pearson_r_standard_error(Y_test, predicted, sample_weight=weight))
        scores = _stack(found, violations)
        return scores._replace(r_se=np.array(errors)) if self._with_error else scores


def _stack(found: Sequence[Alignment], violations: Sequence[NDArray]) -> BlockScores:
    return BlockScores(
        np.array([one.r for one in found]),
        np.array([one.theta for one in found]),
        np.array([one.n_active for one in found]),
        np.array(violations),
        None,
    )
