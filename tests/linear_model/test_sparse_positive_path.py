"""A path against one fit per alpha."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skalign.linear_model import SparsePositiveEncoder, sparse_positive_path
from skalign.solvers import _blocks, _target_blocks, certify
from tests.reference import ENCODERS

ALPHAS = {"ols": [0.0], "ridge": [100, 3, 1], "lasso": [0.5, 0.1, 0], "elasticnet": [0.4, 0.05, 0]}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 12)) * np.geomspace(0.3, 3, 12) + 1
    Y = X @ (rng.standard_normal((12, 7)) * (rng.random((12, 7)) < 0.5))
    return X, Y + rng.standard_normal((40, 7)), rng.uniform(0.2, 2, 40)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("design", ["dense", "wide", "sparse"])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_equals_one_fit_per_alpha(data, penalty, positive, design, fit_intercept, monkeypatch):
    X, Y, weight = data
    if design == "wide":
        monkeypatch.setattr(_blocks, "GRAM_FEATURES", 0)
        monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)
    settings = {"positive": positive, "fit_intercept": fit_intercept}
    given = sparse.csr_array(X) if design == "sparse" else X
    alphas = ALPHAS[penalty][::-1]  # any order will do
    path = sparse_positive_path(given, Y, penalty, alphas=alphas, sample_weight=weight, **settings)
    assert_allclose(path.alphas, np.repeat(np.sort(alphas)[::-1][:, None], 7, axis=1))
    assert path.converged.all()
    for k, alpha in enumerate(path.alphas):
        one = SparsePositiveEncoder(penalty, alpha, **settings).fit(X, Y, weight)
        assert_allclose(path.coef[k], one.coef_, atol=1e-9)
        assert_allclose(path.intercept[k], one.intercept_, atol=1e-9)
        found = certify(X, Y, path.coef[k], penalty, alpha, sample_weight=weight, **settings)
        assert found.kkt_violation.max() < 1e-7
        assert_allclose(path.dual_gap[k], one.dual_gap_, atol=1e-9)
    assert_array_equal(path.n_active, np.count_nonzero(path.coef, axis=2))


def test_alphas_per_target_and_blocks(data, monkeypatch):
    X, Y, _ = data
    monkeypatch.setattr(_target_blocks, "BLOCK_TARGETS", 2)
    alphas = np.geomspace(0.5, 0.05, 21).reshape(3, 7)
    path = sparse_positive_path(X, Y, alphas=alphas, n_jobs=2)
    for k in range(3):
        one = SparsePositiveEncoder(alpha=alphas[k]).fit(X, Y)
        assert_allclose(path.coef[k], one.coef_, atol=1e-9)


@pytest.mark.parametrize("penalty", ["lasso", "ridge"])
def test_sparse_output_is_the_same(data, penalty, monkeypatch):
    X, Y, _ = data
    monkeypatch.setattr(_target_blocks, "BLOCK_TARGETS", 3)
    dense = sparse_positive_path(X, Y, penalty, alphas=4)
    path = sparse_positive_path(X, Y, penalty, alphas=4, sparse_output=True)
    for k in range(4):
        assert isinstance(path.coef[k], sparse.csr_array)
        assert_array_equal(path.coef_at(k), dense.coef_at(k))
    assert_array_equal(path.n_active, dense.n_active)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("penalty", ["lasso", "elasticnet"])
def test_grids_start_at_alpha_max(data, penalty, positive):
    X, Y, weight = data
    path = sparse_positive_path(
        X, Y, penalty, alphas=5, l1_ratio=0.3, positive=positive, sample_weight=weight
    )
    assert_array_equal(path.n_active[0], 0)
    just_below = SparsePositiveEncoder(
        penalty, 0.999 * path.alphas[0], l1_ratio=0.3, positive=positive
    ).fit(X, Y, weight)
    assert (np.count_nonzero(just_below.coef_, axis=1) == 1).all()
    if penalty == "lasso":
        assert_allclose(path.alphas[1:] / path.alphas[:-1], 100**-0.25)


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_infinite_alphas_are_empty(data, penalty, positive):
    X, Y, weight = data
    path = sparse_positive_path(
        X, Y, penalty, alphas=[0.1, np.inf], positive=positive, sample_weight=weight
    )
    n_empty = len(path.alphas) - 1
    finite = sparse_positive_path(
        X, Y, penalty, alphas=[0.1], positive=positive, sample_weight=weight
    )
    assert_array_equal(path.alphas[:n_empty], np.inf)
    assert_array_equal(path.n_active[:n_empty], 0)
    mean = np.average(Y, axis=0, weights=weight)
    assert_allclose(path.intercept[:n_empty], np.broadcast_to(mean, (n_empty, 7)))
    assert_allclose(path.coef[-1], finite.coef[0], atol=1e-9)
    assert path.converged.all()


def test_a_target_that_nothing_pulls_up_is_empty_at_every_alpha():
    X = np.abs(np.random.default_rng(0).standard_normal((30, 4)))
    Y = np.c_[-X @ np.full(4, 3.0), np.ones(30)]
    path = sparse_positive_path(X - X.mean(axis=0), Y, alphas=4)
    assert_array_equal(path.n_active, 0)
    assert (path.alphas > 0).all()


def test_weights_need_one_fit_only(data):
    """Ordinary warm starts: fewer iterations than from scratch."""
    X, Y, _ = data
    alphas = np.geomspace(0.3, 0.28, 10)
    path = sparse_positive_path(X, Y, alphas=alphas)
    cold = [SparsePositiveEncoder(alpha=alpha).fit(X, Y).n_iter_.sum() for alpha in alphas]
    assert path.n_iter[1:].sum() < sum(cold[1:])


def test_one_target_may_be_flat(data):
    X, Y, _ = data
    flat = sparse_positive_path(X, Y[:, 0], alphas=3)
    assert_array_equal(flat.coef, sparse_positive_path(X, Y[:, :1], alphas=3).coef)


BAD = {
    "alphas": ({"alphas": [[1, 2]]}, ValueError, r"alphas must be the number.*\(n_alphas, n_targ"),
    "none": ({"alphas": []}, ValueError, "alphas must be the number"),
    "penalty": ({"penalty": "l2"}, ValueError, "penalty must be one of"),
    "l1_ratio": ({"penalty": "elasticnet", "l1_ratio": -1}, ValueError, "l1_ratio must be"),
    "tol": ({"tol": 0}, ValueError, "tol must be"),
    "positive": ({"positive": "yes"}, TypeError, "positive must be True or False"),
    "weights": ({"sample_weight": [1.0]}, ValueError, "sample_weight must be 1-D"),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_name_the_parameter(data, case):
    settings, error, message = BAD[case]
    with pytest.raises(error, match=message):
        sparse_positive_path(data[0], data[1], **settings)


def test_nan_in_a_target_is_named(data):
    X, Y, _ = data
    Y[3, 5] = np.nan
    with pytest.raises(ValueError, match="first in target 5"):
        sparse_positive_path(X, Y)
