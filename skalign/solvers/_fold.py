"""Second moments of a training part, by taking those of the held-out part off those of all.

For features X and targets Y, weighted, and centered if there is an intercept, ``X'X``, ``X'Y`` and
``|y|^2`` are all that a positive or l1 problem asks for. The folds of a cross-validation share
them. The held-out part is always centered, for Pearson's r is. With m means and s sums of weights,

    X_train' X_train = X'X - X_test' X_test - (s s_test / s_train) (m - m_test) (m - m_test)'

with an intercept, and without one ``X'X - X_test' X_test - s_test m_test m_test'``.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skalign.solvers._design import Design
from skalign.solvers._feature_moments import FeatureMoments

# A squared norm that loses all but this fraction of itself is computed afresh: beyond, the
# difference would be made of rounding.
LOST = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-2}


# A target all of whose products with features are this many rounding errors has none.
ROUNDINGS = 64


class TargetMoments(NamedTuple):
    """What features and a block of targets have in common.

    Attributes
    ----------
    q : ndarray of shape (n_targets, n_features)
        Features times targets, centered and weighted.
    mean, squared_norms : ndarray of shape (n_targets,)
        Means of the targets; their squared norms, centered and weighted.
    """

    q: NDArray
    mean: NDArray
    squared_norms: NDArray


class Fold:
    """A training part of dense features and its complement, which is held out.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        All features.
    weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    train, test : ndarray of int
        Samples of the two parts, together all samples once.
    whole : Design
        All features, prepared.
    gram : ndarray of shape (n_features, n_features)
        Their Gram.

    Attributes
    ----------
    gram, mean, total_weight
        Gram, means and sum of weights of the training part.
    held_out : Design
        Features of the held-out part.
    held_out_gram : ndarray of shape (n_features, n_features)
        Their Gram.
    """

    def __init__(
        self,
        X: NDArray,
        weight: NDArray | None,
        train: NDArray,
        test: NDArray,
        whole: Design,
        gram: NDArray,
    ) -> None:
        self._X, self._weight, self._centered = X, weight, whole.centered
        self.train, self.test = train, test
        self.held_out = self._design(test, center=True)
        self.held_out_gram = self.held_out.gram()
        self.total_weight = float(len(train) if weight is None else weight[train].sum())
        test_weight, test_mean = self.held_out.total_weight, self.held_out.mean
        shift = whole.mean - test_mean if whole.centered else test_mean
        self._shift = np.where(whole.norms > 0, shift, 0)
        # What the outer product of the shifts weighs.
        self._between = test_weight
        self.mean = whole.mean
        if whole.centered:
            self._between *= whole.total_weight / self.total_weight
            self.mean = whole.mean + test_weight / self.total_weight * shift
        outer = self._between * np.outer(self._shift, self._shift)
        self.gram = gram - self.held_out_gram - outer.astype(whole.dtype)
        eps = np.finfo(whole.dtype).eps
        self._rounding = ROUNDINGS * eps * whole.norms  # of a feature's product with a unit target
        left = self.gram.diagonal() / np.where(whole.norms > 0, gram.diagonal(), 1)
        self._lost = np.flatnonzero((left <= LOST[whole.dtype]) & (whole.norms > 0))
        self._lost_columns: Design | None = None
        if self._lost.size:
            training = self._training()
            self._lost_columns = self._design(train, self._centered, self._lost)
            self.gram[:, self._lost] = training.X.T @ self._lost_columns.X
            self.gram[self._lost] = self.gram[:, self._lost].T
        self.features = FeatureMoments(
            gram=self.gram,
            means=self.mean,
            norms=np.sqrt(np.maximum(self.gram.diagonal().astype(np.float64), 0)),
            total_weight=self.total_weight,
            centered=whole.centered,
            rounding=whole.rounding,
        )

    def _design(self, samples: NDArray, center: bool, features: Any = slice(None)) -> Design:
        weight = None if self._weight is None else self._weight[samples]
        X = self._X[samples][:, features]
        return Design.prepare(X, sample_weight=weight, center=center)

    def _training(self) -> Design:
        """The training part itself, looked at only where subtraction loses too much."""
        return self._design(self.train, self._centered)

    def targets(
        self, Y_block: NDArray, moments: TargetMoments
    ) -> tuple[TargetMoments, TargetMoments]:
        """Moments of a block of targets over the training part and over the held-out one.

        `moments` are those over all samples.
        """
        held_out = TargetMoments(*self.held_out.moments(Y_block[self.test]))
        shift, mean = held_out.mean, moments.mean
        if self._centered:
            shift = moments.mean - held_out.mean
            mean = mean + self.held_out.total_weight / self.total_weight * shift
        between = self._between * np.outer(shift, self._shift)
        between[moments.squared_norms == 0] = 0
        q = moments.q - held_out.q - between.astype(moments.q.dtype)
        squared_norms = moments.squared_norms - held_out.squared_norms - self._between * shift**2
        if self._lost_columns is not None:
            prepared, _, _ = self._lost_columns.targets(Y_block[self.train])
            q[:, self._lost] = prepared.T @ self._lost_columns.X
        size = np.sqrt(moments.squared_norms)[:, np.newaxis]
        q[(np.abs(q) <= size * self._rounding).all(axis=1)] = 0
        left = squared_norms / np.where(moments.squared_norms > 0, moments.squared_norms, 1)
        lost = np.flatnonzero((left <= LOST[q.dtype]) & (moments.squared_norms > 0))
        if lost.size:
            found = self._training().moments(Y_block[self.train][:, lost])
            q[lost], mean[lost], squared_norms[lost] = found
        return TargetMoments(q, mean, squared_norms), held_out
