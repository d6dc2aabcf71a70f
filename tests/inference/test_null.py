"""Null fits against what a recording model was given and fitted, and against fits by hand."""

import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import false_discovery_control
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference import alignment_null
from skalign.metrics import alignment

NULLS = ["units", "rotation", "images"]


@pytest.fixture(scope="module")
def data():
    """Halves of images of 6 units that are in a pool of 15, and 3 targets, off center."""
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((120, 15)) * np.linspace(0.5, 2, 15) + rng.standard_normal((120, 1))
    pool += 0.5
    coef = np.zeros((3, 15))
    coef[0, :3], coef[1, 2:12:2], coef[2, 14] = 1, rng.random(5), -1
    Y = pool @ coef.T + 0.5 * rng.standard_normal((120, 3)) + 1
    X = pool[:, :6]
    return {
        "X": X[:60], "y": Y[:60], "X_test": X[60:], "y_test": Y[60:],
        "pool": pool[:60], "pool_test": pool[60:],
    }  # fmt: skip


def run(encoder, data, null, **options):
    given = {name: data[name] for name in ("X", "y", "X_test", "y_test")}
    if null == "units":
        given |= {name: data[name] for name in ("pool", "pool_test")}
    options = {"n_resamples": 3, "random_state": 0} | options
    return alignment_null(encoder, **given, null=null, **options)


class Recording(TransformerMixin, BaseEstimator):
    """Keeps the features and responses of every fit, and the features of every transform."""

    fitted: list = []  # noqa: RUF012 - clones must share it
    transformed: list = []  # noqa: RUF012

    def fit(self, X, y=None, marked=None):
        Recording.fitted.append((np.array(X), np.array(y), marked))
        return self

    def transform(self, X):
        Recording.transformed.append(np.array(X))
        return X

    def __sklearn_is_fitted__(self):
        return True


def record(data, null, *steps, **options):
    """Result, and features, responses and test features of every fit, the observed one first."""
    Recording.fitted.clear()
    Recording.transformed.clear()
    encoder = make_pipeline(Recording(), *(steps or [Lasso(0.2, positive=True)]))
    found = run(encoder, data, null, **options)
    tests = [X for X in Recording.transformed if len(X) == len(data["y_test"]) and not any(
        X is fitted for fitted, *_ in Recording.fitted)]  # fmt: skip
    return found, Recording.fitted, tests


def theta_by_definition(features, target, weights):
    """One minus the mean cosine of the target with the features, weighted; unit by unit."""
    total = reached = 0.0
    for feature, weight in zip(features.T, weights, strict=True):
        cosine = feature @ target / np.sqrt((feature @ feature) * (target @ target))
        total, reached = total + abs(weight), reached + abs(weight) * cosine
    return 1 - reached / total


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("target", ["predicted", "observed"])
def test_numbers_are_those_of_fits_to_the_null_data(data, null, target):
    """Scikit-learn's lasso on what the model was given, scored by the definitions."""
    found, fits, _ = record(data, null, target=target)
    assert len(fits) == 4
    for row, (X, Y, _) in enumerate(fits):
        lasso = Lasso(0.2, positive=True).fit(X, Y)
        # The test features that go with X: the same columns, or the same map of them.
        X_test = matching_test_features(data, null, X)
        r, theta = np.empty(3), np.full(3, np.nan)
        predicted = lasso.predict(X_test)
        for t in range(3):
            is_empty = not lasso.coef_[t].any()
            reached = predicted[:, t] if target == "predicted" else data["y_test"][:, t]
            r[t] = np.nan
            if not is_empty:
                r[t] = np.corrcoef(predicted[:, t], data["y_test"][:, t])[0, 1]
                theta[t] = theta_by_definition(X_test, reached, lasso.coef_[t])
        seen = found.encoder.r if row == 0 else found.null_r[row - 1]
        assert_allclose(seen, r, atol=1e-10)
        own = found.encoder.theta if target == "predicted" else found.encoder.theta_observed
        assert_allclose(own if row == 0 else found.null_theta[row - 1], theta, atol=1e-10)
        seen = found.encoder.n_active if row == 0 else found.null_n_active[row - 1]
        assert_array_equal(seen, np.count_nonzero(lasso.coef_, axis=1))


