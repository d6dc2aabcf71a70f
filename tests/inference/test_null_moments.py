"""Fits from moments against fits to the images, through the same call."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.inference import _null, _null_moments, alignment_null
from skalign.inference._null_fits import Refits
from skalign.metrics import Alignment

NULLS = ["units", "rotation", "images"]


class FittedToImages(SparsePositiveEncoder):
    """The same encoder under another name: it might do anything in its fit."""


@pytest.fixture(scope="module")
def data():
    """Halves of images of 6 units that are in a pool of 8, off center; a constant unit."""
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((120, 8)) * np.linspace(0.5, 2, 8) + rng.standard_normal((120, 1))
    pool += 0.5
    pool[:, 5] = 3
    Y = pool @ rng.standard_normal((8, 3)) + rng.standard_normal((120, 3)) + 1
    return {
        "X": pool[:70, :6], "y": Y[:70], "X_test": pool[70:, :6], "y_test": Y[70:],
        "pool": pool[:70], "pool_test": pool[70:],
    }  # fmt: skip


@pytest.fixture
def no_refit(monkeypatch):
    """Let fits to the images fail."""

    def fail(self, seed):
        raise AssertionError("fitted to the images")

    monkeypatch.setattr(Refits, "resample", fail)


def run(encoder, data, null, **options):
    given = {name: data[name] for name in ("X", "y", "X_test", "y_test")}
    if null == "units":
        given |= {name: data[name] for name in ("pool", "pool_test")}
    options = {"n_resamples": 4, "random_state": 0} | options
    return alignment_null(encoder, **given, null=null, **options)


def assert_same(found, expected, atol=1e-8):
    for name in ("null_r", "null_theta", "null_n_active", "p_value_r", "p_value_theta"):
        assert_allclose(getattr(found, name), getattr(expected, name), atol=atol)
    for name in Alignment.MEASURES:
        assert_allclose(getattr(found.encoder, name), getattr(expected.encoder, name), atol=atol)


def both(make, data, null, monkeypatch, **options):
    """Result from moments, for which fits to the images fail, and from the images."""
    expected = run(make(FittedToImages), data, null, **options)
    with monkeypatch.context() as context:
        context.setattr(Refits, "resample", None)
        found = run(make(SparsePositiveEncoder), data, null, **options)
    return found, expected


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("scaler", [None, {}, {"with_mean": False}, {"with_std": False}])
@pytest.mark.parametrize(
    ("fit_intercept", "center", "target"),
    [(True, False, "predicted"), (False, False, "observed"), (True, True, "observed"),
     (False, True, "predicted")],
)  # fmt: skip
def test_scaled_or_not_centered_or_not(
    data, null, scaler, fit_intercept, center, target, monkeypatch
):
    def make(encoder_class):
        encoder = encoder_class(alpha=[0.3, 0.4, 0.05], fit_intercept=fit_intercept)
        return encoder if scaler is None else make_pipeline(StandardScaler(**scaler), encoder)

    found, expected = both(make, data, null, monkeypatch, center=center, target=target)
    assert_same(found, expected)
    assert found.encoder.n_active.max() > 1


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(
    "parameters",
    [
        {"penalty": "ridge", "alpha": [1.0, 10.0, 0.1]},
        {"penalty": "ols"},
        {"alpha": [0.3, np.inf, 0.1], "positive": False},
        {"penalty": "elasticnet", "alpha": 0.2, "l1_ratio": [0.3, 0.5, 0.9]},
    ],
)
def test_other_penalties(data, null, parameters, monkeypatch):
    found, expected = both(lambda kind: kind(**parameters), data, null, monkeypatch)
    assert_same(found, expected)


@pytest.mark.parametrize("null", NULLS)
def test_weights_and_sparse_features(data, null, monkeypatch):
    rng = np.random.default_rng(1)
    weights = {"sample_weight": rng.random(70), "test_sample_weight": rng.random(50)}
    found, expected = both(lambda kind: kind(alpha=0.2), data, null, monkeypatch, **weights)
    assert_same(found, expected)
    dense = {k: v if k[0] == "y" else np.where(abs(v) > 1, v, 0) for k, v in data.items()}
    as_sparse = {k: v if k[0] == "y" else sparse.csr_array(v) for k, v in dense.items()}
    encoder = SparsePositiveEncoder(alpha=0.2)
    assert_same(run(encoder, as_sparse, null), run(encoder, dense, null))


@pytest.mark.parametrize("null", NULLS)
def test_groups_and_shifts(data, null, monkeypatch):
    options = {"groups": np.arange(70) // 7}
    if null == "images":
        options["scheme"] = "shift"
    found, expected = both(lambda kind: kind(alpha=0.2), data, null, monkeypatch, **options)
    assert_same(found, expected)


@pytest.mark.parametrize("null", NULLS)
def test_single_precision(data, null, no_refit):
    single = {name: part.astype(np.float32) for name, part in data.items()}
    encoder = make_pipeline(StandardScaler(), SparsePositiveEncoder(alpha=0.2))
    expected, found = (run(encoder, given, null) for given in (data, single))
    assert_array_equal(found.null_n_active, expected.null_n_active)
    assert_allclose(found.null_theta, expected.null_theta, atol=1e-4)
    assert_allclose(found.null_r, expected.null_r, atol=1e-4)


@pytest.mark.parametrize("null", NULLS)
def test_parts_and_threads_change_nothing(data, null, monkeypatch):
    encoder = SparsePositiveEncoder("elasticnet", [0.1, 0.2, 0.3], l1_ratio=[0.3, 0.5, 0.9])
    expected = run(encoder, data, null)
    monkeypatch.setattr(_null_moments, "PART_BYTES", 1)  # one target
    assert_same(run(encoder, data, null, n_jobs=2), expected, atol=1e-10)


def test_single_target_may_be_one_dimensional(data, no_refit):
    one = data | {"y": data["y"][:, 0], "y_test": data["y_test"][:, 0]}
    encoder = SparsePositiveEncoder(alpha=0.1)
    assert_allclose(
        run(encoder, one, "rotation").null_theta[:, 0],
        run(encoder, data, "rotation").null_theta[:, 0],
    )


def count_refits(monkeypatch):
    calls = []
    fit = Refits.resample

    def counted(self, seed):
        calls.append(seed)
        return fit(self, seed)

    monkeypatch.setattr(Refits, "resample", counted)
    return calls


def test_large_moments_are_not_kept(data, monkeypatch):
    calls = count_refits(monkeypatch)
    expected = run(SparsePositiveEncoder(alpha=0.1), data, "units")
    assert not calls
    monkeypatch.setattr(_null_moments, "SHARED_BYTES", 1)
    assert_same(run(SparsePositiveEncoder(alpha=0.1), data, "units"), expected)
    assert len(calls) == 4


def test_a_pool_far_larger_than_its_draws_is_not_multiplied_with_itself(data, monkeypatch):
    calls = count_refits(monkeypatch)
    pools = {name: np.tile(data[name], 10) for name in ("pool", "pool_test")}
    run(SparsePositiveEncoder(), data | pools, "units")
    assert len(calls) == 4


@pytest.mark.parametrize(
    "encoder",
    [
        SparsePositiveEncoder("ridge", positive=False),
        SparsePositiveEncoder("lasso", [0.3, 0.0, 0.1], positive=False),
        SparsePositiveEncoder("elasticnet", 5.0, l1_ratio=0.0, positive=False),
        make_pipeline(StandardScaler(), StandardScaler(), SparsePositiveEncoder()),
    ],
)
def test_models_that_are_fitted_to_the_images(data, encoder, monkeypatch):
    calls = count_refits(monkeypatch)
    run(encoder, data, "rotation")
    assert len(calls) == 4


@pytest.mark.parametrize("null", NULLS)
def test_kept_alphas_of_a_cross_validated_encoder(data, null, no_refit):
    """They are chosen in one fit to the data, with whole groups."""
    groups = np.arange(70) // 7
    encoder = make_pipeline(StandardScaler(), SparsePositiveEncoderCV(cv=3))
    found = run(encoder, data, null, groups=groups, keep_alpha=True)
    chosen = SparsePositiveEncoderCV(cv=3).fit(
        StandardScaler().fit_transform(data["X"]), data["y"], groups=groups
    )
    fixed = make_pipeline(StandardScaler(), chosen.fixed())
    assert_same(found, run(fixed, data, null, groups=groups))


@pytest.mark.parametrize("encoder", [Lasso(0.2), SparsePositiveEncoder(alpha=0.2)])
@pytest.mark.parametrize("null", NULLS)
def test_fits_may_be_sent_to_other_processes(data, encoder, null, monkeypatch):
    expected = run(encoder, data, null)

    def map_elsewhere(function, seeds, n_jobs):
        yield from (pickle.loads(pickle.dumps(function))(seed) for seed in seeds)

    monkeypatch.setattr(_null, "map_blocks", map_elsewhere)
    assert_same(run(encoder, data, null), expected)


def test_fits_that_stop_early_are_told(data):
    with pytest.warns(ConvergenceWarning, match=r"\d+ of 15 fits .* Increase max_iter") as told:
        run(SparsePositiveEncoder(alpha=0.01, max_iter=1, tol=1e-12), data, "rotation")
    assert len(told) == 1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    shape=st.tuples(st.integers(5, 25), st.integers(2, 12), st.integers(1, 4)),
    null=st.sampled_from(NULLS),
    alpha=st.sampled_from([1e-3, 0.1, 1.0]),
    positive=st.booleans(),
    is_scaled=st.booleans(),
    offset=st.sampled_from([0.0, 1.0, 30.0]),
)
def test_random_problems(seed, shape, null, alpha, positive, is_scaled, offset):
    n_images, n_units, n_targets = shape
    rng = np.random.default_rng(seed)
    pool = rng.standard_normal((2 * n_images, n_units + 2)) * rng.exponential(size=n_units + 2)
    pool += offset * rng.standard_normal(n_units + 2)
    if rng.random() < 0.3:
        pool = np.maximum(pool, 0)
    Y = rng.standard_normal((2 * n_images, n_targets)) + offset
    data = {
        "X": pool[:n_images, :n_units], "X_test": pool[n_images:, :n_units],
        "pool": pool[:n_images], "pool_test": pool[n_images:],
        "y": Y[:n_images], "y_test": Y[n_images:],
    }  # fmt: skip

    def make(kind):
        encoder = kind("elasticnet", alpha, positive=positive)
        return make_pipeline(StandardScaler(), encoder) if is_scaled else encoder

    found, expected = (run(make(k), data, null) for k in (SparsePositiveEncoder, FittedToImages))
    assert_same(found, expected, atol=1e-6)


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(
    ("make", "change", "error"),
    [
        (lambda kind: kind(n_jobs="2"), np.asarray, TypeError),
        (lambda kind: kind(alpha=True), np.asarray, TypeError),
        (lambda kind: kind(max_iter=0), np.asarray, ValueError),
        (lambda kind: make_pipeline(StandardScaler(), kind()), sparse.csr_array, ValueError),
        (lambda kind: kind(), lambda X: X * 1e150, None),
        (lambda kind: kind("ridge"), lambda X: X * 1e-170, None),
    ],
)
def test_what_is_refused_does_not_depend_on_the_way(data, null, make, change, error):
    names = ("X", "X_test", "pool", "pool_test")
    data = data | {name: change(data[name]) for name in names}
    if error is None:
        found, expected = (
            run(make(kind), data, null, center=True)
            for kind in (SparsePositiveEncoder, FittedToImages)
        )
        assert_allclose(found.null_r, expected.null_r, atol=1e-8)
        return
    for kind in (SparsePositiveEncoder, FittedToImages):
        with pytest.raises(error):
            run(make(kind), data, null)
