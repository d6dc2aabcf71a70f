import numpy as np
import pytest


@pytest.fixture
def data():
    """Features, five targets and weights of sixty images; no positive weights predict the last."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 8)) * np.geomspace(0.5, 3, 8) + rng.uniform(-2, 2, 8)
    W = rng.exponential(size=(8, 5)) * (rng.random((8, 5)) < 0.4)
    W[:, 4] = -3
    return X, X @ W + rng.standard_normal((60, 5)) + 3, rng.uniform(0.2, 2, 60)
