"""Fits of the model that users give: any estimator, with what its fit needs, alphas kept or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skalign.metrics import linear_model_of
from skalign.model_selection import check_splits
from skalign.utils import Indices, check_groups, check_sample_weight

_ROUTING = "enable_metadata_routing"

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class RefittableModel:
    """An estimator that is fitted again and again, with what its ``fit`` takes beside X and y.

    Parameters
    ----------
    estimator : estimator
        Cloned for every fit.
    n_samples : int
        Number of samples of X and y.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in fits. Without metadata routing the last step of a pipeline gets
        them; with routing, whatever has requested them.
    groups : array-like of shape (n_samples,), default=None
        Groups of the samples, which inner splits of estimators that choose by cross-validation
        keep together: ``fit`` gets them where it takes them; else ``cv`` is replaced by splits of
        whole groups.
    fit_params : dict, default=None
        Further arguments of ``fit``, as the estimator names them. Values with one entry per sample
        are cut to the samples of a fit.
    """

    estimator: Any
    n_samples: int
    sample_weight: ArrayLike | None = None
    groups: ArrayLike | None = None
    fit_params: dict[str, Any] | None = None
    arguments: dict[str, Any] = field(init=False, repr=False)
    hands_groups_on: bool = field(init=False, repr=False, default=True)

    def __post_init__(self) -> None:
        arguments: dict[str, Any] = {}
        if self.sample_weight is not None:
            weight = check_sample_weight(self.sample_weight, self.n_samples)
            arguments[self._name_of_weight()] = weight
        if self.groups is not None:
            check_groups(self.groups, self.n_samples)
            groups = np.asarray(self.groups)
            object.__setattr__(self, "groups", groups)
            name = _argument_name(self.estimator, "groups")
            if name is not None:
                arguments[name] = groups
            object.__setattr__(self, "hands_groups_on", name is not None)
        for name, value in (self.fit_params or {}).items():
            if name in arguments:
                raise ValueError(
                    f"fit_params must not have {name!r} where sample_weight or groups give it; got "
                    "both. Drop one of them."
                )
            arguments[name] = value
        object.__setattr__(self, "arguments", arguments)

    def fit(self, X: Any, y: Any, rows: Indices | None = None) -> Any:
        """Fit a clone to all samples, or to some rows of them."""
        arguments, groups = self.arguments, self.groups
        if rows is not None:
            X, y, groups = (
                None if given is None else take_rows(given, rows) for given in (X, y, groups)
            )
            arguments = {
                name: take_rows(value, rows) if _has_rows(value, self.n_samples) else value
                for name, value in arguments.items()
            }
        estimator = clone(self.estimator)
        if groups is not None and not self.hands_groups_on:
            _split_by_groups(estimator, X, y, groups)
        return estimator.fit(X, y, **arguments)

    def keep_alpha(self, fitted: Any) -> RefittableModel:
        """The same model at the strengths that a fit of it has chosen."""
        estimator = with_chosen_alpha(fitted)
        fit_params = dict(self.fit_params or {})
        if _argument_name(estimator, "groups") is None:  # what chooses no more splits no more
            for name in [name for name in fit_params if name.split("__")[-1] == "groups"]:
                del fit_params[name]
        return replace(self, estimator=estimator, fit_params=fit_params)

    def with_params(self, **params: Any) -> RefittableModel:
        """The same model with some parameters of the estimator set to other values."""
        return replace(self, estimator=clone(self.estimator).set_params(**params))

    def _name_of_weight(self) -> str:
        name = _argument_name(self.estimator, "sample_weight")
        if name is None:
            raise TypeError(
                "sample_weight must be None for an estimator whose fit takes no weights; got "
                f"weights for {type(self.estimator).__name__}. Drop them, or give fit_params with "
                "the name that the estimator has for them."
            )
        return name


def with_chosen_alpha(fitted: Any) -> Any:
    """Unfitted estimator at the strengths that a fitted one has chosen by cross-validation.

    Looks through pipelines, target transformers and searches. A search becomes its best estimator.
    An estimator that chooses nothing is cloned.

    Raises
    ------
    TypeError
        If the estimators of a MultiOutputRegressor have chosen different strengths, or the strength
        of an estimator cannot be given to it.
    """
    if isinstance(fitted, FrozenEstimator):
        return fitted
    if isinstance(fitted, Pipeline):
        name, last = fitted.steps[-1]
        return clone(fitted).set_params(**{name: with_chosen_alpha(last)})
    if isinstance(fitted, TransformedTargetRegressor):
        return clone(fitted).set_params(regressor=with_chosen_alpha(fitted.regressor_))
    if isinstance(fitted, MultiOutputRegressor):
        first, *others = (with_chosen_alpha(single) for single in fitted.estimators_)
        if any(repr(first) != repr(other) for other in others):
            raise TypeError(
                "keep_alpha must be False for a MultiOutputRegressor whose estimators have chosen "
                "different strengths; got True. Use SparsePositiveEncoderCV on all targets: it "
                "chooses for every target and keeps its choice."
            )
        return clone(fitted).set_params(estimator=first)
    if hasattr(fitted, "best_estimator_"):
        return with_chosen_alpha(fitted.best_estimator_)
    if hasattr(fitted, "fixed"):
        return _with_requests_of(fitted, fitted.fixed())
    if not (hasattr(fitted, "alpha_") and hasattr(fitted, "alphas")):
        return clone(fitted)
    if np.ndim(fitted.alpha_):
        raise TypeError(
            f"keep_alpha must be False for a {type(fitted).__name__} that has chosen a strength "
            f"for every target; got True. Use SparsePositiveEncoderCV, which keeps its choice."
        )
    chosen = {"alphas": [fitted.alpha_]}
    if hasattr(fitted, "l1_ratio_"):
        chosen["l1_ratio"] = [fitted.l1_ratio_]
    return clone(fitted).set_params(**chosen)


def _with_requests_of(fitted: Any, fixed: Any) -> Any:
    """The same requests for metadata, as far as the fixed encoder takes it."""
    if get_config()[_ROUTING]:
        requests = fitted.get_metadata_routing().fit.requests
        fixed.set_fit_request(
            **{name: value for name, value in requests.items() if has_fit_parameter(fixed, name)}
        )
    return fixed


def _split_by_groups(estimator: Any, X: Any, y: Any, groups: ArrayLike) -> None:
    """Replace ``cv`` of what chooses around the linear model, or is it, by splits of groups."""
    found = linear_model_of(estimator)
    if found.is_frozen:
        return
    parameters = {"": estimator, **estimator.get_params()}
    steps = found.name.split("__") if found.name else []
    for depth in range(len(steps) + 1):  # the outermost splits the samples that are given
        path = "__".join(steps[:depth])
        own = parameters[path].get_params(deep=False)
        if "cv" in own and not isinstance(own["cv"], str):
            splits = check_splits(own["cv"], X, y, groups=groups)
            estimator.set_params(**{f"{path}__cv" if path else "cv": splits})
            return


def parameter_to_set(estimator: Any, name: str) -> str:
    """Name that a parameter of the linear model has outside, where no search varies it."""
    outer = linear_model_of(estimator).parameter(name)
    check_not_searched(estimator, name)
    return outer


def check_not_searched(estimator: Any, name: str) -> None:
    """Raise where a search inside the estimator varies what is set from outside."""
    for searched, value in estimator.get_params().items():
        if searched.rpartition("__")[2] in ("param_grid", "param_distributions"):
            grids = value if isinstance(value, list | tuple) else [value]
            for key in (key for grid in grids for key in grid):
                if name in key.split("__"):
                    raise TypeError(
                        f"encoder must not search over {key}, for {name} is set here; got "
                        f"{searched} of {type(estimator).__name__} with {key}. Drop it there."
                    )


def take_rows(values: Any, rows: Indices) -> Any:
    """Some rows of an array, a sparse matrix, a list or a data frame."""
    (values,) = indexable(values)  # a sparse matrix becomes one that has rows
    return _safe_indexing(values, rows)


def count_samples(X: Any) -> int:
    """Number of rows of X, whatever holds them."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _has_rows(value: Any, n_samples: int) -> bool:
    return np.ndim(value) > 0 and np.shape(value)[0] == n_samples


