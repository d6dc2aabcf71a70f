"""Predictivity and reorientation in every draw of images, from moments that all draws share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.metrics._directions import ImageSpace, check_responses, safe_scale
from skalign.metrics._image_draws import BootstrapDraws, ImageDraws, ImagesToDraw
from skalign.metrics._predictivity import pearson_r
from skalign.metrics._problem import to_dense
from skalign.metrics._reorientation import tuning_reorientation
from skalign.utils import Array, Doubles, Flags, Indices

_CANCELLED = 1e-8  # a variance below this share of the second moment is recomputed


def pearson_r_standard_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    n_resamples: int = 200,
    random_state: Any = 0,
) -> Doubles:
    """Compute the bootstrap standard error of every target's r, over images.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_targets) or (n_samples,)
        Observed and predicted responses.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images in r. All images of positive weight are drawn equally often.
    n_resamples : int, default=200
        Number of draws, at least 2.
    random_state : int, RandomState instance or None, default=0
        Equal integers draw equal images, so that several models can be compared.

    Returns
    -------
    ndarray of shape (n_targets,)
        Standard deviation of r over the draws. A draw in which r is undefined counts as r = 0. A
        target that is undefined in all draws has a standard error of 0.

    Raises
    ------
    ValueError
        If the shapes differ, values are not finite, or ``sample_weight`` is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import pearson_r_standard_error
    >>> y_true = np.random.default_rng(0).standard_normal((400, 1))
    >>> y_pred = y_true + np.random.default_rng(1).standard_normal((400, 1))
    >>> pearson_r_standard_error(y_true, y_pred).round(2)
    array([0.03])
    """
    y_true, y_pred = check_responses(y_true, "y_true"), check_responses(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_pred must have the shape (n_samples, n_targets) of y_true, {y_true.shape}; "
            f"got {y_pred.shape}."
        )
    images = ImagesToDraw(len(y_true), sample_weight)
    draws = BootstrapDraws(images, n_resamples, random_state)
    error = np.empty(y_true.shape[1])
    for block in draws.bounded_slices(error.size):
        r = pearson_r_of_draws(draws, y_true[images.kept, block], y_pred[images.kept, block])
        error[block] = np.nan_to_num(r, copy=False).std(axis=1, ddof=1)
    return error


def pearson_r_of_draws(draws: ImageDraws, observed: Array, predicted: Array) -> Doubles:
    """Compute Pearson's r of every target in every draw.

    Parameters
    ----------
    draws : ImageDraws
        Of the images below.
    observed, predicted : ndarray of shape (n_samples, n_targets)
        Responses; a block of targets.

    Returns
    -------
    ndarray of shape (n_targets, n_draws)
        The correlations; NaN where undefined.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import ImagesToDraw, JackknifeDraws, pearson_r_of_draws
    >>> observed = np.array([[1.0], [2.0], [3.0]])
    >>> predicted = np.array([[1.0], [2.0], [0.0]])
    >>> pearson_r_of_draws(JackknifeDraws(ImagesToDraw(3, None)), observed, predicted).round(6)
    array([[-1., -1.,  1.]])
    """
    y = _Vectors(draws, observed, "y_true", center=True)
    p = _Vectors(draws, predicted, "y_pred", center=True)
    covariance = draws.means(y.rows * p.rows) - y.mean * p.mean
    r: Doubles = np.clip(covariance * y.inverse_norm * p.inverse_norm, -1, 1)
    r[(y.inverse_norm == 0) | (p.inverse_norm == 0)] = np.nan
    doubtful = y.doubtful | p.doubtful
    r[doubtful] = np.nan
    for targets, draw, weight in _recomputed(draws, doubtful):
        r[targets, draw] = pearson_r(
            observed[:, targets], predicted[:, targets], sample_weight=weight
        )
    return r


class ReorientationOfDraws:
    """Theta of every target in every draw, with moments of the features that targets share.

    The inner product of a target and a feature is the mean of their product over images. The inner
    products of all pairs of a target and an active unit, in all draws, are one matrix product.

    Parameters
    ----------
    draws : ImageDraws
        Of the images below.
    features : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Features that reach the linear map.
    weights : {ndarray, sparse matrix} of shape (n_targets, n_features)
        Its weights.
    center : bool
        Whether features and targets are centered on their mean in the draw.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import ImagesToDraw, JackknifeDraws, ReorientationOfDraws
    >>> draws, features = JackknifeDraws(ImagesToDraw(3, None)), np.eye(3)[:, :2]
    >>> weights = np.array([[1.0, 1.0]])
    >>> of_draws = ReorientationOfDraws(draws, features, weights, center=False)
    >>> of_draws.theta(features @ weights.T, slice(0, 1)).round(2)
    array([[0.  , 0.  , 0.29]])
    """

    def __init__(self, draws: ImageDraws, features: Any, weights: Any, center: bool) -> None:
        weights = abs(sparse.csr_array(weights, dtype=np.float64))
        weights.sum_duplicates()
        weights.eliminate_zeros()
        scale = safe_scale(weights.max(axis=1).toarray(), "weights")
        weights.data /= np.repeat(scale, np.diff(weights.indptr))
        used = np.unique(weights.indices)
        self._draws, self._center = draws, center
        self._weights = weights[:, used]
        self._features = to_dense(features[:, used])
        self._units = _Vectors(draws, self._features, "features", center)

    def theta(self, targets: Array, block: slice) -> Doubles:
        """Compute theta of a block of targets.

        Parameters
        ----------
        targets : ndarray of shape (n_samples, n_block)
            Responses of the block that the map reaches.
        block : slice
            Their rows in the weights.

        Returns
        -------
        ndarray of shape (n_block, n_draws)
            Theta; NaN where undefined.
        """
        weights, units = self._weights[block], self._units
        reached = _Vectors(self._draws, targets, "targets", self._center)
        aligned = np.zeros((reached.rows.shape[0], self._draws.n_draws))
        pairs = weights.tocoo()
        for some in self._draws.bounded_slices(pairs.nnz):
            target, unit = pairs.row[some], pairs.col[some]
            cosine = self._draws.means(reached.rows[target] * units.rows[unit])
            if self._center:
                cosine -= reached.mean[target] * units.mean[unit]
            cosine *= units.inverse_norm[unit]
            place = target, np.arange(target.size)
            shape = len(aligned), target.size
            aligned += sparse.csr_array((pairs.data[some], place), shape=shape) @ cosine
        total = weights @ (units.inverse_norm > 0).astype(np.float64)
        total[reached.inverse_norm == 0] = 0
        theta: Doubles
        with np.errstate(invalid="ignore"):
            theta = np.clip(1 - aligned * reached.inverse_norm / total, 0, 2)
        doubtful = reached.doubtful | (weights @ units.doubtful.astype(np.float64) > 0)
        theta[doubtful] = np.nan
        for again, draw, weight in _recomputed(self._draws, doubtful):
            theta[again, draw] = tuning_reorientation(
                self._features, targets[:, again], weights[again], center=True, sample_weight=weight
            )
        return theta


class _Vectors:
    """Vectors over images and their norms in every draw.

    Attributes
    ----------
    rows : ndarray of shape (n_vectors, n_images)
        The vectors, in a safe scale. Centered vectors are shifted by their median. Values other
        than an outlier are then near zero in draws without it, and a unit that is silent on most
        images is exactly zero there.
    mean : ndarray of shape (n_vectors, n_draws)
        Their means in every draw. Only where centered.
    inverse_norm : ndarray of shape (n_vectors, n_draws)
        One over the norm; 0 where the vector has no direction.
    doubtful : ndarray of shape (n_vectors, n_draws)
        Whether the variance may be rounding error: a small difference of large moments.
    """

    def __init__(self, draws: ImageDraws, columns: Any, name: str, center: bool) -> None:
        rows, _ = ImageSpace(len(columns), None, center).directions(columns, name)
        if center:
            rows -= np.median(rows, axis=0)
        self.rows = np.ascontiguousarray(rows.T)
        square = draws.means(self.rows**2)
        self.doubtful = np.zeros(square.shape, dtype=bool)
        if center:
            self.mean = draws.means(self.rows)
            variance = square - self.mean**2
            self.doubtful = (variance <= _CANCELLED * square) & (square > 0)
            square = np.maximum(variance, 0)
        with np.errstate(divide="ignore"):
            self.inverse_norm = np.where(square > 0, 1 / np.sqrt(square), 0)


def _recomputed(draws: ImageDraws, doubtful: Flags) -> Iterator[tuple[Indices, int, Array]]:
    """Yield targets to recompute, the draw and its weights; a single image has no variance."""
    for draw in np.flatnonzero(doubtful.any(axis=0)).tolist():
        weight = draws.weight(draw)
        if np.count_nonzero(weight) > 1:
            yield np.flatnonzero(doubtful[:, draw]), draw, weight
