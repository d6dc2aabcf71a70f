"""Systems that predict each other: both directions, and each from all the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from skalign.inference._bootstrap_alignment import bootstrap_alignment
from skalign.inference._comparison import check_test_weight
from skalign.inference._mutual_result import MutualAlignment
from skalign.inference._refits import RefittableModel
from skalign.metrics import (
    NoiseCeiling,
    UnitMatching,
    alignment,
    check_responses,
    check_target_names,
    normalize_scores,
)
from skalign.utils import (
    Array,
    Doubles,
    check_flag,
    check_sample_weight,
    target_names,
)

Features = Literal["each", "others"]
_CONSTANT = 1e-12  # spread of a unit that does not vary, as a share of its size


def mutual_alignment(
    encoder: Any,
    systems: Mapping[str, ArrayLike],
    systems_test: Mapping[str, ArrayLike],
    *,
    features: Features = "each",
    ceilings: Mapping[str, NoiseCeiling] | None = None,
    matching: Callable[..., UnitMatching] | None = None,
    standardize: bool = True,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    test_sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    test_groups: ArrayLike | None = None,
    confidence_level: float | None = None,
    fit_params: dict[str, Any] | None = None,
) -> MutualAlignment:
    """Predict systems from each other, with one encoder and the same images.

    Two systems, such as a network and a brain region, in both directions: an asymmetry says that
    one has dimensions which the other lacks. Or several subjects, each from all the others: how
    well a brain aligns to brains under the constraint of the encoder is what a network is read
    against.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside, alone or within pipelines, target transformers and searches. A
        clone is fitted for every map.
    systems : dict of str to array-like of shape (n_images, n_units)
        Responses of at least two systems to the images to fit, by name: units of networks, or
        voxels of subjects.
    systems_test : dict of str to array-like of shape (n_test_images, n_units)
        Their responses to the images to score.
    features : {"each", "others"}, default="each"
        What predicts a system: each other system on its own, or the units of all others together
        (leave one subject out).
    ceilings : dict of str to NoiseCeiling, default=None
        Noise ceilings in r of the units of systems, over the scored images. The r of a unit is
        divided by its ceiling, and the mean r of a system by the mean ceiling. A system without a
        ceiling, such as a network, has none of its own to divide by.
    matching : callable, default=None
        A matching to report beside r and theta, such as
        :func:`~skalign.metrics.soft_matching`. It is chosen on `systems`, scored on `systems_test`,
        and gets the ceilings.
    standardize : bool, default=True
        Whether every unit is standardized by the images to fit, as a feature and as a target, so
        that penalties mean the same in all maps.
    center : bool, default=False
        Whether theta centers features and targets over images. Only then the observed theta can be
        corrected by ceilings.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in fits and in the standardization.
    test_sample_weight : array-like of shape (n_test_images,), default=None
        Weights of the test images in r and theta. Matches do not take weights.
    groups : array-like of shape (n_images,), default=None
        Runs or sessions of the images to fit, which an encoder that cross-validates keeps together.
    test_groups : array-like of shape (n_test_images,), default=None
        Runs or sessions of the test images, each left out as a whole for the intervals.
    confidence_level : float, default=None
        Confidence level of intervals over test images, given the fits, as by
        :func:`bootstrap_alignment`. None computes none.
    fit_params : dict, default=None
        Further arguments of ``encoder.fit``.

    Returns
    -------
    MutualAlignment
        Alignments of the maps, and tables of them; with `confidence_level`, intervals of each map
        and of the asymmetry of two systems.

    Raises
    ------
    TypeError
        If `systems` are no dicts, the encoder has no linear weights, or a ceiling is an array.
    ValueError
        If there are fewer than two systems; names, images or units do not fit; or a ceiling is in
        another unit than r.

    See Also
    --------
    skalign.metrics.soft_matching : A symmetric comparison of the units of two systems.
    skalign.metrics.noise_ceiling : The ceilings of repeated measurements.
    skalign.inspection.EncoderComparisonDisplay : Draws subjects predicted by subjects as a band.

    Notes
    -----
    Ceilings correct for the noise of targets only. Noise of features lowers predictions and is not
    corrected: voxels of another subject are noisy, units of a network are not. A map between
    subjects is therefore a lower bound on how well brains align, and an asymmetry of a network and
    a brain has a part in it that is due to noise. Simulate that part where it matters.

    A system of more units predicts better, and the others together have more than each.

    Examples
    --------
    The network has four dimensions, of which the voxels of both subjects see two. It predicts them,
    but they predict half of the network only:

    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import mutual_alignment
    >>> rng = np.random.default_rng(0)
    >>> network = rng.standard_normal((600, 4))
    >>> subjects = {
    ...     name: network[:, :2] + 0.5 * rng.standard_normal((600, 2)) for name in ("s1", "s2")
    ... }
    >>> systems = {"network": network, **subjects}
    >>> training = {name: responses[:300] for name, responses in systems.items()}
    >>> test = {name: responses[300:] for name, responses in systems.items()}
    >>> found = mutual_alignment(SparsePositiveEncoder(alpha=0.1), training, test)
    >>> for pair in [("network", "s1"), ("s1", "network"), ("s2", "s1")]:
    ...     print(pair, round(found[pair].summary()["r"], 1))
    ('network', 's1') 0.9
    ('s1', 'network') 0.4
    ('s2', 's1') 0.8

    The interval of an asymmetry, over test images:

    >>> found = mutual_alignment(
    ...     SparsePositiveEncoder(alpha=0.1), training, test, confidence_level=0.95
    ... )
    >>> asymmetry = found.asymmetry("network", "s1")
    >>> print(f"{asymmetry.estimate:.1f}", asymmetry.low > 0)
    0.4 True
    """
    if features not in get_args(Features):
        raise ValueError(f'features must be "each" or "others"; got {features!r}.')
    check_flag(standardize, "standardize")
    fitted, scored, names = _check_systems(systems, systems_test)
    n_images, n_test_images = (len(next(iter(part.values()))) for part in (fitted, scored))
    weight = None
    if sample_weight is not None:
        weight = check_sample_weight(sample_weight, n_images)
    test_weight = check_test_weight(test_sample_weight, n_test_images)
    limits = _check_ceilings(ceilings or {}, fitted)
    if standardize:
        for name in fitted:
            fitted[name], scored[name] = _standardized(fitted[name], scored[name], weight)
    model = RefittableModel(encoder, n_images, weight, groups, fit_params)
    sides, matchings, intervals = {}, {}, {}
    for source, target in _pairs(tuple(fitted), features):
        of_source = [name for name in fitted if name != target]
        of_source = [source] if features == "each" else of_source
        X, X_test = (np.hstack([part[name] for name in of_source]) for part in (fitted, scored))
        fit = model.fit(X, fitted[target])
        found = alignment(fit, X_test, scored[target], center=center, sample_weight=test_weight)
        sides[source, target] = replace(found, target_names=names[target])
        if confidence_level is not None:
            intervals[source, target] = bootstrap_alignment(
                fit,
                X_test,
                scored[target],
                groups=test_groups,
                center=center,
                test_sample_weight=test_weight,
                confidence_level=confidence_level,
            )
        if matching is not None:
            matchings[source, target] = matching(
                X,
                fitted[target],
                X_test,
                scored[target],
                **_given_ceilings(limits, of_source, target, fitted),
            )
    return MutualAlignment(sides, matchings, limits, intervals)


def _pairs(names: tuple[str, ...], features: Features) -> list[tuple[str, str]]:
    if features == "others":
        return [("others", name) for name in names]
    return [(source, target) for target in names for source in names if source != target]


def _check_systems(
    systems: Any, systems_test: Any
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Checked responses of both sets of images, and names of the units where known."""
    checked: list[dict[str, Any]] = []
    for given, name in ((systems, "systems"), (systems_test, "systems_test")):
        if not isinstance(given, Mapping):
            raise TypeError(
                f"{name} must be a dict of responses by the names of their systems; got a "
                f"{type(given).__name__}."
            )
        checked.append({one: check_responses(given[one], name) for one in given})
        n_images = {one: len(responses) for one, responses in checked[-1].items()}
        if len(set(n_images.values())) > 1:
            raise ValueError(
                f"{name} must have the same images in all systems; got {n_images} of them."
            )
    fitted, scored = checked
    if len(fitted) < 2:
        raise ValueError(f"systems must be at least 2; got {len(fitted)}.")
    n_units = [{one: part[one].shape[1] for one in part} for part in checked]
    if n_units[0] != n_units[1]:
        raise ValueError(
            f"systems_test must have the systems and units of systems, {n_units[0]}; got "
            f"{n_units[1]}."
        )
    names = {
        one: check_target_names(
            systems_test[one],
            target_names(systems[one]),
            name=f"systems_test[{one!r}]",
            of=f"systems[{one!r}]",
        )
        for one in fitted
    }
    return fitted, scored, names


