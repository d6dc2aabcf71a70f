"""The rules that choose one of several candidates for every target."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from skalign.utils import Doubles, Flags, Indices, check_number

Select = Literal["best", "one_se", "least_reorientation", "fewest_units"]


class Tolerance(NamedTuple):
    """How far below the best r a candidate may lie: in its standard errors, or in units of r."""

    size: float
    in_se: bool


def choose(
    select: Select,
    r: ArrayLike,
    *,
    r_se: ArrayLike | None = None,
    theta: ArrayLike | None = None,
    n_active: ArrayLike | None = None,
    tolerance: float | str = "1se",
    tie: float = 1e-9,
) -> Indices:
    """Choose one of several candidates for every target, by predictivity, theta or sparsity.

    Parameters
    ----------
    select : {"best", "one_se", "least_reorientation", "fewest_units"}
        The rule.

        - "best": the largest r.
        - "one_se": the first, most regularized candidate whose r lies at most one standard error
          below the best.
        - "least_reorientation": the least theta among those whose r lies at most `tolerance`
          below the best.
        - "fewest_units": the fewest active units among the same.
    r : array-like of shape (n_candidates, n_targets)
        Predictivity, from -1 to 1; high is good. Candidates are ordered from the most to the
        least regularized. NaN: the candidate cannot be chosen.
    r_se : array-like of shape (n_candidates, n_targets), default=None
        Standard error of `r`. Needed by "one_se" and by a `tolerance` in standard errors. Only that
        of the best candidate of each target is used.
    theta : array-like of shape (n_candidates, n_targets), default=None
        Tuning reorientation, from 0 to 2; low is aligned. NaN: the candidate is empty. Of a mean
        over splits or targets, give the penalized theta, in which an empty fit counts as 2.
    n_active : array-like of shape (n_candidates, n_targets), default=None
        Number of active units, or its mean. 0 or NaN: the candidate is empty.
    tolerance : float or str, default="1se"
        How far below the best r a candidate may lie: a number is in units of r, a string such as
        "1se" or "0.5se" in standard errors of the best candidate.
    tie : float, default=1e-9
        Largest difference in r, theta or number of units that counts as rounding error and does not
        decide. Use 1e-6 for fits in single precision.

    Returns
    -------
    ndarray of shape (n_targets,), dtype intp
        Index of the chosen candidate; -1 for a target whose candidates are all empty or useless.

    Raises
    ------
    TypeError
        If `tolerance` is neither a number nor a string.
    ValueError
        If `select` is unknown, an array that it needs is missing or has another shape than `r`, a
        standard error is negative or missing, or `tolerance` is negative or not finite.

    See Also
    --------
    skalign.model_selection.least_reorientation : The rule for scikit-learn's searches.

    Notes
    -----
    A candidate is ignored if it is empty by any of the given arrays, or no better than a constant
    prediction (r at most 0). Of equal candidates (r and theta within `tie`) the first, most
    regularized one is chosen. The rules compare r first, because theta alone misleads where few
    units are active: a single unit is its own prediction.

    On the path of one lasso, "least_reorientation" chooses nearly what "one_se" or "fewest_units"
    would: theta and the number of active units fall together as alpha grows. See the Notes of
    :func:`least_reorientation`.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani and J. Friedman. "The elements of statistical learning", 2nd
       edition, section 7.10: the one-standard-error rule. Springer, 2009.
       :doi:`10.1007/978-0-387-84858-7`.

    Examples
    --------
    Three candidates, two targets; no candidate predicts the second target.

    >>> import numpy as np
    >>> from skalign.model_selection import choose
    >>> r = np.array([[0.3, -0.1], [0.48, 0.0], [0.5, -0.2]])
    >>> r_se, theta = np.full((3, 2), 0.05), np.array([[0.1, 0.4], [0.3, 0.4], [0.6, 0.4]])
    >>> choose("best", r)
    array([ 2, -1])
    >>> choose("one_se", r, r_se=r_se)
    array([ 1, -1])
    >>> choose("least_reorientation", r, theta=theta, tolerance=0.2)
    array([ 0, -1])
    """
    allowed, tie = check_rule(select, tolerance), check_number(tie, "tie")
    r_table = _check(r, "r")
    given = {"r_se": r_se, "theta": theta, "n_active": n_active}
    tables: dict[str, Doubles] = {
        name: _check(table, name, r_table.shape)
        for name, table in given.items()
        if table is not None
    }
    needs = {
        "r_se": select != "best" and allowed.in_se,
        "theta": select == "least_reorientation",
        "n_active": select == "fewest_units",
    }
    for name, is_needed in needs.items():
        if is_needed and name not in tables:
            by = "a tolerance in standard errors" if name == "r_se" else f'select="{select}"'
            raise ValueError(f"{name} must be given for {by}; got None.")

    eligible = r_table > 0
    if "theta" in tables:
        eligible &= ~np.isnan(tables["theta"])
    if "n_active" in tables:
        eligible &= tables["n_active"] > 0
    is_left = eligible.any(axis=0)
    reached = np.where(eligible, r_table, -np.inf)
    near = eligible & (r_table >= reached.max(axis=0) - tie)
    chosen = near.argmax(axis=0)
    if select != "best":
        gap = _largest_gap(allowed, tables.get("r_se"), chosen, is_left)
        near = eligible & (r_table >= reached.max(axis=0) - gap - tie)
        costs = {"least_reorientation": "theta", "fewest_units": "n_active"}
        if select in costs:
            cost = np.where(near, tables[costs[select]], np.inf)
            near &= cost <= cost.min(axis=0) + tie
        chosen = near.argmax(axis=0)
    return np.where(is_left, chosen, -1)


def check_rule(select: Select, tolerance: float | str) -> Tolerance:
    """Check a rule of :func:`choose` before there are candidates.

    Parameters
    ----------
    select : {"best", "one_se", "least_reorientation", "fewest_units"}
        The rule.
    tolerance : float or str
        How far below the best r a candidate may lie.

    Returns
    -------
    Tolerance
        Its ``size``, and whether it is ``in_se``, in standard errors.

    Raises
    ------
    TypeError
        If `tolerance` is neither a number nor a string.
    ValueError
        If `select` is unknown, or `tolerance` is negative or not finite.

    Examples
    --------
    >>> from skalign.model_selection import check_rule
    >>> check_rule("fewest_units", "0.5se")
    Tolerance(size=0.5, in_se=True)
    """
    if select not in get_args(Select):
        names = ", ".join(f'"{name}"' for name in get_args(Select))
        raise ValueError(f"select must be one of {names}; got {select!r}.")
    return check_tolerance("1se" if select == "one_se" else tolerance)


def check_tolerance(tolerance: Any) -> Tolerance:
    """Check a tolerance and take it apart: 0.01 is in units of r, "1se" in standard errors."""
    in_se = isinstance(tolerance, str)
    if not in_se and (not isinstance(tolerance, Real) or isinstance(tolerance, bool)):
        raise TypeError(f'tolerance must be a number or a string such as "1se"; got {tolerance!r}.')
    try:
        size = float(tolerance[: -len("se")] if in_se and tolerance.endswith("se") else tolerance)
    except ValueError:
        size = np.nan
    if not 0 <= size < np.inf or (in_se and not tolerance.endswith("se")):
        raise ValueError(
            "tolerance must be a number of at least 0, in units of r, or a string such as "
            f'"1se" or "0.5se", in standard errors; got {tolerance!r}.'
        )
    return Tolerance(size, in_se)


def _check(table: Any, name: str, shape: tuple[int, ...] | None = None) -> Any:
    table = check_array(table, dtype=np.float64, ensure_all_finite="allow-nan", input_name=name)
    if shape is not None and table.shape != shape:
        raise ValueError(
            f"{name} must have the shape (n_candidates, n_targets) of r, {shape}; "
            f"got {table.shape}."
        )
    return table


def _largest_gap(allowed: Tolerance, r_se: Any, best: Indices, is_left: Flags) -> Doubles:
    """How far below the best r a candidate may lie, for every target."""
    if not allowed.in_se:
        return np.full(best.shape, allowed.size)
    se = np.where(is_left, np.take_along_axis(r_se, best[np.newaxis], axis=0)[0], 0)
    if not (se >= 0).all():
        raise ValueError(
            "r_se must be at least 0 and not NaN where r is largest; got "
            f"{se[~(se >= 0)][0]}. For a single split, which has no standard error, give a "
            "tolerance in units of r."
        )
    return allowed.size * se
