"""Differences between two sides, t intervals, tables, and the warning of few groups."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import t
from sklearn.linear_model import Ridge

from skalign import SparsePositiveEncoder
from skalign.inference import bootstrap_alignment, bootstrap_alignment_difference
from skalign.metrics import pearson_r, tuning_reorientation
from tests.inference.fitted_maps import (
    GROUPS,
    N_IMAGES,
    RANGES,
    bootstrap_arrays,
    ends,
    fixed_map,
    make_arrays,
    on_rows,
)

METHODS = ["percentile", "basic", "BCa"]


@pytest.fixture
def arrays():
    return make_arrays()


def side(features, _, y_pred, weights):
    return fixed_map(weights, y_pred), features


@pytest.mark.parametrize("center", [False, True])
def test_difference_is_that_of_paired_draws(arrays, center):
    other, y_true = make_arrays(1), arrays[1]
    found = bootstrap_alignment_difference(
        {"one": side(*arrays), "other": side(*other)},
        y_true,
        center=center,
        n_resamples=50,
        method="percentile",
        random_state=0,
        confidence_level=0.9,
    )
    differences = []
    for rows in np.random.RandomState(0).randint(0, N_IMAGES, (50, N_IMAGES)):
        first = on_rows(rows, *arrays, center=center)
        second = on_rows(rows, other[0], y_true, *other[2:], center=center)
        differences.append(first - second)
    expected = np.quantile(differences, [0.05, 0.95], axis=0)
    assert_allclose(ends(found)[:2], expected, rtol=1e-8)
    r = pearson_r(y_true, other[2])
    assert_allclose(found.sides["other"].r, r)
    assert_allclose(found.target_r.estimate, found.sides["one"].r - r)


def test_difference_of_a_fitted_estimator_from_itself_is_zero():
    features, Y, *_ = make_arrays()
    fitted = (SparsePositiveEncoder(alpha=0.05).fit(features, Y), features)
    found = bootstrap_alignment_difference({"a": fitted, "b": fitted}, Y, n_resamples=20)
    assert_allclose([*ends(found)], 0, atol=1e-12)


def test_empty_on_one_side_has_no_difference(arrays):
    features, y_true, y_pred, weights = arrays
    lesser, predicted = weights.copy(), y_pred.copy()
    lesser[1], predicted[:, 1] = 0, 0
    sides = {"full": side(*arrays), "lesser": side(features, None, predicted, lesser)}
    found = bootstrap_alignment_difference(sides, y_true)
    assert found.theta.n_left_out == 1
    assert found.empty_fraction == 1 / 3
    assert_array_equal(found.target_theta.n_undefined, [0, N_IMAGES, 0])
    assert_array_equal(np.isnan(found.target_r.estimate), [False, True, False])
    assert_allclose(found.r.estimate, pearson_r(y_true, y_pred)[1] / 3)
    theta = tuning_reorientation(features, y_pred, weights)
    assert_allclose(found.penalized_theta.estimate, (theta[1] - 2) / 3)


def test_frames_have_a_row_per_target(arrays):
    pd = pytest.importorskip("pandas")
    features, y_true, *others = arrays
    named = pd.DataFrame(y_true, columns=["a", "b", "c"])
    found = bootstrap_arrays(features, named, *others, n_resamples=20, random_state=0)
    columns = ["estimate", "low", "high", "standard_error", "n_undefined"]
    assert list(found.target_r.to_frame().columns) == ["target", *columns]
    assert list(found.r.to_frame().columns) == columns
    frame = found.to_frame()
    assert frame["target"].tolist() == ["a", "b", "c"]
    of_r = ["r", "r_low", "r_high", "r_standard_error", "r_n_undefined"]
    of_thetas = [f"{theta}{name[1:]}" for theta in ("theta", "theta_observed") for name in of_r]
    assert list(frame.columns) == ["target", *of_r, *of_thetas]
    assert_allclose(frame["theta"], found.target_theta.estimate)
    assert_allclose(frame["r_high"], found.target_r.high)
    means = found.summary_frame()
    assert means["measure"].tolist() == ["r", "theta", "theta_observed", "penalized_theta"]
    assert_allclose(means["low"][1], found.theta.low)
    assert_array_equal(means["empty_fraction"], 0)
    assert bootstrap_arrays(*arrays, method="t").to_frame()["target"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("center", [False, True])
def test_t_is_that_of_the_jackknife(arrays, center):
    """Groups are left out in turn; the variance and freedom of Bell and McCaffrey, by matrices."""
    groups, sizes = np.unique(GROUPS, return_counts=True)
    share = sizes / sizes.sum()
    without = [on_rows(np.flatnonzero(group != GROUPS), *arrays, center=center) for group in groups]
    mean = np.average(without, axis=0, weights=1 - share)
    error = np.sqrt(np.tensordot(1 - share, (without - mean) ** 2, 1))
    # Of a mean over images: from means of groups, of variance 1 / size, to the variance.
    residual = np.eye(5) - share
    form = residual.T @ np.diag(share**2 / (1 - share)) @ residual @ np.diag(1 / sizes)
    freedom = np.trace(form) ** 2 / np.trace(form @ form)
    assert_allclose(np.trace(form), 1 / sizes.sum())  # of the mean: no bias
    whole = on_rows(np.arange(N_IMAGES), *arrays, center=center)
    found = bootstrap_arrays(
        *arrays, groups=GROUPS, method="t", center=center, confidence_level=0.9
    )
    reach = t.ppf(0.95, freedom) * error
    least, most = RANGES[:, :1], RANGES[:, 1:]
    expected = [*np.clip([whole - reach, whole + reach], least, most), error]
    assert_allclose(ends(found), expected, rtol=1e-9)
    assert freedom < 4
    assert_allclose(found.target_r.degrees_of_freedom, freedom)
    assert found.r.n_resamples == 5
    assert found.r.method == "t"
    model = fixed_map(arrays[3], arrays[2])
    default = bootstrap_alignment(model, *arrays[:2], groups=GROUPS, center=center)
    assert default.theta.method == "t"


@pytest.mark.parametrize("method", METHODS)
def test_few_groups_are_warned_of(arrays, method):
    options = {"method": method, "n_resamples": 9}
    with pytest.warns(
        UserWarning, match="should have at least 10 groups to draw from; got 5"
    ) as told:
        bootstrap_arrays(*arrays, groups=GROUPS, **options)
    assert told[0].filename.endswith("fitted_maps.py")  # which calls
    with pytest.warns(UserWarning, match="got 5") as told:
        bootstrap_alignment_difference(
            {"a": side(*arrays), "b": side(*arrays)}, arrays[1], groups=GROUPS, **options
        )
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match="10 targets to draw from; got 3"):
        bootstrap_arrays(*arrays, over="targets", **options)
    bootstrap_arrays(*arrays, groups=np.arange(N_IMAGES) // 1.6 // 1, **options)
    bootstrap_arrays(*arrays, groups=GROUPS, method="t")


@pytest.mark.parametrize(
    "given", [None, {}, {"a": (1, 2)}, {"a": (1, 2), "b": (1, 2, 3)}, {"a": (1, 2), "b": Ridge()}]
)
def test_sides_must_be_two_named_pairs(arrays, given):
    with pytest.raises(TypeError, match="sides must be a dict of two pairs"):
        bootstrap_alignment_difference(given, arrays[1])


def test_targets_of_other_names_are_refused():
    pd = pytest.importorskip("pandas")
    X, Y, *_ = make_arrays()
    named = pd.DataFrame(Y, columns=["a", "b", "c"])
    model = SparsePositiveEncoder(alpha=0.05).fit(X, named)
    found = bootstrap_alignment(model, X, Y)
    assert list(found.to_frame()["target"]) == ["a", "b", "c"]
    assert list(found.sides.to_frame()["target"]) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="y must have the 3 targets of the estimator"):
        bootstrap_alignment(model, X, named[["b", "a", "c"]])


def test_intervals_hold_no_impossible_values():
    """Theta of one active unit is that of its prediction; few groups make t intervals wide."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((8, 3)) + 2
    weights = np.array([[1, 0, 0], [1, 0.2, 0]])
    y_pred = features @ weights.T
    y_true = y_pred + 0.1 * rng.standard_normal((8, 2))
    groups = np.arange(8) // 3
    found = bootstrap_arrays(features, y_true, y_pred, weights, "t", groups=groups)
    assert found.target_theta.low[1] == 0 < found.target_theta.high[1] < 2
    assert found.target_r.high.max() == 1
    given = fixed_map(weights, y_pred), features
    other = fixed_map(-weights, -y_pred), features
    apart = bootstrap_alignment_difference({"a": given, "b": other}, y_true, groups=groups)
    assert 1 < apart.r.estimate < apart.r.high <= 2
