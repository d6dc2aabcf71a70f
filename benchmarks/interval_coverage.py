"""Coverage of the intervals of skalign.inference at 0.95, on data whose truth is known.

``coverage_rows`` is a section of ``calibration.py``; run alone, this file prints it::

    python benchmarks/interval_coverage.py      # 1000 simulations of every setting: 15 minutes
    python benchmarks/interval_coverage.py 200  # fewer
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from coverage_row import LEVEL, Coverage, summarize
from crossed_settings import name_of_families, of_crossed_alignments, of_crossed_effects
from partition_settings import of_parts
from refit_settings import of_refits
from sklearn.linear_model import LinearRegression

from skalign.inference import (
    bootstrap_alignment,
    bootstrap_alignment_difference,
    bootstrap_mean,
    equivalence_test,
    sign_flip_test,
)
from skalign.metrics import alignment

METHODS = ("percentile", "BCa", "t")
N_UNITS, N_TARGETS, N_TRUTH = 10, 4, 200_000
WIDE = 10.0  # a margin of so many standard deviations that only one of two tests matters
SHARED = 0.5  # variance that the images of a group have in common
RNG = np.random.Generator


class Images(NamedTuple):
    """A way to draw images: the sizes of their groups, and what units answer."""

    sizes: tuple[int, ...]
    rectified: bool

    @property
    def name(self) -> str:
        units = "rectified" if self.rectified else "standardized"
        counts = Counter(self.sizes)
        if set(counts) == {1}:
            return f"{len(self.sizes)} images, {units}"
        groups = " + ".join(f"{n} of {size}" for size, n in counts.items())
        if len(counts) == 1:
            groups = groups.replace(" of ", " groups of ")
        return f"{groups} dependent images, {units}"

    def draw(self, rng: RNG, times: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Responses of units and of targets, to so many times the groups."""
        labels = np.repeat(np.arange(times * len(self.sizes)), self.sizes * times)
        share = SHARED if max(self.sizes) > 1 else 0.0

        def noise(n_columns: int) -> np.ndarray:
            of_group = rng.standard_normal((labels[-1] + 1, n_columns))[labels]
            own = rng.standard_normal((labels.size, n_columns))
            return np.sqrt(share) * of_group + np.sqrt(1 - share) * own

        features = np.sqrt(0.8) * noise(N_UNITS) + np.sqrt(0.2) * noise(1)
        if self.rectified:
            features = np.maximum(features, 0)
        return features, features @ WEIGHTS.T + NOISE * noise(N_TARGETS)

    def groups(self) -> np.ndarray | None:
        if max(self.sizes) == 1:
            return None
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


# A fitted map that is not the true one: it misses units and has one too many.
WEIGHTS = np.array(
    [
        [3, 2, 1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 2, 1, 1, 1, 0],
        [1, 0, 0, 0, 0, 0, 0, 0, 2, 4],
    ],
    dtype=float,
)
FITTED = WEIGHTS + np.roll(WEIGHTS, 3, axis=1) / 2
LESSER = np.roll(WEIGHTS, 1, axis=1) + 0.3
NOISE = 4.0


def fixed(weights: np.ndarray) -> LinearRegression:
    """A fitted model of these weights."""
    model = LinearRegression()
    model.coef_, model.intercept_ = weights, np.zeros(len(weights))
    return model


