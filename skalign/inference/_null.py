"""Is theta low, and r high? Null distributions from fits that have no reason to be aligned."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, closing
from dataclasses import replace
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state, check_scalar

from skalign.inference._comparison import check_test_targets
from skalign.inference._null_draws import Scheme, TrainingAndTest, make_draws
from skalign.inference._null_fits import FitScores, Refits, Scoring
from skalign.inference._null_moments import MomentFits
from skalign.inference._null_result import AlignmentNull, Correction, NullName, result_of
from skalign.inference._refits import RefittableModel, count_samples
from skalign.metrics import check_target, linear_model_of
from skalign.utils import (
    Array,
    Doubles,
    check_flag,
    check_sample_weight,
    map_blocks,
    target_names,
)


def alignment_null(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    null: NullName = "rotation",
    pool: Any = None,
    pool_test: Any = None,
    scheme: Scheme = "permute",
    keep_alpha: bool = False,
    target: Literal["predicted", "observed"] = "predicted",
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    test_sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    fit_params: dict[str, Any] | None = None,
    n_resamples: int = 200,
    correction: Correction = "bh",
    random_state: Any = None,
    n_jobs: int | None = None,
) -> AlignmentNull:
    r"""Test r and theta of an encoder against fits to null data.

    The p-values are of single targets, of all targets as a family, and of the mean over targets.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside, alone or within pipelines, target transformers and searches.
        Clones are fitted, and the encoder is left as it is.
    X : {array-like, sparse matrix} of shape (n_images, n_units)
        Features of the images to fit, not standardized: a scaler belongs into the encoder.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_units)
        Features of the images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    null : {"units", "rotation", "images"}, default="rotation"
        Kind of null data.

        - "units": as many units, drawn at random from `pool`. Are these units better aligned than
          other units of their network?
        - "rotation": the features, rotated at random about their training means. A rotation keeps
          the information that the units carry together, and all that an unpenalized linear map can
          predict, and makes new axes. Do the axes matter?
        - "images": the responses to the images to fit, in another order. Is anything predicted?
    pool : {array-like, sparse matrix} of shape (n_images, n_pool_units), default=None
        Units to draw from, such as all units of the layer, those of `X` included. Only
        ``null="units"`` needs a pool.
    pool_test : {array-like, sparse matrix} of shape (n_test_images, n_pool_units), default=None
        Responses of the same units to the test images.
    scheme : {"permute", "shift"}, default="permute"
        Order of responses for ``null="images"``.

        - "permute": whole groups trade their responses; single images do if there are no `groups`.
        - "shift": responses are shifted circularly within their group, by a random number of
          images for every group. Images must be in the order of their presentation.
    keep_alpha : bool, default=False
        Whether an encoder that chooses alpha by cross-validation keeps for null data the alpha that
        it has chosen for `X` and `y`. That is faster, and only the observed fit is at an alpha of
        its own choice; in simulations tests at 0.05 rejected at rates of 0.03 to 0.05, and of 0.06
        for the mean r of four targets. By default every fit chooses anew.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in all fits. In a pipeline they go to the last step; with metadata
        routing enabled, to each step that has requested them.
    test_sample_weight : array-like of shape (n_test_images,), default=None
        Weights of the test images in r and theta.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or blocks of the images. They stay together in ``null="images"`` and in the
        splits of an encoder that chooses by cross-validation.
    fit_params : dict, default=None
        Further arguments of ``encoder.fit``, such as ``"step__sample_weight"``.
    n_resamples : int, default=200
        Number of null fits.
    correction : {"bh", "by"}, default="bh"
        Rule of the false discovery rate, as in :func:`scipy.stats.false_discovery_control`:
        Benjamini-Hochberg, or Benjamini-Yekutieli for targets with any kind of dependence.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible, for any `n_jobs`.
    n_jobs : int, default=None
        Number of threads over null fits. None is 1 unless in a :func:`joblib.parallel_config`; -1
        uses all processors.

    Returns
    -------
    AlignmentNull
        Observed and null values, p-values, and the least p-value that the draws can give.

    Raises
    ------
    TypeError
        If the encoder has no linear weights, is frozen, or takes no `sample_weight`.
    ValueError
        If shapes do not fit each other, a parameter has a value that it cannot have, the pool is
        missing or too small, groups that trade responses have different sizes, or the targets of
        `y` and `y_test` have different names.

    Warns
    -----
    ConvergenceWarning
        If fits did not reach the tolerance of the encoder.

    See Also
    --------
    alignment_baselines : What theta is low or high compared to.
    alignment_against_control : Against the features of an untrained network.

    Notes
    -----
    **One model for all fits.** The whole encoder, with every step of its pipeline, is fitted to the
    null data exactly as to the observed data, so that under the null hypothesis all fits are
    exchangeable. Give raw features and standardize inside the encoder. Features that were
    standardized before are all of variance 1, their rotations are not, and a lasso sees that: tests
    at 0.05 then rejected true null hypotheses at rates of 0.12 (theta) and 0.07 (r), and 0.20 for
    the mean theta of a region of four targets, in 1600 simulations of features whose standard
    deviations fall off as 1/k. Standardized inside the encoder, all rates were 0.04 to 0.05.

    **Equal numbers of active units.** A fit of few units has a low theta, whatever they are: a
    single unit is its own prediction. Each fit is therefore compared with all others of its target,
    the observed fit and null fits alike: a regression of their theta on :math:`(1, \log k, \log^2
    k)` says what to expect with k active units, and a regression of the absolute residuals on
    :math:`(1, \log k)` how far fits are from that. Residuals over their expected size are ranked.
    ``excess_theta`` is the residual of the observed fit. Among targets with many, or with few,
    active units tests at 0.05 rejected true null hypotheses at rates of 0.04 to 0.05, and of 0.06
    for many units of features that are not standardized at all. The evenness of the weights is not
    matched: one unit that outweighs all others lowers theta, too.

    **P-values** are one-sided. With n resamples and ranked residuals e they are [1]_

    .. math:: p_\theta = \frac{1 + \#\{e_{null} \leq e\}}{1 + n}, \quad
       p_r = \frac{1 + \#\{r_{null} \geq r\}}{1 + n}.

    In the first, an empty null fit counts against the encoder. In the second its r is 0. An empty
    fit of the encoder has p-values of 1.

    - *False discovery rate*: with a least p-value p, a q-value of 0.05 needs 20 p V of V targets at
      that value, that is V / 10 of them with 199 resamples. ``n_targets_for_discovery`` gives the
      number.
    - *Family-wise error rate*: the largest value over all targets, draw by draw [2]_. r enters as
      its difference from the mean over all fits of the target, theta as the residual above.
    - *Region*: the means of r and of the residuals over targets. Use them for one statement about
      all targets.

    Targets share the draws, so that dependence between targets is accounted for in the last two.

    **Rotation.** Rotated features keep their means. Rectified units that are rotated are no longer
    rectified: the null hypothesis then says that neither the axes nor the rectification matter.
    Where units and targets rectified random mixtures of the same latent variables, without common
    axes, tests at 0.05 rejected at rates of 0.09 (r) and 0.06 (theta), and 0.14 for the mean r of
    four targets. Random units of a pool do not have that flaw.

    Theta to the predicted response of uncorrelated units depends on their number alone, about
    :math:`1 - 1 / \sqrt{k}`: no test can find it low.

    **Images.** The order of single images is exchangeable only if responses to different images are
    independent, which neighboring volumes of one fMRI run are not. Let whole runs trade responses
    (`groups`), and score images of other runs. In 1600 to 8000 simulations of AR(1) noise (0.8)
    without any effect (``benchmarks/calibration.py``), tests at 0.05 rejected at these rates:

    ================================================= ============= ==================
    data and scheme                                   single target mean of 4 targets
    ================================================= ============= ==================
    whole runs trade responses                        0.03 to 0.05  0.04 to 0.06
    responses shifted within runs of 12 images        0.06          0.05
    a drift from the start of each run, whole runs    0.04          0.06
    the same drift, shifts                            0.22          0.38
    the same drift, single images                     0.13          0.27
    every other block of the same runs scored         0.17          0.40
    ================================================= ============= ==================

    A shifted run has a seam where its end meets its beginning, so that its images depend on each
    other a little less than those of the run: short runs reject somewhat too often, family-wise at
    0.06 as well. Shifts suit few, long runs without a time course of their own. Weights, and images
    of weight zero, keep their place. Null fits are sparser than the encoder's or empty, so that
    they say nothing about theta: its p-values are NaN.

    **Cost.** An encoder of this package that is positive or has an l1 penalty, alone or after a
    :class:`~sklearn.preprocessing.StandardScaler`, is fitted from ``X'X`` and ``X'y``, which all
    null fits share: no null fit reads the features again. Other models are fitted to the images. A
    rotation of p units takes some p\ :sup:`3` operations, and p n\ :sup:`2` where there are fewer
    images than units, n: the images are rotated in the space that they span, and fitted.

    Rotated features and units of a pool have no names, and a pipeline step that has data of its
    own, such as the stimuli of a localizer, does not fit them: apply such steps first.

    References
    ----------
    .. [1] B. Phipson and G. K. Smyth (2010), "Permutation p-values should never be zero",
       Statistical Applications in Genetics and Molecular Biology 9(1):39,
       :doi:`10.2202/1544-6115.1585`.
    .. [2] T. E. Nichols and A. P. Holmes (2002), "Nonparametric permutation tests for functional
       neuroimaging", Human Brain Mapping 15(1):1-25, :doi:`10.1002/hbm.1058`.

    Examples
    --------
    Units come in five groups of six that are tuned alike, and a target is driven by a group. The
    positive weights rotate the features less than they would on any other axes.

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import alignment_null
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 30)) + np.repeat(rng.standard_normal((300, 5)), 6, axis=1)
    >>> y = X[:, :6].sum(axis=1) + rng.standard_normal(300)
    >>> encoder = make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=0.2))
    >>> found = alignment_null(
    ...     encoder, X[:200], y[:200], X[200:], y[200:], n_resamples=99, random_state=0
    ... )
    >>> found.encoder.theta.round(1), found.excess_theta.round(1), found.p_value_theta
    (array([0.2]), array([-0.2]), array([0.01]))
    """
    check_target(target)
    check_flag(center, "center")
    check_flag(keep_alpha, "keep_alpha")
    if correction not in ("bh", "by"):
        raise ValueError(f'correction must be "bh" or "by"; got {correction!r}.')
    n_resamples = int(check_scalar(n_resamples, "n_resamples", Integral, min_val=1))
    if linear_model_of(encoder).is_frozen:
        raise TypeError(
            "encoder must not be frozen, for it is fitted to null data; got a FrozenEstimator. "
            "Give the estimator inside."
        )
    check_test_targets(y, y_test)
    responses = np.asarray(y)
    observed = _check_test_responses(y_test, responses)
    for name, features, images in (("", X, responses), ("_test", X_test, observed)):
        if count_samples(features) != len(images):
            raise ValueError(
                f"y{name} must have one row per image of X{name}, {count_samples(features)} here; "
                f"got {len(images)} rows."
            )
    weight, test_weight = (
        None if given is None else check_sample_weight(given, len(images), name)
        for given, images, name in (
            (sample_weight, responses, "sample_weight"),
            (test_sample_weight, observed, "test_sample_weight"),
        )
    )
    model = RefittableModel(encoder, len(responses), weight, groups, fit_params)
    draws = make_draws(
        null,
        TrainingAndTest(X, responses, X_test),
        weight,
        pool=pool,
        pool_test=pool_test,
        groups=groups,
        scheme=scheme,
    )
    if keep_alpha:
        model = model.keep_alpha(model.fit(draws.data.X, responses))
    scoring = Scoring(observed, test_weight, target, bool(center))
    fits = MomentFits.find(model, draws, scoring, n_resamples) or Refits(model, draws, scoring)
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_resamples)
    observed_fit = fits.observed()
    values = _fit_all(fits, observed_fit, list(seeds), n_jobs)
    own = replace(observed_fit.alignment, target_names=target_names(y))
    return result_of(values, own, draws, null=null, correction=correction, target=target)


def _check_test_responses(y_test: ArrayLike, y: Array) -> Array:
    observed = np.asarray(check_array(y_test, ensure_2d=False, input_name="y_test"))
    if observed.ndim != y.ndim or observed.shape[1:] != y.shape[1:]:
        raise ValueError(
            f"y_test must have the {y[:1].size} target(s) of y, in as many dimensions; got shapes "
            f"{observed.shape} and {y.shape}. Give both as 2-D arrays."
        )
    return observed


def _fit_all(
    fits: Refits | MomentFits, own: FitScores, seeds: list[int], n_jobs: int | None
) -> Doubles:
    """Values of the observed fit, row 0, and of all null fits, (1 + n_resamples, n_targets, 4)."""
    target = fits.scoring.target
    observed = own.tested(target)
    values = np.empty((1 + len(seeds), *observed.shape))
    values[0] = observed
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # Null fits may well be empty: the result counts them.
        warnings.filterwarnings("ignore", ".* were left empty", UserWarning)
        resamples = stack.enter_context(closing(map_blocks(fits.resample, seeds, n_jobs)))
        for row, found in enumerate(resamples, start=1):
            values[row] = found.tested(target)
    n_unconverged = np.count_nonzero(values[..., 3])
    if n_unconverged:
        warnings.warn(
            f"{n_unconverged} of {values[..., 3].size} fits of a target did not reach the "
            "tolerance. Increase max_iter or tol of the encoder.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return values
