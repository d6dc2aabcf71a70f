"""Intervals over other images to fit as well as other test images: the encoder is fitted anew."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from sklearn.utils import check_random_state, check_scalar

from skalign.inference._bootstrap_alignment import bootstrap_alignment
from skalign.inference._comparison import check_test_targets
from skalign.inference._interval import ConfidenceInterval
from skalign.inference._normalized_r import normalized_r_intervals, share_of_means
from skalign.inference._refits import RefittableModel, as_configured, count_samples
from skalign.metrics import (
    Alignment,
    ImagesToDraw,
    alignment,
    check_responses,
    normalize_scores,
)
from skalign.utils import Array, Doubles, import_pandas, map_blocks

_MEASURES = "r", "theta", "theta_observed"
Intervals = dict[str, dict[str, ConfidenceInterval]]


@dataclass(frozen=True, eq=False)
class RefitIntervals:
    """Intervals over test images given the fit, over images to fit, and over both.

    Returned by :func:`refit_intervals`. ``found.means["r"]["both"]`` is the interval of the mean r
    over both sets of images; ``["test"]`` holds for this fit only, ``["fit"]`` for these test
    images only.

    Parameters
    ----------
    means : dict of str to dict
        Of the means over targets: by measure ("r", "theta", "theta_observed", and "r_normalized"
        where trials were given), then by what is drawn ("test", "fit" or "both").
    targets : dict of str to dict
        The same of every target.
    """

    means: Intervals
    targets: Intervals

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``; of every measure its value, and ``<measure>_low_<over>`` and
            ``<measure>_high_<over>`` over "test", "fit" and "both".

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        frame = self.targets["r"]["both"].to_frame()[["target"]].copy()
        for measure, intervals in self.targets.items():
            frame[measure] = intervals["both"].estimate
            for over, interval in intervals.items():
                frame[f"{measure}_low_{over}"] = interval.low
                frame[f"{measure}_high_{over}"] = interval.high
        return frame

    def summary_frame(self) -> Any:
        """One row per mean over targets and set of images, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``measure``, ``over`` ("test", "fit" or "both"), ``estimate``, ``low``,
            ``high``, ``standard_error`` and ``n_undefined``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        parts = [
            interval.to_frame().assign(measure=measure, over=over)
            for measure, intervals in self.means.items()
            for over, interval in intervals.items()
        ]
        frame = import_pandas().concat(parts, ignore_index=True)
        return frame[["measure", "over", *frame.columns.drop(["measure", "over"])]]


