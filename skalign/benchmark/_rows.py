"""Rows of the table: one per cell, and one per layer where a layer was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from skalign.metrics import Alignment
from skalign.utils import import_pandas

COLUMNS = (
    *("model", "layer", "units", "subject", "region", "encoder", "penalty", "positive", "alpha"),
    *("partition", "r", "theta", "penalized_theta", "n_active", "empty_fraction"),
    *("ceiling", "n_targets", "seconds", "error"),
)
SCORES = ("r", "theta", "penalized_theta", "n_active", "empty_fraction")

Row = dict[str, Any]


class Cell(NamedTuple):
    """Names of what is put together: a model's units, a subject's region, an encoder."""

    model: str
    units: str
    subject: str
    region: str
    encoder: str


class FinishedCell(NamedTuple):
    """Rows of a cell, and why the store could not keep them, if that is so."""

    cell: Cell
    rows: list[Row]
    not_stored: str | None = None


class Failure(Exception):
    """Why something is missing: a text, which any process can receive."""

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Keep the text of any other error."""
        return cls(error_text(error))


def error_text(error: Exception) -> str:
    """Text for the column "error"."""
    return str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"


def make_row(
    cell: Cell,
    estimator: Any,
    *,
    layer: str = "",
    partition: str = "test",
    scores: Row | None = None,
    ceiling: float = np.nan,
    n_targets: int = 0,
    seconds: float = np.nan,
    error: Exception | None = None,
) -> Row:
    """Make a row of the table; without scores these are NaN.

    Parameters
    ----------
    cell : Cell
        Names.
    estimator : estimator
        The encoder, fitted where that went well.
    layer, partition : str
        Where the scores are from.
    scores : dict, default=None
        As from `summarize`.
    ceiling, n_targets, seconds : float, int, float
        As in the table.
    error : Exception, default=None
        Why there are no scores.

    Returns
    -------
    dict
        A value for every column.
    """
    missing = dict.fromkeys(SCORES, np.nan)
    return {
        **cell._asdict(),
        **describe(estimator),
        **(scores or missing),
        "layer": layer,
        "partition": partition,
        "ceiling": ceiling,
        "n_targets": n_targets,
        "seconds": seconds,
        "error": None if error is None else error_text(error),
    }


def summarize(found: Sequence[Alignment]) -> Row:
    """Means over the targets of all folds, as `Alignment.summary` defines them."""
    r, theta, n_active = (
        np.concatenate([getattr(each, name) for each in found])
        for name in ("r", "theta", "n_active")
    )
    return dict(Alignment(r, theta, n_active).summary())


def describe(estimator: Any) -> Row:
    """Penalty, sign and strength of the linear model inside of an estimator, fitted or not.

    Parameters
    ----------
    estimator : estimator
        Of skalign or of scikit-learn.

    Returns
    -------
    dict
        ``penalty``, ``positive`` and ``alpha``: the median of the targets that are not empty where
        each has its own; NaN where there is none.
    """
    model = _innermost(estimator)
    parameters = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    penalty = parameters.get("penalty", _PENALTIES.get(type(model).__name__, type(model).__name__))
    alphas = getattr(model, "alpha_", parameters.get("alpha"))
    return {
        "penalty": str(penalty),
        "positive": bool(parameters.get("positive", False)),
        "alpha": np.nan if penalty == "ols" else _median_alpha(alphas),
    }


def _median_alpha(alphas: Any) -> float:
    try:
        alphas = np.ravel(np.asarray(alphas, dtype=np.float64))
    except (TypeError, ValueError):  # the encoder says what is wrong with it
        return np.nan
    alphas = alphas[np.isfinite(alphas)]  # infinite: a target left empty
    return float(np.median(alphas)) if alphas.size else np.nan


_PENALTIES = {
    "LinearRegression": "ols",
    "Ridge": "ridge",
    "RidgeCV": "ridge",
    "Lasso": "lasso",
    "LassoCV": "lasso",
    "ElasticNet": "elasticnet",
    "ElasticNetCV": "elasticnet",
}


def _innermost(estimator: Any) -> Any:
    if isinstance(estimator, Pipeline):
        return _innermost(estimator.steps[-1][1])
    for name in ("best_estimator_", "regressor_", "estimator", "regressor"):
        if (inner := getattr(estimator, name, None)) is not None:
            return _innermost(inner)
    return estimator


def to_table(rows: Iterable[Row]) -> Any:
    """All rows as a pandas DataFrame."""
    pd = import_pandas()
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    errors = [None if error != error else error for error in table["error"]]
    return table.assign(error=pd.Series(errors, dtype=object))
