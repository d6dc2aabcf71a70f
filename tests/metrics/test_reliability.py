"""Split halves, and targets that are chosen for their reliability on training images."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skalign.metrics import (
    reliable_targets,
    split_half_reliability,
)
from tests.metrics.repeated_trials import (
    MIXED,
    in_slots,
    simulate,
    trials_of_any_scale,
)


@pytest.mark.parametrize(
    "n_repeats", [np.full(150, 2), np.full(150, 3), MIXED], ids=["two", "three", "mixed"]
)
@pytest.mark.parametrize("ncsnr", [0, 0.5, 1.5])
def test_split_halves_find_the_reliability_of_the_average(n_repeats, ncsnr):
    rng = np.random.default_rng(0)
    trials, image_ids = simulate(rng, n_repeats, 300, ncsnr)
    found = split_half_reliability(trials, image_ids, n_splits=5, random_state=0)
    expected = ncsnr**2 / (ncsnr**2 + np.mean(1 / n_repeats[n_repeats > 1]))
    assert abs(found.mean() - expected) < 0.02
    assert np.abs(found).max() < 1
    if ncsnr == 0:  # halves that share a trial would correlate
        assert 0.3 < (found < 0).mean() < 0.7


def test_two_trials_are_two_halves():
    """One of the random deals puts all first trials into one half."""
    noise = np.array([1.0, -1, 1, -1, 1, -1])
    signal = np.array([3.0, 3, 0, 0, -3, -3])
    trials = np.stack([signal + noise, signal - noise], axis=1)[:, :, np.newaxis]
    found = [split_half_reliability(trials, n_splits=1, random_state=seed)[0] for seed in range(99)]
    r = np.corrcoef(signal + noise, signal - noise)[0, 1]
    assert np.isclose(found, 2 * r / (1 + r)).any()
    dealt = [split_half_reliability(trials, random_state=0) for _ in range(2)]
    assert_array_equal(*dealt)


def test_targets_are_chosen_by_training_images_alone():
    rng = np.random.default_rng(0)
    trials, image_ids = simulate(rng, np.full(300, 3), 3, np.array([1, 0.1, 0.6]))
    train = rng.permutation(300)[:200]
    spoilt = trials.copy()
    spoilt[~np.isin(image_ids, train)] = np.nan
    for options, expected in [
        ({}, [True, False, True]),
        ({"min_ncsnr": 0.8}, [True, False, False]),
        ({"min_ncsnr": None, "min_split_half": 0.3}, [True, False, True]),
        ({"min_split_half": 0.6, "random_state": 0}, [True, False, False]),
    ]:
        mask = reliable_targets(spoilt, image_ids, train_images=train, **options)
        assert_array_equal(mask, expected)
    table = in_slots(trials, image_ids)
    unread = np.setdiff1d(np.arange(300), train)
    table[unread] = np.nan
    table[unread[0], 0, 1] = np.inf
    assert_array_equal(reliable_targets(table, train_images=train), [True, False, True])


def test_split_halves_do_not_depend_on_the_scale():
    one, scaled = trials_of_any_scale()
    halves = split_half_reliability(scaled, random_state=0)
    assert_allclose(halves, split_half_reliability(one, random_state=0).repeat(8), rtol=1e-10)
    assert reliable_targets(scaled, train_images=np.arange(50), min_ncsnr=0.1).all()


trials = np.ones((6, 2))
ids = [0, 0, 1, 1, 2, 2]
table = np.arange(12.0).reshape(3, 2, 2)


@pytest.mark.parametrize(
    ("function", "arguments", "options", "message"),
    [
        (split_half_reliability, (table[:2],), {}, "at least three images repeatedly"),
        (split_half_reliability, (table,), {"n_splits": 0}, "n_splits must be an integer"),
        (reliable_targets, (table,), {"train_images": [0, 9]}, "got 1 that have none, such as"),
        (reliable_targets, (table,), {"train_images": [True] * 3}, "not a mask"),
        (reliable_targets, (table,), {"train_images": [0], "min_ncsnr": None}, "got None for both"),
        (reliable_targets, (trials, (ids, ids)), {"train_images": [0]}, "got a tuple of 2 labels"),
    ],
)
def test_errors_name_the_argument(function, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments, **options)
