"""Averages of trials, and what trials that are missing in some targets only say of their noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skalign.metrics._directions import bounded_slices
from skalign.metrics._observed_images import over_observed
from skalign.metrics._repeats import (
    Repeats,
    check_trials,
    numbered_images,
    scaled_components,
)
from skalign.utils import (
    Array,
    Doubles,
    Indices,
    Integers,
    Missing,
    PatternOfTargets,
    check_missing,
)


class ImageOfTrials(NamedTuple):
    """Trials, one a row, and the image of each.

    Attributes
    ----------
    table : ndarray of shape (n_trials, n_targets)
        Responses, NaN where missing.
    images : ndarray or tuple of ndarray
        The distinct images.
    image : ndarray of int of shape (n_trials,)
        The image of every trial.
    """

    table: Array
    images: Any
    image: Indices

    @classmethod
    def of(cls, trials: ArrayLike, image_ids: Any) -> ImageOfTrials:
        """Bring trials in two or three dimensions into one table."""
        table = check_trials(trials, image_ids)
        if image_ids is None:
            images = np.arange(len(table))
            return cls(table.reshape(-1, table.shape[-1]), images, images.repeat(table.shape[1]))
        return cls(table, *numbered_images(image_ids, len(table)))


def snr_of_observed(
    trials: ArrayLike, image_ids: Any, total_variance: float | None
) -> tuple[Doubles, Doubles]:
    """Compute the ncsnr of every target from its own trials.

    Parameters
    ----------
    trials, image_ids, total_variance
        As for :func:`noise_ceiling_snr`.

    Returns
    -------
    ncsnr : ndarray of shape (n_targets,)
        The ratios; NaN for targets without a repeated image, or with fewer than two images.
    mean_share : ndarray of shape (n_targets,)
        Mean over the images of a target of one over their number of trials.
    """
    table, _, image = ImageOfTrials.of(trials, image_ids)

    def score(pattern: PatternOfTargets, _: Any) -> Sequence[Doubles]:
        own = image[pattern.observed]
        n_images = len(np.unique(own))
        if n_images < 2 or n_images == len(own):
            return [np.full(len(pattern.targets), np.nan)] * 2
        repeats = Repeats(table[pattern.observed][:, pattern.targets], own)
        ratio = scaled_components(repeats, total_variance).snr()
        return [ratio, np.full(len(ratio), np.mean(1 / repeats.n_repeats))]

    ncsnr, mean_share = over_observed(table, None, score, n_scores=2, least=2)
    return ncsnr, mean_share


def average_repeats(
    trials: ArrayLike,
    image_ids: ArrayLike | tuple[ArrayLike, ...] | None = None,
    *,
    missing: Missing = "error",
) -> tuple[Array, Any, Integers]:
    """Average the trials of each image, or the samples of each block.

    Parameters
    ----------
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Responses of single trials. In three dimensions a missing repeat is NaN in all targets.
    image_ids : array-like of shape (n_trials,), or tuple of these, default=None
        Image that each trial shows. Needed for trials in two dimensions, and only there. With a
        tuple of labels, such as ``(run, category)`` in a block design, trials that are equal in all
        labels are averaged.
    missing : {"error", "mask"}, default="error"
        What to do about trials that are NaN in some targets only: raise an error, or average the
        others. An image without any trial of a target is then NaN, a missing response.

    Returns
    -------
    averages : ndarray of shape (n_images, n_targets)
        Mean responses; float32 if the trials are.
    images : ndarray of shape (n_images,), or tuple of these
        The distinct values of `image_ids`, sorted: bring the features of the images into this
        order. For trials in three dimensions, row numbers.
    n_repeats : ndarray of shape (n_images,), or (n_images, n_targets) with ``missing="mask"``
        Number of trials averaged.

    Raises
    ------
    ValueError
        If shapes do not fit, values other than missing repeats are not finite, or an image has no
        trial.

    See Also
    --------
    noise_ceiling : The best score of a model that predicts such averages.

    Examples
    --------
    >>> from skalign.metrics import average_repeats
    >>> averages, images, n_repeats = average_repeats([[1.0], [5.0], [3.0]], ["b", "a", "b"])
    >>> averages.ravel(), images, n_repeats
    (array([5., 2.]), array(['a', 'b'], dtype='<U1'), array([1, 2]))

    Blocks of real fMRI, nine volumes each:

    >>> from skalign.datasets import load_haxby_slice
    >>> haxby = load_haxby_slice()
    >>> averages, (run, category), n_repeats = average_repeats(
    ...     haxby.data, (haxby.run, haxby.target)
    ... )
    >>> averages.shape, run[:3], category[:3].tolist(), n_repeats[:3]
    ((96, 530), array([0, 0, 0]), ['bottle', 'cat', 'chair'], array([9, 9, 9]))
    """
    if check_missing(missing) == "mask":
        return _average_observed(trials, image_ids)
    repeats = Repeats(trials, image_ids)
    dtype = np.float32 if repeats.trials.dtype == np.float32 else np.float64
    averages = np.empty((repeats.n_images, repeats.trials.shape[1]), dtype=dtype)
    for block, values in repeats.blocks():
        averages[:, block] = repeats.means(values)
    return averages, repeats.images, repeats.n_repeats


def _average_observed(trials: ArrayLike, image_ids: Any) -> tuple[Array, Any, Integers]:
    table, images, image = ImageOfTrials.of(trials, image_ids)
    order, n_images = np.argsort(image, kind="stable"), int(image.max()) + 1
    first = np.searchsorted(image[order], np.arange(n_images))
    dtype = np.float32 if table.dtype == np.float32 else np.float64
    averages = np.full((n_images, table.shape[1]), np.nan, dtype)
    n_repeats = np.empty(averages.shape, np.int64)
    for block in bounded_slices(table.shape[1], 8 * len(table)):
        values = np.asarray(table[:, block], dtype=np.float64)[order]
        is_there = ~np.isnan(values)
        if np.isinf(values).any():
            raise ValueError("trials must be finite or NaN; got infinity. Drop those values.")
        counts = np.add.reduceat(is_there, first, axis=0, dtype=np.int64)
        sums = np.add.reduceat(np.where(is_there, values, 0), first, axis=0)
        np.divide(sums, counts, out=averages[:, block], where=counts > 0, casting="same_kind")
        n_repeats[:, block] = counts
    return averages, images, n_repeats
