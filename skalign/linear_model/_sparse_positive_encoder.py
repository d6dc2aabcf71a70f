"""Linear encoders of many targets, with or without positive weights."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import validate_data

from skalign.linear_model._base import LinearEncoder
from skalign.linear_model._callback import begin_tasks, end_fit, with_callbacks
from skalign.linear_model._fit_warnings import (
    warn_of_drowned,
    warn_of_unconverged,
    warn_of_unobserved,
)
from skalign.metrics import check_target_names, fitted_target_names
from skalign.solvers import Moments, Penalty, solve, solve_moments
from skalign.utils import Array, Missing, check_missing, missing_explained

NO_MOMENTS = (
    "Moments are those of images on which all targets were observed: drop the images or targets "
    'concerned, or use fit with missing="mask" on all sessions together.'
)


class SparsePositiveEncoder(LinearEncoder):
    r"""Linear map from features to many targets, with positive and sparse weights.

    For every target (voxel, neuron, unit) y, on centered and weighted data,

    ============ ==================================================== =================
    penalty      minimizes                                            scikit-learn's
    ============ ==================================================== =================
    "ols"        ``1/2 |y - Xw|^2``                                   LinearRegression
    "ridge"      ``|y - Xw|^2 + alpha |w|^2``                         Ridge
    "lasso"      ``1/(2n) |y - Xw|^2 + alpha |w|_1``                  Lasso
    "elasticnet" ``1/(2n) |y - Xw|^2 + alpha l1_ratio |w|_1 +         ElasticNet
                 alpha (1 - l1_ratio)/2 |w|^2``
    ============ ==================================================== =================

    over ``w >= 0`` if `positive`, with n the number of samples or the sum of their weights. An
    `alpha` means what it means in scikit-learn's estimator of that name; ridge's loss is not
    divided by n. Positive weights cannot flip the tuning of a feature, and sparse weights can
    hardly rotate it: the features already have what such a map predicts well [1]_.

    Parameters
    ----------
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty on the weights.
    alpha : float or array-like of shape (n_targets,), default=0.1
        Strength of the penalty, one for all targets or one per target. On standardized data a
        lasso with ``alpha >= 1`` is always empty. An infinite alpha leaves a target empty: all
        weights are zero, and the intercept is the mean. "ols" ignores other alphas.
    l1_ratio : float or array-like of shape (n_targets,), default=0.5
        Share of the l1 penalty in "elasticnet", from 0 to 1; one for all targets or one per target.
    positive : bool, default=True
        Whether weights must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is neither penalized nor bounded.
    tol : float, default=None
        Bound on the violation of the optimality conditions (KKT), which is a correlation of a
        feature with the residual: no rescaling of features or targets changes it. By default 1e-7
        in float64 and 1e-4 in float32. Fits usually reach far smaller violations.
    max_iter : int, default=10000
        Bound on the iterations of one target: rounds of the active set plus Newton steps.
    missing : {"error", "mask"}, default="error"
        What to do if `y` has NaN: raise an error, or fit every target to the images on which it was
        observed, as if it were alone. Other targets and the features then stay as they are. A
        target that was never observed is left empty: zero weights, and 0 as intercept.
    n_jobs : int, default=None
        Number of threads over blocks of targets. None is 1 unless in a
        :func:`joblib.parallel_config`; -1 uses all processors. During `fit` BLAS uses one thread,
        so that no processor has more than one to run.

    Attributes
    ----------
    coef_ : ndarray of shape (n_targets, n_features) or (n_features,)
        Weights; 1-D if y was.
    sparse_coef_ : sparse array of shape (n_targets, n_features)
        The same weights in CSR format.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; zero without `fit_intercept`.
    n_iter_ : ndarray of shape (n_targets,)
        Iterations of every target; 1 for closed forms and for empty targets.
    kkt_violation_ : ndarray of shape (n_targets,)
        Violation of the optimality conditions by the weights; 0 is exact.
    dual_gap_ : ndarray of shape (n_targets,)
        Upper bound on the distance of the objective above from its minimum, in its own units; NaN
        without a penalty, where no bound is known.
    is_unique_ : ndarray of shape (n_targets,), dtype bool
        Whether no other weights are optimal. Of several minimizers the one of least norm is kept.
    moments_ : Moments
        Second moments of all sessions so far; only after `partial_fit`.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in fit, if they were all strings.
    target_names_in_ : ndarray of shape (n_targets,)
        Names of the targets seen in fit, if `y` was a frame or series and they were all strings.

    See Also
    --------
    SparsePositiveEncoderCV : Chooses alpha, for every target.
    sparse_positive_path : All alphas at once.
    sklearn.linear_model.Lasso : One coordinate descent per target.
    skalign.metrics.tuning_reorientation : How far the fitted map turns the features.

    Notes
    -----
    ``encoder.set_callbacks(sklearn.callback.ProgressBar())`` shows progress (needs rich), with a
    task for every block of targets. In a search, set the callback on the search.

    `fit` reads targets block by block. But a search or cross-validation of scikit-learn copies
    ``y[train]`` in every fold, and predictions are as large as ``y``: if they exceed memory, fit
    some targets at a time.

    Sessions that arrive one by one are taken in by `partial_fit`. Moments that were computed
    elsewhere, saved and summed are solved by :func:`~skalign.solvers.solve_moments`.

    All targets share ``X'X`` where that costs less than it saves. For every target, coordinate
    descent on an active set finds the support, and a Cholesky factor the exact weights on it. The
    fit stops when

    - ``|g_i - l1 sign(w_i)|`` of active features and
    - ``g_i - l1`` (``|g_i| - l1`` without sign constraints) of the others,

    with ``g = X'(y - Xw) - l2 w``, are at most `tol` times ``|x_i| |y|``. OLS and ridge without
    sign constraints are closed forms: a Cholesky factor of the Gram if its condition allows, else
    an SVD of X (LSQR if X is sparse). If the minimizer is not unique, the one of minimum norm is
    taken, the limit of a vanishing ridge penalty, whatever the other targets are.

    A constant column gets no weight if an intercept is fitted. A constant target is left empty, and
    under positive weights a target that correlates positively with no feature: zero weights are the
    solution then, not a failure. Count the empty targets before you average over targets.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 4))
    >>> y = X @ [[1.0, 0.0], [0.5, 0.0], [0.0, -1.0], [0.0, 0.0]]
    >>> encoder = SparsePositiveEncoder("lasso", alpha=0.1).fit(X, y)
    >>> encoder.coef_.round(1)
    array([[0.9, 0.4, 0. , 0. ],
           [0. , 0. , 0. , 0. ]])
    >>> bool(encoder.kkt_violation_.max() < 1e-12)
    True
    """

    moments_: Moments

    def __init__(
        self,
        penalty: Penalty = "lasso",
        alpha: ArrayLike = 0.1,
        *,
        l1_ratio: ArrayLike = 0.5,
        positive: bool = True,
        fit_intercept: bool = True,
        tol: float | None = None,
        max_iter: int = 10_000,
        missing: Missing = "error",
        n_jobs: int | None = None,
    ):
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.missing = missing
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the weights of all targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features. float32 is kept and computed with; all else becomes float64.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, read block by block: may be memory-mapped and larger than memory. NaN, or None
            in a data frame, is a missing response.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.

        Returns
        -------
        self : object
            Fitted encoder.

        Raises
        ------
        TypeError
            If a parameter is of the wrong type.
        ValueError
            If a parameter, `X`, `y` or `sample_weight` is not valid.

        Warns
        -----
        UserWarning
            If targets have no observed image, with ``missing="mask"``, or if the mean of a target
            is more than 1e12 times its spread, 1e6 times in float32.
        ConvergenceWarning
            If targets did not reach `tol` within `max_iter` iterations.
        """
        given_X, given_y = X, y
        X, y, sample_weight = self._check_data(X, y, sample_weight)
        data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        solution = solve(
            X,
            y.reshape(-1, 1) if y.ndim == 1 else y,
            self.penalty,
            self.alpha,
            l1_ratio=self.l1_ratio,
            positive=self.positive,
            fit_intercept=self.fit_intercept,
            sample_weight=sample_weight,
            tol=self.tol,
            max_iter=self.max_iter,
            missing=self.missing,
            n_jobs=self.n_jobs,
            progress=partial(begin_tasks, self, **data),
        )
        self._keep_names(given_X, given_y)
        self._keep(y, solution)
        if hasattr(self, "moments_"):
            del self.moments_  # of sessions before
        if self.fit_intercept:
            warn_of_drowned(y, X.dtype)
        warn_of_unobserved(y, solution)
        warn_of_unconverged(solution, self.max_iter)
        end_fit(self, **data)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Take in the images of one more session, and fit the weights to all sessions so far.

        The weights are those of one `fit` to all images, up to rounding errors. What is kept
        between sessions are second moments, `moments_`, whose size does not depend on the number
        of images.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features of the session.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets of the session: the same ones in all sessions.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.

        Returns
        -------
        self : object
            Fitted encoder.

        Raises
        ------
        TypeError
            If a parameter is of the wrong type.
        ValueError
            If a parameter, `X`, `y` or `sample_weight` is not valid, or features or targets differ
            from those of the sessions before.

        Warns
        -----
        UserWarning
            If the encoder was fitted by `fit`, which keeps no moments: its images are forgotten.
        ConvergenceWarning
            If targets did not reach `tol`. A least-squares problem without signs that is
            ill-conditioned cannot be solved from moments: fit it to the images.
        """
        is_first = not hasattr(self, "moments_")
        if is_first and hasattr(self, "coef_"):
            warnings.warn(
                "partial_fit should begin with an unfitted encoder; got one fitted by fit, which "
                "keeps no moments: its images are forgotten. Use partial_fit for the first session "
                "too.",
                UserWarning,
                stacklevel=2,
            )
        given_X, given_y = X, y
        X, y, sample_weight = self._check_data(X, y, sample_weight)
        if is_first:
            coef = None
        else:
            self._check_session(given_X, given_y, y)
            coef = np.atleast_2d(self.coef_)
        Y = y.reshape(-1, 1) if y.ndim == 1 else y
        check_missing(self.missing)
        with missing_explained(Y, remedy=NO_MOMENTS):
            moments = Moments.of(X, Y, sample_weight, fit_intercept=self.fit_intercept)
        if not is_first:
            moments = self.moments_ + moments
        solution = solve_moments(
            moments,
            self.penalty,
            self.alpha,
            l1_ratio=self.l1_ratio,
            positive=self.positive,
            coef_init=coef,
            tol=self.tol,
            max_iter=self.max_iter,
            n_jobs=self.n_jobs,
        )
        if is_first:
            self._keep_names(given_X, given_y)
        self.moments_: Moments = moments
        self._keep(y, solution)
        warn_of_unconverged(solution, self.max_iter)
        return self

    def _check_session(self, given_X: Any, given_y: Any, y: Array) -> None:
        """Check that features and targets are those of the sessions before."""
        validate_data(self, given_X, skip_check_array=True, reset=False)
        shape = np.shape(self.intercept_)
        if y.shape[1:] != shape:
            expected = f"(n_samples, {shape[0]})" if shape else "(n_samples,)"
            raise ValueError(
                f"y must have the targets of the sessions before, shape {expected}; got shape "
                f"{y.shape}. Use fit to begin anew."
            )
        check_target_names(given_y, fitted_target_names(self), of="the sessions before")
        if self.fit_intercept != self.moments_.centered:
            raise ValueError(
                f"fit_intercept must stay {self.moments_.centered} between sessions; got "
                f"{self.fit_intercept}. Use fit to begin anew."
            )
