"""Tuning reorientation: how far a linear map turns its features to reach a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skalign.metrics._array_library import array_library, refuse_library
from skalign.metrics._directions import nan_explained
from skalign.metrics._library_measures import library_reorientation
from skalign.metrics._names import target_column
from skalign.metrics._observed_images import over_observed, take_observed
from skalign.metrics._problem import (
    ReorientationBlock,
    ReorientationProblem,
    check_map,
    to_dense,
)
from skalign.utils import (
    Array,
    Doubles,
    Missing,
    PatternOfTargets,
    check_missing,
    check_number,
    import_pandas,
    target_names,
)


def tuning_reorientation(
    features: Any,
    targets: ArrayLike,
    weights: Any,
    *,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    undefined: float = np.nan,
    missing: Missing = "error",
) -> Doubles:
    r"""Compute the tuning reorientation of every target.

    Tuning reorientation is the weighted mean of the cosine distances between a target and the
    features that a linear map combines to reach it. The weight of a feature is its absolute weight
    in the map:

    .. math::
        \theta_v = \frac{\sum_i |w_{vi}| \, (1 - \cos(f_i, t_v))}{\sum_i |w_{vi}|}

    Parameters
    ----------
    features : {array-like, sparse matrix} of shape (n_samples, n_features)
        Responses of the units to the images, as they reach the linear map.
    targets : array-like of shape (n_samples, n_targets) or (n_samples,)
        Responses that the map reaches. The paper takes the responses that it predicts for held-out
        images. With the observed responses, theta also counts the errors of the prediction.
    weights : {array-like, sparse matrix} of shape (n_targets, n_features) or (n_features,)
        Weights of the map, in scikit-learn's layout. Sparse weights stay sparse.
    center : bool, default=False
        Whether to center features and targets over images, which makes the cosine Pearson's r.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images in the inner products, and in the means if ``center``.
    undefined : float, default=nan
        Value for a target without weights, or without a direction.
    missing : {"error", "mask"}, default="error"
        What to do if `targets` have NaN: raise an error, or compare every target with the features
        over the images on which it was observed. A target without any gets `undefined`.

    Returns
    -------
    ndarray of shape (n_targets,)
        Theta, a pure number from 0 to 2; low is aligned. 0: all weight is on units that are tuned
        as the target is, 1: on units orthogonal to it, 2: on units that are tuned oppositely.

    Raises
    ------
    ValueError
        If shapes do not fit each other, values are not finite, or `sample_weight` is negative or
        all zero.
    TypeError
        If `undefined` is not a number.

    See Also
    --------
    tuning_reorientation_parts : The contribution of every unit.
    TuningReorientationScorer : Theta of a fitted estimator, for model selection.
    pearson_r : Predictivity, to be read beside theta.

    Notes
    -----
    Theta does not change if a feature, a target or its weights are multiplied by a positive number.
    Without `center` it does not change either if the image axis is rotated. A unit without a
    direction (silent on all images; constant, with `center`) is left out of both sums.

    Two differences from the code of the authors of [1]_. A silent unit leaves both sums here, while
    their ``nansum`` drops its distance from the numerator and keeps its weight in the denominator,
    which makes theta smaller. A target without weights is NaN here, and 0, the best value, there.

    Theta misleads in two ways.

    - *A common direction.* Features that are positive on all images, as after a ReLU, share a
      direction with each other and with the targets that they predict: random positive weights on
      rectified noise already have a theta near 0.4. Standardize the features or set `center`, and
      report which. The intercept is part of a prediction, so standardize the targets too.
    - *Few weights.* A single unit is its own prediction: theta is 0, however badly it predicts.
      Report :func:`pearson_r` and the number of active units beside theta. A map without weights
      has no theta.

    The cost is one matrix product of the features and the absolute weights, a sparse one if the
    weights are sparse. Targets are read in blocks and may be memory-mapped.

    Arrays of other libraries, as tensors of PyTorch on any device, are taken where scikit-learn's
    option ``array_api_dispatch`` is on, all of one library and device. Theta is then an array of
    that library, in the floating dtype of the arguments.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    Two units and three targets: the first unit, the sum of both, and their difference.

    >>> import numpy as np
    >>> from skalign.metrics import tuning_reorientation
    >>> features = np.eye(2)
    >>> weights = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, -1.0]])
    >>> targets = features @ weights.T
    >>> tuning_reorientation(features, targets, weights).round(2)
    array([0.  , 0.29, 1.  ])
    """
    is_masked = check_missing(missing) == "mask"
    library = array_library(
        features=features, targets=targets, weights=weights, sample_weight=sample_weight
    )
    if is_masked:
        refuse_library(library)
        return _over_observed_images(features, targets, weights, center, sample_weight, undefined)
    if library is not None:
        return library_reorientation(
            library, features, targets, weights, center, sample_weight, undefined
        )
    problem = ReorientationProblem(features, targets, weights, center, sample_weight, undefined)
    theta = np.empty(problem.n_targets)
    with nan_explained(targets, "targets"):
        for block in problem.blocks():
            (aligned,) = aligned_weights(problem, block, [block.targets])
            theta[block.index] = np.where(block.defined, 1 - aligned / block.total, np.nan)
    return problem.finish(theta)


def _over_observed_images(
    features: Any, targets: Any, weights: Any, center: bool, sample_weight: Any, undefined: float
) -> Doubles:
    features, targets, weights = check_map(features, targets, weights)
    undefined = check_number(undefined, "undefined")

    def score(pattern: PatternOfTargets, weight: Doubles | None) -> list[Doubles]:
        own = take_observed(features, [targets], weights, pattern)
        return [tuning_reorientation(*own, center=center, sample_weight=weight)]

    (theta,) = over_observed(targets, sample_weight, score, n_scores=1, least=1)
    return np.where(np.isnan(theta), undefined, theta)


@dataclass(frozen=True, eq=False)
class ReorientationParts:
    """The tuning reorientation of every target, and the contribution of every unit.

    Returned by :func:`tuning_reorientation_parts`.

    Parameters
    ----------
    theta : ndarray of shape (n_targets,)
        Tuning reorientation, from 0 to 2.
    distance : ndarray of shape (n_targets, n_features)
        Cosine distance of every unit to every target, from 0 (tuned alike) through 1 (orthogonal)
        to 2 (opposite). It does not depend on the weights. NaN where the unit or the target has no
        direction.
    contribution : ndarray of shape (n_targets, n_features)
        Contribution of each unit to theta: its share of the absolute weight times its distance.
        Rows sum to theta; NaN where theta is undefined.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.
    unit_names : ndarray of shape (n_features,), default=None
        Names of the units, where known.
    """

    theta: Doubles
    distance: Array
    contribution: Array
    target_names: NDArray[np.object_] | None = None
    unit_names: Array | None = None

    def to_frame(self) -> Any:
        """One row per target and unit, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target`` and ``unit``, names where known and else indices; ``distance``;
            ``contribution``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        n_targets, n_features = self.distance.shape
        columns = {
            "target": np.repeat(target_column(self.target_names, n_targets), n_features),
            "unit": np.tile(target_column(self.unit_names, n_features), n_targets),
            "distance": self.distance.ravel(),
            "contribution": self.contribution.ravel(),
        }
        return import_pandas().DataFrame(columns)


