"""Fits of any model to null data, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from skalign.inference._null_draws import NullDraws, TrainingAndTest
from skalign.inference._refits import RefittableModel
from skalign.metrics import Alignment, alignment
from skalign.utils import Array, Doubles, Flags


@dataclass(frozen=True, eq=False)
class Scoring:
    """The test images' responses, and how fits are scored on them.

    Attributes
    ----------
    y_test : ndarray of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses.
    sample_weight : ndarray of shape (n_test_images,) or None
        Weights of the test images.
    target : {"predicted", "observed"}
        Response that theta is taken to.
    center : bool
        Whether theta centers features and targets over images.
    """

    y_test: Array
    sample_weight: Doubles | None
    target: Literal["predicted", "observed"]
    center: bool


class FitScores(NamedTuple):
    """How a fit to observed or null data scores on the test images, target by target.

    Attributes
    ----------
    alignment : Alignment
        Of the fit.
    unconverged : ndarray of bool, shape (n_targets,)
        Targets that did not reach the tolerance.
    """

    alignment: Alignment
    unconverged: Flags

    def tested(self, target: str) -> Doubles:
        """The r, theta to `target`, number of active units and lack of convergence."""
        found = self.alignment
        theta = found.theta if target == "predicted" else found.theta_observed
        return np.column_stack([found.r, theta, found.n_active, self.unconverged])


@dataclass(frozen=True, eq=False)
class Refits:
    """Fits of a model to the data as they are and to null data.

    A fit is described by a `FitScores`. Models that do not converge warn themselves, so that
    none is reported here.

    Attributes
    ----------
    model : RefittableModel
        Model that is fitted.
    draws : NullDraws
        Null data.
    scoring : Scoring
        How fits are scored.
    """

    model: RefittableModel
    draws: NullDraws
    scoring: Scoring

    def observed(self) -> FitScores:
        """Fit the data as they are."""
        return self._fit(self.draws.data)

    def resample(self, seed: int) -> FitScores:
        """Fit one draw of null data."""
        drawn = self.draws.draw(np.random.RandomState(seed))
        return self._fit(self.draws.apply(drawn))

    def _fit(self, data: TrainingAndTest) -> FitScores:
        fitted, scoring = self.model.fit(data.X, data.y), self.scoring
        found = alignment(
            fitted,
            data.X_test,
            scoring.y_test,
            center=scoring.center,
            sample_weight=scoring.sample_weight,
        )
        return FitScores(found, np.zeros(found.r.size, dtype=bool))
