"""Fits to null data from second moments, for encoders that need nothing else.

Features X N, where N picks columns or rotates them, have the Gram ``N'X'X N`` and the products
``N'X'Y``. A scaler before the encoder divides both by standard deviations, which are in the
diagonal of the Gram. So a null fit reads no image, and all null fits share ``X'X`` and ``X'Y``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

from skalign.inference._null_draws import NullDraws, TrainingAndTest
from skalign.inference._null_fits import FitScores, Scoring
from skalign.inference._refits import RefittableModel
from skalign.linear_model import SparsePositiveEncoder
from skalign.metrics import (
    Alignment,
    mean_cosine_of_moments,
    scores_of_moments,
)
from skalign.solvers import Design, FeatureMoments, Moments, Solution, solve_moments
from skalign.utils import Array, Doubles

SHARED_BYTES = 2**30  # larger moments are not kept
PART_BYTES = 2**25  # working memory of the fits to one draw


@dataclass(frozen=True, eq=False)
class SharedEncoder:
    """An encoder that can be fitted to moments, and the scaler before it.

    Attributes
    ----------
    encoder : SparsePositiveEncoder
        Encoder, with an l1 penalty or positive weights.
    scaler : StandardScaler or None
        Scaler of the features.
    weight : ndarray of shape (n_images,) or None
        Weights of the images in the fit of the encoder.
    """

    encoder: SparsePositiveEncoder
    scaler: StandardScaler | None
    weight: Doubles | None

    @classmethod
    def find(cls, model: RefittableModel, n_targets: int) -> SharedEncoder | None:
        """Find such an encoder in a model; None in any other model.

        A subclass may do anything in its fit, and is another model.
        """
        found, scaler = model.estimator, None
        if type(found) is Pipeline and len(found.steps) == 2:
            scaler, found = (step for _, step in found.steps)
            if type(scaler) is not StandardScaler or model.arguments:
                return None
        if type(found) is not SparsePositiveEncoder or not model.arguments.keys() <= {
            "sample_weight"
        }:
            return None
        if not _is_valid(found, n_targets):
            return None  # its own fit says what is wrong
        l1_ratio = {"lasso": 1.0, "elasticnet": found.l1_ratio}.get(found.penalty, 0.0)
        has_l1 = np.all(np.multiply(found.alpha, l1_ratio) > 0)
        if not (found.positive or has_l1):
            return None  # least squares without signs is more accurate from the images
        return cls(found, scaler, model.arguments.get("sample_weight"))

    def fit(self, moments: Moments, targets: slice) -> Solution:
        """Fit some of the targets."""
        alpha, l1_ratio = (
            np.asarray(value)[targets] if np.ndim(value) else value
            for value in (self.encoder.alpha, self.encoder.l1_ratio)
        )
        return solve_moments(
            moments if self.encoder.fit_intercept else moments.uncentered(),
            self.encoder.penalty,
            alpha,
            l1_ratio=l1_ratio,
            positive=self.encoder.positive,
            tol=self.encoder.tol,
            max_iter=self.encoder.max_iter,
            n_jobs=1,
        )

    def scales(self, features: FeatureMoments) -> Doubles:
        """Factors by which the scaler multiplies training features."""
        if self.scaler is None or not self.scaler.with_std:
            return np.ones(features.means.size)
        variance = features.norms**2 / features.total_weight
        n_images, eps = features.total_weight, np.finfo(np.float64).eps
        constant = variance <= n_images * eps * variance + (n_images * features.means * eps) ** 2
        return np.asarray(1 / np.sqrt(np.where(constant, 1, variance)))

    def scale(self, features: FeatureMoments, factors: Doubles, center: Doubles) -> FeatureMoments:
        """Standardize features as the scaler does, from the means and factors of training."""
        if self.scaler is None:
            return features
        if self.scaler.with_mean:
            features = replace(features, means=features.means - center)
        return features.transformed(factors)


@dataclass(frozen=True, eq=False)
class MomentFits:
    """Fits of an encoder to the data as they are and to null data, from shared moments.

    They are described as those of :class:`~skalign.inference._null_fits.Refits`.

    Attributes
    ----------
    encoder : SharedEncoder
        Encoder that is fitted.
    draws : NullDraws
        Null data.
    scoring : Scoring
        How fits are scored.
    design : Design
        Features that the draws are made of, over the images to fit.
    training, test : Moments
        Moments of these features and of all targets, centered, over the images to fit and to score.
    Y : ndarray of shape (n_images, n_targets)
        Responses to fit.
    """

    encoder: SharedEncoder
    draws: NullDraws
    scoring: Scoring
    design: Design
    training: Moments
    test: Moments
    Y: Array

    @classmethod
    def find(
        cls, model: RefittableModel, draws: NullDraws, scoring: Scoring, n_resamples: int
    ) -> MomentFits | None:
        """Take the moments that all fits share; None where fits share none, or it does not pay."""
        Y, Y_test = (part.reshape(len(part), -1) for part in (draws.data.y, scoring.y_test))
        encoder = SharedEncoder.find(model, Y.shape[1])
        if encoder is None or Y_test.shape[1] != Y.shape[1] or not draws.has_moments:
            return None
        X, X_test = draws.source()
        centers = encoder.scaler is not None and encoder.scaler.with_mean
        if centers and (sparse.issparse(X) or sparse.issparse(X_test)):
            return None  # the scaler's own fit says what is wrong
        n_source, n_units = X.shape[1], np.shape(draws.data.X)[1]
        n_bytes = draws.dtype.itemsize * n_source * max(n_source, Y.shape[1])
        if n_bytes > SHARED_BYTES or n_source**2 > (1 + n_resamples) * n_units**2:
            return None
        try:
            return cls._of(encoder, draws, scoring, TrainingAndTest(X, Y, X_test))
        except ValueError:
            return None  # a fit to the images may still solve them, or says what is wrong

    @classmethod
    def _of(
        cls, encoder: SharedEncoder, draws: NullDraws, scoring: Scoring, data: TrainingAndTest
    ) -> MomentFits:
        Y_test = scoring.y_test.reshape(len(scoring.y_test), -1)
        dtype = draws.dtype
        X, X_test = (part.astype(dtype, copy=False) for part in (data.X, data.X_test))
        return cls(
            encoder,
            draws,
            scoring,
            Design.prepare(X, sample_weight=encoder.weight, center=True),
            Moments.of(X, data.y, encoder.weight),
            Moments.of(X_test, Y_test, scoring.sample_weight),
            data.y,
        )

    def observed(self) -> FitScores:
        """Fit the data as they are."""
        own = self
        if self.draws.has_pool:
            data = replace(self.draws.data, y=self.Y)
            own = self._of(self.encoder, self.draws, self.scoring, data)
        return own._fit(own.training.features, own.test.features, None)

    def resample(self, seed: int) -> FitScores:
        """Fit one draw of null data."""
        drawn = self.draws.draw(np.random.RandomState(seed))
        training, test = self.draws.features(drawn, self.training.features, self.test.features)
        return self._fit(training, test, drawn)

    def _fit(
        self, training: FeatureMoments, test: FeatureMoments, drawn: Array | None
    ) -> FitScores:
        """Fit features that are not scaled yet."""
        factors, center = self.encoder.scales(training), training.means
        training, test = (
            self.encoder.scale(features, factors, center) for features in (training, test)
        )
        n_images, n_targets = self.Y.shape
        cosine = mean_cosine_of_moments(test, center=self.scoring.center)
        columns = []
        largest = max(n_images, 4 * factors.size)
        for part in gen_batches(n_targets, max(1, PART_BYTES // (8 * largest))):
            of_training, of_test = self._products(drawn, part)
            of_training, of_test = (
                moments.sharing(features, moments.q * factors.astype(moments.q.dtype))
                for moments, features in ((of_training, training), (of_test, test))
            )
            found = self.encoder.fit(of_training, part)
            score = scores_of_moments(
                of_test,
                found.coef,
                found.intercept,
                center=self.scoring.center,
                cosine=cosine,
            )
            of_part = [getattr(score, name) for name in Alignment.MEASURES]
            columns.append([*of_part, ~found.converged])
        *measures, unconverged = map(np.concatenate, zip(*columns, strict=True))
        named: dict[str, Any] = dict(zip(Alignment.MEASURES, measures, strict=True))
        return FitScores(Alignment(**named, centered=self.scoring.center), unconverged)

    def _products(self, drawn: Array | None, part: slice) -> tuple[Moments, Moments]:
        """Moments of some targets, their products with the drawn features included."""
        training, test = (moments.take(targets=part) for moments in (self.training, self.test))
        if drawn is None:
            return training, test
        order = self.draws.order(drawn)
        if order is not None:
            Y = self.Y[:, part][order]
            return Moments.of_block(self.design, self.training.features, Y), test
        of_training, of_test = (
            replace(moments, q=self.draws.products(drawn, moments.q))
            for moments in (training, test)
        )
        return of_training, of_test


def _is_valid(encoder: SparsePositiveEncoder, n_targets: int) -> bool:
    flags = encoder.positive, encoder.fit_intercept
    strengths = [np.asarray(value) for value in (encoder.alpha, encoder.l1_ratio)]
    if not (encoder.n_jobs is None or isinstance(encoder.n_jobs, Integral)):
        return False
    return all(isinstance(flag, bool) for flag in flags) and all(
        value.dtype.kind in "iuf" and value.shape in ((), (n_targets,)) for value in strengths
    )
