"""Noise ceilings: how well a perfect model could predict noisy responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skalign.metrics._average_repeats import snr_of_observed
from skalign.metrics._names import target_column
from skalign.metrics._repeats import Repeats, scaled_components
from skalign.utils import Doubles, Missing, check_missing, import_pandas, target_names

Unit = Literal["r", "variance"]


@dataclass(frozen=True, eq=False)
class NoiseCeiling:
    """The best score that a model can reach in spite of noise, for every target, and its unit.

    Returned by :func:`noise_ceiling`. ``ceiling[mask]`` is the ceiling of the targets in the mask.

    Parameters
    ----------
    values : ndarray of shape (n_targets,)
        Ceilings from 0 to 1; NaN where a target never varies.
    unit : {"r", "variance"}
        Whether the values are correlations or shares of variance explained, which are their
        squares.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.
    """

    values: Doubles
    unit: Unit
    target_names: NDArray[np.object_] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        if values.ndim != 1:
            raise ValueError(f"values must be of shape (n_targets,); got shape {values.shape}.")
        if ((values < 0) | (values > 1)).any():
            raise ValueError(
                "values must be from 0 to 1 or NaN; got values from "
                f"{np.nanmin(values)} to {np.nanmax(values)}."
            )
        check_unit(self.unit)
        names = self.target_names
        if names is not None and np.shape(names) != values.shape:
            raise ValueError(
                f"target_names must be of shape {values.shape}, one per value; got shape "
                f"{np.shape(names)}."
            )
        object.__setattr__(self, "values", values)

    def __getitem__(self, targets: Any) -> NoiseCeiling:
        names = None if self.target_names is None else np.atleast_1d(self.target_names[targets])
        return NoiseCeiling(np.atleast_1d(self.values[targets]), self.unit, names)

    def to_unit(self, unit: Unit) -> NoiseCeiling:
        """Convert the ceiling to a unit.

        Parameters
        ----------
        unit : {"r", "variance"}
            The unit.

        Returns
        -------
        NoiseCeiling
            The ceiling in that unit: values in "variance" are the squares of those in "r".

        Raises
        ------
        ValueError
            If `unit` is neither.
        """
        if check_unit(unit) == self.unit:
            return self
        values = self.values**2 if unit == "variance" else self.values**0.5
        return NoiseCeiling(values, unit, self.target_names)

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, its name where known and else its index; ``ceiling``; ``unit``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        target = target_column(self.target_names, self.values.size)
        columns = {"target": target, "ceiling": self.values, "unit": self.unit}
        return import_pandas().DataFrame(columns)


def noise_ceiling_snr(
    trials: ArrayLike,
    image_ids: ArrayLike | None = None,
    *,
    total_variance: float | None = None,
    missing: Missing = "error",
) -> Doubles:
    r"""Estimate the signal-to-noise ratio of single trials, the ncsnr, for every target.

    .. math::
        \text{ncsnr} = \sqrt{\max(\sigma^2_\text{signal}, 0) / \sigma^2_\text{noise}}

    Parameters
    ----------
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Responses of single trials. In three dimensions a missing repeat is NaN in all targets.
    image_ids : array-like of shape (n_trials,), default=None
        Image that each trial shows. Needed for trials in two dimensions, and only there.
    total_variance : float, default=None
        Variance of single trials, where it is known. 1 gives the ncsnr of the Natural Scenes
        Dataset [1]_, if responses were z-scored in every session and images have three trials.
    missing : {"error", "mask"}, default="error"
        What to do about trials that are NaN in some targets only: raise an error, or estimate every
        target from its own trials. It is NaN for a target without repeated images.

    Returns
    -------
    ndarray of shape (n_targets,)
        A ratio of standard deviations, at least 0; high is good. 0 where there is no signal, NaN
        where a target never varies.

    Raises
    ------
    ValueError
        If shapes do not fit, values other than missing repeats are not finite, an image has no
        trial, there are fewer than two images, or no image was repeated.

    See Also
    --------
    variance_components : Signal and noise variance, and when they are unbiased.
    noise_ceiling : The best score of a model that follows from this ratio.
    reliable_targets : Choose targets by it, from training images.

    Notes
    -----
    The variances are unbiased. Their ratio is biased where there is little signal: a target whose
    average over three trials allows an r of .33 is estimated to allow .30 on average.

    The ratio does not depend on the scale of the responses, however large or small they are.

    References
    ----------
    .. [1] Allen et al. (2022), "A massive 7T fMRI dataset to bridge cognitive neuroscience and
       artificial intelligence", Nature Neuroscience 25:116-126,
       :doi:`10.1038/s41593-021-00962-x`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import noise_ceiling_snr
    >>> rng = np.random.default_rng(0)
    >>> signal, noise = rng.standard_normal((1000, 1, 2)), rng.standard_normal((1000, 3, 2))
    >>> noise_ceiling_snr(signal * [0.5, 1] + noise).round(1)
    array([0.5, 1. ])
    """
    if check_missing(missing) == "mask":
        return snr_of_observed(trials, image_ids, total_variance)[0]
    return scaled_components(Repeats(trials, image_ids), total_variance).snr()


def noise_ceiling(
    ncsnr: ArrayLike | None = None,
    *,
    trials: ArrayLike | None = None,
    image_ids: ArrayLike | None = None,
    n_repeats: int | ArrayLike | None = None,
    unit: Unit = "r",
    missing: Missing = "error",
) -> NoiseCeiling:
    r"""Compute the best score that a model of averaged trials can reach, for every target.

    In explained variance, for averages over :math:`n_i` trials of image i,

    .. math::
        \text{NC} = \frac{\text{ncsnr}^2}{\text{ncsnr}^2 + \operatorname{mean}_i(1 / n_i)},

    and in Pearson's r its square root.

    Parameters
    ----------
    ncsnr : array-like of shape (n_targets,), default=None
        Signal-to-noise ratio of single trials, from :func:`noise_ceiling_snr` or from a dataset.
    trials : array-like of shape (n_images, n_repeats, n_targets) or (n_trials, n_targets)
        Single trials to estimate the ratio from, instead of `ncsnr`.
    image_ids : array-like of shape (n_trials,), default=None
        Image that each trial shows. Needed for trials in two dimensions, and only there.
    n_repeats : int or array-like of shape (n_images,), default=None
        Number of trials that were averaged for the responses that a model is scored on: one number,
        or one for every scored image. By default those of `trials`.
    unit : {"r", "variance"}, default="r"
        Whether the ceiling is for correlations or for explained variance.
    missing : {"error", "mask"}, default="error"
        What to do about trials that are NaN in some targets only: raise an error, or estimate every
        target from its own trials. Their numbers
        of trials count, unless `n_repeats` are given.

    Returns
    -------
    NoiseCeiling
        ``values`` from 0 to 1, and their ``unit``.

    Raises
    ------
    ValueError
        If both or neither of `ncsnr` and `trials` are given, `n_repeats` is missing or below 1, a
        ratio is negative, or `trials` are not valid (see :func:`noise_ceiling_snr`).

    See Also
    --------
    normalize_scores : Divide scores by the ceiling.
    PearsonScorer : Takes a ceiling, for searches and cross-validation.

    Notes
    -----
    A ceiling is an average: on few images a model can lie above it by chance. A ceiling that is
    estimated on the scored images shares their noise. Estimate the ncsnr on training images.

    Examples
    --------
    >>> from skalign.metrics import noise_ceiling
    >>> noise_ceiling([0.2, 0.4, 1.0], n_repeats=3).values.round(2)
    array([0.33, 0.57, 0.87])
    >>> noise_ceiling([0.2, 0.4, 1.0], n_repeats=3, unit="variance").values.round(2)
    array([0.11, 0.32, 0.75])

    A model is scored on a hundred images, some of which were seen only once or twice:

    >>> n_repeats = [1] * 20 + [2] * 30 + [3] * 50
    >>> noise_ceiling([0.2, 0.4, 1.0], n_repeats=n_repeats).values.round(2)
    array([0.27, 0.49, 0.81])
    """
    if (ncsnr is None) == (trials is None):
        given = "neither" if ncsnr is None else "both"
        raise ValueError(f"Either ncsnr or trials must be given; got {given}. Give one of them.")
    names = None
    if trials is not None:
        names = target_names(trials)
        if check_missing(missing) == "mask":
            ratio, share = snr_of_observed(trials, image_ids, None)
            if n_repeats is None:
                return _ceiling(ratio, share, names).to_unit(unit)
        else:
            repeats = Repeats(trials, image_ids)
            ratio = scaled_components(repeats).snr()
            n_repeats = repeats.n_repeats if n_repeats is None else n_repeats
    else:
        ratio = np.asarray(ncsnr, dtype=np.float64)
        if ratio.ndim != 1:
            raise ValueError(
                f"ncsnr must be of shape (n_targets,); got shape {ratio.shape}. Single trials are "
                "passed as trials."
            )
        if (ratio < 0).any():
            raise ValueError(
                f"ncsnr must be at least 0 or NaN; got a minimum of {np.nanmin(ratio)}."
            )
        if n_repeats is None:
            raise ValueError("n_repeats must be given with ncsnr; got None.")
    counts = np.asarray(n_repeats, dtype=np.float64)
    if counts.ndim > 1 or not counts.size or not (counts >= 1).all():
        raise ValueError(
            "n_repeats must be a number of trials of at least 1, or one for every image; got "
            f"{n_repeats!r}. Drop the images without trials."
        )
    return _ceiling(ratio, np.mean(1 / counts), names).to_unit(unit)


def _ceiling(ratio: Doubles, share: Any, names: NDArray[np.object_] | None) -> NoiseCeiling:
    """Ceiling of averages, the mean of one over whose number of trials is `share`."""
    with np.errstate(divide="ignore"):
        variance = 1 / (1 + share / ratio**2)
    return NoiseCeiling(variance, "variance", names)


def check_unit(unit: Any) -> Any:
    """Check the unit of a ceiling."""
    if unit not in get_args(Unit):
        raise ValueError(f'unit must be "r" or "variance"; got {unit!r}.')
    return unit
