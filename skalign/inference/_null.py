"""Is theta low, and r high? Null distributions from fits that have no reason to be aligned."""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, check_scalar, gen_batches

from skalign.inference._null_draws import (
    BlockFits,
    Data,
    Null,
    RandomRotation,
    RandomUnits,
    ShuffledImages,
)
from skalign.linear_model import SparsePositiveEncoder
from skalign.metrics import check_target
from skalign.utils import map_blocks

SHARED_BYTES = 2**28  # of the targets looked at together, and of their products with features
TIE = 0.1  # roots of a rounding error within which two values are equal


@dataclass(frozen=True, eq=False)
class AlignmentNull:
    """Observed r and theta of every target, and those of null fits.

    Returned by :func:`alignment_null`. High r and low theta are good.

    Parameters
    ----------
    null : {"units", "rotation", "images"}
        What the null fits are made of.
    r, theta, n_active : ndarray of shape (n_targets,)
        Predictivity, tuning reorientation and number of active units of the encoder. An empty fit
        has an r of 0, and no theta: NaN.
    null_r : ndarray of shape (n_resamples, n_targets)
        Predictivity of null fits at the encoder's own alpha; 0 where one is empty.
    null_theta, null_n_active : ndarray of shape (n_resamples, n_targets)
        Theta and number of active units of null fits; of random units and rotations, of those
        matched in that number.
    p_value_r : ndarray of shape (n_targets,)
        One-sided: how often a null fit predicts at least as well.
    p_value_theta : ndarray of shape (n_targets,)
        One-sided: how often a null fit has a theta at least as low, or none. NaN for shuffled
        images, which say nothing about theta.
    q_value_r, q_value_theta : ndarray of shape (n_targets,)
        The same, adjusted for the number of targets: of those below 0.05, at most 5 % are false
        discoveries on average.
    n_empty : ndarray of shape (n_targets,)
        Number of null fits without any active unit, among those of `null_n_active`.
    """

    null: Literal["units", "rotation", "images"]
    r: NDArray[np.float64]
    theta: NDArray[np.float64]
    n_active: NDArray[np.int64]
    null_r: NDArray[np.float64]
    null_theta: NDArray[np.float64]
    null_n_active: NDArray[np.int64]
    p_value_r: NDArray[np.float64]
    p_value_theta: NDArray[np.float64]
    q_value_r: NDArray[np.float64]
    q_value_theta: NDArray[np.float64]
    n_empty: NDArray[np.int64]

    @property
    def mismatch(self) -> NDArray[np.float64]:
        """Mean absolute difference in active units of null fits and encoder, (n_targets,)."""
        return np.abs(self.null_n_active - self.n_active).mean(axis=0)

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, ``r``, ``theta``, ``n_active``; ``null_r``, ``null_theta`` and
            ``null_n_active``, means over the null fits (of theta: those that have one);
            ``mismatch``, ``n_empty``; ``p_value_r``, ``p_value_theta``, ``q_value_r``,
            ``q_value_theta``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError('A table needs pandas: pip install "skalign[table]".') from error
        means = {
            "null_r": self.null_r,
            "null_theta": np.ma.masked_invalid(self.null_theta),
            "null_n_active": self.null_n_active,
        }
        columns = {name: getattr(self, name) for name in ("r", "theta", "n_active")}
        columns |= {
            name: np.ma.filled(values.mean(axis=0).astype(float), np.nan)
            for name, values in means.items()
        }
        names = ["mismatch", "n_empty", "p_value_r", "p_value_theta", "q_value_r", "q_value_theta"]
        columns |= {name: getattr(self, name) for name in names}
        return pd.DataFrame({"target": np.arange(self.r.size), **columns})


