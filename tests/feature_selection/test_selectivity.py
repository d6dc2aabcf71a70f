"""selectivity_tests against scipy one unit at a time, its invariances, and what undefined means."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control, ttest_ind

from skalign.feature_selection import (
    SelectiveUnitLocalizer,
    SelectivityTests,
    selectivity_tests,
)

moderate = settings(deadline=None, max_examples=60)


@st.composite
def localizer_sets(draw):
    """Responses with ties and constants (small integers) or without (normal), and categories."""
    counts = draw(st.lists(st.integers(2, 5), min_size=2, max_size=4))
    y = np.repeat(list("abcd")[: len(counts)], counts)
    shape = (len(y), draw(st.integers(1, 5)))
    if draw(st.booleans()):
        X = draw(arrays(float, shape, elements=st.integers(-2, 2)))
    else:
        X = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=shape)
    return X, y


def slow_tests(X, y, category, equal_var=True):
    """One scipy call per unit and contrast; NaN are left out before the adjustment."""
    others = [name for name in np.unique(y) if name != category]
    t, p, q = np.full((3, len(others), X.shape[1]), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns of identical data
        for i, other in enumerate(others):
            for j, unit in enumerate(X.T):
                t[i, j], p[i, j] = ttest_ind(
                    unit[y == category], unit[y == other], equal_var=equal_var
                )
            defined = ~np.isnan(p[i])
            q[i, defined] = false_discovery_control(p[i, defined], method="by")
    return t, p, q


def assert_same_tests(actual, expected):
    for field in ("t_values", "p_values", "q_values", "selectivity"):
        np.testing.assert_allclose(
            getattr(actual, field), getattr(expected, field), rtol=1e-9, atol=1e-9, err_msg=field
        )


@moderate
@given(localizer_sets(), st.booleans())
def test_equals_scipy_unit_by_unit(problem, equal_var):
    X, y = problem
    for category in np.unique(y):
        tests = selectivity_tests(X, y, category, equal_var=equal_var)
        t, p, q = slow_tests(X, y, category, equal_var)
        np.testing.assert_allclose(tests.t_values, t, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(tests.p_values, p, rtol=1e-8, atol=1e-15)
        np.testing.assert_allclose(tests.q_values, q, rtol=1e-8, atol=1e-15)
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(tests.selectivity, t.mean(axis=0), rtol=1e-10, atol=1e-12)
        assert tests.contrasts.tolist() == [name for name in np.unique(y) if name != category]


@moderate
@given(localizer_sets())
def test_without_category_each_unit_is_tested_for_its_preferred_one(problem):
    X, y = problem
    tests = selectivity_tests(X, y)
    categories = np.unique(y)
    means = np.array([X[y == name].mean(axis=0) for name in categories])
    for unit, preferred in enumerate(tests.preferred):
        np.testing.assert_allclose(
            means[categories == preferred, unit], means[:, unit].max(), atol=1e-12
        )
        own = selectivity_tests(X, y, preferred)  # of all units: so is the adjustment
        assert tests.contrasts[:, unit].tolist() == own.contrasts.tolist()
        for field in ("t_values", "p_values", "q_values", "selectivity", "response_ratio"):
            np.testing.assert_array_equal(
                getattr(tests, field)[..., unit], getattr(own, field)[..., unit]
            )
    assert not (tests.t_values < -1e-6).any()


@moderate
@given(localizer_sets(), st.randoms(use_true_random=False))
def test_order_of_images_and_units_does_not_matter(problem, random):
    X, y = problem
    images, units = list(range(len(X))), list(range(X.shape[1]))
    random.shuffle(images)
    random.shuffle(units)
    original = selectivity_tests(X, y, "a")
    assert_same_tests(selectivity_tests(X[images], y[images], "a"), original)
    shuffled = selectivity_tests(X[:, units], y, "a")
    for field in ("t_values", "p_values", "q_values", "selectivity"):
        np.testing.assert_allclose(
            getattr(shuffled, field), getattr(original, field)[..., units], rtol=1e-9, atol=1e-12
        )


@moderate
@given(localizer_sets(), st.floats(0.01, 100), st.floats(-10, 10))
def test_positive_affine_maps_of_a_unit_change_nothing(problem, scale, offset):
    X, y = problem
    assert_same_tests(selectivity_tests(scale * X + offset, y, "b"), selectivity_tests(X, y, "b"))


@pytest.mark.parametrize("equal_var", [True, False])
@pytest.mark.parametrize("exponent", [-1000, -570, -520, 505, 1000])
def test_scales_of_which_squares_leave_the_range_change_nothing(exponent, equal_var):
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 20)
    X = rng.normal(size=(60, 3)) + np.outer(y == "a", [0.0, 1.0, 2.0])
    for category in ("a", None):
        expected = selectivity_tests(X, y, category, equal_var=equal_var)
        tests = selectivity_tests(np.ldexp(X, exponent), y, category, equal_var=equal_var)
        for field in ("t_values", "p_values", "q_values", "selectivity", "response_ratio"):
            np.testing.assert_array_equal(getattr(tests, field), getattr(expected, field))


def test_welch_holds_its_level_where_the_pooled_test_does_not():
    """Few images of a wide spread against many of a narrow one, and no unit with a preference."""
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], [144, 1440])
    X = rng.normal(size=(len(y), 2000)) * np.where(y == "a", 3, 1)[:, None]
    pooled, welch = (selectivity_tests(X, y, "a", equal_var=flag) for flag in (True, False))
    error = np.sqrt(0.05 * 0.95 / 2000)
    assert abs((welch.p_values < 0.05).mean() - 0.05) < 3 * error
    assert (pooled.p_values < 0.05).mean() > 0.3
    assert (pooled.q_values < 0.05).mean() > 0.03
    assert not (welch.q_values < 0.05).any()


def test_localizer_passes_the_kind_of_test_on():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], [5, 10, 30])
    X = rng.normal(size=(45, 6)) * np.where(y == "a", 3, 1)[:, None]
    localizer = SelectiveUnitLocalizer("a", equal_var=False).fit(X, y)
    expected = selectivity_tests(X, y, "a", equal_var=False)
    np.testing.assert_array_equal(localizer.t_values_, expected.t_values)
    assert not np.allclose(localizer.t_values_, selectivity_tests(X, y, "a").t_values)


@pytest.mark.parametrize("value", ["welch", 1, None])
def test_equal_var_is_a_flag(value):
    with pytest.raises(TypeError, match="equal_var must be True or False; got"):
        selectivity_tests(X_OK, Y_OK, "a", equal_var=value)
    with pytest.raises(TypeError, match="equal_var must be True or False; got"):
        SelectiveUnitLocalizer("a", equal_var=value).fit(X_OK, Y_OK)


@moderate
@given(localizer_sets())
def test_swapping_target_and_contrast_flips_the_sign(problem):
    X, y = problem
    X, y = X[np.isin(y, ["a", "b"])], y[np.isin(y, ["a", "b"])]
    forth, back = selectivity_tests(X, y, "a"), selectivity_tests(X, y, "b")
    np.testing.assert_array_equal(forth.t_values, -back.t_values)
    np.testing.assert_array_equal(forth.q_values, back.q_values)


@moderate
@given(localizer_sets(), st.sampled_from([0.0, 0.1, -7.3, 1e300, 1e-300]), st.integers(0, 5))
def test_constant_units_are_undefined_and_change_nothing(problem, value, position):
    X, y = problem
    position = min(position, X.shape[1])
    with_constant = np.insert(X, position, value, axis=1)
    for category in ("a", None):
        expected = selectivity_tests(X, y, category)
        tests = selectivity_tests(with_constant, y, category)
        for field in ("t_values", "p_values", "q_values", "selectivity"):
            assert np.isnan(getattr(tests, field)[..., position]).all()
            np.testing.assert_array_equal(
                np.delete(getattr(tests, field), position, axis=-1), getattr(expected, field)
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_images", [2, 7, 144])
def test_rounding_noise_is_not_a_response(dtype, n_images):
    y = np.repeat(["a", "b"], n_images)
    X = np.full((2 * n_images, 2), 0.1, dtype=dtype)
    X[y == "a", 0] = np.nextafter(dtype(0.1), dtype(1))  # "a" higher by one unit in the last place
    X[0, 1] = np.nextafter(dtype(0.1), dtype(0))
    assert np.isnan(selectivity_tests(X, y, "a").t_values).all()


def test_no_variance_within_but_between_categories_is_infinite():
    y = np.repeat(["a", "b", "c"], 7)
    X = np.select([y == "a", y == "b"], [0.3, 0.1], default=-0.1)[:, None]
    highest, middle = selectivity_tests(X, y, "a"), selectivity_tests(X, y, "b")
    assert highest.t_values.tolist() == [[np.inf], [np.inf]]
    assert highest.q_values.tolist() == [[0], [0]]
    assert highest.selectivity.tolist() == [np.inf]
    assert middle.t_values.tolist() == [[-np.inf], [np.inf]]
    assert np.isnan(middle.selectivity).all()


def test_a_contrast_without_variance_is_left_out_of_its_own_adjustment_only():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 6)
    X = rng.normal(size=(18, 4))
    X[y != "c", 1] = 0  # as of a rectified unit that is silent for "a" and "b"
    tests = selectivity_tests(X, y, "a")
    assert np.isnan(tests.t_values).tolist() == [[False, True, False, False], [False] * 4]
    others = selectivity_tests(np.delete(X, 1, axis=1), y, "a")
    np.testing.assert_array_equal(np.delete(tests.q_values[0], 1), others.q_values[0])
    assert (np.delete(tests.q_values[1], 1) >= others.q_values[1]).all()


def test_false_discoveries_are_rare_and_planted_units_found():
    rng = np.random.default_rng(0)
    y = np.repeat(["body", "face", "scene"], 40)
    X = rng.normal(size=(120, 400))
    X[y == "face", :20] += 2
    significant = (selectivity_tests(X, y, "face").q_values <= 0.05).all(axis=0)
    assert significant[:20].all()
    assert significant[20:].sum() == 0


@pytest.mark.parametrize(
    ("responses", "ratio"),
    [
        ([6, 2, 1, 1, 2, 2], 2),
        ([1, 1, 4, 6, 2, 2], 0.2),
        ([5, 5, 0, 0, 0, 0], np.inf),
        ([5, 5, 1e-308, 1e-308, 0, 0], np.inf),  # the quotient overflows
        ([0, 0, 0, 0, 0, 0], np.nan),
        ([2, 2, -1, -2, 0, 1], np.nan),
    ],
)
def test_response_ratio(responses, ratio):
    tests = selectivity_tests(np.array(responses, float)[:, None], list("aabbcc"), "a")
    np.testing.assert_array_equal(tests.response_ratio, [ratio])


@pytest.mark.parametrize(
    "prepare",
    [
        np.asfortranarray,
        lambda X: X[:, ::-1][:, ::-1],
        lambda X: X.tolist(),
        lambda X: pytest.importorskip("pandas").DataFrame(X),
    ],
)
def test_layout_and_container_do_not_matter(prepare):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)), np.tile(["a", "b", "c"], 10)
    X.flags.writeable = False
    assert_same_tests(selectivity_tests(prepare(X), y.tolist(), "a"), selectivity_tests(X, y, "a"))


def test_float32_is_computed_in_float64():
    rng = np.random.default_rng(0)
    X = (1000 + rng.normal(size=(300, 5))).astype(np.float32)
    y = np.repeat(["a", "b"], 150)
    tests = selectivity_tests(X, y, "a")
    assert tests.t_values.dtype == np.float64
    np.testing.assert_allclose(
        tests.t_values, selectivity_tests(X.astype(float), y, "a").t_values, rtol=1e-9
    )


@pytest.mark.parametrize("labels", [["1", "2"], [1, 2], [True, False], [0.5, 1.5], ["äö", "ß"]])
def test_categories_are_any_labels(labels):
    X = np.random.default_rng(0).normal(size=(8, 3))
    tests = selectivity_tests(X, np.repeat(labels, 4), labels[1])
    assert tests.contrasts.tolist() == labels[:1]


def test_record_is_frozen():
    tests = selectivity_tests(np.random.default_rng(0).normal(size=(8, 3)), list("aaaabbbb"))
    assert isinstance(tests, SelectivityTests)
    with pytest.raises(AttributeError):
        tests.t_values = None


X_OK, Y_OK = np.random.default_rng(0).normal(size=(8, 3)), list("aaaabbbb")


@pytest.mark.parametrize(
    ("X", "y", "category", "error", "match"),
    [
        (X_OK, Y_OK, "face", ValueError, r"category must be one of \['a', 'b'\].* got 'face'"),
        (X_OK, [0, 1] * 4, "1", ValueError, r"category must be one of \[0, 1\].* got '1'"),
        (X_OK, Y_OK, 1, ValueError, r"category must be .* got 1"),
        (X_OK, ["a"] * 8, "a", ValueError, r"must be at least 2.* got \['a'\]"),
        (X_OK, list("aaaaabcd"), "a", ValueError, "at least 2 images.* 'b', 'c', 'd' .3 of 4"),
        (
            X_OK,
            np.arange(8) / 3,
            None,
            ValueError,
            r"got a single image of .*\.\.\. .8 of 8",
        ),
        (X_OK, Y_OK[:-1], "a", ValueError, "y must have .* row of X; got 7 categories for 8 rows"),
        (X_OK, [Y_OK] * 8, "a", ValueError, "y should be a 1d array"),
        (X_OK, [*Y_OK[:-1], None], "a", TypeError, r"got \['NoneType', 'str'\]"),
        (X_OK, np.array([*Y_OK[:-1], np.nan], object), "a", ValueError, "contains NaN"),
        (X_OK, [0, 0, 0, 0, 1, 1, 1, np.nan], 0, ValueError, "y contains NaN"),
        (np.where(X_OK > 1, np.nan, X_OK), Y_OK, "a", ValueError, "X contains NaN"),
        (np.where(X_OK > 1, np.inf, X_OK), Y_OK, "a", ValueError, "X contains infinity"),
        (X_OK[:, 0], Y_OK, "a", ValueError, "Expected 2D array"),
        (X_OK[:, :0], Y_OK, "a", ValueError, "0 feature"),
        (X_OK[:1], Y_OK[:1], "a", ValueError, "1 sample"),
        (np.full((8, 3), "red"), Y_OK, "a", ValueError, "could not convert string to float"),
        (X_OK + 1j, Y_OK, "a", ValueError, "Complex"),
    ],
)
def test_malformed_input_is_named(X, y, category, error, match):
    with pytest.raises(error, match=match):
        selectivity_tests(X, y, category)
