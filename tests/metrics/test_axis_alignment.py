"""Axis alignment: nothing for unconstrained maps, much for aligned axes, and honest errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest
from sklearn.linear_model import LinearRegression

from skalign import SparsePositiveEncoder
from skalign.metrics import AxisAlignment, axis_alignment, pearson_r, soft_matching


def aligned_system(seed=0, n_units=8, n_targets=5, n_images=240, noise=0.7):
    """Targets that follow one unit each."""
    rng = np.random.default_rng(seed)
    X = rng.exponential(size=(n_images, n_units)) * rng.uniform(0.2, 5, n_units)
    y = X[:, rng.permutation(n_units)[:n_targets]]
    y = y / y.std(axis=0) + noise * rng.standard_normal(y.shape)
    half = n_images // 2
    return X[:half], y[:half], X[half:], y[half:]


def mean_correlation(*data):
    return soft_matching(*data).score


def test_an_unconstrained_linear_map_owes_nothing_to_the_axes():
    found = axis_alignment(LinearRegression(), *aligned_system(), n_resamples=20, random_state=0)
    assert found.score > 0.5
    assert abs(found.difference) < 1e-10
    assert found.rotated_scores.std() < 1e-10


@pytest.mark.parametrize(
    "score",
    [SparsePositiveEncoder("lasso", alpha=0.05), SparsePositiveEncoder("ols"), mean_correlation],
)
def test_aligned_targets_lose_much_by_a_rotation(score):
    found = axis_alignment(score, *aligned_system(), n_resamples=60, random_state=0)
    assert found.difference > 0.1
    assert found.difference > 5 * found.standard_error
    assert found.p_value == 1 / 61
    assert_allclose(found.difference, found.score - found.rotated_scores.mean())


def test_score_is_that_of_standardized_features():
    X, y, X_test, y_test = aligned_system()
    scaled = [(rows - X.mean(axis=0)) / X.std(axis=0) for rows in (X, X_test)]
    model = SparsePositiveEncoder("lasso", alpha=0.05)
    r = pearson_r(y_test, model.fit(scaled[0], y).predict(scaled[1])).mean()
    found = axis_alignment(model, X, y, X_test, y_test, n_resamples=2, random_state=0)
    assert_allclose(found.score, r)
    raw = axis_alignment(
        model, X, y, X_test, y_test, n_resamples=2, standardize=False, random_state=0
    )
    assert_allclose(raw.score, pearson_r(y_test, model.fit(X, y).predict(X_test)).mean())


@pytest.mark.parametrize("n_units", [6, 40])
def test_rotations_keep_all_angles_and_make_new_axes(n_units):
    """Fewer and more units than images: the Gram of images stays, the features do not."""
    rng = np.random.default_rng(0)
    X, X_test = rng.standard_normal((10, n_units)), rng.standard_normal((8, n_units))
    y, y_test = rng.standard_normal((10, 2)), rng.standard_normal((8, 2))
    seen = []

    def keep(train, y, test, y_test):
        seen.append(np.vstack([train, test]))
        return 0.0

    axis_alignment(keep, X, y, X_test, y_test, n_resamples=2, standardize=False, random_state=0)
    original, *others = sorted(seen, key=lambda rows: np.abs(rows[:10] - X + X.mean(axis=0)).max())
    assert_allclose(original, np.vstack([X, X_test]) - X.mean(axis=0))
    for rows in others:
        assert_allclose(rows @ rows.T, original @ original.T, atol=1e-10)
        assert np.abs(rows - original).max() > 0.1
    assert np.abs(others[0] - others[1]).max() > 0.1


@pytest.mark.parametrize("n_units", [4, 30])
def test_rotations_are_uniform(n_units):
    """The first coordinate of a rotated unit vector is distributed as that of a normal one."""
    X = np.zeros((4, n_units))
    X[:, 0] = [1, -1, 1, -1]
    X_test, first = X[:2], []

    def keep(train, y, test, y_test):
        first.append(train[0, 0] / np.linalg.norm(train[0]))
        return 0.0

    y = np.ones((4, 1))
    axis_alignment(keep, X, y, X_test, y[:2], n_resamples=400, standardize=False, random_state=0)
    normal = np.random.default_rng(0).standard_normal((20_000, n_units))
    expected = normal[:, 0] / np.linalg.norm(normal, axis=1)
    assert kstest(first[1:], expected).pvalue > 0.01


def test_same_draws_for_any_number_of_threads():
    data = aligned_system()
    options = {"n_resamples": 10, "random_state": 3}
    one, two = (axis_alignment(mean_correlation, *data, n_jobs=n, **options) for n in (1, 2))
    assert_array_equal(one.rotated_scores, two.rotated_scores)
    other = axis_alignment(mean_correlation, *data, n_resamples=10, random_state=4)
    assert not np.allclose(other.rotated_scores, one.rotated_scores)


def test_p_value_counts_ties_against_the_claim():
    assert AxisAlignment(0.5, np.array([0.5, 0.1, 0.2])).p_value == 0.5
    found = AxisAlignment(0.5, np.array([0.1, 0.3]))
    assert_allclose(found.standard_error, 0.1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"score": "r"}, TypeError, "score must be an estimator or a function"),
        ({"score": LinearRegression}, TypeError, "A class needs to be called first"),
        ({"standardize": "yes"}, TypeError, "standardize must be True or False; got 'yes'"),
        ({"n_resamples": 1}, ValueError, "n_resamples == 1, must be >= 2"),
        ({"X_test": np.ones((3, 2))}, ValueError, r"same units, at least 2; got shapes .*\(3, 2\)"),
        ({"X": np.ones((120, 1))}, ValueError, "same units, at least 2"),
    ],
)
def test_arguments_are_checked(change, error, message):
    X, y, X_test, y_test = aligned_system()
    arguments = {"score": LinearRegression(), "X": X, "Y": y, "X_test": X_test, "Y_test": y_test}
    with pytest.raises(error, match=message):
        axis_alignment(**(arguments | change))
