"""What all encoders share: the data they take, the weights they keep, and how they predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import Tags, assert_all_finite, check_array, check_consistent_length
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skalign.linear_model._callback import CallbackSupportMixin
from skalign.solvers import Solution
from skalign.utils import (
    Array,
    Doubles,
    Floats,
    VersionedState,
    check_flag,
    check_sample_weight,
    target_names,
)

FLOATS = [np.float64, np.float32]


class LinearEncoder(
    VersionedState, CallbackSupportMixin, MultiOutputMixin, RegressorMixin, BaseEstimator
):
    """Linear map to many targets, fitted with a certificate."""

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
        # y is not searched for NaN here: that would read it twice. The solver sees them.
        if not _is_plain(y):
            y = check_array(y, ensure_2d=False, ensure_all_finite=False, input_name="y")
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
