"""Coverage of intervals over other images to fit, beside those given the fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from coverage_row import Coverage, summarize
from sklearn.base import clone

from skalign import SparsePositiveEncoder
from skalign.inference import refit_intervals
from skalign.metrics import alignment

N_UNITS, N_TARGETS, N_REPEATS, N_TRUTH = 20, 4, 3, 5000
N_PER_PROBLEM = 10  # simulations with the same true weights
RNG = np.random.Generator
ENCODER = SparsePositiveEncoder(alpha=0.1)


def responses(rng: RNG, weights: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and trials of the responses to them."""
    X = rng.standard_normal((n, N_UNITS))
    noise = 2 * rng.standard_normal((n, N_REPEATS, N_TARGETS))
    return X, (X @ weights)[:, np.newaxis] + noise


def truth_of(rng: RNG, weights: np.ndarray, n_images: int) -> dict[str, float]:
    """What the encoder, fitted to so many images, has on average on all images."""
    X, trials = responses(rng, weights, N_TRUTH)
    found = []
    for _ in range(100):
        X_train, y = responses(rng, weights, n_images)
        fit = clone(ENCODER).fit(X_train, y.mean(axis=1))
        found.append(alignment(fit, X, trials.mean(axis=1), center=True).summary())
    truth = {name: float(np.mean([one[name] for one in found])) for name in ("r", "theta")}
    variance = (weights**2).sum(axis=0)
    ceiling = np.sqrt(variance / (variance + 4 / N_REPEATS))
    return truth | {"r_normalized": truth["r"] / float(ceiling.mean())}


def of_refits(
    n_images: int, n_test_images: int, n_simulations: int, n_resamples: int, seed: int
) -> Iterator[Coverage]:
    """What a positive lasso, fitted to other images, has on average on all test images."""
    rng = np.random.default_rng(seed)
    covered: dict[tuple[str, str], list[bool]] = {}
    for simulation in range(max(1, n_simulations // 2)):  # each has many fits
        if simulation % N_PER_PROBLEM == 0:
            is_driving = rng.random((N_UNITS, N_TARGETS)) < 0.3
            weights = rng.exponential(size=(N_UNITS, N_TARGETS)) * is_driving
            truth = truth_of(rng, weights, n_images)
        X, y = responses(rng, weights, n_images)
        X_test, trials = responses(rng, weights, n_test_images)
        intervals = refit_intervals(
            ENCODER,
            X,
            y.mean(axis=1),
            X_test,
            trials.mean(axis=1),
            trials_test=trials,
            center=True,
            n_resamples=min(n_resamples, 25),  # each is a fit
            random_state=int(rng.integers(2**31)),
        )
        for measure, true in truth.items():
            for over in ("test", "both"):
                interval = intervals.means[measure][over]
                of_measure = covered.setdefault((f"refit_intervals, {over}", measure), [])
                of_measure.append(bool(interval.low <= true <= interval.high))
    for (interval, measure), values in covered.items():
        yield summarize(
            f"{n_images} images to fit, {n_test_images} to score", interval, measure, values
        )