def alignment_null(
    encoder: SparsePositiveEncoder,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    null: Literal["units", "rotation", "images"] = "rotation",
    pool: Any = None,
    pool_test: Any = None,
    groups: ArrayLike | None = None,
    n_resamples: int = 200,
    correction: Literal["bh", "by"] = "bh",
    sample_weight: ArrayLike | None = None,
    target: Literal["predicted", "observed"] = "predicted",
    center: bool = False,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> AlignmentNull:
    r"""Test r and theta of an encoder against null fits, target by target.

    Parameters
    ----------
    encoder : SparsePositiveEncoder
        Whose parameters are used; it is fitted anew, and left as it is.
    X : {array-like, sparse matrix} of shape (n_images, n_units)
        Images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit; may be memory-mapped.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_units)
        Images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    null : {"units", "rotation", "images"}, default="rotation"
        What null fits are made of.

        - "units": as many units, drawn at random from `pool`. Are these units better aligned than
          any others of their network?
        - "rotation": the units after a random rotation of their space, which keeps what they carry
          together, and so all that an unconstrained linear map can predict, and makes new axes. Do
          the axes matter?
        - "images": the images to fit, shuffled against their responses. Is anything predicted?
    pool : {array-like, sparse matrix} of shape (n_images, n_pool_units), default=None
        Units to draw from, such as all units of the layer; needed by "units", and only there.
    pool_test : {array-like, sparse matrix} of shape (n_test_images, n_pool_units), default=None
        The same units' responses to the test images.
    groups : array-like of shape (n_images,), default=None
        Sessions or subjects, for "images" only: images are shuffled within their group.
    n_resamples : int, default=200
        Number of null fits; the least p-value is one over one more.
    correction : {"bh", "by"}, default="bh"
        Adjustment of p-values for the number of targets, by
        :func:`scipy.stats.false_discovery_control`: Benjamini-Hochberg, or Benjamini-Yekutieli for
        targets that depend on each other in any way.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images to fit.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible, for any `n_jobs`.
    n_jobs : int, default=None
        Number of threads over null fits. None is 1 unless in a :func:`joblib.parallel_config`; -1
        uses all processors.

    Returns
    -------
    AlignmentNull
        Observed and null values, p-values, and how well they are matched.

    Raises
    ------
    TypeError
        If `encoder` is not a SparsePositiveEncoder.
    ValueError
        If shapes do not fit each other, a parameter has a value that it cannot have, or the pool is
        missing or too small.

    Warns
    -----
    ConvergenceWarning
        If fits did not reach the encoder's `tol`.

    See Also
    --------
    alignment_baselines : What theta is low or high compared to.
    alignment_against_control : Against the features of an untrained network.

    Notes
    -----
    A fit of few units has a low theta, whatever they are: a single one is its own prediction. Null
    fits that are sparser than the encoder's would make any theta look high, and denser ones low.
    Theta is therefore compared between fits with as many active units, for every target and draw:
    where the null fit at the encoder's own alpha has another number, alpha is searched for the fit
    that has it, or is nearest (of two, the one with the larger alpha, whose theta is the lower).
    ``mismatch`` says how well that went. Null fits that cannot have as many have fewer, which makes
    the test conservative. Without an l1 penalty (ols, ridge) alpha does not set the number: null
    fits have the one that they happen to have. How even the weights are is not matched: one unit
    that outweighs all others makes a low theta, too.

    r is compared between fits at the same alpha, for which no matching is needed. An alpha that was
    chosen on the same images is not chosen again: choose it on others.

    Shuffled images leave nothing to predict. Their fits are sparser, or empty: a reference for r,
    but none for theta.

    What a low theta can mean depends on `target`. Theta to the predicted response is low if the
    active units are tuned like each other; for units that are uncorrelated it is a matter of their
    number alone, about ``1 - 1 / sqrt(n_active)``, and no test can find it low. Theta to the
    observed response is low if they are tuned like the target.

    .. math:: p_\theta = \frac{1 + \#\{\theta_{null} \leq \theta\}}{1 + n}, \quad
       p_r = \frac{1 + \#\{r_{null} \geq r\}}{1 + n}

    with n resamples [1]_. An empty null fit counts against the encoder in the first, and is an r of
    0 in the second; an empty fit of the encoder itself has p-values of 1. Where there is nothing
    to find (the units are a random draw from the pool, the axes are random, the responses are in
    random order) that of r is uniform, and that of theta so or conservative. Targets share the
    draws.

    Features keep their scale, and rotated ones mix scales: standardize `X`. Where units share a
    direction, as after a ReLU, and theta is not centered, rotated units do not: a low theta then
    says no more than that.

    A null fit looks at no image: of its features it needs ``N'X'XN`` and ``N'X'y``, which come from
    those of `X` or the pool. Memory is that of two Grams of them, and two of the units for every
    thread; a pool too large for that is gone through once per draw instead.

    References
    ----------
    .. [1] B. Phipson and G. K. Smyth (2010), "Permutation p-values should never be zero",
       Statistical Applications in Genetics and Molecular Biology 9(1):39,
       :doi:`10.2202/1544-6115.1585`.

    Examples
    --------
    Units come in five groups of six that are tuned alike, and a target is driven by a group. What
    the positive weights find is rotated less than it would be on any other axes.

    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import alignment_null
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 30)) + np.repeat(rng.standard_normal((300, 5)), 6, axis=1)
    >>> y = X[:, :6].sum(axis=1) + rng.standard_normal(300)
    >>> found = alignment_null(
    ...     SparsePositiveEncoder(alpha=0.2), X[:200], y[:200], X[200:], y[200:],
    ...     n_resamples=99, random_state=0,
    ... )
    >>> found.theta.round(1), found.null_theta.mean(axis=0).round(1)
    (array([0.2]), array([0.4]))
    >>> found.n_active, found.mismatch, found.p_value_theta < 0.05
    (array([6]), array([0.]), array([ True]))
    """
    data = Data(encoder, X, y, X_test, y_test, sample_weight)
    how = {"target": check_target(target), "center": center}
    if not isinstance(center, bool | np.bool_):
        raise TypeError(f"center must be True or False; got {center!r}.")
    if correction not in ("bh", "by"):
        raise ValueError(f'correction must be "bh" or "by"; got {correction!r}.')
    n_resamples = int(check_scalar(n_resamples, "n_resamples", Integral, min_val=1))
    made_of = _make_null(null, data, pool, pool_test, groups, n_resamples)
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_resamples)
    n_targets = data.Y.shape[1]
    values = np.empty((1 + n_resamples, n_targets, 4))  # the encoder's own first
    bytes_each = 8 * (2 * made_of.sides[0].mean.size + 3 * len(data.Y))
    for block in gen_batches(n_targets, max(1, SHARED_BYTES // bytes_each)):
        fits = BlockFits(data, made_of, block, how)
        values[0, block] = fits.observed
        with closing(map_blocks(fits.resample, list(seeds), n_jobs)) as resamples:
            for k, found in enumerate(resamples, start=1):
                values[k, block] = found
    _warn_of_unconverged(values[..., 3], data.encoder.tol)
    r, theta, n_active = values[..., 0], values[..., 1], values[..., 2].astype(np.int64)
    tie = TIE * np.sqrt(np.finfo(data.X.dtype).eps)
    p_r = _p_value(r[1:] >= r[0] - tie, n_active[0])
    p_theta = _p_value(~(theta[1:] > theta[0] + tie), n_active[0])
    if null == "images":
        p_theta[:] = np.nan
    q_r, q_theta = (
        p if np.isnan(p).any() else false_discovery_control(p, method=correction)
        for p in (p_r, p_theta)
    )
    return AlignmentNull(
        null, r[0], theta[0], n_active[0], r[1:], theta[1:], n_active[1:], p_r, p_theta, q_r,
        q_theta, n_empty=(n_active[1:] == 0).sum(axis=0),
    )  # fmt: skip


def _make_null(
    null: str, data: Data, pool: Any, pool_test: Any, groups: Any, n_resamples: int
) -> Null:
    if null not in ("units", "rotation", "images"):
        raise ValueError(f'null must be "units", "rotation" or "images"; got {null!r}.')
    if null != "units" and not (pool is None and pool_test is None):
        raise ValueError(f'pool and pool_test are for null="units" only; got null={null!r}.')
    if null != "images" and groups is not None:
        raise ValueError(f'groups are of shuffled images, null="images"; got null={null!r}.')
    if null == "units":
        return RandomUnits(data, pool, pool_test, n_resamples)
    return RandomRotation(data) if null == "rotation" else ShuffledImages(data, groups)


def _p_value(as_good: NDArray[np.bool_], n_active: NDArray[np.int64]) -> NDArray[np.float64]:
    """From which null fits (n_resamples, n_targets) are as good as the encoder's."""
    p = (1 + as_good.sum(axis=0)) / (1 + len(as_good))
    return np.where(n_active > 0, p, 1.0)


def _warn_of_unconverged(kkt: NDArray[np.float64], tol: float) -> None:
    n_unconverged = np.count_nonzero(kkt > tol)
    if n_unconverged:
        warnings.warn(
            f"{n_unconverged} of {kkt.size} fits did not reach the tolerance; largest KKT "
            f"violation {kkt.max():.2g}. Increase max_iter or tol of the encoder.",
            ConvergenceWarning,
            stacklevel=3,
        )
