"""A fitted model on the images that score it: its alignment there, and in draws of them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skalign.inference._comparison import check_test_weight
from skalign.inference._interval import IntervalRule
from skalign.metrics import (
    ImageDraws,
    ImagesToDraw,
    ReorientationOfDraws,
    alignment_of_maps,
    check_image_rows,
    check_responses,
    check_target_names,
    fitted_target_names,
    linear_maps,
    pearson_r,
    pearson_r_of_draws,
    predictions,
)
from skalign.utils import Array, Doubles, check_flag, refuse_missing

Over = Literal["images", "targets"]


class ScoredImages:
    """Checked arguments of a bootstrap: what is observed, and how models are scored on it.

    Attributes
    ----------
    y : ndarray of shape (n_images, n_targets)
        Observed responses; `given_y` as they were given.
    images : ImagesToDraw
        What is drawn.
    """

    def __init__(
        self,
        y: ArrayLike,
        rule: IntervalRule,
        *,
        over: Over,
        groups: ArrayLike | None,
        center: bool,
        test_sample_weight: ArrayLike | None,
    ) -> None:
        self.rule = rule.check()
        if over not in ("images", "targets"):
            raise ValueError(f'over must be "images" or "targets"; got {over!r}.')
        if over == "targets" and groups is not None:
            raise ValueError(
                'groups must be None with over="targets", for they are groups of images; got '
                'groups. Use over="images", or drop them.'
            )
        self.over = over
        self.center = check_flag(center, "center")
        self.given_y, self.y = y, check_responses(y, "y")
        refuse_missing(self.y, maskable=False)
        self.weight = check_test_weight(test_sample_weight, len(self.y))
        self.images = ImagesToDraw(len(self.y), self.weight, groups)
        if over == "images" and self.images.n_groups < 2:
            name = "images with a weight" if groups is None else "groups of images with a weight"
            raise ValueError(
                f"y must have at least 2 {name} to draw from; got {self.images.n_groups}."
            )


class _BlockMap(NamedTuple):
    """A linear map, and where its targets are among those of the model."""

    features: Any
    predicted: Array
    observed: Array
    weights: Any
    block: slice


class EvaluatedModel:
    """A fitted model on scored images: its predictions, and the linear maps that reach them.

    Attributes
    ----------
    alignment : Alignment
        On the images as they are.
    y_pred : ndarray of shape (n_images, n_targets)
        Its predictions.
    maps : list of _BlockMap
        One for every set of features; their targets are in the order of `y_pred`.
    """

    def __init__(self, estimator: Any, X: Any, scored: ScoredImages) -> None:
        found = linear_maps(estimator, X, scored.given_y)
        self.y_pred = check_responses(predictions(estimator, X, found), "y_pred")
        self.maps: list[_BlockMap] = []
        start = 0
        for one in found:
            block = slice(start, start + one.weights.shape[0])
            start = block.stop
            features = check_image_rows(one.features, "features", accept_sparse="csr")
            predicted, observed = (
                check_responses(responses, "targets") for responses in (one.predicted, one.observed)
            )
            self.maps.append(_BlockMap(features, predicted, observed, one.weights, block))
        self.alignment = alignment_of_maps(
            found,
            pearson_r(scored.y, self.y_pred, sample_weight=scored.weight),
            center=scored.center,
            sample_weight=scored.weight,
            target_names=check_target_names(scored.given_y, fitted_target_names(estimator)),
        )


class ModelInDraws:
    """An evaluated model in every draw of the images."""

    def __init__(self, model: EvaluatedModel, draws: ImageDraws, scored: ScoredImages) -> None:
        kept = draws.images.kept
        self._draws = draws
        self._y, self._y_pred = scored.y[kept], model.y_pred[kept]
        self._maps = [
            (one, ReorientationOfDraws(draws, one.features[kept], one.weights, scored.center))
            for one in model.maps
        ]

    def r(self, block: slice) -> Doubles:
        """Of a block of targets, (n_block, n_draws); NaN where undefined."""
        return pearson_r_of_draws(self._draws, self._y[:, block], self._y_pred[:, block])

    def theta(self, block: slice) -> Doubles:
        """Of a block of targets, (n_block, n_draws); NaN where undefined."""
        return self._theta(block, "predicted")

    def theta_observed(self, block: slice) -> Doubles:
        """Of a block of targets, (n_block, n_draws); NaN where undefined."""
        return self._theta(block, "observed")

    def _theta(self, block: slice, responses: Literal["predicted", "observed"]) -> Doubles:
        kept, parts = self._draws.images.kept, []
        for one, over in self._maps:
            start, stop = max(block.start, one.block.start), min(block.stop, one.block.stop)
            if start < stop:
                local = slice(start - one.block.start, stop - one.block.start)
                parts.append(over.theta(getattr(one, responses)[kept, local], local))
        return np.vstack(parts)
