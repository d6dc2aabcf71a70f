"""Null fits against explicit ones, and p-values where there is nothing and something to find."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import false_discovery_control, ortho_group
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference import _null, _null_draws, alignment_null
from skalign.metrics import alignment

N_RESAMPLES = 2
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
    options = {"n_resamples": N_RESAMPLES, "random_state": 0} | options
    return alignment_null(encoder, **given, null=null, **options)


def null_data(data, null, n_resamples=N_RESAMPLES, random_state=0):
    """Features, test features and responses of every draw, the images themselves."""
    X, X_test, Y = data["X"], data["X_test"], data["y"]
    n_units = X.shape[1]
    seeds = np.random.RandomState(random_state).randint(np.iinfo(np.int32).max, size=n_resamples)
    for rng in map(np.random.RandomState, seeds):
        if null == "units":
            units = np.sort(rng.permutation(data["pool"].shape[1])[:n_units])
            yield data["pool"][:, units], data["pool_test"][:, units], Y
        elif null == "rotation":
            rotation = ortho_group.rvs(n_units, random_state=rng)
            yield X @ rotation, X_test @ rotation, Y
        else:
            yield X, X_test, Y[rng.permutation(len(Y))]


def fit(encoder, X, y, alpha, weight):
    clone = SparsePositiveEncoder(**(encoder.get_params() | {"alpha": alpha}))
    return clone.fit(X, y, sample_weight=weight)


def fit_matched(encoder, X, y, alpha, wanted, weight):
    """One target: the fit at the encoder's alpha, or a search for one of the number wanted."""
    best = fit(encoder, X, y, alpha, weight)
    count = np.count_nonzero(best.coef_)
    share = {"lasso": 1.0, "elasticnet": encoder.l1_ratio}.get(encoder.penalty, 0.0)
    if count == wanted or not share:
        return best
    if not wanted:
        return fit(encoder, X, y, 1e6, weight)  # which leaves it empty
    w = np.ones(len(y)) if weight is None else weight
    center = encoder.fit_intercept
    q = (X - center * np.average(X, axis=0, weights=w)).T @ (
        w * (y - center * np.average(y, weights=w))
    )
    strongest = (q.max() if encoder.positive else abs(q).max()) / w.sum() / share
    low, high = (alpha, strongest) if count > wanted else (0, min(alpha, strongest))
    low = max(low, 1e-3 * high)
    given_up = 2 * low if count < wanted else 0
    best_alpha = alpha
    for _ in range(16):
        probe = np.sqrt(low * high)
        found = fit(encoder, X, y, probe, weight)
        found_count = np.count_nonzero(found.coef_)
        off, best_off = abs(found_count - wanted), abs(count - wanted)
        if off < best_off or (off == best_off and probe > best_alpha):
            best, count, best_alpha = found, found_count, probe
        if found_count == wanted or (found_count < wanted and probe < given_up):
            break
        low, high = (probe, high) if found_count > wanted else (low, probe)
    return best


def explicit(encoder, data, null, weight=None, **how):
    """r, theta and number of active units of null fits, fit by fit."""
    X_test, Y_test = data["X_test"], data["y_test"]
    alphas = np.broadcast_to(encoder.alpha, 3)
    wanted = [
        np.count_nonzero(fit(encoder, data["X"], y, alpha, weight).coef_)
        for y, alpha in zip(data["y"].T, alphas, strict=True)
    ]
    values = np.empty((3, N_RESAMPLES, 3))
    for k, (X, X_test, Y) in enumerate(null_data(data, null)):
        for t, alpha in enumerate(alphas):
            how_scored = {"undefined_r": 0.0, **how}
            at_alpha = fit(encoder, X, Y[:, t], alpha, weight)
            matched = at_alpha
            if null != "images":
                matched = fit_matched(encoder, X, Y[:, t], alpha, wanted[t], weight)
            values[0, k, t] = alignment(at_alpha, X_test, Y_test[:, t], **how_scored).r[0]
            found = alignment(matched, X_test, Y_test[:, t], **how_scored)
            values[1, k, t], values[2, k, t] = found.theta[0], found.n_active[0]
    return values


