"""Compositions of scikit-learn estimators, and the linear model inside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skalign.metrics._array_library import to_numpy_if_dispatched


class Shell(NamedTuple):
    """One estimator around another, such as a pipeline around its last step.

    Returned by :func:`open_shell`.

    Parameters
    ----------
    name : str
        Parameter of the outer estimator that holds the inner one.
    inside : estimator
        The inner estimator, as given.
    fitted : list of estimator
        Fitted clones of it: one, or one per target. Empty before the outer estimator is fitted.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skalign.metrics import open_shell
    >>> open_shell(make_pipeline(Ridge()))
    Shell(name='ridge', inside=Ridge(), fitted=[Ridge()])
    """

    name: str
    inside: Any
    fitted: list[Any]


def open_shell(estimator: Any) -> Shell | None:
    """Open the outermost estimator, by one step.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.

    Returns
    -------
    Shell or None
        What is inside; None if the estimator is not one of the known compositions.

    See Also
    --------
    linear_model_of : What is inside all of them.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skalign.metrics import open_shell
    >>> open_shell(Ridge()) is None
    True
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return Shell(name, last, [last])
    if isinstance(estimator, FrozenEstimator):
        return Shell("estimator", estimator.estimator, [estimator.estimator])
    if isinstance(estimator, TransformedTargetRegressor):
        given = LinearRegression() if estimator.regressor is None else estimator.regressor
        fitted = getattr(estimator, "regressor_", None)
        return Shell("regressor", given, [] if fitted is None else [fitted])
    if isinstance(estimator, MultiOutputRegressor):
        return Shell("estimator", estimator.estimator, getattr(estimator, "estimators_", []))
    if _is_search(estimator):
        fitted = getattr(estimator, "best_estimator_", None)
        return Shell("estimator", estimator.estimator, [] if fitted is None else [fitted])
    return None


class LinearModelInside(NamedTuple):
    """The linear model inside an estimator, and the parameter that holds it.

    Returned by :func:`linear_model_of`.

    Parameters
    ----------
    model : estimator
        The linear model, fitted where the estimator around it is. Of a
        :class:`~sklearn.multioutput.MultiOutputRegressor`: the one of the first target.
    name : str
        Parameter of the estimator that holds the model, such as ``"regressor__ridge"``; empty where
        the estimator is the model itself.
    is_frozen : bool
        Whether a :class:`~sklearn.frozen.FrozenEstimator` is around the model, so that it is never
        refitted and its parameters cannot be set from outside.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.metrics import linear_model_of
    >>> found = linear_model_of(make_pipeline(StandardScaler(), SparsePositiveEncoder()))
    >>> found.parameter("alpha")
    'sparsepositiveencoder__alpha'
    """

    model: Any
    name: str
    is_frozen: bool

    def parameter(self, name: str) -> str:
        """Name that a parameter of the model has in the estimator around it.

        Parameters
        ----------
        name : str
            A parameter of the model.

        Returns
        -------
        str
            Its name in ``set_params`` of the whole estimator.

        Raises
        ------
        TypeError
            If the model has no such parameter, or is frozen.
        """
        parameters = self.model.get_params() if hasattr(self.model, "get_params") else {}
        if name not in parameters:
            raise TypeError(
                f"estimator must have a linear model with a parameter {name!r}; got "
                f"{type(self.model).__name__}, which has {sorted(parameters)}."
            )
        if self.is_frozen:
            raise TypeError(
                f"estimator must not be frozen where its parameter {name!r} is to be set; got "
                f"a FrozenEstimator around {type(self.model).__name__}. Give the estimator without "
                "FrozenEstimator."
            )
        return f"{self.name}__{name}" if self.name else name


def linear_model_of(estimator: Any) -> LinearModelInside:
    """Find the linear model inside an estimator, fitted or not.

    The model may be inside a ``Pipeline``, ``TransformedTargetRegressor``, ``FrozenEstimator``,
    ``MultiOutputRegressor`` or search, nested in any way. For a fitted estimator,
    :func:`linear_maps` gives the weights and the features that reach them.

    Parameters
    ----------
    estimator : estimator
        A linear model, or a composition with one at its core.

    Returns
    -------
    LinearModelInside
        ``model``; ``name``, the parameter that holds it; and ``is_frozen``.

    Raises
    ------
    TypeError
        If there is no regressor inside, or it is fitted and has no weights ``coef_``.

    Examples
    --------
    >>> from sklearn.linear_model import Lasso
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skalign.metrics import linear_model_of
    >>> search = GridSearchCV(make_pipeline(StandardScaler(), Lasso()), {"lasso__alpha": [0.1, 1]})
    >>> linear_model_of(search)
    LinearModelInside(model=Lasso(), name='estimator__lasso', is_frozen=False)
    """
    names, is_frozen, model = [], False, estimator
    while (shell := open_shell(model)) is not None:
        names.append(shell.name)
        is_frozen |= isinstance(model, FrozenEstimator)
        model = shell.fitted[0] if shell.fitted else shell.inside
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "predict")):
        inside = "" if model is estimator else f", whose innermost part is {model!r}"
        raise TypeError(
            "estimator must have a linear regressor inside, alone or within a Pipeline, "
            "TransformedTargetRegressor, FrozenEstimator, MultiOutputRegressor or search; got "
            f"{estimator!r}{inside}."
        )
    if _is_fitted(model):
        weights_of(model)
    return LinearModelInside(model, "__".join(names), is_frozen)


def weights_of(model: Any) -> Any:
    """Return the weights of a fitted linear regressor, as they are."""
    if not hasattr(model, "coef_") or hasattr(model, "classes_"):
        raise TypeError(
            "estimator must have a fitted linear regressor inside, with weights coef_ of shape "
            "(n_targets, n_features), alone or within a Pipeline, TransformedTargetRegressor, "
            f"FrozenEstimator, MultiOutputRegressor or a search with refit; got "
            f"{type(model).__name__}, which is not a linear regressor. For other models call "
            "tuning_reorientation with features, targets and weights."
        )
    weights = to_numpy_if_dispatched(model.coef_)
    return weights if sparse.issparse(weights) else np.asarray(weights)


def _is_search(estimator: Any) -> bool:
    """Whether it is a search of scikit-learn or one that is like these; their base is private."""
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        return False
    return bool({"estimator", "cv", "refit"} <= estimator.get_params(deep=False).keys())


def _is_fitted(model: Any) -> bool:
    try:
        check_is_fitted(model)
    except (NotFittedError, AttributeError):  # an AttributeError for other than BaseEstimator
        return False
    return True
