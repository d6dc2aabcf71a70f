"""Designs of the images on which targets were observed; few missing ones come off the Gram."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skalign.solvers._blocks import gram_pays
from skalign.solvers._design import Design
from skalign.solvers._feature_moments import FeatureMoments
from skalign.solvers._units import design_in_range
from skalign.utils import Doubles, Indices, MissingPatterns, PatternOfTargets

COMBINED = 128  # images whose products take as long as a difference of two Grams


class ObservedPart(NamedTuple):
    """What the targets of a pattern are fitted to.

    Attributes
    ----------
    design : Design
        Features of their images, prepared.
    Y : ndarray or ObservedResponses of shape (n_observed, n_targets)
        Their responses.
    targets : ndarray of int
        Their numbers among all targets.
    features : FeatureMoments or None
        Moments of the design, where they followed from those of all images.
    """

    design: Design
    Y: Any
    targets: Indices
    features: FeatureMoments | None = None


class ObservedParts:
    """Parts of a problem with missing responses, one for every pattern of missing images.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
        Features.
    Y : ndarray of shape (n_samples, n_targets)
        Responses, NaN where missing.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    design : Design
        Features of all images, prepared.
    patterns : MissingPatterns
        Targets, grouped by the images on which they were observed.
    needs_gram : bool
        Whether a Gram is of use at all.
    """

    def __init__(
        self,
        X: Any,
        Y: Any,
        sample_weight: Doubles | None,
        *,
        design: Design,
        patterns: MissingPatterns,
        needs_gram: bool,
    ) -> None:
        patterns.check_observed()
        self._X, self._Y, self._weight, self._design = X, Y, sample_weight, design
        self._features = None
        if needs_gram and not design.is_sparse and not design.exponent:
            pays = gram_pays(design, Y.shape[1])
            if pays and any(self._n_formed(one) < one.n_observed for one in patterns):
                self._features = FeatureMoments.of(design)

    @property
    def bytes_each(self) -> int:
        """Memory of the work on a pattern: its images, and a Gram."""
        n_samples, n_features = self._X.shape
        return n_features * (n_samples + n_features) * self._design.dtype.itemsize

    def of(self, pattern: PatternOfTargets) -> ObservedPart:
        """Take the part of one pattern."""
        Y, images = pattern.responses(self._Y), pattern.images
        if isinstance(images, slice):
            return ObservedPart(self._design, Y, pattern.targets, self._features)
        weight = None if self._weight is None else self._weight[images]
        design = design_in_range(self._X[images], sample_weight=weight, center=self._centered)
        features = None
        if self._features is not None and not design.exponent:
            n_formed = self._n_formed(pattern)
            if n_formed < pattern.n_observed and gram_pays(
                design, len(pattern.targets), n_images=n_formed
            ):
                features = self._without_missing(self._features, images, weight)
        return ObservedPart(design, Y, pattern.targets, features)

    @property
    def _centered(self) -> bool:
        return self._design.centered

    def _n_formed(self, pattern: PatternOfTargets) -> int:
        """How many images a subtraction costs the products of."""
        return COMBINED + self._Y.shape[0] - pattern.n_observed

    def _without_missing(
        self, features: FeatureMoments, images: Indices, weight: Doubles | None
    ) -> FeatureMoments:
        is_missing = np.ones(self._Y.shape[0], bool)
        is_missing[images] = False
        missing_weight = None
        if self._weight is not None:
            is_missing &= self._weight > 0
            missing_weight = self._weight[is_missing]
        if not is_missing.any():  # but for images of weight zero
            return features
        missing = Design.prepare(
            self._X[is_missing], sample_weight=missing_weight, center=self._centered
        )
        left = features - FeatureMoments.of(missing)
        return left.recomputed(self._X[images], weight)


def of_targets(values: ArrayLike, targets: Indices) -> Any:
    """Take the values of some targets, whose last axis has one for every target, or one for all."""
    found = np.asarray(values)
    return found if found.ndim == 0 or found.shape[-1] == 1 else found[..., targets]
