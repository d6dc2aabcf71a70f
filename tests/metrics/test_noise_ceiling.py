"""Noise ceilings, and scores divided by them."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import clone, config_context
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score

from skalign.metrics import (
    NoiseCeiling,
    PearsonScorer,
    average_repeats,
    noise_ceiling,
    noise_ceiling_snr,
    normalize_scores,
    pearson_r,
    reliable_targets,
    split_half_reliability,
)
from tests.metrics.repeated_trials import (
    MIXED,
    SCALES,
    simulate,
    trials_of_any_scale,
)


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


table = np.arange(12.0).reshape(3, 2, 2)


@pytest.mark.parametrize(
    ("function", "arguments", "options", "message"),
    [
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


def test_ratio_does_not_depend_on_the_scale():
    one, scaled = trials_of_any_scale()
    assert_allclose(noise_ceiling_snr(scaled), noise_ceiling_snr(one).repeat(8), rtol=1e-12)
    shifted = noise_ceiling_snr(scaled + 5 * SCALES)
    assert_allclose(shifted, noise_ceiling_snr(one + 5).repeat(8), rtol=1e-12)
    ceiling = noise_ceiling(trials=scaled)
    assert_allclose(ceiling.values, noise_ceiling(trials=one).values.repeat(8), rtol=1e-12)
