"""How far weights are from optimal, from the residual itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from skalign.solvers._arguments import check_problem
from skalign.solvers._design import Design
from skalign.solvers._penalties import Penalty, PenaltyStrengths, penalty_strengths
from skalign.utils import Array, Doubles

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Certificate:
    """Optimality of given weights, per target.

    Parameters
    ----------
    objective : ndarray of shape (n_targets,)
        Objective in scikit-learn's scale of the penalty.
    kkt_violation : ndarray of shape (n_targets,)
        Largest violation of the optimality conditions, as a correlation: over ``|x_j| |y|``.
    dual_gap : ndarray of shape (n_targets,)
        Upper bound on objective minus minimum, rounding errors included; NaN without any penalty.
    """

    objective: Doubles
    kkt_violation: Doubles
    dual_gap: Doubles


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
    violation is the largest departure over :math:`|x_i| |y|`: a correlation, which does not change
    when units or targets are rescaled. The dual point behind the gap is the residual, scaled into
    the feasible set. All sums are in double precision.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features; float32 is judged in double precision.
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
    features, given = features.astype(np.float64), given.astype(np.float64)
    design = Design.prepare(features, sample_weight=weight, center=fit_intercept)
    strengths = penalty_strengths(
        penalty, alpha, l1_ratio, n_targets=targets.shape[1], total_weight=design.total_weight
    )
    prepared, _, squared_norms = design.targets(targets)
    residual = prepared - design.predict(given)
    finite = strengths
    if strengths.empty.any():
        finite = strengths.finite(design.cross(prepared))
    certificate = certify_residual(design, residual, given, finite, squared_norms, positive)
    empty, has_weights = strengths.empty, given.any(axis=1)
    certificate.objective[empty & has_weights] = np.inf
    for found in (certificate.kkt_violation, certificate.dual_gap):
        found[empty] = np.where(has_weights[empty], np.inf, 0)
    if penalty == "ols":  # no dual point is feasible
        certificate.dual_gap[:] = np.nan
    return certificate


def certify_residual(
    design: Design,
    residual: Array,
    coef: Array,
    strengths: PenaltyStrengths,
    squared_norms: Array,
    positive: bool,
    *,
    products: Array | None = None,
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
    strengths : PenaltyStrengths
        Penalty.
    squared_norms : ndarray of shape (n_targets,)
        Squared norms of the prepared targets.
    positive : bool
        Whether weights must not be negative.
    products : ndarray of shape (n_targets, n_features), default=None
        Products of features and residual, where they have been taken.

    Returns
    -------
    Certificate
        Objective, KKT violation and duality gap.
    """
    l1, l2 = strengths.l1[:, None], strengths.l2[:, None]
    coef = np.asarray(coef, dtype=np.float64)
    u = (design.cross(residual) if products is None else products).astype(np.float64, copy=False)
    off = np.abs(u - l2 * coef - l1 * np.sign(coef))  # of an active unit from its bound
    violations = np.where(coef != 0, off, np.maximum((u if positive else np.abs(u)) - l1, 0))
    if positive:
        violations[coef < 0] = np.inf
    kkt = over_norms(violations, design.norms, squared_norms).max(axis=1, initial=0)

    # The dual point behind the gap is the residual; `slip` bounds what rounding did to u.
    size = np.sqrt(squared_norms) + np.abs(coef) @ design.norms
    roundings = design.rounding + np.finfo(design.dtype).eps * np.count_nonzero(coef, axis=1)
    slip = (roundings * size)[:, None] * design.norms
    rr = np.einsum("ij,ij->j", residual, residual, dtype=np.float64)
    most_rr = rr + roundings * size**2
    penalties = (l1 * np.abs(coef)).sum(axis=1) + 0.5 * (l2 * coef**2).sum(axis=1)
    reach = (u if positive else np.abs(u)) + slip
    # Without an l2 penalty the dual point must shrink until it is feasible; with one it always is.
    steepest, shrink = reach.max(axis=1, initial=0), np.ones_like(rr)
    np.divide(strengths.l1, steepest, out=shrink, where=steepest > strengths.l1)
    paid, earned = l1 * np.abs(coef), shrink[:, None] * coef * u
    gap = np.maximum((paid - earned).sum(axis=1), 0) + shrink * (np.abs(coef) * slip).sum(axis=1)
    gap += len(design.norms) * EPS * (paid + np.abs(earned)).sum(axis=1)
    gap += 0.5 * (1 - shrink) ** 2 * most_rr
    ridged = strengths.l2 > 0
    over = np.where(coef != 0, off + slip, np.maximum(reach - l1, 0))[ridged]
    gap[ridged] = (over**2).sum(axis=1) / (2 * strengths.l2[ridged])
    gap = np.minimum(gap, 0.5 * most_rr + penalties) * (1 + 8 * EPS)
    gap[(strengths.l1 == 0) & (strengths.l2 == 0)] = np.nan
    return Certificate(strengths.unit * (0.5 * rr + penalties), kkt, strengths.unit * gap)


def over_norms(products: Array, norms: Array, squared_norms: Array) -> Doubles:
    """Divide products (n_targets, n_features) by ``|x_j| |y|``, zero or infinity over 0."""
    sizes = np.sqrt(squared_norms)[:, None] * norms
    found = np.where(products > 0, np.inf, 0.0)
    return np.divide(products, sizes, out=found, where=sizes > 0)


def rounding_violation(norms: Array, coef: Array, squared_norms: Array) -> Doubles:
    """Violation (n_targets,) that rounding errors of features and weights alone may hide."""
    reach = np.abs(coef) @ norms
    sizes = np.sqrt(squared_norms)
    hidden = np.zeros(len(reach))
    np.divide(np.finfo(coef.dtype).eps * reach, sizes, out=hidden, where=sizes > 0)
    return hidden
