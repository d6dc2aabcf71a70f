"""Moments over many draws of images, against explicit loops and scipy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import bootstrap, pearsonr

from skalign.metrics import (
    BootstrapDraws,
    ImagesToDraw,
    JackknifeDraws,
    ReorientationOfDraws,
    _directions,
    _resampled,
    pearson_r,
    pearson_r_of_draws,
    pearson_r_standard_error,
    tuning_reorientation,
)

GROUPS = np.array(list("aabbbcdddddeef"))


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    observed = rng.standard_normal((14, 6)) + 100
    return observed, observed @ rng.standard_normal((6, 6)) + rng.standard_normal((14, 6))


def drawn(draws):
    return np.stack([draws.weight(draw) for draw in range(draws.n_draws)])


def one_by_one(draws, observed, predicted):
    return np.stack(
        [pearson_r(observed, predicted, sample_weight=weight) for weight in drawn(draws)], axis=1
    )


@pytest.mark.parametrize("groups", [None, GROUPS])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [lambda images: BootstrapDraws(images, 30, 0), JackknifeDraws])
def test_equals_a_weighted_r_for_every_draw(pair, groups, weighted, kind):
    weight = np.random.default_rng(1).integers(1, 4, 14) if weighted else None
    draws = kind(ImagesToDraw(14, weight, groups))
    assert_allclose(pearson_r_of_draws(draws, *pair), one_by_one(draws, *pair), atol=1e-12)


def test_counts_are_repeated_rows(pair):
    draws = BootstrapDraws(ImagesToDraw(14, None), 20, 0)
    counts = np.rint(drawn(draws) * 14).astype(int)
    assert_array_equal(counts.sum(axis=1), 14)
    repeated = [[np.repeat(array, count, axis=0) for array in pair] for count in counts]
    expected = np.stack([pearsonr(*arrays, axis=0).statistic for arrays in repeated], axis=1)
    assert_allclose(pearson_r_of_draws(draws, *pair), expected, atol=1e-12)


def test_whole_groups_are_drawn():
    images = ImagesToDraw(14, np.arange(1.0, 15), GROUPS)
    share = drawn(BootstrapDraws(images, 50, 0))
    multiplicity = share / np.arange(1, 15)
    for group in np.unique(GROUPS):
        assert_allclose(np.ptp(multiplicity[:, group == GROUPS], axis=1), 0, atol=1e-12)
    left_out = drawn(JackknifeDraws(images)) == 0
    assert_array_equal(left_out, np.unique(GROUPS)[:, np.newaxis] == GROUPS)


def test_standard_error_equals_scipys(pair):
    found = pearson_r_standard_error(*pair, n_resamples=99, random_state=3)
    for target, expected in enumerate(found):
        observed, predicted = (array[:, target] for array in pair)

        def r(images, axis, observed=observed, predicted=predicted):
            return pearsonr(observed[images], predicted[images], axis=axis).statistic

        images, state = (np.arange(14),), np.random.RandomState(3)
        scipys = bootstrap(images, r, n_resamples=99, random_state=state, method="percentile")
        assert_allclose(expected, scipys.standard_error)


def test_standard_error_is_near_the_formula_for_normal_data():
    rng = np.random.default_rng(0)
    observed = rng.standard_normal((500, 40))
    predicted = observed + rng.standard_normal((500, 40))
    error = pearson_r_standard_error(observed, predicted)
    assert_allclose(error.mean(), 0.5 / np.sqrt(500), rtol=0.1)


def test_undefined_draws_count_as_zero():
    observed, predicted = np.arange(4.0), np.array([0.0, 0.0, 0.0, 1.0])
    draws = BootstrapDraws(ImagesToDraw(4, None), 200, 0)
    r = pearson_r_of_draws(draws, observed[:, np.newaxis], predicted[:, np.newaxis])
    assert 0 < np.isnan(r).sum() < 200
    expected = np.where(np.isnan(r), 0, r).std(axis=1, ddof=1)
    assert_allclose(pearson_r_standard_error(observed, predicted), expected)
    assert_array_equal(pearson_r_standard_error(observed, np.ones(4)), 0)


@pytest.mark.parametrize("offset", [0, 0.1, -1e5])
def test_draws_that_are_nearly_constant_are_computed_afresh(offset):
    """Half the values are equal; the median is then no help, and moments cancel."""
    steps, jitter = np.repeat([0.0, 1.0], 3), np.array([0, 0, 0, 1e-7, 2e-7, 4e-7])
    observed = np.column_stack([steps, steps + jitter]) + offset
    predicted = np.random.default_rng(0).standard_normal((6, 2))
    draws = BootstrapDraws(ImagesToDraw(6, None), 500, 0)
    expected = one_by_one(draws, observed, predicted)
    assert np.isnan(expected).any()
    assert_allclose(pearson_r_of_draws(draws, observed, predicted), expected, atol=1e-7)


def test_an_outlier_does_not_blur_the_draws_without_it():
    rng = np.random.default_rng(0)
    observed, predicted = rng.standard_normal((2, 20, 3))
    observed[0] = 1e9
    draws = BootstrapDraws(ImagesToDraw(20, None), 40, 0)
    expected = one_by_one(draws, observed, predicted)
    assert_allclose(pearson_r_of_draws(draws, observed, predicted), expected, atol=1e-6)


def test_images_without_weight_are_not_there(pair):
    weight = np.ones(14)
    weight[[2, 9]] = 0
    kept = [array[weight > 0] for array in pair]
    pair[0][2] = np.nan
    found = pearson_r_standard_error(*pair, sample_weight=weight)
    assert_allclose(found, pearson_r_standard_error(*kept))


def test_targets_are_walked_in_blocks(pair, monkeypatch):
    expected = pearson_r_standard_error(*pair)
    monkeypatch.setattr(_directions, "_BLOCK_BYTES", 8 * 5 * (14 + 200) * 2)
    sizes = []
    monkeypatch.setattr(
        _resampled,
        "pearson_r_of_draws",
        lambda draws, *block: sizes.append(block[0].shape[1]) or pearson_r_of_draws(draws, *block),
    )
    assert_allclose(pearson_r_standard_error(*pair), expected)
    assert sizes == [2, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2], [1, 2, 3]), {}, "y_pred must have the shape"),
        (([1, np.nan], [1, 2]), {}, "y_true must be finite"),
        (([1, 2], [1, np.inf]), {}, "y_pred must be finite"),
        (([1, 2], [1, 2]), {"sample_weight": [1]}, "one weight per sample"),
    ],
)
def test_errors_name_the_argument(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        pearson_r_standard_error(*arguments, **options)


def test_groups_of_the_wrong_length():
    with pytest.raises(ValueError, match="groups must be 1-D, one label per sample, 3 here"):
        ImagesToDraw(3, None, [1, 2])


@pytest.fixture(params=[np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def reached(request):
    """Features, some silent on most images, the targets that weights reach, and these."""
    rng = np.random.default_rng(2)
    features = rng.standard_normal((14, 8)) + 1
    features[:, 1:4] *= rng.random((14, 3)) < 0.2
    weights = rng.standard_normal((6, 8)) * (rng.random((6, 8)) < 0.5)
    weights[0, [0, *range(4, 8)]] = 0  # nothing but units that are silent in some draws
    weights[3] = 0
    targets = features @ weights.T + 0.3
    targets[:, 4] = 0
    return request.param(features), targets, request.param(weights)


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("groups", [None, GROUPS])
@pytest.mark.parametrize("kind", [lambda images: BootstrapDraws(images, 60, 0), JackknifeDraws])
def test_theta_equals_a_weighted_theta_for_every_draw(reached, center, groups, kind):
    draws = kind(ImagesToDraw(14, np.random.default_rng(1).integers(1, 4, 14), groups))
    expected = [
        tuning_reorientation(*reached, center=center, sample_weight=weight)
        for weight in drawn(draws)
    ]
    expected = np.transpose(expected)
    features, targets, weights = reached
    over = ReorientationOfDraws(draws, features, weights, center)
    blocks = slice(0, 4), slice(4, 6)
    found = np.vstack([over.theta(targets[:, block], block) for block in blocks])
    assert np.isnan(expected[3:5]).all()
    assert not np.isnan(expected[[1, 2, 5]]).any()
    assert_allclose(found, expected, atol=1e-10)


def test_pairs_of_a_target_and_a_unit_are_walked_in_blocks(reached, monkeypatch):
    features, targets, weights = reached
    draws = BootstrapDraws(ImagesToDraw(14, None), 20, 0)
    everything = slice(0, 6)
    expected = ReorientationOfDraws(draws, features, weights, False).theta(targets, everything)
    monkeypatch.setattr(_directions, "_BLOCK_BYTES", 8 * 5 * (14 + 20) * 3)
    found = ReorientationOfDraws(draws, features, weights, False).theta(targets, everything)
    assert_allclose(found, expected)


def test_no_weights_at_all():
    draws = BootstrapDraws(ImagesToDraw(5, None), 3, 0)
    over = ReorientationOfDraws(draws, np.ones((5, 2)), np.zeros((4, 2)), True)
    assert np.isnan(over.theta(np.ones((5, 4)), slice(0, 4))).all()


def test_weights_that_are_not_finite():
    draws = BootstrapDraws(ImagesToDraw(5, None), 3, 0)
    with pytest.raises(ValueError, match="weights must be finite"):
        ReorientationOfDraws(draws, np.ones((5, 2)), np.array([[1, np.nan]]), True)
