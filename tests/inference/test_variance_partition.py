"""Parts of explained variance against scikit-learn's R2, set algebra and hand-drawn images."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics import r2_score

from skalign import SparsePositiveEncoderCV
from skalign.inference import variance_partition
from skalign.metrics import BootstrapDraws, ImagesToDraw, JackknifeDraws, NoiseCeiling

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    both = rng.standard_normal((120, 2))
    units = {name: both + rng.standard_normal((120, 2)) for name in NAMES}
    y = sum(units.values()) @ rng.random((2, 3)) + rng.standard_normal((120, 3))
    train, test = slice(70), slice(70, None)
    cut = [{name: X[part] for name, X in units.items()} for part in (train, test)]
    return cut[0], y[train], cut[1], y[test]


def only(data, names):
    units, y, units_test, y_test = data
    return {n: units[n] for n in names}, y, {n: units_test[n] for n in names}, y_test


def predictions(data, names, model):
    units, y, units_test, _ = data
    fitted = model.fit(np.hstack([units[n] for n in names]), y)
    return fitted.predict(np.hstack([units_test[n] for n in names]))


@pytest.mark.parametrize("n_groups", [2, 3, 4])
def test_parts_are_the_regions_of_a_venn_diagram(data, n_groups):
    names = NAMES[:n_groups]
    found = variance_partition(Ridge(), *only(data, names), n_resamples=2, random_state=0)
    explained = {}
    for size in range(1, n_groups + 1):
        for subset in combinations(names, size):
            y_pred = predictions(data, subset, Ridge())
            expected = r2_score(data[3], y_pred, multioutput="raw_values")
            explained[subset] = expected
            key = " + ".join(subset)
            assert_allclose(found.targets[key].estimate, expected)
            assert_allclose(found.means[key].estimate, expected.mean())
    regions = {
        subset: found.targets[" & ".join(subset) if len(subset) > 1 else f"only {subset[0]}"]
        for subset in explained
    }
    # What a union explains is the sum of all regions that it touches.
    for subset, expected in explained.items():
        touched = [part.estimate for key, part in regions.items() if set(key) & set(subset)]
        assert_allclose(np.sum(touched, axis=0), expected, atol=1e-12)
    assert len(found.targets) == 2 * (2**n_groups - 1)


@pytest.mark.parametrize("method", ["percentile", "t"])
def test_draws_are_of_images_and_shared(data, method):
    data = only(data, "ab")
    groups = np.repeat(np.arange(10), 5)
    weight = np.linspace(0, 1, 50)
    found = variance_partition(
        LinearRegression(),
        *data,
        test_sample_weight=weight,
        test_groups=groups,
        method=method,
        n_resamples=40,
        random_state=3,
    )
    images = ImagesToDraw(50, weight, groups)
    draws = JackknifeDraws(images) if method == "t" else BootstrapDraws(images, 40, 3)
    y_pred = {names: predictions(data, names, LinearRegression()) for names in ("a", "b", "ab")}
    values = []
    for draw in range(draws.n_draws):
        of_draw = np.zeros(50)
        of_draw[images.kept] = draws.weight(draw)
        v = {
            names: r2_score(data[3], p, sample_weight=of_draw, multioutput="raw_values")
            for names, p in y_pred.items()
        }
        values.append(v["a"] + v["b"] - v["ab"])
    values = np.array(values)
    for interval, drawn in (
        (found.targets["a & b"], values),
        (found.means["a & b"], values.mean(axis=1)),
    ):
        error = drawn.std(axis=0, ddof=1)
        if method == "t":  # groups differ in weight
            others = 1 - weight.reshape(10, 5).sum(axis=1) / weight.sum()
            mean = np.average(drawn, axis=0, weights=others)
            error = np.sqrt(np.tensordot(others, (drawn - mean) ** 2, 1))
        else:
            assert_allclose(interval.low, np.quantile(drawn, 0.025, axis=0))
        assert_allclose(interval.standard_error, error)


def test_blocks_of_targets_change_nothing(data, monkeypatch):
    data = only(data, "ab")
    whole = variance_partition(Ridge(), *data, random_state=0)
    monkeypatch.setattr("skalign.inference._partition_draws._width", lambda *_: 2)
    cut = variance_partition(Ridge(), *data, random_state=0)
    for key in whole.targets:
        assert_allclose(cut.targets[key].low, whole.targets[key].low)
        assert_allclose(cut.means[key].high, whole.means[key].high)


def test_ceilings_divide_targets_and_means(data):
    data = only(data, "ab")
    plain = variance_partition(Ridge(), *data, random_state=0)
    values = np.array([0.5, 0.8, 0.0])
    ceiling = NoiseCeiling(values, "variance")
    found = variance_partition(Ridge(), *data, ceiling=ceiling, random_state=0)
    for key in plain.targets:
        expected = plain.targets[key].estimate
        assert_allclose(found.targets[key].estimate[:2], expected[:2] / values[:2])
        assert_allclose(found.targets[key].high[:2], plain.targets[key].high[:2] / values[:2])
        assert np.isnan(found.targets[key].estimate[2])
        assert_allclose(found.means[key].estimate, expected[:2].sum() / values.sum())
        assert found.means[key].n_left_out == 1


def test_corrected_parts_are_those_without_noise():
    rng = np.random.default_rng(0)
    units = {name: rng.standard_normal((40_000, 2)) for name in "ab"}
    signal = units["a"].sum(axis=1) + units["b"][:, 0]
    noisy = (signal + 2 * rng.standard_normal(40_000))[:, np.newaxis]
    ceiling = NoiseCeiling(np.array([3 / 7]), "variance")
    found = variance_partition(
        LinearRegression(), units, noisy, units, noisy, ceiling=ceiling, n_resamples=2
    )
    assert_allclose(found.means["only a"].estimate, 2 / 3, atol=0.02)
    assert_allclose(found.means["a & b"].estimate, 0, atol=0.02)


def test_constant_responses_have_no_share(data):
    units, y, units_test, y_test = only(data, "ab")
    y_test = y_test.copy()
    y_test[:, 1] = 5
    found = variance_partition(Ridge(), units, y, units_test, y_test, random_state=0)
    assert np.isnan(found.targets["only a"].estimate[1])
    assert np.isnan(found.targets["only a"].low[1])
    expected = found.targets["only a"].estimate[[0, 2]].mean()
    assert_allclose(found.means["only a"].estimate, expected)
    assert found.means["only a"].n_left_out == 1


def test_sparse_features_names_and_choosing_encoders(data):
    pd = pytest.importorskip("pandas")
    units, y, units_test, y_test = only(data, "ab")
    names = ["u", "v", "w"]
    frames = [pd.DataFrame(values, columns=names) for values in (y, y_test)]
    options = {"sample_weight": np.arange(70.0), "random_state": 0, "n_resamples": 20}
    found = variance_partition(Ridge(), units, frames[0], units_test, frames[1], **options)
    as_sparse = [{"a": sparse.csr_array(u["a"]), "b": u["b"]} for u in (units, units_test)]
    again = variance_partition(Ridge(), as_sparse[0], y, as_sparse[1], y_test, **options)
    assert_allclose(again.means["a + b"].low, found.means["a + b"].low, rtol=1e-5)
    frame = found.to_frame()
    assert_array_equal(frame["target"], names)
    assert_array_equal(frame["only a low"], found.targets["only a"].low)
    assert list(found.summary_frame()["part"]) == ["a", "b", "a + b", "only a", "only b", "a & b"]
    # Each fit chooses anew, with groups kept together.
    chosen = variance_partition(
        SparsePositiveEncoderCV("ridge", alphas=[1.0, 100.0], positive=False),
        *only(data, "ab"),
        groups=np.repeat(np.arange(10), 7),
        n_resamples=2,
    )
    expected = r2_score(y_test, predictions(data, "a", RidgeCV([1.0, 100.0])))
    assert abs(chosen.means["a"].estimate - expected) < 0.05


def test_bad_arguments_are_refused(data):
    data = units, y, units_test, y_test = only(data, "ab")
    for bad, error, message in (
        ((units["a"], y, units_test, y_test), TypeError, "units must be a dict"),
        (({"a": units["a"]}, y, units_test, y_test), ValueError, "2 to 4 groups; got 1"),
        ((units, y, {"a": 1, "c": 1}, y_test), ValueError, "units_test must have the groups"),
        ((units, y, {n: u[:1] for n, u in units_test.items()}, y_test[:1]), ValueError, "at least"),
    ):
        with pytest.raises(error, match=message):
            variance_partition(Ridge(), *bad)
    with pytest.raises(TypeError, match="NoiseCeiling"):
        variance_partition(Ridge(), *data, ceiling=np.ones(3))
    with pytest.raises(ValueError, match=r'got 3 in "r"'):
        variance_partition(Ridge(), *data, ceiling=NoiseCeiling(np.ones(3), "r"))
    with pytest.warns(UserWarning, match="at least 10 groups"):
        variance_partition(
            Ridge(), *data, test_groups=np.arange(50) % 5, method="percentile", n_resamples=2
        )
