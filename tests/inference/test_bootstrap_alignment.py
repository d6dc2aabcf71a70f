"""Bootstrap intervals against scipy over repeated rows, explicit loops, and their coverage."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import binomtest, bootstrap
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder
from skalign.inference import bootstrap_alignment
from skalign.metrics import _directions, alignment, pearson_r
from tests.inference.fitted_maps import (
    GROUPS,
    N_IMAGES,
    N_TARGETS,
    RANGES,
    bootstrap_arrays,
    ends,
    make_arrays,
    on_rows,
)

METHODS = ["percentile", "basic", "BCa"]
few = pytest.mark.filterwarnings("ignore:A .* interval should have at least 10")


@pytest.fixture
def arrays():
    return make_arrays()


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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("center", [False, True])
def test_equals_scipy_over_repeated_rows(arrays, method, center):
    @functools.cache  # scipy asks for one value at a time, in the same draws
    def statistic(rows):
        return on_rows(list(rows), *arrays, center=center)

    options = {"n_resamples": 99, "method": method, "random_state": 5}
    found = bootstrap_arrays(*arrays, center=center, **options)
    for place in np.ndindex(2, N_TARGETS + 1):
        low, high, error = by_scipy(statistic, place, N_IMAGES, method, 99)
        expected = [*np.clip([low, high], *RANGES[place[0]]), error]
        assert_allclose([end[place] for end in ends(found)], expected, rtol=1e-9)
    estimate = statistic(tuple(range(N_IMAGES)))
    assert_allclose(np.append(found.target_r.estimate, found.r.estimate), estimate[0])
    assert_allclose(np.append(found.target_theta.estimate, found.theta.estimate), estimate[1])


@few
@pytest.mark.parametrize("method", METHODS)
def test_whole_groups_are_drawn(arrays, method):
    groups = np.unique(GROUPS)

    @functools.cache
    def statistic(index):
        rows = np.concatenate([np.flatnonzero(group == GROUPS) for group in groups[list(index)]])
        return on_rows(rows, *arrays)

    found = bootstrap_arrays(*arrays, groups=GROUPS, n_resamples=60, method=method, random_state=5)
    for row, mean in enumerate((found.r, found.theta)):
        expected = by_scipy(statistic, (row, -1), 5, method, 60)
        assert_allclose([mean.low, mean.high, mean.standard_error], expected, rtol=1e-9)


@few
def test_weights_of_images_weigh_and_those_without_are_not_there(arrays):
    features, y_true, y_pred, weights = arrays
    weight = np.random.default_rng(3).random(N_IMAGES)
    weight[[1, 8]] = 0
    kept = weight > 0
    options = {"random_state": 0, "n_resamples": 30, "method": "BCa"}
    found = bootstrap_arrays(*arrays, test_sample_weight=weight, groups=GROUPS, **options)
    expected = bootstrap_arrays(
        features[kept],
        y_true[kept],
        y_pred[kept],
        weights,
        test_sample_weight=weight[kept],
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
def test_estimator_equals_its_arrays(name):
    features, Y, *_ = make_arrays(1)
    model = make_estimators()[name].fit(features, Y)
    rows = np.random.RandomState(0).randint(0, N_IMAGES, (40, N_IMAGES))
    drawn = [alignment(model, features[some], Y[some]) for some in rows]
    found = bootstrap_alignment(
        model,
        features,
        Y,
        n_resamples=40,
        random_state=0,
        confidence_level=0.8,
        method="percentile",
    )
    whole = alignment(model, features, Y)
    for measure in ("r", "theta", "theta_observed"):
        interval = getattr(found, f"target_{measure}")
        expected = np.quantile([getattr(one, measure) for one in drawn], [0.1, 0.9], axis=0)
        assert_allclose([interval.low, interval.high], expected, rtol=1e-9)
        assert_allclose(interval.estimate, getattr(whole, measure))


def test_sparse_arrays_and_single_targets(arrays):
    features, y_true, y_pred, weights = arrays
    options = {"n_resamples": 20, "random_state": 0}
    expected = bootstrap_arrays(*arrays, **options)
    found = bootstrap_arrays(
        sparse.csc_matrix(features), y_true, y_pred, sparse.csr_array(weights), **options
    )
    assert_allclose(ends(found), ends(expected))
    single = bootstrap_arrays(features, y_true[:, 0].tolist(), y_pred[:, 0], weights[0], **options)
    assert_allclose(single.target_theta.high, expected.target_theta.high[:1])
    assert_allclose(single.theta.high, expected.target_theta.high[0])


def test_blocks_of_targets_change_nothing(arrays, monkeypatch):
    options = {"method": "BCa", "n_resamples": 50, "random_state": 0}
    expected = bootstrap_arrays(*arrays, **options)
    monkeypatch.setattr(_directions, "_BLOCK_BYTES", 8 * 5 * (N_IMAGES + 50) * 2)
    assert_allclose(ends(bootstrap_arrays(*arrays, **options)), ends(expected))


def test_target_without_weights_has_no_value_and_counts_in_means(arrays):
    """As 0 in r, as the worst in penalized theta, not at all in theta."""
    features, y_true, y_pred, weights = arrays
    options = {"n_resamples": 40, "random_state": 0}
    expected = bootstrap_arrays(*arrays, **options)
    empty = [np.column_stack([array, np.zeros(N_IMAGES)]) for array in (y_true, y_pred)]
    empty[0][:, -1] = y_true[:, 0]
    weights = np.vstack([weights, np.zeros(5)])
    found = bootstrap_arrays(features, *empty, weights, **options)
    assert found.theta.n_left_out == 1
    assert found.empty_fraction == 0.25
    assert_array_equal(found.target_theta.n_undefined, [0, 0, 0, 40])
    assert_array_equal(found.target_r.n_undefined, [0, 0, 0, 40])
    for name in ("estimate", "low", "high", "standard_error"):
        assert_allclose(getattr(found.theta, name), getattr(expected.theta, name))
        assert_allclose(getattr(found.r, name), getattr(expected.r, name) * 3 / 4)
        worst = 0.5 * (name != "standard_error")
        penalized = getattr(found.penalized_theta, name)
        assert_allclose(penalized, getattr(expected.theta, name) * 3 / 4 + worst)
        assert np.isnan(getattr(found.target_theta, name)[-1])
        assert np.isnan(getattr(found.target_r, name)[-1])


def test_estimates_are_those_of_alignment():
    """One fit, one number under one name."""
    X, Y, *_ = make_arrays()
    Y[:, 2] = -X.sum(axis=1)  # no positive weight
    model = SparsePositiveEncoder(alpha=0.1).fit(X, Y)
    found = bootstrap_alignment(model, X, Y, n_resamples=9)
    expected = alignment(model, X, Y).summary()
    for name in ("r", "theta", "penalized_theta"):
        assert_allclose(getattr(found, name).estimate, expected[name])
        assert_allclose(found.sides.summary()["encoder"][name], expected[name])
    assert found.empty_fraction == expected["empty_fraction"] == 1 / 3


def test_draws_without_a_theta_are_counted():
    """A unit that answers to one image is silent in about (1 - 1/n)^n of the draws."""
    features = np.eye(10)[:, :1]
    found = bootstrap_arrays(
        features, np.arange(10.0), features, np.ones(1), n_resamples=400, random_state=0
    )
    silent = found.target_theta.n_undefined[0]
    assert binomtest(int(silent), 400, 0.9**10).pvalue > 1e-3
    assert found.theta.n_undefined == found.target_r.n_undefined[0] == silent
    assert found.theta.standard_error == found.theta.low == found.theta.high == 0
    assert found.r.n_undefined == 0
    assert found.r.high == 0  # where r is undefined, it counts as 0 in the mean
    assert found.penalized_theta.high == 2


@few
@pytest.mark.parametrize("method", METHODS)
def test_over_targets_equals_scipy(method):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 6))
    Y = X @ rng.standard_normal((6, 9)) + rng.standard_normal((50, 9))
    Y[:, 4] = -X.sum(axis=1)  # no positive weight
    model = SparsePositiveEncoder(alpha=0.1).fit(X, Y)
    values = alignment(model, X, Y)
    options = {"n_resamples": 99, "method": method}
    found = bootstrap_alignment(model, X, Y, over="targets", random_state=0, **options)
    assert (found.r.n_left_out, found.theta.n_left_out) == (0, 1)
    state = np.random.RandomState(0)
    of_r = np.nan_to_num(alignment(model, X, Y).r)
    for interval, of_targets in ((found.r, of_r), (found.theta, values.theta)):
        defined = (of_targets[~np.isnan(of_targets)],)
        expected = bootstrap(defined, np.mean, random_state=state, **options)
        assert_allclose(
            [interval.low, interval.high, interval.standard_error, interval.estimate],
            [*expected.confidence_interval, expected.standard_error, defined[0].mean()],
        )
    assert_array_equal(found.target_theta.estimate, values.theta)
    assert np.isnan(found.target_theta.low).all()


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_interval_of_r_covers_the_truth_as_often_as_it_says(method):
    truth, n_images, n_targets = 0.6, 80, 600
    rng = np.random.default_rng(0)
    y_pred, noise = rng.standard_normal((2, n_images, n_targets))
    y_true = truth * y_pred + np.sqrt(1 - truth**2) * noise
    found = bootstrap_arrays(
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
        found = bootstrap_arrays(
            y_pred,
            y_true,
            y_pred,
            sparse.eye_array(50),
            groups=groups,
            method="basic",
            random_state=0,
        )
        return found.target_r.standard_error

    assert_allclose(error(*runs, np.arange(200) // 10), error(y_pred, y_true))
    assert (error(*runs) < 0.5 * error(y_pred, y_true)).all()


def test_equal_seeds_draw_equal_images(arrays):
    found = [
        ends(bootstrap_arrays(*arrays, n_resamples=20, random_state=seed))
        for seed in (3, np.random.RandomState(3), 4)
    ]
    assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"over": "voxels"}, ValueError, 'over must be "images" or "targets"'),
        (
            {"over": "targets", "groups": GROUPS},
            ValueError,
            "groups must be None",
        ),
        ({"groups": GROUPS[:3]}, ValueError, "groups must be 1-D, one label per sample, 16"),
        ({"groups": np.full(16, np.nan)}, ValueError, "groups must have a label for every"),
        ({"groups": np.ones(16)}, ValueError, "at least 2 groups of images"),
        ({"center": 1}, TypeError, "center must be"),
        ({"method": "bca"}, ValueError, "method must be one of"),
        ({"n_resamples": 1}, ValueError, "n_resamples == 1, must be >= 2"),
        ({"n_resamples": 9.0}, TypeError, "n_resamples must be an instance of"),
        ({"confidence_level": 1.0}, ValueError, "confidence_level == 1.0, must be < 1"),
        ({"test_sample_weight": [1, 2]}, ValueError, "test_sample_weight must be 1-D, one weight"),
        ({"random_state": "a"}, ValueError, "cannot be used to seed"),
    ],
)
def test_errors_name_the_parameter(arrays, options, error, message):
    with pytest.raises(error, match=message):
        bootstrap_arrays(*arrays, **options)


@pytest.mark.parametrize(
    ("index", "replacement", "message"),
    [
        (0, np.ones((3, 5)), "one row per sample of features"),
        (1, np.ones((N_IMAGES, 2)), "y must have the 3 target"),
        (0, np.full((N_IMAGES, 5), np.nan), "features must be finite"),
    ],
)
def test_arrays_that_do_not_fit(arrays, index, replacement, message):
    given = list(arrays)
    given[index] = replacement
    with pytest.raises(ValueError, match=message):
        bootstrap_arrays(*given)
