"""The ways to a solution, closed forms, Gram, working set, warm starts, lead to the same one."""

import numpy as np
import pytest
from scipy import sparse

from skalign.solvers import _blocks, _image_solver, _least_squares, _working_set, certify, solve
from tests.designs import DESIGNS, FULL_RANK, noisy_targets, with_spectrum
from tests.reference import ALPHA, ENCODERS

ACTIVE_SET = [encoder for encoder in ENCODERS if encoder not in [("ols", False), ("ridge", False)]]
SPARSE_WEIGHTS = [encoder for encoder in ACTIVE_SET if encoder[0] != "ridge"]  # the others are slow


@pytest.fixture
def taken(monkeypatch):
    """Names of the routes taken, in order."""
    taken = []

    def watch(module, name):
        route = getattr(module, name)

        def watched(*args, **kwargs):
            taken.append(name)
            return route(*args, **kwargs)

        monkeypatch.setattr(module, name, watched)

    monkeypatch.setattr(_blocks, "CALLS", 0)  # for designs as small as here
    watch(_image_solver, "WorkingSets")
    for name in ["_through_cholesky", "_through_spectrum", "_through_svd", "_through_lsqr"]:
        watch(_least_squares, name)
    return taken


@pytest.fixture
def small_gram_never_pays(monkeypatch):
    monkeypatch.setattr(_blocks, "GRAM_FEATURES", 0)
    monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)


def wide(n_features=1100, n_targets=4):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, n_features))
    return X, X[:, :n_targets] + 0.5 * rng.standard_normal((60, n_targets))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), SPARSE_WEIGHTS)
def test_wide_designs_need_no_gram(taken, monkeypatch, penalty, positive, fit_intercept, form):
    X, Y = wide()
    settings = {
        "penalty": penalty,
        "alpha": ALPHA[penalty],
        "positive": positive,
        "fit_intercept": fit_intercept,
    }
    through_working_set = solve(form(X), Y, **settings)
    assert taken == ["WorkingSets"]
    monkeypatch.setattr(_blocks, "GRAM_FEATURES", X.shape[1])
    through_gram = solve(X, Y, **settings)
    assert taken == ["WorkingSets"]
    for solution in [through_working_set, through_gram]:
        assert solution.converged.all()
        assert certify(X, Y, solution.coef, **settings).kkt_violation.max() < 1e-7
    predicted = X @ through_working_set.coef.T + through_working_set.intercept
    expected = X @ through_gram.coef.T + through_gram.intercept
    np.testing.assert_allclose(predicted, expected, atol=1e-6)
    if penalty != "ols":  # positive OLS has many solutions here
        np.testing.assert_allclose(through_working_set.coef, through_gram.coef, atol=1e-6)
        np.testing.assert_allclose(
            through_working_set.dual_gap, through_gram.dual_gap, atol=1e-9, rtol=0
        )


@pytest.mark.usefixtures("small_gram_never_pays")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("penalty", "positive"), ACTIVE_SET)
@pytest.mark.parametrize("name", DESIGNS)
def test_working_set_on_every_design(taken, name, penalty, positive, dtype):
    rng = np.random.default_rng(0)
    X = DESIGNS[name](rng).astype(dtype)
    Y = np.c_[noisy_targets(rng, X), np.zeros(X.shape[0]), np.ones(X.shape[0])].astype(dtype)
    settings = {"penalty": penalty, "alpha": ALPHA[penalty], "positive": positive}
    solution = solve(X, Y, **settings)
    assert taken == ["WorkingSets"]
    certificate = certify(X.astype(float), Y.astype(float), solution.coef, **settings)
    assert certificate.kkt_violation.max() <= (1e-7 if dtype == np.float64 else 1e-3)
    assert solution.converged.all()


@pytest.mark.usefixtures("small_gram_never_pays")
def test_features_enter_over_several_rounds(taken, monkeypatch):
    monkeypatch.setattr(_working_set, "ENTER_TOGETHER", 1)
    X, Y = wide(200, 3)
    few_at_a_time = solve(X, Y, "lasso", 0.01)
    monkeypatch.undo()
    np.testing.assert_allclose(few_at_a_time.coef, solve(X, Y, "lasso", 0.01).coef, atol=1e-9)


@pytest.mark.parametrize("n_features", [30, 1100])
@pytest.mark.parametrize("max_iter", [1, 2, 5, 20])
@pytest.mark.parametrize("positive", [True, False])
def test_iterations_are_bounded_on_both_paths(taken, positive, max_iter, n_features):
    X, Y = wide(n_features)
    solution = solve(X, Y, "lasso", 1e-3, positive=positive, max_iter=max_iter)
    assert bool(taken) == (n_features > 1000)
    assert (solution.n_iter <= max_iter).all()
    certificate = certify(X, Y, solution.coef, "lasso", 1e-3, positive=positive)
    np.testing.assert_allclose(solution.kkt_violation, certificate.kkt_violation, atol=1e-12)