def tuning_reorientation_parts(
    features: Any,
    targets: ArrayLike,
    weights: Any,
    *,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    undefined: float = np.nan,
) -> ReorientationParts:
    """Compute the contribution of every unit to the tuning reorientation of every target.

    Parameters
    ----------
    features : {array-like, sparse matrix} of shape (n_samples, n_features)
        Responses of the units to the images, as they reach the linear map.
    targets : array-like of shape (n_samples, n_targets) or (n_samples,)
        Responses that the map reaches: the predicted or the observed ones.
    weights : {array-like, sparse matrix} of shape (n_targets, n_features) or (n_features,)
        Weights of the map, in scikit-learn's layout.
    center : bool, default=False
        Whether to center features and targets over images, which makes the cosine Pearson's r.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images in the inner products, and in the means if ``center``.
    undefined : float, default=nan
        Value of theta for a target without weights, or without a direction.

    Returns
    -------
    ReorientationParts
        ``theta`` (n_targets,), and ``distance`` and ``contribution`` (n_targets, n_features), both
        dense.

    Raises
    ------
    ValueError
        If shapes do not fit each other, values are not finite, or `sample_weight` is negative or
        all zero.
    TypeError
        If `undefined` is not a number.

    See Also
    --------
    tuning_reorientation : Theta alone, with less memory; explains the measure.

    Notes
    -----
    A large contribution has one of two causes: a large weight on a unit of moderate distance, or a
    small weight on a unit that is tuned oppositely. ``distance`` tells which.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    A target reached by adding one unit and taking away another that is orthogonal to it:

    >>> import numpy as np
    >>> from skalign.metrics import tuning_reorientation_parts
    >>> features, weights = np.eye(2), np.array([3.0, -4.0])
    >>> parts = tuning_reorientation_parts(features, features @ weights, weights)
    >>> parts.theta.round(2)
    array([1.2])
    >>> parts.distance.round(2)
    array([[0.4, 1.8]])
    >>> parts.contribution.round(2)
    array([[0.17, 1.03]])
    """
    names, unit_names = target_names(targets), target_names(features)
    problem = ReorientationProblem(features, targets, weights, center, sample_weight, undefined)
    shape = problem.n_targets, problem.n_features
    distance, contribution = np.empty(shape, problem.dtype), np.empty(shape, problem.dtype)
    theta = np.empty(problem.n_targets)
    for block in problem.blocks():
        cosine = (problem.features.T @ block.targets).T
        cosine[~block.defined] = np.nan
        cosine[:, ~problem.alive] = np.nan
        distance[block.index] = np.clip(1 - cosine, 0, 2)
        total = np.where(block.defined, block.total, np.nan)
        share = to_dense(block.weights) / total[:, np.newaxis]
        contribution[block.index] = share * np.where(problem.alive, distance[block.index], 0)
        theta[block.index] = contribution[block.index].sum(axis=1)
    return ReorientationParts(problem.finish(theta), distance, contribution, names, unit_names)


def aligned_weights(
    problem: ReorientationProblem, block: ReorientationBlock, targets: list[Array]
) -> list[Array]:
    """Sum over units of absolute weight times cosine, for several targets of every map."""
    if sparse.issparse(problem.features) or not sparse.issparse(block.weights):
        reached = to_dense(problem.features @ block.weights.T)
        return [np.einsum("ij,ij->j", reached, directions) for directions in targets]
    aligned = [np.zeros(len(block.total)) for _ in targets]
    for images, features in problem.feature_chunks:
        reached = block.weights @ features
        for found, directions in zip(aligned, targets, strict=True):
            found += np.einsum("ij,ji->i", reached, directions[images])
    return aligned