def assert_equals_explicit(encoder, data, null, weight=None, **how):
    found = run(encoder, data, null, sample_weight=weight, **how)
    r, theta, n_active = explicit(encoder, data, null, weight, **how)
    assert_array_equal(found.null_n_active, n_active)
    assert_allclose(found.null_r, r, atol=1e-8)
    assert_allclose(found.null_theta, theta, atol=1e-8)
    fitted = fit(encoder, data["X"], data["y"], encoder.alpha, weight)
    own = alignment(fitted, data["X_test"], data["y_test"], undefined_r=0.0, **how)
    assert_allclose(found.r, own.r, atol=1e-8)
    assert_allclose(found.theta, own.theta, atol=1e-8)
    assert_array_equal(found.n_active, own.n_active)
    return found


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(
    ("fit_intercept", "center", "target"),
    [(True, False, "predicted"), (False, False, "observed"), (True, True, "observed"),
     (False, True, "predicted")],
)  # fmt: skip
@pytest.mark.parametrize("penalty", ["lasso", "elasticnet"])
def test_is_that_of_explicit_fits(data, null, penalty, fit_intercept, center, target):
    encoder = SparsePositiveEncoder(
        penalty, [0.3, 0.4, 0.05], l1_ratio=0.7, fit_intercept=fit_intercept
    )
    found = assert_equals_explicit(encoder, data, null, center=center, target=target)
    assert found.n_active.max() > 1


@pytest.mark.parametrize("null", NULLS)
def test_weighted_images(data, null):
    weight = np.random.default_rng(1).random(60)
    assert_equals_explicit(SparsePositiveEncoder(alpha=0.2), data, null, weight)


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(
    "encoder",
    [
        SparsePositiveEncoder("ridge", [1.0, 10.0, 0.1]),
        SparsePositiveEncoder("ols"),
        SparsePositiveEncoder("ridge", [1.0, 10.0, 0.1], positive=False),
        SparsePositiveEncoder("ols", positive=False, fit_intercept=False),
        SparsePositiveEncoder("lasso", [0.3, 0.5, 0.1], positive=False),
        SparsePositiveEncoder("lasso", [0.3, 0.0, 0.1], positive=False),
        SparsePositiveEncoder("elasticnet", 5.0, l1_ratio=0.0, positive=False),
    ],
)
def test_other_encoders(data, null, encoder):
    """Without an l1 penalty there is no matching."""
    found = assert_equals_explicit(encoder, data, null)
    if encoder.penalty in ("ols", "ridge") and not encoder.positive:
        assert (found.mismatch == 0).all()  # all units are active, always


def test_more_units_than_images_without_penalty(data):
    few = data | {name: data[name][:9] for name in ("X", "y", "pool")}
    few["X"], few["X_test"] = data["pool"][:9, :12], data["pool_test"][:, :12]
    assert_equals_explicit(SparsePositiveEncoder("ols", positive=False), few, "units")


@pytest.mark.parametrize("null", NULLS)
def test_sparse_features(data, null):
    dense = {name: np.where(abs(part) > 1, part, 0) for name, part in data.items()}
    as_sparse = {
        name: part if name.startswith("y") else sparse.csr_array(part)
        for name, part in dense.items()
    }
    encoder = SparsePositiveEncoder(alpha=0.2)
    expected, found = (run(encoder, given, null) for given in (dense, as_sparse))
    assert_allclose(found.null_r, expected.null_r, atol=1e-10)
    assert_allclose(found.null_theta, expected.null_theta, atol=1e-10)


@pytest.mark.parametrize("null", NULLS)
def test_single_precision(data, null):
    single = {name: part.astype(np.float32) for name, part in data.items()}
    encoder = SparsePositiveEncoder(alpha=0.2)
    expected, found = (run(encoder, given, null) for given in (data, single))
    assert_array_equal(found.null_n_active, expected.null_n_active)
    assert_allclose(found.null_theta, expected.null_theta, atol=1e-4)


@pytest.mark.parametrize("null", NULLS)
def test_blocks_and_threads_change_nothing(data, null, monkeypatch):
    encoder = SparsePositiveEncoder("elasticnet", [0.1, 0.2, 0.3], l1_ratio=[0.3, 0.5, 0.9])
    expected = run(encoder, data, null)
    monkeypatch.setattr(_null, "SHARED_BYTES", 2 * 8 * (2 * 6 + 3 * 60))  # two targets
    monkeypatch.setattr(_null_draws, "FIT_BYTES", 1)  # one target
    monkeypatch.setattr(_null_draws, "GRAM_BYTES", 0)  # no Gram of the pool
    found = run(encoder, data, null, n_jobs=2)
    for name in ("r", "theta", "null_r", "null_theta", "null_n_active", "p_value_r"):
        assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-10)


