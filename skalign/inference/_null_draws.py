"""Null data: random units, features on random axes, or responses in another order."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.stats import ortho_group
from sklearn.utils import check_array

from skalign.inference._refits import take_rows
from skalign.solvers import FeatureMoments
from skalign.utils import Array, Doubles, Floats, Indices

Scheme = Literal["permute", "shift"]

FLOATS = [np.float64, np.float32]


@dataclass(frozen=True, eq=False)
class TrainingAndTest:
    """Features and responses to fit, and features to score.

    Attributes
    ----------
    X, X_test : {array-like, sparse matrix} of shape (n_images, n_units)
        Features, as the model takes them.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    """

    X: Any
    y: Any
    X_test: Any


class NullDraws(ABC):
    """A way to draw null data, as images and responses or as their moments.

    Attributes
    ----------
    data : TrainingAndTest
        The data as they are.
    has_pool : bool
        Whether null features are made of other features than those of `data`.
    has_moments : bool
        Whether moments of null features follow from those of their source, at no larger cost.
    n_arrangements : float
        Number of different draws there are.
    """

    has_pool = False
    has_moments = True
    n_arrangements = math.inf

    def __init__(self, data: TrainingAndTest) -> None:
        self.data = data

    @property
    def dtype(self) -> np.dtype[Any]:
        """Floating type of the features."""
        is_single = getattr(self.data.X, "dtype", None) == np.float32
        return np.dtype(np.float32 if is_single else np.float64)

    @abstractmethod
    def draw(self, rng: np.random.RandomState) -> Array:
        """Draw what makes the null data."""

    @abstractmethod
    def apply(self, drawn: Array) -> TrainingAndTest:
        """Make the null data."""

    def source(self) -> tuple[Any, Any]:
        """Give the features that null features are made of, for training and test images."""
        data = _as_arrays(self.data)
        return data.X, data.X_test

    def features(
        self, drawn: Array, training: FeatureMoments, test: FeatureMoments
    ) -> tuple[FeatureMoments, FeatureMoments]:
        """Make the moments of the null features from those of the source."""
        return training, test

    def products(self, drawn: Array, q: Array) -> Array:
        """Make the products of targets and null features from those with the source."""
        return q

    def order(self, drawn: Array) -> Indices | None:
        """Give the order of the responses to fit; None where it stays."""
        return None


class RandomUnits(NullDraws):
    """As many units, drawn from a pool."""

    has_pool = True

    def __init__(self, data: TrainingAndTest, pool: Any, pool_test: Any) -> None:
        if pool is None or pool_test is None:
            raise ValueError(
                'pool and pool_test must be given for null="units", the responses of all units of '
                "the layer to the images of X and X_test; got None. Without such units, use "
                'null="rotation".'
            )
        super().__init__(_as_arrays(data))
        self.pool, self.pool_test = (
            _check_features(pool, "pool"),
            _check_features(pool_test, "pool_test"),
        )
        for name, got, images in (
            ("pool", self.pool, self.data.X),
            ("pool_test", self.pool_test, self.data.X_test),
        ):
            if got.shape[0] != images.shape[0]:
                raise ValueError(
                    f"{name} must have one row per image, {images.shape[0]} here; got "
                    f"{got.shape[0]} rows."
                )
        self._n_units, self._n_pool = self.data.X.shape[1], self.pool.shape[1]
        n_rest = max(self._n_pool - self._n_units, 0)
        log_count = (
            math.lgamma(1 + self._n_pool) - math.lgamma(1 + self._n_units) - math.lgamma(1 + n_rest)
        )
        self.n_arrangements = math.exp(min(log_count, 700))
        if self.pool_test.shape[1] != self._n_pool or self._n_pool <= self._n_units:
            raise ValueError(
                "pool and pool_test must have the same units, and more units than X, "
                f"{self._n_units}; got {self._n_pool} and {self.pool_test.shape[1]} units."
            )

    def draw(self, rng: np.random.RandomState) -> Indices:
        """Draw the numbers of the units."""
        return np.sort(rng.permutation(self._n_pool)[: self._n_units])

    def apply(self, drawn: Array) -> TrainingAndTest:
        """Take the units from the pool."""
        return TrainingAndTest(self.pool[:, drawn], self.data.y, self.pool_test[:, drawn])

    def source(self) -> tuple[Any, Any]:
        """See the base class."""
        return self.pool, self.pool_test

    def features(
        self, drawn: Array, training: FeatureMoments, test: FeatureMoments
    ) -> tuple[FeatureMoments, FeatureMoments]:
        """See the base class."""
        return training.take(drawn), test.take(drawn)

    def products(self, drawn: Array, q: Array) -> Array:
        """See the base class."""
        return q[:, drawn]


class RandomRotation(NullDraws):
    """The same units, rotated about their training means.

    With more units than images, the images are rotated as points of the space that they span: a
    random frame of as many directions takes the place of all axes. That is the same distribution,
    and n^2 p operations for n images of p units, not p^3.
    """

    def __init__(self, data: TrainingAndTest, weight: Doubles | None) -> None:
        super().__init__(_as_arrays(data))
        n_train, self._n_units = self.data.X.shape
        if self._n_units < 2:
            raise ValueError(
                'X must have at least 2 units for null="rotation"; got 1. Use null="images".'
            )
        self._weight = weight
        self.has_moments = n_train + self.data.X_test.shape[0] >= self._n_units

    @cached_property
    def _mean(self) -> Doubles:
        return np.average(_dense(self.data.X), axis=0, weights=self._weight).astype(np.float64)

    @cached_property
    def _coordinates(self) -> Doubles:
        """Images about the mean, in an orthonormal basis of their span, (n_images, n_images)."""
        both = np.vstack([_dense(self.data.X), _dense(self.data.X_test)]) - self._mean
        triangle: Any = np.linalg.qr(both.T, mode="r")
        return np.ascontiguousarray(triangle.T)

    def draw(self, rng: np.random.RandomState) -> Floats:
        """Draw an orthogonal matrix, or a frame in its place; all are equally likely."""
        if self.has_moments:
            return np.ascontiguousarray(ortho_group.rvs(self._n_units, random_state=rng))
        n_images = self.data.X.shape[0] + self.data.X_test.shape[0]
        frame, triangle = np.linalg.qr(rng.standard_normal((self._n_units, n_images)))
        return np.asarray(frame * np.sign(np.diag(triangle)))

    def apply(self, drawn: Array) -> TrainingAndTest:
        """Rotate the features of the training and of the test images."""
        if not self.has_moments:
            n_train, dtype = self.data.X.shape[0], self.data.X.dtype
            both = (self._coordinates @ drawn.T + self._mean).astype(dtype)
            return TrainingAndTest(both[:n_train], self.data.y, both[n_train:])
        X, X_test = (_dense(part) for part in (self.data.X, self.data.X_test))
        shift = (self._mean - self._mean @ drawn).astype(X.dtype)
        rotation = drawn.astype(X.dtype)
        return TrainingAndTest(X @ rotation + shift, self.data.y, X_test @ rotation + shift)

    def features(
        self, drawn: Array, training: FeatureMoments, test: FeatureMoments
    ) -> tuple[FeatureMoments, FeatureMoments]:
        """See the base class."""
        mean = training.means
        test_mean = mean + (test.means - mean) @ drawn
        return (
            replace(training.transformed(drawn), means=mean),
            replace(test.transformed(drawn), means=test_mean),
        )

    def products(self, drawn: Array, q: Array) -> Array:
        """See the base class."""
        return np.asarray(q @ drawn.astype(q.dtype))


class ShuffledImages(NullDraws):
    """The same features, with the responses to other images.

    Parameters
    ----------
    data : TrainingAndTest
        The data as they are.
    groups : array-like of shape (n_images,) or None
        Runs, sessions or blocks.
    weight : ndarray of shape (n_images,) or None
        Weights of the images. Images without weight keep their responses.
    scheme : {"permute", "shift"}
        Whether whole groups (single images without groups) trade their responses, or responses are
        shifted circularly within their group.
    """

    def __init__(
        self,
        data: TrainingAndTest,
        groups: ArrayLike | None,
        weight: Doubles | None,
        scheme: Scheme,
    ) -> None:
        super().__init__(data)
        n_images = len(data.y)
        seen = np.arange(n_images) if weight is None else np.flatnonzero(weight)
        if groups is None:
            parts = [seen] if scheme == "shift" else list(seen[:, np.newaxis])
        else:
            _, labels = np.unique(np.asarray(groups), return_inverse=True)
            parts = [seen[labels[seen] == label] for label in np.unique(labels[seen])]
        sizes = np.array([len(part) for part in parts])
        self._parts, self._scheme, self._n_images = parts, scheme, n_images
        if scheme == "shift":
            self.n_arrangements = math.exp(min(np.log(sizes).sum(), 700))
        else:
            if len(set(sizes)) > 1:
                raise ValueError(
                    "groups must all have the same number of images, for whole groups trade their "
                    f"responses; got groups of {sizes.min()} to {sizes.max()} images. Drop images "
                    f'until every group has {sizes.min()}, or use scheme="shift".'
                )
            self.n_arrangements = math.exp(min(math.lgamma(1 + len(sizes)), 700))
        if self.n_arrangements < 1.5:
            raise ValueError(
                "groups must leave something to shuffle, two groups that can trade responses or, "
                f'with scheme="shift", a group of two images; got {len(sizes)} group(s) of '
                f"{sizes.max()} image(s) of positive weight. Give other groups or more images."
            )

    def draw(self, rng: np.random.RandomState) -> Indices:
        """Draw which image's responses every image gets."""
        order = np.arange(self._n_images)
        if self._scheme == "shift":
            for part in self._parts:
                order[part] = np.roll(part, rng.randint(len(part)))
        else:
            for to, taken in enumerate(rng.permutation(len(self._parts))):
                order[self._parts[to]] = self._parts[taken]
        return order

    def apply(self, drawn: Array) -> TrainingAndTest:
        """Give the images the responses to others."""
        return TrainingAndTest(self.data.X, take_rows(self.data.y, drawn), self.data.X_test)

    def order(self, drawn: Array) -> Indices:
        """See the base class."""
        return drawn


