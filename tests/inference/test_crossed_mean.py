"""Means over crossed factors: against one factor, the analysis of variance, and hand-made draws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.linear_model import LinearRegression

from skalign.inference import bootstrap_alignment, bootstrap_mean, crossed_mean
from skalign.inference._interval import IntervalRule, interval_of

TWO = ("networks", "subjects")
THREE = ("networks", "subjects", "images")


def test_one_factor_is_students_interval():
    values = np.random.default_rng(0).standard_normal(7)
    found = crossed_mean(values, factors=["subjects"], confidence_level=0.9)
    expected = bootstrap_mean(
        [[value] for value in values], over="subjects", method="t", confidence_level=0.9
    )
    assert_allclose([found.low, found.high], [expected.low, expected.high])
    assert_allclose(found.standard_errors["subjects"], stats.sem(values))
    assert_allclose([found.degrees_of_freedom, expected.degrees_of_freedom], 6)


def test_two_factors_are_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((6, 1)) + rng.standard_normal((1, 4)) + rng.random((6, 4))
    found = crossed_mean(table, factors=TWO)
    rows, columns, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    residual = table - rows[:, np.newaxis] - columns + mean
    of_rows, of_columns = rows.var(ddof=1) / 6, columns.var(ddof=1) / 4
    variance = of_rows + of_columns - (residual**2).sum() / (5 * 3) / 24
    assert_allclose(found.standard_error**2, variance)
    assert_allclose(list(found.standard_errors.values()), np.sqrt([of_rows, of_columns]))
    df = variance**2 / (of_rows**2 / 5 + of_columns**2 / 3)
    assert_allclose(found.degrees_of_freedom, df)
    reach = stats.t.ppf(0.975, df) * np.sqrt(variance)
    assert_allclose([found.low, found.high], [mean - reach, mean + reach])
    assert found.to_frame().shape == (1, 5)


def test_variance_of_three_factors_is_unbiased():
    rng = np.random.default_rng(0)
    shape, sizes = (5, 4, 6), {}
    for axes in [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)]:
        sizes[axes] = 1.0 if len(axes) == 1 else 0.6
    truth = sum(size**2 / np.prod([shape[axis] for axis in axes]) for axes, size in sizes.items())
    variances = []
    for _ in range(1500):
        table = np.zeros(shape)
        for axes, size in sizes.items():
            part = [n if axis in axes else 1 for axis, n in enumerate(shape)]
            table = table + size * rng.standard_normal(part)
        variances.append(crossed_mean(table, factors=THREE).standard_error ** 2)
    error = np.std(variances) / np.sqrt(1500)
    assert abs(np.mean(variances) - truth) < 3 * error
    assert error < 0.02 * truth


@pytest.mark.filterwarnings("ignore:A percentile interval should have:UserWarning")
def test_clusters_of_one_size_are_their_means():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((12, 5))
    families = np.repeat([3, 1, 2, 0], 3)
    order = rng.permutation(12)
    for method in ("t", "percentile"):
        options = {"factors": TWO, "method": method, "random_state": 0}
        found = crossed_mean(table[order], clusters={"networks": families[order]}, **options)
        means = table.reshape(4, 3, 5).mean(axis=1)[[3, 1, 2, 0]]
        expected = crossed_mean(means, **options)
        assert_allclose([found.low, found.high], [expected.low, expected.high])
        assert found.standard_errors.keys() == expected.standard_errors.keys()


@pytest.mark.parametrize("method", ["percentile", "basic"])
def test_draws_of_factors_are_independent_and_paired_over_cells(method, monkeypatch):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((11, 12, 10))
    table[3, 4, 5] = np.nan
    minus = rng.standard_normal(table.shape)
    families = rng.permutation(np.repeat(np.arange(10), 2)[:11])
    options = {"factors": THREE, "method": method, "n_resamples": 50, "random_state": 7}
    with pytest.warns(UserWarning, match="at least 10 networks or subjects or images"):
        found = crossed_mean(table, minus, clusters={"networks": families}, **options)
    random_state = np.random.RandomState(7)
    n_families = len(set(families))
    counts = [random_state.multinomial(n, np.full(n, 1 / n), 50) for n in (n_families, 12, 10)]
    values = []
    for family, subject, image in zip(*counts, strict=True):
        weights = np.einsum("i,j,k->ijk", family[families], subject, image)
        values.append(np.ma.average(np.ma.masked_invalid(table - minus), weights=weights))
    low, high = np.quantile(values, [0.025, 0.975])
    estimate = np.nanmean(table - minus)
    if method == "basic":
        low, high = 2 * estimate - high, 2 * estimate - low
    assert_allclose([found.low, found.estimate, found.high], [low, estimate, high])
    assert_allclose(found.standard_error, np.std(values, ddof=1))
    assert found.n_left_out == 1
    monkeypatch.setattr("skalign.inference._crossed_mean._BATCH_NUMBERS", 2**10)
    with pytest.warns(UserWarning, match="at least 10"):
        again = crossed_mean(table, minus, clusters={"networks": families}, **options)
    assert 0.5 < (again.high - again.low) / (found.high - found.low) < 2


def test_levels_without_values_are_not_there():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((6, 4))
    with_gaps = np.insert(np.insert(table, 2, np.nan, axis=0), 4, np.nan, axis=1)
    families = {"networks": [0, 0, 9, 1, 1, 2, 2]}
    found = crossed_mean(with_gaps, factors=TWO, clusters=families)
    expected = crossed_mean(table, factors=TWO, clusters={"networks": [0, 0, 1, 1, 2, 2]})
    assert_allclose([found.low, found.high], [expected.low, expected.high])
    assert found.n_left_out == 35 - 24


def test_clusters_of_unequal_size_are_those_of_the_jackknife():
    """One factor: the interval from the means without each cluster."""
    rng = np.random.default_rng(0)
    sizes = np.array([1, 2, 3, 10])
    labels = np.repeat([3, 0, 2, 1], sizes)
    values = rng.standard_normal(16)
    without = np.array([values[labels != label].mean() for label in (3, 0, 2, 1)])
    rule = IntervalRule(9, 0.9, "t", None).check()
    expected = interval_of(rule, values.mean(), without, shares=sizes / 16)
    found = crossed_mean(
        values, factors=["networks"], clusters={"networks": labels}, confidence_level=0.9
    )
    assert expected.degrees_of_freedom < 2
    assert_allclose([found.low, found.high], [expected.low, expected.high])
    assert_allclose(found.standard_errors["networks"], expected.standard_error)
    assert_allclose(found.degrees_of_freedom, expected.degrees_of_freedom)


def test_pseudovalues_are_the_jackknife_of_images():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    Y = X[:, :2] + rng.standard_normal((40, 2))
    model = LinearRegression().fit(X, Y)
    interval = bootstrap_alignment(model, X, Y, method="t")
    values = interval.r.pseudovalues()
    one_out = np.delete(np.arange(40), 3)
    without = np.mean(
        [np.corrcoef(Y[one_out, k], model.predict(X)[one_out, k])[0, 1] for k in range(2)]
    )
    assert_allclose(values[3], 40 * interval.r.estimate - 39 * without)
    found = crossed_mean(values, factors=["images"])
    assert_allclose(found.standard_error, interval.r.standard_error)
    assert_allclose(found.estimate, interval.r.estimate, atol=0.01)
    # A network and a subject more, on the same images: images are the smaller uncertainty.
    pair = np.stack([[values, values + 0.2], [values - 0.3, values - 0.1]])
    crossed = crossed_mean(pair, factors=THREE)
    assert_allclose(crossed.standard_errors["images"], interval.r.standard_error)
    assert crossed.standard_error > interval.r.standard_error
    for method in ("percentile", "t"):
        one = bootstrap_alignment(model, X, Y, method=method, n_resamples=9, random_state=0)
        part = one.r if method == "percentile" else one.target_r
        with pytest.raises(ValueError, match="pseudo-values"):
            part.pseudovalues()


def test_bad_arguments_are_refused():
    table = np.random.default_rng(0).standard_normal((4, 3))
    for options, error, message in [
        ({"factors": ["networks"]}, ValueError, "factors must be 1 to 4 different names"),
        ({"factors": ["a", "a"]}, ValueError, "factors must be"),
        ({"factors": TWO, "method": "BCa"}, ValueError, "method must be"),
        ({"factors": TWO, "clusters": {"images": [0, 1]}}, ValueError, r"got \['images'\]"),
        ({"factors": TWO, "clusters": [0, 1]}, TypeError, "clusters must be a dict"),
        ({"factors": TWO, "clusters": {"subjects": [1, 1, 1]}}, ValueError, "clusters of 'subj"),
        ({"factors": TWO, "minus": table.T}, ValueError, "shape of values"),
    ]:
        with pytest.raises(error, match=message):
            crossed_mean(table, **options)
    with pytest.raises(ValueError, match="levels of 'networks'"):
        crossed_mean(table[:1], factors=TWO)
    with pytest.raises(ValueError, match="NaN in all"):
        crossed_mean(table * np.nan, factors=TWO)
    with pytest.raises(ValueError, match="infinity"):
        crossed_mean(np.where(table > 0, np.inf, table), factors=TWO)
