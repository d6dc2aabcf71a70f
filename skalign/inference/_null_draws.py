"""Null data, which are random units, rotated features or shuffled images, and fits to them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ortho_group
from sklearn.utils import check_array, gen_batches

from skalign.inference._null_fits import (
    Features,
    GramEncoder,
    Sides,
    SidesOfTargets,
    score_fit,
    targets_of,
)
from skalign.linear_model import SparsePositiveEncoder
from skalign.solvers import check_stopping, penalty_strengths
from skalign.solvers._design import check_finite
from skalign.utils import check_sample_weight

GRAM_BYTES = 2**30  # a larger Gram of a pool is not kept

FIT_BYTES = 2**25  # working memory of a null fit


class Data:
    """Checked images and responses, and the encoder of all targets.

    Attributes
    ----------
    Y, Y_test : ndarray of shape (n_images, n_targets)
        Responses, read block by block.
    weight : ndarray of shape (n_images,) or None
        Weights of the images to fit.
    sides : tuple of Features
        Of the images to fit, and of those to score.
    encoder : GramEncoder
        Of all targets.
    """

    def __init__(
        self, encoder: Any, X: Any, y: Any, X_test: Any, y_test: Any, sample_weight: Any
    ) -> None:
        if not isinstance(encoder, SparsePositiveEncoder):
            raise TypeError(
                "encoder must be a SparsePositiveEncoder, whose fits share their products; got "
                f"{type(encoder).__name__}. In place of a SparsePositiveEncoderCV take one with "
                "its alpha_ (any large number where that is infinite), in place of a pipeline its "
                "last step, with the features that reach it."
            )
        for name in ("positive", "fit_intercept"):
            if not isinstance(getattr(encoder, name), bool | np.bool_):
                raise TypeError(f"{name} must be True or False; got {getattr(encoder, name)!r}.")
        self.X, self.X_test = _check_features(X, "X"), _check_features(X_test, "X_test")
        self.Y = _check_responses(y, "y", self.X, finite=False)  # its blocks are looked at
        self.Y_test = _check_responses(y_test, "y_test", self.X_test, finite=True)
        if self.X_test.shape[1] != self.X.shape[1]:
            raise ValueError(
                f"X_test must have the {self.X.shape[1]} units of X; got {self.X_test.shape[1]}."
            )
        if self.Y_test.shape[1] != self.Y.shape[1]:
            raise ValueError(
                f"y_test must have the {self.Y.shape[1]} target(s) of y; got "
                f"{self.Y_test.shape[1]}."
            )
        self.weight = None
        if sample_weight is not None:
            self.weight = check_sample_weight(sample_weight, self.X.shape[0])
        self._center = bool(encoder.fit_intercept)
        self.sides = self.prepare(self.X, self.X_test)
        self.encoder = self._gram_encoder(encoder)

    def prepare(self, X: Any, X_test: Any, keep_gram: bool = True) -> Sides:
        """Features as the encoder would see them, in the floating type of X."""
        X, X_test = (part.astype(self.X.dtype, copy=False) for part in (X, X_test))
        return (
            Features.prepare(
                X, sample_weight=self.weight, center=self._center, keep_gram=keep_gram
            ),
            Features.prepare(X_test, sample_weight=None, center=True, keep_gram=keep_gram),
        )

    def _gram_encoder(self, encoder: SparsePositiveEncoder) -> GramEncoder:
        total, n_targets = self.sides[0].design.total_weight, self.Y.shape[1]
        penalty_strengths(
            encoder.penalty, encoder.alpha, encoder.l1_ratio, n_targets=n_targets,
            total_weight=total,
        )  # fmt: skip
        alpha, l1_ratio = (
            np.array(np.broadcast_to(np.asarray(value, np.float64), n_targets))
            for value in (encoder.alpha, encoder.l1_ratio)
        )
        tol, max_iter = check_stopping(encoder.tol, encoder.max_iter, self.X.dtype)
        return GramEncoder(
            encoder.penalty, alpha, l1_ratio, bool(encoder.positive), tol, max_iter, total
        )


class Null(ABC):
    """A way to draw null data.

    Attributes
    ----------
    sides : tuple of Features
        Those whose products with targets the draws share.
    is_matched : bool
        Whether fits are matched in their number of active units.
    """

    is_matched = True

    def __init__(self, sides: Sides) -> None:
        self.sides = sides

    @abstractmethod
    def draw(self, rng: np.random.RandomState) -> NDArray[Any]:
        """What makes the null data."""

    @abstractmethod
    def features(self, drawn: NDArray[Any]) -> Sides:
        """The null features."""

    @abstractmethod
    def targets(self, drawn: NDArray[Any], shared: SidesOfTargets, Y: NDArray) -> SidesOfTargets:
        """Moments of a block of targets, from those that are shared and the responses to fit."""


class RandomUnits(Null):
    """As many units of a pool."""

    def __init__(self, data: Data, pool: Any, pool_test: Any, n_resamples: int) -> None:
        if pool is None or pool_test is None:
            raise ValueError(
                'null="units" draws units from a pool: give pool and pool_test, the responses of '
                "all units of the layer to the images of X and X_test; got None. Without such "
                'units, use null="rotation".'
            )
        pool, pool_test = _check_features(pool, "pool"), _check_features(pool_test, "pool_test")
        for name, got, images in (("pool", pool, data.X), ("pool_test", pool_test, data.X_test)):
            if got.shape[0] != images.shape[0]:
                raise ValueError(
                    f"{name} must have one row per image, {images.shape[0]}; got {got.shape[0]}."
                )
        self._n_units, self._n_pool = data.X.shape[1], pool.shape[1]
        if pool_test.shape[1] != self._n_pool or self._n_pool <= self._n_units:
            raise ValueError(
                "pool and pool_test must have the same units, and more of them than X, "
                f"{self._n_units}; got {self._n_pool} and {pool_test.shape[1]}."
            )
        fits_in = self._n_pool**2 * data.X.dtype.itemsize <= GRAM_BYTES
        pays = self._n_pool**2 <= n_resamples * self._n_units**2
        super().__init__(data.prepare(pool, pool_test, keep_gram=fits_in and pays))

    def draw(self, rng: np.random.RandomState) -> NDArray[np.intp]:
        """Numbers of the units."""
        return np.sort(rng.permutation(self._n_pool)[: self._n_units])

    def features(self, drawn: NDArray[Any]) -> Sides:
        """See the base class."""
        training, test = self.sides
        return training.take(drawn), test.take(drawn)

    def targets(self, drawn: NDArray[Any], shared: SidesOfTargets, Y: NDArray) -> SidesOfTargets:
        """See the base class."""
        training, test = (part._replace(q=np.take(part.q, drawn, axis=1)) for part in shared)
        return training, test


class RandomRotation(Null):
    """The same units, rotated."""

    def __init__(self, data: Data) -> None:
        self._n_units = data.X.shape[1]
        if self._n_units < 2:
            raise ValueError('null="rotation" needs at least 2 units in X to rotate; got 1.')
        super().__init__(data.sides)

    def draw(self, rng: np.random.RandomState) -> NDArray[np.floating]:
        """An orthogonal matrix, all equally likely."""
        dtype = self.sides[0].design.dtype
        return ortho_group.rvs(self._n_units, random_state=rng).astype(dtype, order="C")

    def features(self, drawn: NDArray[Any]) -> Sides:
        """See the base class."""
        training, test = self.sides
        return training.rotate(drawn), test.rotate(drawn)

    def targets(self, drawn: NDArray[Any], shared: SidesOfTargets, Y: NDArray) -> SidesOfTargets:
        """See the base class."""
        training, test = (part._replace(q=part.q @ drawn) for part in shared)
        return training, test


class ShuffledImages(Null):
    """The same features, of other images than the responses; weights stay with the features."""

    is_matched = False

    def __init__(self, data: Data, groups: ArrayLike | None) -> None:
        n_images = data.X.shape[0]
        labels = np.zeros(n_images, int) if groups is None else np.asarray(groups)
        if labels.shape != (n_images,):
            raise ValueError(
                f"groups must be 1-D, one label per image, {n_images} here; got shape "
                f"{labels.shape}."
            )
        seen = np.arange(n_images) if data.weight is None else np.flatnonzero(data.weight)
        self._order = np.arange(n_images)
        self._groups = [seen[labels[seen] == label] for label in np.unique(labels[seen])]
        if all(group.size < 2 for group in self._groups):
            raise ValueError(
                "groups must have at least 2 images of positive weight in one of them, for there "
                "to be something to shuffle."
            )
        super().__init__(data.sides)

    def draw(self, rng: np.random.RandomState) -> NDArray[np.intp]:
        """Which image's responses every image gets."""
        order = self._order.copy()
        for group in self._groups:
            order[group] = rng.permutation(group)
        return order

    def features(self, drawn: NDArray[Any]) -> Sides:
        """See the base class."""
        return self.sides

    def targets(self, drawn: NDArray[Any], shared: SidesOfTargets, Y: NDArray) -> SidesOfTargets:
        """See the base class."""
        return self.sides[0].moments(Y[drawn]), shared[1]


