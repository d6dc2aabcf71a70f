"""What all encoders share: the data they take, the weights they keep, and how they predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags, assert_all_finite, check_array, check_consistent_length
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skalign.linear_model._callback import CallbackSupportMixin
from skalign.solvers import Solution
from skalign.utils import (
    Array,
    DocumentationLink,
    Doubles,
    Floats,
    Missing,
    MissingPatterns,
    VersionedState,
    check_flag,
    check_missing,
    check_sample_weight,
    target_names,
    unmask,
)

FLOATS = [np.float64, np.float32]


def check_targets(y: Any) -> Array:
    """Check that targets are numbers or missing: NaN, None, or what a data frame has instead.

    They are not searched for NaN here: that would read them twice. The solver sees them.
    """
    if _is_plain(y):  # skips the search for data frames
        return np.asarray(y)
    y = unmask(y)
    try:
        table: Array = check_array(y, ensure_2d=False, ensure_all_finite=False, input_name="y")
        if table.dtype == object:
            table = table.astype(np.float64)
    except TypeError as error:  # of float(): an object that is no number
        raise ValueError(
            "y must be made of numbers, and of NaN or None where responses are missing; got other "
            f"objects ({error}). Convert y to floats."
        ) from error
    return table


class LinearEncoder(
    VersionedState,
    DocumentationLink,
    CallbackSupportMixin,
    MultiOutputMixin,
    RegressorMixin,
    BaseEstimator,
):
    """Linear map to many targets, fitted with a certificate."""

    missing: Missing

    def _check_data(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Array, Doubles | None]:
        for name in ("positive", "fit_intercept"):
            check_flag(getattr(self, name), name)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        # Plain arrays skip the search for data frames, which takes as long as a small fit.
        if _is_plain(X) and X.ndim == 2 and X.dtype in FLOATS:
            assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
        else:
            X = check_array(X, accept_sparse="csr", dtype=FLOATS, estimator=self, input_name="X")
            X = sparse.csr_array(X) if sparse.issparse(X) else X
        y = check_targets(y)
        check_consistent_length(X, y)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X.shape[0])
        return X, y, sample_weight

    def _keep_names(self, X: Any, y: Any) -> None:
        """Keep the names of features and targets, of `X` and `y` as they were given."""
        if _is_plain(X):
            self.n_features_in_ = X.shape[1]
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_  # of a fit before
        else:
            validate_data(self, X, skip_check_array=True)  # n_features_in_, feature_names_in_
        names = None if _is_plain(y) else target_names(y)
        if names is not None:
            self.target_names_in_ = names
        elif hasattr(self, "target_names_in_"):
            del self.target_names_in_  # of a fit before

    def _keep(self, y: Array, solution: Solution) -> None:
        """Keep the weights and their certificates; 1-D where `y` is."""
        self.coef_, self.intercept_ = solution.coef, solution.intercept
        if y.ndim == 1:
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]
        self.n_iter_ = solution.n_iter
        self.kkt_violation_ = solution.kkt_violation
        self.dual_gap_ = solution.dual_gap
        self.is_unique_ = solution.unique

    def predict(self, X: Any) -> Floats:
        """Predict the responses of all targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted responses; 1-D if the `y` of `fit` was 1-D.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        predicted: Floats = safe_sparse_dot(X, self.coef_.T, dense_output=True)
        predicted += self.intercept_  # in place: predictions of all targets are large
        return predicted

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Compute the coefficient of determination R2, averaged over targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Observed responses. With ``missing="mask"`` they may have NaN: every target is scored on
            its own observed images, and targets that have fewer than two are left out of the mean.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            Mean R2, at most 1; high is good. NaN if no target can be scored.
        """
        if check_missing(self.missing) == "error":
            return float(super().score(X, y, sample_weight))
        y = check_targets(y)
        predicted = self.predict(X)
        check_consistent_length(predicted, y, sample_weight)
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        Y, predicted = y.reshape(len(y), -1), predicted.reshape(len(y), -1)
        r2 = [
            r2_score(
                Y[pattern.observed][:, pattern.targets],
                predicted[pattern.observed][:, pattern.targets],
                sample_weight=None if weight is None else weight[pattern.observed],
                multioutput="raw_values",
            )
            for pattern in MissingPatterns(Y, weight)
            if pattern.n_observed > 1
        ]
        return float(np.concatenate(r2).mean()) if r2 else np.nan

    @property
    def sparse_coef_(self) -> sparse.csr_array:
        """Weights in CSR format, of shape (n_targets, n_features)."""
        check_is_fitted(self)
        return sparse.csr_array(np.atleast_2d(self.coef_))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _is_plain(array: Any) -> bool:
    """Whether an array is NumPy's own, of one or two dimensions, of numbers and not empty."""
    return (
        type(array) is np.ndarray
        and array.dtype.kind in "biuf"
        and 1 <= array.ndim <= 2
        and array.size > 0
    )
