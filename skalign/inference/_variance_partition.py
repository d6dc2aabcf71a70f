"""What several groups of units explain of responses: each alone, only it, and together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.inference._comparison import check_test_targets
from skalign.inference._interval import (
    N_RESAMPLES,
    ConfidenceInterval,
    IntervalRule,
    Method,
)
from skalign.inference._partition_draws import intervals_of_parts
from skalign.inference._refits import RefittableModel, count_samples
from skalign.metrics import ImagesToDraw, NoiseCeiling, check_responses
from skalign.utils import Doubles, import_pandas

_MOST_GROUPS = 4

Subset = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class VariancePartition:
    """Explained variance of groups of units, their unions and their unique and shared parts.

    Returned by :func:`variance_partition`. Keys are ``"a"`` and ``"a + b"`` for fits to groups and
    unions of them; ``"only a"`` for what no other group explains, and ``"a & b"`` for what exactly
    these groups share.

    Parameters
    ----------
    means : dict of str to ConfidenceInterval
        Of the mean over targets, as a share of the mean noise ceiling where ceilings were given.
    targets : dict of str to ConfidenceInterval
        Of every target, as a share of its noise ceiling where ceilings were given.
    """

    means: dict[str, ConfidenceInterval]
    targets: dict[str, ConfidenceInterval]

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, and of every key ``<key>``, ``<key> low`` and ``<key> high``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        frame = next(iter(self.targets.values())).to_frame()[["target"]].copy()
        for key, interval in self.targets.items():
            frame[key] = interval.estimate
            frame[f"{key} low"], frame[f"{key} high"] = interval.low, interval.high
        return frame

    def summary_frame(self) -> Any:
        """One row per mean over targets, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``part``, the key; ``estimate``, ``low``, ``high``, ``standard_error`` and
            ``n_undefined``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        frame = pd.concat([mean.to_frame() for mean in self.means.values()], ignore_index=True)
        frame.insert(0, "part", np.array(list(self.means), dtype=object))
        return frame


