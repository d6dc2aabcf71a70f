"""Averages and variance components of repeated trials."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from skalign.metrics import (
    _directions,
    average_repeats,
    noise_ceiling_snr,
    split_half_reliability,
    variance_components,
)
from tests.metrics.repeated_trials import (
    MIXED,
    SCALES,
    few,
    in_slots,
    repeated,
    simulate,
    slow_components,
    trials_of_any_scale,
)


@few
@given(repeated())
def test_components_are_those_of_the_definition(data):
    trials, image_ids = data
    for found in (
        variance_components(trials, image_ids),
        variance_components(in_slots(trials, image_ids)),
    ):
        expected = np.transpose([slow_components(target, image_ids) for target in trials.T])
        assert_allclose([found.signal, found.noise], expected, atol=1e-9)
        assert_array_equal(found.n_repeats, np.unique(image_ids, return_counts=True)[1])


@pytest.mark.parametrize("ncsnr", [0, 0.2, 1])
@pytest.mark.parametrize("n_repeats", [np.full(50, 3), MIXED], ids=["equal", "mixed"])
def test_components_are_unbiased(n_repeats, ncsnr):
    found = variance_components(*simulate(np.random.default_rng(0), n_repeats, 4000, ncsnr))
    for component, truth in [(found.signal, ncsnr**2), (found.noise, 1)]:
        error = component.std() / np.sqrt(component.size)
        assert abs(component.mean() - truth) < 3 * error
        assert error < 0.02
    if ncsnr == 0:  # not truncated
        assert 0.3 < (found.signal < 0).mean() < 0.7


def test_known_total_variance_leaves_the_signal():
    """The ncsnr of the Natural Scenes Dataset: z-scored sessions, images with three trials."""
    rng = np.random.default_rng(0)
    trials, _ = simulate(rng, np.full(400, 1), 5, 0.5)
    trials = trials[:, np.newaxis] + 2 * rng.standard_normal((400, 3, 5))
    trials = (trials - trials.mean(axis=(0, 1))) / trials.std(axis=(0, 1))
    noise = np.sqrt(trials.var(axis=1, ddof=1).mean(axis=0))
    expected = np.sqrt(np.maximum(1 - noise**2, 0)) / noise
    assert_allclose(noise_ceiling_snr(trials, total_variance=1), expected)
    assert_allclose(noise_ceiling_snr(trials), expected, atol=0.06)


@few
@given(repeated())
def test_averages(data):
    trials, image_ids = data
    averages, images, n_repeats = average_repeats(trials, image_ids)
    assert_array_equal(images, np.unique(image_ids))
    for average, image, count in zip(averages, images, n_repeats, strict=True):
        assert_allclose(average, trials[image_ids == image].mean(axis=0), atol=1e-12)
        assert count == (image_ids == image).sum()
    in_three, rows, counts = average_repeats(in_slots(trials, image_ids))
    assert_allclose(in_three, averages, atol=1e-12)
    assert_array_equal(rows, np.arange(len(averages)))
    assert_array_equal(counts, n_repeats)


def test_blocks_are_averaged_by_all_their_labels():
    run = np.array([1, 0, 1, 1, 0, 1])
    category = np.array(["face", "house", "house", "face", "house", "face"])
    averages, (runs, categories), sizes = average_repeats(
        np.arange(6.0)[:, np.newaxis], (run, category)
    )
    assert list(zip(runs, categories, strict=True)) == [(0, "house"), (1, "face"), (1, "house")]
    assert_allclose(averages[:, 0], [2.5, 8 / 3, 2])
    assert_array_equal(sizes, [2, 3, 1])
    labels = np.char.add(run.astype(str), category)
    expected = variance_components(np.square(np.arange(6.0))[:, np.newaxis], labels)
    found = variance_components(np.square(np.arange(6.0))[:, np.newaxis], (run, category))
    assert_array_equal(found.signal, expected.signal)


def test_averages_keep_single_precision_and_count_in_double():
    trials = np.full((3, 1000, 1), 0.1, dtype=np.float32)
    averages, _, _ = average_repeats(trials)
    assert averages.dtype == np.float32
    assert_array_equal(averages, np.float32(0.1))
    counts = np.array([[30000], [30001]], dtype=np.int16)
    assert_array_equal(average_repeats(counts, [0, 0])[0], [[30000.5]])


def test_memory_mapped_trials_are_walked_in_blocks(monkeypatch, tmp_path):
    trials, image_ids = simulate(np.random.default_rng(0), MIXED, 23, 0.5)
    flat = np.memmap(tmp_path / "trials", mode="w+", shape=trials.shape, dtype=np.float32)
    flat[:] = trials
    expected = variance_components(flat, image_ids), average_repeats(flat, image_ids)[0]
    halves = split_half_reliability(flat, image_ids, random_state=0)
    monkeypatch.setattr(_directions, "_BLOCK_BYTES", 8 * 8 * len(trials) * 5)
    read_only = np.memmap(tmp_path / "trials", mode="r", shape=trials.shape, dtype=np.float32)
    found = variance_components(read_only, image_ids)
    assert_allclose([found.signal, found.noise], [expected[0].signal, expected[0].noise])
    assert_array_equal(average_repeats(read_only, image_ids)[0], expected[1])
    assert_allclose(split_half_reliability(read_only, image_ids, random_state=0), halves)


def test_variances_of_any_scale_are_right_or_refused():
    one, scaled = trials_of_any_scale()
    within = np.abs(np.log10(SCALES)) < 150
    found, expected = variance_components(scaled[..., within]), variance_components(one)
    assert_allclose(found.noise, expected.noise * SCALES[within] ** 2, rtol=1e-12)
    assert_allclose(found.signal, expected.signal * SCALES[within] ** 2, rtol=1e-12)
    for column, how in ((0, "underflow"), (1, "underflow"), (6, "overflow"), (7, "overflow")):
        with pytest.raises(ValueError, match=rf"\(target 0\), whose squares {how}. Rescale them"):
            variance_components(scaled[..., [column]])


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1.0, ValueError), ("1", TypeError)]
)
def test_total_variance_is_checked(value, error):
    with pytest.raises(error, match="total_variance must be"):
        noise_ceiling_snr(np.ones((3, 2, 1)), total_variance=value)


trials = np.ones((6, 2))
ids = [0, 0, 1, 1, 2, 2]
table = np.arange(12.0).reshape(3, 2, 2)
partly = table.copy()
partly[0, 0, 1] = np.nan
hidden = table.copy()
hidden[0, 0, 0] = np.nan
unseen = table.copy()
unseen[1] = np.nan


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (noise_ceiling_snr, (trials,), "got 2 dimensions without image_ids"),
        (noise_ceiling_snr, (table, [0, 1, 2]), "got 3 dimensions with image_ids"),
        (noise_ceiling_snr, (trials, ids[:5]), r"one label per trial, 6 here; got shape \(5,"),
        (noise_ceiling_snr, (trials, np.arange(6)), "repeatedly; got 6 trials of 6 images"),
        (noise_ceiling_snr, (trials, np.zeros(6)), "at least two images.*of 1 images"),
        (noise_ceiling_snr, (trials * np.nan, ids), "trials must be finite"),
        (noise_ceiling_snr, (partly,), "NaN in all targets at once"),
        (noise_ceiling_snr, (hidden,), "NaN in all targets at once"),
        (average_repeats, (unseen,), "got none of 1 images"),
    ],
)
def test_errors_name_the_argument(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)
