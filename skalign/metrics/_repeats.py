"""Single trials: the image that each shows, their averages, and signal and noise variance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skalign.metrics._directions import bounded_slices, check_image_rows, safe_scale
from skalign.metrics._names import target_column
from skalign.utils import (
    Array,
    Doubles,
    Flags,
    Indices,
    Integers,
    check_number,
    import_pandas,
    target_names,
)


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """Signal and noise variance of every target over single trials.

    Returned by :func:`variance_components`, in squared units of the responses.

    Parameters
    ----------
    signal : ndarray of shape (n_targets,)
        Variance of the expected response over images. The estimate is unbiased and therefore not
        truncated: with little signal it can be negative.
    noise : ndarray of shape (n_targets,)
        Variance over the trials of one image.
    n_repeats : ndarray of shape (n_images,)
        Number of trials of every image.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.
    """

    signal: Doubles
    noise: Doubles
    n_repeats: Integers
    target_names: NDArray[np.object_] | None = None

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, its name where known and else its index; ``signal``; ``noise``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        target = target_column(self.target_names, self.signal.size)
        columns = {"target": target, "signal": self.signal, "noise": self.noise}
        return import_pandas().DataFrame(columns)


def variance_components(
    trials: ArrayLike, image_ids: ArrayLike | None = None, *, total_variance: float | None = None
) -> VarianceComponents:
    r"""Estimate signal and noise variance of every target from repeated trials of the same images.

    With :math:`n_i` trials of image i and their mean :math:`\bar y_i`,

    .. math::
        \sigma^2_\text{noise} = \frac{\sum_{it} (y_{it} - \bar y_i)^2}{\sum_i (n_i - 1)}, \qquad
        \sigma^2_\text{signal} = \operatorname{var}_i(\bar y_i)
        - \sigma^2_\text{noise} \operatorname{mean}_i(1 / n_i),

    where the variance over images is divided by their number minus one.

    Parameters
    ----------
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Responses of single trials. In three dimensions a missing repeat is NaN in all targets.
    image_ids : array-like of shape (n_trials,), default=None
        Image that each trial shows. Needed for trials in two dimensions, and only there.
    total_variance : float, default=None
        Variance of single trials, where it is known: 1 if the responses were z-scored in every
        session. The signal variance is then the total minus the noise variance.

    Returns
    -------
    VarianceComponents
        ``signal``, ``noise`` and ``n_repeats``.

    Raises
    ------
    ValueError
        If shapes do not fit, values other than missing repeats are not finite, an image has no
        trial, there are fewer than two images, no image was repeated, or a variance is beyond the
        range of double precision.

    See Also
    --------
    noise_ceiling_snr : The ratio of the two, as a ratio of standard deviations.

    Notes
    -----
    Both components are unbiased, also with unequal numbers of trials, if the noise of a trial
    depends neither on its image nor on other trials. Images that were shown once contribute to the
    signal variance only. A drift between sessions counts as noise: z-score responses within each
    session first. A target that never varies has two zeros.

    Trials are read in blocks of targets and may be memory-mapped.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import variance_components
    >>> rng = np.random.default_rng(0)
    >>> signal, noise = 2 * rng.standard_normal((500, 1, 1)), rng.standard_normal((500, 3, 1))
    >>> found = variance_components(signal + noise)
    >>> found.signal.round(1), found.noise.round(1)
    (array([4.]), array([1.]))
    """
    repeats = Repeats(trials, image_ids)
    signal, noise = scaled_components(repeats, total_variance).in_units_of_responses()
    return VarianceComponents(signal, noise, repeats.n_repeats, target_names(trials))


class Repeats:
    """Single trials sorted by image, read in blocks of targets.

    Parameters
    ----------
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Responses; in three dimensions a missing repeat is NaN in all targets.
    image_ids : array-like of shape (n_trials,), tuple of these, or None
        Image that each trial shows. Needed for trials in two dimensions, and only there.
    kept_images : array-like, default=None
        The images to use; all by default.
    """

    def __init__(
        self,
        trials: ArrayLike,
        image_ids: ArrayLike | tuple[ArrayLike, ...] | None,
        kept_images: ArrayLike | None = None,
    ) -> None:
        table = check_trials(trials, image_ids)
        self.trials: Array = table.reshape(-1, table.shape[-1])
        if image_ids is None:
            self.images: Any = np.arange(len(table))
            image = np.repeat(self.images, table.shape[1])
            is_there = ~np.isnan(self.trials[:, 0])
        else:
            self.images, image = numbered_images(image_ids, len(table))
            is_there = np.ones(len(table), dtype=bool)
        is_asked = np.ones(len(image), dtype=bool)
        n_repeats = np.bincount(image[is_there], minlength=image.max() + 1)
        if kept_images is not None:
            is_kept = _among(self.images, kept_images)
            is_asked = is_kept[image]
            self.images, n_repeats = self.images[is_kept], n_repeats[is_kept]
        if not n_repeats.all():
            raise ValueError(
                "trials must have at least one trial of every image; got none of "
                f"{(n_repeats == 0).sum()} images. Drop these images."
            )
        self._missing = np.flatnonzero(is_asked & ~is_there)
        rows = np.flatnonzero(is_asked & is_there)
        self.rows = rows[np.argsort(image[rows], kind="stable")]
        self.n_repeats: Integers = n_repeats
        self.n_images = n_repeats.size
        self.image = np.repeat(np.arange(self.n_images), n_repeats)
        self._first = np.cumsum(n_repeats) - n_repeats

    def blocks(self) -> Iterator[tuple[slice, Doubles]]:
        """Slices of targets, and their responses (n_trials, n_block) sorted by image."""
        for block in bounded_slices(self.trials.shape[1], 8 * self.rows.size):
            values = np.asarray(self.trials[self.rows, block], dtype=np.float64)
            missing = np.isnan(self.trials[self._missing, block])
            if not np.isfinite(values).all() or not missing.all():
                raise ValueError(
                    "trials must be finite, except for missing repeats, which are NaN in all "
                    "targets at once; got other NaN or infinity. Drop the targets that have them."
                )
            yield block, values

    def means(self, values: Doubles) -> Doubles:
        """Mean over the trials of each image, (n_images, n_block)."""
        return np.add.reduceat(values, self._first, axis=0) / self.n_repeats[:, np.newaxis]


def check_trials(trials: ArrayLike, image_ids: Any) -> Any:
    """Check that trials have two dimensions with, and three without, the images that they show."""
    table: Any = check_image_rows(trials, "trials", allow_nd=True)
    if table.ndim not in (2, 3) or (table.ndim == 2) != (image_ids is not None):
        raise ValueError(
            "trials must be of shape (n_images, n_repeats, n_targets) without image_ids, or of "
            f"shape (n_trials, n_targets) with image_ids; got {table.ndim} dimensions "
            f"{'without' if image_ids is None else 'with'} image_ids."
        )
    return table


class ScaledComponents(NamedTuple):
    """Signal and noise variance of responses that were divided by `scale`, target by target."""

    signal: Doubles
    noise: Doubles
    scale: Doubles

    def snr(self) -> Doubles:
        """Compute the ncsnr, which does not depend on the scale."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sqrt(np.maximum(self.signal, 0) / self.noise)

    def in_units_of_responses(self) -> tuple[Doubles, Doubles]:
        """Undo the scale; variances beyond the range of floats are refused."""
        with np.errstate(over="ignore", under="ignore"):
            parts = [part * self.scale * self.scale for part in (self.signal, self.noise)]
        for variance, scaled in zip(parts, (self.signal, self.noise), strict=True):
            lost = ~np.isfinite(variance) | ((variance == 0) & (scaled != 0))
            if lost.any():
                target = int(lost.argmax())
                raise ValueError(
                    "trials must have variances within the range of double precision; got "
                    f"responses of about {self.scale[target]:.1e} (target {target}), whose squares "
                    f"{'overflow' if self.scale[target] > 1 else 'underflow'}. Rescale them."
                )
        return parts[0], parts[1]


