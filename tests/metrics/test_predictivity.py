"""Pearson's r against scipy, its invariances, and constants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.stats import pearsonr
from sklearn.exceptions import UndefinedMetricWarning

from skalign.metrics import _directions, pearson_r
from skalign.testing import targets

few = settings(max_examples=40, deadline=None)


@st.composite
def responses(draw):
    """Two sets of responses of the same shape, none of them constant."""
    shape = draw(st.integers(2, 8)), draw(st.integers(1, 4))
    return [draw(targets(*shape, degenerate=False)) for _ in range(2)]


@few
@given(responses())
def test_equals_scipy(pair):
    r = pearson_r(*pair)
    assert ((r >= -1) & (r <= 1)).all()
    assert_allclose(r, pearsonr(*pair, axis=0).statistic, atol=1e-10)


@few
@given(responses(), st.sampled_from([1e-200, 1e-3, 5.0, 1e200]), st.sampled_from([0, -3, 1000]))
def test_does_not_see_scale_and_offset(pair, scale, offset):
    y_true, y_pred = pair
    r = pearson_r(y_true, (y_pred + offset) * scale)
    assert_allclose(r, pearson_r(y_true, y_pred), atol=1e-8)
    assert_allclose(pearson_r(y_pred, -scale * y_true), -pearson_r(y_true, y_pred), atol=1e-12)


@pytest.mark.filterwarnings("ignore:r is not defined")
@few
@given(responses(), st.data())
def test_integer_sample_weight_repeats_images(pair, data):
    repeats = data.draw(arrays(int, len(pair[0]), elements=st.integers(0, 3)).filter(np.any))
    repeated = [np.repeat(array, repeats, axis=0) for array in pair]
    # A single image left is constant.
    assert_allclose(
        pearson_r(*pair, sample_weight=repeats, undefined=0),
        pearson_r(*repeated, undefined=0),
        atol=1e-10,
    )


def test_weights_equal_numpys_weighted_covariance():
    rng = np.random.default_rng(0)
    y_true, y_pred, weight = rng.random((30, 1)), rng.random((30, 1)), rng.random(30)
    covariance = np.cov(y_true[:, 0], y_pred[:, 0], aweights=weight)
    expected = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    for scale in (1, 1e-300, 1e308):
        r = pearson_r(y_true, y_pred, sample_weight=weight * scale)
        assert_allclose(r, [expected])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [0.1, -1e5, 1e30])
@pytest.mark.parametrize("rounding", [False, True])
def test_constants_are_undefined(dtype, constant, rounding):
    rng = np.random.default_rng(0)
    y_true = rng.standard_normal((999, 2))
    y_pred = y_true.astype(dtype)
    y_pred[:, 1] = constant
    if rounding:
        y_pred[::3, 1] = np.nextafter(y_pred[::3, 1], dtype(1))
    for weight in (None, rng.random(999)):
        r = pearson_r(y_true, y_pred, sample_weight=weight)
        assert_allclose(r, [1, np.nan])
        r = pearson_r(y_pred, y_true, sample_weight=weight, undefined=0)
        assert_allclose(r, [1, 0])


def test_small_variation_on_a_large_offset_is_not_constant():
    signal = np.random.default_rng(0).standard_normal(500)
    assert_allclose(pearson_r(1e6 + 1e-3 * signal, signal), [1], atol=1e-10)
    assert_allclose(pearson_r(np.float32(1000 + 0.1 * signal), signal), [1], atol=1e-5)


def test_an_image_without_weight_is_not_there():
    y_true, y_pred = np.array([1.0, 2.0, 3.0, 1e300]), np.array([5.0, 5.0, 5.0, -1e300])
    assert np.isnan(pearson_r(y_true, y_pred, sample_weight=[1, 1, 1, 0]))
    with_nan = np.array([1.0, 2.0, 3.0, np.nan])
    assert_allclose(pearson_r(with_nan, y_true, sample_weight=[1, 1, 1, 0]), [1])


def test_one_target_in_any_shape():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.random(9), rng.random(9)
    expected = [np.corrcoef(y_true, y_pred)[0, 1]]
    assert_allclose(pearson_r(y_true, y_pred), expected)
    assert_allclose(pearson_r(y_true.reshape(-1, 1), list(y_pred)), expected)


def test_large_problems_are_walked_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    pair = rng.random((20, 50)), rng.random((20, 50))
    expected = pearsonr(*pair, axis=0).statistic
    monkeypatch.setattr(_directions, "_BLOCK_BYTES", 8 * 8 * 20 * 7)
    assert_allclose(pearson_r(*pair), expected)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([1, 2], [1, 2, 3]), {}, ValueError, r"y_pred must have the shape .*\(2, 1\).*\(3, 1\)"),
        (([[1, 2], [3, 4]], [1, 2]), {}, ValueError, "y_pred must have the shape"),
        (([1, np.nan], [1, 2]), {}, ValueError, "y_true must have no missing responses"),
        (([1, np.inf], [1, 2]), {}, ValueError, "y_true must be finite"),
        (([1, 2], [np.inf, 2]), {}, ValueError, "y_pred must be finite"),
        (([1, 2], [1, 2]), {"sample_weight": [1]}, ValueError, "one weight per sample"),
        (([1, 2], [1, 2]), {"sample_weight": [0, 0]}, ValueError, "nor zero for every sample"),
        (([1, 2], [1, 2]), {"undefined": None}, TypeError, "undefined must be a real number"),
    ],
)
def test_errors_name_the_argument(arguments, options, error, message):
    with pytest.raises(error, match=message):
        pearson_r(*arguments, **options)


def test_one_image_says_that_r_is_not_defined():
    with pytest.warns(UndefinedMetricWarning, match="fewer than two images"):
        np.testing.assert_array_equal(pearson_r([[1.0, 2.0]], [[1.0, 3.0]], undefined=0), 0)
