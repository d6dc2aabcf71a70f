"""Rows of the table: one per cell, and one per layer where a layer was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LinearRegression,
    Ridge,
    RidgeCV,
)

from skalign.metrics import Alignment, linear_model_of
from skalign.model_selection import alpha_at_edge
from skalign.utils import import_pandas

SCORES = (
    *("r", "theta", "penalized_theta", "n_active"),
    *("theta_observed", "n_effective", "theta_floor", "empty_fraction"),
)
COLUMNS = (
    *("model", "layer", "units", "subject", "region", "encoder", "penalty", "positive", "alpha"),
    *("alpha_at_edge", "partition", *SCORES),
    *("ceiling", "n_targets", "seconds", "error"),
)
# Columns of the measures that a run may ask for; they follow the scores.
MEASURES = {
    "theta_corrected": ("theta_corrected",),
    "axis_alignment": ("axis_alignment", "axis_alignment_se"),
    "soft_matching": ("soft_matching",),
}

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
        The encoder, fitted if fitting succeeded.
    layer, partition : str
        Layer and images of the scores.
    scores : dict, default=None
        Result of `summarize`.
    ceiling, n_targets, seconds : float, int, float
        Columns of the table.
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
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(each, name) for each in found]) for name in Alignment.MEASURES
    }
    return dict(Alignment(**columns).summary())


def describe(estimator: Any) -> Row:
    """Penalty, sign and strength of the linear model inside an estimator, fitted or not.

    Parameters
    ----------
    estimator : estimator
        Anything that `linear_model_of` finds a linear model in.

    Returns
    -------
    dict
        ``penalty``, ``positive`` and ``alpha``. If every target has an alpha of its own: the median
        over targets that are not empty. NaN if there is none. ``alpha_at_edge``: fraction of the
        targets whose alpha was chosen at the edge of its grid; NaN if none was chosen.
    """
    model = linear_model_of(estimator).model
    at_edge = alpha_at_edge(estimator) if hasattr(model, "coef_") else None
    parameters = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    penalty = parameters.get("penalty", _PENALTIES.get(type(model), type(model).__name__))
    alphas = getattr(model, "alpha_", parameters.get("alpha"))
    return {
        "penalty": str(penalty),
        "positive": bool(parameters.get("positive", False)),
        "alpha": np.nan if penalty == "ols" else _median_alpha(alphas),
        "alpha_at_edge": np.nan if at_edge is None else float(at_edge.mean()),
    }


def _median_alpha(alphas: Any) -> float:
    try:
        alphas = np.ravel(np.asarray(alphas, dtype=np.float64))
    except (TypeError, ValueError):  # the encoder says what is wrong with it
        return np.nan
    alphas = alphas[np.isfinite(alphas)]  # infinite: a target left empty
    return float(np.median(alphas)) if alphas.size else np.nan


_PENALTIES: dict[type, str] = {
    LinearRegression: "ols",
    Ridge: "ridge",
    RidgeCV: "ridge",
    Lasso: "lasso",
    LassoCV: "lasso",
    ElasticNet: "elasticnet",
    ElasticNetCV: "elasticnet",
}


def add_measures(cells: Mapping[str, list[Row]], measured: Iterable[Row]) -> list[str]:
    """Write stored measures into the rows of the cells that they are of.

    Parameters
    ----------
    cells : dict of str to list of dict
        Rows of cells by their fingerprints. Changed.
    measured : iterable of dict
        What the store keeps of measures. If one was made with several numbers of rotations, the
        largest counts.

    Returns
    -------
    list of str
        Names of the measures found.
    """

    def rank(row: Row) -> tuple[bool, int, int]:
        return row["error"] is None, row.get("n_resamples", 0), row.get("random_state", 0)

    best = {(row["of"], row["measure"]): row for row in sorted(measured, key=rank)}
    found = set()
    for (of_cell, name), row in best.items():
        if of_cell in cells:
            found.add(name)
            test = cells[of_cell][-1]
            test |= {column: row[column] for column in MEASURES[name]}
            test["error"] = row["error"] if test["error"] is None else test["error"]
    return [name for name in MEASURES if name in found]


def to_table(rows: Iterable[Row], measures: Iterable[str] = ()) -> Any:
    """All rows as a pandas DataFrame, with the columns of some measures."""
    pd = import_pandas()
    more = [column for name in measures for column in MEASURES[name]]
    after = COLUMNS.index(SCORES[-1]) + 1
    columns = [*COLUMNS[:after], *more, *COLUMNS[after:]]
    table = pd.DataFrame(list(rows), columns=columns)
    table = table.astype(dict.fromkeys(more, np.float64))
    errors = [None if error != error else error for error in table["error"]]
    return table.assign(error=pd.Series(errors, dtype=object))
