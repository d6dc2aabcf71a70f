"""Features prepared once for all targets: weighted, centered, and the products taken with them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skalign.solvers._gram import gram_of

# Squared norms up to here leave room for the sums and products that are made of them.
LARGEST_SQUARE = {np.dtype(t): float(np.finfo(t).max * np.finfo(t).eps) for t in ("f4", "f8")}


def check_finite(squared_norms: NDArray, dtype: np.dtype, targets: NDArray) -> None:
    """Raise ValueError for the first of `targets` whose squared norm says that it is not finite."""
    finite = squared_norms <= LARGEST_SQUARE[dtype]
    if not finite.all():
        raise ValueError(
            f"Input y contains NaN, infinity or values too large for {dtype}, first in target "
            f"{targets[~finite][0]}. Drop or impute the targets or samples concerned."
        )


@dataclass(frozen=True, eq=False)
class Design:
    """Weighted, centered features.

    Rows are multiplied by the square root of their weight after centering. Sparse features are
    centered implicitly: `X` keeps its zeros and `offset` is taken off inside every product.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_samples, n_features)
        The prepared features.
    mean : ndarray of shape (n_features,)
        Weighted means of the features; zeros without intercept.
    root_weight : ndarray of shape (n_samples,) or None
        Square roots of the sample weights.
    total_weight : float
        Sum of the sample weights; the number of samples where there are none.
    centered : bool
        Whether there is an intercept.
    norms : ndarray of shape (n_features,)
        Norms of the features.
    sums : ndarray of shape (n_features,) or None
        What rounding leaves of the sums of dense, centered, unweighted features.
    offset : ndarray of shape (n_features,) or None
        What is still to be taken off sparse features.
    """

    X: Any
    mean: NDArray
    root_weight: NDArray | None
    total_weight: float
    centered: bool
    norms: NDArray
    sums: NDArray | None
    offset: NDArray | None = None

    @classmethod
    def prepare(cls, X, *, sample_weight, center) -> "Design":
        """Center and weight `X`; constant columns become exactly zero.

        Parameters
        ----------
        X : ndarray or csr_array of shape (n_samples, n_features)
            Features, float64 or float32.
        sample_weight : ndarray of shape (n_samples,) or None
            Weights of the samples.
        center : bool
            Whether there is an intercept.

        Returns
        -------
        Design
            The prepared features.

        Raises
        ------
        ValueError
            If `X` is not finite, or its squares overflow.
        """
        n_samples, n_features = X.shape
        weight = sample_weight
        total = float(n_samples if weight is None else weight.sum())
        root = None if weight is None else np.sqrt(weight).astype(X.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = _mean(X, weight, total) if center else np.zeros(n_features)
            prepared, offset = X, None
            if sparse.issparse(X):
                if center:
                    prepared, offset = _center_full_columns(X, mean, weight, total)
            elif center:
                prepared = X - mean.astype(X.dtype)
            if root is not None:
                prepared = prepared * root[:, None]
            if sparse.issparse(X):
                norms = prepared.multiply(prepared).sum(axis=0, dtype=np.float64)
            else:
                norms = np.einsum("ij,ij->j", prepared, prepared, dtype=np.float64)
                if center:
                    prepared[:, norms <= _rounding(mean, total, X.dtype)] = 0
        if not (norms <= LARGEST_SQUARE[X.dtype]).all():
            raise ValueError(
                f"Input X contains NaN, infinity or values too large for {X.dtype}. Scale X."
            )
        left = None
        if center and root is None and not sparse.issparse(X):
            left = prepared.sum(axis=0, dtype=np.float64)
        return cls(prepared, mean, root, total, center, np.sqrt(norms), left, offset)

    @property
    def is_sparse(self) -> bool:
        """Whether the features are a sparse array, centered implicitly."""
        return sparse.issparse(self.X)

    @property
    def dtype(self) -> np.dtype:
        """Floating type of the features and of all products."""
        return self.X.dtype

    @property
    def rounding(self) -> float:
        """Bound on the errors of products with features, over the norms of their factors."""
        # Roundings of X and Y themselves, of their product, of a mean taken off inside of it: the
        # square of such a mean is at most 7 times the variance.
        n_roundings = (self.X.shape[0] + 8) * (1 if self.offset is None else 8)
        return 0.5 * n_roundings * float(np.finfo(self.dtype).eps)

    def targets(self, Y_block) -> tuple[NDArray, NDArray, NDArray]:
        """Prepare a block of targets as the features were.

        Constant targets become exactly zero.

        Parameters
        ----------
        Y_block : ndarray of shape (n_samples, n_targets)
            Targets.

        Returns
        -------
        prepared : ndarray of shape (n_samples, n_targets)
            The centered, weighted targets.
        means, squared_norms : ndarray of shape (n_targets,)
            Means of the targets, and squared norms of the prepared ones.
        """
        Y_block = np.asarray(Y_block, dtype=self.dtype)
        mean = np.zeros(Y_block.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            if self.centered:
                weight = None if self.root_weight is None else self.root_weight**2
                mean = _mean(Y_block, weight, self.total_weight)
                Y_block = Y_block - mean.astype(self.dtype)
            if self.root_weight is not None:
                Y_block = Y_block * self.root_weight[:, None]
            norms = np.einsum("ij,ij->j", Y_block, Y_block, dtype=np.float64)
            if self.centered:
                constant = norms <= _rounding(mean, self.total_weight, self.dtype)
                constant &= np.isfinite(norms)
                if constant.any():
                    Y_block[:, constant] = 0
                    norms[constant] = 0
        return Y_block, mean, norms

    def gram(self) -> NDArray:
        """Multiply the prepared features with themselves.

        Returns
        -------
        ndarray of shape (n_features, n_features)
            ``X'X``.
        """
        if not self.is_sparse:
            return gram_of(self.X)
        gram = (self.X.T @ self.X).toarray(order="C")
        if self.offset is not None:
            gram -= self.total_weight * np.outer(self.offset, self.offset).astype(self.dtype)
        return gram

    def cross(self, R: NDArray) -> NDArray:
        """Multiply with the prepared features.

        Parameters
        ----------
        R : ndarray of shape (n_samples, n_targets)
            Residuals or prepared targets.

        Returns
        -------
        ndarray of shape (n_targets, n_features)
            ``R'X``.
        """
        if not self.is_sparse:
            return np.ascontiguousarray(R.T @ self.X)
        cross = np.ascontiguousarray((self.X.T @ R).T)
        if self.offset is not None:
            cross -= np.outer(self._ones() @ R, self.offset.astype(self.dtype))
        return cross

    def correlate(
        self, prepared: NDArray, squared_norms: NDArray, mean: NDArray | None = None
    ) -> tuple[NDArray, NDArray]:
        """Multiply targets with the prepared features, and bound the rounding errors.

        A target whose product with every feature is a rounding error gets zeros: it is orthogonal
        to them, and weights fitted to rounding errors would mean nothing.

        Parameters
        ----------
        prepared : ndarray of shape (n_samples, n_targets)
            Prepared targets.
        squared_norms : ndarray of shape (n_targets,)
            Their squared norms.
        mean : ndarray of shape (n_targets,), default=None
            Means of targets that are not centered.

        Returns
        -------
        q : ndarray of shape (n_targets, n_features)
            The products.
        rounding : ndarray of shape (n_targets,)
            Size up to which they are rounding errors.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # the norms tell, and the caller looks
            q = self.cross(prepared)
            if mean is not None and self.sums is not None:
                q -= np.outer(mean, self.sums).astype(self.dtype)
        scale = 16 * np.finfo(self.dtype).eps * np.sqrt(squared_norms)
        rounding = scale * self.norms.max(initial=0)
        for target in np.flatnonzero(np.abs(q).max(axis=1, initial=0) <= rounding):
            if (np.abs(q[target]) <= scale[target] * self.norms).all():
                q[target] = 0
        return q, rounding

    def moments(self, Y_block) -> tuple[NDArray, NDArray, NDArray]:
        """Multiply a block of targets with the features, without preparing it where that is safe.

        Centered features are orthogonal to constants except for rounding errors, which are known.
        So targets whose means are moderate need no centered copy, which would take longer than the
        product.

        Parameters
        ----------
        Y_block : ndarray of shape (n_samples, n_targets)
            Targets.

        Returns
        -------
        q : ndarray of shape (n_targets, n_features)
            Products of the prepared features and targets.
        means, squared_norms : ndarray of shape (n_targets,)
            Means of the targets; their squared norms, centered and weighted.
        """
        if self.centered and self.root_weight is None and not self.is_sparse:
            Y_block = np.asarray(Y_block, dtype=self.dtype)
            with np.errstate(over="ignore", invalid="ignore"):
                mean = _mean(Y_block, None, self.total_weight)
                raw = np.einsum("ij,ij->j", Y_block, Y_block, dtype=np.float64)
                squared_norms = raw - self.total_weight * mean**2
                moderate = (raw <= 4 * squared_norms) & np.isfinite(raw)
            if moderate.all():
                return self.correlate(Y_block, squared_norms, mean)[0], mean, squared_norms
        prepared, mean, squared_norms = self.targets(Y_block)
        return self.correlate(prepared, squared_norms)[0], mean, squared_norms

    def columns(self, index: NDArray) -> NDArray:
        """Take columns of the prepared features, dense and centered.

        Parameters
        ----------
        index : ndarray of int
            The features.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            Their columns.
        """
        if not self.is_sparse:
            return self.X[:, index]
        columns = self.X[:, index].toarray()
        if self.offset is not None:
            columns -= np.outer(self._ones(), self.offset[index].astype(self.dtype))
        return columns

    def predict(self, coef: NDArray) -> NDArray:
        """Multiply the prepared features with weights.

        Parameters
        ----------
        coef : ndarray of shape (n_targets, n_features)
            Weights.

        Returns
        -------
        ndarray of shape (n_samples, n_targets)
            ``X coef'``.
        """
        predicted = self.X @ coef.T
        if self.offset is not None:
            predicted -= np.outer(self._ones(), coef @ self.offset.astype(self.dtype))
        return predicted

    def _ones(self) -> NDArray:
        """The intercept's column, weighted."""
        return (
            np.ones(self.X.shape[0], self.dtype) if self.root_weight is None else self.root_weight
        )


