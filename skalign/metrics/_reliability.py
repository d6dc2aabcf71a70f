"""Which targets answer to images at all: split halves, and a choice made on training images."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_random_state

from skalign.metrics._predictivity import pearson_r
from skalign.metrics._repeats import Repeats, scaled_components
from skalign.utils import Doubles, Flags, Integers, check_number


def split_half_reliability(
    trials: ArrayLike,
    image_ids: ArrayLike | None = None,
    *,
    n_splits: int = 10,
    random_state: Any = None,
) -> Doubles:
    r"""Estimate the reliability of every target's average over repeats by correlating halves.

    The trials of each image are split at random into two halves of equal size, and the averages of
    the halves are correlated over images. Their correlation r, averaged over splits, is
    extrapolated to all trials by the formula of Spearman [1]_ and Brown [2]_,

    .. math::
        \frac{k r}{1 + (k - 1) |r|}, \qquad
        k = \frac{\operatorname{mean}_i(1 / h_i)}{\operatorname{mean}_i(1 / n_i)},

    with :math:`h_i` trials in a half and :math:`n_i` in all. k is 2 if all images have the same
    even number of trials. With an odd number, each split drops one random trial.

    Parameters
    ----------
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Responses of single trials. In three dimensions a missing repeat is NaN in all targets.
    image_ids : array-like of shape (n_trials,), default=None
        Image that each trial shows. Needed for trials in two dimensions, and only there.
    n_splits : int, default=10
        Number of random splits.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits. An int gives the same splits in every call.

    Returns
    -------
    ndarray of shape (n_targets,)
        Reliability, from -1 to 1; high is good. It estimates the noise ceiling in explained
        variance. NaN where a half never varies.

    Raises
    ------
    ValueError
        If shapes do not fit, values other than missing repeats are not finite, an image has no
        trial, or fewer than three images were repeated.

    See Also
    --------
    noise_ceiling_snr : Reliability from variances: faster, and from all pairs of trials.
    reliable_targets : Choose targets by either.

    Notes
    -----
    Images that were shown once cannot be split and are ignored. The formula of Spearman and Brown
    has r in place of :math:`|r|`: it has a pole at a negative r, which can occur by chance, and
    raises the mean over unreliable targets.

    References
    ----------
    .. [1] Spearman (1910), "Correlation calculated from faulty data", British Journal of Psychology
       3(3):271-295, :doi:`10.1111/j.2044-8295.1910.tb00206.x`.
    .. [2] Brown (1910), "Some experimental results in the correlation of mental abilities", British
       Journal of Psychology 3(3):296-322, :doi:`10.1111/j.2044-8295.1910.tb00207.x`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import noise_ceiling, split_half_reliability
    >>> rng = np.random.default_rng(0)
    >>> trials = rng.standard_normal((1000, 1, 2)) * [0.5, 1] + rng.standard_normal((1000, 4, 2))
    >>> split_half_reliability(trials, random_state=0).round(2)
    array([0.54, 0.8 ])
    >>> noise_ceiling(trials=trials, unit="variance").values.round(2)
    array([0.54, 0.8 ])
    """
    return _split_half(Repeats(trials, image_ids), n_splits, random_state)


def reliable_targets(
    trials: ArrayLike,
    image_ids: ArrayLike | None = None,
    *,
    train_images: ArrayLike,
    min_ncsnr: float | None = 0.2,
    min_split_half: float | None = None,
    n_splits: int = 10,
    random_state: Any = None,
) -> Flags:
    """Choose the targets that respond reliably to training images.

    Parameters
    ----------
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Responses of single trials. In three dimensions a missing repeat is NaN in all targets.
    image_ids : array-like of shape (n_trials,), default=None
        Image that each trial shows. Needed for trials in two dimensions, and only there.
    train_images : array-like of shape (n_train,)
        The images that may be used, as in `image_ids`; for trials in three dimensions, row numbers.
        Trials of other images are not read.
    min_ncsnr : float or None, default=0.2
        Smallest :func:`noise_ceiling_snr` of a reliable target. None: any.
    min_split_half : float or None, default=None
        Smallest :func:`split_half_reliability` of a reliable target. None: any.
    n_splits : int, default=10
        Number of random splits in halves.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits. An int gives the same splits in every call.

    Returns
    -------
    ndarray of shape (n_targets,), dtype=bool
        Whether a target is reliable: a mask for ``y[:, mask]`` and ``ceiling[mask]``.

    Raises
    ------
    TypeError
        If `min_ncsnr` or `min_split_half` is not a number.
    ValueError
        If `trials` are not valid (see :func:`noise_ceiling_snr`), `train_images` is a mask or has
        an image without trials, or both limits are None.

    See Also
    --------
    noise_ceiling : The ceilings of the chosen targets.

    Notes
    -----
    Choose targets on training images only: targets that are chosen on the scored images have lucky
    noise there, which raises their ceilings and scores. A target that never varies is not chosen.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import reliable_targets
    >>> rng = np.random.default_rng(0)
    >>> image_ids = np.tile(np.arange(400), 3)
    >>> signal = rng.standard_normal((400, 3)) * [1, 0.5, 0]
    >>> trials = signal[image_ids] + rng.standard_normal((1200, 3))
    >>> reliable_targets(trials, image_ids, train_images=np.arange(300))
    array([ True,  True, False])
    """
    if min_ncsnr is None and min_split_half is None:
        raise ValueError(
            "min_ncsnr or min_split_half must be a number; got None for both. Give one of them."
        )
    repeats = Repeats(trials, image_ids, train_images)
    passes = np.ones(repeats.trials.shape[1], dtype=bool)
    if min_ncsnr is not None:
        passes &= scaled_components(repeats).snr() >= check_number(min_ncsnr, "min_ncsnr")
    if min_split_half is not None:
        least = check_number(min_split_half, "min_split_half")
        passes &= _split_half(repeats, n_splits, random_state) >= least
    return passes


def _split_half(repeats: Repeats, n_splits: int, random_state: Any) -> Doubles:
    half_size = repeats.n_repeats // 2
    is_split = half_size > 0
    if is_split.sum() < 3:
        raise ValueError(
            "trials must show at least three images repeatedly to be split in halves; got "
            f"{is_split.sum()}. Give more trials, or use noise_ceiling_snr."
        )
    if not isinstance(n_splits, Integral) or n_splits < 1:
        raise ValueError(f"n_splits must be an integer of at least 1; got {n_splits!r}.")
    random_state = check_random_state(random_state)
    splits = [_deal(repeats, half_size, random_state) for _ in range(n_splits)]
    r = np.empty(repeats.trials.shape[1])
    for block, values in repeats.blocks():
        of_splits = [pearson_r(first @ values, second @ values) for first, second in splits]
        r[block] = np.mean(of_splits, axis=0)
    step = np.mean(1 / half_size[is_split]) / np.mean(1 / repeats.n_repeats[is_split])
    reliability: Doubles = step * r / (1 + (step - 1) * np.abs(r))
    return reliability


def _deal(repeats: Repeats, half_size: Integers, random_state: Any) -> list[Any]:
    """Two averaging matrices (n_split_images, n_trials), over disjoint trials of each image."""
    image = repeats.image
    shuffled = np.lexsort((random_state.random_sample(image.size), image))
    first = np.cumsum(repeats.n_repeats) - repeats.n_repeats
    half = (np.arange(image.size) - first[image]) // np.maximum(half_size, 1)[image]
    half[half_size[image] == 0] = 2  # images of a single trial: in neither half
    size = half_size[half_size > 0]
    ends = np.concatenate([[0], np.cumsum(size)])
    weights = np.repeat(1 / size, size)
    shape = (size.size, image.size)
    return [
        sparse.csr_array((weights, shuffled[half == number], ends), shape=shape)
        for number in (0, 1)
    ]
