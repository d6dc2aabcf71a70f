"""Explained variance of several fits in the same draws of images, and intervals of its parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skalign.inference._interval import ConfidenceInterval, IntervalRule, interval_of, join
from skalign.metrics import BootstrapDraws, ImageDraws, ImagesToDraw, JackknifeDraws
from skalign.utils import Array, Doubles

_CONSTANT = 1e-12  # variance of a draw of one image only, as a share of that of all


def _explained(errors: Doubles, centered: Doubles, draws: ImageDraws) -> Doubles:
    """V of every fit, target and draw; NaN where the responses of a draw are constant."""
    n_fits, n_images, n_targets = errors.shape
    rows = errors.transpose(0, 2, 1).reshape(-1, n_images)
    error = draws.means(rows).reshape(n_fits, n_targets, -1)
    square = draws.means(centered.T**2)
    variance = square - draws.means(centered.T) ** 2
    is_varied = variance > _CONSTANT * (centered**2).max(axis=0)[:, np.newaxis]
    return 1 - error / np.where(is_varied, variance, np.nan)


class _AsTheyAre(ImageDraws):
    """The images as they are: a single draw."""

    def __init__(self, images: ImagesToDraw) -> None:
        super().__init__(images, 1)

    def _means(self, rows: Array) -> Array:
        return np.average(rows, axis=1, weights=self.images.weight)[:, np.newaxis]

    def _weight(self, draw: int) -> Array:
        return self.images.weight


def intervals_of_parts(
    errors: Doubles,
    centered: Doubles,
    most: Doubles,
    images: ImagesToDraw,
    rule: IntervalRule,
    keys: list[str],
    mixing: Doubles,
    *,
    target_names: NDArray[np.object_] | None,
) -> tuple[dict[str, ConfidenceInterval], dict[str, ConfidenceInterval]]:
    """Intervals of the means over targets and of every target, over draws that all share.

    Parameters
    ----------
    errors : ndarray of shape (n_fits, n_kept, n_targets)
        Squared errors of every fit, of the images that are drawn.
    centered : ndarray of shape (n_kept, n_targets)
        Observed responses less their means.
    most : ndarray of shape (n_targets,)
        What can be explained of a target; NaN where it is left out.
    images : ImagesToDraw
        What is drawn.
    rule : IntervalRule
        For the number of them.
    keys : list of str
        Names of what is reported.
    mixing : ndarray of shape (n_keys, n_fits)
        How it is a sum of the variances that the fits explain.
    target_names : ndarray of shape (n_targets,) or None
        Names of the targets, where known.

    Returns
    -------
    tuple of two dicts of str to ConfidenceInterval
        Of means and of targets, by the keys.
    """
    kinds: list[ImageDraws] = [_AsTheyAre(images)]
    shares = images.shares()
    if rule.method != "t":
        kinds.append(BootstrapDraws(images, rule.n_resamples, rule.random_state))
    if rule.method in ("t", "BCa"):
        kinds.append(JackknifeDraws(images))
    # Sums over targets of what is explained and of what can be.
    sums = [np.zeros((2, len(keys), draws.n_draws)) for draws in kinds]
    of_targets: dict[str, list[ConfidenceInterval]] = {key: [] for key in keys}
    largest = max(kinds, key=lambda draws: draws.n_draws)
    n_targets, n_rows = most.size, len(keys)
    for start in range(0, n_targets, width := _width(largest, n_rows, n_targets)):
        block = slice(start, start + width)
        limit = most[block, np.newaxis]
        values = []
        for draws, total in zip(kinds, sums, strict=True):
            explained = _explained(errors[:, :, block], centered[:, block], draws)
            found = np.einsum("ks,std->ktd", mixing, explained)
            is_known = ~np.isnan(found) & ~np.isnan(limit)
            total[0] += found.sum(axis=1, where=is_known)
            total[1] += np.broadcast_to(limit, found.shape).sum(axis=1, where=is_known)
            values.append(found / limit)
        for key, estimate, *drawn in zip(keys, *values, strict=True):
            of_targets[key].append(interval_of(rule, estimate[:, 0], *drawn, shares=shares))
    with np.errstate(invalid="ignore"):
        means = [total[0] / total[1] for total in sums]
    n_left_out = int(np.isnan(most).sum() + (np.ptp(centered, axis=0) == 0).sum())
    return (
        {
            key: interval_of(rule, estimate[0], *drawn, shares=shares, n_left_out=n_left_out)
            for key, estimate, *drawn in zip(keys, *means, strict=True)
        },
        {key: join(parts, target_names) for key, parts in of_targets.items()},
    )


def _width(draws: ImageDraws, n_rows: int, n_targets: int) -> int:
    """Number of targets whose values in all draws have a bounded size."""
    whole = draws.bounded_slices(n_targets * n_rows)[0]
    return max(1, (whole.stop - whole.start) // n_rows)
