"""Scores of candidates, averaged over the folds of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skalign.linear_model._fold_scorers import FoldScores
from skalign.utils import Doubles

# Scores whose means are over the folds that have them.
OF_DEFINED = ("theta", "theta_observed", "n_effective", "theta_floor")
EMPTY_R, EMPTY_THETA = 0.0, 2.0  # what an empty fit counts as: it explains nothing; the worst


@dataclass(frozen=True, eq=False)
class CandidateScores:
    """Scores of all candidates, averaged over folds; each (n_candidates, n_targets).

    Attributes
    ----------
    r, r2 : ndarray
        Pearson correlation and coefficient of determination; where undefined they count as 0.
    r_se : ndarray
        Standard error of `r`.
    theta, theta_observed, n_effective, theta_floor : ndarray
        Reorientation to predicted and to observed responses, effective number of units and floor of
        theta, over the folds that have one; NaN where none has.
    penalized_theta : ndarray
        Reorientation over all folds, 2 in those without one; NaN where it was not computed.
    n_active : ndarray
        Number of active units.
    empty_fraction : ndarray
        Fraction of the folds whose fit is empty.
    kkt_violation : ndarray
        Largest violation of the optimality conditions in any fold.
    r_of_folds : ndarray of shape (n_folds, n_candidates)
        Mean r over targets, for every fold.
    """

    r: Doubles
    r2: Doubles
    r_se: Doubles
    theta: Doubles
    theta_observed: Doubles
    n_effective: Doubles
    theta_floor: Doubles
    penalized_theta: Doubles
    n_active: Doubles
    empty_fraction: Doubles
    kkt_violation: Doubles
    r_of_folds: Doubles


class ScoreAverages:
    """Averages of scores over folds, and the spread of r, updated as folds come.

    Parameters
    ----------
    n_folds, n_candidates, n_targets : int
        How many there are.
    """

    def __init__(self, n_folds: int, n_candidates: int, n_targets: int) -> None:
        shape = n_candidates, n_targets
        names = ("r", "r2", "penalized_theta", "n_active", "empty_fraction")
        self._means = {name: np.zeros(shape) for name in names}
        self._squares = np.zeros(shape)  # sum of squared deviations of r from its mean
        self._sums = {name: np.zeros(shape) for name in OF_DEFINED}
        self._counts = {name: np.zeros(shape, dtype=np.int32) for name in OF_DEFINED}
        self._has_theta = True
        self._kkt_violation = np.zeros(shape)
        self._r_of_folds = np.zeros((n_folds, n_candidates))
        self._r_se: Doubles | None = None

    def add(self, fold: int, block: slice, found: FoldScores) -> None:
        """Take in the scores of a block in the fold of that number; folds come in order."""
        scores = found.scores
        self._has_theta &= found.has_theta
        values = {
            "r": np.nan_to_num(scores.r, nan=EMPTY_R),
            "r2": np.nan_to_num(scores.r2, nan=EMPTY_R),
            "penalized_theta": np.nan_to_num(scores.theta, nan=EMPTY_THETA),
            "n_active": scores.n_active,
            "empty_fraction": scores.n_active == 0,
        }
        before = values["r"] - self._means["r"][:, block]
        for name, value in values.items():
            mean = self._means[name]
            mean[:, block] += (value - mean[:, block]) / (fold + 1)
        self._squares[:, block] += before * (values["r"] - self._means["r"][:, block])
        for name in OF_DEFINED:
            of_fold = getattr(scores, name)
            self._sums[name][:, block] += np.nan_to_num(of_fold, nan=0.0)
            self._counts[name][:, block] += ~np.isnan(of_fold)
        violation = self._kkt_violation[:, block]
        np.maximum(violation, found.kkt_violation, out=violation)
        self._r_of_folds[fold] += values["r"].sum(axis=1) / self._squares.shape[1]
        if found.r_se is not None:
            self._r_se = np.empty_like(self._squares) if self._r_se is None else self._r_se
            self._r_se[:, block] = found.r_se

    def finish(self) -> CandidateScores:
        """The averages, once every fold has been taken in."""
        n_folds = len(self._r_of_folds)
        r_se = self._r_se
        if r_se is None:
            r_se = np.sqrt(self._squares / (n_folds - 1) / n_folds)
        if not self._has_theta:
            self._means["penalized_theta"].fill(np.nan)
        of_defined = {}
        for name, count in self._counts.items():
            of_defined[name] = np.full(count.shape, np.nan)
            np.divide(self._sums[name], count, out=of_defined[name], where=count > 0)
        return CandidateScores(
            **self._means,
            r_se=r_se,
            **of_defined,
            kkt_violation=self._kkt_violation,
            r_of_folds=self._r_of_folds,
        )
