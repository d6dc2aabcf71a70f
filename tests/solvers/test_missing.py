"""Missing responses: what every target gets is what it would get alone, on its own images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skalign.solvers import Design, FeatureMoments, certify, solve, solve_path
from skalign.solvers import _observed_parts as module
from skalign.utils import MissingPatterns
from tests.reference import ALPHA, ENCODERS, L1_RATIO

FIELDS = ["coef", "intercept", "kkt_violation", "dual_gap", "converged", "unique"]


def make(rng, n, p, t):
    X = rng.standard_normal((n, p)) + 0.3 * rng.standard_normal((n, 1))
    weights = rng.standard_normal((p, t)) * (rng.random((p, t)) < 0.4)
    return X, X @ weights + rng.standard_normal((n, t)) + 2


def some_missing(rng, Y, kind):
    """Responses without those of a pattern of the kind."""
    n, t = Y.shape
    is_missing = np.zeros((n, t), bool)
    if kind == "few images":  # two patterns, taken off the Gram
        is_missing[:3, : t // 2] = True
        is_missing[5:9, t // 2 :] = True
    elif kind == "every target its own":
        is_missing = rng.random((n, t)) < 0.1
    else:  # subjects who saw different images
        is_missing[: n // 2, ::2] = True
        is_missing[n // 2 :, 1::2] = True
    return np.where(is_missing, np.nan, Y)


def alone(X, Y, target, weight, penalty, alpha, **options):
    """The solution of a target on its own images."""
    kept = ~np.isnan(Y[:, target])
    if weight is not None:
        kept &= weight > 0
        options["sample_weight"] = weight[kept]
    return solve(X[kept], Y[kept][:, [target]], penalty, alpha, l1_ratio=L1_RATIO, **options)


def assert_each_alone(found, X, Y, weight, penalty, alpha, tol=1e-10, **options):
    for target in range(Y.shape[1]):
        expected = alone(X, Y, target, weight, penalty, alpha, **options)
        size = max(1, np.abs(expected.coef).max(), np.abs(expected.intercept).max())
        for field in FIELDS:
            np.testing.assert_allclose(
                np.asarray(getattr(found, field)[target], float),
                np.asarray(getattr(expected, field)[0], float),
                rtol=0,
                atol=tol * size,
                err_msg=f"{field} of target {target}",
            )


@pytest.mark.parametrize("kind", ["few images", "every target its own", "subjects"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_every_target_is_fitted_as_if_alone(kind, weighted, penalty, positive, monkeypatch):
    monkeypatch.setattr(module, "COMBINED", 4)  # so that few images are subtracted
    rng = np.random.default_rng(3)
    X, Y = make(rng, 60, 8, 12)
    Y = some_missing(rng, Y, kind)
    weight = rng.integers(0, 3, 60).astype(float) if weighted else None
    for fit_intercept in (True, False):
        options = {"positive": positive, "fit_intercept": fit_intercept}
        found = solve(
            X,
            Y,
            penalty,
            ALPHA[penalty],
            l1_ratio=L1_RATIO,
            sample_weight=weight,
            missing="mask",
            **options,
        )
        assert_each_alone(found, X, Y, weight, penalty, ALPHA[penalty], **options)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.02, 0.3, 0.9]),
    encoder=st.sampled_from(ENCODERS),
    n_jobs=st.sampled_from([None, 2]),
)
def test_random_patterns(seed, share, encoder, n_jobs):
    rng = np.random.default_rng(seed)
    penalty, positive = encoder
    X, Y = make(rng, 25, 5, 8)
    Y[rng.random(Y.shape) < share] = np.nan
    Y[0] = 1.0  # every target is observed once at least
    found = solve(
        X, Y, penalty, 0.2, l1_ratio=L1_RATIO, positive=positive, missing="mask", n_jobs=n_jobs
    )
    assert_each_alone(found, X, Y, None, penalty, 0.2, tol=1e-9, positive=positive)


def test_alphas_and_starts_of_targets_keep_their_place():
    rng = np.random.default_rng(4)
    X, Y = make(rng, 50, 6, 9)
    Y = some_missing(rng, Y, "subjects")
    alpha, start = rng.uniform(0.01, 0.5, 9), rng.random((9, 6))
    alpha[4] = np.inf
    found = solve(X, Y, "lasso", alpha, coef_init=start, missing="mask")
    for target in range(9):
        expected = alone(X, Y, target, None, "lasso", alpha[target])
        np.testing.assert_allclose(found.coef[target], expected.coef[0], atol=1e-12)
    assert not found.coef[4].any()
    assert found.intercept[4] == pytest.approx(np.nanmean(Y[:, 4]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_sparse_features_and_single_precision(dtype, is_sparse):
    rng = np.random.default_rng(5)
    X, Y = make(rng, 60, 6, 10)
    X = (X * (rng.random(X.shape) < 0.5)).astype(dtype)
    Y = some_missing(rng, Y, "every target its own").astype(dtype)
    given_X = sparse.csr_array(X) if is_sparse else X
    found = solve(given_X, Y, "lasso", 0.05, missing="mask")
    assert found.coef.dtype == dtype
    tol = 1e-10 if dtype == np.float64 else 1e-4
    for target in range(10):
        expected = alone(X.astype(float), Y.astype(float), target, None, "lasso", 0.05)
        np.testing.assert_allclose(found.coef[target], expected.coef[0], atol=tol)


def test_certificates_hold_on_the_observed_images():
    rng = np.random.default_rng(6)
    X, Y = make(rng, 300, 20, 6)
    Y = some_missing(rng, Y, "few images")
    found = solve(X, Y, "lasso", 0.1, missing="mask")
    for target in range(6):
        kept = ~np.isnan(Y[:, target])
        certificate = certify(
            X[kept], Y[kept][:, [target]], found.coef[[target]], penalty="lasso", alpha=0.1
        )
        assert certificate.kkt_violation.max() < 1e-12


def test_a_target_that_was_never_observed_is_empty():
    rng = np.random.default_rng(7)
    X, Y = make(rng, 30, 4, 3)
    Y[:, 1] = np.nan
    Y[1:, 2] = np.nan
    for penalty, positive in ENCODERS:
        found = solve(X, Y, penalty, 0.1, positive=positive, missing="mask")
        assert not found.coef[1:].any()
        assert found.intercept[1] == 0
        assert found.intercept[2] == Y[0, 2]  # a single image: its response is the mean
        assert (found.n_iter[1:] == 1).all()
        assert (found.kkt_violation[1:] == 0).all()
        assert found.converged.all()
        gap = np.nan if penalty == "ols" else 0
        np.testing.assert_array_equal(found.dual_gap[1:], gap)


def test_images_of_weight_zero_may_be_missing_in_all_targets():
    rng = np.random.default_rng(8)
    X, Y = make(rng, 40, 5, 4)
    weight = np.r_[np.zeros(5), np.ones(35)]
    Y[:5, :2] = np.nan
    found = solve(X, Y, "lasso", 0.1, sample_weight=weight, missing="mask")
    expected = solve(X[5:], Y[5:], "lasso", 0.1)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-12)
    Y[:, 3] = np.where(weight > 0, np.nan, 1.0)  # observed on images without weight only
    found = solve(X, Y, "lasso", 0.1, sample_weight=weight, missing="mask")
    assert not found.coef[3].any()
    assert found.intercept[3] == 0


def test_a_feature_that_varies_on_missing_images_only_is_computed_afresh(monkeypatch):
    monkeypatch.setattr(module, "COMBINED", 4)
    rng = np.random.default_rng(9)
    X, Y = make(rng, 60, 5, 4)
    X[:, 2] = 1.0
    X[:2, 2] = 1e3  # an outlier that two targets have not seen
    Y[:2, :2] = np.nan
    found = solve(X, Y, "lasso", 0.05, positive=False, missing="mask")
    assert (found.coef[:2, 2] == 0).all()
    assert_each_alone(found, X, Y, None, "lasso", 0.05, positive=False)


def test_few_missing_images_are_subtracted(monkeypatch):
    """The Gram of all images is formed once; every pattern forms that of its missing images."""
    rng = np.random.default_rng(10)
    X, Y = make(rng, 400, 10, 30)
    for start in range(0, 30, 10):
        Y[start : start + 5, start : start + 10] = np.nan
    sizes = []
    of = FeatureMoments.of.__func__

    def counted(cls, design):
        sizes.append(design.X.shape[0])
        return of(cls, design)

    monkeypatch.setattr(FeatureMoments, "of", classmethod(counted))
    solve(X, Y, "lasso", 0.1, missing="mask")
    assert sizes == [400, 5, 5, 5]


def test_features_of_a_pattern_are_those_of_its_images():
    rng = np.random.default_rng(11)
    X, Y = make(rng, 400, 6, 4)
    weight = rng.uniform(0.5, 2, 400)
    Y[:9, 1:] = np.nan
    design = Design.prepare(X, sample_weight=weight, center=True)
    parts = module.ObservedParts(
        X, Y, weight, design=design, patterns=MissingPatterns(Y, weight), needs_gram=True
    )
    for pattern in MissingPatterns(Y, weight):
        part = parts.of(pattern)
        afresh = FeatureMoments.of(part.design)
        assert part.features is not None
        np.testing.assert_allclose(part.features.gram, afresh.gram, rtol=1e-11, atol=1e-10)
        assert part.features.total_weight == pytest.approx(weight[pattern.observed].sum())


@pytest.mark.parametrize("sparse_output", [False, True])
@pytest.mark.parametrize("alphas", [4, [0.3, 0.1, 0.01]])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_paths(penalty, positive, alphas, sparse_output):
    rng = np.random.default_rng(12)
    X, Y = make(rng, 60, 6, 9)
    Y = some_missing(rng, Y, "subjects")
    Y[:, 4] = np.where(rng.random(60) < 0.2, np.nan, Y[:, 5])
    options = {"l1_ratio": L1_RATIO, "positive": positive}
    found = solve_path(
        X, Y, penalty, alphas, missing="mask", sparse_output=sparse_output, **options
    )
    for target in range(9):
        kept = ~np.isnan(Y[:, target])
        expected = solve_path(X[kept], Y[kept][:, [target]], penalty, alphas, **options)
        np.testing.assert_allclose(found.alphas[:, target], expected.alphas[:, 0], rtol=1e-10)
        for k in range(len(found.alphas)):
            np.testing.assert_allclose(
                found.coef_at(k)[target], expected.coef_at(k)[0], atol=1e-9, rtol=1e-9
            )
        np.testing.assert_array_equal(found.n_active[:, target], expected.n_active[:, 0])
        np.testing.assert_allclose(found.intercept[:, target], expected.intercept[:, 0])


def test_progress_counts_patterns():
    rng = np.random.default_rng(13)
    X, Y = make(rng, 40, 4, 6)
    Y = some_missing(rng, Y, "subjects")
    totals = []

    def progress(results, total):
        totals.append(total)
        yield from results

    solve(X, Y, missing="mask", progress=progress)
    solve_path(X, Y, missing="mask", progress=progress)
    assert totals == [2, 2]


def test_infinite_responses_are_refused_by_their_number():
    rng = np.random.default_rng(14)
    X, Y = make(rng, 40, 4, 6)
    Y = some_missing(rng, Y, "subjects")
    Y[-1, 4] = np.inf
    for function in (solve, solve_path):
        with pytest.raises(ValueError, match=r"infinity .* first in target 4"):
            function(X, Y, missing="mask")
        with pytest.raises(ValueError, match=r'missing must be "error" or "mask"'):
            function(X, Y, missing="drop")


def test_memory_mapped_targets(tmp_path):
    rng = np.random.default_rng(15)
    X, Y = make(rng, 40, 4, 6)
    Y = some_missing(rng, Y, "subjects")
    mapped = np.memmap(tmp_path / "Y", dtype=np.float64, mode="w+", shape=Y.shape)
    mapped[:] = Y
    mapped.flush()
    found = solve(X, np.memmap(tmp_path / "Y", np.float64, "r", shape=Y.shape), missing="mask")
    np.testing.assert_array_equal(found.coef, solve(X, Y, missing="mask").coef)
