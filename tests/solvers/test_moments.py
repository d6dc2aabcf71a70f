"""`Moments`: those of the images, whatever they were added up from or subtracted to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skalign.solvers import Design, FeatureMoments, Moments


def reference(X, Y, weight, fit_intercept):
    """Moments by their formulas, in extended precision."""
    X, Y = X.astype(np.longdouble), Y.astype(np.longdouble)
    weight = np.ones(len(X)) if weight is None else weight
    total = weight.sum()
    means = [weight @ A / total if fit_intercept else np.zeros(A.shape[1]) for A in (X, Y)]
    A, B = (np.sqrt(weight)[:, None] * (C - mean) for C, mean in zip((X, Y), means, strict=True))
    return {
        "gram": A.T @ A,
        "q": B.T @ A,
        "norms": np.sqrt((A**2).sum(axis=0)),
        "squared_norms": (B**2).sum(axis=0),
        "feature_means": means[0],
        "target_means": means[1],
        "total_weight": total,
    }


def assert_equal_up_to_rounding(moments, expected, largest, n_roundings=100):
    """Equal up to rounding errors of the moments `largest`, those of the images that went in.

    Features and targets are rounded before they are centered: their means count, too.
    """
    eps = np.finfo(moments.gram.dtype).eps
    root = np.sqrt(float(largest["total_weight"]))
    x, y = largest["norms"], np.sqrt(largest["squared_norms"])
    dx = eps * (x + root * np.abs(largest["feature_means"]))
    dy = eps * (y + root * np.abs(largest["target_means"]))

    def bound(a, da, b, db):
        return n_roundings * (np.outer(a, db) + np.outer(da, b) + np.outer(da, db)) + 1e-300

    assert moments.gram.dtype == moments.q.dtype
    assert (np.abs(moments.gram - expected["gram"]) <= bound(x, dx, x, dx)).all()
    assert (np.abs(moments.q - expected["q"]) <= bound(y, dy, x, dx)).all()
    squares = np.abs(moments.features.norms**2 - expected["norms"] ** 2)
    assert (squares <= bound(x, dx, x, dx).diagonal()).all()
    squares = np.abs(moments.target_squared_norms - expected["squared_norms"])
    assert (squares <= bound(y, dy, y, dy).diagonal()).all()
    for found, means, size, total in (
        (moments.features.means, expected["feature_means"], dx, largest["total_weight"]),
        (moments.target_means, expected["target_means"], dy, largest["total_weight"]),
    ):
        assert (np.abs(found - means) <= n_roundings * size * root / expected["total_weight"]).all()
        assert total >= expected["total_weight"] * (1 - 1e-12)
    assert abs(moments.total_weight - expected["total_weight"]) <= 1e-13 * largest["total_weight"]


@st.composite
def images(draw):
    """Features, targets, weights and whether there is an intercept; at least 2 images."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples = draw(st.integers(2, 25))
    n_features, n_targets = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    X, Y = (
        rng.standard_normal((n_samples, k)) * 10.0 ** rng.integers(-3, 4, k)
        for k in (n_features, n_targets)
    )
    if draw(st.booleans()):  # sparse features, some of them constant
        X[rng.random(X.shape) < 0.6] = 0
        X[:, rng.random(n_features) < 0.2] = 1.7
    offset = draw(st.sampled_from([0.0, 3.0, 1e3]))
    X, Y = X + offset * (rng.random(n_features) < 0.5), Y - offset * (rng.random(n_targets) < 0.5)
    weight = None
    if draw(st.booleans()):
        weight = rng.uniform(0, 3, n_samples) * (rng.random(n_samples) < 0.8)
        weight[[0, -1]] = 1.0  # every part has images
    return X.astype(dtype), Y.astype(dtype), weight, draw(st.booleans())


@settings(deadline=None)
@given(images(), st.data())
def test_moments_are_those_of_the_formulas_and_add_up(problem, data):
    X, Y, weight, fit_intercept = problem
    form = data.draw(st.sampled_from([np.asarray, sparse.csr_array, sparse.csc_matrix]))
    cut = data.draw(st.integers(1, len(X) - 1))

    def of(samples):
        of_samples = None if weight is None else weight[samples]
        return (
            Moments.of(form(X[samples]), Y[samples], of_samples, fit_intercept=fit_intercept),
            reference(X[samples], Y[samples], of_samples, fit_intercept),
        )

    (whole, expected), (first, of_first), (second, of_second) = (
        of(samples) for samples in (slice(None), slice(cut), slice(cut, None))
    )
    assert_equal_up_to_rounding(whole, expected, expected)
    assert_equal_up_to_rounding(first + second, expected, expected)
    assert not (first + second).lost_digits
    for difference, part, samples in (
        (whole - second, of_first, slice(cut)),
        (whole - first, of_second, slice(cut, None)),
    ):
        assert_equal_up_to_rounding(difference, part, expected)
        of_samples = None if weight is None else weight[samples]
        mended = difference.recomputed(form(X[samples]), Y[samples], of_samples)
        assert not mended.lost_digits
        kept = np.setdiff1d(np.arange(len(Y.T)), difference.lost_targets)
        np.testing.assert_array_equal(
            mended.target_squared_norms[kept], difference.target_squared_norms[kept]
        )


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((40, 5)) + 2, rng.standard_normal((40, 3)) - 1
    return X, Y, rng.uniform(0.5, 2, 40)


