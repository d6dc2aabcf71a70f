"""Exact optimal transport between two sets of units: an assignment, or a linear program."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog

from skalign.utils import Doubles, Flags

COPIES = 6000  # units are copied to a common number up to here: (6000, 6000) is 288 MB
NEAREST = 15  # pairs of every unit that the linear program starts from
ENTERING = 5  # pairs of a row that enter it at a time
PRICED = 1e-10  # a pair this little better than its price is not: rounding


def transport_plan(gain: Doubles, fraction: float = 1.0) -> sparse.csr_array:
    """Couple rows and columns so that the sum of plan times gain is largest.

    Parameters
    ----------
    gain : ndarray of shape (n_rows, n_columns)
        What a coupling is worth.
    fraction : float, default=1.0
        Share of all mass that is coupled; below 1 the rest stays uncoupled.

    Returns
    -------
    csr_array of shape (n_rows, n_columns)
        A plan that sums to `fraction`. Rows sum to at most 1 / n_rows, columns to at most
        1 / n_columns.
    """
    n_rows, n_columns = gain.shape
    n_copies = np.lcm(n_rows, n_columns)
    if fraction == 1 and n_copies <= COPIES:
        return _by_assignment(gain, int(n_copies))
    return _by_linear_program(gain, fraction)


def _by_assignment(gain: Doubles, n_copies: int) -> sparse.csr_array:
    """With rows and columns copied to a common number, a best plan is a permutation."""
    n_rows, n_columns = gain.shape
    per_row, per_column = n_copies // n_rows, n_copies // n_columns
    copied = np.repeat(np.repeat(gain, per_row, axis=0), per_column, axis=1)
    row, column = linear_sum_assignment(copied, maximize=True)
    mass = np.full(n_copies, 1 / n_copies)
    return sparse.csr_array((mass, (row // per_row, column // per_column)), shape=gain.shape)


def _by_linear_program(gain: Doubles, fraction: float) -> sparse.csr_array:
    """Over few pairs at first; those that are worth more than their price enter until none is.

    In units of one over the number of pairs, masses of rows and columns are whole numbers.
    """
    n_rows, n_columns = gain.shape
    bound = np.repeat([float(n_columns), float(n_rows)], [n_rows, n_columns])
    total = fraction * n_rows * n_columns
    is_in = _first_pairs(gain)
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    while True:
        row, column = np.nonzero(is_in)
        pair = np.arange(row.size)
        incidence = sparse.csr_array(
            (np.ones(2 * row.size), (np.r_[row, n_rows + column], np.r_[pair, pair])),
            shape=(bound.size, row.size),
        )
        found = linprog(
            -gain[row, column],
            A_ub=incidence,
            b_ub=bound,
            A_eq=sparse.csr_array(np.ones((1, row.size))),
            b_eq=[total],
            method="highs-ds",
            options=options,
        )
        if not found.success:
            raise RuntimeError(f"The transport between units was not solved: {found.message}")
        price = -found.ineqlin.marginals
        worth = gain - price[:n_rows, np.newaxis] - price[n_rows:] + found.eqlin.marginals
        worth[is_in] = -np.inf
        if not (worth > PRICED).any():
            mass = np.maximum(found.x, 0) / (n_rows * n_columns)
            return sparse.csr_array((mass, (row, column)), shape=gain.shape)
        best = _largest(worth, ENTERING)
        is_in |= best & (worth > PRICED)


def _first_pairs(gain: Doubles) -> Flags:
    """The best pairs of every row and column, and those of one plan that is always feasible."""
    n_rows, n_columns = gain.shape
    is_in = _largest(gain, NEAREST) | _largest(gain.T, NEAREST).T
    # Cut both sides' total mass at every border of a row and of a column.
    borders = np.union1d(np.arange(n_rows) * n_columns, np.arange(n_columns) * n_rows)
    is_in[borders // n_columns, borders // n_rows] = True
    return is_in


def _largest(values: Doubles, n: int) -> Flags:
    """Mark the n largest entries of every row."""
    n = min(n, values.shape[1])
    place = np.argpartition(-values, n - 1, axis=1)[:, :n]
    marked = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(marked, place, True, axis=1)
    return marked