def matching_test_features(data, null, X):
    """Test features that go with training features, found from these alone."""
    if null == "units":
        distance = abs(data["pool"][:, :, None] - X[:, None, :]).max(axis=0)
        assert (distance.min(axis=0) < 1e-12).all()
        return data["pool_test"][:, distance.argmin(axis=0)]
    one = np.ones((60, 1))
    affine, *_ = np.linalg.lstsq(np.c_[data["X"], one], X, rcond=None)
    return np.c_[data["X_test"], one] @ affine


def test_units_are_drawn_from_the_pool(data):
    """All of them about equally often, never twice in a draw."""
    _, fits, _ = record(data, "units", n_resamples=200)
    assert_array_equal(fits[0][0], data["X"])
    count = np.zeros(15)
    for X, Y, _ in fits[1:]:
        assert X.shape == (60, 6)
        units = [np.flatnonzero((data["pool"] == x[:, None]).all(axis=0))[0] for x in X.T]
        assert len(set(units)) == 6
        count[units] += 1
        assert_array_equal(Y, data["y"])
    assert abs(count - 80).max() < 4 * np.sqrt(200 * 0.4 * 0.6)


@pytest.mark.parametrize("weighted", [False, True])
def test_features_are_rotated_about_their_training_means(data, weighted):
    weight = np.random.default_rng(0).random(60) if weighted else None
    _, fits, _ = record(data, "rotation", n_resamples=200, sample_weight=weight)
    assert_array_equal(fits[0][0], data["X"])
    mean = np.average(data["X"], axis=0, weights=weight)
    rotations = []
    for X, Y, _ in fits[1:]:
        rotation, *_ = np.linalg.lstsq(data["X"] - mean, X - mean, rcond=None)
        assert_allclose(rotation @ rotation.T, np.eye(6), atol=1e-10)
        assert_allclose(mean + (data["X"] - mean) @ rotation, X, atol=1e-10)
        rotations.append(rotation)
        assert_array_equal(Y, data["y"])
    # Of orthogonal matrices, all equally likely: entries have mean 0 and variance 1/6.
    entries = np.array(rotations)
    assert abs(entries.mean(axis=0)).max() < 4 * np.sqrt(1 / 6 / 200)
    assert abs((entries**2).mean(axis=0) - 1 / 6).max() < 0.08
    assert 0.3 < np.mean(np.linalg.det(entries) > 0) < 0.7


@pytest.mark.parametrize("weighted", [False, True])
def test_more_units_than_images_are_rotated_in_their_span(weighted, monkeypatch):
    """Distances between images stay, in training and test; directions are all equally likely."""
    rng = np.random.default_rng(0)
    data = {"X": rng.random((8, 40)) + 1, "y": rng.random((8, 2)), "X_test": rng.random((5, 40))}
    data["y_test"] = rng.random((5, 2))
    weight = rng.random(8) if weighted else None
    monkeypatch.setattr("skalign.inference._null_draws.ortho_group", None)  # costs p^3
    _, fits, tests = record(data, "rotation", n_resamples=200, sample_weight=weight)
    mean = np.average(data["X"], axis=0, weights=weight)
    before = np.vstack([data["X"], data["X_test"]]) - mean
    first = []
    for (X, *_), X_test in zip(fits[1:], tests[1:], strict=True):
        after = np.vstack([X, X_test]) - mean
        assert_allclose(after @ after.T, before @ before.T, atol=1e-9)
        first.append(after[0] / np.linalg.norm(after[0]))
    assert abs(np.mean(first, axis=0)).max() < 4.5 * np.sqrt(1 / 40 / 200)
    assert abs(np.mean(np.square(first), axis=0) - 1 / 40).max() < 4.5 * np.sqrt(2 / 40**2 / 200)
    fast = run(SparsePositiveEncoder(alpha=0.01), data, "rotation", n_resamples=3)
    assert np.isfinite(fast.null_theta).any()


