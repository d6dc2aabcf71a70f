"""Tuning reorientation against one matrix product and the paper's formula, two threads.

The formula is written out as in the appendix, with its matrix of all distances.
"""

import time
from statistics import median

import numpy as np
from scipy import sparse

from skalign.metrics import tuning_reorientation

N_IMAGES, N_UNITS, N_TARGETS, DENSITY = 515, 4096, 10_000, 0.005
REPEATS = 5


def formula(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Appendix A.1 step by step: every distance of every unit to every target."""
    units = features / np.linalg.norm(features, axis=0)
    directions = targets / np.linalg.norm(targets, axis=0)
    distances = 1 - units.T @ directions
    importance = np.abs(weights)
    return (distances * importance.T).sum(axis=0) / importance.sum(axis=1)


def main() -> bool:
    """Print the table; whether every floor held."""
    rng = np.random.default_rng(0)
    features = np.maximum(rng.standard_normal((N_IMAGES, N_UNITS)), 0)
    targets = rng.standard_normal((N_IMAGES, N_TARGETS))
    dense = rng.standard_normal((N_TARGETS, N_UNITS))
    few = sparse.random_array(
        (N_TARGETS, N_UNITS), density=DENSITY, format="csr", rng=np.random.default_rng(1)
    )
    few_dense = few.toarray()
    work = {
        "one matrix product": lambda: features @ dense.T,
        "formula, dense weights": lambda: formula(features, targets, dense),
        "ours, dense weights": lambda: tuning_reorientation(features, targets, dense),
        "formula, sparse weights": lambda: formula(features, targets, few_dense),
        "ours, sparse weights": lambda: tuning_reorientation(features, targets, few),
        "ours, same in a dense array": lambda: tuning_reorientation(features, targets, few_dense),
    }
    for ours, theirs in (("dense", dense), ("sparse", few_dense)):
        np.testing.assert_allclose(
            work[f"ours, {ours} weights"](), formula(features, targets, theirs), atol=1e-12
        )
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(REPEATS):
        for name, function in work.items():
            time.sleep(0.2)  # the BLAS threads of the one before go on spinning for a while
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)

    def ratio(slow: str, fast: str) -> float:
        return median(a / b for a, b in zip(times[slow], times[fast], strict=True))

    print(f"theta, {N_IMAGES} x {N_UNITS} features, {N_TARGETS} targets")
    for name in work:
        print(f"  {name:28s} {1e3 * median(times[name]):8.1f} ms")
    dense_cost = ratio("ours, dense weights", "one matrix product")
    dense_gain = ratio("formula, dense weights", "ours, dense weights")
    sparse_gain = ratio("formula, sparse weights", "ours, sparse weights")
    checks = [
        ("dense: ours / one product (at most 1.5)", dense_cost, dense_cost <= 1.5),
        ("dense: formula / ours (at least 2.5)", dense_gain, dense_gain >= 2.5),
        (f"{DENSITY:.1%} dense: formula / ours (at least 15)", sparse_gain, sparse_gain >= 15),
    ]
    for text, value, held in checks:
        print(f"  {text:46s} {value:6.2f}   {'held' if held else 'MISSED'}")
    return all(held for *_, held in checks)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