def truths(images: Images, rng: RNG) -> dict[str, dict[str, float]]:
    """Means of both maps, and their difference, and the first target, over very many images."""
    features, targets = images.draw(rng, N_TRUTH // sum(images.sizes))
    fitted, lesser = (alignment(fixed(weights), features, targets) for weights in (FITTED, LESSER))
    means, lesser_means = fitted.summary(), lesser.summary()
    first = {"target_r": float(fitted.r[0]), "target_theta": float(fitted.theta[0])}
    return {
        "one": {"r": means["r"], "theta": means["theta"], **first},
        "difference": {name: means[name] - lesser_means[name] for name in ("r", "theta")},
    }


def of_images(
    images: Images, n_simulations: int, n_resamples: int, seed: int
) -> Iterator[Coverage]:
    """Intervals over images or groups: of one model, and of the difference of two."""
    rng = np.random.default_rng(seed)
    true = truths(images, rng)
    groups = images.groups()
    covered: dict[tuple[str, str, str], list[bool]] = {}
    for simulation in range(n_simulations):
        features, targets = images.draw(rng)
        sides = {"fitted": (fixed(FITTED), features), "lesser": (fixed(LESSER), features)}
        for method in METHODS:
            options = {
                "method": method,
                "groups": groups,
                "n_resamples": n_resamples,
                "random_state": int(rng.integers(2**31)),
            }
            found = {"one": bootstrap_alignment(*sides["fitted"], targets, **options)}
            if simulation % 2:  # costs twice as much
                found["difference"] = bootstrap_alignment_difference(sides, targets, **options)
            for what, intervals in found.items():
                for measure, truth in true[what].items():
                    interval = getattr(intervals, measure)
                    low, high = np.ravel(interval.low)[0], np.ravel(interval.high)[0]
                    of_interval = covered.setdefault((what, method, measure), [])
                    of_interval.append(bool(low <= truth <= high))
                    if what == "difference":  # as large as the margin is not within it
                        shown = equivalence_test(interval, abs(truth)).is_equivalent
                        of_test = covered.setdefault(("size", method, measure), [])
                        of_test.append(not shown)
    functions = {
        "one": "bootstrap_alignment",
        "difference": "bootstrap_alignment_difference",
        "size": "equivalence_test, 1 - size",
    }
    for (what, method, measure), values in covered.items():
        yield summarize(images.name, f"{functions[what]}, {method}", measure, values)


def of_subjects(
    n_subjects: int, distribution: str, n_simulations: int, n_resamples: int, seed: int
) -> Iterator[Coverage]:
    """Intervals of a mean over subjects, and the size of the test by sign flips."""
    rng = np.random.default_rng(seed)
    covered: dict[str, list[bool]] = {}
    accepted = []
    for _ in range(n_simulations):
        if distribution == "normal":
            subjects = rng.standard_normal(n_subjects)
        else:
            subjects = rng.exponential(size=n_subjects) - 1  # of mean 0
        values = [[subject] for subject in subjects]
        for method in METHODS:
            found = bootstrap_mean(
                values,
                over="subjects",
                method=method,
                n_resamples=n_resamples,
                random_state=int(rng.integers(2**31)),
            )
            covered.setdefault(f"bootstrap_mean, {method}", []).append(
                bool(found.low <= 0 <= found.high)
            )
            at_margin = replace(found, estimate=found.estimate + WIDE)
            covered.setdefault(f"equivalence_test, 1 - size, {method}", []).append(
                not equivalence_test(at_margin, WIDE).is_equivalent
            )
        flips = sign_flip_test(values)
        accepted.append(flips.p_value > 1 - LEVEL)
        covered.setdefault("sign_flip_test", []).append(bool(flips.low <= 0 <= flips.high))
    setting = f"{n_subjects} subjects, {distribution}"
    for interval, values in covered.items():
        yield summarize(setting, interval, "mean", values)
    yield summarize(setting, "sign_flip_test, 1 - size", "p-value", accepted)


SETTINGS: dict[str, Callable[[int, int, int], Iterator[Coverage]]] = {
    images.name: partial(of_images, images)
    for images in (
        Images((1,) * 100, rectified=False),
        Images((1,) * 100, rectified=True),
        Images((20,) * 4, rectified=False),
        Images((20,) * 8, rectified=False),
        Images((20,) * 8, rectified=True),
        Images((10,) * 20, rectified=False),
        Images((10,) * 6 + (90,) * 2, rectified=False),
        Images((5,) * 7 + (205,), rectified=False),
    )
} | {
    f"{n_subjects} subjects, {distribution}": partial(of_subjects, n_subjects, distribution)
    for n_subjects in (4, 8, 12, 30)
    for distribution in ("normal", "exponential")
}
SETTINGS |= {
    "parts of variance, 100 images": partial(of_parts, 100, 1),
    "parts of variance, 8 groups of 20": partial(of_parts, 8, 20),
    "refits to 60 images": partial(of_refits, 60, 60),
    "networks x subjects x images": partial(of_crossed_alignments, 10, 4, 40),
} | {
    name_of_families(sizes, n_subjects): partial(of_crossed_effects, sizes, n_subjects)
    for sizes, n_subjects in (
        ((1,) * 20, 4),
        ((1,) * 20, 8),
        ((4,) * 6, 8),
        ((2,) * 6 + (10,) * 2, 8),
    )
}


def coverage_rows(
    n_simulations: int = 1000,
    *,
    n_resamples: int = 500,
    settings: list[str] | None = None,
    seed: int = 0,
) -> Iterator[Coverage]:
    """Coverage of every interval in every setting.

    Parameters
    ----------
    n_simulations : int, default=1000
        Data sets per setting.
    n_resamples : int, default=500
        Draws per interval.
    settings : list of str, default=None
        Some of the names of ``SETTINGS``; all by default.
    seed : int, default=0
        Each setting adds its place to it.

    Yields
    ------
    Coverage
        As soon as a setting is done.
    """
    for place, (name, simulate) in enumerate(SETTINGS.items()):
        if settings is None or name in settings:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "A .* interval should have at least", UserWarning)
                warnings.filterwarnings("ignore", "The BCa", RuntimeWarning)
                yield from simulate(n_simulations, n_resamples, seed + place)


def main() -> None:
    """Print the table."""
    n_simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"Coverage at {LEVEL}, {n_simulations} simulations; * below {LEVEL} - 2 standard errors")
    for row in coverage_rows(n_simulations):
        low = "*" if row.coverage < LEVEL - 2 * row.standard_error else " "
        print(
            f"{row.coverage:.3f} +- {row.standard_error:.3f}{low} {row.measure:13}{row.interval:45}"
            f"{row.setting}",
            flush=True,
        )


if __name__ == "__main__":
    main()
