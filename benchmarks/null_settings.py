"""Data in which there is nothing to find, for ``calibration.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.stats import ortho_group
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV

N_UNITS, N_POOL, N_TARGETS, N_TRAIN, N_TEST = 24, 60, 4, 100, 60
N_RUNS, RUN = 8, 12  # of dependent images to fit; as many to score
AUTOREGRESSION = 0.8
RNG = np.random.Generator


class Setting(NamedTuple):
    """Data without an effect, and the null that is tested on them."""

    draw: Callable[[RNG], dict[str, Any]]
    options: dict[str, Any]
    encoder: BaseEstimator
    share: float = 1.0  # of the simulations, for those that take long or are beside the point
    # Rates above the level that the documentation states, by measure and test.
    documented: Mapping[tuple[str, str], float] = MappingProxyType({})


def lasso(alpha: float) -> BaseEstimator:
    """The usual encoder, which standardizes the features it is given."""
    return make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=alpha))


def halves(X: np.ndarray, Y: np.ndarray, **others: np.ndarray) -> dict[str, np.ndarray]:
    """Split into images to fit and to score; responses in units of their training spread."""
    Y = Y / Y[:N_TRAIN].std(axis=0)
    data = {"X": X[:N_TRAIN], "X_test": X[N_TRAIN:], "y": Y[:N_TRAIN], "y_test": Y[N_TRAIN:]}
    for name, part in others.items():
        data |= {name: part[:N_TRAIN], f"{name}_test": part[N_TRAIN:]}
    return data


def with_noise(rng: RNG, signal: np.ndarray, noise: float = 1.5) -> np.ndarray:
    """Targets of a signal of variance 1."""
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    return signal + noise * rng.standard_normal(signal.shape)


def units(rng: RNG, n_units: int, *, rectified: bool) -> np.ndarray:
    """Units that share three directions, with different means and spreads."""
    n_images = N_TRAIN + N_TEST
    shared = rng.standard_normal((n_images, 3)) @ rng.standard_normal((3, n_units))
    found = shared + 1.5 * rng.standard_normal((n_images, n_units))
    found = np.maximum(found, 0) if rectified else found + rng.standard_normal(n_units)
    return found * np.geomspace(0.3, 3, n_units)


def random_units(rng: RNG, *, rectified: bool) -> dict[str, np.ndarray]:
    """Units that are a random draw from a pool, which has all that drives the targets."""
    pool = units(rng, N_POOL, rectified=rectified)
    weights = rng.exponential(size=(N_POOL, N_TARGETS)) ** 2
    Y = with_noise(rng, (pool / pool.std(axis=0)) @ weights)
    return halves(pool[:, rng.permutation(N_POOL)[:N_UNITS]], Y, pool=pool)


def random_axes(rng: RNG, *, rectified: bool) -> dict[str, np.ndarray]:
    """Features on random axes; targets are driven by what they were before.

    The variances of the features before are a power law, as those of network layers are, or those
    of rectified units.
    """
    if rectified:
        source = units(rng, N_UNITS, rectified=True)
        weights = rng.exponential(size=(N_UNITS, N_TARGETS)) ** 2
    else:
        source = rng.standard_normal((N_TRAIN + N_TEST, N_UNITS)) / np.arange(1, 1 + N_UNITS)
        weights = rng.standard_normal((N_UNITS, N_TARGETS))
    mean = source.mean(axis=0)
    rotation = ortho_group.rvs(N_UNITS, random_state=rng.integers(2**31))
    return halves(mean + (source - mean) @ rotation, with_noise(rng, source @ weights, 0.7))


def standardized_before(rng: RNG) -> dict[str, np.ndarray]:
    """Features on random axes that the user standardized before the call."""
    data = random_axes(rng, rectified=False)
    scaler = StandardScaler().fit(data["X"])
    return data | {name: scaler.transform(data[name]) for name in ("X", "X_test")}


def rectified_without_axes(rng: RNG) -> dict[str, np.ndarray]:
    """Units and targets that rectify random mixtures of the same latent variables."""
    latent = rng.standard_normal((N_TRAIN + N_TEST, N_UNITS))
    rotation = ortho_group.rvs(N_UNITS, random_state=rng.integers(2**31))
    signal = np.maximum(latent @ rng.standard_normal((N_UNITS, N_TARGETS)), 0)
    return halves(np.maximum(latent @ rotation, 0), with_noise(rng, signal, 0.7))


def independent_images(rng: RNG) -> dict[str, np.ndarray]:
    """Responses that are noise, of images in random order."""
    X = units(rng, N_UNITS, rectified=True)
    return halves(X, rng.standard_normal((len(X), N_TARGETS)))


def dependent_noise(rng: RNG, n_runs: int, n_images: int, n_columns: int) -> np.ndarray:
    """Stationary autoregressive noise within runs, (n_runs, n_images, n_columns)."""
    steps = rng.standard_normal((n_runs, n_images, n_columns))
    steps[:, 0] /= np.sqrt(1 - AUTOREGRESSION**2)
    return lfilter([1], [1, -AUTOREGRESSION], steps, axis=1)


def other_runs_scored(rng: RNG, n_runs: int = N_RUNS, drift: float = 0) -> dict[str, np.ndarray]:
    """Dependent images; a drift from the start of every run has one size for each column."""
    X, Y = (dependent_noise(rng, 2 * n_runs, RUN, n) for n in (N_UNITS, N_TARGETS))
    for part in (X, Y):
        time_course = drift * np.exp(-np.arange(RUN) / 3)
        part += time_course[:, np.newaxis] * rng.standard_normal(part.shape[-1])
    X, Y = X.reshape(-1, N_UNITS), Y.reshape(-1, N_TARGETS)
    n_train = n_runs * RUN
    return {
        "X": X[:n_train],
        "y": Y[:n_train],
        "X_test": X[n_train:],
        "y_test": Y[n_train:],
        "groups": np.repeat(np.arange(n_runs), RUN),
    }


def same_runs_scored(rng: RNG) -> dict[str, np.ndarray]:
    """Dependent images, of which every other block of ten is scored."""
    X, Y = (dependent_noise(rng, N_RUNS, 40, n) for n in (N_UNITS, N_TARGETS))
    is_scored = np.arange(40) // 10 % 2 == 1
    return {
        "X": X[:, ~is_scored].reshape(-1, N_UNITS),
        "y": Y[:, ~is_scored].reshape(-1, N_TARGETS),
        "X_test": X[:, is_scored].reshape(-1, N_UNITS),
        "y_test": Y[:, is_scored].reshape(-1, N_TARGETS),
        "groups": np.repeat(np.arange(N_RUNS), 20),
    }


def without_groups(draw: Callable[[RNG], dict[str, np.ndarray]], rng: RNG) -> dict[str, np.ndarray]:
    """The same data, as if the runs were not known."""
    return {name: part for name, part in draw(rng).items() if name != "groups"}


OBSERVED = {"target": "observed", "center": True}
IMAGES, SHIFTS = {"null": "images"}, {"null": "images", "scheme": "shift"}
ROTATION = {"null": "rotation", **OBSERVED}
CHOOSING = make_pipeline(StandardScaler(), SparsePositiveEncoderCV(alphas=5, cv=3))
# Tests whose rates the documentation of alignment_null states: 1600 to 8000 simulations.
SINGLE, FEW, MANY = (
    "single targets",
    "targets with few active units",
    "targets with many active units",
)
ANY, FDR, REGION = "any target, family-wise", "any target, FDR", "mean of the region"
STANDARDIZED_BEFORE = {
    ("r", SINGLE): 0.07,
    ("r", ANY): 0.06,
    ("r", REGION): 0.11,
    ("theta", SINGLE): 0.12,
    ("theta", FEW): 0.09,
    ("theta", MANY): 0.14,
    ("theta", ANY): 0.13,
    ("theta", REGION): 0.20,
}
RECTIFIED = {
    ("r", SINGLE): 0.09,
    ("r", ANY): 0.10,
    ("r", REGION): 0.14,
    ("theta", SINGLE): 0.06,
    ("theta", MANY): 0.07,
    ("theta", ANY): 0.06,
    ("theta", REGION): 0.07,
}
DRIFT_SHIFTED = {("r", SINGLE): 0.22, ("r", ANY): 0.37, ("r", FDR): 0.11, ("r", REGION): 0.38}
DRIFT_SINGLE = {("r", SINGLE): 0.13, ("r", ANY): 0.20, ("r", REGION): 0.27}
SAME_RUNS = {("r", SINGLE): 0.17, ("r", ANY): 0.22, ("r", REGION): 0.40}
SETTINGS = {
    "units of a pool, standardized": Setting(
        partial(random_units, rectified=False), {"null": "units", **OBSERVED}, lasso(0.1)
    ),
    "units of a pool, rectified": Setting(
        partial(random_units, rectified=True), {"null": "units"}, lasso(0.1)
    ),
    "random axes, few active units": Setting(
        partial(random_axes, rectified=False), ROTATION, lasso(0.2)
    ),
    "random axes, many active units": Setting(
        partial(random_axes, rectified=False), {"null": "rotation"}, lasso(0.01)
    ),
    "random axes of rectified units": Setting(
        partial(random_axes, rectified=True), ROTATION, lasso(0.1)
    ),
    "random axes, not standardized": Setting(
        partial(random_axes, rectified=False),
        ROTATION,
        SparsePositiveEncoder("elasticnet", 0.02),
        documented={("theta", MANY): 0.06},
    ),
    "random axes, alpha chosen anew": Setting(
        partial(random_axes, rectified=False), ROTATION, CHOOSING, share=0.2
    ),
    "random axes, alpha kept": Setting(
        partial(random_axes, rectified=False),
        {**ROTATION, "keep_alpha": True},
        CHOOSING,
        documented={("r", REGION): 0.06},
    ),
    "random axes, standardized before": Setting(
        standardized_before,
        ROTATION,
        SparsePositiveEncoder(alpha=0.1),
        share=0.4,
        documented=STANDARDIZED_BEFORE,
    ),
    "rectified units without axes": Setting(
        rectified_without_axes,
        {"null": "rotation"},
        lasso(0.1),
        share=0.4,
        documented=RECTIFIED,
    ),
    "independent images": Setting(independent_images, IMAGES, lasso(0.03)),
    f"AR(1), {N_RUNS} whole runs": Setting(other_runs_scored, IMAGES, lasso(0.03)),
    "AR(1), 4 whole runs": Setting(partial(other_runs_scored, n_runs=4), IMAGES, lasso(0.03)),
    f"AR(1), shifts in {N_RUNS} runs": Setting(
        other_runs_scored, SHIFTS, lasso(0.03), documented={("r", SINGLE): 0.06, ("r", ANY): 0.06}
    ),
    "AR(1) and drift, whole runs": Setting(
        partial(other_runs_scored, drift=2), IMAGES, lasso(0.03)
    ),
    "AR(1) and drift, shifts": Setting(
        partial(other_runs_scored, drift=2),
        SHIFTS,
        lasso(0.03),
        share=0.4,
        documented=DRIFT_SHIFTED,
    ),
    "AR(1) and drift, single images": Setting(
        partial(without_groups, partial(other_runs_scored, drift=2)),
        IMAGES,
        lasso(0.03),
        share=0.4,
        documented=DRIFT_SINGLE,
    ),
    "AR(1), the same runs scored": Setting(
        same_runs_scored, IMAGES, lasso(0.03), share=0.4, documented=SAME_RUNS
    ),
}