def _check_ceilings(
    ceilings: Mapping[str, NoiseCeiling], systems: dict[str, Any]
) -> dict[str, NoiseCeiling]:
    for name, ceiling in ceilings.items():
        if name not in systems:
            raise ValueError(f"ceilings must be of systems {list(systems)}; got {name!r}.")
        # Refuses arrays, other units and other numbers of targets.
        normalize_scores(np.zeros(systems[name].shape[1]), ceiling, unit="r")
    return dict(ceilings)


def _standardized(fitted: Array, scored: Array, weight: Doubles | None) -> tuple[Array, Array]:
    """Units of mean 0 and variance 1 over the images to fit."""
    mean = np.average(fitted, axis=0, weights=weight)
    spread = np.sqrt(np.average((fitted - mean) ** 2, axis=0, weights=weight))
    spread[spread <= _CONSTANT * np.abs(fitted).max(axis=0)] = 1
    dtype = fitted.dtype
    return ((fitted - mean) / spread).astype(dtype), ((scored - mean) / spread).astype(dtype)


def _given_ceilings(
    ceilings: dict[str, NoiseCeiling], sources: list[str], target: str, systems: dict[str, Any]
) -> dict[str, NoiseCeiling]:
    """Arguments of a matching: ceilings of both sides, 1 for a system that has none."""
    arguments = {}
    if any(name in ceilings for name in sources):
        values = [
            ceilings[name].values if name in ceilings else np.ones(systems[name].shape[1])
            for name in sources
        ]
        arguments["ceiling_x"] = NoiseCeiling(np.concatenate(values), "r")
    if target in ceilings:
        arguments["ceiling_y"] = ceilings[target]
    return arguments
