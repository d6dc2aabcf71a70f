"""The observed theta of noisy repeats, corrected, against that of noiseless responses."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression

from skalign import SparsePositiveEncoder
from skalign.metrics import (
    Alignment,
    NoiseCeiling,
    alignment,
    correct_reorientation,
    correct_reorientation_by_halves,
    noise_ceiling,
)

N_TARGETS = 30


def make_system(rng, n_images):
    """Features, and noiseless responses whose variance is 1 over all images that there could be."""
    X = rng.standard_normal((n_images, 12)) + rng.standard_normal((n_images, 1)) / 2
    weights = np.random.default_rng(0).exponential(size=(12, N_TARGETS))
    weights *= np.random.default_rng(1).random((12, N_TARGETS)) < 0.3
    weights[0] += 1
    covariance = np.eye(12) + 0.25
    return X, X @ (weights / np.sqrt(np.einsum("it,ij,jt->t", weights, covariance, weights)))


def mean_of_repeats(rng, signal, ncsnr, n_repeats):
    noise = rng.standard_normal(signal.shape) / ncsnr
    return signal + noise / np.sqrt(n_repeats)[:, np.newaxis]


def fitted_encoder():
    X, signal = make_system(np.random.default_rng(2), 300)
    return SparsePositiveEncoder(alpha=0.2).fit(X, signal)


@pytest.mark.parametrize("counts", [[3], [1, 2, 3]], ids=["three repeats", "mixed repeats"])
@pytest.mark.parametrize("ceiling_r", [0.4, 0.6, 0.9])
def test_noiseless_theta_is_recovered(ceiling_r, counts):
    rng = np.random.default_rng(3)
    encoder = fitted_encoder()
    X, signal = make_system(rng, 20_000)
    n_repeats = np.resize(counts, len(X))
    ncsnr = np.full(N_TARGETS, ceiling_r * np.sqrt(np.mean(1 / n_repeats) / (1 - ceiling_r**2)))
    ceiling = noise_ceiling(ncsnr, n_repeats=n_repeats)
    assert_allclose(ceiling.values, ceiling_r)
    noisy = mean_of_repeats(rng, signal, ncsnr, n_repeats)
    expected = alignment(encoder, X, signal, center=True).theta_observed
    found = alignment(encoder, X, noisy, center=True)
    corrected = correct_reorientation(found, ceiling)
    assert (found.theta_observed > expected + 0.05).all()
    assert abs(corrected.mean - expected.mean()) < 0.01
    assert_allclose(corrected.theta, expected, atol=0.05)
    assert np.abs(corrected.theta - expected).mean() < 0.02


def test_ratio_of_means_is_unbiased_with_estimated_ceilings():
    """Ceilings from training trials, of targets from reliable to noisy, with mixed repeats."""
    rng = np.random.default_rng(4)
    encoder, n_draws = fitted_encoder(), 200
    ncsnr = np.geomspace(0.4, 1.5, N_TARGETS)
    n_repeats = np.resize([1, 2, 3], 515)
    true = noise_ceiling(ncsnr, n_repeats=n_repeats).values
    errors, naive = np.empty((2, n_draws))
    for draw in range(n_draws):
        _, training = make_system(rng, 1000)
        trials = training[:, np.newaxis] + rng.standard_normal((1000, 3, N_TARGETS)) / ncsnr
        ceiling = noise_ceiling(trials=trials, n_repeats=n_repeats)
        X, signal = make_system(rng, 515)
        noisy = mean_of_repeats(rng, signal, ncsnr, n_repeats)
        expected = alignment(encoder, X, signal, center=True).theta_observed
        found = alignment(encoder, X, noisy, center=True)
        errors[draw] = correct_reorientation(found, ceiling).mean - expected @ true / true.sum()
        naive[draw] = (found.theta_observed - expected).mean()
    assert abs(errors.mean()) < 2 * errors.std(ddof=1) / np.sqrt(n_draws)
    assert errors.std() < 0.05
    assert naive.mean() > 0.1


def test_halves_agree_with_the_ceiling():
    rng = np.random.default_rng(5)
    encoder = fitted_encoder()
    X, signal = make_system(rng, 20_000)
    halves = signal + rng.standard_normal((2, *signal.shape)) / np.geomspace(0.5, 2, N_TARGETS)
    expected = alignment(encoder, X, signal, center=True).theta_observed
    found = correct_reorientation_by_halves(encoder, X, *halves)
    assert_allclose(found.theta, expected, atol=0.04)
    weight = np.sqrt([np.corrcoef(*pair)[0, 1] for pair in halves.transpose(2, 0, 1)])
    assert_allclose(found.mean, expected @ weight / weight.sum(), atol=0.01)


def test_halves_by_the_formula():
    rng = np.random.default_rng(6)
    X, signal = make_system(rng, 200)
    first, second = signal + 0.5 * rng.standard_normal((2, *signal.shape))
    model = LinearRegression().fit(X[:100], first[:100])
    weight = rng.random(100)
    found = correct_reorientation_by_halves(
        model, X[100:], first[100:], second[100:], sample_weight=weight
    )
    for t in (0, 5):
        table = np.c_[X[100:], first[100:, t], second[100:, t]]
        covariance = np.cov(table.T, aweights=weight)
        r = covariance / np.sqrt(np.outer(covariance.diagonal(), covariance.diagonal()))
        size = np.abs(model.coef_[t])
        expected = size @ (r[:12, 12] + r[:12, 13]) / 2 / (size.sum() * np.sqrt(r[12, 13]))
        assert_allclose(found.theta[t], 1 - expected)


def test_targets_without_theta_or_ceiling_are_left_out_of_the_mean():
    nan, unknown = np.nan, np.full(4, np.nan)
    theta = np.array([0.5, nan, 0.6, 0.2])
    found = Alignment(unknown, unknown, np.ones(4), theta, unknown, unknown, None, centered=True)
    corrected = correct_reorientation(found, NoiseCeiling([0.8, 0.5, nan, 0.9], "r"))
    assert_allclose(corrected.theta, [1 - 0.5 / 0.8, nan, nan, 1 - 0.8 / 0.9])
    assert_allclose(corrected.mean, 1 - (0.5 + 0.8) / (0.8 + 0.9))
    hopeless = correct_reorientation(found, NoiseCeiling(np.zeros(4), "r"))
    assert np.isnan(hopeless.theta).all()
    assert np.isnan(hopeless.mean)


def test_table_has_names():
    pd = pytest.importorskip("pandas")
    X, signal = make_system(np.random.default_rng(7), 50)
    frame = pd.DataFrame(signal[:, :2], columns=["a", "b"])
    found = alignment(LinearRegression().fit(X, frame), X, frame, center=True)
    table = correct_reorientation(found, NoiseCeiling([0.5, 0.5], "r")).to_frame()
    assert table["target"].tolist() == ["a", "b"]
    assert_allclose(table["theta_corrected"], 1 - (1 - found.theta_observed) / 0.5)


def test_mistakes_are_refused():
    X, signal = make_system(np.random.default_rng(8), 50)
    found = alignment(LinearRegression().fit(X, signal), X, signal, center=True)
    ceiling = NoiseCeiling(np.full(N_TARGETS, 0.5), "r")
    with pytest.raises(TypeError, match="alignment must be an Alignment, whose observed theta"):
        correct_reorientation(found.theta, ceiling)
    with pytest.raises(ValueError, match="alignment must be centered"):
        correct_reorientation(replace(found, centered=False), ceiling)
    with pytest.raises(ValueError, match='ceiling must be in the unit of the scores, "r"'):
        correct_reorientation(found, ceiling.to_unit("variance"))
    with pytest.raises(TypeError, match="ceiling must be a NoiseCeiling"):
        correct_reorientation(found, ceiling.values)
    with pytest.raises(ValueError, match="one value per target"):
        correct_reorientation(found, ceiling[:3])