def test_single_target_may_be_one_dimensional(data):
    encoder = SparsePositiveEncoder(alpha=0.1)
    one = data | {"y": data["y"][:, 0], "y_test": data["y_test"][:, 0]}
    assert_allclose(
        run(encoder, one, "rotation").null_theta[:, 0],
        run(encoder, data, "rotation").null_theta[:, 0],
    )


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("correction", ["bh", "by"])
def test_p_values(data, null, correction):
    found = run(SparsePositiveEncoder(alpha=0.5), data, null, n_resamples=20, correction=correction)
    p_r = [(1 + sum(found.null_r[:, t] >= found.r[t])) / 21 for t in range(2)]
    p_theta = [
        (1 + sum((found.null_theta[:, t] <= found.theta[t]) | np.isnan(found.null_theta[:, t])))
        / 21
        for t in range(2)
    ]
    assert found.n_active[2] == 0  # an empty fit
    assert np.isnan(found.theta[2])
    assert found.r[2] == 0
    assert_allclose(found.p_value_r, [*p_r, 1])
    assert_allclose(found.q_value_r, false_discovery_control(found.p_value_r, method=correction))
    if null == "images":
        assert found.n_empty[:2].min() > 0
        assert (found.null_r[found.null_n_active == 0] == 0).all()
        assert np.isnan(found.p_value_theta).all()
        assert np.isnan(found.q_value_theta).all()
    else:
        assert_allclose(found.p_value_theta, [*p_theta, 1])
        assert found.n_empty[2] == 20
        q_theta = false_discovery_control(found.p_value_theta, method=correction)
        assert_allclose(found.q_value_theta, q_theta)


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
    encoder = SparsePositiveEncoder(alpha=0.5, fit_intercept=False)
    found = alignment_null(encoder, X[:40], Y[:40], X[40:], Y[40:], n_resamples=20, random_state=0)
    assert_array_equal(found.n_active, 1)
    assert_array_equal(found.mismatch, 0)
    assert_array_equal(found.p_value_theta, 1)


def test_number_of_active_units_is_matched():
    """Whatever alpha is; shuffled images, which are not matched, get fewer."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 60))
    Y = X @ rng.random((60, 4)) ** 8 + rng.standard_normal((300, 4))
    for alpha in (0.1, 0.2, 0.3):
        given = SparsePositiveEncoder(alpha=alpha), X[:200], Y[:200], X[200:], Y[200:]
        found = alignment_null(*given, n_resamples=10, random_state=0)
        assert found.mismatch.max() <= 0.2
        shuffled = alignment_null(*given, null="images", n_resamples=10, random_state=0)
        assert (shuffled.null_n_active.mean(axis=0) < found.n_active).all()


def test_images_are_shuffled_within_groups(data):
    """Responses that are the same within a group stay as they are."""
    groups = np.arange(60) % 4
    Y = data["X"][groups, :3]
    found = run(SparsePositiveEncoder(alpha=0.01), data | {"y": Y}, "images", groups=groups)
    assert_allclose(found.null_r, np.broadcast_to(found.r, found.null_r.shape))
    assert (
        run(SparsePositiveEncoder(alpha=0.01), data | {"y": Y}, "images").null_r != found.r
    ).all()


def test_images_without_weight_stay_out(data):
    weight, Y = np.ones(60), data["y"].copy()
    weight[:10], Y[:10] = 0, 1e6
    encoder = SparsePositiveEncoder(alpha=0.01)
    found = run(encoder, data | {"y": Y}, "images", sample_weight=weight)
    expected = run(encoder, data, "images", sample_weight=weight)
    assert_allclose(found.null_r, expected.null_r)


def simulate(null, n_sims, rng):
    """Data with nothing to find: random units of a pool, random axes, or noise."""
    for _ in range(n_sims):
        pool = rng.standard_normal((100, 30)) + np.repeat(rng.standard_normal((100, 10)), 3, axis=1)
        X, given = pool[:, rng.permutation(30)[:8]], {}
        if null == "units":
            Y = pool @ np.where(rng.random((30, 5)) < 0.3, rng.random((30, 5)), 0)
            given = {"pool": pool[:50], "pool_test": pool[50:]}
        elif null == "rotation":
            X = X @ ortho_group.rvs(8, random_state=rng.integers(2**31))
            Y = X @ rng.standard_normal((8, 5))
        else:
            Y = np.zeros((100, 5))
        Y += rng.standard_normal((100, 5))
        yield (X[:50], Y[:50], X[50:], Y[50:]), given


@pytest.mark.parametrize("null", NULLS)
def test_false_positive_rate(null):
    """In one of 20 simulations the encoder is the best of 20: itself and 19 null fits."""
    n_sims = 50
    encoder = SparsePositiveEncoder(alpha=0.02 if null == "images" else 0.2)
    rejected = np.empty((n_sims, 2))
    for k, (arrays, given) in enumerate(simulate(null, n_sims, np.random.default_rng(0))):
        found = alignment_null(encoder, *arrays, null=null, n_resamples=19, random_state=k, **given)
        p = found.p_value_r, found.p_value_theta
        rejected[k] = [np.mean(of_targets <= 0.05) for of_targets in p]
    # Targets share images and draws, simulations do not.
    rate, error = rejected.mean(axis=0), rejected.std(axis=0, ddof=1) / np.sqrt(n_sims)
    assert abs(rate[0] - 0.05) < 3 * error[0]
    assert rate[1] <= 0.05 + 3 * error[1]


@pytest.mark.parametrize("null", ["units", "rotation"])
@pytest.mark.parametrize("target", ["predicted", "observed"])
def test_few_aligned_units_are_found(null, target):
    """Targets are latent variables. Units of X have one each, others of the pool have mixtures."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((300, 8))
    pool = np.hstack([np.repeat(latent, 5, axis=1), latent @ rng.standard_normal((8, 1000)) / 3])
    pool += 0.5 * rng.standard_normal(pool.shape)
    X, Y = pool[:, :40], latent[:, :4] + 0.5 * rng.standard_normal((300, 4))
    given = {"pool": pool[:200], "pool_test": pool[200:]} if null == "units" else {}
    found = alignment_null(
        SparsePositiveEncoder(alpha=0.15), X[:200], Y[:200], X[200:], Y[200:], null=null,
        n_resamples=99, random_state=0, target=target, **given,
    )  # fmt: skip
    assert found.n_active.max() < 10
    assert (found.q_value_theta <= 0.05).all()
    assert (found.q_value_r <= 0.05).all()


