"""How far weights are from optimal, from the residual itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skalign.solvers._arguments import check_problem
from skalign.solvers._design import Design, check_finite
from skalign.solvers._penalties import Penalty, Scale, penalty_scale


@dataclass(frozen=True, eq=False)
class Certificate:
    """Optimality of given weights, per target.

    Parameters
    ----------
    objective : ndarray of shape (n_targets,)
        Objective in scikit-learn's scale of the penalty.
    kkt_violation : ndarray of shape (n_targets,)
        Largest violation of the optimality conditions, relative to the largest ``|X'y|``.
    dual_gap : ndarray of shape (n_targets,)
        Upper bound on objective minus minimum; NaN without any penalty.
    """

    objective: NDArray[np.float64]
    kkt_violation: NDArray[np.float64]
    dual_gap: NDArray[np.float64]


def certify(
    X: ArrayLike,
    Y: ArrayLike,
    coef: ArrayLike,
    penalty: Penalty = "lasso",
    alpha: ArrayLike = 0.1,
    *,
    l1_ratio: float = 0.5,
    positive: bool = True,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
) -> Certificate:
    r"""Objective, KKT violation and duality gap of any weights, whoever found them.

    With :math:`r = y - Xw` on centered, weighted data and :math:`g = X'r - \lambda_2 w`, weights
    are optimal when :math:`g_i = \lambda_1 \operatorname{sign} w_i` for every active unit and
    :math:`g_i \le \lambda_1` (in absolute value where signs are free) for the others. The
    violation is the largest departure over :math:`\max |X'y|`. The dual point behind the gap is
    the residual, scaled into the feasible set.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features.
    Y : array-like of shape (n_samples, n_targets)
        Targets.
    coef : array-like of shape (n_targets, n_features)
        Weights to judge. The intercept is the one that is optimal for them.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty, in the scale of scikit-learn's estimator of that name.
    alpha : float or array-like of shape (n_targets,), default=0.1
        Strength of the penalty.
    l1_ratio : float, default=0.5
        Share of the l1 penalty in "elasticnet".
    positive : bool, default=True
        Whether weights must not be negative.
    fit_intercept : bool, default=True
        Whether the data are centered.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.

    Returns
    -------
    Certificate
        ``objective``, ``kkt_violation`` and ``dual_gap``, each of shape (n_targets,). A negative
        weight under `positive` makes the violation infinite.

    Raises
    ------
    ValueError
        If an argument is not valid: its name is in the message.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import certify
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    >>> certify(X, X[:, :1], [[1.0, 0.0]], "ols").kkt_violation
    array([0.])
    >>> certify(X, X[:, :1], [[0.0, 0.0]], "ols").kkt_violation
    array([1.])
    """
    features, targets, weight, given = check_problem(X, Y, sample_weight, coef, "coef")
    design = Design.prepare(features, sample_weight=weight, center=fit_intercept)
    scale = penalty_scale(
        penalty, alpha, l1_ratio, n_targets=targets.shape[1], total_weight=design.total_weight
    )
    prepared, _, squared_norms = design.targets(targets)
    check_finite(squared_norms, design.dtype, np.arange(targets.shape[1]))
    q, rounding = design.correlate(prepared, squared_norms)
    residual = prepared - design.predict(given)
    return certify_residual(design, residual, given, scale, q, rounding, squared_norms, positive)


def certify_residual(
    design: Design,
    residual: NDArray,
    coef: NDArray,
    scale: Scale,
    q: NDArray,
    rounding: NDArray,
    squared_norms: NDArray,
    positive: bool,
) -> Certificate:
    """The certificate from a residual; one matrix product.

    Parameters
    ----------
    design : Design
        Prepared features.
    residual : ndarray of shape (n_samples, n_targets)
        Prepared targets minus their prediction.
    coef : ndarray of shape (n_targets, n_features)
        Weights.
    scale : Scale
        Penalty.
    q : ndarray of shape (n_targets, n_features)
        Features times prepared targets.
    rounding : ndarray of shape (n_targets,)
        Size up to which those products are rounding.
    squared_norms : ndarray of shape (n_targets,)
        Squared norms of the prepared targets.
    positive : bool
        Whether weights must not be negative.

    Returns
    -------
    Certificate
        Objective, KKT violation and duality gap.
    """
    l1, l2 = scale.l1[:, None], scale.l2[:, None]
    coef = np.asarray(coef, dtype=np.float64)
    u = design.cross(residual).astype(np.float64)
    g = u - l2 * coef
    excess = (g if positive else np.abs(g)) - l1
    violations = np.where(coef != 0, np.abs(g - l1 * np.sign(coef)), np.maximum(excess, 0))
    if positive:
        violations[coef < 0] = np.inf
    largest = np.abs(q).max(axis=1, initial=0).astype(np.float64)
    violation = violations.max(axis=1, initial=0)
    kkt = np.where(violation > rounding, np.inf, 0.0)
    np.divide(violation, largest, out=kkt, where=largest > 0)

    rr = np.einsum("ij,ij->j", residual, residual, dtype=np.float64)
    primal = 0.5 * rr + (l1 * np.abs(coef)).sum(axis=1) + 0.5 * (l2 * coef**2).sum(axis=1)
    yr = squared_norms - np.einsum("ij,ij->i", coef, q)
    reach = np.maximum(u if positive else np.abs(u), 0)
    top = reach.max(axis=1, initial=0)
    # Without an l2 penalty the residual must shrink until it is feasible; with one it always is.
    shrink = np.ones_like(rr)
    np.divide(scale.l1, top, out=shrink, where=(scale.l2 == 0) & (top > scale.l1))
    conjugate = np.zeros_like(rr)
    over = (np.maximum(reach - l1, 0) ** 2).sum(axis=1)
    np.divide(over, 2 * scale.l2, out=conjugate, where=scale.l2 > 0)
    gap = np.maximum(primal - (shrink * yr - 0.5 * shrink**2 * rr - conjugate), 0)
    gap[(scale.l1 == 0) & (scale.l2 == 0)] = np.nan
    return Certificate(scale.unit * primal, kkt, scale.unit * gap)
