"""Coverage of the parts of explained variance of two groups of units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from coverage_row import Coverage, summarize
from sklearn.linear_model import LinearRegression

from skalign.inference import variance_partition

N_UNITS, N_TARGETS, N_TRUTH = 3, 2, 200_000
SHARED = 0.5  # variance that the images of a group have in common


def of_parts(
    n_groups: int, group_size: int, n_simulations: int, n_resamples: int, seed: int
) -> Iterator[Coverage]:
    """Intervals of means and of the first target, given fits to fifty images."""
    rng = np.random.default_rng(seed)
    training = _draw(rng, 50, 1)
    groups = np.repeat(np.arange(n_groups), group_size) if group_size > 1 else None

    def parts(test, **options):
        return variance_partition(LinearRegression(), *training, *test, **options)

    endless = parts(_draw(rng, N_TRUTH, 1), n_resamples=2)  # dependence changes no expectation
    covered: dict[tuple[str, str], list[bool]] = {}
    for _ in range(n_simulations):
        test = _draw(rng, n_groups, group_size)
        for method in ("percentile", "t"):
            found = parts(
                test,
                test_groups=groups,
                method=method,
                n_resamples=n_resamples,
                random_state=int(rng.integers(2**31)),
            )
            for part in ("matched", "only matched", "only mismatched", "matched & mismatched"):
                mean, one = found.means[part], found.targets[part]
                for measure, low, high, truth in (
                    (part, mean.low, mean.high, endless.means[part].estimate),
                    (f"{part}, target", one.low[0], one.high[0], endless.targets[part].estimate[0]),
                ):
                    of_part = covered.setdefault((f"variance_partition, {method}", measure), [])
                    of_part.append(bool(low <= truth <= high))
    setting = f"parts of variance, {n_groups} " + (
        "images" if groups is None else f"groups of {group_size}"
    )
    for (interval, measure), values in covered.items():
        yield summarize(setting, interval, measure, values)


def _draw(
    rng: np.random.Generator, n_groups: int, group_size: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Units of both kinds, which share a half of their variance, and targets that need both."""

    def noise(n_columns: int) -> np.ndarray:
        common = np.repeat(rng.standard_normal((n_groups, n_columns)), group_size, axis=0)
        own = rng.standard_normal((n_groups * group_size, n_columns))
        share = SHARED if group_size > 1 else 0.0
        return np.sqrt(share) * common + np.sqrt(1 - share) * own

    both = noise(N_UNITS)
    matched, mismatched = ((both + noise(N_UNITS)) / np.sqrt(2) for _ in range(2))
    y = matched @ np.ones((N_UNITS, N_TARGETS)) + 0.3 * mismatched[:, :N_TARGETS]
    return {"matched": matched, "mismatched": mismatched}, y + 2 * noise(N_TARGETS)
