"""A model with and without standardization of what it is fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler

from skalign.inference._refits import check_not_searched
from skalign.metrics import open_shell
from skalign.utils import Array


@dataclass(frozen=True, eq=False)
class Standardization:
    """What standardizes features and targets of an estimator, and what does not.

    Parameters
    ----------
    estimator : estimator
        With a linear model inside. A StandardScaler among its steps is taken for the
        standardization of the features, one around the targets for that of the targets.
    is_sparse : bool
        Whether features are sparse: these are scaled and not centered.
    """

    estimator: Any
    is_sparse: bool

    def __post_init__(self) -> None:
        for path in self._scalers():
            check_not_searched(self.estimator, path.rpartition("__")[2])

    def without(self) -> Any:
        """The estimator without its scalers."""
        return clone(self.estimator).set_params(**self._scalers())

    def within(self) -> tuple[Any, bool, bool]:
        """The estimator with a scaler before its linear model, if a pipeline can hold it.

        Returns
        -------
        estimator : estimator
            Unfitted.
        scale_features, scale_targets : bool
            Whether features, and targets, are still to be standardized before they reach it.
        """
        of_targets = [self._is_of_targets(path) for path in self._scalers()]
        has_target_scaler, has_feature_scaler = any(of_targets), not all(of_targets)
        estimator = clone(self.estimator)
        if has_feature_scaler:
            return estimator, False, not has_target_scaler
        path = self._innermost_pipeline()
        if path is None:
            return estimator, True, not has_target_scaler
        pipeline = clone(self.estimator.get_params()[path] if path else self.estimator)
        scaler = StandardScaler(with_mean=not self.is_sparse)
        if get_config()["enable_metadata_routing"]:
            scaler.set_fit_request(sample_weight=False)
        name = "standardize"
        while name in pipeline.named_steps:
            name += "_"
        *before, last = pipeline.steps
        pipeline.set_params(steps=[*before, (name, scaler), last])
        if path:
            pipeline = estimator.set_params(**{path: pipeline})
        return pipeline, False, not has_target_scaler

    def _scalers(self) -> dict[str, Any]:
        """Parameters that hold a scaler, and the values that switch it off."""
        found: dict[str, Any] = {}
        parameters = {"": self.estimator} | self.estimator.get_params()
        for path, value in parameters.items():
            if not isinstance(value, StandardScaler):
                continue
            parent, _, name = path.rpartition("__")
            if isinstance(parameters.get(parent), Pipeline | ColumnTransformer | FeatureUnion):
                found[path] = "passthrough"
            elif isinstance(parameters.get(parent), TransformedTargetRegressor):
                found[path] = None
            else:
                raise TypeError(
                    "encoder must have its StandardScaler in a Pipeline, ColumnTransformer, "
                    "FeatureUnion or TransformedTargetRegressor, where it can be switched off; got "
                    f"parameter {name!r} of a {type(parameters.get(parent)).__name__}."
                )
        return found

    def _is_of_targets(self, path: str) -> bool:
        parameters = {"": self.estimator} | self.estimator.get_params()
        steps = path.split("__")
        return any(
            name == "transformer"
            and isinstance(parameters["__".join(steps[:depth])], TransformedTargetRegressor)
            for depth, name in enumerate(steps)
        )

    def _innermost_pipeline(self) -> str | None:
        """Parameter that holds the pipeline around the linear model; "" for the estimator."""
        found, model, shell = None, self.estimator, open_shell(self.estimator)
        names: list[str] = []
        while shell is not None:
            if isinstance(model, Pipeline):
                found = "__".join(names)
            names.append(shell.name)
            model = shell.inside
            shell = open_shell(model)
        return found


def standardized(train: ArrayLike, test: ArrayLike) -> tuple[Array, Array]:
    """Standardize columns by the mean and standard deviation of the training part.

    A vector stays one; sparse columns are scaled and not centered.
    """
    is_vector = np.ndim(train) == 1
    columns = [np.reshape(part, (-1, 1)) if is_vector else part for part in (train, test)]
    scaler = StandardScaler(with_mean=not sparse.issparse(train)).set_output(transform="default")
    scaler.fit(columns[0])
    one, other = (scaler.transform(part) for part in columns)
    return (one.ravel(), other.ravel()) if is_vector else (one, other)
