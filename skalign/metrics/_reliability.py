"""Which targets answer to images at all: split halves, and a choice made on training images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.utils import check_random_state

from skalign.metrics._predictivity import pearson_r
from skalign.metrics._repeats import Repeats, scaled_components


def split_half_reliability(
    trials: ArrayLike,
    image_ids: ArrayLike | None = None,
    *,
    n_splits: int = 10,
    random_state: Any = None,
) -> NDArray[np.float64]:
    r"""Reliability of every target's average over repeats, by correlating halves of them.

    The trials of each image are dealt at random into two halves of equal size, the averages of the
    halves are correlated over images, and their correlation r, itself averaged over splits, is
    stepped up to all trials by the formula of Spearman [1]_ and Brown [2]_,

    .. math::
        \frac{k r}{1 + (k - 1) |r|}, \qquad
        k = \frac{\operatorname{mean}_i(1 / h_i)}{\operatorname{mean}_i(1 / n_i)},

    with :math:`h_i` trials in a half and :math:`n_i` in all; k is 2 where all numbers are even and
    equal. Of an odd number of trials one, another in every split, is left out.

    Parameters
    ----------
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Responses of single trials. In three dimensions a missing repeat is NaN in all targets.
    image_ids : array-like of shape (n_trials,), default=None
        Which image each trial shows, for trials in two dimensions.
    n_splits : int, default=10
        Number of random splits.
    random_state : int, RandomState instance or None, default=None
        Deals the trials. An int gives the same splits in every call.

    Returns
    -------
    ndarray of shape (n_targets,)
        Reliability, from -1 to 1; high is good. It estimates the noise ceiling in explained
        variance. NaN where a half never varies.

    Raises
    ------
    ValueError
        If shapes do not fit, values are not finite but for missing repeats, an image has no trial,
        or fewer than three images were repeated.

    See Also
    --------
    noise_ceiling_snr : From variances; quicker, and looks at all pairs of trials at once.
    reliable_targets : Targets chosen by either.

    Notes
    -----
    Images shown only once cannot be split and are left out. Spearman and Brown have r where the
    absolute value stands here: theirs has a pole among negative r, which chance brings about, and
    lifts the mean of unreliable targets.

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
) -> NDArray[np.bool_]:
    """Choose the targets that respond reliably, by their trials of training images alone.

    Parameters
    ----------
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Responses of single trials. In three dimensions a missing repeat is NaN in all targets.
    image_ids : array-like of shape (n_trials,), default=None
        Which image each trial shows, for trials in two dimensions.
    train_images : array-like of shape (n_train,)
        The images that may be looked at, as in `image_ids`; for trials in three dimensions the
        numbers of their rows. Trials of all others are not read.
    min_ncsnr : float or None, default=0.2
        Least :func:`noise_ceiling_snr`. None drops the rule.
    min_split_half : float or None, default=None
        Least :func:`split_half_reliability`. None drops the rule.
    n_splits : int, default=10
        Number of random splits in halves.
    random_state : int, RandomState instance or None, default=None
        Deals the trials into halves.

    Returns
    -------
    ndarray of shape (n_targets,), dtype=bool
        The targets that pass, for ``y[:, mask]`` and ``ceiling[mask]``.

    Raises
    ------
    ValueError
        If `trials` are refused (see :func:`noise_ceiling_snr`), `train_images` is a mask or holds
        an image that no trial shows, or both rules are dropped.

    See Also
    --------
    noise_ceiling : The ceilings of the targets kept.

    Notes
    -----
    Targets chosen by trials of the images that a model is scored on have lucky noise there, which
    lifts their ceilings and scores. A target that never varies does not pass.

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
        raise ValueError("One of min_ncsnr and min_split_half must be a number; got None for both.")
    repeats = Repeats(trials, image_ids, train_images)
    passes = np.ones(repeats.trials.shape[1], dtype=bool)
    if min_ncsnr is not None:
        passes &= scaled_components(repeats).snr() >= min_ncsnr
    if min_split_half is not None:
        passes &= _split_half(repeats, n_splits, random_state) >= min_split_half
    return passes


def _split_half(repeats: Repeats, n_splits: int, random_state: Any) -> NDArray[np.float64]:
    half_size = repeats.n_repeats // 2
    is_split = half_size > 0
    if is_split.sum() < 3:
        raise ValueError(
            "trials must show at least three images repeatedly to be split in halves; got "
            f"{is_split.sum()}."
        )
    if n_splits < 1:
        raise ValueError(f"n_splits must be at least 1; got {n_splits!r}.")
    random_state = check_random_state(random_state)
    splits = [_deal(repeats, half_size, random_state) for _ in range(n_splits)]
    r = np.empty(repeats.trials.shape[1])
    for block, values in repeats.blocks():
        of_splits = [pearson_r(first @ values, second @ values) for first, second in splits]
        r[block] = np.mean(of_splits, axis=0)
    step = np.mean(1 / half_size[is_split]) / np.mean(1 / repeats.n_repeats[is_split])
    return step * r / (1 + (step - 1) * np.abs(r))


def _deal(repeats: Repeats, half_size: NDArray[np.int64], random_state: Any) -> list[Any]:
    """Two averaging matrices (n_split_images, n_trials), over disjoint trials of each image."""
    image = repeats.image
    shuffled = np.lexsort((random_state.random_sample(image.size), image))
    first = np.cumsum(repeats.n_repeats) - repeats.n_repeats
    half = (np.arange(image.size) - first[image]) // np.maximum(half_size, 1)[image]
    half[half_size[image] == 0] = 2  # as what is left of an odd number: in neither half
    size = half_size[half_size > 0]
    ends = np.concatenate([[0], np.cumsum(size)])
    weights = np.repeat(1 / size, size)
    shape = (size.size, image.size)
    return [
        sparse.csr_array((weights, shuffled[half == number], ends), shape=shape)
        for number in (0, 1)
    ]
