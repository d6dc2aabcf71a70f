"""Trials that are missing in some targets only: every target from the trials that it has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skalign import SparsePositiveEncoder
from skalign.metrics import average_repeats, noise_ceiling, noise_ceiling_snr


def make(seed, share, n_images=8, n_targets=5):
    rng = np.random.default_rng(seed)
    image = np.r_[np.arange(n_images), rng.integers(0, n_images, 2 * n_images)]
    trials = rng.standard_normal((n_images, n_targets))[image]
    trials += 0.5 * rng.standard_normal(trials.shape)
    trials[rng.random(trials.shape) < share] = np.nan
    return trials, image


@given(seed=st.integers(0, 999), share=st.sampled_from([0.0, 0.1, 0.6]))
def test_every_target_has_the_averages_and_the_ceiling_of_its_own_trials(seed, share):
    trials, image = make(seed, share)
    labels = np.array(list("hgfedcba"))[image]
    averages, images, n_repeats = average_repeats(trials, labels, missing="mask")
    ratio = noise_ceiling_snr(trials, labels, missing="mask")
    ceiling = noise_ceiling(trials=trials, image_ids=labels, missing="mask").values
    for target in range(trials.shape[1]):
        kept = ~np.isnan(trials[:, target])
        own_images, counts = np.unique(labels[kept], return_counts=True)
        is_there = np.isin(images, own_images)
        assert np.isnan(averages[~is_there, target]).all()
        assert_array_equal(n_repeats[is_there, target], counts)
        assert not n_repeats[~is_there, target].any()
        own = trials[kept][:, [target]], labels[kept]
        assert_allclose(averages[is_there, [target]], average_repeats(*own)[0].ravel())
        if len(counts) > 1 and counts.max() > 1:
            assert_allclose(ratio[target], noise_ceiling_snr(*own)[0], rtol=1e-9)
            expected = noise_ceiling(trials=own[0], image_ids=own[1]).values[0]
            assert_allclose(ceiling[target], expected, rtol=1e-9)
        else:
            assert np.isnan(ratio[target])
            assert np.isnan(ceiling[target])


def test_three_dimensions_and_several_labels():
    trials = np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32)
    trials[0, :, 1] = np.nan
    trials[1, 2, 0] = np.nan
    averages, _, n_repeats = average_repeats(trials, missing="mask")
    assert averages.dtype == np.float32
    assert_allclose(averages[1:], np.nanmean(trials[1:], axis=1), rtol=1e-6)
    assert np.isnan(averages[0, 1])
    assert_array_equal(n_repeats, [[3, 0], [2, 3], [3, 3], [3, 3]])
    table, (run, kind) = trials.reshape(12, 2), np.divmod(np.arange(12), 3)
    of_pairs, (runs, kinds), _ = average_repeats(table, (run, kind), missing="mask")
    assert_array_equal(of_pairs, table[runs * 3 + kinds])


def test_averages_go_straight_into_an_encoder():
    trials, image = make(1, 0.5, n_images=40)
    averages, _, _ = average_repeats(trials, image, missing="mask")
    assert np.isnan(averages).any()
    X = np.random.default_rng(2).standard_normal((40, 3))
    encoder = SparsePositiveEncoder("ols", missing="mask").fit(X, averages)
    assert np.isfinite(encoder.coef_).all()


def test_errors():
    trials, image = make(2, 0.3)
    for measure in (average_repeats, noise_ceiling_snr):
        with pytest.raises(ValueError, match="trials must be finite"):
            measure(trials, image)
        with pytest.raises(ValueError, match='missing must be "error" or "mask"'):
            measure(trials, image, missing="drop")
        with pytest.raises(ValueError, match="trials must be of shape"):
            measure(trials, missing="mask")
    trials[0, 0] = np.inf
    for measure in (average_repeats, noise_ceiling_snr):
        with pytest.raises(ValueError, match="must be finite"):
            measure(trials, image, missing="mask")
