"""The half of the moments that all targets share: that of the features.

A fold of a cross-validation, whose blocks of targets share the features' half::

    whole = Design.prepare(X, sample_weight=weight, center=True)
    held_out = Design.prepare(X[test], sample_weight=weight[test], center=True)
    all_features, test_features = FeatureMoments.of(whole), FeatureMoments.of(held_out)
    features = all_features - test_features
    if features.lost.size:
        features = features.recomputed(X[train], weight[train])
    for block in target_blocks(whole, n_targets):
        of_all = Moments.of_block(whole, all_features, Y[:, block])
        of_test = Moments.of_block(held_out, test_features, Y[test, block])
        training = of_all.minus(of_test, features=features)
        if training.lost_digits:
            training = training.recomputed(X[train], Y[train, block], weight[train])
        solution = solve_moments(training, "lasso", 0.1)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import eigh

from skalign.solvers._combination import Combination, check_digits, nothing
from skalign.solvers._design import Design
from skalign.utils import Doubles, Floats, Indices, call_interruptibly, check_sample_weight

ROUGH_FEATURES = 256  # a Gram of fewer is read as fast in double precision
ROUGH_RANGE = 1e-9  # the least norm over the largest whose products are left in single precision


@dataclass(frozen=True, eq=False)
class FeatureMoments:
    """Second moments of features over weighted images: what all targets share.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
        ``X'X`` of the weighted features, centered with an intercept.
    means : ndarray of shape (n_features,)
        Weighted means, which were subtracted; zeros without an intercept.
    norms : ndarray of shape (n_features,)
        Square roots of the diagonal of the Gram, in double precision.
    total_weight : float
        Sum of the sample weights; the number of samples if there are none.
    centered : bool
        Whether an intercept is fitted.
    rounding : float
        Bound on the rounding errors of the products, over the norms of their two factors.
    lost : ndarray of int
        Features that lost their digits in a difference. `recomputed` computes them afresh.
    """

    gram: Floats
    means: Doubles
    norms: Doubles
    total_weight: float
    centered: bool
    rounding: float
    lost: Indices = field(default_factory=nothing)

    @classmethod
    def of(cls, design: Design) -> FeatureMoments:
        """Take the moments of prepared features; one matrix product.

        Parameters
        ----------
        design : Design
            Prepared features.

        Returns
        -------
        FeatureMoments
            Their moments.
        """
        return cls(
            gram=design.gram(),
            means=design.mean,
            norms=design.norms,
            total_weight=design.total_weight,
            centered=design.centered,
            rounding=design.rounding,
        )

    def __getstate__(self) -> dict[str, Any]:
        """What is saved and sent: a copy in single precision is made again where it is needed."""
        return {name: value for name, value in vars(self).items() if name != "rough_gram"}

    @cached_property
    def spectrum(self) -> tuple[Doubles, Doubles]:
        """Eigenvalues (n_features,), none negative, and eigenvectors, in columns, of the Gram."""
        values, vectors = call_interruptibly(eigh, self.gram.astype(np.float64), check_finite=False)
        return np.maximum(values, 0), vectors

    @cached_property
    def rough_gram(self) -> tuple[NDArray[np.float32], float] | None:
        """The Gram in single precision, for guesses, and the power of four that it is multiplied by
        to be in range; None where it is small, in single precision itself, or of a wide range."""
        if len(self.gram) < ROUGH_FEATURES or self.gram.dtype == np.float32:
            return None
        largest = self.norms.max()
        _, exponent = np.frexp(largest)
        if ((self.norms > 0) & (self.norms < ROUGH_RANGE * largest)).any() or exponent < -500:
            return None
        unit = float(np.ldexp(1.0, -2 * int(exponent)))
        rough = np.empty(self.gram.shape, np.float32)
        np.multiply(self.gram, unit, out=rough, casting="same_kind")
        return rough, unit

    def take(self, index: Any) -> FeatureMoments:
        """Choose features.

        Parameters
        ----------
        index : slice, ndarray of int or ndarray of bool
            The features to keep.

        Returns
        -------
        FeatureMoments
            Their moments.
        """
        index = np.arange(len(self.norms))[index]
        return replace(
            self,
            gram=np.ascontiguousarray(self.gram[np.ix_(index, index)]),
            means=self.means[index],
            norms=self.norms[index],
            lost=np.flatnonzero(np.isin(index, self.lost)),
        )

    def transformed(self, A: Floats) -> FeatureMoments:
        """Map the features linearly: the moments of ``X @ A``, without the images.

        Parameters
        ----------
        A : ndarray of shape (n_features, n_new_features) or (n_features,)
            A matrix, such as a rotation, or a factor for each feature.

        Returns
        -------
        FeatureMoments
            Moments of the new features.

        Raises
        ------
        ValueError
            If features have lost their digits.
        """
        check_digits(self.lost, "features")
        A = A.astype(self.gram.dtype)
        if A.ndim == 1:
            gram, norms = self.gram * A * A[:, None], self.norms * np.abs(A)
        else:
            gram = np.ascontiguousarray(A.T @ self.gram @ A)
            norms = np.sqrt(np.maximum(gram.diagonal().astype(np.float64), 0))
        means = self.means * A if A.ndim == 1 else self.means @ A
        return replace(self, gram=gram, means=means, norms=norms)

    def uncentered(self) -> FeatureMoments:
        """Undo the centering: the moments about zero, for fits without an intercept.

        Returns
        -------
        FeatureMoments
            Moments of the same images and features.
        """
        products = self.total_weight * np.outer(self.means, self.means)
        return replace(
            self,
            gram=self.gram + products.astype(self.gram.dtype),
            means=np.zeros_like(self.means),
            norms=np.sqrt(self.norms**2 + self.total_weight * self.means**2),
            centered=False,
        )

    def recomputed(self, X: Any, sample_weight: Doubles | None = None) -> FeatureMoments:
        """Compute the features in `lost` afresh.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_features)
            The images of the difference: of a fold, its training part.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.

        Returns
        -------
        FeatureMoments
            Moments without lost features.
        """
        if not self.lost.size:
            return self
        design = prepared_like(self, X, sample_weight)
        if self.lost.size == len(self.norms):
            return FeatureMoments.of(design)
        gram, means, norms = self.gram.copy(), self.means.copy(), self.norms.copy()
        rows = design.cross(design.columns(self.lost))
        gram[self.lost], gram[:, self.lost] = rows, rows.T
        means[self.lost] = design.mean[self.lost]
        norms[self.lost] = design.norms[self.lost]
        return replace(self, gram=gram, means=means, norms=norms, lost=nothing())

    def __add__(self, other: FeatureMoments) -> FeatureMoments:
        """Moments of the images of both."""
        if not isinstance(other, FeatureMoments):
            return NotImplemented
        if self.centered and not other.centered:
            return other + self
        return self._combined(other, Combination.of(self, other, 1))

    def __sub__(self, other: FeatureMoments) -> FeatureMoments:
        """Moments of the images that are left without those of the other."""
        if not isinstance(other, FeatureMoments):
            return NotImplemented
        return self._combined(other, Combination.of(self, other, -1))

    def _combined(self, other: FeatureMoments, pair: Combination) -> FeatureMoments:
        shift = self._shift(other, pair)
        before, dtype = self.norms**2, self.gram.dtype
        gram = pair.products(self.gram, other.gram, shift, shift)
        left = pair.squares(before, other.norms**2, shift)
        lost, rounding = nothing(), max(self.rounding, other.rounding)
        if pair.sign < 0:
            gone = self.norms == 0
            if other.norms[gone].any():
                gram[gone], gram[:, gone], left[gone] = 0, 0, 0
            lost = pair.lost(before, left, dtype)
            kept = np.setdiff1d(np.flatnonzero(left), lost)
            rounding = (self.rounding + other.rounding) * (before[kept] / left[kept]).max(initial=1)
        return FeatureMoments(
            gram=gram,
            means=pair.means(self.means, shift),
            norms=np.sqrt(left),
            total_weight=pair.total,
            centered=self.centered,
            rounding=rounding + 4 * float(np.finfo(dtype).eps),
            lost=lost,
        )

    def _shift(self, other: FeatureMoments, pair: Combination) -> Doubles:
        return pair.shift(self.means, other.means, (self.norms == 0) & (other.norms == 0))


def prepared_like(features: FeatureMoments, X: Any, sample_weight: Doubles | None) -> Design:
    """Images, prepared as those were that the moments were taken of."""
    X = sparse.csr_array(X) if sparse.issparse(X) else np.asarray(X)
    X = X.astype(features.gram.dtype, copy=False)
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, X.shape[0])
    return Design.prepare(X, sample_weight=sample_weight, center=features.centered)
