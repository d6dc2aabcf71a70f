"""What a fit warns of: targets that did not converge, were left empty, or keep few digits.

Each is called by a ``fit`` that is decorated by ``with_callbacks``, and points at its caller.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skalign.linear_model._target_scales import DROWNED, find_drowned
from skalign.solvers import Solution
from skalign.utils import Array, Doubles, Indices

CALLER_OF_FIT = 4  # levels above warn: this file, fit, its decorator, the caller


def warn_of_unconverged(solution: Solution, max_iter: int) -> None:
    """Warn of targets whose weights did not reach the tolerance."""
    missed = np.flatnonzero(~solution.converged)
    if not missed.size:
        return
    gap, worst = solution.dual_gap[missed], solution.kkt_violation[missed].max()
    largest_gap = "none known" if np.isnan(gap).all() else f"{np.nanmax(gap):.2g}"
    if (solution.n_iter[missed] >= max_iter).any():
        remedy = "Increase max_iter."
    else:
        remedy = (
            "Rounding errors allow no more: the features are nearly collinear. Add a ridge "
            "penalty, or increase tol"
            f"{'' if solution.coef.dtype == np.float64 else ', or use float64'}."
        )
    warnings.warn(
        f"{missed.size} of {solution.converged.size} targets did not reach the tolerance: largest "
        f"KKT violation {worst:.2g}, largest duality gap {largest_gap} (targets "
        f"{_first_of(missed)}). {remedy}",
        ConvergenceWarning,
        stacklevel=CALLER_OF_FIT,
    )


def warn_of_unobserved(y: Array, solution: Solution) -> None:
    """Warn of targets that have no observed image."""
    empty = np.flatnonzero((solution.intercept == 0) & ~solution.coef.any(axis=1))
    if y.dtype.kind != "f" or not empty.size:
        return
    never = empty[np.isnan(y.reshape(len(y), -1)[:, empty]).all(axis=0)]
    if never.size:
        warnings.warn(
            f"{never.size} of {len(solution.coef)} targets have no observed image (targets "
            f"{_first_of(never)}): they are left empty, with 0 as intercept. Drop them.",
            UserWarning,
            stacklevel=CALLER_OF_FIT,
        )


def warn_of_unscored(unscored: Indices, n_targets: int) -> None:
    """Warn of targets that no split can score."""
    if unscored.size:
        warnings.warn(
            f"{unscored.size} of {n_targets} targets are observed on too few images: no split has "
            f"a training image and two held-out images of them (targets {_first_of(unscored)}). "
            "They are left empty, and their scores are NaN. Drop them.",
            UserWarning,
            stacklevel=CALLER_OF_FIT,
        )


def warn_of_unconverged_folds(kkt_violation: Doubles, tol: float) -> None:
    """Warn of targets whose weights did not reach the tolerance in a fold."""
    missed = np.flatnonzero((kkt_violation > tol).any(axis=0))
    if missed.size:
        warnings.warn(
            f"In the folds, {missed.size} of {kkt_violation.shape[1]} targets did not reach the "
            f"tolerance at every alpha (targets {_first_of(missed)}): largest KKT violation "
            f'{kkt_violation.max():.2g}; all are in cv_results_["max_kkt_violation"]. Their scores '
            "may be off. Increase max_iter, or leave out the smallest alphas.",
            ConvergenceWarning,
            stacklevel=CALLER_OF_FIT,
        )


def warn_of_drowned(y: Array, dtype: np.dtype) -> None:
    """Warn of targets whose spread drowns in their mean, in computations of that type."""
    targets = y.reshape(len(y), -1)
    drowned = find_drowned(targets, dtype)
    if drowned.size:
        warnings.warn(
            f"{drowned.size} of {targets.shape[1]} targets have a mean of more than "
            f"{DROWNED[dtype]:g} times their spread (targets {_first_of(drowned)}), of which few "
            f"digits are left in {dtype}. Subtract the mean before.",
            UserWarning,
            stacklevel=CALLER_OF_FIT,
        )


def warn_of_empty(empty: Indices, y: Array, *, alpha_per_target: bool) -> None:
    """Warn of targets that a cross-validation left empty."""
    if not empty.size:
        return
    targets = y.reshape(len(y), -1)
    columns = np.asarray(targets[:, empty])
    n_constant = int((np.fmin.reduce(columns) == np.fmax.reduce(columns)).sum())  # but for NaN
    if n_constant == empty.size:
        why, remedy = "they are constant", "Drop them."
    else:
        why = "no candidate predicts them better than a constant"
        if not alpha_per_target:
            why += ", or the one that suits all leaves them empty"
        if n_constant:
            why += f"; {n_constant} of them are constant"
        remedy = "Look at their noise ceiling, or drop them."
    warnings.warn(
        f"{empty.size} of {targets.shape[1]} targets were left empty: {why} (targets "
        f"{_first_of(empty)}; all are in empty_targets_). Their r counts as 0. {remedy}",
        UserWarning,
        stacklevel=CALLER_OF_FIT,
    )


def _first_of(targets: Indices) -> str:
    """Numbers of the first five targets, for a message."""
    return ", ".join(map(str, targets[:5])) + (", ..." if targets.size > 5 else "")
