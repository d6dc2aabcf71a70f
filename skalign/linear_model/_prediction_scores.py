"""Scores of a block of targets at many strengths, whose weights are never formed."""

from __future__ import annotations

import numpy as np

from skalign.linear_model._fold_scorers import FoldScores
from skalign.metrics import ImageSpace, MomentScores
from skalign.utils import Doubles, Floats


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
