"""Intervals over images to fit: against fits by hand, and beside those given the fit."""

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.linear_model import LinearRegression, Ridge

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference import bootstrap_alignment, refit_intervals
from skalign.metrics import alignment, noise_ceiling, pearson_r


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 8))
    Y = X @ rng.exponential(size=(8, 3)) + 3 * rng.standard_normal((100, 3))
    return X[:40], Y[:40], X[40:], Y[40:]


def test_given_the_fit_they_are_those_of_the_jackknife(data):
    X, Y, X_test, Y_test = data
    groups = np.repeat(np.arange(12), 5)
    found = refit_intervals(
        Ridge(), *data, test_groups=groups, center=True, n_resamples=4, confidence_level=0.9
    )
    expected = bootstrap_alignment(
        Ridge().fit(X, Y), X_test, Y_test, groups=groups, center=True, confidence_level=0.9,
        method="t",
    )  # fmt: skip
    for measure in ("r", "theta", "theta_observed"):
        assert_allclose(found.means[measure]["test"].low, getattr(expected, measure).low)
        of_targets = getattr(expected, f"target_{measure}")
        assert_allclose(found.targets[measure]["test"].high, of_targets.high)


@pytest.mark.parametrize("with_groups", [False, True])
def test_subsets_of_images_are_fitted_and_variances_add(data, with_groups):
    X, Y, X_test, Y_test = data
    groups = np.repeat(np.arange(5), 8) if with_groups else None
    n, size = (5, 3) if with_groups else (40, 24)
    encoder = SparsePositiveEncoder(alpha=0.05)
    found = refit_intervals(
        encoder, *data, groups=groups, sample_fraction=0.6, n_resamples=30, random_state=3
    )
    random_state = np.random.RandomState(3)
    halves = []
    for _ in range(30):
        drawn = np.sort(random_state.permutation(n)[:size])
        rows = np.flatnonzero(np.isin(groups, drawn)) if with_groups else drawn
        halves.append(alignment(encoder.fit(X[rows], Y[rows]), X_test, Y_test))
    factor = np.sqrt(size / (n - size))
    for measure in ("r", "theta"):
        mean = found.means[measure]
        expected = factor * np.std([half.summary()[measure] for half in halves], ddof=1)
        assert_allclose(mean["fit"].standard_error, expected)
        assert_allclose(
            mean["both"].standard_error, np.hypot(expected, mean["test"].standard_error)
        )
        of_targets = factor * np.nanstd([getattr(half, measure) for half in halves], 0, ddof=1)
        assert_allclose(found.targets[measure]["fit"].standard_error, of_targets)
        squares = np.array([mean[over].standard_error ** 2 for over in ("test", "fit")])
        freedom = np.array([59, min(n, 30) - 1])
        df = squares.sum() ** 2 / (squares**2 / freedom).sum()
        assert_allclose(mean["both"].degrees_of_freedom, df)
        reach = stats.t.ppf(0.975, df) * mean["both"].standard_error
        assert_allclose(mean["both"].high, mean["both"].estimate + reach)


def test_subsets_estimate_the_spread_over_samples():
    rng = np.random.default_rng(0)
    weights = rng.exponential(size=(5, 2))
    X_test = rng.standard_normal((400, 5))
    Y_test = X_test @ weights + 2 * rng.standard_normal((400, 2))

    def sample():
        X = rng.standard_normal((80, 5))
        return X, X @ weights + 2 * rng.standard_normal((80, 2))

    fits = [alignment(Ridge().fit(*sample()), X_test, Y_test, center=True) for _ in range(150)]
    true = np.std([fit.summary()["theta"] for fit in fits])
    errors = [
        refit_intervals(Ridge(), *sample(), X_test, Y_test, center=True, n_resamples=25)
        .means["theta"]["fit"]
        .standard_error
        for _ in range(12)
    ]
    assert 0.8 < np.sqrt(np.mean(np.square(errors))) / true < 1.4


def test_ceilings_are_estimated_anew_with_their_images(data):
    rng = np.random.default_rng(1)
    X, Y, X_test, Y_test = data
    trials = Y_test[:, np.newaxis] + 3 * rng.standard_normal((60, 3, 3))
    trials[:20, 2] = np.nan
    average = np.nanmean(trials, axis=1)
    found = refit_intervals(Ridge(), X, Y, X_test, average, trials_test=trials, n_resamples=5)
    y_pred = Ridge().fit(X, Y).predict(X_test)
    normalized, of_targets = [], []
    for image in range(60):
        kept = np.arange(60) != image
        r = pearson_r(average[kept], y_pred[kept])
        ceiling = noise_ceiling(trials=trials[kept]).values
        normalized.append(r.mean() / ceiling.mean())
        of_targets.append(r / ceiling)
    ceiling = noise_ceiling(trials=trials).values
    expected = pearson_r(average, y_pred)
    mean = found.means["r_normalized"]["test"]
    assert_allclose(mean.estimate, expected.mean() / ceiling.mean())
    scale = 59 / np.sqrt(60)
    assert_allclose(mean.standard_error, np.std(normalized, ddof=1) * scale)
    target = found.targets["r_normalized"]["test"]
    assert_allclose(target.estimate, expected / ceiling)
    assert_allclose(target.standard_error, np.std(of_targets, axis=0, ddof=1) * scale)
    assert found.means["r_normalized"]["both"].standard_error > mean.standard_error
    with pytest.raises(ValueError, match="trials_test must be of shape"):
        refit_intervals(Ridge(), X, Y, X_test, average, trials_test=trials[1:])


def test_every_subset_chooses_anew_and_tables_have_names(data):
    pd = pytest.importorskip("pandas")
    X, Y, X_test, Y_test = data
    Y, Y_test = (pd.DataFrame(part, columns=["u", "v", "w"]) for part in (Y, Y_test))
    encoder = SparsePositiveEncoderCV(alphas=[10.0, 0.1, 0.01], cv=3)
    found = refit_intervals(encoder, X, Y, X_test, Y_test, n_resamples=6, random_state=0)
    with parallel_config("threading"):
        again = refit_intervals(
            encoder, X, Y, X_test, Y_test, n_resamples=6, random_state=0, n_jobs=2
        )
    assert_allclose(found.means["r"]["both"].low, again.means["r"]["both"].low)
    fixed = refit_intervals(
        encoder.fit(X, Y).fixed(), X, Y, X_test, Y_test, n_resamples=6, random_state=0
    )
    assert_allclose(found.means["r"]["test"].low, fixed.means["r"]["test"].low, atol=1e-5)
    assert abs(found.means["r"]["fit"].standard_error - fixed.means["r"]["fit"].standard_error) > 0
    assert_array_equal(found.to_frame()["target"], ["u", "v", "w"])
    assert_array_equal(found.to_frame()["r_low_fit"], found.targets["r"]["fit"].low)
    summary = found.summary_frame()
    assert list(summary.columns[:3]) == ["measure", "over", "estimate"]
    assert len(summary) == 9


def test_too_few_images_are_refused(data):
    with pytest.raises(ValueError, match="sample_fraction must draw"):
        refit_intervals(LinearRegression(), *data, sample_fraction=0.01)
    with pytest.raises(ValueError, match="at least 4 images or groups"):
        refit_intervals(LinearRegression(), *data, groups=np.arange(40) % 3)
    with pytest.raises(ValueError, match="n_resamples"):
        refit_intervals(LinearRegression(), *data, n_resamples=1)
