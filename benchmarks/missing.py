"""Missing responses: the time of a fit with patterns of missing images, over that without any.

Every pattern misses 5 % of the images, or half of them, as subjects do who saw different images.
Rows of lasso and ridge are held: more than `MOST` times the time of a fit without missing responses
is an error. OLS of more units than images decomposes the images of every pattern afresh. Fits
alternate, so that both see the same load. The last rows give every target a pattern of its own, and
report the time and memory of a target.
"""

import sys
import time
import tracemalloc

import numpy as np
from problem import encoding_problem

from skalign.linear_model import SparsePositiveEncoder, SparsePositiveEncoderCV

N_SAMPLES, N_FEATURES, N_TARGETS, N_PATTERNS = 1000, 1000, 2000, 10
N_OWN = 500  # targets with a pattern of their own
REPEATS = 3
MOST = 3.0  # times the time without missing responses, with ten patterns

ENCODERS = {
    "lasso, alpha 0.1": SparsePositiveEncoder("lasso", 0.1),
    "signed ridge, alpha 100": SparsePositiveEncoder("ridge", 100, positive=False),
    "positive ridge, alpha 100": SparsePositiveEncoder("ridge", 100),
    "signed OLS": SparsePositiveEncoder("ols", positive=False),
}
CROSS_VALIDATED = {
    "lasso, 10 alphas x 5 folds": SparsePositiveEncoderCV("lasso"),
    "signed ridge, 10 alphas x 5 folds": SparsePositiveEncoderCV("ridge", positive=False),
}


def with_patterns(Y, n_patterns, share, rng):
    """Responses of which every pattern misses that share of the images."""
    Y = Y.copy()
    for pattern in range(n_patterns):
        missing = rng.choice(len(Y), int(share * len(Y)), replace=False)
        Y[np.ix_(missing, np.arange(pattern, Y.shape[1], n_patterns))] = np.nan
    return Y


def seconds(encoder, X, Y):
    start = time.perf_counter()
    encoder.fit(X, Y)
    return time.perf_counter() - start


def ratio(encoder, X, Y, Y_missing, repeats):
    """Smallest time with missing responses, over the smallest without; both in seconds, too."""
    encoder.set_params(n_jobs=2, missing="mask")
    whole, masked = zip(
        *[(seconds(encoder, X, Y), seconds(encoder, X, Y_missing)) for _ in range(repeats)],
        strict=True,
    )
    return min(masked) / min(whole), min(whole), min(masked)


def main():
    rng = np.random.default_rng(1)
    X, Y = encoding_problem(N_SAMPLES, N_FEATURES, N_TARGETS)
    failed = False
    print(f"n {N_SAMPLES}, p {N_FEATURES}, {N_TARGETS} targets, {N_PATTERNS} patterns, two threads")
    for share in (0.05, 0.5):
        Y_missing = with_patterns(Y, N_PATTERNS, share, rng)
        rows = ENCODERS if share > 0.05 or "--quick" in sys.argv else ENCODERS | CROSS_VALIDATED
        for name, encoder in rows.items():
            repeats = 1 if name in CROSS_VALIDATED else REPEATS
            times, whole, masked = ratio(encoder, X, Y, Y_missing, repeats)
            is_slow = times > MOST and "OLS" not in name
            failed |= is_slow
            mark = "  TOO SLOW" if is_slow else ""
            print(
                f"{name:34} {share:4.0%} missing: {whole:6.2f} s, {masked:6.2f} s, "
                f"{times:4.1f} x{mark}",
                flush=True,
            )
    own = with_patterns(Y[:, :N_OWN], N_OWN, 0.05, rng)
    for name, encoder in ENCODERS.items():
        tracemalloc.start()
        took = seconds(encoder.set_params(missing="mask"), X, own)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(
            f"{name:34} every target its own pattern: {1e3 * took / N_OWN:.0f} ms a target, peak "
            f"{peak / 2**20:.0f} MB",
            flush=True,
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