@pytest.mark.parametrize("null", ["units", "rotation"])
def test_the_pipeline_standardizes_observed_and_null_features_alike(data, null):
    seen = []

    class Last(Lasso):
        def fit(self, X, y):
            seen.append(X)
            return super().fit(X, y)

    run(make_pipeline(StandardScaler(), Last(0.2, positive=True)), data, null)
    assert len(seen) == 4
    for X in seen:
        assert_allclose(X.mean(axis=0), 0, atol=1e-12)
        assert_allclose(X.std(axis=0), 1)


def orders(data, **options):
    """In what order every null fit got the responses."""
    fitted = record(data, "images", **options)[1][1:]
    row = {tuple(y): k for k, y in enumerate(data["y"])}
    for X, _, _ in fitted:
        assert_array_equal(X, data["X"])
    return np.array([[row[tuple(y)] for y in Y] for _, Y, _ in fitted])


def test_images_are_permuted(data):
    found = orders(data, n_resamples=100)
    assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(60), (100, 1)))
    assert len({tuple(order) for order in found}) == 100
    assert abs((found == np.arange(60)).mean() - 1 / 60) < 0.01


def test_whole_groups_trade_responses(data):
    """Images of a group stay together, in their order, even if the group is scattered."""
    groups = np.random.default_rng(0).permutation(np.repeat(list("abcd"), 15))
    found = orders(data, groups=groups, n_resamples=300)
    places = {label: np.flatnonzero(groups == label) for label in "abcd"}
    seen = set()
    for order in found:
        taken = [groups[order[places[label]]][0] for label in "abcd"]
        for label, source in zip("abcd", taken, strict=True):
            assert_array_equal(order[places[label]], places[source])
        seen.add("".join(taken))
    assert len(seen) == 24


def test_responses_are_shifted_within_groups(data):
    groups = np.repeat([3, 1, 2], [30, 20, 10])
    found = orders(data, groups=groups, scheme="shift", n_resamples=300)
    shifts = []
    for order in found:
        assert_array_equal(groups[order], groups)
        row = []
        for label in (1, 2, 3):
            places = np.flatnonzero(groups == label)
            row.append((places[0] - order[places[0]]) % places.size)
            assert_array_equal(np.roll(places, row[-1]), order[places])
        shifts.append(row)
    shifts = np.array(shifts)
    assert [set(column) for column in shifts.T] == [set(range(n)) for n in (20, 10, 30)]
    assert abs(np.corrcoef(shifts.T) - np.eye(3)).max() < 0.25


