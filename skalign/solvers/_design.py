"""Features prepared once for all targets: weighted, centred, and the products taken with them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True, eq=False)
class Design:
    """Weighted, centred features.

    Rows are multiplied by the square root of their weight after centring. Sparse features are
    centred implicitly: `X` keeps its zeros and `mean` is taken off inside every product.

    Attributes
    ----------
    X : ndarray or sparse array of shape (n_samples, n_features)
        The prepared features.
    mean : ndarray of shape (n_features,)
        Weighted means of the features; zeros without intercept.
    root_weight : ndarray of shape (n_samples,) or None
        Square roots of the sample weights.
    total_weight : float
        Sum of the sample weights; the number of samples where there are none.
    centred : bool
        Whether there is an intercept.
    constant : ndarray of shape (n_features,) or None
        Sparse columns that centring leaves nothing of; dense ones are zero already.
    """

    X: Any
    mean: NDArray
    root_weight: NDArray | None
    total_weight: float
    centred: bool
    constant: NDArray | None = None

    @classmethod
    def prepare(cls, X, *, sample_weight, centre) -> "Design":
        """Centre and weight `X`; constant columns become exactly zero."""
        n_samples, n_features = X.shape
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        total = float(n_samples if weight is None else weight.sum())
        root = None if weight is None else np.sqrt(weight).astype(X.dtype)
        mean = _mean(X, weight, total) if centre else np.zeros(n_features)
        if sparse.issparse(X):
            X = sparse.csr_array(X)
            weighted = X if root is None else sparse.csr_array(X.multiply(root[:, None]))
            raw = np.asarray(weighted.multiply(weighted).sum(axis=0)).ravel()
            left = raw - total * mean**2
            constant = left <= 64 * np.finfo(X.dtype).eps * raw if centre else None
            return cls(weighted, mean, root, total, centre, constant)
        prepared = X
        if centre:
            prepared = X - mean.astype(X.dtype)
            norms = np.einsum("ij,ij->j", prepared, prepared)
            rounding = 16 * np.finfo(X.dtype).eps * np.sqrt(n_samples) * np.abs(mean)
            prepared[:, norms <= rounding**2] = 0
        if root is not None:
            prepared = prepared * root[:, None]
        return cls(prepared, mean, root, total, centre)

    @property
    def is_sparse(self) -> bool:
        """Whether the features are a sparse array, centred implicitly."""
        return sparse.issparse(self.X)

    @property
    def dtype(self) -> np.dtype:
        """Floating type of the features and of all products."""
        return self.X.dtype

    def targets(self, Y_block) -> tuple[NDArray, NDArray, NDArray]:
        """Prepare a block of targets as the features were.

        Returns the centred, weighted targets (n_samples, n_targets), their means and their
        squared norms. Constant targets become exactly zero.
        """
        Y_block = np.asarray(Y_block, dtype=self.dtype)
        n_targets = Y_block.shape[1]
        mean = np.zeros(n_targets)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.centred:
                weight = None if self.root_weight is None else self.root_weight**2
                mean = _mean(Y_block, weight, self.total_weight)
                Y_block = Y_block - mean.astype(self.dtype)
            if self.root_weight is not None:
                Y_block = Y_block * self.root_weight[:, None]
            norms = np.einsum("ij,ij->j", Y_block, Y_block, dtype=np.float64)
            if self.centred:
                rounding = 16 * np.finfo(self.dtype).eps * np.sqrt(self.total_weight) * np.abs(mean)
                constant = norms <= rounding**2
                if constant.any():
                    Y_block[:, constant] = 0
                    norms[constant] = 0
        return Y_block, mean, norms

    def gram(self) -> NDArray:
        """``X'X`` (n_features, n_features) of the prepared features."""
        if not self.is_sparse:
            return np.ascontiguousarray(self.X.T @ self.X)
        gram = (self.X.T @ self.X).toarray(order="C")
        if self.centred:
            gram -= self.total_weight * np.outer(self.mean, self.mean).astype(self.dtype)
            gram[self.constant] = 0
            gram[:, self.constant] = 0
        return gram

    def cross(self, R: NDArray) -> NDArray:
        """``R'X`` (n_targets, n_features) with the prepared features."""
        if not self.is_sparse:
            return np.ascontiguousarray(R.T @ self.X)
        cross = np.ascontiguousarray((self.X.T @ R).T)
        if self.centred:
            cross -= np.outer(self._ones() @ R, self.mean.astype(self.dtype))
            cross[:, self.constant] = 0
        return cross

    def columns(self, index: NDArray) -> NDArray:
        """The prepared features of `index`, dense and centred."""
        if not self.is_sparse:
            return self.X[:, index]
        columns = self.X[:, index].toarray()
        if self.centred:
            columns -= np.outer(self._ones(), self.mean[index].astype(self.dtype))
        return columns

    def predict(self, coef: NDArray) -> NDArray:
        """``X coef'`` (n_samples, n_targets) of the prepared features."""
        if not self.is_sparse:
            return self.X @ coef.T
        predicted = self.X @ coef.T
        if not self.centred:
            return predicted
        return predicted - np.outer(self._ones(), coef @ self.mean.astype(self.dtype))

    def _ones(self) -> NDArray:
        """The intercept's column, weighted."""
        return np.ones(self.X.shape[0], self.dtype) if self.root_weight is None else self.root_weight


def _mean(A, weight: NDArray | None, total: float) -> NDArray:
    """Weighted mean of every column, accumulated in float64."""
    if weight is not None:
        return np.asarray(weight @ A, dtype=np.float64) / total
    if sparse.issparse(A):
        return np.asarray(A.sum(axis=0), dtype=np.float64).ravel() / total
    return A.mean(axis=0, dtype=np.float64)