@pytest.mark.parametrize("gram_features", [1024, 0])
@pytest.mark.parametrize(("penalty", "positive"), ACTIVE_SET)
def test_warm_start_reaches_the_same_solution(monkeypatch, penalty, positive, gram_features):
    monkeypatch.setattr(_blocks, "GRAM_FEATURES", gram_features)
    monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)
    X, Y = wide(40)
    settings = {"alpha": ALPHA[penalty], "positive": positive}
    cold = solve(X, Y, penalty, **settings)
    rng = np.random.default_rng(3)
    starts = {
        "the solution": cold.coef,
        "at another alpha": solve(X, Y, "lasso", 0.5, positive=positive).coef,
        "everything active": np.ones_like(cold.coef),
        "noise of both signs": rng.standard_normal(cold.coef.shape),
        "far away": 1e6 * rng.standard_normal(cold.coef.shape),
        "in Fortran order and float32": np.asfortranarray(cold.coef, dtype=np.float32),
    }
    for name, start in starts.items():
        copy = start.copy()
        warm = solve(X, Y, penalty, coef_init=start, **settings)
        np.testing.assert_array_equal(start, copy, err_msg=name)
        np.testing.assert_allclose(warm.coef, cold.coef, atol=1e-8, err_msg=name)
        assert warm.converged.all(), name
        assert name != "the solution" or warm.n_iter.sum() < cold.n_iter.sum()


def test_warm_start_is_not_looked_at_by_closed_forms():
    X, Y = wide(30)
    cold = solve(X, Y, "ridge", positive=False)
    warm = solve(X, Y, "ridge", positive=False, coef_init=np.full((4, 30), 1e9))
    np.testing.assert_array_equal(cold.coef, warm.coef)


@pytest.mark.parametrize("n_features", [10, 60])
def test_many_alphas_of_ridge_share_one_spectrum(taken, n_features):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, n_features))
    Y = noisy_targets(rng, X, n_targets=12)
    alphas = np.logspace(-3, 3, 12)
    together = solve(X, Y, "ridge", alphas, positive=False)
    assert taken == ["_through_spectrum"]
    for target, alpha in enumerate(alphas):
        alone = solve(X, Y[:, [target]], "ridge", alpha, positive=False)
        np.testing.assert_allclose(together.coef[target], alone.coef[0], atol=1e-10)
    assert taken == ["_through_spectrum"] + 12 * ["_through_cholesky"]


def test_many_alphas_that_a_spectrum_would_lose_share_one_svd(taken):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 10))
    X[:, 1] = X[:, 0] + 1e-9 * X[:, 2]
    Y = noisy_targets(rng, X, n_targets=12)
    solution = solve(X, Y, "ridge", np.logspace(-15, 3, 12), positive=False)
    assert taken == ["_through_spectrum", "_through_svd"]
    assert solution.converged.all()


@pytest.mark.parametrize(
    ("name", "alpha", "form", "route"),
    [
        ("plain", 0.0, np.asarray, ["_through_cholesky"]),
        ("plain", 1.0, sparse.csr_array, ["_through_cholesky"]),
        ("wide", 1.0, np.asarray, ["_through_cholesky"]),
        ("wide", 0.0, np.asarray, ["_through_svd"]),
        ("wide", 1.0, sparse.csr_array, ["_through_lsqr"]),
        ("duplicated columns", 0.0, np.asarray, ["_through_cholesky", "_through_svd"]),
        ("duplicated columns", 0.0, sparse.csr_array, ["_through_cholesky", "_through_lsqr"]),
        ("duplicated columns", 1.0, np.asarray, ["_through_cholesky"]),
    ],
)
def test_closed_form_goes_through_the_gram_only_where_its_condition_allows(
    taken, name, alpha, form, route
):
    rng = np.random.default_rng(0)
    X = DESIGNS[name](rng)
    Y = noisy_targets(rng, X)
    coef = solve(form(X), Y, "ridge", alpha, positive=False).coef
    assert taken == route
    centered = X - X.mean(axis=0)
    expected = np.linalg.pinv(centered.T @ centered + alpha * np.eye(X.shape[1]), 1e-12) @ (
        centered.T @ Y
    )
    np.testing.assert_allclose(coef, expected.T, atol=1e-9)


@pytest.mark.parametrize(("form", "route"), [(np.asarray, "_svd"), (sparse.csr_array, "_lsqr")])
def test_condition_that_cholesky_survives_but_not_accurately(taken, form, route):
    rng = np.random.default_rng(0)
    X = with_spectrum(rng, 40, np.logspace(0, -6, 8))
    Y = X @ rng.standard_normal((8, 3)) + 1e-3 * rng.standard_normal((40, 3))
    coef = solve(form(X), Y, "ols", positive=False, fit_intercept=False).coef.T
    assert taken == ["_through_cholesky", f"_through{route}"]
    expected = np.linalg.lstsq(X, Y, rcond=1e-14)[0]
    np.testing.assert_allclose(coef, expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("name", FULL_RANK)
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_blocks_of_targets_are_no_seam(name, penalty, positive):
    """Targets solved together are the targets solved alone."""
    rng = np.random.default_rng(0)
    X = DESIGNS[name](rng)
    Y = noisy_targets(rng, X, n_targets=80)  # two blocks
    together = solve(X, Y, penalty, ALPHA[penalty], positive=positive)
    for target in [0, 39, 40, 79]:
        alone = solve(X, Y[:, [target]], penalty, ALPHA[penalty], positive=positive)
        scale = np.abs(alone.coef).max()
        np.testing.assert_allclose(together.coef[target], alone.coef[0], atol=1e-8 * scale)
        np.testing.assert_allclose(
            together.intercept[target], alone.intercept[0], atol=1e-7 * scale
        )
