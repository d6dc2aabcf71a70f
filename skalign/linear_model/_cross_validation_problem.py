"""What all fits of a cross-validation share: the data, and the settings of the encoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from skalign.solvers import Design, Penalty
from skalign.utils import Array, Doubles, Indices, PatternOfTargets

Split = tuple[Indices, Indices]  # training and test samples


class TakenTargets(NamedTuple):
    """A block of targets, as a worker gets it.

    Attributes
    ----------
    block : slice
        Their place among all targets of the problem.
    Y : ndarray of shape (n_samples, n_block)
        The targets.
    numbers : ndarray of int of shape (n_block,)
        Their numbers, for errors.
    """

    block: slice
    Y: Array
    numbers: Indices


@dataclass(frozen=True, eq=False)
class CrossValidationProblem:
    """Data of a cross-validation and settings of the encoder that is fitted to them.

    Attributes
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
        Features.
    Y : ndarray or ObservedResponses of shape (n_samples, n_targets)
        Targets, read block by block.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    penalty, positive, fit_intercept, tol, max_iter
        As in the encoder.
    center : bool
        Whether theta centers features and predictions over images.
    numbers : ndarray of int of shape (n_targets,)
        Numbers of the targets, for errors.
    """

    X: Any
    Y: Any
    sample_weight: Doubles | None
    penalty: Penalty
    positive: bool
    fit_intercept: bool
    tol: float
    max_iter: int
    center: bool
    numbers: Indices

    def of_pattern(self, pattern: PatternOfTargets) -> CrossValidationProblem:
        """The problem of some targets on the samples on which they were observed."""
        return replace(
            self,
            X=self.X[pattern.images],
            Y=pattern.responses(self.Y),
            sample_weight=self.weight_of(pattern.images),
            numbers=self.numbers[pattern.targets],
        )

    def without_targets(self) -> CrossValidationProblem:
        """The same problem, as all workers get it: the targets follow block by block."""
        return replace(self, Y=np.empty((0, self.n_targets)))

    def take(self, block: slice) -> TakenTargets:
        """Read a block of targets."""
        return TakenTargets(block, self.Y[:, block], self.numbers[block])

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return int(self.Y.shape[1])

    def weight_of(self, samples: Any) -> Doubles | None:
        """Weights of some samples, if there are any."""
        return None if self.sample_weight is None else self.sample_weight[samples]

    def design(self, samples: Any = slice(None), *, center: bool | None = None) -> Design:
        """Features of some samples, prepared; centered if an intercept is fitted."""
        return Design.prepare(
            self.X[samples],
            sample_weight=self.weight_of(samples),
            center=self.fit_intercept if center is None else center,
        )
