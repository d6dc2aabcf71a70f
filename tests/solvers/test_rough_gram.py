"""A Gram in single precision, which guides guesses: it changes neither weights nor steps."""

import numpy as np
import pytest

from skalign.solvers import Moments, solve_moments, solve_moments_path
from skalign.solvers import _feature_moments as feature_moments
from tests.reference import PENALTIES

ALPHA = {"ols": 0.0, "ridge": 5.0, "lasso": 0.02, "elasticnet": 0.02}


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 300))
    weights = rng.random((300, 6)) * (rng.random((300, 6)) < 0.3)
    return X, X @ weights + rng.standard_normal((200, 6))


def _both(monkeypatch, solve_with):
    """The same fit with and without a rough Gram."""
    found = []
    for features in (1, 10**9):
        monkeypatch.setattr(feature_moments, "ROUGH_FEATURES", features)
        found.append(solve_with())
    return found


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("unit", [1, 1e-60, 1e60])
def test_weights_and_steps_are_those_without(monkeypatch, images, penalty, unit):
    X, Y = (array * unit for array in images)
    alpha = ALPHA[penalty] * unit**2
    rough, plain = _both(monkeypatch, lambda: solve_moments(Moments.of(X, Y), penalty, alpha))
    assert rough.converged.all()
    assert rough.kkt_violation.max() <= 1e-13
    assert np.count_nonzero(plain.coef, axis=1).min() > 40  # after several rounds of guesses
    np.testing.assert_allclose(rough.coef, plain.coef, rtol=0, atol=1e-10)
    # A rough gradient that is wrong costs steps, for weights end up exact in any case.
    assert abs(rough.n_iter - plain.n_iter).max() <= 4


@pytest.mark.parametrize("positive", [True, False])
def test_paths_are_those_without(monkeypatch, images, positive):
    rough, plain = _both(
        monkeypatch,
        lambda: solve_moments_path(Moments.of(*images), "lasso", 8, positive=positive),
    )
    assert rough.kkt_violation.max() <= 1e-13
    np.testing.assert_allclose(rough.coef, plain.coef, rtol=0, atol=1e-10)


def test_is_there_where_it_saves_time(images):
    X, _ = images
    rough, unit = Moments.of(X, X[:, :1]).features.rough_gram
    gram = Moments.of(X, X[:, :1]).gram
    assert rough.dtype == np.float32
    assert np.log2(unit) % 2 == 0
    np.testing.assert_allclose(rough / unit, gram, rtol=1e-6)
    assert 1 / 16 < rough.max() <= 1


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X[:, :100],  # fits a cache
        lambda X: X.astype(np.float32),
        lambda X: X * np.geomspace(1e-12, 1, 300),  # products vanish in single precision
    ],
)
def test_is_not_there_where_it_serves_nobody(images, change):
    X = change(images[0])
    assert Moments.of(X, X[:, :1]).features.rough_gram is None


@pytest.mark.parametrize("positive", [True, False])
def test_features_of_a_wide_range_are_solved_as_well(images, positive):
    X, Y = images[0] * np.geomspace(1e-9, 1, 300), images[1]
    solution = solve_moments(Moments.of(X, Y), "elasticnet", 1e-6, positive=positive)
    assert solution.kkt_violation.max() <= 1e-13