def make_draws(
    null: str,
    data: TrainingAndTest,
    weight: Doubles | None,
    *,
    pool: Any,
    pool_test: Any,
    groups: ArrayLike | None,
    scheme: Scheme,
) -> NullDraws:
    """Check what makes null data, and make the draws."""
    if null not in ("units", "rotation", "images"):
        raise ValueError(f'null must be "units", "rotation" or "images"; got {null!r}.')
    if null != "units" and not (pool is None and pool_test is None):
        raise ValueError(
            f'pool and pool_test must be None for null={null!r}; got a pool. Use null="units".'
        )
    if scheme not in ("permute", "shift"):
        raise ValueError(f'scheme must be "permute" or "shift"; got {scheme!r}.')
    if null != "images" and scheme != "permute":
        raise ValueError(
            f'scheme must be "permute" for null={null!r}; got "shift". Use null="images".'
        )
    if null == "units":
        return RandomUnits(data, pool, pool_test)
    if null == "rotation":
        return RandomRotation(data, weight)
    return ShuffledImages(data, groups, weight, scheme)


def _as_arrays(data: TrainingAndTest) -> TrainingAndTest:
    """Features as arrays: rotated features and units of a pool have no names."""
    X, X_test = _check_features(data.X, "X"), _check_features(data.X_test, "X_test")
    if X_test.shape[1] != X.shape[1]:
        raise ValueError(
            f"X_test must have the {X.shape[1]} units of X; got {X_test.shape[1]} units."
        )
    return TrainingAndTest(X, data.y, X_test)


def _check_features(values: Any, name: str) -> Any:
    return check_array(values, accept_sparse="csr", dtype=FLOATS, input_name=name)


def _dense(features: Any) -> Array:
    return np.asarray(features.toarray() if sparse.issparse(features) else features)
