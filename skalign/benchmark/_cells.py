"""One cell: an encoder from a model's units to a region, scored on test images."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import PredefinedSplit

from skalign.benchmark._features import FeaturesOfLayers, StandardizedParts
from skalign.benchmark._rows import Cell, Failure, Row, make_row, summarize
from skalign.metrics import Alignment, alignment
from skalign.model_selection import check_splits
from skalign.utils import Array, Doubles


@dataclass(frozen=True, eq=False)
class CellProblem:
    """What all layers of a cell have in common."""

    cell: Cell
    encoder: Any
    responses: StandardizedParts
    ceiling: Doubles  # in r; NaN where a voxel has none
    layer_cv: Any

    def row(self, layer: str, partition: str, estimator: Any, start: float, **result: Any) -> Row:
        """Make a row of the table, timed from `start` on."""
        known = self.ceiling[~np.isnan(self.ceiling)]
        return make_row(
            self.cell,
            estimator,
            layer=layer,
            partition=partition,
            ceiling=float(known.mean()) if known.size else np.nan,
            n_targets=self.responses.train.shape[1],
            seconds=perf_counter() - start,
            **result,
        )


def fit_cell(problem: CellProblem, layers: FeaturesOfLayers) -> list[Row]:
    """Choose the layer where there are several, fit, and score on the test images.

    Parameters
    ----------
    problem : CellProblem
        The encoder, and the region's responses.
    layers : dict of str to StandardizedParts, or Failure
        Features of every layer, or why there are none.

    Returns
    -------
    list of dict
        Rows of the table: one per layer, if there are several, with the scores that choose; last
        that of the test images.
    """
    start = perf_counter()
    rows: list[Row] = []
    layer: str | None = next(iter(layers))
    fitted = None
    if len(layers) > 1:
        rows, layer, fitted = _choose_layer(problem, layers)
    try:
        if layer is None:
            first, error = rows[0]["layer"], rows[0]["error"]
            raise ValueError(f"No layer could be fitted. The first, {first!r}: {error}")
        features = _given(layers[layer])
        if fitted is None:
            fitted = fit_encoder(problem, features)
        found = _score(fitted, features.test, problem.responses.test, "test")
        row = problem.row(layer, "test", fitted, start, scores=summarize([found]))
    except Exception as error:  # recorded: other cells go on
        row = problem.row(layer or "", "test", problem.encoder, start, error=error)
    return [*rows, row]


def _choose_layer(
    problem: CellProblem, layers: FeaturesOfLayers
) -> tuple[list[Row], str | None, Any | None]:
    """Rows of all layers, the layer with the largest r, and its encoder if that is fitted."""
    rows: list[Row] = []
    best, best_fitted, best_r = None, None, -np.inf
    partition = _choice_partition(problem, layers)
    for layer, maybe_features in layers.items():
        start, fitted = perf_counter(), None
        try:
            features = _given(maybe_features)
            if partition == "validation":
                _check_validation_is_held_out(problem.encoder)
                fitted = fit_encoder(problem, features)
                assert features.validation is not None
                Y = problem.responses.validation
                found = [_score(fitted, features.validation, Y, partition)]
            else:
                found = _score_folds(problem, features)
            estimator = problem.encoder if fitted is None else fitted
            row = problem.row(layer, partition, estimator, start, scores=summarize(found))
            if row["r"] > best_r:
                best, best_fitted, best_r = layer, fitted, row["r"]
        except Exception as error:  # recorded: other layers go on
            row = problem.row(layer, partition, problem.encoder, start, error=error)
        rows.append(row)
    return rows, best, best_fitted


def _given(features: StandardizedParts | Failure) -> StandardizedParts:
    if isinstance(features, Failure):
        raise features
    return features


def _choice_partition(problem: CellProblem, layers: FeaturesOfLayers) -> str:
    """Choose layers on validation images if features and responses have them."""
    has_features = any(
        isinstance(features, StandardizedParts) and features.validation is not None
        for features in layers.values()
    )
    return "validation" if has_features and problem.responses.validation is not None else "train"


def _score_folds(problem: CellProblem, features: StandardizedParts) -> list[Alignment]:
    """Score on held-out folds of the training images.

    Features and responses are standardized by all training images, those of the held-out fold
    included. This is the same for all layers, and sees no test or validation image.
    """
    X, Y = features.train, problem.responses.train
    _check_images("train", X, Y)
    found = []
    for train, test in check_splits(problem.layer_cv, X, Y):
        fitted = _fit_clone(problem.encoder, X[train], Y[train])
        found.append(_score(fitted, X[test], Y[test], "train"))
    return found


def fit_encoder(problem: CellProblem, features: StandardizedParts) -> Any:
    """Fit the encoder, with the validation images if it asks for them."""
    responses = problem.responses
    _check_images("train", features.train, responses.train)
    if not validation_parameters(problem.encoder):
        return _fit_clone(problem.encoder, features.train, responses.train)
    if features.validation is None or responses.validation is None:
        raise ValueError(
            'encoder must have validation images for cv="validation"; got no validation '
            f"{'features' if features.validation is None else 'responses'}. Give them, or take "
            "another cv."
        )
    _check_images("validation", features.validation, responses.validation)
    fold = np.repeat([-1, 0], [len(features.train), len(features.validation)])
    return _fit_clone(
        problem.encoder,
        np.vstack([features.train, features.validation]),
        np.vstack([responses.train, responses.validation]),
        PredefinedSplit(fold),
    )


def _fit_clone(encoder: Any, X: Array, Y: Array, split: Any = None) -> Any:
    encoder = clone(encoder)
    if names := validation_parameters(encoder):
        if split is None:
            raise ValueError(
                'encoder must have validation images for cv="validation"; got none. Give '
                "validation features and responses, or take another cv."
            )
        encoder.set_params(**dict.fromkeys(names, split))
    return encoder.fit(X, Y)


def validation_parameters(encoder: Any) -> list[str]:
    """Names of the parameters ``cv`` that stand for the validation images."""
    return [
        name
        for name, value in encoder.get_params().items()
        if name.rpartition("__")[2] == "cv" and isinstance(value, str) and value == "validation"
    ]


def _check_validation_is_held_out(encoder: Any) -> None:
    parameters = encoder.get_params()
    for name in validation_parameters(encoder):
        refit = f"{name.removesuffix('cv')}refit"
        if parameters.get(refit) != "train":
            raise ValueError(
                "encoder must not be fitted to the validation images if these choose the layer; "
                f'got {name}="validation" and {refit}={parameters.get(refit)!r}. Take '
                'SparsePositiveEncoderCV(refit="train"), or folds of the training images as cv.'
            )


def _score(fitted: Any, X: Array, Y: Any, part: str) -> Alignment:
    _check_images(part, X, Y)
    return alignment(fitted, X, Y)


def _check_images(part: str, X: Array, Y: Array) -> None:
    if len(X) != len(Y):
        raise ValueError(
            f"Features and responses must have the same images; got {len(X)} and {len(Y)} {part} "
            f"images. Name those that the subject saw: RegionResponses(..., {part}_images=rows of "
            "the features)."
        )