def test_predictable_responses_are_found(data):
    found = run(SparsePositiveEncoder(alpha=0.1), data, "images", n_resamples=99)
    assert_array_equal(found.p_value_r[:2], 0.01)


def test_table(data):
    found = run(SparsePositiveEncoder(alpha=0.5), data, "images")
    table = found.to_frame()
    assert_array_equal(table["target"], range(3))
    for name in ("r", "theta", "n_active", "n_empty", "mismatch", "p_value_r", "q_value_theta"):
        assert_array_equal(table[name], getattr(found, name))
    assert_allclose(table["null_r"], found.null_r.mean(axis=0))
    means = [v[~np.isnan(v)].mean() if (~np.isnan(v)).any() else np.nan for v in found.null_theta.T]
    assert_allclose(table["null_theta"], means)


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


def test_fits_that_stop_early_are_told(data):
    with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
        run(SparsePositiveEncoder(alpha=0.01, max_iter=1, tol=1e-12), data, "rotation")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"null": "voxels"}, "null must be"),
        ({"null": "units"}, "give pool and pool_test"),
        ({"pool": np.ones((60, 9))}, 'for null="units" only'),
        ({"groups": np.ones(60)}, 'null="images"'),
        ({"null": "images", "groups": np.ones(59)}, "groups must be 1-D"),
        ({"null": "images", "groups": np.arange(60)}, "something to shuffle"),
        (
            {"null": "units", "pool": np.ones((60, 6)), "pool_test": np.ones((60, 6))},
            "more of them",
        ),
        ({"null": "units", "pool": np.ones((60, 9)), "pool_test": np.ones((60, 8))}, "same units"),
        ({"null": "units", "pool": np.ones((59, 9)), "pool_test": np.ones((60, 9))}, "one row per"),
        ({"X_test": np.ones((60, 5))}, "X_test must have the 6 units"),
        ({"y_test": np.ones((60, 2))}, "y_test must have the 3 target"),
        ({"y": np.ones((59, 3))}, "y must have one row"),
        ({"y": np.full((60, 3), np.nan)}, "Input y contains NaN"),
        ({"y_test": np.full((60, 3), np.nan)}, "Input y_test contains NaN"),
        ({"X": np.ones((60, 1)), "X_test": np.ones((60, 1))}, "at least 2 units"),
        ({"n_resamples": 0}, "n_resamples"),
        ({"correction": "holm"}, "correction must be"),
        ({"target": "seen"}, "target must be"),
        ({"sample_weight": np.ones(59)}, "sample_weight must be 1-D"),
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
        ({"encoder": SparsePositiveEncoderCV()}, "got SparsePositiveEncoderCV"),
        ({"encoder": make_pipeline(StandardScaler(), SparsePositiveEncoder())}, "got Pipeline"),
        ({"encoder": SparsePositiveEncoder(positive="yes")}, "positive must be True or False"),
        ({"center": 1}, "center must be True or False"),
    ],
)
def test_arguments_of_a_wrong_type(data, changes, message):
    given = {name: data[name] for name in ("X", "y", "X_test", "y_test")}
    with pytest.raises(TypeError, match=message):
        alignment_null(**({"encoder": SparsePositiveEncoder()} | given | changes))
