"""Stability of the selected units over resampled images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_random_state, check_scalar, indexable
from sklearn.utils.validation import has_fit_parameter

from skalign.inference._refits import RefittableModel, as_configured, take_rows
from skalign.metrics import (
    ImageSpace,
    ImagesToDraw,
    linear_maps,
    linear_model_of,
    target_column,
    to_dense,
)
from skalign.utils import (
    Array,
    Doubles,
    Indices,
    Integers,
    check_flag,
    import_pandas,
    map_blocks,
    target_names,
)

_N_PROBES = 64  # images that tell whether the units are the same in every fit
_SAME_UNIT = 0.99  # correlation over them


@dataclass(frozen=True, eq=False)
class SelectionStability:
    """How stable the units that a sparse encoder selects are over resampled images.

    Returned by :func:`selection_stability`.

    Parameters
    ----------
    frequency : sparse array of shape (n_targets, n_units)
        Share of the fits in which the unit has weight for the target, in CSR format.
    stability : ndarray of shape (n_targets,)
        Chance-corrected agreement of the fits; high is good. 1: all fits select the same units.
        About 0: they differ as random sets of these sizes would. NaN where all fits are empty, or
        all keep every unit.
    n_active : ndarray of shape (n_targets,)
        Mean number of selected units.
    n_empty : ndarray of shape (n_targets,)
        Number of fits that select no unit.
    n_resamples : int
        Number of fits.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where y has them.
    """

    frequency: Any
    stability: Doubles
    n_active: Doubles
    n_empty: Integers
    n_resamples: int
    target_names: Array | None = None

    @property
    def unit_frequency(self) -> Doubles:
        """Mean over targets of how often each unit is selected, (n_units,)."""
        return np.asarray(self.frequency.mean(axis=0)).ravel()

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, ``stability``, ``n_active`` and ``n_empty``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        targets = target_column(self.target_names, self.stability.size)
        names = ("stability", "n_active", "n_empty")
        columns = {name: getattr(self, name) for name in names}
        return pd.DataFrame({"target": targets, **columns})


def selection_stability(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    *,
    n_resamples: int = 200,
    sample_fraction: float | Literal["bootstrap"] = 0.5,
    groups: ArrayLike | None = None,
    keep_alpha: bool = False,
    sample_weight: ArrayLike | None = None,
    fit_params: dict[str, Any] | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> SelectionStability:
    r"""Refit an encoder to resampled images, and count which units it selects.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside, alone or within pipelines, target transformers and searches. A
        clone is fitted to every resample.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Features of the images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Observed responses.
    n_resamples : int, default=200
        Number of fits.
    sample_fraction : float or "bootstrap", default=0.5
        Share of the images that is drawn without replacement for every fit, between 0 and 1; half
        of them is stability selection [1]_. "bootstrap" draws as many images as there are, with
        replacement.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or blocks. Whole groups of images are drawn, because images of one group,
        such as volumes of one fMRI run, are not independent; `sample_fraction` is a share of the
        groups then. Inner splits of an encoder that cross-validates keep groups together, too.
    keep_alpha : bool, default=False
        Whether an encoder that chooses alpha by cross-validation keeps in all fits what it
        chooses on all images. By default it chooses anew in every fit.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in the fits. In a pipeline they go to the last step; with metadata
        routing enabled, to each step that has requested them.
    fit_params : dict, default=None
        Further arguments of ``fit``, such as ``"step__sample_weight"``; those with one value per
        image are resampled with the images.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible.
    n_jobs : int, default=None
        Number of threads over fits. None is 1 unless in a :func:`joblib.parallel_config`; -1 uses
        all processors.

    Returns
    -------
    SelectionStability
        Frequencies and stability, of the units that reach the linear model.

    Raises
    ------
    TypeError
        If the encoder has no linear weights, or weights of a shape that does not fit.
    ValueError
        If a parameter has a value that it cannot have, a resample has no group, or the units that
        reach the linear model are not the same in all fits.

    See Also
    --------
    bootstrap_alignment : How sure r and theta of a fitted estimator are.

    Notes
    -----
    The index of Nogueira, Sechidis and Brown [2]_ compares, for every target, the variance of the
    selections over the M fits with that of random sets of the same mean size:

    .. math::
        \Phi = 1 - \frac{\frac{1}{p} \sum_f \frac{M}{M - 1} \hat p_f (1 - \hat p_f)}
        {\frac{\bar k}{p} \left(1 - \frac{\bar k}{p}\right)}

    with :math:`\hat p_f` the frequency of unit f among p units and :math:`\bar k` the mean number
    of selected units. The index is between -1/(M - 1) and 1. On the scale in use for kappas, less
    than 0.4 is poor and more than 0.75 excellent. Units that respond alike take turns: a low index
    then speaks against an interpretation of single units, but not against what they respond to.

    A unit that is selected in at least, say, 0.6 of the half-samples belongs to the stable set of
    [1]_: ``frequency >= 0.6``.

    A localizer in a pipeline must have stimuli of its own, so that it selects the same units for
    every fit. A selector or a decomposition that is fitted to the resampled images selects other
    units, and is refused: each unit must correlate with itself across fits.

    An encoder that takes ``sample_weight`` itself gets bootstrap draws as weights; other models
    get repeated rows. Repeated images fall on both sides of an inner split: take half-samples for a
    pipeline that cross-validates inside.

    The selections of a fit are kept sparse, and only until they are counted.

    References
    ----------
    .. [1] N. Meinshausen and P. Buhlmann (2010), "Stability selection", Journal of the Royal
       Statistical Society B 72(4):417-473, :doi:`10.1111/j.1467-9868.2010.00740.x`.
    .. [2] S. Nogueira, K. Sechidis and G. Brown (2018), "On the stability of feature selection
       algorithms", Journal of Machine Learning Research 18(174):1-54.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import selection_stability
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 6))
    >>> Y = X[:, :2] + 0.5 * rng.standard_normal((200, 2))
    >>> found = selection_stability(SparsePositiveEncoder(alpha=0.3), X, Y, random_state=0)
    >>> found.frequency.toarray()[:, :2].round(1)
    array([[1., 0.],
           [0., 1.]])
    >>> found.stability.round(1)
    array([1., 1.])
    """
    check_scalar(n_resamples, "n_resamples", (int, np.integer), min_val=2)
    check_flag(keep_alpha, "keep_alpha")
    names = target_names(y)
    X, y = (given if hasattr(given, "shape") else np.asarray(given) for given in indexable(X, y))
    images = ImagesToDraw(X.shape[0], None, groups)
    draws = _draw(images, n_resamples, sample_fraction, check_random_state(random_state))
    model = RefittableModel(encoder, X.shape[0], sample_weight, groups, fit_params)
    if keep_alpha:
        model = model.keep_alpha(model.fit(X, y))
    by_weight = sample_fraction == "bootstrap" and _takes_weights_itself(model.estimator)
    select = partial(_select, model, X, y, by_weight)
    first = select(next(draws))
    again = as_configured(partial(select, expected=first.units))
    n_selected, n_empty = 0, 0
    with closing(map_blocks(again, list(draws), n_jobs)) as others:
        for fit in chain([first], others):
            n_selected = n_selected + fit.selected
            n_empty = n_empty + (fit.selected.sum(axis=1) == 0)
    found = _summary(n_selected, np.asarray(n_empty), int(n_resamples))
    return replace(found, target_names=names)


def _takes_weights_itself(estimator: Any) -> bool:
    """Whether weights mean repeated rows: in a pipeline, steps before the model do not see them."""
    is_alone = not linear_model_of(estimator).name
    return is_alone and has_fit_parameter(estimator, "sample_weight")


def _draw(
    images: ImagesToDraw,
    n_resamples: int,
    sample_fraction: float | Literal["bootstrap"],
    random_state: np.random.RandomState,
) -> Iterator[Indices]:
    """How often every image is drawn, for one fit after the other."""
    n_groups = images.n_groups
    if sample_fraction == "bootstrap":
        size = n_groups
    elif isinstance(sample_fraction, Real) and 0 < sample_fraction < 1:
        size = int(sample_fraction * n_groups)
    else:
        raise ValueError(
            'sample_fraction must be "bootstrap" or a number between 0 and 1, both excluded; got '
            f"{sample_fraction!r}."
        )
    if size < 1 or n_groups < 2:
        raise ValueError(
            "sample_fraction must draw at least one of at least two images, or groups where given; "
            f"got {sample_fraction!r} of {n_groups}. Give more of them, or draw more."
        )
    for _ in range(n_resamples):
        if sample_fraction == "bootstrap":
            drawn = random_state.randint(0, n_groups, size)
        else:
            drawn = random_state.permutation(n_groups)[:size]
        yield images.of_groups(np.bincount(drawn, minlength=n_groups))


class _Selection(NamedTuple):
    """The selection of one fit, and the responses of its units to some images."""

    selected: Any  # (n_targets, n_units), 1 where selected; csr
    units: Array  # (n_probes, n_units), unit norm


def _select(
    model: RefittableModel,
    X: Any,
    y: Any,
    by_weight: bool,
    counts: Indices,
    expected: Array | None = None,
) -> _Selection:
    """Fit to a resample, and check that its units are the expected ones."""
    if by_weight:  # images that are not drawn are left out, for an inner split might hold only them
        given = 1 if model.sample_weight is None else np.asarray(model.sample_weight)
        fitted = replace(model, sample_weight=counts * given).fit(X, y, np.flatnonzero(counts))
    else:
        fitted = model.fit(X, y, np.repeat(np.arange(counts.size), counts))
    probes = np.unique(np.linspace(0, counts.size - 1, _N_PROBES, dtype=int))
    maps = linear_maps(fitted, take_rows(X, probes), predict=False)
    units = _directions(maps[0].features) if expected is None else expected
    for found in maps:
        _check_same_units(_directions(found.features), units)
    selected = [sparse.csr_array(found.weights != 0, dtype=np.int32) for found in maps]
    return _Selection(sparse.vstack(selected, format="csr"), units)


def _directions(features: Any) -> Array:
    features = np.asarray(to_dense(features))
    directions, _ = ImageSpace(len(features), None, center=True).directions(features, "X")
    return np.asarray(directions)


def _check_same_units(units: Array, expected: Array) -> None:
    rule = "encoder must hand the same units to its linear model in all fits"
    remedy = (
        "Fit what comes before it once, on data of its own (a localizer with its own stimuli, or a "
        "FrozenEstimator), or leave it out."
    )
    if units.shape != expected.shape:
        raise ValueError(
            f"{rule}; got {expected.shape[1]} units in one and {units.shape[1]} in another. "
            f"{remedy}"
        )
    correlation = np.einsum("ij,ij->j", units, expected)
    silent = ~units.any(axis=0) & ~expected.any(axis=0)
    changed = np.flatnonzero((correlation < _SAME_UNIT) & ~silent)
    if changed.size:
        raise ValueError(
            f"{rule}; got {changed.size} of {silent.size} (the first is unit {changed[0]}) that "
            f"respond differently in two fits. {remedy}"
        )


def _summary(n_selected: Any, n_empty: Array, n_fits: int) -> SelectionStability:
    n_units = n_selected.shape[1]
    total = n_selected.sum(axis=1, dtype=np.int64)
    square = (n_selected**2).sum(axis=1, dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_size = total / n_fits
        variance = (mean_size - square / n_fits**2) * n_fits / (n_fits - 1)
        stability = 1 - variance / (mean_size * (1 - mean_size / n_units))
    stability[(total == 0) | (total == n_fits * n_units)] = np.nan
    return SelectionStability(n_selected / n_fits, stability, mean_size, n_empty, n_fits)