def test_few_arrangements_bound_p_values(data):
    options = {"null": "images", "n_resamples": 99}
    encoder = SparsePositiveEncoder(alpha=0.01)
    three = run(encoder, data, groups=np.arange(60) % 3, **options)
    assert_allclose(three.least_p_value, 1 / 6)
    assert three.p_value_r[0] > 0.08
    assert three.n_targets_for_discovery() > 3
    shifted = run(encoder, data, groups=np.arange(60) // 2 // 15, scheme="shift", **options)
    assert_allclose(shifted.least_p_value, 0.01)


def test_images_without_weight_keep_their_responses(data):
    weight = np.ones(60)
    weight[:10] = 0
    found = orders(data, sample_weight=weight, n_resamples=20)
    assert_array_equal(found[:, :10], np.tile(np.arange(10), (20, 1)))
    assert (found[:, 10:] >= 10).all()
    Y = data["y"].copy()
    Y[:10] = 1e6
    options = {"null": "images", "sample_weight": weight}
    expected = run(SparsePositiveEncoder(alpha=0.01), data, **options)
    changed = run(SparsePositiveEncoder(alpha=0.01), data | {"y": Y}, **options)
    assert_allclose(changed.null_r, expected.null_r)


def test_weights_and_other_arguments_of_fit_reach_the_model(data):
    weight, test_weight = np.random.default_rng(0).random((2, 60))
    _, fits, _ = record(
        data, "rotation", sample_weight=weight, fit_params={"recording__marked": "so"}
    )
    assert [marked for *_, marked in fits] == 4 * ["so"]
    found = run(
        Lasso(0.2, positive=True), data, "rotation",
        sample_weight=weight, test_sample_weight=test_weight,
    )  # fmt: skip
    fitted = Lasso(0.2, positive=True).fit(data["X"], data["y"], sample_weight=weight)
    expected = alignment(fitted, data["X_test"], data["y_test"], sample_weight=test_weight)
    assert_allclose(found.encoder.r, expected.r)
    assert_allclose(found.encoder.theta, expected.theta)


def test_cross_validated_encoder_chooses_anew(data):
    """With whole groups in its splits."""
    data = data | {name: data[name][:, :2] for name in ("y", "y_test")}
    groups = np.arange(60) % 6
    seen = []

    class Choosing(SparsePositiveEncoderCV):
        def fit(self, X, y, groups=None, sample_weight=None):
            super().fit(X, y, groups=groups, sample_weight=sample_weight)
            seen.append((self.alpha_, groups))
            return self

    encoder = make_pipeline(StandardScaler(), Choosing(cv=3))
    found = run(encoder, data, "rotation", groups=groups)
    assert len(seen) == 4
    for _, of_fit in seen:
        assert_array_equal(of_fit, groups)
    scaler = StandardScaler().fit(data["X"])
    fitted = SparsePositiveEncoderCV(cv=3).fit(
        scaler.transform(data["X"]), data["y"], groups=groups
    )
    expected = alignment(fitted, scaler.transform(data["X_test"]), data["y_test"])
    assert_allclose(found.encoder.r, expected.r, atol=1e-8)
    assert any((alpha != seen[0][0]).any() for alpha, _ in seen[1:])


def test_kept_alpha_is_the_one_chosen_for_the_data(data):
    pipeline = make_pipeline(StandardScaler(), Lasso(positive=True))
    search = GridSearchCV(pipeline, {"lasso__alpha": [0.01, 0.1, 0.3]}, cv=3)
    chosen = search.fit(data["X"], data["y"]).best_params_
    found = run(search, data, "rotation", keep_alpha=True)
    expected = run(pipeline.set_params(**chosen), data, "rotation")
    assert_array_equal(found.null_n_active, expected.null_n_active)
    assert_allclose(found.null_theta, expected.null_theta)
    free = run(search, data, "rotation")
    assert (free.null_n_active != found.null_n_active).any()


def test_target_transformer(data):
    """Responses of other scales are the same to a lasso that standardizes them."""
    encoder = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=0.2)),
        transformer=StandardScaler(),
    )
    expected = run(encoder, data, "rotation")
    scaled = data | {"y": data["y"] * [1, 10, 100], "y_test": data["y_test"] * [1, 10, 100]}
    found = run(encoder, scaled, "rotation")
    assert_allclose(found.null_theta, expected.null_theta, atol=1e-8)
    assert_allclose(found.null_r, expected.null_r, atol=1e-8)


def test_empty_null_fits_of_a_cross_validated_encoder_are_no_warnings(data):
    y = data["X"][:, :1] + 0.1 * data["y"]
    noiseless = data | {"y": y, "y_test": data["X_test"][:, :1] + 0.1 * data["y_test"]}
    found = run(SparsePositiveEncoderCV(cv=3), noiseless, "images", n_resamples=20)
    assert found.n_empty.min() > 0


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("correction", ["bh", "by"])
def test_p_values(data, null, correction):
    """Those of r are counts; an empty fit of the encoder has p-values of 1."""
    found = run(SparsePositiveEncoder(alpha=0.5), data, null, n_resamples=20, correction=correction)
    null_r = np.nan_to_num(found.null_r)
    p_r = [(1 + sum(null_r[:, t] >= found.encoder.r[t])) / 21 for t in range(2)]
    assert found.encoder.n_active[2] == 0
    assert np.isnan(found.encoder.theta[2])
    assert np.isnan(found.encoder.r[2])
    assert_allclose(found.p_value_r, [*p_r, 1])
    assert_allclose(found.q_value_r, false_discovery_control(found.p_value_r, method=correction))
    own_mean = np.nan_to_num(found.encoder.r).mean()
    assert_allclose(found.region_p_value_r, (1 + sum(null_r.mean(axis=1) >= own_mean)) / 21)
    deviation = np.vstack([np.nan_to_num(found.encoder.r), null_r])
    deviation -= deviation.mean(axis=0)
    largest = deviation[1:].max(axis=1)
    familywise = [(1 + sum(largest >= deviation[0, t])) / 21 for t in range(2)]
    assert_allclose(found.familywise_p_value_r, [*familywise, 1])
    of_theta = found.p_value_theta, found.q_value_theta, found.familywise_p_value_theta
    if null == "images":
        assert found.n_empty[:2].min() > 0
        assert np.isnan(found.null_r[found.null_n_active == 0]).all()
        assert np.isnan(of_theta).all()
        assert np.isnan(found.region_p_value_theta)
        assert np.isnan(found.excess_theta).all()
    else:
        assert_array_equal([p[2] for p in of_theta], 1)
        assert (found.p_value_theta <= found.familywise_p_value_theta).all()
        assert found.n_empty.max() > 0


