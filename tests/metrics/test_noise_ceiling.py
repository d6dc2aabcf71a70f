"""Variance components, ceilings, reliability and averages of repeated trials."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import clone, config_context
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score

from skalign.metrics import (
    NoiseCeiling,
    PearsonScorer,
    _directions,
    average_repeats,
    noise_ceiling,
    noise_ceiling_snr,
    normalize_scores,
    pearson_r,
    reliable_targets,
    split_half_reliability,
    variance_components,
)

few = settings(max_examples=30, deadline=None)
MIXED = np.repeat([1, 2, 3, 5], [40, 60, 80, 20])  # trials of 200 images


def simulate(rng, n_repeats, n_targets, ncsnr):
    """Flat trials in random order, with unit noise and a drifting mean."""
    image_ids = rng.permutation(np.repeat(np.arange(len(n_repeats)), n_repeats))
    signal = ncsnr * rng.standard_normal((len(n_repeats), n_targets)) + 3
    return signal[image_ids] + rng.standard_normal((image_ids.size, n_targets)), image_ids


def in_slots(trials, image_ids):
    """The same in three dimensions, with NaN where there is no trial."""
    images, n_repeats = np.unique(image_ids, return_counts=True)
    table = np.full((images.size, n_repeats.max() + 1, trials.shape[1]), np.nan)
    for row, image in enumerate(images):
        shown = trials[image_ids == image]
        table[row, 1 : len(shown) + 1] = shown  # the first slot is missing everywhere
    return table


def slow_components(trials, image_ids):
    """One target, from the definition."""
    groups = [trials[image_ids == image] for image in np.unique(image_ids)]
    noise = sum(((group - group.mean()) ** 2).sum() for group in groups)
    noise /= sum(len(group) - 1 for group in groups)
    means = np.array([group.mean() for group in groups])
    return means.var(ddof=1) - noise * np.mean([1 / len(group) for group in groups]), noise


@st.composite
def repeated(draw):
    """Trials of a few images, at least one of them repeated."""
    image_ids = draw(st.lists(st.sampled_from("abcd"), min_size=3, max_size=12))
    image_ids = np.array([*image_ids, "a", "a", "b"])
    numbers = st.floats(-10, 10, width=32)
    return draw(arrays(float, (image_ids.size, 2), elements=numbers)), image_ids


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


@pytest.mark.parametrize("n_repeats", [np.full(515, 3), MIXED.repeat(2)], ids=["equal", "mixed"])
def test_a_ceiling_is_what_the_true_signal_reaches(n_repeats):
    rng = np.random.default_rng(1)
    ncsnr = np.repeat([0.3, 0.4, 0.7, 1.5], 100)
    trials, image_ids = simulate(rng, n_repeats, ncsnr.size, 0)
    signal = ncsnr * rng.standard_normal((n_repeats.size, ncsnr.size))
    trials += signal[image_ids]
    averages, images, counts = average_repeats(trials, image_ids)
    assert_array_equal(counts, n_repeats)
    reached = pearson_r(averages, signal[images])
    true = noise_ceiling(ncsnr, n_repeats=n_repeats)
    found = noise_ceiling(trials=trials, image_ids=image_ids)
    variance = found.to_unit("variance")
    for level in np.unique(ncsnr):
        of_level = ncsnr == level
        assert_allclose(reached[of_level].mean(), true.values[of_level].mean(), atol=0.01)
        bias = found.values[of_level].mean() - true.values[of_level].mean()
        assert abs(bias) < 0.02 if level >= 0.4 else -0.04 < bias < -0.01
    assert_allclose(variance.values, found.values**2)
    assert (found.unit, variance.unit) == ("r", "variance")
    assert_allclose(variance.to_unit("r").values, found.values)


def test_repeats_of_the_images_scored_may_be_others():
    ncsnr, a, b, c = np.array([0.2, 1.0]), 7, 5, 3
    mixed = noise_ceiling(ncsnr, n_repeats=[1] * a + [2] * b + [3] * c, unit="variance")
    inverse = (a / 1 + b / 2 + c / 3) / (a + b + c)
    assert_allclose(mixed.values, ncsnr**2 / (ncsnr**2 + inverse))
    trials, image_ids = simulate(np.random.default_rng(0), np.full(99, 4), 3, 0.5)
    found = noise_ceiling_snr(trials, image_ids)
    for n_repeats, options in [(4, {}), (1, {"n_repeats": 1})]:
        ceiling = noise_ceiling(trials=trials, image_ids=image_ids, **options)
        assert_allclose(ceiling.values, found / np.sqrt(found**2 + 1 / n_repeats))


@pytest.mark.parametrize("value", [0.0, 0.1, -1e5])
@pytest.mark.parametrize("total_variance", [None, 1])
def test_a_target_that_never_varies_has_no_ceiling(value, total_variance):
    trials = np.random.default_rng(0).standard_normal((20, 3, 3))
    trials[:, :, 1] = value
    trials[:, :, 2] = trials[:, :1, 2]  # without noise
    snr = noise_ceiling_snr(trials, total_variance=total_variance)
    assert_array_equal(np.isnan(snr), [False, True, False])
    assert snr[2] > 1e6
    assert_array_equal(noise_ceiling(snr, n_repeats=3).values[1:], [np.nan, 1])
    assert_array_equal(np.isnan(split_half_reliability(trials)), [False, True, False])
    assert not reliable_targets(trials, train_images=range(20), min_ncsnr=0)[1]


def test_edges_of_the_ratio():
    ceiling = noise_ceiling([0, np.inf, np.nan], n_repeats=3)
    assert_array_equal(ceiling.values, [0, 1, np.nan])


def test_some_targets_of_a_ceiling():
    ceiling = noise_ceiling([0.2, 0.4, 1.0], n_repeats=3)
    assert_array_equal(ceiling[[True, False, True]].values, ceiling.values[[0, 2]])
    assert ceiling[1].values.shape == (1,)
    assert ceiling.to_unit("variance")[1:].unit == "variance"


def test_scores_are_divided_in_their_own_unit():
    ceiling = NoiseCeiling([0.5, 0.8, 0.0, np.nan], "r")
    scores = np.array([[0.5, -0.4, 0.1, 0.1], [0.25, 0.4, 0.0, 0.0]])
    expected = [[1, -0.5, np.nan, np.nan], [0.5, 0.5, np.nan, np.nan]]
    assert_allclose(normalize_scores(scores, ceiling, unit="r"), expected)
    squared = normalize_scores(scores**2, ceiling.to_unit("variance"), unit="variance")
    assert_allclose(squared, np.square(expected))
    assert_array_equal(normalize_scores(scores[1], ceiling, unit="r", undefined=0)[2:], 0)


@pytest.mark.parametrize(
    ("scores", "ceiling", "unit", "error", "message"),
    [
        ([0.3], NoiseCeiling([0.25], "variance"), "r", ValueError, r'to_unit\("r"\)'),
        ([0.3], NoiseCeiling([0.5], "r"), "variance", ValueError, r'to_unit\("variance"\)'),
        ([0.3], np.array([0.5]), "r", TypeError, "must be a NoiseCeiling.*ndarray"),
        ([0.3, 0.2], NoiseCeiling([0.5], "r"), "r", ValueError, r"got 1 for scores of shape \(2"),
        (0.3, NoiseCeiling([0.5], "r"), "r", ValueError, r"got 1 for scores of shape \(\)"),
        (
            [1.5],
            NoiseCeiling([0.5], "r"),
            "r",
            ValueError,
            "from -1 to 1 .* got 1.5",
        ),
        ([0.3], NoiseCeiling([0.5], "r"), "R2", ValueError, 'unit must be "r" or "variance"'),
    ],
)
def test_units_are_not_mixed(scores, ceiling, unit, error, message):
    with pytest.raises(error, match=message):
        normalize_scores(scores, ceiling, unit=unit)


def make_data():
    """Features and noisy targets; constants of the tests below, so read-only."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 4))
    Y = X @ rng.standard_normal((4, 3)) + 3 * rng.standard_normal((90, 3))
    X.setflags(write=False)
    Y.setflags(write=False)
    return X, Y


