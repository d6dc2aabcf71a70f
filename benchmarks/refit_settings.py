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


def of_refits(
    n_images: int, n_test_images: int, n_simulations: int, n_resamples: int, seed: int
) -> Iterator[Coverage]:
    """What a positive lasso, fitted to other images, has on average on all test images."""
    rng = np.random.default_rng(seed)
    weights = rng.exponential(size=(N_UNITS, N_TARGETS)) * (rng.random((N_UNITS, N_TARGETS)) < 0.3)
    encoder = SparsePositiveEncoder(alpha=0.1)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        X = rng.standard_normal((n, N_UNITS))
        noise = 2 * rng.standard_normal((n, N_REPEATS, N_TARGETS))
        return X, (X @ weights)[:, np.newaxis] + noise

    X_truth, trials = draw(N_TRUTH)
    fits = [clone(encoder).fit(X, y.mean(axis=1)) for X, y in (draw(n_images) for _ in range(200))]
    found = [alignment(fit, X_truth, trials.mean(axis=1), center=True) for fit in fits]
    truth = {name: np.mean([one.summary()[name] for one in found]) for name in ("r", "theta")}
    variance = (weights**2).sum(axis=0)
    ceiling = np.sqrt(variance / (variance + 4 / N_REPEATS))
    truth["r_normalized"] = truth["r"] / ceiling.mean()
    covered: dict[tuple[str, str], list[bool]] = {}
    for _ in range(max(1, n_simulations // 2)):  # each has many fits
        (X, y), (X_test, trials) = draw(n_images), draw(n_test_images)
        intervals = refit_intervals(
            encoder,
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