class BlockFits:
    """Fits of a block of targets to the data as they are, and to null data.

    A fit is told in four numbers: r, theta, number of active units and KKT violation. Where null
    fits are matched, r is that of the fit at the encoder's own alpha.

    Attributes
    ----------
    observed : ndarray of shape (n_targets, 4)
        The encoder's own fits.
    """

    def __init__(self, data: Data, null: Null, block: slice, how: dict[str, Any]) -> None:
        self._null, self._how, self._encoder = null, how, data.encoder.of(block)
        self._Y, Y_test = data.Y[:, block], data.Y_test[:, block]
        own = self._shared = _moments(data.sides, self._Y, Y_test)
        check_finite(own[0].squared_norms, data.X.dtype, np.arange(data.Y.shape[1])[block])
        if null.sides is not data.sides:
            self._shared = _moments(null.sides, self._Y, Y_test)
        self.observed = self._fit(data.sides, lambda part: _some(own, part), None)
        self._n_active = self.observed[:, 2].astype(np.int64) if null.is_matched else None

    def resample(self, seed: int) -> NDArray[np.float64]:
        """Fits to one draw of null data, (n_targets, 4)."""
        null = self._null
        drawn = null.draw(np.random.RandomState(seed))

        def moments_of(part: slice) -> SidesOfTargets:
            return null.targets(drawn, _some(self._shared, part), self._Y[:, part])

        return self._fit(null.features(drawn), moments_of, self._n_active)

    def _fit(
        self,
        sides: Sides,
        moments_of: Callable[[slice], SidesOfTargets],
        n_active: NDArray[np.int64] | None,
    ) -> NDArray[np.float64]:
        n_images, n_targets = self._Y.shape
        length = 4 * sides[0].mean.size + 3 * n_images
        found = np.empty((n_targets, 4))
        for part in gen_batches(n_targets, max(1, FIT_BYTES // (8 * length))):
            moments, encoder = moments_of(part), self._encoder.of(part)
            fit = encoder.fit(sides[0], moments[0])
            score = at_alpha = score_fit(fit.coef, sides, moments, **self._how)
            if n_active is not None and (score.n_active != n_active[part]).any():
                fit = encoder.match(fit, sides[0], moments[0], n_active[part])
                score = score_fit(fit.coef, sides, moments, **self._how)
            found[part] = np.column_stack([at_alpha.r, score.theta, score.n_active, fit.kkt])
        return found


def _moments(sides: Sides, Y: NDArray[Any], Y_test: NDArray[Any]) -> SidesOfTargets:
    return sides[0].moments(Y), sides[1].moments(Y_test)


def _some(moments: SidesOfTargets, part: slice) -> SidesOfTargets:
    return targets_of(moments[0], part), targets_of(moments[1], part)


def _check_features(values: Any, name: str) -> Any:
    return check_array(values, accept_sparse="csr", dtype=[np.float64, np.float32], input_name=name)


def _check_responses(values: Any, name: str, features: Any, finite: bool) -> NDArray[Any]:
    """Responses (n_images, n_targets) to the images of the features."""
    values = check_array(values, ensure_2d=False, ensure_all_finite=finite, input_name=name)
    if len(values) != features.shape[0]:
        raise ValueError(
            f"{name} must have one row per image of its features, {features.shape[0]}; got "
            f"{len(values)}."
        )
    return values.reshape(len(values), -1)
