"""Sessions that arrive one by one give the weights of all images, and moments do without images."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import LeaveOneGroupOut

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.metrics import scores_of_moments
from skalign.solvers import Moments, solve_moments
from tests.reference import ENCODERS

ALPHA = {"ols": 0.0, "ridge": 3.0, "lasso": 0.1, "elasticnet": 0.1}


def make_sessions(n_sessions=3, n_features=6, n_targets=4, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    sessions = []
    W = rng.standard_normal((n_features, n_targets)) * (rng.random((n_features, n_targets)) < 0.6)
    for _ in range(n_sessions):
        n = int(rng.integers(10, 40))
        X = rng.standard_normal((n, n_features)) + rng.uniform(-3, 3, n_features)  # they drift
        Y = X @ W + rng.standard_normal((n, n_targets)) + rng.uniform(-1, 1)
        sessions.append((X.astype(dtype), Y.astype(dtype), rng.uniform(0.2, 2, n)))
    return sessions


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_equals_a_fit_to_all_images(penalty, positive, fit_intercept, weighted):
    sessions = make_sessions()
    options = {"positive": positive, "fit_intercept": fit_intercept}
    encoder = SparsePositiveEncoder(penalty, ALPHA[penalty], **options)
    for k, (X, Y, weight) in enumerate(sessions):
        encoder.partial_fit(X, Y, weight if weighted else None)
        X_all, Y_all, weight_all = (
            np.concatenate(parts) for parts in zip(*sessions[: k + 1], strict=True)
        )
        expected = SparsePositiveEncoder(penalty, ALPHA[penalty], **options).fit(
            X_all, Y_all, weight_all if weighted else None
        )
        assert_allclose(encoder.coef_, expected.coef_, atol=1e-10)
        assert_allclose(encoder.intercept_, expected.intercept_, atol=1e-10)
        assert (encoder.kkt_violation_ < 1e-9).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(0, 2**31), st.sampled_from(["lasso", "ridge"]))
def test_order_of_sessions_does_not_matter(n_sessions, seed, penalty):
    sessions = make_sessions(n_sessions, seed=seed)
    forth, back = (SparsePositiveEncoder(penalty, ALPHA[penalty]) for _ in range(2))
    for X, Y, _ in sessions:
        forth.partial_fit(X, Y)
    for X, Y, _ in sessions[::-1]:
        back.partial_fit(X, Y)
    assert_allclose(forth.coef_, back.coef_, atol=1e-10)


def test_starts_from_the_weights_of_the_session_before():
    X, Y, _ = make_sessions(1, n_features=40)[0]
    warm = SparsePositiveEncoder("lasso", 0.01).partial_fit(X, Y)
    first = warm.n_iter_.sum()
    warm.partial_fit(X, Y)  # the same images again: the same weights are optimal
    assert warm.n_iter_.sum() < first


def test_one_target_stays_one_dimensional():
    encoder = SparsePositiveEncoder()
    for X, Y, _ in make_sessions():
        encoder.partial_fit(X, Y[:, 0])
    assert encoder.coef_.shape == (6,)
    assert np.ndim(encoder.intercept_) == 0


def test_fit_begins_anew():
    sessions = make_sessions()
    encoder = SparsePositiveEncoder()
    for X, Y, _ in sessions:
        encoder.partial_fit(X, Y)
    X, Y, _ = sessions[0]
    encoder.fit(X, Y)
    assert not hasattr(encoder, "moments_")
    assert_allclose(encoder.coef_, SparsePositiveEncoder().fit(X, Y).coef_, atol=1e-10)


def test_memory_does_not_grow_with_images():
    rng = np.random.default_rng(0)
    encoder = SparsePositiveEncoder()
    sizes = []
    tracemalloc.start()
    for _ in range(4):
        encoder.partial_fit(rng.standard_normal((4000, 10)), rng.standard_normal((4000, 5)))
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[1:]) < sizes[0] + 20_000  # a session is 480 kB


def test_single_precision():
    encoder = SparsePositiveEncoder()
    sessions = make_sessions(dtype=np.float32)
    for X, Y, _ in sessions:
        encoder.partial_fit(X, Y)
    X, Y, _ = (np.concatenate(parts) for parts in zip(*sessions, strict=True))
    assert encoder.coef_.dtype == np.float32
    assert_allclose(encoder.coef_, SparsePositiveEncoder().fit(X, Y).coef_, atol=1e-4)


def test_what_differs_between_sessions_is_refused_and_nothing_changes():
    X, Y, _ = make_sessions(1)[0]
    frame = pd.DataFrame(Y, columns=list("abcd"))
    encoder = SparsePositiveEncoder().partial_fit(X, frame)
    before = dict(vars(encoder))
    with pytest.raises(ValueError, match=r"X has 5 features, but .* 6 features"):
        encoder.partial_fit(X[:, :5], Y)
    with pytest.raises(ValueError, match=r"sessions before, shape \(n_samples, 4\); got"):
        encoder.partial_fit(X, Y[:, :3])
    with pytest.raises(ValueError, match="4 targets of the sessions before, in their order"):
        encoder.partial_fit(X, frame[list("badc")])
    with pytest.raises(ValueError, match="NaN"):
        encoder.partial_fit(X, np.where(Y[0, 0] == Y, np.nan, Y))
    with pytest.raises(ValueError, match="fit_intercept must stay True between sessions"):
        encoder.set_params(fit_intercept=False).partial_fit(X, Y)
    encoder.set_params(fit_intercept=True)
    assert vars(encoder) == before
    assert_array_equal(encoder.target_names_in_, list("abcd"))


def test_sessions_computed_anywhere_are_summed_saved_and_solved(tmp_path):
    sessions = make_sessions()
    for number, (X, Y, _) in enumerate(sessions):
        (tmp_path / f"{number}.pickle").write_bytes(pickle.dumps(Moments.of(X, Y)))
    loaded = [pickle.loads(path.read_bytes()) for path in sorted(tmp_path.iterdir())]
    total = sum(loaded[1:], loaded[0])
    X, Y, _ = (np.concatenate(parts) for parts in zip(*sessions, strict=True))
    expected = SparsePositiveEncoder("lasso", 0.1).fit(X, Y)
    assert_allclose(solve_moments(total, "lasso", 0.1).coef, expected.coef_, atol=1e-10)


@pytest.mark.filterwarnings("ignore:. of 4 targets were left empty")
def test_leaving_sessions_out_from_moments_alone_is_that_of_the_images():
    sessions = make_sessions(4)
    X, Y, _ = (np.concatenate(parts) for parts in zip(*sessions, strict=True))
    groups = np.repeat(np.arange(4), [len(session[0]) for session in sessions])
    alphas = [0.3, 0.1, 0.03]
    encoder = SparsePositiveEncoderCV("lasso", alphas, cv=LeaveOneGroupOut())
    encoder.fit(X, Y, groups=groups)
    parts = [Moments.of(X, Y) for X, Y, _ in sessions]
    total = sum(parts[1:], parts[0])
    r = np.empty((4, 3, 4))
    for k, held_out in enumerate(parts):
        for a, alpha in enumerate(alphas):
            found = solve_moments(total - held_out, "lasso", alpha)
            r[k, a] = scores_of_moments(held_out, found.coef, found.intercept, center=False).r
    mean_r = np.nan_to_num(r).mean(axis=0)
    assert_allclose(encoder.cv_results_["mean_test_r"], mean_r, atol=1e-10)


def test_a_fit_to_images_is_no_session():
    X, Y, _ = make_sessions(1)[0]
    with pytest.warns(UserWarning, match="its images are forgotten"):
        encoder = SparsePositiveEncoder().fit(X[:5], Y[:5]).partial_fit(X, Y)
    assert_allclose(encoder.coef_, SparsePositiveEncoder().fit(X, Y).coef_, atol=1e-10)