def test_excess_theta_is_beyond_a_fit_to_the_null_fits(data):
    found = run(SparsePositiveEncoder(alpha=0.05), data, "rotation", n_resamples=50)
    for t in range(2):
        is_fit = found.null_n_active[:, t] > 0
        logs = np.log(found.null_n_active[is_fit, t])
        degree = min(2, len(set(logs)) - 1)
        curve = np.polyfit(logs, found.null_theta[is_fit, t], degree)
        expected = found.encoder.theta[t] - np.polyval(curve, np.log(found.encoder.n_active[t]))
        assert_allclose(found.excess_theta[t], expected, atol=1e-8)


def test_empty_null_fits_count_against_the_encoder():
    """Of the pool's other units none goes with the target: no fit, and no evidence."""
    x = np.linspace(-1, 1, 20)
    X, others = np.c_[x, x**3], np.c_[-x, -(x**3), -np.sin(x)]
    found = alignment_null(
        SparsePositiveEncoder(alpha=0.01), X, x, X, x, null="units",
        pool=others, pool_test=others, n_resamples=5,
    )  # fmt: skip
    assert_array_equal(found.n_empty, [5])
    assert_array_equal(found.p_value_theta, [1])
    assert_allclose(found.p_value_r, [1 / 6])


def test_single_units_are_ties():
    """Every single unit is its own prediction; rounding must not say which is the better."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 10))
    Y = X[:, :5] + 0.1 * rng.standard_normal((80, 5))
    encoder = SparsePositiveEncoder(alpha=0.7, fit_intercept=False)
    found = alignment_null(encoder, X[:40], Y[:40], X[40:], Y[40:], n_resamples=20, random_state=0)
    assert_array_equal(found.encoder.n_active, 1)
    assert_array_equal(found.p_value_theta, 1)


@pytest.mark.parametrize("null", ["units", "rotation"])
@pytest.mark.parametrize("target", ["predicted", "observed"])
def test_few_aligned_units_are_found(null, target):
    """Targets are latent variables. Units of X have one each, others of the pool have mixtures."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((300, 8))
    pool = np.hstack([np.repeat(latent, 5, axis=1), latent @ rng.standard_normal((8, 400)) / 3])
    pool += 0.5 * rng.standard_normal(pool.shape)
    X, Y = pool[:, :40], latent[:, :4] + 0.5 * rng.standard_normal((300, 4))
    given = {"pool": pool[:200], "pool_test": pool[200:]} if null == "units" else {}
    found = alignment_null(
        make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=0.15)),
        X[:200], Y[:200], X[200:], Y[200:], null=null,
        n_resamples=99, random_state=0, target=target, **given,
    )  # fmt: skip
    assert found.encoder.n_active.max() < 10
    assert (found.q_value_theta <= 0.05).all()
    assert (found.q_value_r <= 0.05).all()
    assert found.familywise_p_value_theta.min() <= 0.05
    assert found.region_p_value_theta == found.region_p_value_r == 0.01
    assert (found.excess_theta < 0).all()


