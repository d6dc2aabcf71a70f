"""Alphas at the edge of what was tried, for everything that chooses one."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import ElasticNetCV, Lasso, LassoCV, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.model_selection import AlignmentFront, alpha_at_edge


@pytest.fixture(scope="module")
def data():
    """The first target has next to no noise, the second is mostly noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 5))
    Y = np.outer(X @ [1, 1, 1, 0.5, 0.3], [1, 1]) + rng.standard_normal((80, 2)) * [0.001, 2]
    return X, Y


ALPHAS = [1e-3, 0.1, 0.3, 10]


def expected(encoder):
    return np.isin(encoder.alpha_, [min(ALPHAS), max(ALPHAS)])


def test_of_an_encoder_that_chooses(data):
    encoder = SparsePositiveEncoderCV("ridge", ALPHAS, cv=4).fit(*data)
    assert_array_equal(alpha_at_edge(encoder), encoder.alpha_at_edge_)
    assert_array_equal(alpha_at_edge(encoder), expected(encoder))
    around = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), SparsePositiveEncoderCV("lasso", ALPHAS, cv=4)),
        transformer=StandardScaler(),
    ).fit(*data)
    model = around.regressor_[-1]
    assert_array_equal(alpha_at_edge(around), model.alpha_at_edge_)
    assert_array_equal(model.alpha_at_edge_, expected(model))


def test_of_scikit_learn_models(data):
    X, Y = data
    ridge = RidgeCV(ALPHAS, alpha_per_target=True).fit(X, Y)
    assert_array_equal(alpha_at_edge(ridge), expected(ridge))
    assert alpha_at_edge(ridge)[0]
    assert_array_equal(alpha_at_edge(RidgeCV([0.1]).fit(X, Y)), [False, False])
    lasso = LassoCV(alphas=ALPHAS, cv=4).fit(X, Y[:, 1])
    assert_array_equal(alpha_at_edge(lasso), [lasso.alpha_ in (min(ALPHAS), max(ALPHAS))])
    assert_array_equal(alpha_at_edge(LassoCV(cv=4, tol=1e-8).fit(X, X.sum(axis=1))), [True])
    net = ElasticNetCV(l1_ratio=[0.2, 0.9], alphas=8, cv=4, tol=1e-8).fit(X, X.sum(axis=1))
    assert_array_equal(alpha_at_edge(net), [True])


def test_of_one_model_for_every_target(data):
    each = MultiOutputRegressor(LassoCV(alphas=ALPHAS, cv=4)).fit(*data)
    alphas = np.array([one.alpha_ for one in each.estimators_])
    assert_array_equal(alpha_at_edge(each), np.isin(alphas, [min(ALPHAS), max(ALPHAS)]))
    assert alpha_at_edge(MultiOutputRegressor(Ridge()).fit(*data)) is None


@pytest.mark.parametrize(("alphas", "is_edge"), [([1e-6, 1e-3], True), ([0.1], False)])
def test_of_a_search(data, alphas, is_edge):
    pipeline = make_pipeline(StandardScaler(), SparsePositiveEncoder())
    grid = {"sparsepositiveencoder__alpha": alphas, "sparsepositiveencoder__positive": [False]}
    search = GridSearchCV(pipeline, grid).fit(*data)
    assert_array_equal(alpha_at_edge(search), [is_edge, is_edge])
    assert_array_equal(alpha_at_edge(FrozenEstimator(search)), [is_edge, is_edge])


def test_candidates_that_differ_in_more_than_alpha_have_grids_of_their_own(data):
    X, Y = data
    grid = [
        {"alpha": [1e-4, 5], "positive": [True]},
        {"alpha": [1e-5, 2e-5, 9], "positive": [False]},
    ]
    search = GridSearchCV(Lasso(), grid).fit(X, Y[:, 0])
    assert search.best_params_["alpha"] == 1e-5
    assert_array_equal(alpha_at_edge(search), [True])
    scores = {f"split0_test_{name}": np.ones(5) for name in ("r", "nonempty_fraction", "n_active")}
    scores |= {f"split0_test_neg_{name}": -np.ones(5) for name in ("theta", "theta_observed")}
    front = AlignmentFront.from_cv_results({"params": search.cv_results_["params"]} | scores)
    assert_array_equal(front.alpha_at_edge, [True, True, True, False, True])


def test_where_nothing_is_chosen(data):
    for model in (Ridge(), SparsePositiveEncoder(), make_pipeline(StandardScaler(), Ridge())):
        assert alpha_at_edge(model.fit(*data)) is None
    search = RandomizedSearchCV(Lasso(), {"fit_intercept": [True, False]}, n_iter=2).fit(*data)
    assert alpha_at_edge(search) is None
    with pytest.raises(NotFittedError):
        alpha_at_edge(SparsePositiveEncoderCV())
    with pytest.raises(NotFittedError, match="a search needs refit=True"):
        alpha_at_edge(GridSearchCV(Lasso(), {"alpha": [0.1, 1]}, refit=False).fit(*data))
    with pytest.raises(TypeError, match="must have a linear regressor inside"):
        alpha_at_edge(StandardScaler().fit(data[0]))


def test_a_target_left_empty_has_no_edge():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    Y = np.column_stack([X[:, 0], -X.sum(axis=1)])
    with pytest.warns(UserWarning, match="1 of 2 targets were left empty"):
        encoder = SparsePositiveEncoderCV(alphas=[1e-3, 0.1], cv=3).fit(X, Y)
    assert_array_equal(alpha_at_edge(encoder), [True, False])
