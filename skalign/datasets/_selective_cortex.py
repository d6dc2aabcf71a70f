"""A simulated visual cortex whose regions are driven by selective units of a network layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy.optimize import brentq
from sklearn.utils import Bunch, check_random_state, check_scalar

from skalign.datasets._selective_layer import (
    CATEGORIES,
    Layer,
    localizer_images,
    natural_images,
)
from skalign.utils import Array, Doubles, Flags, Integers

# Region, what drives it, and its mean noise ceiling in r over voxels, for three trials, in subjects
# 1, 2, 5 and 7 of the Natural Scenes Dataset.
_REGIONS = {
    "FFA": ("faces", (0.54, 0.60, 0.58, 0.52)),
    "PPA": ("scenes", (0.54, 0.60, 0.62, 0.51)),
}
_CALIBRATED_TRIALS = 3
_LEAST_NCSNR = 0.2
_N_DRIVING = 10  # aligned units that drive a voxel, and as many others
_OTHER = 0.1  # mean weight of the others, 1 for aligned ones


def make_selective_cortex(
    *,
    n_units: int = 1000,
    n_selective: int = 100,
    n_voxels: int | ArrayLike = 100,
    n_subjects: int = 4,
    n_localizer: int = 144,
    n_train: int = 1000,
    n_validation: int = 1000,
    n_test: int = 515,
    n_trials: int = 3,
    rectified: bool = True,
    return_trials: bool = False,
    dtype: DTypeLike = np.float64,
    random_state: Any = None,
) -> Bunch:
    r"""Simulate a network layer and the face and scene regions that its selective units drive.

    Images have contents of five categories and further, shared dimensions. A unit that is selective
    for a category is driven by its content and suppressed, more or less, by that of all others, and
    all units are tuned to the shared dimensions besides. Localizer images each show one category;
    natural images mix them. Voxels of the FFA are driven by ten face-selective units each, those of
    the PPA by scene-selective ones, with positive weights, and a tenth as strongly by ten other
    units. Every image is shown in several trials with independent noise.

    Face- and scene-selective units thus span the same dimensions: an unconstrained map predicts the
    FFA from either, and a positive map from the face-selective units only. The cortex was built so
    that this picture of the paper appears. What encoders find in it illustrates a method and tests
    code, because the truth is known; it is no evidence about brains or networks.

    Parameters
    ----------
    n_units : int, default=1000
        Number of units of the layer.
    n_selective : int, default=100
        Number of units selective for each of the five categories; the rest are unselective.
    n_voxels : int or array-like of shape (2,) or (n_subjects, 2), default=100
        Number of voxels of the FFA and of the PPA. In the Natural Scenes Dataset
        ``[[418, 734], [274, 749], [382, 948], [259, 547]]``.
    n_subjects : int, default=4
        Number of subjects. They see the same images.
    n_localizer : int, default=144
        Number of localizer images of each of the ten subcategories, and of scrambled ones.
    n_train, n_validation, n_test : int, default=1000, 1000, 515
        Number of natural images of each set; the validation set may be empty.
    n_trials : int, default=3
        Number of trials of every image.
    rectified : bool, default=True
        Whether the layer is rectified, or signed as before a ReLU.
    return_trials : bool, default=False
        Whether to return single trials too.
    dtype : {float64, float32}, default=float64
        Type of the responses of units and voxels, and of the weights.
    random_state : int, RandomState instance or None, default=None
        Draws everything. An int gives the same cortex in every call.

    Returns
    -------
    Bunch
        Dicts have a key ``(subject, region)`` for every region of every subject, as in
        ``("S1", "FFA")``.

        X_localizer, X_train, X_validation, X_test : ndarray of shape (n_images, n_units)
            Responses of the units.
        category, subcategory : ndarray of shape (11 * n_localizer,)
            What the localizer images show: "faces", "bodies", "objects", "scenes", "characters" or
            "scrambled", and "adult", "child" and so on.
        y_train, y_validation, y_test : dict of ndarray of shape (n_images, n_voxels)
            Responses of the voxels, averaged over trials.
        trials_train, trials_validation, trials_test : dict of ndarray, or None
            Single trials (n_images, n_trials, n_voxels), where ``return_trials=True``.
        subjects : list of str
            "S1" and so on.
        regions : dict of str to str
            The category whose units drive a region.
        selectivity : ndarray of shape (n_units,)
            Ground truth: the category of each unit, or "none".
        weights : dict of ndarray of shape (n_voxels, n_units)
            Ground truth: the expected response to images is ``X @ weights.T + intercept``.
        intercept : dict of ndarray of shape (n_voxels,)
            See `weights`.
        ncsnr : dict of ndarray of shape (n_voxels,)
            Ground truth: standard deviation of the expected response over all natural images, over
            that of the noise of a trial.
        ceiling : dict of ndarray of shape (n_voxels,)
            Ground truth: the noise ceiling in Pearson's r of averages over `n_trials`.
        latents_localizer, latents_train, latents_validation, latents_test : ndarray
            (n_images, 11). Contents of the categories in the order above, then the shared
            dimensions.
        tuning : ndarray of shape (n_units, 11)
            Units respond with ``latents @ tuning.T + bias``, cut off at 0 where rectified.
        bias : float
            See `tuning`.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is too small, there are fewer units than selective ones, `n_voxels` has another
        shape, or `dtype` is another type.

    See Also
    --------
    load_haxby_slice : Real responses to images of categories.

    Notes
    -----
    A voxel's expected response and noise have variances that add up to 1, as z-scored trials have
    in expectation. The ncsnr of voxels is 0.2 plus a gamma variate, scaled so that the noise
    ceilings in r, for three trials, averaged over the voxels of a region, are what the subjects 1,
    2, 5 and 7 of the Natural Scenes Dataset [1]_ have: .54, .60, .58 and .52 in the FFA, .54, .60,
    .62 and .51 in the PPA; further subjects begin anew. With another `n_trials` the noise is the
    same.

    Natural images are a Latin hypercube in the space of contents and shared dimensions, in each
    set: the sets are alike, and so are their ceilings.

    The trials of one region of one subject are drawn at a time, so that memory is bounded by the
    responses returned. More subjects leave the first ones as they were.

    References
    ----------
    .. [1] Allen et al. (2022), "A massive 7T fMRI dataset to bridge cognitive neuroscience and
       artificial intelligence", Nature Neuroscience 25:116-126,
       :doi:`10.1038/s41593-021-00962-x`.

    Examples
    --------
    A positive map can do with the units that prefer what the region prefers:

    >>> from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder
    >>> from skalign.datasets import make_selective_cortex
    >>> from skalign.metrics import pearson_r
    >>> cortex = make_selective_cortex(n_subjects=1, n_voxels=20, random_state=0)
    >>> y, y_test = cortex.y_train["S1", "FFA"], cortex.y_test["S1", "FFA"]
    >>> for category in ["faces", "scenes"]:
    ...     localizer = SelectiveUnitLocalizer(category).fit(cortex.X_localizer, cortex.category)
    ...     X, X_test = localizer.transform(cortex.X_train), localizer.transform(cortex.X_test)
    ...     for positive in [False, True]:
    ...         encoder = SparsePositiveEncoder("ols", positive=positive).fit(X, y)
    ...         r = pearson_r(y_test, encoder.predict(X_test)).mean()
    ...         print(f"{category:6} positive={positive!s:5} r={r:.1f}")
    faces  positive=False r=0.5
    faces  positive=True  r=0.5
    scenes positive=False r=0.5
    scenes positive=True  r=0.2
    """
    n_natural = {"train": n_train, "validation": n_validation, "test": n_test}
    sizes = {"n_units": n_units, "n_selective": n_selective, "n_subjects": n_subjects}
    sizes |= {"n_localizer": n_localizer, "n_trials": n_trials}
    sizes |= {f"n_{name}": size for name, size in n_natural.items()}
    for name, size in sizes.items():
        least = 0 if name == "n_validation" else 1
        check_scalar(size, name, (int, np.integer), min_val=least)
    if n_units < CATEGORIES.size * n_selective:
        raise ValueError(
            f"n_units must be at least {CATEGORIES.size} * n_selective, "
            f"{CATEGORIES.size * n_selective}; got {n_units}."
        )
    n_voxels = _check_n_voxels(n_voxels, n_subjects)
    if np.dtype(dtype) not in (np.float64, np.float32):
        raise ValueError(f"dtype must be float64 or float32; got {dtype!r}.")

    seed = check_random_state(random_state).randint(2**31 - 1, dtype=np.int64)
    image_rng, layer_rng, brain_rng = np.random.default_rng(seed).spawn(3)
    layer = Layer(layer_rng, n_units, n_selective, rectified)
    of_localizer, category, subcategory = localizer_images(image_rng, n_localizer)
    latents = {name: natural_images(image_rng, size) for name, size in n_natural.items()}
    ends = np.cumsum([0, *n_natural.values()])
    images = {name: slice(*ends[i : i + 2]) for i, name in enumerate(n_natural)}
    X = layer.respond(np.vstack(list(latents.values())))

    cortex = Bunch(
        X_localizer=layer.respond(of_localizer).astype(dtype, copy=False),
        category=category,
        subcategory=subcategory,
        subjects=[f"S{number + 1}" for number in range(n_subjects)],
        regions={region: drive for region, (drive, _) in _REGIONS.items()},
        selectivity=layer.selectivity,
        latents_localizer=of_localizer,
        tuning=layer.tuning,
        bias=layer.bias,
        **{name: {} for name in ("weights", "intercept", "ncsnr", "ceiling")},
    )
    for name, rows in images.items():
        cortex[f"X_{name}"] = X[rows].astype(dtype)
        cortex[f"latents_{name}"] = latents[name]
        cortex[f"y_{name}"] = {}
        cortex[f"trials_{name}"] = {} if return_trials else None

    scale = X.std(axis=0)
    scale[scale == 0] = np.inf  # a unit that never varies drives nothing
    for i, (subject, subject_rng) in enumerate(
        zip(cortex.subjects, brain_rng.spawn(n_subjects), strict=True)
    ):
        region_rngs = subject_rng.spawn(len(_REGIONS))
        for j, (region, (drive, ceilings)) in enumerate(_REGIONS.items()):
            rng, key = region_rngs[j], (subject, region)
            ncsnr = _draw_ncsnr(rng, n_voxels[i, j], ceilings[i % len(ceilings)])
            weights = _draw_weights(rng, n_voxels[i, j], layer.selectivity == drive) / scale
            expected = X @ weights.T
            size = expected.std(axis=0) * np.sqrt(1 + ncsnr**-2)
            cortex.weights[key] = (weights / size[:, np.newaxis]).astype(dtype, copy=False)
            cortex.intercept[key] = -expected.mean(axis=0) / size
            cortex.ncsnr[key] = ncsnr
            cortex.ceiling[key] = _r_ceiling(ncsnr, n_trials)
            expected = expected / size + cortex.intercept[key]
            noise = 1 / np.sqrt(1 + ncsnr**2)
            for name, rows in images.items():
                y, trials = _measure(rng, expected[rows], noise, n_trials, return_trials, dtype)
                cortex[f"y_{name}"][key] = y
                if return_trials:
                    cortex[f"trials_{name}"][key] = trials
    return cortex


def _check_n_voxels(n_voxels: Any, n_subjects: int) -> Integers:
    sizes, shape = np.asarray(n_voxels), (n_subjects, len(_REGIONS))
    if (
        sizes.shape not in {(), shape[1:], shape}
        or not np.issubdtype(sizes.dtype, np.integer)
        or (sizes < 1).any()
    ):
        raise ValueError(
            "n_voxels must be an integer of at least 1, or one for the FFA and one for the PPA, or "
            f"these for each of {n_subjects} subjects; got {n_voxels!r}."
        )
    return np.broadcast_to(sizes, shape)


def _r_ceiling(ncsnr: Doubles, n_trials: int) -> Doubles:
    return np.sqrt(ncsnr**2 / (ncsnr**2 + 1 / n_trials))


def _draw_ncsnr(rng: np.random.Generator, n_voxels: int, ceiling: float) -> Doubles:
    """Ratios of signal to noise for which the mean ceiling is this one."""
    above = rng.gamma(2.0, size=n_voxels)

    def excess(scale: float) -> float:
        ncsnr = _LEAST_NCSNR + scale * above
        return float(_r_ceiling(ncsnr, _CALIBRATED_TRIALS).mean() - ceiling)

    return _LEAST_NCSNR + brentq(excess, 0, 1e3 / above.min()) * above


def _draw_weights(rng: np.random.Generator, n_voxels: int, is_aligned: Flags) -> Doubles:
    """Positive weights on standardized units, a few for each voxel."""
    weights = np.zeros((n_voxels, is_aligned.size))
    for chosen, mean in [(is_aligned, 1.0), (~is_aligned, _OTHER)]:
        units = np.flatnonzero(chosen)
        for row in weights:
            driving = rng.permutation(units)[:_N_DRIVING]
            row[driving] = mean * rng.exponential(size=driving.size)
    return weights


def _measure(
    rng: np.random.Generator,
    expected: Doubles,
    noise: Doubles,
    n_trials: int,
    return_trials: bool,
    dtype: DTypeLike,
) -> tuple[Array, Array | None]:
    """Average over trials, and the trials where asked for, one at a time."""
    total = np.zeros_like(expected)
    n_images, n_voxels = expected.shape
    trials = np.empty((n_images, n_trials, n_voxels), dtype=dtype) if return_trials else None
    for number in range(n_trials):
        trial = expected + noise * rng.standard_normal(expected.shape)
        total += trial
        if trials is not None:
            trials[:, number] = trial
    return (total / n_trials).astype(dtype, copy=False), trials
