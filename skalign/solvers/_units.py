"""Numbers whose squares the floating type cannot hold are solved in other units: powers of two.

With X' = 2^-a X and y' = 2^-b y, weights are w' = 2^(a-b) w; an l1 penalty shrinks by 2^-(a+b), an
l2 penalty by 2^-2a, and objectives by 2^-2b. No digit changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from skalign.solvers._design import Design
from skalign.solvers._penalties import PenaltyStrengths
from skalign.solvers._range import OutOfRangeError
from skalign.solvers._solution import Solution
from skalign.utils import Array, Integers


def features_in_range(X: Any) -> tuple[Any, int]:
    """Bring all features to the middle of the range of their floating type.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_samples, n_features)
        Features.

    Returns
    -------
    X : ndarray or csr_array of shape (n_samples, n_features)
        The features times ``2**-exponent``.
    exponent : int
        The exponent; 0 for features that are not finite.
    """
    largest = np.abs(X).max(axis=0)
    largest = largest.toarray().ravel() if sparse.issparse(largest) else np.ravel(largest)
    if not np.isfinite(largest).all() or not largest.any():
        return X, 0
    _, exponents = np.frexp(largest[largest > 0])
    exponent = (int(exponents.max()) + int(exponents.min())) // 2
    if sparse.issparse(X):
        X = X.copy()
        X.data = np.ldexp(X.data, -exponent)
        return X, exponent
    return np.ldexp(X, -exponent), exponent


def design_in_range(X: Any, *, sample_weight: Array | None, center: bool) -> Design:
    """Prepare features of any scale.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_samples, n_features)
        Features.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    center : bool
        Whether there is an intercept.

    Returns
    -------
    Design
        The prepared features, in a unit in which their squares can be held.

    Raises
    ------
    ValueError
        If X is not finite, or no unit suits all features.
    """
    try:
        return Design.prepare(X, sample_weight=sample_weight, center=center)
    except OutOfRangeError:
        scaled, exponent = features_in_range(X)
        if exponent == 0:
            raise
    try:
        design = Design.prepare(scaled, sample_weight=sample_weight, center=center)
    except OutOfRangeError:
        raise OutOfRangeError(
            f"X must have features whose squares {X.dtype} can hold together; got scales too far "
            "apart. Scale X."
        ) from None
    return replace(design, exponent=exponent)


def targets_in_range(Y_block: Array) -> tuple[Array, Integers]:
    """Bring every target that is finite to values up to 1.

    Parameters
    ----------
    Y_block : ndarray of shape (n_samples, n_targets)
        Targets.

    Returns
    -------
    Y_block : ndarray of shape (n_samples, n_targets)
        The targets times ``2**-exponents``.
    exponents : ndarray of shape (n_targets,)
        The exponents.
    """
    Y_block = np.asarray(Y_block, dtype=np.result_type(Y_block, np.float32))
    _, exponents = np.frexp(np.abs(Y_block).max(axis=0, initial=0))
    return np.ldexp(Y_block, -exponents), exponents.astype(np.int64)


def strengths_in_units(
    penalty: PenaltyStrengths, of_features: int, of_targets: Integers
) -> PenaltyStrengths:
    """Convert the strengths of a penalty.

    Parameters
    ----------
    penalty : PenaltyStrengths
        Strengths for the numbers as they are.
    of_features : int
        Exponent of the features' unit.
    of_targets : ndarray of shape (n_targets,)
        Exponents of the targets' units.

    Returns
    -------
    PenaltyStrengths
        Strengths for the numbers in those units; none that is positive becomes zero.
    """
    tiny = np.finfo(np.float64).tiny
    with np.errstate(over="ignore", under="ignore"):
        l1 = np.ldexp(penalty.l1, -(of_features + of_targets))
        l2 = np.ldexp(penalty.l2, -2 * of_features)
    l1 = np.where(penalty.l1 > 0, np.maximum(l1, tiny), 0)
    l2 = np.where(penalty.l2 > 0, np.maximum(l2, tiny), 0)
    return replace(penalty, l1=l1, l2=l2)


def solution_in_units(solution: Solution, of_features: int, of_targets: Integers) -> Solution:
    """Convert a solution back to the numbers as they are.

    Parameters
    ----------
    solution : Solution
        Solution in units.
    of_features : int
        Exponent of the features' unit.
    of_targets : ndarray of shape (n_targets,)
        Exponents of the targets' units.

    Returns
    -------
    Solution
        The solution.

    Raises
    ------
    OutOfRangeError
        If the floating type cannot hold a weight.
    """
    with np.errstate(over="ignore", under="ignore"):
        coef = np.ldexp(solution.coef, (of_targets - of_features)[:, None])
        intercept = np.ldexp(solution.intercept, of_targets)
        gap = np.ldexp(solution.dual_gap, 2 * of_targets)
    held = (solution.coef == 0) | (np.abs(coef) >= np.finfo(coef.dtype).tiny)
    if not (held & np.isfinite(coef)).all():
        raise OutOfRangeError(f"X and y must have weights that {coef.dtype} can hold. Scale both.")
    gap = np.where(solution.dual_gap > 0, np.maximum(gap, np.nextafter(0, 1)), gap)
    return replace(solution, coef=coef, intercept=intercept, dual_gap=gap)
