"""Coverage of means over networks, subjects and images, each crossed with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from coverage_row import Coverage, summarize
from sklearn.linear_model import LinearRegression

from skalign.inference import bootstrap_alignment_difference, crossed_mean

N_LATENT, N_POOL = 4, 300
EFFECTS = {"family": 0.05, "network": 0.05, "subject": 0.05, "interaction": 0.05}


def name_of_families(sizes: tuple[int, ...], n_subjects: int) -> str:
    """What a table of crossed effects is made of."""
    families = [f"{n} families of {size}" for size, n in Counter(sizes).items()]
    return f"{' and '.join(families)} x {n_subjects} subjects"


def of_crossed_effects(
    sizes: tuple[int, ...], n_subjects: int, n_simulations: int, n_resamples: int, seed: int
) -> Iterator[Coverage]:
    """Means of a table with effects of families, networks, subjects, and an interaction."""
    rng = np.random.default_rng(seed)
    n_families, n_networks = len(sizes), sum(sizes)
    families = np.repeat(np.arange(n_families), sizes)
    covered: dict[str, list[bool]] = {}
    for _ in range(n_simulations):
        table = EFFECTS["family"] * rng.standard_normal((n_families, 1))[families]
        table = table + EFFECTS["network"] * rng.standard_normal((n_networks, 1))
        table = table + EFFECTS["subject"] * rng.standard_normal((1, n_subjects))
        table += EFFECTS["interaction"] * rng.standard_normal(table.shape)
        for method in ("t", "percentile"):
            found = crossed_mean(
                table,
                factors=("networks", "subjects"),
                clusters={"networks": families},
                method=method,
                n_resamples=n_resamples,
                random_state=int(rng.integers(2**31)),
            )
            of_method = covered.setdefault(f"crossed_mean, {method}", [])
            of_method.append(bool(found.low <= 0 <= found.high))
        if max(sizes) > 1:
            found = crossed_mean(table, factors=("networks", "subjects"))
            of_method = covered.setdefault("crossed_mean, t, families ignored", [])
            of_method.append(bool(found.low <= 0 <= found.high))
    setting = name_of_families(sizes, n_subjects)
    for interval, values in covered.items():
        yield summarize(setting, interval, "mean", values)


def of_crossed_alignments(
    n_networks: int,
    n_subjects: int,
    n_images: int,
    n_simulations: int,
    n_resamples: int,
    seed: int,
) -> Iterator[Coverage]:
    """Matched minus mismatched units, in r and observed theta, given the fits."""
    rng = np.random.default_rng(seed)
    pool = _Pool(rng)
    covered: dict[tuple[str, str], list[bool]] = {}
    for _ in range(max(1, n_simulations // 4)):  # each has an interval per network and subject
        networks, subjects = (
            rng.choice(N_POOL, n, replace=False) for n in (n_networks, n_subjects)
        )
        pseudovalues = pool.pseudovalues(rng, networks, subjects, n_images)
        for measure, values in pseudovalues.items():
            for method in ("t", "percentile"):
                found = crossed_mean(
                    values,
                    factors=("networks", "subjects", "images"),
                    method=method,
                    n_resamples=n_resamples,
                    random_state=int(rng.integers(2**31)),
                )
                of_method = covered.setdefault((f"crossed_mean, {method}", measure), [])
                of_method.append(bool(found.low <= pool.truth[measure] <= found.high))
            fixed = crossed_mean(values.mean(axis=(0, 1)), factors=("images",))
            of_method = covered.setdefault(("crossed_mean, t, images only", measure), [])
            of_method.append(bool(fixed.low <= pool.truth[measure] <= fixed.high))
    setting = f"{n_networks} networks x {n_subjects} subjects x {n_images} images"
    for (interval, measure), values in covered.items():
        yield summarize(setting, interval, measure, values)


class _Pool:
    """Networks and subjects to draw from, with the fitted maps between them."""

    def __init__(self, rng: np.random.Generator) -> None:
        # Units and voxels follow latent variables of an image; the rest of an image is noise.
        self.units = {
            "matched": np.eye(N_LATENT) + 0.4 * rng.standard_normal((N_POOL, N_LATENT, N_LATENT)),
            "mismatched": 0.6 * rng.standard_normal((N_POOL, N_LATENT, N_LATENT)),
        }
        self.voxels = np.array([1.0, 0.7, 0.2, 0.0]) + 0.3 * rng.standard_normal((N_POOL, N_LATENT))
        self.weights, of_sides = {}, []
        spread = np.sqrt((self.voxels**2).sum(axis=1) + 1)
        for side, units in self.units.items():
            # Correlation, units x voxels, of every network with every subject.
            scale = np.sqrt((units**2).sum(axis=1) + 1)
            shared = np.einsum("klu,sl->ksu", units, self.voxels)
            cosine = shared / scale[:, np.newaxis] / spread[:, np.newaxis]
            weights = np.maximum(shared, 0) + 0.1
            covariance = np.einsum("klu,klv->kuv", units, units) + np.eye(N_LATENT)
            variance = np.einsum("ksu,kuv,ksv->ks", weights, covariance, weights)
            r = (weights * shared).sum(axis=2) / np.sqrt(variance) / spread
            theta = 1 - (weights * cosine).sum(axis=2) / weights.sum(axis=2)
            self.weights[side] = weights
            of_sides.append({"r": r.mean(), "theta_observed": theta.mean()})
        self.truth = {name: of_sides[0][name] - of_sides[1][name] for name in of_sides[0]}

    def pseudovalues(
        self,
        rng: np.random.Generator,
        networks: np.ndarray,
        subjects: np.ndarray,
        n_images: int,
    ) -> dict[str, np.ndarray]:
        """Of the difference of both sides, (n_networks, n_subjects, n_images)."""
        latent = rng.standard_normal((n_images, N_LATENT))
        y = latent @ self.voxels[subjects].T + rng.standard_normal((n_images, subjects.size))
        found = {name: [] for name in self.truth}
        for network in networks:
            features = {
                side: latent @ units[network] + rng.standard_normal((n_images, N_LATENT))
                for side, units in self.units.items()
            }
            for k, subject in enumerate(subjects):
                sides = {
                    side: (_fixed(self.weights[side][network, subject]), features[side])
                    for side in self.units
                }
                interval = bootstrap_alignment_difference(sides, y[:, [k]], center=True)
                for name, values in found.items():
                    values.append(getattr(interval, name).pseudovalues())
        shape = networks.size, subjects.size, n_images
        return {name: np.reshape(values, shape) for name, values in found.items()}


def _fixed(weights: np.ndarray) -> LinearRegression:
    model = LinearRegression()
    model.coef_, model.intercept_ = weights[np.newaxis], np.zeros(1)
    return model
