"""Peak memory of a positive lasso on memory-mapped targets, in a process of its own."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

N_SAMPLES, N_FEATURES, N_TARGETS = 2000, 500, 100_000
ALLOWANCE = 500  # MB beyond inputs and twice the coefficients


def peak() -> float:
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write(path: Path) -> None:
    """Targets that follow a few features each, block by block."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES), dtype=np.float32)
    np.save(path / "X.npy", X)
    Y = np.lib.format.open_memmap(
        path / "Y.npy", mode="w+", dtype=np.float32, shape=(N_SAMPLES, N_TARGETS)
    )
    for start in range(0, N_TARGETS, 10_000):
        W = rng.exponential(size=(N_FEATURES, 10_000)) * (rng.random((N_FEATURES, 10_000)) < 0.02)
        noise = 3 * rng.standard_normal((N_SAMPLES, 10_000))
        Y[:, start : start + 10_000] = X @ W.astype(np.float32) + noise
    Y.flush()


def fit(path: Path) -> bool:
    """Fit, print the growth of the peak and the bound on it; whether it held."""
    from skalign.linear_model import SparsePositiveEncoder

    X = np.load(path / "X.npy")
    Y = np.load(path / "Y.npy", mmap_mode="r")
    SparsePositiveEncoder(n_jobs=2).fit(X, np.asarray(Y[:, :64]))  # libraries and threads
    before = peak()
    encoder = SparsePositiveEncoder(alpha=0.1, n_jobs=2).fit(X, Y)
    growth = peak() - before
    inputs = (X.nbytes + Y.nbytes) / 2**20
    coefficients = encoder.coef_.nbytes / 2**20
    bound = inputs + 2 * coefficients + ALLOWANCE
    print(
        f"memory, {N_SAMPLES} x {N_FEATURES} features, {N_TARGETS} memory-mapped float32 targets\n"
        f"  inputs {inputs:.0f} MB, coefficients {coefficients:.0f} MB\n"
        f"  peak growth {growth:.0f} MB, at most {bound:.0f} MB: "
        f"{'held' if growth <= bound else 'MISSED'}\n"
        f"  largest KKT violation {encoder.kkt_violation_.max():.1e}"
    )
    return growth <= bound


def main() -> bool:
    """Write the data in one process and fit in another, so that only the fit is measured."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "write", folder], check=True)
        return subprocess.run([sys.executable, __file__, "fit", folder]).returncode == 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        job = {"write": write, "fit": fit}[sys.argv[1]]
        raise SystemExit(0 if job(Path(sys.argv[2])) in (None, True) else 1)
    raise SystemExit(0 if main() else 1)
