"""What solvers return."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skalign.utils import Doubles, Flags, Floats, Indices, Integers

SPARSE_SHARE = 0.3  # of weights that are active: the sparse form takes less room below it


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights of many targets with the certificate of each.

    Parameters
    ----------
    coef : ndarray of shape (n_targets, n_features)
        Weights.
    intercept : ndarray of shape (n_targets,)
        Intercepts; zeros where none was asked for.
    n_iter : ndarray of shape (n_targets,)
        Rounds of the active set plus Newton steps; 1 for closed forms and for empty targets.
    kkt_violation : ndarray of shape (n_targets,)
        Largest violation of the optimality conditions, over ``|x_j| |y|`` of the (centered,
        weighted) data: a correlation, 0 where exact, which no rescaling of units changes.
    dual_gap : ndarray of shape (n_targets,)
        Upper bound on how far the objective lies above its minimum, rounding errors included,
        in the objective's own units; NaN without any penalty, where no dual point is feasible.
    converged : ndarray of shape (n_targets,), dtype bool
        Whether ``kkt_violation`` is at most the tolerance.
    unique : ndarray of shape (n_targets,), dtype bool
        Whether the weights are known to be the only minimizer. Where they are not, they are the
        minimizer of minimum norm, the limit of a vanishing ridge penalty.
    """

    coef: Floats
    intercept: Floats
    n_iter: NDArray[np.int32]
    kkt_violation: Doubles
    dual_gap: Doubles
    converged: Flags
    unique: Flags

    def __getstate__(self) -> dict[str, Any]:
        """Pickle few weights in sparse form: they are most of what comes back from a cluster."""
        state = dict(vars(self))
        coef = self.coef
        if not sparse.issparse(coef) and np.count_nonzero(coef) < SPARSE_SHARE * coef.size:
            state["coef"] = _Packed(sparse.csr_array(coef))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        packed = state["coef"]
        coef = packed.coef.toarray() if isinstance(packed, _Packed) else packed
        vars(self).update(state | {"coef": coef})


class _Packed(NamedTuple):
    coef: Any


@dataclass(frozen=True, eq=False)
class SolutionPath:
    """Weights of many targets at many strengths of the penalty, each with its certificate.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas, n_targets)
        Strengths, descending.
    coef : ndarray of shape (n_alphas, n_targets, n_features) or list of csr_array
        Weights; if sparse, a (n_targets, n_features) array for every alpha.
    intercept : ndarray of shape (n_alphas, n_targets)
        Intercepts; zeros where none was asked for.
    n_active : ndarray of shape (n_alphas, n_targets)
        Number of nonzero weights.
    n_iter : ndarray of shape (n_alphas, n_targets)
        Iterations from the solution at the alpha before; 1 for closed forms.
    kkt_violation : ndarray of shape (n_alphas, n_targets)
        Largest violation of the optimality conditions, as a correlation: over ``|x_j| |y|``.
    dual_gap : ndarray of shape (n_alphas, n_targets)
        Upper bound on how far the objective lies above its minimum; NaN without any penalty.
    converged : ndarray of shape (n_alphas, n_targets), dtype bool
        Whether ``kkt_violation`` is at most the tolerance.
    unique : ndarray of shape (n_alphas, n_targets), dtype bool
        Whether the weights are known to be the only minimizer; if not, they are that of minimum
        norm.
    """

    alphas: Doubles
    coef: Any
    intercept: Floats
    n_active: Integers
    n_iter: NDArray[np.int32]
    kkt_violation: Doubles
    dual_gap: Doubles
    converged: Flags
    unique: Flags

    def coef_at(self, index: int) -> Floats:
        """Take the weights at one alpha, as a dense array.

        Parameters
        ----------
        index : int
            Row of ``alphas``.

        Returns
        -------
        ndarray of shape (n_targets, n_features)
            The weights.
        """
        coef = self.coef[index]
        dense: Floats = coef.toarray() if sparse.issparse(coef) else coef
        return dense


def empty_solution(means: Doubles, n_features: int, dtype: np.dtype[Any]) -> Solution:
    """A solution without weights, which may be written to; intercepts are means of the targets."""
    n_targets = len(means)
    return Solution(
        coef=np.zeros((n_targets, n_features), dtype),
        intercept=means.astype(dtype),
        n_iter=np.ones(n_targets, np.int32),
        kkt_violation=np.zeros(n_targets),
        dual_gap=np.zeros(n_targets),
        converged=np.ones(n_targets, bool),
        unique=np.ones(n_targets, bool),
    )


def put_solution(whole: Solution, targets: Any, part: Solution) -> None:
    """Write the solution of some of the targets, over zeros where its weights are sparse."""
    for field in fields(whole):
        given, found = getattr(whole, field.name), getattr(part, field.name)
        if sparse.issparse(found):  # the memory of other weights is not touched
            weights = found.tocoo()
            given[np.arange(len(given))[targets][weights.row], weights.col] = weights.data
        else:
            given[targets] = found


def put_better(whole: Solution, targets: Indices, part: Solution, tol: float) -> None:
    """Write other weights of targets where they are optimal, too; iterations stay as they were."""
    good = part.kkt_violation <= np.maximum(whole.kkt_violation[targets], tol)
    for name in ("coef", "intercept", "kkt_violation", "dual_gap", "converged"):
        getattr(whole, name)[targets[good]] = getattr(part, name)[good]


def room_for_path(
    n_alphas: int,
    n_targets: int,
    n_features: int,
    dtype: np.dtype[Any],
    *,
    sparse_output: bool = False,
) -> SolutionPath:
    """A path that is to be written to by :func:`put_in_path`."""
    shape = n_alphas, n_targets
    dense = None if sparse_output else np.empty((*shape, n_features), dtype)
    return SolutionPath(
        alphas=np.empty(shape),
        coef=[[] for _ in range(n_alphas)] if dense is None else dense,
        intercept=np.empty(shape, dtype),
        n_active=np.empty(shape, np.int64),
        n_iter=np.empty(shape, np.int32),
        kkt_violation=np.empty(shape),
        dual_gap=np.empty(shape),
        converged=np.empty(shape, bool),
        unique=np.empty(shape, bool),
    )


def put_in_path(path: SolutionPath, k: int, targets: Any, part: Solution) -> None:
    """Write the solution of a block of targets at one alpha; sparse weights are only gathered."""
    if isinstance(path.coef, list):
        path.coef[k].append(part.coef)
    else:
        path.coef[k, targets] = part.coef
    path.n_active[k, targets] = count_active(part.coef)
    for name in ("intercept", "n_iter", "kkt_violation", "dual_gap", "converged", "unique"):
        getattr(path, name)[k, targets] = getattr(part, name)


def count_active(coef: Any) -> Integers:
    """Count the nonzero weights of every target.

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_targets, n_features)
        Weights.

    Returns
    -------
    ndarray of shape (n_targets,)
        Numbers of nonzero weights.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import count_active
    >>> count_active(np.array([[0.0, 2.0], [0.0, 0.0]]))
    array([1, 0])
    """
    if sparse.issparse(coef):
        return np.asarray((coef != 0).sum(axis=1), dtype=np.int64).ravel()  # zeros may be stored
    n_active: Integers = np.count_nonzero(coef, axis=1)
    return n_active