def test_a_centered_part_is_subtracted_from_a_whole_that_is_not(data):
    X, Y, weight = data
    whole = Moments.of(X, Y, weight, fit_intercept=False)
    part = Moments.of(X[:10], Y[:10], weight[:10])
    expected = reference(X[10:], Y[10:], weight[10:], fit_intercept=False)
    assert_equal_up_to_rounding(whole - part, expected, reference(X, Y, weight, False))
    assert not (whole - part).centered
    rest = whole - part
    for together in (rest + part, part + rest):
        assert_equal_up_to_rounding(together, *2 * [reference(X, Y, weight, False)])


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_loses_its_digits_is_named_and_computed_afresh(data, dtype, fit_intercept):
    X, Y, weight = data
    X[:30, 1] *= 1e-6  # hardly anything of it is left without the last ten images
    Y[:30, 2] *= 1e-6
    Y[:30, 0] = 0
    X, Y = X.astype(dtype), Y.astype(dtype)
    whole = Moments.of(X, Y, weight, fit_intercept=fit_intercept)
    part = Moments.of(X[30:], Y[30:], weight[30:], fit_intercept=fit_intercept)
    difference = whole - part
    assert difference.lost_digits
    assert list(difference.features.lost) == list(difference.lost_features) == [1]
    assert list(difference.lost_targets) == [0, 2]
    mended = difference.recomputed(X[:30], Y[:30], weight[:30])
    assert not mended.lost_digits
    expected = reference(X[:30], Y[:30], weight[:30], fit_intercept)
    largest = reference(X, Y, weight, fit_intercept)
    for lost in (slice(1, 2), slice(0, 5)):  # on their own scale, and together with the others
        for size in ("norms", "feature_means"):
            largest[size][1] = expected[size][1]
        largest["squared_norms"][[0, 2]] = expected["squared_norms"][[0, 2]]
        largest["target_means"][[0, 2]] = expected["target_means"][[0, 2]]
        np.testing.assert_allclose(
            mended.gram[lost, lost].diagonal(), expected["gram"].diagonal()[lost], rtol=1e-4
        )
    assert_equal_up_to_rounding(mended, expected, largest)
    assert mended.target_squared_norms[0] == 0
    assert not mended.q[0].any()


def test_a_block_shares_the_half_of_the_features(data):
    X, Y, weight = data
    X[:30, 1] = 1.5
    train, test = slice(30), slice(30, None)
    whole = Design.prepare(X, sample_weight=weight, center=True)
    held_out = Design.prepare(X[test], sample_weight=weight[test], center=True)
    of_all, of_test = FeatureMoments.of(whole), FeatureMoments.of(held_out)
    features = of_all - of_test
    assert list(features.lost) == [1]
    features = features.recomputed(X[train], weight[train])
    assert not features.lost.size
    expected = Moments.of(X[train], Y[train], weight[train])
    for block in (slice(2), slice(2, 3)):
        training = Moments.of_block(whole, of_all, Y[:, block]).minus(
            Moments.of_block(held_out, of_test, Y[test, block]), features=features
        )
        assert training.features is features
        assert list(training.lost_features) == [1]
        training = training.recomputed(X[train], Y[train, block], weight[train])
        assert training.features is features
        np.testing.assert_allclose(training.gram, expected.gram, atol=1e-12)
        np.testing.assert_allclose(training.q, expected.q[block], atol=1e-12)
        assert not training.q[:, 1].any()