def test_predictable_responses_are_found(data):
    found = run(SparsePositiveEncoder(alpha=0.1), data, "images", n_resamples=99)
    assert_array_equal(found.p_value_r[:2], 0.01)
    assert found.familywise_p_value_r[0] == found.region_p_value_r == 0.01


def test_table_and_summary(data):
    found = run(SparsePositiveEncoder(alpha=0.5), data, "rotation", n_resamples=40)
    table = found.to_frame()
    assert_array_equal(table["target"], range(3))
    for name in ("r", "theta", "n_active"):
        assert_array_equal(table[name], getattr(found.encoder, name))
    for name in ("excess_theta", "n_empty", "p_value_r", "q_value_theta", "familywise_p_value_r"):
        assert_array_equal(table[name], getattr(found, name))
    assert_allclose(table["null_r"], np.nan_to_num(found.null_r).mean(axis=0))
    means = [v[~np.isnan(v)].mean() if (~np.isnan(v)).any() else np.nan for v in found.null_theta.T]
    assert_allclose(table["null_theta"], means)
    summary = found.summary()
    assert summary.items() >= found.encoder.summary().items()
    assert_allclose(summary["excess_theta"], np.nanmean(found.excess_theta))
    assert (summary["n_resamples"], summary["least_p_value"]) == (40, 1 / 41)
    assert summary["n_targets_for_discovery"] == 2  # of three


def test_frame_whose_columns_have_transformers_of_their_own(data):
    """Only the responses are permuted, so that features may come in any form."""
    columns = [f"unit {k}" for k in range(6)]
    frames = data | {name: pd.DataFrame(data[name], columns=columns) for name in ("X", "X_test")}
    scaler = ColumnTransformer([("some", StandardScaler(), columns[:4])])
    found = run(make_pipeline(scaler, Lasso(0.1, positive=True)), frames, "images")
    some = data | {name: data[name][:, :4] for name in ("X", "X_test")}
    expected = run(make_pipeline(StandardScaler(), Lasso(0.1, positive=True)), some, "images")
    assert_allclose(found.null_r, expected.null_r)
    with pytest.raises(ValueError, match="Specifying the columns"):
        run(make_pipeline(scaler, Lasso()), frames, "rotation")


def test_metadata_routing(data):
    weight = np.random.default_rng(0).random(60)
    expected = run(SparsePositiveEncoder(), data, "rotation", sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        encoder = SparsePositiveEncoder().set_fit_request(sample_weight=True)
        assert_allclose(
            run(encoder, data, "rotation", sample_weight=weight).null_r, expected.null_r
        )
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), encoder)
        found = run(pipeline, data, "rotation", sample_weight=weight)
        scaler = StandardScaler().fit(data["X"], sample_weight=weight)
        fitted = SparsePositiveEncoder().fit(
            scaler.transform(data["X"]), data["y"], sample_weight=weight
        )
    own = alignment(fitted, scaler.transform(data["X_test"]), data["y_test"])
    assert_allclose(found.encoder.theta, own.theta)


@pytest.mark.parametrize("encoder", [LinearRegression(), Ridge(), MultiOutputRegressor(Lasso(0.2))])
@pytest.mark.parametrize("null", NULLS)
def test_other_linear_models(data, encoder, null):
    found = run(encoder, data, null, n_resamples=19)
    own = alignment(encoder.fit(data["X"], data["y"]), data["X_test"], data["y_test"])
    assert_allclose(found.encoder.theta, own.theta)
    if null == "images":
        assert (found.p_value_r[:2] == 0.05).all()
    elif isinstance(encoder, LinearRegression) and null == "rotation":
        assert_allclose(found.null_r, np.broadcast_to(own.r, (19, 3)))  # blind to axes
        assert_array_equal(found.p_value_r, 1)


def test_names_of_targets(data):
    names = ["face", "house", "chair"]
    named = data | {
        name: pd.DataFrame(data[name], columns=names, index=range(100, 160))
        for name in ("y", "y_test")
    }
    for null in NULLS:
        found = run(SparsePositiveEncoder(), named, null)
        assert_array_equal(found.to_frame()["target"], names)
        assert_allclose(found.null_r, run(SparsePositiveEncoder(), data, null).null_r)
    other = named | {"y_test": named["y_test"][names[::-1]]}
    with pytest.raises(ValueError, match="y_test must have the 3 targets of y"):
        run(SparsePositiveEncoder(), other, "rotation")


