"""All alphas of an encoder at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_consistent_length

from skalign.linear_model._base import check_targets
from skalign.solvers import Penalty, SolutionPath, solve_path
from skalign.utils import Missing, check_flag, check_sample_weight


def sparse_positive_path(
    X: Any,
    y: Any,
    penalty: Penalty = "lasso",
    *,
    alphas: int | ArrayLike = 10,
    l1_ratio: float = 0.5,
    positive: bool = True,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    sparse_output: bool = False,
    tol: float | None = None,
    max_iter: int = 10_000,
    missing: Missing = "error",
    n_jobs: int | None = None,
) -> SolutionPath:
    """Fit the weights of many targets at many strengths of the penalty.

    Every fit starts from the one at the next larger alpha, and all share ``X'X`` and ``X'y``.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features. float32 is kept and computed with; all else becomes float64.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets, read block by block: may be memory-mapped.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty, as in :class:`SparsePositiveEncoder`.
    alphas : int or array-like of shape (n_alphas,) or (n_alphas, n_targets), default=10
        Strengths, which are sorted in descending order, or their number. A number makes a grid
        that suits the data:

        - "lasso": evenly spaced in the logarithm over two decades, from the least alpha at which
          the target is empty.
        - "elasticnet": from the least alpha at which the target is empty. The k-th alpha takes the
          same share of the weight of the target's leading feature, were it alone, as the k-th
          alpha of lasso does.
        - "ridge": evenly spaced in the logarithm over six decades, from the largest eigenvalue of
          the Gram of the (centered) features.
        - "ols": one alpha, 0.
    l1_ratio : float, default=0.5
        Share of the l1 penalty in "elasticnet".
    positive : bool, default=True
        Whether weights must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.
    sparse_output : bool, default=False
        Whether weights are sparse arrays: they take memory for active units only.
    tol : float, default=None
        Bound on the KKT violation; by default 1e-7 in float64 and 1e-4 in float32.
    max_iter : int, default=10000
        Bound on the iterations of one target at one alpha.
    missing : {"error", "mask"}, default="error"
        What to do if `y` has NaN: raise an error, or fit every target to the images on which it was
        observed, as in :class:`SparsePositiveEncoder`.
    n_jobs : int, default=None
        Number of threads over blocks of targets.

    Returns
    -------
    SolutionPath
        Alphas, weights, intercepts, numbers of active units, and the certificate of every fit.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is not valid: its name is in the message.

    See Also
    --------
    SparsePositiveEncoderCV : Chooses one of the alphas for every target.

    Notes
    -----
    Under positive weights a target that correlates positively with no feature is empty at any
    alpha. Its grid is the one without sign constraints. A path does not warn of fits that stop
    early: look at its ``converged``.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.linear_model import sparse_positive_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 8))
    >>> y = X[:, :2] + 0.1 * rng.standard_normal((50, 2))
    >>> path = sparse_positive_path(X, y, alphas=3)
    >>> path.coef.shape, path.n_active[:, 0]
    ((3, 2, 8), array([0, 1, 4]))
    """
    check_flag(positive, "positive")
    check_flag(fit_intercept, "fit_intercept")
    X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], input_name="X")
    y = check_targets(y)
    check_consistent_length(X, y)
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, X.shape[0])
    return solve_path(
        X,
        y.reshape(len(y), -1),
        penalty,
        alphas,
        l1_ratio=l1_ratio,
        positive=positive,
        fit_intercept=fit_intercept,
        sample_weight=sample_weight,
        tol=tol,
        max_iter=max_iter,
        missing=missing,
        sparse_output=sparse_output,
        n_jobs=n_jobs,
    )