X, Y = make_data()
CEILING = noise_ceiling([0.4, 0.7, 1.0], n_repeats=3)


def test_scorer_divides_by_the_ceiling():
    model = Ridge().fit(X, Y)
    r = pearson_r(Y, model.predict(X))
    assert_allclose(PearsonScorer(ceiling=CEILING)(model, X, Y), (r / CEILING.values).mean())
    assert_allclose(PearsonScorer()(model, X, Y), r.mean())


@pytest.mark.parametrize("routing", [False, True])
def test_scorer_with_a_ceiling_in_a_search(routing):
    scorer = PearsonScorer(ceiling=CEILING)
    with config_context(enable_metadata_routing=routing):
        search = clone(GridSearchCV(Ridge(), {"alpha": [0.1, 1e4]}, scoring=scorer))
        search.fit(X, Y)
        scores = cross_val_score(Ridge(), X, Y, scoring=scorer, error_score="raise")
    assert scores.mean() > cross_val_score(Ridge(), X, Y, scoring=PearsonScorer()).mean()
    assert_allclose(search.cv_results_["mean_test_score"][0], scores.mean(), rtol=1e-2)
    for copied in (search.scoring, clone(scorer), pickle.loads(pickle.dumps(scorer))):
        assert_array_equal(copied.ceiling.values, CEILING.values)
        assert copied.ceiling.unit == "r"