def _argument_name(estimator: Any, name: str) -> str | None:
    """What ``fit`` calls a metadata argument; None where the estimator does not take it."""
    if get_config()[_ROUTING] and hasattr(estimator, "get_metadata_routing"):
        router = get_routing_for_object(estimator)
        parts = [estimator, *estimator.get_params().values()]
        # Where a part takes it but has not requested it, scikit-learn's error tells what to do.
        known = any(hasattr(part, "fit") and has_fit_parameter(part, name) for part in parts)
        return name if known or router.consumes("fit", [name]) else None
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        inner = _argument_name(last, name)
        return None if inner is None else f"{step}__{inner}"
    if isinstance(estimator, FrozenEstimator):
        return name  # its fit takes and ignores everything
    if isinstance(estimator, TransformedTargetRegressor):
        return name if estimator.regressor is None else _argument_name(estimator.regressor, name)
    if not hasattr(estimator, "fit"):
        return None
    if name == "groups" and "cv" in estimator.get_params(deep=False):
        return name if has_fit_parameter(estimator, name) else None
    inner = getattr(estimator, "estimator", None)
    if inner is not None:  # a search, or a MultiOutputRegressor, hands it on as it is
        return _argument_name(inner, name)
    return name if has_fit_parameter(estimator, name) else None


def as_configured(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """Have workers call a function under this thread's configuration of scikit-learn."""
    return partial(_call_as_configured, get_config(), function)


def _call_as_configured(
    config: dict[str, Any], function: Callable[[Any], Result], argument: Any
) -> Result:
    with config_context(**config):
        return function(argument)
