"""Bootstrap intervals against scipy over repeated rows, explicit loops, and their coverage."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import binomtest, bootstrap, pearsonr
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder
from skalign.inference import (
    bootstrap_alignment,
    bootstrap_alignment_arrays,
    bootstrap_alignment_difference,
    bootstrap_mean,
)
from skalign.metrics import _directions, alignment, pearson_r, tuning_reorientation

N_IMAGES, N_TARGETS = 16, 3
GROUPS = np.repeat([3, 1, 7, 2, 9], [2, 4, 3, 3, 4])
METHODS = ["percentile", "basic", "BCa"]


def make_arrays(seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((N_IMAGES, 5)) + 0.5
    weights = rng.standard_normal((N_TARGETS, 5)) * (rng.random((N_TARGETS, 5)) < 0.8)
    y_pred = features @ weights.T
    return features, y_pred + rng.standard_normal(y_pred.shape), y_pred, weights


@pytest.fixture
def arrays():
    return make_arrays()


def on_rows(rows, features, y_true, y_pred, weights, **options):
    """Values of r and theta on repeated rows: per target, then their means; (2, n_targets + 1)."""
    r = pearsonr(y_true[rows], y_pred[rows], axis=0).statistic
    theta = tuning_reorientation(features[rows], y_pred[rows], weights, **options)
    return np.stack([np.append(r, r.mean()), np.append(theta, theta.mean())])


def by_scipy(statistic, place, n, method, n_resamples):
    """Low, high and standard error of one of the values that a statistic of indices returns."""
    found = bootstrap(
        (np.arange(n),),
        lambda index: statistic(tuple(index))[place],
        vectorized=False,
        n_resamples=n_resamples,
        method=method,
        random_state=np.random.RandomState(5),
    )
    return [*found.confidence_interval, found.standard_error]


def ends(found):
    """Low, high and standard error as (2, n_targets + 1) arrays."""
    return [
        np.stack(
            [
                np.append(getattr(targets, name), getattr(mean, name))
                for targets, mean in (
                    (found.target_r, found.r),
                    (found.target_theta, found.theta),
                )
            ]
        )
        for name in ("low", "high", "standard_error")
    ]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("center", [False, True])
def test_equals_scipy_over_repeated_rows(arrays, method, center):
    @functools.cache  # scipy asks for one value at a time, in the same draws
    def statistic(rows):
        return on_rows(list(rows), *arrays, center=center)

    options = {"n_resamples": 99, "method": method, "random_state": 5}
    found = bootstrap_alignment_arrays(*arrays, center=center, **options)
    for place in np.ndindex(2, N_TARGETS + 1):
        expected = by_scipy(statistic, place, N_IMAGES, method, 99)
        assert_allclose([end[place] for end in ends(found)], expected, rtol=1e-9)
    estimate = statistic(tuple(range(N_IMAGES)))
    assert_allclose(np.append(found.target_r.estimate, found.r.estimate), estimate[0])
    assert_allclose(np.append(found.target_theta.estimate, found.theta.estimate), estimate[1])


@pytest.mark.parametrize("method", METHODS)
def test_whole_groups_are_drawn(arrays, method):
    groups = np.unique(GROUPS)

    @functools.cache
    def statistic(index):
        rows = np.concatenate([np.flatnonzero(group == GROUPS) for group in groups[list(index)]])
        return on_rows(rows, *arrays)

    found = bootstrap_alignment_arrays(
        *arrays, groups=GROUPS, n_resamples=60, method=method, random_state=5
    )
    for row, mean in enumerate((found.r, found.theta)):
        expected = by_scipy(statistic, (row, -1), 5, method, 60)
        assert_allclose([mean.low, mean.high, mean.standard_error], expected, rtol=1e-9)


def test_weights_of_images_weigh_and_those_without_are_not_there(arrays):
    features, y_true, y_pred, weights = arrays
    weight = np.random.default_rng(3).random(N_IMAGES)
    weight[[1, 8]] = 0
    kept = weight > 0
    options = {"random_state": 0, "n_resamples": 30, "method": "BCa"}
    found = bootstrap_alignment_arrays(*arrays, sample_weight=weight, groups=GROUPS, **options)
    expected = bootstrap_alignment_arrays(
        features[kept],
        y_true[kept],
        y_pred[kept],
        weights,
        sample_weight=weight[kept],
        groups=GROUPS[kept],
        **options,
    )
    assert_allclose(ends(found), ends(expected))
    r = pearson_r(y_true, y_pred, sample_weight=weight)
    assert_allclose(found.target_r.estimate, r)


def make_estimators():
    scaled = make_pipeline(StandardScaler(), Ridge())
    return {
        "plain": SparsePositiveEncoder(alpha=0.05),
        "pipeline": scaled,
        "target transformer": TransformedTargetRegressor(scaled, transformer=StandardScaler()),
        "several maps": MultiOutputRegressor(scaled),
    }


@pytest.mark.parametrize("name", make_estimators())
@pytest.mark.parametrize("target", ["predicted", "observed"])
def test_estimator_equals_its_arrays(name, target):
    features, Y, *_ = make_arrays(1)
    model = make_estimators()[name].fit(features, Y)
    rows = np.random.RandomState(0).randint(0, N_IMAGES, (40, N_IMAGES))
    drawn = [alignment(model, features[some], Y[some], target=target) for some in rows]
    found = bootstrap_alignment(
        model, features, Y, target=target, n_resamples=40, random_state=0, confidence_level=0.8
    )
    whole = alignment(model, features, Y, target=target)
    for measure, interval in (("r", found.target_r), ("theta", found.target_theta)):
        expected = np.quantile([getattr(one, measure) for one in drawn], [0.1, 0.9], axis=0)
        assert_allclose([interval.low, interval.high], expected, rtol=1e-9)
        assert_allclose(interval.estimate, getattr(whole, measure))


def test_sparse_arrays_and_single_targets(arrays):
    features, y_true, y_pred, weights = arrays
    options = {"n_resamples": 20, "random_state": 0}
    expected = bootstrap_alignment_arrays(*arrays, **options)
    found = bootstrap_alignment_arrays(
        sparse.csc_matrix(features), y_true, y_pred, sparse.coo_array(weights), **options
    )
    assert_allclose(ends(found), ends(expected))
    single = bootstrap_alignment_arrays(
        features, y_true[:, 0].tolist(), y_pred[:, 0], weights[0], **options
    )
    assert_allclose(single.target_theta.high, expected.target_theta.high[:1])
    assert_allclose(single.theta.high, expected.target_theta.high[0])


def test_blocks_of_targets_change_nothing(arrays, monkeypatch):
    options = {"method": "BCa", "n_resamples": 50, "random_state": 0}
    expected = bootstrap_alignment_arrays(*arrays, **options)
    monkeypatch.setattr(_directions, "_BLOCK_BYTES", 8 * 5 * (N_IMAGES + 50) * 2)
    assert_allclose(ends(bootstrap_alignment_arrays(*arrays, **options)), ends(expected))


def test_target_without_weights_is_left_out_of_theta_and_counts_as_r_zero(arrays):
    features, y_true, y_pred, weights = arrays
    options = {"n_resamples": 40, "random_state": 0}
    expected = bootstrap_alignment_arrays(*arrays, **options)
    empty = [np.column_stack([array, np.zeros(N_IMAGES)]) for array in (y_true, y_pred)]
    empty[0][:, -1] = y_true[:, 0]
    weights = np.vstack([weights, np.zeros(5)])
    found = bootstrap_alignment_arrays(features, *empty, weights, **options)
    assert found.theta.n_left_out == 1
    assert_array_equal(found.target_theta.n_undefined, [0, 0, 0, 40])
    assert_array_equal(found.target_r.n_undefined, [0, 0, 0, 40])
    for name in ("estimate", "low", "high", "standard_error"):
        assert_allclose(getattr(found.theta, name), getattr(expected.theta, name))
        assert_allclose(getattr(found.r, name), getattr(expected.r, name) * 3 / 4)
        assert np.isnan(getattr(found.target_theta, name)[-1])
        assert getattr(found.target_r, name)[-1] == 0


def test_draws_without_a_theta_are_counted():
    """A unit that answers to one image is silent in about (1 - 1/n)^n of the draws."""
    features = np.eye(10)[:, :1]
    found = bootstrap_alignment_arrays(
        features, np.arange(10.0), features, [1.0], n_resamples=400, random_state=0
    )
    silent = found.target_theta.n_undefined[0]
    assert binomtest(int(silent), 400, 0.9**10).pvalue > 1e-3
    assert found.theta.n_undefined == found.target_r.n_undefined[0] == silent
    assert found.theta.standard_error == found.theta.low == found.theta.high == 0
    assert found.r.high == 0  # as the draws in which r is undefined


@pytest.mark.parametrize("center", [False, True])
def test_difference_is_that_of_paired_draws(arrays, center):
    features, y_true, y_pred, weights = arrays
    others = make_arrays(1), make_arrays(2)
    pair = [(other[0], other[2], other[3]) for other in others]
    found = bootstrap_alignment_difference(
        (features, y_pred, weights),
        pair,
        y_true,
        center=center,
        n_resamples=50,
        random_state=0,
        confidence_level=0.9,
    )
    differences = []
    for rows in np.random.RandomState(0).randint(0, N_IMAGES, (50, N_IMAGES)):
        first = on_rows(rows, *arrays, center=center)
        second = [on_rows(rows, o[0], y_true, o[2], o[3], center=center) for o in others]
        differences.append(first - np.mean(second, axis=0))
    expected = np.quantile(differences, [0.05, 0.95], axis=0)
    assert_allclose(ends(found)[:2], expected, rtol=1e-8)


def test_difference_of_fitted_estimators_from_themselves_is_zero():
    features, Y, *_ = make_arrays()
    fitted = (SparsePositiveEncoder(alpha=0.05).fit(features, Y), features)
    found = bootstrap_alignment_difference(fitted, [fitted, fitted], Y, n_resamples=20)
    assert_allclose([*ends(found)], 0, atol=1e-12)


def test_empty_on_one_side_has_no_difference_in_theta(arrays):
    features, y_true, y_pred, weights = arrays
    lesser, predicted = weights.copy(), y_pred.copy()
    lesser[1], predicted[:, 1] = 0, 0
    found = bootstrap_alignment_difference(
        (features, y_pred, weights), (features, predicted, lesser), y_true, n_resamples=20
    )
    assert found.theta.n_left_out == 1
    assert_array_equal(found.target_theta.n_undefined, [0, 20, 0])
    assert_allclose(found.target_r.estimate, [0, pearson_r(y_true, y_pred)[1], 0], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_over_targets_equals_scipy(method):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 6))
    Y = X @ rng.standard_normal((6, 9)) + rng.standard_normal((50, 9))
    Y[:, 4] = -X.sum(axis=1)  # no positive weight
    model = SparsePositiveEncoder(alpha=0.1).fit(X, Y)
    values = alignment(model, X, Y, undefined_r=0)
    options = {"n_resamples": 99, "method": method}
    found = bootstrap_alignment(model, X, Y, over="targets", random_state=0, **options)
    assert (found.r.n_left_out, found.theta.n_left_out) == (0, 1)
    state = np.random.RandomState(0)
    for interval, of_targets in ((found.r, values.r), (found.theta, values.theta)):
        defined = (of_targets[~np.isnan(of_targets)],)
        expected = bootstrap(defined, np.mean, random_state=state, **options)
        assert_allclose(
            [interval.low, interval.high, interval.standard_error, interval.estimate],
            [*expected.confidence_interval, expected.standard_error, defined[0].mean()],
        )
    assert found.target_r is found.target_theta is None


def test_over_subjects_draws_their_means():
    rng = np.random.default_rng(0)
    matched = [rng.random(size) for size in (5, 8, 3, 9, 4, 6)]
    mismatched = [values + rng.random(values.size) for values in matched]
    mismatched[1][2] = np.nan
    found = bootstrap_mean(matched, mismatched, over="subjects", random_state=1)
    means = [np.nanmean(one - other) for one, other in zip(matched, mismatched, strict=True)]
    state = np.random.RandomState(1)
    expected = bootstrap(
        (means,), np.mean, n_resamples=999, method="percentile", random_state=state
    )
    assert found.n_left_out == 1
    assert_allclose(
        [found.estimate, found.low, found.high, found.standard_error],
        [np.mean(means), *expected.confidence_interval, expected.standard_error],
    )


def test_subject_without_a_value_is_left_out():
    values = [np.array([0.1, 0.2]), np.array([np.nan]), np.array([0.4])]
    found = bootstrap_mean(values, over="subjects", random_state=0)
    assert found.n_left_out == 1
    assert_allclose(found.estimate, (0.15 + 0.4) / 2)
    alone = bootstrap_mean(values[:2], over="subjects")
    assert_allclose(alone.estimate, 0.15)
    assert np.isnan([alone.low, alone.high, alone.standard_error]).all()


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_interval_of_r_covers_the_truth_as_often_as_it_says(method):
    truth, n_images, n_targets = 0.6, 80, 600
    rng = np.random.default_rng(0)
    y_pred, noise = rng.standard_normal((2, n_images, n_targets))
    y_true = truth * y_pred + np.sqrt(1 - truth**2) * noise
    found = bootstrap_alignment_arrays(
        y_pred,
        y_true,
        y_pred,
        sparse.eye_array(n_targets),
        confidence_level=0.9,
        method=method,
        n_resamples=399,
        random_state=0,
    ).target_r
    n_covered = int(((found.low <= truth) & (truth <= found.high)).sum())
    assert abs(n_covered / n_targets - 0.9) < 0.02 + 3 * np.sqrt(0.9 * 0.1 / n_targets)


def test_draws_of_dependent_images_are_too_alike_unless_grouped():
    """Runs of ten equal images know no more than ten times fewer images."""
    y_pred, y_true = np.random.default_rng(0).standard_normal((2, 20, 50))
    runs = [np.repeat(array, 10, axis=0) for array in (y_pred, y_true)]

    def error(y_pred, y_true, groups=None):
        found = bootstrap_alignment_arrays(
            y_pred, y_true, y_pred, sparse.eye_array(50), groups=groups, random_state=0
        )
        return found.target_r.standard_error

    assert_allclose(error(*runs, np.arange(200) // 10), error(y_pred, y_true))
    assert (error(*runs) < 0.5 * error(y_pred, y_true)).all()


def test_equal_seeds_draw_equal_images(arrays):
    found = [
        ends(bootstrap_alignment_arrays(*arrays, n_resamples=20, random_state=seed))
        for seed in (3, np.random.RandomState(3), 4)
    ]
    assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_frames_are_tidy(arrays):
    pytest.importorskip("pandas")
    found = bootstrap_alignment_arrays(*arrays, n_resamples=20, random_state=0)
    columns = ["estimate", "low", "high", "standard_error", "n_undefined"]
    assert list(found.target_r.to_frame().columns) == ["target", *columns]
    assert list(found.r.to_frame().columns) == columns
    frame = found.to_frame()
    assert list(frame.columns) == ["measure", "target", *columns]
    assert frame["measure"].tolist() == ["r"] * 4 + ["theta"] * 4
    assert frame["target"].isna().tolist() == [True, False, False, False] * 2
    assert_allclose(frame["low"][4], found.theta.low)
    assert_allclose(frame["high"][1:4], found.target_r.high)
    over_targets = bootstrap_alignment_arrays(*arrays, over="targets", n_resamples=20).to_frame()
    assert over_targets["measure"].tolist() == ["r", "theta"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"over": "voxels"}, ValueError, 'over must be "images" or "targets"'),
        ({"over": "targets", "groups": GROUPS}, ValueError, 'need over="images"'),
        ({"groups": GROUPS[:3]}, ValueError, "groups must be 1-D, one label per image, 16"),
        ({"groups": np.ones(16)}, ValueError, "at least 2 groups"),
        ({"target": "true"}, ValueError, "target must be"),
        ({"center": 1}, TypeError, "center must be"),
        ({"method": "bca"}, ValueError, "method must be one of"),
        ({"n_resamples": 1}, ValueError, "n_resamples == 1, must be >= 2"),
        ({"n_resamples": 9.0}, TypeError, "n_resamples must be an instance of"),
        ({"confidence_level": 1.0}, ValueError, "confidence_level == 1.0, must be < 1"),
        ({"sample_weight": [1, 2]}, ValueError, "one weight per sample, 16"),
        ({"random_state": "a"}, ValueError, "cannot be used to seed"),
    ],
)
def test_errors_name_the_parameter(arrays, options, error, message):
    with pytest.raises(error, match=message):
        bootstrap_alignment_arrays(*arrays, **options)


@pytest.mark.parametrize(
    ("index", "replacement", "message"),
    [
        (0, np.ones((3, 5)), "one row per image of features"),
        (1, np.ones((N_IMAGES, 2)), "y_pred must have the shape"),
        (3, np.ones((2, 5)), r"weights must have shape \(n_targets, n_units\)"),
        (0, np.full((N_IMAGES, 5), np.nan), "features must be finite"),
    ],
)
def test_arrays_that_do_not_fit(arrays, index, replacement, message):
    given = list(arrays)
    given[index] = replacement
    with pytest.raises(ValueError, match=message):
        bootstrap_alignment_arrays(*given)


@pytest.mark.parametrize("given", [[], None, (1,), [Ridge()]])
def test_what_is_compared_must_be_tuples(arrays, given):
    features, y_true, y_pred, weights = arrays
    with pytest.raises(TypeError, match="first and second must be tuples"):
        bootstrap_alignment_difference((features, y_pred, weights), given, y_true)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1.0],), {}, "over targets needs at least 2 of them, got 1"),
        (([[1.0, 2.0]],), {"over": "subjects"}, "over subjects needs at least 2 of them, got 1"),
        (([[1.0, 2.0]],), {}, "values must be 1-D"),
        (([1.0, np.inf],), {}, "infinity"),
        (([1.0, 2.0], [1.0, 2.0, 3.0]), {}, "minus must have one value per target of values, 2"),
        (([[1], [2]], [[1]]), {"over": "subjects"}, "minus must have one array per subject"),
        (([1.0, 2.0],), {"over": "images"}, "over must be"),
    ],
)
def test_means_name_what_is_wrong(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_mean(*arguments, **options)
