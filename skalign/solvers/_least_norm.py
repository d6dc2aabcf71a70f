"""Which minimizer a target gets where there are many: the one of minimum norm.

Minimizers of a convex problem share their prediction, and those of an l1 penalty the sum of their
weights. Only features whose gradient is at its bound can carry weight: the *tied* ones. So the
minimizers are the weights w >= 0 (after a change of sign) of the tied features with one and the
same prediction Aw = b. There is one if the tied features are independent; if not, the one of
minimum norm is chosen: the limit of a vanishing ridge penalty, which depends on the data alone.

These weights are w = (A'v)+ for the maximizer v of the concave function b'v - 1/2 |(A'v)+|^2,
which Newton steps find.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh, lstsq, qr

from skalign.solvers._least_squares import powers_of_two
from skalign.utils import Doubles, Flags, Floats, Indices, check_interrupt

TIED = 0.1  # gradients that are this close to their bound, times tol, are at it
# Singular values below this fraction of the largest are those of dependent features: from the
# features themselves, and from a Gram, which squares them.
DEPENDENT = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}
DEPENDENT_IN_GRAM = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 3e-3}
NEWTON_STEPS = 100
HALVINGS = 50
# How far a prediction may be from that of the minimizer, over its norm.
EXACT, NEARLY_EXACT = 1e-12, 1e-9


def tied_features(
    gradient: Floats, coef: Floats, l1: Doubles, sizes: Doubles, norms: Doubles, *, positive: bool
) -> NDArray[np.int8]:
    """Signs of the features that may carry weight in a minimizer, 0 for the others.

    Parameters
    ----------
    gradient : ndarray of shape (n_targets, n_features)
        Products of the features with the residual.
    coef : ndarray of shape (n_targets, n_features)
        A minimizer.
    l1 : ndarray of shape (n_targets,)
        Penalty.
    sizes : ndarray of shape (n_targets,)
        Norms of the targets times how far from its bound a gradient counts as at it.
    norms : ndarray of shape (n_features,)
        Norms of the features.
    positive : bool
        Whether weights must not be negative.

    Returns
    -------
    ndarray of shape (n_targets, n_features)
        The signs.
    """
    reach = gradient if positive else np.abs(gradient)
    tied = (reach - l1[:, None] >= -sizes[:, None] * norms) & (norms > 0)
    signs = np.ones(coef.shape) if positive else np.sign(gradient)
    return np.where(coef != 0, np.sign(coef), tied * signs).astype(np.int8)


class TiedFeatures:
    """Tied features, reduced to as many rows as they have independent directions.

    Parameters
    ----------
    A : ndarray of shape (n_rows, n_tied)
        The features times their signs; or any array with the same products ``A'A``.
    dependent : float
        Singular values below this fraction of the largest count as zero.
    """

    def __init__(self, A: Doubles, dependent: float) -> None:
        units = powers_of_two(np.sqrt(np.einsum("ij,ij->j", A, A)))
        R, order = qr(A * units, mode="r", pivoting=True, check_finite=False)
        diagonal = np.abs(R.diagonal())
        rank = int((diagonal > dependent * diagonal.max(initial=0)).sum())
        self.rows = np.empty((rank, A.shape[1]))
        self.rows[:, order] = R[:rank]
        self.rows /= units
        self.independent = len(self.rows) == A.shape[1]

    def least_norm(self, w: Doubles) -> Doubles | None:
        """Find the nonnegative weights of minimum norm with the prediction of given ones.

        Parameters
        ----------
        w : ndarray of shape (n_tied,)
            Weights, not negative.

        Returns
        -------
        ndarray of shape (n_tied,) or None
            The weights; None where rounding errors leave none.
        """
        b = self.rows @ w
        size = float(np.linalg.norm(b))
        if size == 0:
            return np.zeros_like(w)
        try:
            found = self._maximize(b / size)
        except LinAlgError:
            return None
        return None if found is None else size * found

    def _maximize(self, b: Doubles) -> Doubles | None:
        """Weights whose prediction is `b`, of norm 1, by Newton steps for v."""
        A = self.rows
        full = A @ A.T
        ridge = 1e-14 * np.trace(full) / len(A) * np.eye(len(A))
        v = cho_solve(cho_factor(full + ridge), b)
        value, reached = self._value(v, b)
        for _ in range(NEWTON_STEPS):
            check_interrupt()
            active = reached > 0
            slope = b - A[:, active] @ reached[active]
            if np.linalg.norm(slope) <= EXACT:
                return np.maximum(reached, 0)
            step = cho_solve(cho_factor(A[:, active] @ A[:, active].T + ridge), slope)
            t, rise = 1.0, float(slope @ step)
            for _ in range(HALVINGS):
                trial, reached_there = self._value(v + t * step, b)
                if trial >= value + 1e-4 * t * rise or trial >= value - 1e-15 * abs(value):
                    break
                t /= 2
            v, value, reached = v + t * step, trial, reached_there
        found = np.zeros(A.shape[1])  # rounding errors keep v from more digits, but not the weights
        found[reached > 0] = lstsq(A[:, reached > 0], b, check_finite=False)[0]
        found = np.maximum(found, 0)
        return found if np.linalg.norm(A @ found - b) <= NEARLY_EXACT else None

    def _value(self, v: Doubles, b: Doubles) -> tuple[float, Doubles]:
        reached = self.rows.T @ v
        positive = np.maximum(reached, 0)
        return float(b @ v - 0.5 * positive @ positive), reached


def factor_of(gram: Doubles, dependent: float) -> Doubles:
    """Factor a Gram into as many rows as it has independent directions.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        Products ``A'A``.
    dependent : float
        Singular values of A below this fraction of the largest count as zero.

    Returns
    -------
    ndarray of shape (rank, n)
        Rows with the same products.
    """
    values, vectors = eigh(gram, check_finite=False)
    kept = values > dependent**2 * values.max(initial=0)
    rows: Doubles = np.sqrt(values[kept, None]) * vectors[:, kept].T
    return rows


def columns_of(gram: Floats) -> Callable[[Indices], Doubles]:
    """Columns with the products of a Gram, for lack of the features themselves.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
        Products of the features.

    Returns
    -------
    callable
        Maps numbers of features to an array (n_rows, n_chosen).
    """
    dependent = DEPENDENT_IN_GRAM[gram.dtype]

    def columns(index: Indices) -> Doubles:
        part = gram[np.ix_(index, index)].astype(np.float64)
        units = powers_of_two(np.sqrt(part.diagonal()))
        return factor_of(part * units * units[:, None], dependent) / units

    return columns


def choose_minimizers(
    columns: Callable[[Indices], Doubles],
    gradient: Doubles,
    coef: Floats,
    l1: Doubles,
    *,
    norms: Doubles,
    sizes: Doubles,
    independent: Flags,
    positive: bool,
    tol: float,
) -> tuple[Floats, Flags]:
    """Replace minimizers by those of minimum norm where there are many.

    Parameters
    ----------
    columns : callable
        Maps numbers of features to their columns, or to columns with the same products.
    gradient : ndarray of shape (n_targets, n_features)
        Products of the features with the residual.
    coef : ndarray of shape (n_targets, n_features)
        Minimizers.
    l1 : ndarray of shape (n_targets,)
        Penalty.
    norms : ndarray of shape (n_features,)
        Norms of the features.
    sizes : ndarray of shape (n_targets,)
        Norms of the targets.
    independent : ndarray of shape (n_targets,)
        Whether the active features of a target are known to be independent.
    positive : bool
        Whether weights must not be negative.
    tol : float
        Bound on the KKT violation.

    Returns
    -------
    coef : ndarray of shape (n_targets, n_features)
        The chosen minimizers.
    unique : ndarray of shape (n_targets,)
        Whether the minimizer is the only one.
    """
    signs = tied_features(gradient, coef, l1, TIED * tol * sizes, norms, positive=positive)
    chosen, unique = coef.copy(), np.ones(len(coef), bool)
    key, features = b"", None
    is_tied = signs != 0
    doubtful = ~independent | (is_tied & (coef == 0)).any(axis=1)
    doubtful &= np.count_nonzero(is_tied, axis=1) > 1  # a single feature is independent
    for target in np.flatnonzero(doubtful):
        check_interrupt()
        of_target = signs[target]
        tied = np.flatnonzero(of_target)
        if features is None or of_target.tobytes() != key:
            key = of_target.tobytes()
            features = TiedFeatures(columns(tied) * of_target[tied], DEPENDENT[coef.dtype])
        unique[target] = features.independent
        if features.independent:
            continue
        found = features.least_norm(np.abs(coef[target, tied].astype(np.float64)))
        if found is not None:
            chosen[target] = 0
            chosen[target, tied] = found * of_target[tied]
    return chosen, unique
