"""Resampled images as weights: means of many draws at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils import check_random_state

from skalign.utils import check_sample_weight


class Images:
    """What is drawn: images that have a weight, one by one or in whole groups.

    Parameters
    ----------
    n_images : int
        Number of images.
    sample_weight : array-like of shape (n_images,) or None
        Weight of every image; those of weight zero are left out.
    groups : array-like of shape (n_images,) or None
        Images of one group are drawn together.
    """

    def __init__(
        self, n_images: int, sample_weight: ArrayLike | None, groups: ArrayLike | None = None
    ) -> None:
        self.kept: slice | NDArray[np.intp] = slice(None)
        self.weight = np.ones(n_images)
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, n_images)
            self.weight = weight / weight.max()
            if not self.weight.all():
                self.kept = np.flatnonzero(self.weight)
                self.weight = self.weight[self.kept]
        self.n_images = self.n_groups = self.weight.size
        self.groups: NDArray[np.intp] | None = None  # index of every image's group
        if groups is not None:
            groups = np.asarray(groups)
            if groups.shape != (n_images,):
                raise ValueError(
                    f"groups must be 1-D, one label per image, {n_images} here; got shape "
                    f"{groups.shape}."
                )
            labels, self.groups = np.unique(groups[self.kept], return_inverse=True)
            self.n_groups = len(labels)

    def of_groups(self, values: NDArray[Any]) -> NDArray[Any]:
        """Spread values of the groups, on the last axis, over their images."""
        return values if self.groups is None else values[..., self.groups]


class Draws(ABC):
    """Many weightings of the same images."""

    def __init__(self, images: Images, n_draws: int) -> None:
        self.images = images
        self.n_draws = n_draws

    @abstractmethod
    def means(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Weighted mean of every row in every draw: (n_rows, n_images) to (n_rows, n_draws)."""

    @abstractmethod
    def weight(self, draw: int) -> NDArray[Any]:
        """Weight of every image in one draw."""


class Resamples(Draws):
    """Bootstrap: as many groups as there are, drawn with replacement, again and again."""

    def __init__(self, images: Images, n_resamples: int, random_state: Any) -> None:
        super().__init__(images, n_resamples)
        n_groups = images.n_groups
        # The same draws as those of scipy.stats.bootstrap over an array of the groups.
        drawn = check_random_state(random_state).randint(0, n_groups, (n_resamples, n_groups))
        drawn += n_groups * np.arange(n_resamples)[:, np.newaxis]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        self._share = images.of_groups(counts) * images.weight
        self._share /= self._share.sum(axis=1, keepdims=True)

    def means(self, rows: NDArray[Any]) -> NDArray[Any]:
        """See the base class."""
        return rows @ self._share.T

    def weight(self, draw: int) -> NDArray[Any]:
        """See the base class."""
        return self._share[draw]


class LeaveOneOut(Draws):
    """Jackknife: all groups but one, each in its turn, at the cost of a single weighting."""

    def __init__(self, images: Images) -> None:
        super().__init__(images, images.n_groups)

    def means(self, rows: NDArray[Any]) -> NDArray[Any]:
        """See the base class."""
        images = self.images
        sums, weight = rows * images.weight, images.weight
        if images.groups is not None:
            place = np.arange(len(images.groups)), images.groups
            member = sparse.csr_array((np.ones(len(images.groups)), place))
            sums, weight = sums @ member, weight @ member
        return (sums.sum(axis=1, keepdims=True) - sums) / (weight.sum() - weight)

    def weight(self, draw: int) -> NDArray[Any]:
        """See the base class."""
        left_out = self.images.of_groups(np.arange(self.images.n_groups) == draw)
        return np.where(left_out, 0, self.images.weight)
