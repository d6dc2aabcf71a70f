"""One fold of a cross-validation: paths fitted to one part of the samples, scored on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from skalign.linear_model._candidates import CandidateGrid
from skalign.linear_model._cross_validation_problem import CrossValidationProblem, Split
from skalign.metrics import (
    LinearMap,
    MomentScores,
    alignment_of_maps,
    mean_cosine_of_moments,
    pearson_r,
    pearson_r_standard_error,
    scores_of_moments,
)
from skalign.solvers import (
    BlockSolver,
    Design,
    FeatureMoments,
    Moments,
    PenaltyStrengths,
    penalty_strengths,
    solve_moments_path,
)
from skalign.utils import Array, Doubles, Floats, Indices

SCORED_BYTES = 2**24  # of predictions that are scored at once


class BlockOfTargets(NamedTuple):
    """Targets of a block, over all samples.

    Attributes
    ----------
    Y : ndarray of shape (n_samples, n_block)
        The targets, in the floating type of the features.
    numbers : ndarray of int of shape (n_block,)
        Their numbers among all targets.
    moments : Moments or None
        Moments of all samples; None where folds are fitted to their images.
    """

    Y: Floats
    numbers: Indices
    moments: Moments | None


class FoldScores(NamedTuple):
    """Scores of all candidates in one fold, of a block of targets.

    Attributes
    ----------
    scores : MomentScores
        Scores of the held-out part, each (n_candidates, n_block).
    kkt_violation : ndarray of shape (n_candidates, n_block)
        Violations of the optimality conditions.
    r_se : ndarray of shape (n_candidates, n_block) or None
        Standard errors of r, where there is one fold only.
    has_theta : bool
        Whether the scores that weights are needed for were computed; they are NaN otherwise.
    """

    scores: MomentScores
    kkt_violation: Doubles
    r_se: Doubles | None
    has_theta: bool = True


class FoldScorer(Protocol):
    """Fits all candidates to the training part of a fold, and scores them on the held-out part."""

    def score(self, targets: BlockOfTargets, alphas: Doubles) -> FoldScores:
        """Score a block of targets at alphas (n_steps, n_l1_ratios, n_block)."""


class SubtractedFold:
    """A fold of dense features whose training part is the complement of its held-out part.

    The moments of the training part are those of all samples less those of the held-out part, and
    the scores come from the moments of the latter: no image is needed. Features and targets that
    keep too few digits are computed from the training images. It must be prepared where it scores.

    Parameters
    ----------
    problem : CrossValidationProblem
        Data and encoder.
    grid : CandidateGrid
        The candidates.
    split : tuple of ndarray of int
        Training and test samples.
    features : FeatureMoments
        Moments of the features over all samples.
    """

    def __init__(
        self,
        problem: CrossValidationProblem,
        grid: CandidateGrid,
        split: Split,
        features: FeatureMoments,
    ) -> None:
        self._problem, self._grid, self._whole = problem, grid, features
        self._train, self._test = split
        self._design: Design | None = None

    def prepared(self) -> SubtractedFold:
        """Take the moments of this fold, and return it."""
        problem = self._problem
        # Pearson's r needs centered moments, whether an intercept is fitted or not.
        self._design = problem.design(self._test, center=True)
        self._held_out = FeatureMoments.of(self._design)
        self._cosine = mean_cosine_of_moments(self._held_out, center=problem.center)
        self._features = self._whole - self._held_out
        if self._features.lost.size:
            self._features = self._features.recomputed(
                problem.X[self._train], problem.weight_of(self._train)
            )
        return self

    def recipe(self) -> tuple[Callable[..., SubtractedFold], tuple[Any, ...]]:
        """How a worker of a cluster makes the same fold: two Grams take longer to send."""
        split = self._train, self._test
        return _prepared_fold, (self._problem, self._grid, split, self._whole)

    def score(self, targets: BlockOfTargets, alphas: Doubles) -> FoldScores:
        """Score a block of targets at alphas (n_steps, n_l1_ratios, n_block)."""
        assert targets.moments is not None
        if self._design is None:  # a cluster has shrunk to one thread, which is this one
            self.prepared()
        assert self._design is not None
        problem, train = self._problem, self._train
        held_out = Moments.of_block(
            self._design, self._held_out, targets.Y[self._test], numbers=targets.numbers
        )
        training = targets.moments.minus(held_out, features=self._features)
        if training.lost_digits:
            training = training.recomputed(
                problem.X[train], targets.Y[train], problem.weight_of(train)
            )
        found = []
        for k, l1_ratio in enumerate(self._grid.l1_ratios):
            path = solve_moments_path(
                training,
                problem.penalty,
                alphas[:, k],
                l1_ratio=l1_ratio,
                positive=problem.positive,
                tol=problem.tol,
                max_iter=problem.max_iter,
                n_jobs=1,
            )
            of_steps = [
                scores_of_moments(
                    held_out, coef, intercept, center=problem.center, cosine=self._cosine
                )
                for coef, intercept in zip(path.coef, path.intercept, strict=True)
            ]
            found.append(_table(of_steps, path.kkt_violation))
        return _merged(found)


def _prepared_fold(*args: Any) -> SubtractedFold:
    return SubtractedFold(*args).prepared()


class FittedFold:
    """Any other fold: fitted to its training images, scored on its test images.

    Parameters
    ----------
    problem : CrossValidationProblem
        Data and encoder.
    grid : CandidateGrid
        The candidates.
    split : tuple of ndarray of int
        Training and test samples.
    with_error : bool
        Whether r gets a standard error, by a bootstrap over the test images.
    """

    def __init__(
        self,
        problem: CrossValidationProblem,
        grid: CandidateGrid,
        split: Split,
        *,
        with_error: bool,
    ) -> None:
        self._problem, self._grid, self._with_error = problem, grid, with_error
        self._train, self._test = split
        self._X_test = problem.X[self._test]
        if not sparse.issparse(self._X_test):
            self._X_test = np.asfortranarray(self._X_test)  # a feature's images lie together
        design = problem.design(self._train)
        self._total_weight = design.total_weight
        # Closed forms are factorized for all of their alphas, which are known by now.
        known = [
            self._strengths(np.ones(1) if alphas is None else alphas.ravel(), l1_ratio)
            for alphas, l1_ratio in zip(grid.alphas, grid.l1_ratios, strict=True)
        ]
        self._solver = BlockSolver(
            design,
            PenaltyStrengths(
                np.concatenate([strengths.l1 for strengths in known]),
                np.concatenate([strengths.l2 for strengths in known]),
                known[0].unit,
            ),
            problem.n_targets,
            positive=problem.positive,
            tol=problem.tol,
            max_iter=problem.max_iter,
        )

    def _strengths(self, alphas: Doubles, l1_ratio: float) -> PenaltyStrengths:
        return penalty_strengths(
            self._problem.penalty,
            alphas,
            l1_ratio,
            n_targets=alphas.size,
            total_weight=self._total_weight,
        )

    def score(self, targets: BlockOfTargets, alphas: Doubles) -> FoldScores:
        """Score a block of targets at alphas (n_steps, n_l1_ratios, n_block)."""
        Y_test = targets.Y[self._test]
        weight = self._problem.weight_of(self._test)
        prepared = self._solver.prepare(targets.Y[self._train], targets.numbers)
        n_at_once = max(1, SCORED_BYTES // (8 * max(1, Y_test.size)))
        found = []
        for k, l1_ratio in enumerate(self._grid.l1_ratios):
            penalties = [self._strengths(of_step, l1_ratio) for of_step in alphas[:, k]]
            coefs: list[Any] = []
            predictions, errors, violations = [], [], []
            of_steps: list[MomentScores] = []
            for solution in self._solver.path_of(prepared, penalties):
                coef = solution.coef
                if self._solver.through_columns:
                    coef = sparse.csr_array(coef)
                predicted = self._predict(coef) + solution.intercept
                coefs.append(coef)
                predictions.append(predicted)
                violations.append(solution.kkt_violation)
                if self._with_error:
                    errors.append(pearson_r_standard_error(Y_test, predicted, sample_weight=weight))
                if len(coefs) == n_at_once:
                    of_steps += self._score_images(Y_test, predictions, coefs)
                    predictions, coefs = [], []
            if coefs:
                of_steps += self._score_images(Y_test, predictions, coefs)
            found.append(_table(of_steps, violations, errors))
        return _merged(found)

    def _predict(self, coef: Any) -> Floats:
        predicted: Floats
        if sparse.issparse(coef) and not sparse.issparse(self._X_test):
            predicted = (coef @ self._X_test.T).T  # the few rows that are needed
        else:
            predicted = safe_sparse_dot(self._X_test, coef.T, dense_output=True)
        return predicted

    def _score_images(
        self, Y_test: Floats, predictions: Sequence[Floats], coefs: list[Any]
    ) -> list[MomentScores]:
        """Score several steps at once, which share the directions of the features."""
        weight, n_steps = self._problem.weight_of(self._test), len(coefs)
        predicted, observed = np.hstack(predictions), np.tile(Y_test, n_steps)
        coef = sparse.vstack(coefs) if sparse.issparse(coefs[0]) else np.concatenate(coefs)
        found = alignment_of_maps(
            [LinearMap(self._X_test, predicted, observed, coef)],
            pearson_r(observed, predicted, sample_weight=weight),
            center=self._problem.center,
            sample_weight=weight,
            target_names=None,
        )
        of_all = MomentScores(
            n_active=found.n_active,
            r=found.r,
            r2=_r2(observed, predicted, weight),
            theta=found.theta,
            theta_observed=found.theta_observed,
            n_effective=found.n_effective,
            theta_floor=found.theta_floor,
        )
        steps = zip(*(np.split(scores, n_steps) for scores in of_all), strict=True)
        return [MomentScores(*of_step) for of_step in steps]


def _r2(Y: Floats, predicted: Floats, weight: Doubles | None) -> Doubles:
    """Coefficient of determination (n_targets,); NaN for a constant."""
    shares = np.full(len(Y), 1 / len(Y)) if weight is None else weight / weight.sum()
    mean = shares @ Y
    variance = shares @ (Y - mean) ** 2
    constant = variance <= (4 * np.finfo(Y.dtype).eps * mean) ** 2
    r2 = np.full(Y.shape[1], np.nan)
    np.divide(shares @ (Y - predicted) ** 2, variance, out=r2, where=~constant)
    return 1 - r2


def _table(
    of_steps: Iterable[MomentScores],
    kkt_violation: Doubles | list[Doubles],
    r_se: list[Doubles] | None = None,
) -> FoldScores:
    """Scores of all alphas at one l1_ratio, each (n_steps, n_block)."""
    scores = MomentScores(*map(np.array, zip(*of_steps, strict=True)))
    return FoldScores(scores, np.asarray(kkt_violation), np.array(r_se) if r_se else None)


def _merged(of_ratios: list[FoldScores]) -> FoldScores:
    """Scores of all l1_ratios, which take turns within a step."""

    def merge(tables: Iterable[Array]) -> Array:
        stacked = np.stack(list(tables), axis=1)
        return stacked.reshape(-1, stacked.shape[-1])

    errors = [one.r_se for one in of_ratios if one.r_se is not None]
    return FoldScores(
        MomentScores(*map(merge, zip(*(one.scores for one in of_ratios), strict=True))),
        merge(one.kkt_violation for one in of_ratios),
        merge(errors) if errors else None,
    )