def test_a_target_that_is_not_finite_is_named(data):
    X, Y, _ = data
    Y[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"Input y contains NaN.*first in target 1"):
        Moments.of(X, Y)
    design = Design.prepare(X, sample_weight=None, center=True)
    with pytest.raises(ValueError, match="first in target 12"):
        Moments.of_block(design, FeatureMoments.of(design), Y, numbers=np.array([11, 12, 13]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_constant_is_none_whatever_it_is_summed_from(dtype):
    X = np.full((9, 2), 0.1, dtype)
    X[5:, 1] = 0.3
    Y = np.full((9, 1), 1990.1, dtype)
    parts = [Moments.of(X[i : i + 1], Y[i : i + 1], [0.7]) for i in range(9)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert total.features.norms[0] == total.target_squared_norms[0] == 0
    assert not total.gram[0].any()
    assert not total.q.any()
    np.testing.assert_allclose(total.gram[1, 1], 0.7 * 9 * X[:, 1].var(), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_weights_of_the_held_out_part_that_dwarf_the_rest(data, scale):
    X, Y, weight = data
    weight[:10] *= scale * 1e6
    weight[10:] *= scale
    difference = Moments.of(X, Y, weight) - Moments.of(X[:10], Y[:10], weight[:10])
    mended = difference.recomputed(X[10:], Y[10:], weight[10:])
    expected = reference(X[10:], Y[10:], weight[10:], True)
    np.testing.assert_allclose(mended.gram, expected["gram"].astype(float), rtol=1e-7)
    np.testing.assert_allclose(mended.total_weight, float(expected["total_weight"]), rtol=1e-9)


def test_all_is_lost_where_the_weights_that_are_left_are_rounding(data):
    X, Y, weight = data
    weight[:10] *= 1e20
    difference = Moments.of(X, Y, weight) - Moments.of(X[:10], Y[:10], weight[:10])
    assert len(difference.lost_features) == 5
    assert len(difference.lost_targets) == 3
    mended = difference.recomputed(X[10:], Y[10:], weight[10:])
    expected = reference(X[10:], Y[10:], weight[10:], True)
    assert_equal_up_to_rounding(mended, expected, expected)


def test_choices_are_those_of_the_images(data):
    X, Y, weight = data
    moments = Moments.of(X, Y, weight)
    for features, targets in (
        (np.array([3, 0, 3]), None),
        (slice(1, 4), np.array([True, False, True])),
        (None, [2]),
    ):
        chosen = moments.take(features=features, targets=targets)
        X_chosen = X if features is None else X[:, features]
        Y_chosen = Y if targets is None else Y[:, targets]
        expected = reference(X_chosen, Y_chosen, weight, True)
        assert_equal_up_to_rounding(chosen, expected, expected)
        assert chosen.q.flags.c_contiguous
        assert chosen.gram.flags.c_contiguous
    assert moments.take(targets=[0]).features is moments.features


def test_choices_keep_the_names_of_what_is_lost(data):
    X, Y, _ = data
    X[:30, 1], Y[:30, 2] = 1.5, 0
    difference = Moments.of(X, Y) - Moments.of(X[30:], Y[30:])
    chosen = difference.take(features=[4, 1], targets=[2, 0])
    assert list(chosen.lost_features) == list(chosen.features.lost) == [1]
    assert list(chosen.lost_targets) == [0]
    assert not difference.take(features=[4, 0], targets=[0]).lost_digits


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_linear_maps_are_those_of_the_images(data, fit_intercept):
    X, Y, weight = data
    moments = Moments.of(X, Y, weight, fit_intercept=fit_intercept)
    rng = np.random.default_rng(1)
    for A in (
        np.linalg.qr(rng.standard_normal((5, 5)))[0],
        rng.standard_normal((5, 2)),
        1 / moments.features.norms,
    ):
        mapped = moments.transformed(A)
        expected = reference(X @ (np.diag(A) if A.ndim == 1 else A), Y, weight, fit_intercept)
        np.testing.assert_allclose(mapped.gram, expected["gram"].astype(float), atol=1e-10)
        np.testing.assert_allclose(mapped.q, expected["q"].astype(float), atol=1e-10)
        np.testing.assert_allclose(mapped.features.norms, expected["norms"].astype(float))
        np.testing.assert_allclose(
            mapped.features.means, expected["feature_means"].astype(float), atol=1e-12
        )


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_centering_is_undone(data, dtype, form):
    X, Y, weight = (array.astype(dtype) for array in data)
    X[:, 2] = 1.5
    found = Moments.of(form(X), Y, weight).uncentered()
    expected = reference(X, Y, weight, fit_intercept=False)
    assert_equal_up_to_rounding(found, expected, expected)
    assert not found.centered


def test_errors_say_what_does_not_go_together(data):
    X, Y, _ = data
    moments = Moments.of(X, Y)
    with pytest.raises(ValueError, match=r"same features .* got 5 and 4 features"):
        moments + Moments.of(X[:, 1:], Y)
    with pytest.raises(ValueError, match=r"same targets .* got 3 and 2 targets"):
        moments + Moments.of(X, Y[:, 1:])
    with pytest.raises(ValueError, match=r"floating type; .* float64 and float32"):
        moments + Moments.of(X.astype(np.float32), Y)
    with pytest.raises(ValueError, match="other must be centered"):
        moments - Moments.of(X[:10], Y[:10], fit_intercept=False)
    with pytest.raises(ValueError, match=r"other must be a part .* weights 10 and 40"):
        Moments.of(X[:10], Y[:10]) - moments
    X[:30, 1] = 1.5
    lost = Moments.of(X, Y) - Moments.of(X[30:], Y[30:])
    with pytest.raises(ValueError, match=r"all their digits; got 1 features .* first 1"):
        lost.transformed(np.eye(5))
    for operation in (lambda: moments + 1, lambda: moments - 1):
        with pytest.raises(TypeError, match="unsupported operand"):
            operation()


def test_moments_of_sessions_are_summed_by_python():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 3)), rng.standard_normal((30, 2))
    parts = [Moments.of(X[k::3], Y[k::3]) for k in range(3)]
    np.testing.assert_allclose(sum(parts).gram, (parts[0] + parts[1] + parts[2]).gram)
    with pytest.raises(TypeError):
        1 + parts[0]