def refit_intervals(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    trials_test: ArrayLike | None = None,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    test_groups: ArrayLike | None = None,
    fit_params: dict[str, Any] | None = None,
    sample_fraction: float = 0.8,
    n_resamples: int = 200,
    confidence_level: float = 0.95,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> RefitIntervals:
    r"""Estimate intervals of r and theta over other images to fit, beside those given the fit.

    :func:`bootstrap_alignment` takes the fitted map as it is: its intervals say where r would be
    for this map on other test images. These say where r would be for the encoder, fitted and chosen
    anew to as many other images.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside, alone or within pipelines, target transformers and searches. A
        clone is fitted to all images, and one to each random subset; each chooses anew if it
        cross-validates.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Features of the images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
        Features of the images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    trials_test : array-like of shape (n_test_images, n_repeats, n_targets), default=None
        Single trials whose averages are `y_test`, NaN where a repeat is missing. The mean r is then
        also given as a share of the mean noise ceiling, which is estimated anew in every draw of
        test images. Images are drawn with all their repeats.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in fits.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or blocks of the images to fit: subsets are of whole groups, and an encoder
        that cross-validates keeps them together.
    test_groups : array-like of shape (n_test_images,), default=None
        Those of the test images, of which whole ones are left out.
    fit_params : dict, default=None
        Further arguments of ``encoder.fit``.
    sample_fraction : float, default=0.8
        Share of the images to fit, or of their groups, in each subset, drawn without replacement;
        0.5 takes halves.
    n_resamples : int, default=200
        Number of subsets, each of which is fitted.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of the subsets; an integer makes them reproducible.
    n_jobs : int, default=None
        Number of threads over fits. None is 1 unless in a :func:`joblib.parallel_config`; -1 uses
        all processors.

    Returns
    -------
    RefitIntervals
        Of means over targets and of every target.

    Raises
    ------
    TypeError
        If the encoder has no linear weights.
    ValueError
        If there are fewer than four images or groups to fit, fewer than two to score, a subset has
        none or all, or shapes do not fit.

    See Also
    --------
    bootstrap_alignment : Intervals given the fit, by more methods.
    selection_stability : Which units are selected again in other subsets.
    skalign.metrics.noise_ceiling : The ceiling of repeated measurements.

    Notes
    -----
    With m of n groups drawn without replacement for a fit, the variance of a value over draws
    times m / (n - m) estimates its variance over samples of n groups [1]_. Subsets repeat no image,
    so that inner splits of an encoder stay clean. Intervals are centered on the fit to all images,
    for subsets predict worse. Variances over images to fit and over test
    images (by the jackknife) add up, with Satterthwaite's degrees of freedom.

    Repeats of an image are not drawn themselves: a trial that is drawn twice agrees with itself,
    and the ceiling of three repeats would be estimated from two thirds of their noise. The noise of
    repeats varies from image to image, and enters with the images.

    Coverage at a nominal 0.95 of the means that an encoder has over other images to fit and to
    score, in 500 simulations of a positive lasso on 60 images to fit and 60 to score, with 50
    different true maps: given the fit ("test") 0.92 for r and 0.79 for theta; over both 0.97 for
    each, with a standard error of 0.01 to 0.02 (``benchmarks/interval_coverage.py``). Errors over
    images to fit are too large rather than too small: r hardly depends on them where the fit is
    good, and that of subsets depends on them more.

    References
    ----------
    .. [1] J. Shao and C. F. J. Wu (1989), "A general theory for jackknife variance estimation",
       Annals of Statistics 17(3):1176-1197, :doi:`10.1214/aos/1176347263`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import refit_intervals
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((160, 30))
    >>> Y = X[:, :3] + 2 * rng.standard_normal((160, 3))
    >>> found = refit_intervals(
    ...     SparsePositiveEncoder(alpha=0.1), X[:60], Y[:60], X[60:], Y[60:],
    ...     n_resamples=50, random_state=0,
    ... )
    >>> errors = {over: interval.standard_error for over, interval in found.means["r"].items()}
    >>> bool(errors["both"] > errors["test"])
    True
    """
    check_scalar(n_resamples, "n_resamples", (int, np.integer), min_val=2)
    names = check_test_targets(y, y_test)
    model = RefittableModel(encoder, count_samples(X), sample_weight, groups, fit_params)
    images = ImagesToDraw(count_samples(X), sample_weight, groups)
    if images.n_groups < 4:
        raise ValueError(
            f"X must have at least 4 images or groups with a weight; got {images.n_groups}."
        )
    check_scalar(
        sample_fraction, "sample_fraction", Real, min_val=0, max_val=1, include_boundaries="neither"
    )
    size = int(sample_fraction * images.n_groups + 1e-9)
    if not 0 < size < images.n_groups:
        raise ValueError(
            "sample_fraction must draw some but not all groups of images; got "
            f"{sample_fraction} of {images.n_groups}."
        )
    fitted = model.fit(X, y)
    given_fit = bootstrap_alignment(
        fitted,
        X_test,
        y_test,
        groups=test_groups,
        center=center,
        confidence_level=confidence_level,
        method="t",
    )
    tests = {
        measure: (getattr(given_fit, measure), getattr(given_fit, f"target_{measure}"))
        for measure in _MEASURES
    }
    ceiling = None
    if trials_test is not None:
        ceiling, tests["r_normalized"] = normalized_r_intervals(
            y_test,
            check_responses(fitted.predict(X_test), "y_pred"),
            trials_test,
            ImagesToDraw(count_samples(X_test), None, test_groups),
            confidence_level,
        )

    def of_subset(rows: Array) -> Alignment:
        return alignment(model.fit(X, y, rows), X_test, y_test, center=center)

    chosen = _subsets(images, size, n_resamples, random_state)
    subsets = list(map_blocks(as_configured(of_subset), chosen, n_jobs))
    factor = np.sqrt(size / (images.n_groups - size))
    freedom = min(images.n_groups, n_resamples) - 1
    means: Intervals = {}
    targets: Intervals = {}
    for measure, (mean, of_targets) in tests.items():
        if ceiling is not None and measure == "r_normalized":
            values = np.array([normalize_scores(subset.r, ceiling, unit="r") for subset in subsets])
            drawn = np.array([share_of_means(subset.r, ceiling) for subset in subsets])
        else:
            values = np.array([getattr(subset, measure) for subset in subsets])
            drawn = np.array([subset.summary()[measure] for subset in subsets])
        means[measure] = _combine(mean, factor * _spread(drawn), freedom)
        targets[measure] = {
            over: _named(interval, names)
            for over, interval in _combine(of_targets, factor * _spread(values), freedom).items()
        }
    return RefitIntervals(means, targets)


def _subsets(images: ImagesToDraw, size: int, n_resamples: int, random_state: Any) -> list[Array]:
    """Rows of random subsets of so many groups."""
    random_state = check_random_state(random_state)
    kept = np.arange(images.n_images) if isinstance(images.kept, slice) else images.kept
    subsets = []
    for _ in range(n_resamples):
        drawn = np.zeros(images.n_groups, dtype=bool)
        drawn[random_state.permutation(images.n_groups)[:size]] = True
        subsets.append(kept[images.of_groups(drawn)])
    return subsets


def _spread(values: Doubles) -> Doubles:
    """Standard deviation over subsets, of those that have a value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a target that has none in any subset
        return np.asarray(np.nanstd(values, axis=0, ddof=1))


def _combine(
    given_fit: ConfidenceInterval, error: Doubles, freedom: int
) -> dict[str, ConfidenceInterval]:
    """Intervals over test images, over images to fit, and over both."""
    squares = np.asarray(given_fit.standard_error) ** 2, error**2
    total = squares[0] + squares[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = total**2 / (
            squares[0] ** 2 / given_fit.degrees_of_freedom + squares[1] ** 2 / freedom
        )
    least = np.minimum(given_fit.degrees_of_freedom, freedom)
    df = np.where(total > 0, shared, least)
    return {
        "test": given_fit,
        "fit": _students(given_fit, error, np.full(error.shape, float(freedom))),
        "both": _students(given_fit, np.sqrt(total), df),
    }


def _students(given_fit: ConfidenceInterval, error: Doubles, df: Doubles) -> ConfidenceInterval:
    """An interval of the same estimate with another standard error."""
    error = np.where(np.isnan(given_fit.estimate), np.nan, error)
    reach = -stdtrit(df, (1 - given_fit.confidence_level) / 2) * error
    return replace(
        given_fit,
        low=(given_fit.estimate - reach)[()],
        high=(given_fit.estimate + reach)[()],
        standard_error=error[()],
        degrees_of_freedom=df[()],
        jackknife=None,
        shares=None,
    )


def _named(interval: ConfidenceInterval, names: Array | None) -> ConfidenceInterval:
    return replace(interval, target_names=names)
