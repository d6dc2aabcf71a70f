"""Choosing alpha for every target: against LassoCV target by target, and against a single fit.

Positive lasso, 10 alphas x 5 folds, one alpha per target. scikit-learn's loop over targets is timed
on `N_FEW` of them, scaled, and halved: two processes that share the work perfectly. Both are given
the same alphas; `LassoCV` chooses by mean squared error, ours by Pearson's r.
"""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from problem import encoding_problem
from sklearn.linear_model import LassoCV
from threadpoolctl import threadpool_limits

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV

N_SAMPLES, N_TARGETS, N_FEW = 1000, 5000, 50
FOLDS, REPEATS = 5, 1
LEAST_SPEED, MOST_FITS = 20.0, 20.0
# n_features: alphas, from about where the first target is empty
GRIDS = {100: np.geomspace(0.5, 0.005, 10), 1000: np.geomspace(0.5, 0.02, 10)}


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> bool:
    """Print the table; whether every floor held."""
    good = True
    for p, alphas in GRIDS.items():
        X, Y = encoding_problem(N_SAMPLES, p, N_TARGETS)
        encoder = SparsePositiveEncoderCV(alphas=alphas, cv=FOLDS, n_jobs=2)
        one = SparsePositiveEncoder(alpha=alphas[-1], n_jobs=2)
        peer = LassoCV(alphas=alphas, cv=FOLDS, positive=True, precompute=True)

        def loop():
            with threadpool_limits(1):  # one of two processes, each with a core of its own
                for y in Y.T[:N_FEW]:  # noqa: B023 - used in this turn only
                    peer.fit(X, y)  # noqa: B023

        ours, theirs, single = [], [], []
        for _ in range(REPEATS):
            ours.append(seconds(lambda: encoder.fit(X, Y)))  # noqa: B023
            single.append(seconds(lambda: one.fit(X, Y)))  # noqa: B023
            theirs.append(seconds(loop) * N_TARGETS / N_FEW / 2)
        speed = median(b / a for a, b in zip(ours, theirs, strict=True))
        fits = median(a / b for a, b in zip(ours, single, strict=True))
        good &= speed >= LEAST_SPEED and fits <= MOST_FITS
        print(f"p {p}, {N_TARGETS} targets, alphas {alphas[0]:g} to {alphas[-1]:g}, "
              f"{(one.coef_ > 0).sum(axis=1).mean():.0f} active units at the smallest")  # fmt: skip
        print(f"  ours {median(ours):.2f} s, two LassoCV processes {median(theirs):.1f} s, one fit "
              f"at the smallest alpha {median(single):.2f} s")  # fmt: skip
        print(f"  {speed:.0f} x LassoCV (at least {LEAST_SPEED:g}), {fits:.1f} fits "
              f"(at most {MOST_FITS:g})")  # fmt: skip
        print(f"  largest KKT violation {np.nanmax(encoder.kkt_violation_):.0e}, "
              f"{encoder.empty_targets_.size} targets left empty")  # fmt: skip
    return bool(good)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