def _mean(A, weight: NDArray | None, total: float) -> NDArray:
    """Weighted mean of every column, accumulated in float64."""
    if weight is not None:
        return np.asarray(weight @ A, dtype=np.float64) / total
    if sparse.issparse(A):
        return A.sum(axis=0, dtype=np.float64) / total
    return A.mean(axis=0, dtype=np.float64)


def _rounding(mean: NDArray, total: float, dtype) -> NDArray:
    """Squared norm up to which a centered column is no more than the rounding of its mean."""
    # The mean is accumulated in float64 and then rounded to dtype.
    eps = 4 * np.finfo(dtype).eps + 16 * np.finfo(np.float64).eps
    return total * (eps * mean) ** 2


def _center_full_columns(
    X: sparse.csr_array, mean: NDArray, weight: NDArray | None, total: float
) -> tuple[sparse.csr_array, NDArray]:
    """Center the columns that implicit centering would cancel; the offset left for the others.

    A column whose mean square is more than 8 times its variance has at least 7 of 8 entries
    stored, so that centering it costs no memory to speak of. For the others the cancellation in
    the centered Gram is harmless.
    """
    squares = _mean(X.multiply(X), weight, total)
    full = (squares > 8 * (squares - mean**2)) & (mean != 0)
    if not full.any():
        return X, mean
    index = np.flatnonzero(full)
    columns = X[:, index].toarray() - mean[index].astype(X.dtype)
    spread = _mean(columns**2, weight, total)
    columns[:, spread <= _rounding(mean[index], 1, X.dtype)] = 0
    order = np.argsort(np.concatenate([np.flatnonzero(~full), index]))
    stacked = sparse.hstack([X[:, ~full], sparse.csr_array(columns)], format="csc")
    return stacked[:, order].tocsr(), np.where(full, 0, mean)
