"""Whether an alpha that was chosen lies at the edge of those that were tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils.validation import check_is_fitted

from skalign.metrics import linear_model_of, open_shell
from skalign.utils import Array, Flags


def alpha_at_edge(estimator: Any) -> Flags | None:
    """Find the targets whose alpha was chosen at the edge of its grid.

    An alpha that is the smallest or the largest of those that were tried may not be the best: one
    beyond may suit better. Try a wider grid.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a linear model inside. What chose alpha is a search around the model, or the
        model itself: :class:`~skalign.linear_model.SparsePositiveEncoderCV`, or one of
        scikit-learn's, such as :class:`~sklearn.linear_model.RidgeCV`.

    Returns
    -------
    ndarray of bool, shape (n_targets,), or None
        Whether the alpha of each target is the smallest or largest of several; False for a target
        that was left empty. None if nothing chose an alpha.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it has no linear model inside.

    See Also
    --------
    AlignmentFront : Its tables have the same as a column, for every candidate.

    Notes
    -----
    A search counts if a parameter of its grid is named ``alpha``; candidates are compared that are
    equal in all other parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeCV
    >>> from skalign.model_selection import alpha_at_edge
    >>> X = np.random.default_rng(0).standard_normal((50, 3))
    >>> y = X @ [1.0, 2.0, 3.0]  # without noise: no penalty is too small
    >>> alpha_at_edge(RidgeCV([0.1, 1.0, 10.0]).fit(X, y))
    array([ True])
    """
    check_is_fitted(estimator)
    model = linear_model_of(estimator).model
    check_is_fitted(
        model,
        msg="estimator must have a fitted linear model inside; got %(name)s, which is not. Fit it; "
        "a search needs refit=True for that.",
    )
    weights = model.coef_
    found = _flags(estimator)
    n_targets = 1 if np.ndim(weights) == 1 else np.shape(weights)[0]
    return found if found is None or found.size > 1 else np.repeat(found, n_targets)


def edges_of_grid(params: Sequence[Mapping[str, Any]]) -> Flags:
    """Find the candidates whose alpha is the smallest or largest of several.

    Parameters
    ----------
    params : sequence of dict
        Parameters of all candidates. Those are compared that differ in one alpha only.

    Returns
    -------
    ndarray of bool, shape (n_candidates,)
        False where a candidate has no alpha that is a number, or only one was tried.
    """
    found = np.zeros(len(params), dtype=bool)
    names = {name for one in params for name in one if name.rpartition("__")[2] == "alpha"}
    for name in names:
        groups: dict[str, list[int]] = {}
        for k, values in enumerate(params):
            if isinstance(values.get(name), Real):
                others = sorted((key, repr(value)) for key, value in values.items() if key != name)
                groups.setdefault(repr(others), []).append(k)
        for group in groups.values():
            alphas = np.array([params[k][name] for k in group], dtype=np.float64)
            found[group] |= _is_end(alphas, alphas)
    return found


def ends_of_grid(n_steps: int) -> Flags:
    """First and last of several steps of a grid, (n_steps,)."""
    step = np.arange(n_steps)
    return np.asarray(np.isin(step, [0, n_steps - 1]) & (n_steps > 1))


def _flags(estimator: Any) -> Flags | None:
    """Flags of every target, or one for all of them."""
    if isinstance(estimator, MultiOutputRegressor):
        of_targets = [_flags(fitted) for fitted in estimator.estimators_]
        if all(found is None for found in of_targets):
            return None
        return np.concatenate([[False] if found is None else found for found in of_targets])
    shell = open_shell(estimator)
    if shell is None:
        return _of_model(estimator)
    inside = _flags(shell.fitted[0])
    if not hasattr(estimator, "cv_results_"):
        return inside
    params = estimator.cv_results_["params"]
    is_alpha = [name.rpartition("__")[2] == "alpha" for one in params for name in one]
    if not any(is_alpha):
        return inside
    of_search = edges_of_grid(params)[[estimator.best_index_]]
    return of_search if inside is None else of_search | inside


def _of_model(model: Any) -> Flags | None:
    """Flags of a model that chooses alpha by itself."""
    if hasattr(model, "alpha_at_edge_"):
        return np.asarray(model.alpha_at_edge_)
    tried = getattr(model, "alphas_", getattr(model, "alphas", None))
    if not hasattr(model, "alpha_") or tried is None:
        return None
    grid = np.asarray(tried, dtype=np.float64)
    if grid.ndim == 2:  # a row for every l1_ratio
        grid = grid[np.flatnonzero(np.atleast_1d(model.l1_ratio) == model.l1_ratio_)[0]]
    return _is_end(np.atleast_1d(model.alpha_), grid)


def _is_end(alphas: Array, grid: Array) -> Flags:
    ends = [grid.min(), grid.max()]
    return np.isin(alphas, ends) & (ends[0] < ends[1])
