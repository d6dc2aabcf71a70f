"""The eight encoders against scikit-learn's four estimators and scipy's NNLS."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge

from skalign.linear_model import SparsePositiveEncoder
from skalign.solvers import certify
from tests.designs import DESIGNS, FULL_RANK, noisy_targets
from tests.reference import ALPHA, ENCODERS, L1_RATIO

N_SEEDS = 2


class AugmentedNNLS:
    """Positive ridge: NNLS on sqrt(alpha) I appended (scikit-learn's own stops early)."""

    def __init__(self, alpha, fit_intercept):
        self.alpha, self.fit_intercept = alpha, fit_intercept

    def fit(self, X, Y, sample_weight=None):
        weight = np.ones(X.shape[0]) if sample_weight is None else sample_weight
        mean_X = np.average(X, axis=0, weights=weight) * self.fit_intercept
        mean_Y = np.average(Y, axis=0, weights=weight) * self.fit_intercept
        root = np.sqrt(weight)[:, None]
        A = np.r_[root * (X - mean_X), np.sqrt(self.alpha) * np.eye(X.shape[1])]
        B = np.r_[root * (Y - mean_Y), np.zeros((X.shape[1], Y.shape[1]))]
        self.coef_ = np.array([nnls(A, b)[0] for b in B.T])
        self.intercept_ = mean_Y - self.coef_ @ mean_X
        return self

    def predict(self, X):
        return X @ self.coef_.T + self.intercept_


def oracle(penalty, alpha, *, positive, fit_intercept):
    """The estimator whose solution must be found, told to be exact."""
    exact = {"tol": 1e-11, "max_iter": 1_000_000}
    options = {"fit_intercept": fit_intercept, "positive": positive}
    match penalty:
        case "ols":
            # Its tol cuts off singular values; 1e-6, the default, is far above rounding.
            return LinearRegression(tol=1e-12, **options)
        case "ridge" if positive:
            return AugmentedNNLS(alpha, fit_intercept)
        case "ridge":
            return Ridge(alpha, fit_intercept=fit_intercept, solver="svd")
        case "lasso":
            return Lasso(alpha, **exact, **options)
        case _:
            return ElasticNet(alpha, l1_ratio=L1_RATIO, **exact, **options)


def make(name, seed):
    rng = np.random.default_rng(seed)
    X = DESIGNS[name](rng)
    weight = rng.uniform(0.1, 3, X.shape[0])
    return X, noisy_targets(rng, X), weight


def assert_equivalent(X, actual, expected, *, unique, atol=1e-6):
    """Same predictions, and same weights where the minimizer is unique."""
    predicted = expected.predict(X)
    np.testing.assert_allclose(actual.predict(X), predicted, atol=atol * np.abs(predicted).max())
    if unique:
        coef = np.atleast_2d(expected.coef_)
        np.testing.assert_allclose(actual.coef_, coef, atol=10 * atol * np.abs(coef).max())
        np.testing.assert_allclose(
            actual.intercept_, expected.intercept_, atol=10 * atol * np.abs(predicted).max()
        )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
@pytest.mark.parametrize("name", DESIGNS)
def test_equals_scikit_learn(name, penalty, positive, fit_intercept, weighted):
    unique = (
        name in FULL_RANK
        or penalty in ("ridge", "elasticnet")
        or (penalty, positive) == ("ols", False)
    )
    settings = {"positive": positive, "fit_intercept": fit_intercept}
    alpha = ALPHA[penalty]
    for seed in range(N_SEEDS):
        X, Y, weight = make(name, seed)
        weight = weight if weighted else None
        encoder = SparsePositiveEncoder(penalty, alpha, l1_ratio=L1_RATIO, **settings)
        encoder.fit(X, Y, sample_weight=weight)
        expected = oracle(penalty, alpha, **settings).fit(X, Y, sample_weight=weight)
        assert_equivalent(X, encoder, expected, unique=unique)
        settings_of_certificate = settings | {"l1_ratio": L1_RATIO, "sample_weight": weight}
        ours, theirs = (
            certify(X, Y, coef, penalty, alpha, **settings_of_certificate).objective
            for coef in [encoder.coef_, np.atleast_2d(expected.coef_)]
        )
        assert (ours <= theirs * (1 + 1e-10) + 1e-20).all()


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), [e for e in ENCODERS if e != ("ols", True)])
def test_equals_scikit_learn_on_sparse_features(penalty, positive, fit_intercept, form):
    rng = np.random.default_rng(0)
    X = sparse.random_array((40, 8), density=0.3, rng=rng, data_sampler=rng.standard_normal)
    Y, weight = noisy_targets(rng, X), rng.uniform(0.1, 3, 40)
    settings = {"positive": positive, "fit_intercept": fit_intercept}
    encoder = SparsePositiveEncoder(penalty, ALPHA[penalty], l1_ratio=L1_RATIO, **settings)
    encoder.fit(form(X), Y, sample_weight=weight)
    expected = oracle(penalty, ALPHA[penalty], **settings)
    dense = X.toarray()
    assert_equivalent(dense, encoder, expected.fit(dense, Y, sample_weight=weight), unique=True)
    np.testing.assert_allclose(encoder.predict(form(X)), encoder.predict(dense), atol=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_equals_scikit_learn_in_float32(penalty, positive, fit_intercept):
    X, Y, weight = make("plain", 0)
    settings = {"positive": positive, "fit_intercept": fit_intercept}
    encoder = SparsePositiveEncoder(penalty, ALPHA[penalty], l1_ratio=L1_RATIO, **settings)
    encoder.fit(X.astype(np.float32), Y.astype(np.float32), weight)
    assert encoder.coef_.dtype == encoder.intercept_.dtype == np.float32
    assert encoder.predict(X.astype(np.float32)).dtype == np.float32
    expected = oracle(penalty, ALPHA[penalty], **settings).fit(X, Y, weight)
    assert_equivalent(X, encoder, expected, unique=True, atol=1e-5)


def test_positive_ridge_is_no_worse_than_scikit_learns():
    X, Y, _ = make("plain", 0)
    ours = SparsePositiveEncoder("ridge", 2.0).fit(X, Y)
    theirs = Ridge(2.0, positive=True).fit(X, Y)
    objectives = [certify(X, Y, model.coef_, "ridge", 2.0).objective for model in (ours, theirs)]
    assert (objectives[0] <= objectives[1] * (1 + 1e-12)).all()


@pytest.mark.parametrize("positive", [True, False])
def test_alpha_per_target_equals_one_estimator_each(positive):
    X, Y, _ = make("plain", 0)
    for penalty, estimator in [("lasso", Lasso), ("ridge", Ridge)]:
        alphas = [0.01, 0.1, 1.0]
        encoder = SparsePositiveEncoder(penalty, alphas, positive=positive).fit(X, Y)
        for target, alpha in enumerate(alphas):
            alone = estimator(alpha, positive=positive, tol=1e-12).fit(X, Y[:, target])
            np.testing.assert_allclose(encoder.coef_[target], alone.coef_, atol=1e-4)
