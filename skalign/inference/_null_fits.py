"""Fits of any model to null data, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from skalign.inference._null_draws import NullDraws, TrainingAndTest
from skalign.inference._refits import RefittableModel
from skalign.metrics import alignment
from skalign.utils import Array, Doubles


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


@dataclass(frozen=True, eq=False)
class Refits:
    """Fits of a model to the data as they are and to null data.

    A fit is described by r, theta, number of active units and lack of convergence of every target,
    (n_targets, 4). Models that do not converge warn themselves, so that the last is 0 here.

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

    def observed(self) -> Doubles:
        """Fit the data as they are."""
        return self._fit(self.draws.data)

    def resample(self, seed: int) -> Doubles:
        """Fit one draw of null data."""
        drawn = self.draws.draw(np.random.RandomState(seed))
        return self._fit(self.draws.apply(drawn))

    def _fit(self, data: TrainingAndTest) -> Doubles:
        fitted, scoring = self.model.fit(data.X, data.y), self.scoring
        found = alignment(
            fitted,
            data.X_test,
            scoring.y_test,
            target=scoring.target,
            center=scoring.center,
            sample_weight=scoring.sample_weight,
        )
        return np.column_stack([found.r, found.theta, found.n_active, np.zeros(found.r.size)])
