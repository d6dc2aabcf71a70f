"""The candidates that no other one beats."""

from __future__ import annotations

import numpy as np

from skalign.utils import Array, Flags


def pareto_optimal(r: Array, theta: Array, n_active: Array) -> Flags:
    """Tell which candidates no other one beats in predictivity, reorientation and sparsity.

    Parameters
    ----------
    r : ndarray of shape (n_candidates, ...)
        Predictivity; high is good.
    theta : ndarray of shape (n_candidates, ...)
        Reorientation; low is good.
    n_active : ndarray of shape (n_candidates, ...)
        Number of active units; low is good.

    Returns
    -------
    ndarray of bool of shape (n_candidates, ...)
        Whether no other candidate is better in one respect and as good in the others. Candidates
        that are empty or predict nothing (r at most 0, or NaN) do not count.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.model_selection import pareto_optimal
    >>> r, theta, n_active = np.array([0.5, 0.4, 0.4]), np.array([0.3, 0.2, 0.4]), np.full(3, 9)
    >>> pareto_optimal(r, theta, n_active)
    array([ True,  True, False])
    """
    counts = (r > 0) & ~np.isnan(theta) & (n_active > 0)
    optimal: Flags = counts.copy()
    for k in range(len(r)):
        as_good = (r >= r[k]) & (theta <= theta[k]) & (n_active <= n_active[k])
        better = (r > r[k]) | (theta < theta[k]) | (n_active < n_active[k])
        optimal[k] &= ~(counts & as_good & better).any(axis=0)
    return optimal
