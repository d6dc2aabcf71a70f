"""Drawn images as weights: the means of many draws in one product."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_random_state

from skalign.metrics._directions import bounded_slices
from skalign.utils import Array, Doubles, Indices, check_groups, check_sample_weight


class ImagesToDraw:
    """Images of positive weight that are drawn one by one, or in whole groups.

    Parameters
    ----------
    n_images : int
        Number of images.
    sample_weight : array-like of shape (n_images,) or None
        Weight of every image; images of weight zero are never drawn.
    groups : array-like of shape (n_images,) or None
        Images of one group are drawn together.

    Attributes
    ----------
    kept : slice or ndarray of shape (n_kept,)
        Images of positive weight; `weight` and `groups` have an entry for each of them.
    weight : ndarray of shape (n_kept,)
        Their weights, from 0 to 1.
    groups : ndarray of shape (n_kept,) or None
        Index of every image's group, from 0 to ``n_groups - 1``.
    n_images, n_groups : int
        Number of kept images, and of their groups: as many as images without `groups`.

    Examples
    --------
    >>> from skalign.metrics import ImagesToDraw
    >>> images = ImagesToDraw(4, [1, 1, 0, 1], groups=["run 1", "run 1", "run 2", "run 3"])
    >>> images.n_images, images.n_groups
    (3, 2)
    """

    def __init__(
        self, n_images: int, sample_weight: ArrayLike | None, groups: ArrayLike | None = None
    ) -> None:
        self.kept: slice | Indices = slice(None)
        self.weight = np.ones(n_images)
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, n_images)
            self.weight = weight / weight.max()
            if not self.weight.all():
                self.kept = np.flatnonzero(self.weight)
                self.weight = self.weight[self.kept]
        self.n_images = self.n_groups = self.weight.size
        self.groups: Indices | None = None
        if groups is not None:
            numbers = check_groups(groups, n_images)
            labels, self.groups = np.unique(numbers[self.kept], return_inverse=True)
            self.n_groups = len(labels)

    def shares(self) -> Doubles:
        """Compute the share of the weight that each group has.

        Returns
        -------
        ndarray of shape (n_groups,)
            The shares, which sum to 1.
        """
        total = np.bincount(
            np.arange(self.n_images) if self.groups is None else self.groups, self.weight
        )
        return np.asarray(total / total.sum())

    def of_groups(self, values: Array) -> Array:
        """Give every image the value of its group.

        Parameters
        ----------
        values : ndarray of shape (..., n_groups)
            Values of the groups.

        Returns
        -------
        ndarray of shape (..., n_kept)
            Values of the images.
        """
        return values if self.groups is None else values[..., self.groups]


class ImageDraws(ABC):
    """Many weightings of the same images: the base of bootstrap and jackknife.

    Parameters
    ----------
    images : ImagesToDraw
        Images that are drawn.
    n_draws : int
        Number of draws.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import ImagesToDraw, JackknifeDraws
    >>> draws = JackknifeDraws(ImagesToDraw(3, None))
    >>> draws.means(np.array([[0.0, 1.0, 2.0]]))
    array([[1.5, 1. , 0.5]])
    """

    def __init__(self, images: ImagesToDraw, n_draws: int) -> None:
        self.images = images
        self.n_draws = n_draws

    @abstractmethod
    def _means(self, rows: Array) -> Array:
        """Compute `means`."""

    @abstractmethod
    def _weight(self, draw: int) -> Array:
        """Compute `weight`."""

    def means(self, rows: Array) -> Array:
        """Compute the weighted mean of every row in every draw.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_kept)
            Values of the kept images.

        Returns
        -------
        ndarray of shape (n_rows, n_draws)
            The means.
        """
        return self._means(rows)

    def weight(self, draw: int) -> Array:
        """Give the weight of every image in one draw.

        Parameters
        ----------
        draw : int
            Number of the draw.

        Returns
        -------
        ndarray of shape (n_kept,)
            The weights.
        """
        return self._weight(draw)

    def bounded_slices(self, n_vectors: int) -> list[slice]:
        """Cut vectors over images into blocks whose moments in all draws have a bounded size.

        Parameters
        ----------
        n_vectors : int
            Number of vectors.

        Returns
        -------
        list of slice
            The blocks.
        """
        length = 5 * (self.images.n_images + self.n_draws)
        return list(bounded_slices(n_vectors, length)) if n_vectors else []


class BootstrapDraws(ImageDraws):
    """Bootstrap: as many groups as there are, drawn with replacement.

    Parameters
    ----------
    images : ImagesToDraw
        Images that are drawn.
    n_resamples : int
        Number of draws.
    random_state : int, RandomState instance or None
        Seed of the draws; they are those of :func:`scipy.stats.bootstrap` over the groups.

    Examples
    --------
    >>> from skalign.metrics import BootstrapDraws, ImagesToDraw
    >>> draws = BootstrapDraws(ImagesToDraw(4, None), n_resamples=2, random_state=0)
    >>> draws.weight(0)
    array([0.5 , 0.25, 0.  , 0.25])
    """

    def __init__(self, images: ImagesToDraw, n_resamples: int, random_state: Any) -> None:
        super().__init__(images, n_resamples)
        n_groups = images.n_groups
        # The same draws as those of scipy.stats.bootstrap over an array of the groups.
        drawn = check_random_state(random_state).randint(0, n_groups, (n_resamples, n_groups))
        drawn += n_groups * np.arange(n_resamples)[:, np.newaxis]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        self._share = images.of_groups(counts) * images.weight
        self._share /= self._share.sum(axis=1, keepdims=True)

    def _means(self, rows: Array) -> Array:
        means: Array = rows @ self._share.T
        return means

    def _weight(self, draw: int) -> Array:
        weight: Array = self._share[draw]
        return weight


class JackknifeDraws(ImageDraws):
    """Jackknife: every draw leaves out one group, at the cost of a single weighting.

    Parameters
    ----------
    images : ImagesToDraw
        Images that are drawn.

    Examples
    --------
    >>> from skalign.metrics import ImagesToDraw, JackknifeDraws
    >>> JackknifeDraws(ImagesToDraw(3, None)).weight(0)
    array([0., 1., 1.])
    """

    def __init__(self, images: ImagesToDraw) -> None:
        super().__init__(images, images.n_groups)

    def _means(self, rows: Array) -> Array:
        images = self.images
        sums, weight = rows * images.weight, images.weight
        if images.groups is not None:
            place = np.arange(len(images.groups)), images.groups
            member = sparse.csr_array((np.ones(len(images.groups)), place))
            sums, weight = sums @ member, weight @ member
        means: Array = (sums.sum(axis=1, keepdims=True) - sums) / (weight.sum() - weight)
        return means

    def _weight(self, draw: int) -> Array:
        left_out = self.images.of_groups(np.arange(self.images.n_groups) == draw)
        return np.where(left_out, 0, self.images.weight)
