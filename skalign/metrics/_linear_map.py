"""The linear maps inside fitted estimators, and the features and targets that these see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skalign.metrics._array_library import to_numpy_if_dispatched
from skalign.metrics._composition import open_shell, weights_of
from skalign.metrics._directions import check_image_rows
from skalign.metrics._names import check_target_names, fitted_target_names
from skalign.utils import Array, unmask


@dataclass(frozen=True, eq=False)
class LinearMap:
    """A fitted linear map in the space that it sees.

    Returned by :func:`linear_maps`.

    Parameters
    ----------
    features : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features that reach the linear model, after the transformers before it.
    predicted : ndarray of shape (n_samples, n_targets) or None
        Its own predictions; None where they were not asked for.
    observed : ndarray of shape (n_samples, n_targets) or None
        The observed responses, after the target transformers around it; None where not given.
    weights : {ndarray, csr_array} of shape (n_targets, n_features)
        Its weights.
    is_outermost : bool, default=True
        Whether no target transformer is around it, so that its predictions are those of the whole
        estimator.
    transformers : tuple of estimator, default=()
        Fitted transformers between the estimator's input and `features`, in their order.
    """

    features: Any
    predicted: Any
    observed: Any
    weights: Any
    is_outermost: bool = True
    transformers: tuple[Any, ...] = ()

    @property
    def feature_names(self) -> Array | None:
        """Names of the features, where they are a data frame or the transformers know them."""
        if hasattr(self.features, "columns"):
            return np.asarray(self.features.columns, dtype=object)
        names = None
        for transformer in self.transformers:
            try:
                names = transformer.get_feature_names_out(names)
            except (AttributeError, ValueError):  # it does not know the names
                return None
        return names


def linear_maps(
    estimator: Any,
    X: Any,
    y: ArrayLike | None = None,
    *,
    predict: bool = True,
) -> list[LinearMap]:
    """Find the linear maps inside a fitted estimator.

    The linear model may be inside a ``Pipeline``, ``TransformedTargetRegressor``,
    ``FrozenEstimator``, ``MultiOutputRegressor`` or fitted search, nested in any way. There is one
    map for every set of features: several only if the estimators of a ``MultiOutputRegressor``
    transform features on their own. Targets are in the estimator's order.

    Parameters
    ----------
    estimator : estimator
        Fitted, with a linear model inside.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples, as the estimator takes them.
    y : array-like of shape (n_samples, n_targets) or (n_samples,), default=None
        Observed responses, as the estimator takes them. Names of its targets must be those that
        the estimator was fitted to, in their order.
    predict : bool, default=True
        Whether the maps predict; their ``predicted`` is None otherwise.

    Returns
    -------
    list of LinearMap
        The maps, at least one.

    Raises
    ------
    TypeError
        If a model inside has no linear weights, or weights of a shape that does not fit.
    ValueError
        If `y` has another number of targets than the estimator was fitted to, or other names.

    See Also
    --------
    linear_model_of : The model itself, fitted or not, and the parameter that holds it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skalign.metrics import linear_maps
    >>> X, y = np.eye(4), np.arange(8.0).reshape(4, 2)
    >>> model = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    >>> (found,) = linear_maps(model, X)
    >>> found.weights.shape, found.features.std(axis=0)
    ((2, 4), array([1., 1., 1., 1.]))
    """
    check_is_fitted(estimator)
    if y is not None:
        check_target_names(y, fitted_target_names(estimator))
    X = X if hasattr(X, "shape") else np.asarray(X)
    y = to_numpy_if_dispatched(y)
    maps = _look_through(estimator, X, None if y is None else _as_numbers(y), predict)
    by_features = groupby(maps, key=lambda linear_map: id(linear_map.features))
    return [_merge(list(group)) for _, group in by_features]


def check_target(target: Any) -> Any:
    """Check whether theta compares features with "predicted" or "observed" responses.

    Parameters
    ----------
    target : Any
        Value to check.

    Returns
    -------
    {"predicted", "observed"}
        The value.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from skalign.metrics import check_target
    >>> check_target("observed")
    'observed'
    """
    if target not in ("predicted", "observed"):
        raise ValueError(f'target must be "predicted" or "observed"; got {target!r}.')
    return target


def _as_numbers(y: Any) -> Array:
    """Responses as an array; those that a data frame marks as missing are NaN."""
    table = np.asarray(unmask(y))
    if table.dtype == object:
        table = check_image_rows(y, "y", ensure_2d=False)
    return table


def _look_through(
    estimator: Any,
    X: Any,
    y: Array | None,
    predict: bool,
    before: tuple[Any, ...] = (),
) -> Iterator[LinearMap]:
    """Maps inside an estimator whose input went through the transformers `before`."""
    shell = open_shell(estimator)
    if shell is None or not shell.fitted:
        yield _map_of_model(estimator, X, y, predict, before)
        return
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            if step not in (None, "passthrough"):
                X, before = step.transform(X), (*before, step)
    is_transformed = isinstance(estimator, TransformedTargetRegressor)
    if is_transformed and y is not None:
        y = np.asarray(estimator.transformer_.transform(y.reshape(len(y), -1)))
        y = y.reshape(len(y), -1)
    for column, inner in enumerate(shell.fitted):
        of_inner = y
        if isinstance(estimator, MultiOutputRegressor) and y is not None:
            of_inner = y[:, column]
        for found in _look_through(inner, X, of_inner, predict, before):
            yield replace(found, is_outermost=False) if is_transformed else found


def _map_of_model(
    model: Any, X: Any, y: Array | None, predict: bool, before: tuple[Any, ...]
) -> LinearMap:
    weights = weights_of(model)
    predicted = _columns(model.predict(X)) if predict else None
    X = to_numpy_if_dispatched(X)
    observed = None if y is None else _columns(y)
    n_targets = 1 if weights.ndim == 1 else weights.shape[0]
    if predicted is not None:
        n_targets = predicted.shape[1]
    elif observed is not None and weights.shape[-1:] != X.shape[1:]:
        n_targets = observed.shape[1]
    shape = n_targets, X.shape[1]
    if weights.shape != shape and (weights.ndim != 1 or (1, *weights.shape) != shape):
        raise TypeError(
            f"coef_ of {type(model).__name__} must have shape (n_targets, n_features) = {shape}, "
            f"or (n_features,) for a single target; got {weights.shape}."
        )
    if observed is not None and observed.shape[1] != n_targets:
        raise ValueError(
            f"y must have the {n_targets} target(s) that {type(model).__name__} was fitted to; got "
            f"{observed.shape[1]}."
        )
    return LinearMap(X, predicted, observed, weights.reshape(shape), transformers=before)


def _columns(responses: Any) -> Array:
    """Responses with a column for every target."""
    table = np.asarray(to_numpy_if_dispatched(responses))
    return table.reshape(len(table), -1)


def _merge(maps: list[LinearMap]) -> LinearMap:
    """Join maps of the same features into one."""
    if len(maps) == 1:
        return maps[0]
    weights = [linear_map.weights for linear_map in maps]
    stack = sparse.vstack if any(map(sparse.issparse, weights)) else np.vstack
    predicted = [one.predicted for one in maps if one.predicted is not None]
    observed = [one.observed for one in maps if one.observed is not None]
    return LinearMap(
        maps[0].features,
        np.hstack(predicted) if predicted else None,
        np.hstack(observed) if observed else None,
        stack(weights),
        all(linear_map.is_outermost for linear_map in maps),
        maps[0].transformers,
    )
