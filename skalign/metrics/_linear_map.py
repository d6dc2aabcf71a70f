"""Look through fitted estimators to the linear model inside, and to what reaches it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


@dataclass(frozen=True, eq=False)
class LinearMap:
    """A fitted linear map in the space that it sees.

    Attributes
    ----------
    features : {array-like, sparse matrix} of shape (n_images, n_units)
        What reaches the linear model, after the transformers before it.
    targets : ndarray of shape (n_images, n_targets)
        Its own predictions, or the observed responses, after the target transformers around it.
    weights : {ndarray, csr_array} of shape (n_targets, n_units)
        Its weights.
    is_outermost : bool
        Whether no target transformer is around it, so that its predictions are those of the whole
        estimator.
    """

    features: Any
    targets: NDArray[Any]
    weights: Any
    is_outermost: bool = True


def linear_maps(
    estimator: Any, X: Any, y: Any, target: Literal["predicted", "observed"]
) -> list[LinearMap]:
    """Find the linear maps inside a fitted estimator.

    Looks through ``Pipeline``, ``TransformedTargetRegressor``, ``FrozenEstimator``, fitted searches
    and ``MultiOutputRegressor``, nested in any way. There is one map for every set of features:
    several only where the estimators of a ``MultiOutputRegressor`` transform features on their
    own. Targets are in the estimator's order.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator with a linear model inside.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Images, as the estimator takes them.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Observed responses, as the estimator takes them. Only looked at for ``"observed"``.
    target : {"predicted", "observed"}
        What becomes the maps' ``targets``.

    Returns
    -------
    list of LinearMap
        The maps, at least one.

    Raises
    ------
    TypeError
        If a model inside has no linear weights, or weights of a shape that does not fit.
    """
    check_is_fitted(estimator)
    X = X if hasattr(X, "shape") else np.asarray(X)
    maps = _look_through(estimator, X, np.asarray(y) if target == "observed" else None)
    by_features = groupby(maps, key=lambda linear_map: id(linear_map.features))
    return [_merge(list(group)) for _, group in by_features]


def _look_through(estimator: Any, X: Any, y: NDArray[Any] | None) -> Iterator[LinearMap]:
    if isinstance(estimator, FrozenEstimator):
        yield from _look_through(estimator.estimator, X, y)
    elif isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            if step not in (None, "passthrough"):
                X = step.transform(X)
        yield from _look_through(estimator.steps[-1][1], X, y)
    elif isinstance(estimator, TransformedTargetRegressor):
        if y is not None:
            transformed = estimator.transformer_.transform(y.reshape(len(y), -1))
            y = np.asarray(transformed).reshape(len(y), -1)
        for linear_map in _look_through(estimator.regressor_, X, y):
            yield replace(linear_map, is_outermost=False)
    elif isinstance(estimator, MultiOutputRegressor):
        for column, single in enumerate(estimator.estimators_):
            yield from _look_through(single, X, None if y is None else y[:, column])
    elif hasattr(estimator, "best_estimator_"):
        yield from _look_through(estimator.best_estimator_, X, y)
    else:
        weights = _weights(estimator)
        targets = np.asarray(estimator.predict(X) if y is None else y)
        targets = targets.reshape(len(targets), -1)
        n_targets = 1 if weights.ndim == 1 else weights.shape[0]
        fits_features = weights.ndim > 0 and weights.shape[-1] == X.shape[1]
        if y is not None and fits_features and targets.shape[1] != n_targets:
            raise ValueError(
                f"y must have the {n_targets} target(s) that {type(estimator).__name__} was fitted "
                f"to, got {targets.shape[1]}."
            )
        shape = targets.shape[1], X.shape[1]
        if weights.shape != shape and (weights.ndim != 1 or (1, *weights.shape) != shape):
            raise TypeError(
                f"{type(estimator).__name__} has weights coef_ of shape {weights.shape}, but for "
                f"{shape[0]} target(s) and {shape[1]} features reorientation needs "
                f"(n_targets, n_features) = {shape}, or (n_features,) for a single target."
            )
        yield LinearMap(X, targets, weights.reshape(shape))


def _weights(model: Any) -> Any:
    if not hasattr(model, "coef_") or hasattr(model, "classes_"):
        raise TypeError(
            f"{type(model).__name__} is not a linear regressor: reorientation needs a fitted model "
            "with weights coef_ of shape (n_targets, n_features), alone or inside a Pipeline, "
            "TransformedTargetRegressor, FrozenEstimator, MultiOutputRegressor or a search with "
            "refit. For other models, call tuning_reorientation with features, targets and weights."
        )
    return model.coef_ if sparse.issparse(model.coef_) else np.asarray(model.coef_)


def _merge(maps: list[LinearMap]) -> LinearMap:
    """Join maps of the same features, so that these are looked at once."""
    if len(maps) == 1:
        return maps[0]
    weights = [linear_map.weights for linear_map in maps]
    stack = sparse.vstack if any(map(sparse.issparse, weights)) else np.vstack
    return LinearMap(
        maps[0].features,
        np.hstack([linear_map.targets for linear_map in maps]),
        stack(weights),
        all(linear_map.is_outermost for linear_map in maps),
    )