def variance_partition(
    encoder: Any,
    units: Mapping[str, Any],
    y: ArrayLike,
    units_test: Mapping[str, Any],
    y_test: ArrayLike,
    *,
    ceiling: NoiseCeiling | None = None,
    sample_weight: ArrayLike | None = None,
    test_sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    test_groups: ArrayLike | None = None,
    fit_params: dict[str, Any] | None = None,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = 0.95,
    method: Method = "t",
    random_state: Any = None,
) -> VariancePartition:
    r"""Partition explained variance among groups of units, with paired intervals.

    Do mismatched units add anything to matched ones? The encoder is fitted to every union S of
    groups, and scored by the variance that it explains of held-out images,

    .. math::
        V(S) = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2},
        \qquad V(\emptyset) = 0.

    The part that exactly the groups in T share, of all groups G, is

    .. math::
        C(T) = -\sum_{A \subseteq T} (-1)^{|A|} \, V((G \setminus T) \cup A).

    For two groups, "only a" is V(a + b) - V(b), and "a & b" is V(a) + V(b) - V(a + b).

    Parameters
    ----------
    encoder : estimator
        Any regressor. A clone is fitted to each of the 2^k - 1 unions of k groups, and chooses
        anew in each if it cross-validates.
    units : dict of str to {array-like, sparse matrix} of shape (n_images, n_units)
        Features of the images to fit: two to four groups of units by their names.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    units_test : dict of str to {array-like, sparse matrix} of shape (n_test_images, n_units)
        Features of the images to score, under the same names.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    ceiling : NoiseCeiling, default=None
        Noise ceilings of the targets in the unit "variance". Values of a target are divided by its
        ceiling, and means over targets by the mean ceiling: a ratio of means. A target whose
        ceiling is 0 or NaN leaves both.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in fits.
    test_sample_weight : array-like of shape (n_test_images,), default=None
        Weights of the test images in V.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or subjects of the images to fit, which an encoder that cross-validates
        keeps together.
    test_groups : array-like of shape (n_test_images,), default=None
        Runs, sessions or blocks of the test images, of which whole ones are drawn.
    fit_params : dict, default=None
        Further arguments of ``encoder.fit``.
    n_resamples : int, default=1000
        Number of draws of a bootstrap interval.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    method : {"t", "percentile", "basic", "BCa"}, default="t"
        How the interval is made; see :func:`bootstrap_alignment`.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; an integer makes them reproducible.

    Returns
    -------
    VariancePartition
        ``means`` over targets and values of ``targets``, with intervals over test images. V is at
        most 1, high is good; parts lie between -1 and 1 for all but useless fits.

    Raises
    ------
    TypeError
        If `units` are no dicts of features, or `ceiling` is an array, which has no unit.
    ValueError
        If there are fewer than two or more than four groups, the names or shapes do not fit, or
        `ceiling` is in another unit or of another number of targets.

    Warns
    -----
    UserWarning
        If fewer than ten images or groups are drawn for a bootstrap interval.

    See Also
    --------
    bootstrap_alignment_difference : The difference of matched and mismatched units in r and theta.
    skalign.metrics.noise_ceiling : The ceilings, with ``unit="variance"``.

    Notes
    -----
    All fits share the draws of test images: intervals of parts are paired. They are conditional on
    the fits: they say nothing about other images to fit.

    A part can be negative. A union predicts worse than a group alone where the encoder overfits;
    shared variance is negative where groups suppress each other's noise. The parts of all T sum to
    V of all groups. An encoder that shrinks, as lasso does, explains less variance than the square
    of its r.

    Coverage at a nominal 0.95, in 1000 simulations with a standard error of 0.01 at most: over 100
    images 0.92 to 0.94 by "percentile" and 0.95 to 0.97 by "t"; over 8 groups of 20 dependent
    images 0.78 to 0.89 by "percentile" and 0.93 to 0.97 by "t"
    (``benchmarks/interval_coverage.py``).

    References
    ----------
    .. [1] R. G. Newton and D. J. Spurrell (1967), "A development of multiple regression for the
       analysis of routine data", Applied Statistics 16(1):51-64, :doi:`10.2307/2985237`.
    .. [2] M. D. Lescroart, D. E. Stansbury and J. L. Gallant (2015), "Fourier power, subjective
       distance, and object categories all provide plausible models of BOLD responses in
       scene-selective visual areas", Frontiers in Computational Neuroscience 9:135,
       :doi:`10.3389/fncom.2015.00135`.

    Examples
    --------
    Faces explain this voxel; a part of that is shared with scenes, which add nothing:

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skalign.inference import variance_partition
    >>> rng = np.random.default_rng(0)
    >>> faces = rng.standard_normal((1000, 3))
    >>> scenes = faces + rng.standard_normal((1000, 3))
    >>> y = faces.sum(axis=1) + rng.standard_normal(1000)
    >>> train, test = slice(500), slice(500, None)
    >>> found = variance_partition(
    ...     LinearRegression(),
    ...     {"faces": faces[train], "scenes": scenes[train]}, y[train],
    ...     {"faces": faces[test], "scenes": scenes[test]}, y[test], random_state=0,
    ... )
    >>> for part in ("faces", "scenes", "faces + scenes"):
    ...     print(part, round(found.means[part].estimate, 1))
    faces 0.7
    scenes 0.4
    faces + scenes 0.7
    >>> for part in ("only faces", "only scenes", "faces & scenes"):
    ...     print(part, abs(round(found.means[part].estimate, 1)))
    only faces 0.3
    only scenes 0.0
    faces & scenes 0.4
    """
    rule = IntervalRule(n_resamples, confidence_level, method, random_state).check()
    names = _check_units(units, units_test)
    target_names = check_test_targets(y, y_test)
    observed = check_responses(y_test, "y_test").astype(np.float64)
    most = _check_ceiling(ceiling, observed.shape[1])
    images = ImagesToDraw(len(observed), test_sample_weight, test_groups)
    if images.n_groups < 2:
        raise ValueError(
            f"y_test must have at least 2 images or groups to draw from; got {images.n_groups}."
        )
    drawn = "images" if test_groups is None else "groups"
    rule.warn_if_few(drawn, images.n_groups, stacklevel=2)
    subsets = _subsets(names)
    errors = []
    for subset in subsets:
        X, X_test = (_beside([given[name] for name in subset]) for given in (units, units_test))
        model = RefittableModel(encoder, count_samples(X), sample_weight, groups, fit_params)
        y_pred = check_responses(model.fit(X, y).predict(X_test), "y_pred")
        errors.append((observed - y_pred)[images.kept] ** 2)
    centered = observed[images.kept] - np.average(observed[images.kept], 0, images.weight)
    keys, mixing = _parts(names, subsets)
    found = intervals_of_parts(
        np.array(errors), centered, most, images, rule, keys, mixing, target_names=target_names
    )
    return VariancePartition(*found)


