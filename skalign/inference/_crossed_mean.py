"""Intervals of a mean over factors that are crossed: networks, subjects, images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from sklearn.utils import check_array

from skalign.inference._interval import (
    N_RESAMPLES,
    ConfidenceInterval,
    IntervalRule,
    freedom_of_shares,
    interval_of,
)
from skalign.utils import Array, Doubles, check_groups

CrossedMethod = Literal["t", "percentile", "basic"]
_BATCH_NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class CrossedInterval(ConfidenceInterval):
    """A mean over crossed factors and its confidence interval.

    Returned by :func:`crossed_mean`.

    Parameters
    ----------
    estimate : float
        Mean over all cells that have a value.
    low, high : float
        Ends of the interval.
    standard_error : float
        Of the mean, over draws of all factors.
    n_undefined : int
        Number of draws without a value.
    n_left_out : int
        Number of cells without a value.
    n_resamples : int
        Number of draws; for "t" the smallest number of levels of a factor.
    confidence_level : float
        Confidence level of the interval.
    method : {"t", "percentile", "basic"}
        How the interval was made.
    target_names : None
        Not used.
    degrees_of_freedom : float
        Of Student's t; infinite for other methods.
    jackknife, shares : None
        Not used.
    standard_errors : dict of str to float
        Standard error of the mean if only this factor were drawn anew: the largest says of what
        more would make the mean surer.
    """

    standard_errors: dict[str, float] = field(default_factory=dict)


def crossed_mean(
    values: ArrayLike,
    minus: ArrayLike | None = None,
    *,
    factors: Sequence[str],
    clusters: Mapping[str, ArrayLike] | None = None,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = 0.95,
    method: CrossedMethod = "t",
    random_state: Any = None,
) -> CrossedInterval:
    r"""Estimate the interval of a mean over networks x subjects x images, each drawn on its own.

    Every network was compared with every subject on the same images. Values of one network, of one
    subject and of one image are therefore dependent, and neither of them alone is what a mean
    should be sure over. The interval says where the mean would be with other networks, other
    subjects and other images.

    Parameters
    ----------
    values : array-like of shape (n_1, ..., n_d)
        A value for every combination of levels, with one axis per factor: r of networks x subjects,
        or pseudo-values over networks x subjects x images (see Notes). NaN marks a combination
        without a value.
    minus : array-like of the shape of `values`, default=None
        Values to subtract, for a paired difference such as matched minus mismatched units.
    factors : sequence of str
        Name of the factor of each axis, one to four of them.
    clusters : dict of str to array-like, default=None
        Labels of the levels of a factor: families of networks, runs of images. Levels of one
        cluster are drawn together.
    n_resamples : int, default=1000
        Number of draws; not used for "t".
    confidence_level : float, default=0.95
        Confidence level of the interval.
    method : {"t", "percentile", "basic"}, default="t"
        How the interval is made. "t" is Student's interval with the standard error from the
        analysis of variance. "percentile" and "basic" draw the levels of every factor with
        replacement, independently of the other factors [2]_.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible.

    Returns
    -------
    CrossedInterval
        Of the mean, in the units of `values`, with the standard error of each factor.

    Raises
    ------
    TypeError
        If `clusters` is no dict.
    ValueError
        If there is a factor of one level or cluster, no value at all, or shapes and names do not
        fit.

    See Also
    --------
    bootstrap_mean : The mean over one factor.
    equivalence_test : Whether such a mean is within a margin of 0.

    Notes
    -----
    For factors with mean squares :math:`\text{MS}_S` of main effects and interactions S, the
    variance of the mean over all N cells is estimated without bias by [1]_

    .. math::
        V = \sum_S (-1)^{|S| + 1} \, \text{MS}_S / N,

    and by at least the largest :math:`V_k = \text{MS}_k / N` of a single factor. Student's t has
    Satterthwaite's degrees of freedom, :math:`V^2 / \sum_k (V_k^2 / (n_k - 1))`, at least those of
    the smallest factor. Clusters of unequal size, and missing combinations, enter by the linear
    approximation of the ratio of sums: a cluster with the share w of all cells adds
    :math:`w^2 / (1 - w)` times its squared deviation to :math:`V_k`, and the degrees of freedom are
    fewer, as in :func:`bootstrap_alignment`.

    r and theta are not means over images. Their pseudo-values are, up to terms of the order 1 / n:
    give ``bootstrap_alignment(...).r.pseudovalues()`` of every network and subject, or those of
    ``bootstrap_alignment_difference``. Images are crossed with subjects if all saw the same ones.
    If every subject saw others, leave out the axis: the mean of a subject then varies with its
    images, too.

    Coverage at a nominal 0.95, in 1000 simulations with a standard error of 0.01: by "t" 0.94 for
    20 networks x 4 subjects and for 20 x 8, 0.95 for 6 families of 4 networks x 8 subjects, where
    it is 0.87 if families are ignored, and 0.94 for 6 families of 2 and 2 of 10 networks x 8
    subjects; by "percentile" 0.89, 0.92, 0.89 and 0.90. Matched minus mismatched units of 10
    networks x 4 subjects x 40 images, from pseudo-values: 0.96 in r and in observed theta by "t",
    and 0.67 in r if only images are drawn (``benchmarks/interval_coverage.py``).

    References
    ----------
    .. [1] J. Cornfield and J. W. Tukey (1956), "Average values of mean squares in factorials",
       Annals of Mathematical Statistics 27(4):907-949, :doi:`10.1214/aoms/1177728067`.
    .. [2] A. B. Owen (2007), "The pigeonhole bootstrap", Annals of Applied Statistics
       1(2):386-411, :doi:`10.1214/07-AOAS122`.

    Examples
    --------
    r of twelve networks, of four families, in four subjects: more networks would not help much.

    >>> import numpy as np
    >>> from skalign.inference import crossed_mean
    >>> rng = np.random.default_rng(0)
    >>> families = np.repeat(["a", "b", "c", "d"], 3)
    >>> r = 0.4 + 0.02 * rng.standard_normal((12, 1)) + 0.1 * rng.standard_normal((1, 4))
    >>> found = crossed_mean(
    ...     r + 0.01 * rng.standard_normal((12, 4)),
    ...     factors=("networks", "subjects"),
    ...     clusters={"networks": families},
    ... )
    >>> {name: float(round(error, 3)) for name, error in found.standard_errors.items()}
    {'networks': 0.006, 'subjects': 0.046}
    >>> bool(found.low < 0.4 < found.high)
    True
    """
    if method not in get_args(CrossedMethod):
        raise ValueError(f"method must be one of {get_args(CrossedMethod)}; got {method!r}.")
    rule = IntervalRule(n_resamples, confidence_level, method, random_state).check()
    table = _check_table(values, "values")
    if minus is not None:
        subtracted = _check_table(minus, "minus")
        if subtracted.shape != table.shape:
            raise ValueError(
                f"minus must have the shape of values, {table.shape}; got {subtracted.shape}."
            )
        table = table - subtracted
    names = _check_factors(factors, table.ndim)
    labels = _check_clusters(clusters or {}, names, table.shape)
    is_known = ~np.isnan(table)
    if not is_known.any():
        raise ValueError("values must have a value in some combination; got NaN in all of them.")
    n_left_out = int((~is_known).sum())
    for axis in range(table.ndim):  # levels without any value are not there to be drawn
        others = tuple(other for other in range(table.ndim) if other != axis)
        has_values = is_known.any(axis=others)
        table = table.compress(has_values, axis)
        is_known = is_known.compress(has_values, axis)
        labels[axis] = np.unique(labels[axis][has_values], return_inverse=True)[1]
    estimate = float(table[is_known].mean())
    deviations = _over_clusters(np.where(is_known, table - estimate, 0), labels)
    counts = _over_clusters(is_known.astype(np.float64), labels)
    for name, n_levels in zip(names, counts.shape, strict=True):
        if n_levels < 2:
            what = "clusters" if clusters and name in clusters else "levels"
            raise ValueError(
                f"values must have at least 2 {what} of {name!r} to draw from; got {n_levels}. "
                "Average over that axis, and say so."
            )
    squares = _mean_squares(deviations * deviations.size / is_known.sum())
    shares = [_along(counts, k) / is_known.sum() for k in range(len(names))]
    for k, share in enumerate(shares):  # of clusters of any size, as those of equal size
        squares[(k,)] = float(((_along(deviations, k) / is_known.sum()) ** 2 / (1 - share)).sum())
    single = {(k,): squares[(k,)] for k in range(len(names))}
    standard_errors = {names[k]: float(np.sqrt(square)) for (k,), square in single.items()}
    if method != "t":
        rule.warn_if_few(" or ".join(names), min(counts.shape), stacklevel=2)
        draws = estimate + _drawn_means(deviations, counts, rule)
        found = interval_of(rule, estimate, draws, n_left_out=n_left_out)
        return CrossedInterval(**vars(found), standard_errors=standard_errors)
    variance = sum((-1) ** (len(s) + 1) * square for s, square in squares.items())
    variance = max(variance, *single.values())
    freedom = [float(freedom_of_shares(share)) for share in shares]
    parts = sum(square**2 / n for square, n in zip(single.values(), freedom, strict=True))
    df = max(variance**2 / parts, min(freedom)) if parts > 0 else min(freedom)
    error = float(np.sqrt(variance))
    reach = -stdtrit(df, (1 - confidence_level) / 2) * error
    return CrossedInterval(
        estimate,
        estimate - reach,
        estimate + reach,
        error,
        0,
        n_left_out,
        min(counts.shape),
        float(confidence_level),
        "t",
        degrees_of_freedom=float(df),
        standard_errors=standard_errors,
    )


def _check_table(values: ArrayLike, name: str) -> Doubles:
    table: Doubles = check_array(
        np.asarray(values, dtype=np.float64),
        dtype=np.float64,
        ensure_2d=False,
        allow_nd=True,
        ensure_all_finite="allow-nan",
        input_name=name,
    )
    return table


def _check_factors(factors: Sequence[str], n_axes: int) -> tuple[str, ...]:
    names = tuple(factors) if not isinstance(factors, str) else (factors,)
    if len(names) != n_axes or len(set(names)) != n_axes or n_axes > 4:
        raise ValueError(
            f"factors must be 1 to 4 different names, one for each of the {n_axes} axes of values; "
            f"got {names}."
        )
    return names


def _check_clusters(
    clusters: Mapping[str, ArrayLike], names: tuple[str, ...], shape: tuple[int, ...]
) -> list[Array]:
    """Number of the cluster of every level, for each factor."""
    if not isinstance(clusters, Mapping):
        raise TypeError(
            "clusters must be a dict of labels by the names of their factors; got a "
            f"{type(clusters).__name__}."
        )
    unknown = [name for name in clusters if name not in names]
    if unknown:
        raise ValueError(f"clusters must be of the factors {list(names)}; got {unknown}.")
    return [
        np.unique(check_groups(clusters[name], n), return_inverse=True)[1]
        if name in clusters
        else np.arange(n)
        for name, n in zip(names, shape, strict=True)
    ]


def _over_clusters(table: Doubles, labels: list[Array]) -> Doubles:
    """Sums over the levels of every cluster, along all axes."""
    for axis, label in enumerate(labels):
        member = np.equal.outer(np.arange(label.max() + 1), label).astype(np.float64)
        table = np.moveaxis(np.tensordot(member, table, (1, axis)), 0, axis)
    return table


def _along(table: Doubles, axis: int) -> Doubles:
    """Sums over all axes but one."""
    return np.asarray(table.sum(axis=tuple(k for k in range(table.ndim) if k != axis)))


def _subsets(n_axes: int) -> Iterator[tuple[int, ...]]:
    for size in range(1, n_axes + 1):
        yield from combinations(range(n_axes), size)


def _mean_squares(table: Doubles) -> dict[tuple[int, ...], float]:
    """Mean squares of main effects and interactions over the number of cells, by their axes."""
    axes = set(range(table.ndim))
    found = {}
    for subset in _subsets(table.ndim):
        effect = table.mean(axis=tuple(axes - set(subset)), keepdims=True)
        for axis in subset:  # what is common to the levels of a factor is no interaction with it
            effect = effect - effect.mean(axis=axis, keepdims=True)
        freedom = np.prod([table.shape[axis] - 1 for axis in subset])
        found[subset] = float((effect**2).sum() / (effect.size * freedom))
    return found


def _drawn_means(deviations: Doubles, counts: Doubles, rule: IntervalRule) -> Doubles:
    """Means of the deviations in draws of the clusters of every factor."""
    width = max(1, _BATCH_NUMBERS // max(1, deviations[0].size))
    means = []
    for start in range(0, rule.n_resamples, width):
        n_draws = min(width, rule.n_resamples - start)
        sums = []
        drawn = [
            rule.random_state.multinomial(n, np.full(n, 1 / n), n_draws).astype(np.float64)
            for n in counts.shape
        ]
        for table in (deviations, counts):
            of_draws = np.tensordot(drawn[0], table, (1, 0))
            for weights in drawn[1:]:
                of_draws = np.einsum("bg,bg...->b...", weights, of_draws)
            sums.append(of_draws)
        with np.errstate(invalid="ignore"):
            means.append(sums[0] / sums[1])
    return np.concatenate(means)