def scaled_components(repeats: Repeats, total_variance: float | None = None) -> ScaledComponents:
    """Signal and noise variance from trials sorted by image, of responses in a safe scale."""
    degrees = repeats.rows.size - repeats.n_images
    if repeats.n_images < 2 or degrees == 0:
        raise ValueError(
            "trials must show at least two images, and at least one of them repeatedly; got "
            f"{repeats.rows.size} trials of {repeats.n_images} images."
        )
    if total_variance is not None and not check_number(total_variance, "total_variance") > 0:
        raise ValueError(f"total_variance must be positive, or None; got {total_variance!r}.")
    n_targets = repeats.trials.shape[1]
    signal, noise, scale = np.zeros(n_targets), np.zeros(n_targets), np.ones(n_targets)
    for block, values in repeats.blocks():
        scale[block] = safe_scale(np.abs(values).max(axis=0), "trials")
        if (scale[block] != 1).any():
            values /= scale[block]
        values -= values[0].copy()  # a target that never varies is exactly zero then
        means = repeats.means(values)
        within = np.square(values - means[repeats.image]).sum(axis=0) / degrees
        if total_variance is None:
            shared = means.var(axis=0, ddof=1) - within * np.mean(1 / repeats.n_repeats)
        else:
            shared = total_variance / scale[block] / scale[block] - within
        signal[block], noise[block] = np.where(values.any(axis=0), [shared, within], 0)
    return ScaledComponents(signal, noise, scale)


def numbered_images(image_ids: Any, n_trials: int) -> tuple[Any, Indices]:
    """The distinct images, and the number of each trial's image among them."""
    is_tuple = isinstance(image_ids, tuple) and np.ndim(image_ids[0]) > 0
    labels = [np.asarray(label) for label in (image_ids if is_tuple else [image_ids])]
    for label in labels:
        if label.shape != (n_trials,):
            raise ValueError(
                f"image_ids must be 1-D, one label per trial, {n_trials} here; got shape "
                f"{label.shape}."
            )
    if not is_tuple:
        return np.unique(labels[0], return_inverse=True)
    numbers = [np.unique(label, return_inverse=True)[1] for label in labels]
    _, first, image = np.unique(
        np.ravel_multi_index(numbers, [number.max() + 1 for number in numbers]),
        return_index=True,
        return_inverse=True,
    )
    return tuple(label[first] for label in labels), image


def _among(images: Any, kept_images: ArrayLike) -> Flags:
    kept = np.asarray(kept_images)
    if isinstance(images, tuple):
        raise ValueError(
            "image_ids must be one label per trial where train_images are given; got a tuple of "
            f"{len(images)} labels. Combine them into one."
        )
    if kept.ndim != 1 or kept.dtype == bool:
        raise ValueError(
            "train_images must be a 1-D array of image ids (row numbers, for trials in three "
            f"dimensions), not a mask; got shape {kept.shape} and dtype {kept.dtype}."
        )
    unknown = np.setdiff1d(kept, images)
    if unknown.size:
        raise ValueError(
            f"train_images must be images that have trials; got {unknown.size} that have none, "
            f"such as {unknown[0]!r}."
        )
    return np.isin(images, kept)
