"""Features prepared once for all targets: weighted, centered, and the products taken with them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from skalign.solvers._centering import (
    center_full_columns,
    column_squares,
    column_sums,
    constant_columns,
)
from skalign.solvers._gram import gram_of, sparse_gram_of
from skalign.solvers._range import SMALLEST_SQUARE, UNDERFLOWED, check_finite, check_range
from skalign.utils import Array

ROUNDED_MEAN = 64  # roundings that may be left of the mean of a centered column, over its size


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
    exponent : int
        The features here are ``2**-exponent`` times those of the user: not 0 where the floating
        type cannot hold their squares.
    """

    X: Any
    mean: Array
    root_weight: Array | None
    total_weight: float
    centered: bool
    norms: Array
    sums: Array | None
    offset: Array | None = None
    exponent: int = 0

    @classmethod
    def prepare(cls, X: Any, *, sample_weight: Array | None, center: bool) -> "Design":
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
            If `X` is not finite. An OutOfRangeError if its squares overflow or underflow.
        """
        (n_samples, n_features), weight, dtype = X.shape, sample_weight, X.dtype
        total = float(n_samples if weight is None else weight.sum())
        root = None if weight is None else np.sqrt(weight).astype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = column_sums(X, weight) / total if center else np.zeros(n_features)
            prepared, offset = X, None
            if sparse.issparse(X):
                if center:
                    prepared, offset = center_full_columns(X, mean, weight, total)
            elif center and root is None and _is_standardized(X, mean):
                prepared = X.view()
                prepared.flags.writeable = False
            elif center:  # of many features, few are taken at a time: columns that lie together
                order: Any = "F" if n_features > n_samples else "K"
                prepared = np.subtract(X, mean.astype(dtype), order=order)
            if root is not None:
                prepared = prepared * root[:, None]
                prepared = prepared.tocsr() if sparse.issparse(X) else prepared
            squares = column_squares(prepared)
            if offset is not None:
                squares = np.maximum(squares - total * offset**2, 0)
            elif center:
                constant = constant_columns(X, squares, mean, total, weight)
                if prepared[:, constant].any():
                    prepared = prepared if prepared.flags.writeable else prepared.copy("F")
                    prepared[:, constant] = 0
                squares[constant] = 0
        check_range(squares, prepared)
        left = column_sums(prepared) if center and root is None and offset is None else None
        return cls(prepared, mean, root, total, center, np.sqrt(squares), left, offset)

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

    def targets(self, Y_block: Array, numbers: Array | None = None) -> tuple[Array, Array, Array]:
        """Prepare a block of targets as the features were.

        Constant targets become exactly zero.

        Parameters
        ----------
        Y_block : ndarray of shape (n_samples, n_targets)
            Targets.
        numbers : ndarray of int of shape (n_targets,), default=None
            Numbers of the targets, for errors; counted from 0 by default.

        Returns
        -------
        prepared : ndarray of shape (n_samples, n_targets)
            The centered, weighted targets.
        means, squared_norms : ndarray of shape (n_targets,)
            Means of the targets, and squared norms of the prepared ones.

        Raises
        ------
        ValueError
            If a target is not finite. An OutOfRangeError if its squares overflow or underflow.
        """
        given, Y_block = Y_block, np.asarray(Y_block, dtype=self.dtype)
        mean = np.zeros(Y_block.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            prepared = Y_block
            weight = None if self.root_weight is None else self.root_weight**2
            if self.centered:
                mean = column_sums(Y_block, weight) / self.total_weight
                prepared = Y_block - mean.astype(self.dtype)
            if self.root_weight is not None:
                prepared = prepared * self.root_weight[:, None]
            squares = column_squares(prepared)
            if self.centered:
                constant = constant_columns(Y_block, squares, mean, self.total_weight, weight)
                if constant.any():
                    prepared[:, constant], squares[constant] = 0, 0
        underflowed = np.flatnonzero(squares == 0)
        is_lost = prepared[:, underflowed].any(axis=0)
        if given.dtype != self.dtype:  # numbers that are too small for the type are lost before
            is_zero = ~Y_block[:, underflowed].any(axis=0)
            is_lost |= is_zero & np.any(given[:, underflowed], axis=0)
        squares[underflowed] = np.where(is_lost, UNDERFLOWED, 0)
        check_finite(squares, self.dtype, numbers)
        return prepared, mean, squares

    def gram(self) -> Array:
        """Multiply the prepared features with themselves.

        Returns
        -------
        ndarray of shape (n_features, n_features)
            ``X'X``.
        """
        if not self.is_sparse:
            return gram_of(self.X)
        gram = sparse_gram_of(self.X)
        if self.offset is not None:
            gram -= self.total_weight * np.outer(self.offset, self.offset).astype(self.dtype)
        return gram

    def cross(self, R: Array) -> Array:
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
            sums = column_sums(R, self.root_weight)
            cross -= np.outer(sums, self.offset).astype(self.dtype)
        return cross

    def correlate(
        self, prepared: Array, squared_norms: Array, mean: Array | None = None
    ) -> tuple[Array, Array]:
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

    def moments(self, Y_block: Array, numbers: Array | None = None) -> tuple[Array, Array, Array]:
        """Multiply a block of targets with the features, without preparing it where that is safe.

        Centered features are orthogonal to constants except for rounding errors, which are known.
        So targets whose means are moderate need no centered copy, which would take longer than the
        product.

        Parameters
        ----------
        Y_block : ndarray of shape (n_samples, n_targets)
            Targets.
        numbers : ndarray of int of shape (n_targets,), default=None
            Numbers of the targets, for errors; counted from 0 by default.

        Returns
        -------
        q : ndarray of shape (n_targets, n_features)
            Products of the prepared features and targets.
        means, squared_norms : ndarray of shape (n_targets,)
            Means of the targets; their squared norms, centered and weighted.

        Raises
        ------
        ValueError
            If a target is not finite. An OutOfRangeError if its squares overflow or underflow.
        """
        if self.centered and self.root_weight is None and not self.is_sparse:
            block = np.asarray(Y_block, dtype=self.dtype)
            with np.errstate(over="ignore", invalid="ignore"):
                mean = column_sums(block) / self.total_weight
                raw = column_squares(block)
                squared_norms = raw - self.total_weight * mean**2
                moderate = (raw <= 4 * squared_norms) & np.isfinite(raw)
                moderate &= raw >= SMALLEST_SQUARE[self.dtype]
            if moderate.all():
                check_finite(squared_norms, self.dtype, numbers)
                return self.correlate(block, squared_norms, mean)[0], mean, squared_norms
        prepared, mean, squared_norms = self.targets(Y_block, numbers)
        return self.correlate(prepared, squared_norms)[0], mean, squared_norms

    def columns(self, index: Array) -> Array:
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
            if self.X.flags.f_contiguous:
                return self.X.T.take(index, axis=0).T
            return self.X.take(index, axis=1)
        columns = self.X[:, index].toarray()
        if self.offset is not None:
            columns -= np.outer(self._ones(), self.offset[index].astype(self.dtype))
        return columns

    def predict(self, coef: Array) -> Array:
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

    def _ones(self) -> Array:
        """The intercept's column, weighted."""
        return (
            np.ones(self.X.shape[0], self.dtype) if self.root_weight is None else self.root_weight
        )


def _is_standardized(X: Array, mean: Array) -> bool:
    """Whether only roundings are left of the means of a wide layer, so that no copy is needed.

    Zeroing the memory of a copy would take longer than all else that is done once. Such means
    matter in the second order only, and singular values do not tell so few roundings apart.
    """
    n_samples, n_features = X.shape
    if not (X.flags.f_contiguous and n_features > max(n_samples, ROUNDED_MEAN * n_samples**0.5)):
        return False
    allowed = ROUNDED_MEAN * np.finfo(X.dtype).eps
    return bool((n_samples * mean**2 <= allowed**2 * column_squares(X)).all())
