"""Named designs, from plain to degenerate, each a function of a random generator."""

import numpy as np


def with_spectrum(rng, n_samples, singular_values):
    """Features with these singular values."""
    n_features = len(singular_values)
    U, _ = np.linalg.qr(rng.standard_normal((n_samples, n_features)))
    V, _ = np.linalg.qr(rng.standard_normal((n_features, n_features)))
    return (U * singular_values) @ V.T


def noisy_targets(rng, X, n_targets=3):
    """Targets that sparse weights of both signs explain in part."""
    weights = rng.standard_normal((X.shape[1], n_targets)) * (
        rng.random((X.shape[1], n_targets)) < 0.5
    )
    return X @ weights + rng.standard_normal((X.shape[0], n_targets))


def _features(rng, n_samples=30, n_features=8):
    return rng.standard_normal((n_samples, n_features))


# Features for which every minimizer is unique.
FULL_RANK = {
    "plain": _features,
    "square": lambda rng: _features(rng, 9, 8),
    "one feature": lambda rng: _features(rng, 30, 1),
    "off center": lambda rng: _features(rng) + 30,
    "unequal scales": lambda rng: _features(rng) * np.logspace(-2, 2, 8),
    "correlated": lambda rng: _features(rng) + 3 * rng.standard_normal((30, 1)),
}

# Features for which only predictions are unique, unless the penalty is strictly convex.
RANK_DEFICIENT = {
    "wide": lambda rng: _features(rng, 8, 20),
    "duplicated columns": lambda rng: np.repeat(_features(rng, 30, 4), 3, axis=1),
    "multiples": lambda rng: np.kron([[1.0, 2.0, -3.0, 1e-2]], _features(rng, 30, 3)),
    "low rank": lambda rng: _features(rng, 30, 3) @ rng.integers(-2, 3, (3, 9)),
    "constant columns": lambda rng: np.c_[
        _features(rng, 30, 4), np.ones(30), np.full((30, 2), 3.3)
    ],
    "zero columns": lambda rng: np.c_[_features(rng, 30, 4), np.zeros((30, 2))],
    "one sample": lambda rng: _features(rng, 1, 4),
    "two samples": lambda rng: _features(rng, 2, 4),
    "small integers": lambda rng: rng.integers(-1, 2, (6, 12)).astype(float),
}

DESIGNS = FULL_RANK | RANK_DEFICIENT