@pytest.mark.parametrize(
    ("ceiling", "error", "message"),
    [
        (CEILING.to_unit("variance"), ValueError, "in the unit of the scores"),
        (CEILING[:2], ValueError, "one value per target; got 2"),
        (CEILING.values, TypeError, "must be a NoiseCeiling"),
        (NoiseCeiling([0.5, 0, np.nan], "r"), ValueError, "above 0.*got 2.*reliable_targets"),
    ],
)
def test_scorer_refuses_a_ceiling_that_does_not_fit(ceiling, error, message):
    with pytest.raises(error, match=message):
        PearsonScorer(ceiling=ceiling)(Ridge().fit(X, Y), X, Y)


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
    ("function", "arguments", "options", "message"),
    [
        (noise_ceiling_snr, (trials,), {}, "got 2 dimensions without image_ids"),
        (noise_ceiling_snr, (table, [0, 1, 2]), {}, "got 3 dimensions with image_ids"),
        (noise_ceiling_snr, (trials, ids[:5]), {}, r"one label per trial, 6 here; got shape \(5,"),
        (noise_ceiling_snr, (trials, np.arange(6)), {}, "repeatedly; got 6 trials of 6 images"),
        (noise_ceiling_snr, (trials, np.zeros(6)), {}, "at least two images.*of 1 images"),
        (noise_ceiling_snr, (trials * np.nan, ids), {}, "trials must be finite"),
        (noise_ceiling_snr, (partly,), {}, "NaN in all targets at once"),
        (noise_ceiling_snr, (hidden,), {}, "NaN in all targets at once"),
        (average_repeats, (unseen,), {}, "got none of 1 images"),
        (noise_ceiling, (), {}, "Either ncsnr or trials must be given; got neither"),
        (noise_ceiling, ([1],), {"trials": table}, "got both"),
        (noise_ceiling, ([1],), {}, "n_repeats must be given"),
        (noise_ceiling, ([1],), {"n_repeats": 0}, "at least 1, or one for every image; got 0"),
        (noise_ceiling, ([1],), {"n_repeats": [3, 0]}, "Drop the images without trials"),
        (noise_ceiling, ([-1],), {"n_repeats": 3}, "ncsnr must be .* minimum of -1"),
        (noise_ceiling, (table,), {"n_repeats": 3}, "Single trials are passed as trials"),
        (noise_ceiling, ([1],), {"n_repeats": 3, "unit": "r2"}, 'unit must be "r" or "variance"'),
        (NoiseCeiling, ([0.5, 1.5], "r"), {}, "from 0 to 1 or NaN.*from 0.5 to 1.5"),
        (NoiseCeiling, ([[0.5]], "r"), {}, r"got shape \(1, 1\)"),
        (split_half_reliability, (table[:2],), {}, "at least three images repeatedly"),
        (
            split_half_reliability,
            (table,),
            {"n_splits": 0},
            "n_splits must be an integer",
        ),
        (reliable_targets, (table,), {"train_images": [0, 9]}, "got 1 that have none, such as"),
        (reliable_targets, (table,), {"train_images": [True] * 3}, "not a mask"),
        (reliable_targets, (table,), {"train_images": [0], "min_ncsnr": None}, "got None for both"),
        (reliable_targets, (trials, (ids, ids)), {"train_images": [0]}, "got a tuple of 2 labels"),
    ],
)
def test_errors_name_the_argument(function, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments, **options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.empty((0, 3)), r"values must be of shape \(n_targets,\); got shape \(0, 3\)"),
        (0.5, r"got shape \(\)"),
        ([0.5, np.nan, 1.2], r"from 0 to 1 or NaN; got values from 0\.5 to 1\.2"),
        ([-0.1], r"from -0\.1 to -0\.1"),
    ],
)
def test_values_that_are_no_ceilings(values, message):
    with pytest.raises(ValueError, match=message):
        NoiseCeiling(values, "r")


@pytest.mark.parametrize(
    ("ncsnr", "message"),
    [
        (np.empty((0, 3)), r"ncsnr must be of shape \(n_targets,\); got shape \(0, 3\)"),
        ([0.5, np.nan, -0.2], r"ncsnr must be at least 0 or NaN; got a minimum of -0\.2"),
    ],
)
def test_values_that_are_no_ncsnr(ncsnr, message):
    with pytest.raises(ValueError, match=message):
        noise_ceiling(ncsnr, n_repeats=3)


SCALES = 10.0 ** np.array([-300, -170, -85, -3, 4, 77, 160, 300])


@pytest.fixture
def trials_of_any_scale():
    rng = np.random.default_rng(3)
    one = rng.standard_normal((50, 1)) + rng.standard_normal((50, 3))
    return one[..., np.newaxis], one[..., np.newaxis] * SCALES


def test_ratio_does_not_depend_on_the_scale(trials_of_any_scale):
    one, scaled = trials_of_any_scale
    assert_allclose(noise_ceiling_snr(scaled), noise_ceiling_snr(one).repeat(8), rtol=1e-12)
    shifted = noise_ceiling_snr(scaled + 5 * SCALES)
    assert_allclose(shifted, noise_ceiling_snr(one + 5).repeat(8), rtol=1e-12)
    ceiling = noise_ceiling(trials=scaled)
    assert_allclose(ceiling.values, noise_ceiling(trials=one).values.repeat(8), rtol=1e-12)
    halves = split_half_reliability(scaled, random_state=0)
    assert_allclose(halves, split_half_reliability(one, random_state=0).repeat(8), rtol=1e-10)
    assert reliable_targets(scaled, train_images=np.arange(50), min_ncsnr=0.1).all()


def test_variances_of_any_scale_are_right_or_refused(trials_of_any_scale):
    one, scaled = trials_of_any_scale
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