def _check_units(units: Any, units_test: Any) -> Subset:
    """Names of the groups, the same in both."""
    for given, name in ((units, "units"), (units_test, "units_test")):
        if not isinstance(given, Mapping):
            raise TypeError(
                f"{name} must be a dict of features by the names of their groups; got a "
                f"{type(given).__name__}."
            )
    names = tuple(units)
    if not 2 <= len(names) <= _MOST_GROUPS:
        raise ValueError(f"units must have 2 to {_MOST_GROUPS} groups; got {len(names)}.")
    if set(names) != set(units_test):
        raise ValueError(
            f"units_test must have the groups of units, {list(names)}; got {list(units_test)}."
        )
    return names


def _check_ceiling(ceiling: Any, n_targets: int) -> Doubles:
    """What can be explained of every target; NaN where nothing can."""
    if ceiling is None:
        return np.ones(n_targets)
    if not isinstance(ceiling, NoiseCeiling):
        raise TypeError(
            "ceiling must be a NoiseCeiling, which has a unit; got a "
            f"{type(ceiling).__name__}. Use noise_ceiling, or NoiseCeiling(values, unit)."
        )
    if ceiling.unit != "variance" or ceiling.values.size != n_targets:
        raise ValueError(
            f'ceiling must have a value in the unit "variance" for each of {n_targets} targets; '
            f'got {ceiling.values.size} in "{ceiling.unit}". ceiling.to_unit("variance") converts '
            "it."
        )
    return np.where(ceiling.values > 0, ceiling.values, np.nan)


def _subsets(names: Subset) -> list[Subset]:
    """Nonempty subsets, small ones first."""
    return [subset for size in range(1, len(names) + 1) for subset in combinations(names, size)]


def _beside(features: list[Any]) -> Any:
    if any(sparse.issparse(one) for one in features):
        return sparse.hstack(features, format="csr")
    return np.hstack([check_responses(one, "units") for one in features])


def _parts(names: Subset, subsets: list[Subset]) -> tuple[list[str], Doubles]:
    """Keys of unions and parts, and how each is a sum of V over the subsets, a row per key."""
    place = {frozenset(subset): k for k, subset in enumerate(subsets)}
    rows = np.vstack([np.eye(len(subsets)), np.zeros((len(subsets), len(subsets)))])
    for row, part in zip(rows[len(subsets) :], subsets, strict=True):
        others = frozenset(names) - frozenset(part)
        for added in [(), *_subsets(part)]:
            union = others | frozenset(added)
            if union:
                row[place[union]] -= (-1) ** len(added)
    keys = [" + ".join(subset) for subset in subsets]
    keys += [" & ".join(part) if len(part) > 1 else f"only {part[0]}" for part in subsets]
    return keys, rows