def test_table_needs_pandas(data, monkeypatch):
    found = run(SparsePositiveEncoder(), data, "rotation")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skalign\[table\]"):
        found.to_frame()


def test_seed(data):
    encoder = SparsePositiveEncoder()
    first, again, other = (run(encoder, data, "rotation", random_state=s) for s in (0, 0, 1))
    assert_array_equal(first.null_theta, again.null_theta)
    assert (first.null_theta != other.null_theta).any()
    assert not hasattr(encoder, "coef_")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"null": "voxels"}, "null must be"),
        ({"null": "units"}, "pool and pool_test must be given"),
        ({"pool": np.ones((60, 9))}, "pool and pool_test must be None"),
        ({"null": "images", "groups": np.ones(59)}, "groups must be 1-D"),
        ({"null": "images", "groups": np.ones(60)}, "something to shuffle"),
        ({"null": "images", "groups": np.arange(60), "scheme": "shift"}, "something to shuffle"),
        ({"null": "images", "groups": np.r_[0, np.ones(59)]}, 'use scheme="shift"'),
        ({"null": "images", "scheme": "roll"}, "scheme must be"),
        ({"scheme": "shift"}, 'Use null="images"'),
        (
            {"null": "units", "pool": np.ones((60, 6)), "pool_test": np.ones((60, 6))},
            "more units than X",
        ),
        ({"null": "units", "pool": np.ones((60, 9)), "pool_test": np.ones((60, 8))}, "same units"),
        ({"null": "units", "pool": np.ones((59, 9)), "pool_test": np.ones((60, 9))}, "one row per"),
        ({"X_test": np.ones((60, 5))}, "X_test must have the 6 units"),
        ({"y_test": np.ones((60, 2))}, "y_test must have the 3 target"),
        ({"y": np.ones((59, 3))}, "y must have one row per image of X, 60"),
        ({"y_test": np.ones((59, 3))}, "y_test must have one row per image of X_test"),
        ({"y": np.full((60, 3), np.nan)}, "y must have no missing responses; got NaN in 3 of 3"),
        ({"y_test": np.full((60, 3), np.nan)}, "y_test must have no missing responses"),
        ({"X": np.ones((60, 1)), "X_test": np.ones((60, 1))}, "at least 2 units"),
        ({"n_resamples": 0}, "n_resamples"),
        ({"correction": "holm"}, "correction must be"),
        ({"target": "seen"}, "target must be"),
        ({"sample_weight": np.ones(59)}, "sample_weight must be 1-D"),
        ({"test_sample_weight": np.ones(59)}, "test_sample_weight must be 1-D"),
        ({"encoder": SparsePositiveEncoder(alpha=-1)}, "alpha must"),
        ({"encoder": SparsePositiveEncoder(alpha=[1, 2])}, "alpha must"),
        ({"encoder": SparsePositiveEncoder(tol=0)}, "tol must be"),
    ],
)
def test_bad_arguments(data, changes, message):
    given = {name: data[name] for name in ("X", "y", "X_test", "y_test")}
    with pytest.raises(ValueError, match=message):
        alignment_null(**({"encoder": SparsePositiveEncoder()} | given | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": FrozenEstimator(SparsePositiveEncoder())}, "encoder must not be frozen"),
        ({"encoder": StandardScaler()}, "linear regressor"),
        ({"encoder": SparsePositiveEncoder(positive="yes")}, "positive must be True or False"),
        ({"center": 1}, "center must be True or False"),
        ({"encoder": SparsePositiveEncoder(alpha="0.1")}, "alpha must"),
        ({"keep_alpha": "yes"}, "keep_alpha must be True or False"),
    ],
)
def test_arguments_of_a_wrong_type(data, changes, message):
    given = {name: data[name] for name in ("X", "y", "X_test", "y_test")}
    with pytest.raises(TypeError, match=message):
        alignment_null(**({"encoder": SparsePositiveEncoder()} | given | changes))
