"""Fronts and their tables against the searches, encoders and paths that they are made from."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skalign import AlignmentScorer, SparsePositiveEncoder
from skalign.linear_model import SparsePositiveEncoderCV, sparse_positive_path
from skalign.metrics import alignment
from skalign.model_selection import AlignmentFront, least_reorientation


class Fitted(BaseEstimator):
    """An estimator with the attributes of a fitted one."""

    def fit(self, X, y):
        raise NotImplementedError

    def predict(self, X):
        raise NotImplementedError

    @classmethod
    def like(cls, **attributes):
        fitted = cls()
        vars(fitted).update(attributes)
        return fitted


def make_front(r, theta, n_active):
    r, theta, n_active = (np.asarray(table, dtype=float) for table in (r, theta, n_active))
    zeros = np.zeros(r.shape)
    return AlignmentFront(
        candidate=np.arange(len(r)),
        params={},
        r=r,
        r_se=zeros,
        theta=theta,
        penalized_theta=theta,
        theta_observed=theta,
        n_active=n_active,
        n_effective=n_active,
        theta_floor=zeros,
        empty_fraction=zeros,
        chosen_fraction=zeros,
        alpha_at_edge=zeros.astype(bool),
    )


def test_front_by_hand():
    r = [0.5, 0.5, 0.4, 0.6, 0.5, 0.0, -0.1]
    theta = [0.3, 0.3, 0.1, 0.9, 0.4, 0.0, 0.0]
    n_active = [3, 3, 3, 9, 2, 1, 1]  # twins both stay; nothing beats fewer units, but for r 0
    front = make_front(r, theta, n_active)
    assert_array_equal(front.on_front, [True, True, True, True, True, False, False])
    assert_array_equal(make_front([0.5, 0.4], [0.3, 0.3], [3, 3]).on_front, [True, False])


def test_a_candidate_does_not_get_on_the_front_by_empty_targets():
    front = make_front([0.5, 0.5], [0.1, 0.4], [3, 3])  # the first is lower in theta
    front = replace(
        front, penalized_theta=np.array([1.05, 0.4]), empty_fraction=np.array([0.5, 0.0])
    )
    assert_array_equal(front.on_front, [False, True])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 12))
    signs = np.array([[1, 1, -1], [1, 0, 0], [0, 1, 0]])
    Y = X[:, :3] @ signs + rng.standard_normal((120, 3))
    Y[:, 2] = -X.sum(axis=1)  # no positive map reaches it
    return X, Y


@pytest.fixture(scope="module")
def search(data):
    pipeline = make_pipeline(StandardScaler(), SparsePositiveEncoder())
    name = "sparsepositiveencoder__"
    grid = [
        {f"{name}penalty": ["lasso"], f"{name}alpha": [0.01, 0.3, 1e3]},
        {f"{name}penalty": ["ols"]},
    ]
    rule = least_reorientation(0.3)
    return GridSearchCV(pipeline, grid, scoring=AlignmentScorer(), refit=rule, cv=4).fit(*data)


def test_from_a_search(search):
    front = AlignmentFront.from_cv_results(search)
    results = search.cv_results_
    assert_allclose(front.r, results["mean_test_r"])
    assert_allclose(front.r_se, results["std_test_r"] / np.sqrt(3))
    assert_allclose(front.n_active, results["mean_test_n_active"])
    nonempty = results["mean_test_nonempty_fraction"]
    assert_allclose(front.empty_fraction, 1 - nonempty)
    is_empty = np.array([False, False, True, False])
    assert_array_equal(front.penalized_theta, -results["mean_test_neg_theta"])
    theta = (2 * (1 - nonempty) - front.penalized_theta) / -np.where(is_empty, np.nan, nonempty)
    assert_allclose(front.theta, theta)
    assert_array_equal(np.isnan(front.theta), is_empty)
    assert 0 < front.empty_fraction[0] < 1  # of a lasso that leaves the third target empty
    assert not front.on_front[is_empty].any()
    assert_array_equal(np.flatnonzero(front.chosen), [search.best_index_])
    assert_array_equal(front.chosen_fraction.sum(), 1)


def test_from_results_nothing_is_chosen(search):
    front = AlignmentFront.from_cv_results(search.cv_results_)
    assert not front.chosen.any()
    assert_allclose(front.r, AlignmentFront.from_cv_results(search).r)


def test_of_a_halving_search_the_last_iteration(search):
    results = search.cv_results_ | {"iter": np.array([0, 1, 0, 1])}
    front = AlignmentFront.from_cv_results(Fitted.like(cv_results_=results, best_index_=3))
    assert_array_equal(front.candidate, [1, 3])
    assert_array_equal(front.chosen, [False, True])
    assert front.params["sparsepositiveencoder__alpha"][0] == 0.3
    assert not front.alpha_at_edge.any()  # of all that was tried
    assert_allclose(front.r, results["mean_test_r"][[1, 3]])


def test_frame_has_a_row_per_candidate(search):
    pytest.importorskip("pandas")
    front = AlignmentFront.from_cv_results(search)
    frame = front.to_frame()
    scores = ["r", "r_se", "theta", "penalized_theta", "theta_observed", "n_active"]
    scores += ["n_effective", "theta_floor", "empty_fraction"]
    name = "sparsepositiveencoder__"
    params = [f"{name}alpha", f"{name}penalty"]
    assert sorted(frame.columns) == sorted(
        ["candidate", *params, *scores, "on_front", "chosen", "chosen_fraction", "alpha_at_edge"]
    )
    assert_array_equal(frame[f"{name}alpha"], [0.01, 0.3, 1e3, np.nan])
    assert frame[f"{name}alpha"].dtype == float
    assert frame["alpha_at_edge"].tolist() == [True, False, True, False]
    assert frame["on_front"].dtype == frame["chosen"].dtype == bool
    assert frame.loc[frame["chosen"], "candidate"].item() == search.best_index_


@pytest.fixture
def encoder_cv():
    """What a fitted SparsePositiveEncoderCV offers: three candidates, two targets, one left out."""
    nan = np.nan
    results = {
        "param_alpha": np.array([[1.0, 3.0], [0.5, 2.0], [0.1, 1.0]]),
        "param_l1_ratio": np.full(3, nan),
        "mean_test_r": np.array([[0.4, 0.0], [0.5, -0.1], [0.6, nan]]),
        "se_test_r": np.array([[0.1, 0.0], [0.2, 0.3], [0.1, 0.0]]),
        "mean_test_theta": np.array([[0.1, nan], [0.2, 0.6], [0.4, nan]]),
        "mean_test_penalized_theta": np.array([[0.1, 2.0], [0.2, 0.88], [0.4, 2.0]]),
        "mean_test_theta_observed": np.array([[0.7, nan], [0.6, 0.9], [0.8, nan]]),
        "mean_test_n_active": np.array([[1.0, 0.0], [2.0, 1.5], [5.0, 0.0]]),
        "mean_test_n_effective": np.array([[1.0, nan], [1.8, 1.2], [4.0, nan]]),
        "mean_test_theta_floor": np.array([[0.0, nan], [0.2, 0.1], [0.5, nan]]),
        "empty_fraction": np.array([[0.0, 1.0], [0.0, 0.2], [0.0, 1.0]]),
    }
    return Fitted.like(cv_results_=results, best_index_=np.array([1, -1]), coef_=np.eye(2))


def test_from_an_encoder_per_target(encoder_cv):
    front = AlignmentFront.from_encoder_cv(encoder_cv, per_target=True)
    assert_array_equal(front.r, encoder_cv.cv_results_["mean_test_r"])
    assert_array_equal(front.chosen, [[False, False], [True, False], [False, False]])
    assert_array_equal(front.on_front, [[True, False], [True, False], [True, False]])
    assert_array_equal(front.empty_fraction, [[0, 1], [0, 0.2], [0, 1]])
    assert_array_equal(front.alpha_at_edge, [[True, True], [False, False], [True, True]])
    frame = front.to_frame()
    assert_array_equal(frame["target"], [0, 1] * 3)
    assert_array_equal(frame["alpha"], [1, 3, 0.5, 2, 0.1, 1])
    assert "l1_ratio" not in frame
    single = front.for_target(0)
    assert single.r.shape == single.params["alpha"].shape == (3,)
    assert_array_equal(single.chosen, [False, True, False])
    assert_array_equal(single.on_front, [True, True, True])


def test_from_an_encoder_averaged(encoder_cv):
    encoder_cv.cv_results_["param_l1_ratio"] = np.array([0.5, 0.5, 1.0])
    front = AlignmentFront.from_encoder_cv(encoder_cv)
    assert_allclose(front.r, [0.2, 0.2, 0.3])
    assert_allclose(front.r_se, [0.05, 0.25, 0.05])
    assert_allclose(front.penalized_theta, [1.05, 0.54, 1.2])  # an empty fit counts as 2
    assert_allclose(front.theta, [0.1, (0.2 + 0.8 * 0.6) / 1.8, 0.4])  # over the others
    assert_allclose(front.theta_observed, [0.7, (0.6 + 0.8 * 0.9) / 1.8, 0.8])
    assert_allclose(front.n_effective, [1, (1.8 + 0.8 * 1.2) / 1.8, 4])
    assert_allclose(front.theta_floor, [0, (0.2 + 0.8 * 0.1) / 1.8, 0.5])
    assert_allclose(front.n_active, [0.5, 1.75, 2.5])
    assert_allclose(front.empty_fraction, [0.5, 0.1, 0.5])
    assert_array_equal(front.chosen_fraction, [0, 0.5, 0])  # the other target was left empty
    assert_allclose(front.params["alpha"], [2, 1.25, 0.55])
    assert_array_equal(front.alpha_at_edge, [True, True, True])  # two steps: both are ends
    assert_array_equal(front.to_frame()["l1_ratio"], [0.5, 0.5, 1.0])
    with pytest.raises(ValueError, match="The front must have targets"):
        front.for_target(0)


def test_candidate_that_is_empty_for_all_has_no_theta(encoder_cv):
    encoder_cv.cv_results_["mean_test_n_active"][0] = 0
    encoder_cv.cv_results_["mean_test_theta"][0] = np.nan
    encoder_cv.cv_results_["empty_fraction"][0] = 1
    encoder_cv.cv_results_["mean_test_penalized_theta"][0] = 2
    front = AlignmentFront.from_encoder_cv(encoder_cv)
    assert_array_equal(np.isnan(front.theta), [True, False, False])
    assert not front.on_front[0]


def test_from_a_fitted_encoder(data):
    with pytest.warns(UserWarning, match="1 of 3 targets were left empty"):
        encoder = SparsePositiveEncoderCV(alphas=[1e3, 0.3, 0.01], select="one_se").fit(*data)
    per_target = AlignmentFront.from_encoder_cv(encoder, per_target=True)
    assert_array_equal(per_target.chosen[:, 2], False)
    assert_array_equal(per_target.chosen[:, :2].argmax(axis=0), encoder.best_index_[:2])
    assert_array_equal(per_target.params["alpha"], np.repeat([[1e3], [0.3], [0.01]], 3, axis=1))
    assert np.isnan(per_target.theta[0]).all()
    averaged = AlignmentFront.from_encoder_cv(encoder)
    assert_allclose(averaged.chosen_fraction.sum(), 2 / 3)
    assert_allclose(averaged.r, encoder.cv_results_["mean_test_r"].mean(axis=1))


def path_and_fits(alphas, X, Y):
    fits = [SparsePositiveEncoder("lasso", alpha).fit(X, Y) for alpha in alphas]
    return sparse_positive_path(X, Y, alphas=alphas, sparse_output=True), fits


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_from_a_path_is_the_alignment_of_every_alpha(data, container):
    X, Y = data
    alphas = np.array([[1e3] * 3, [0.5, 0.4, 0.3], [0.01] * 3])
    path, fits = path_and_fits(alphas, X[:80], Y[:80])
    weight = np.linspace(0, 1, 40)
    front = AlignmentFront.from_path(
        path, container(X[80:]), Y[80:], per_target=True, center=True, sample_weight=weight
    )
    for k, fit in enumerate(fits):
        expected = alignment(fit, X[80:], Y[80:], center=True, sample_weight=weight)
        assert_allclose(front.r[k], expected.r, atol=1e-6)
        assert_allclose(front.theta[k], expected.theta, atol=1e-6)
        assert_allclose(front.theta_observed[k], expected.theta_observed, atol=1e-6)
        assert_allclose(front.theta_floor[k], expected.theta_floor, atol=1e-6)
        assert_array_equal(front.n_active[k], expected.n_active)
    assert_array_equal(front.params["alpha"], alphas)
    assert np.isnan(front.r_se).all()
    assert not front.chosen.any()
    assert np.isnan(front.theta[0]).all()


def test_from_a_path_averaged_is_the_summary_of_every_alpha(data):
    X, Y = data
    path, fits = path_and_fits(np.array([1e3, 0.3, 0.01]), X[:80], Y[:80])
    front = AlignmentFront.from_path(path, X[80:], Y[80:])
    summaries = [alignment(fit, X[80:], Y[80:]).summary() for fit in fits]
    for name in summaries[0]:
        expected = [summary[name] for summary in summaries]
        assert_allclose(getattr(front, name), expected, atol=1e-6, err_msg=name)
    assert front.empty_fraction[0] == 1
    assert 0 < front.empty_fraction[1] < 1


def test_from_a_search_whose_scorer_has_another_penalty(data):
    X, Y = data
    fronts = [
        AlignmentFront.from_cv_results(
            GridSearchCV(
                SparsePositiveEncoder(), {"alpha": [1e3, 0.3]}, scoring=scorer, refit=False, cv=3
            ).fit(X, Y)
        )
        for scorer in (AlignmentScorer(), AlignmentScorer(undefined_theta=0.5))
    ]
    assert 0 < fronts[0].empty_fraction[1] < 1
    for name in ("theta", "penalized_theta"):
        assert_allclose(*(getattr(front, name) for front in fronts), err_msg=name)


def test_path_of_other_features_is_refused(data):
    X, Y = data
    with pytest.raises(ValueError, match=r"X must have the 12 features .* got 5"):
        AlignmentFront.from_path(sparse_positive_path(X, Y), X[:, :5], Y)


def test_what_is_no_search_is_refused(encoder_cv):
    with pytest.raises(TypeError, match="not an estimator"):
        AlignmentFront.from_cv_results([])
    with pytest.raises(NotFittedError):
        AlignmentFront.from_cv_results(GridSearchCV(SparsePositiveEncoder(), {}))
    with pytest.raises(NotFittedError):
        AlignmentFront.from_encoder_cv(SparsePositiveEncoder())
    with pytest.raises(ValueError, match="Use from_encoder_cv"):
        AlignmentFront.from_cv_results(encoder_cv.cv_results_)


def test_search_with_other_scores_is_refused(data):
    search = GridSearchCV(SparsePositiveEncoder(), {"alpha": [0.1]}).fit(*data)
    with pytest.raises(ValueError, match="scoring=AlignmentScorer"):
        AlignmentFront.from_cv_results(search)


def test_missing_pandas_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skalign\[table\]"):
        make_front([0.5], [0.1], [1]).to_frame()


def test_looks_into_pipelines_and_names_what_is_no_encoder(data):
    X, Y = data[0], data[1][:, :2]
    encoder = SparsePositiveEncoderCV(alphas=[0.3, 0.01])
    piped = make_pipeline(StandardScaler(), encoder).fit(X, Y)
    search = GridSearchCV(piped, {"sparsepositiveencodercv__tolerance": [0.1]}).fit(X, Y)
    for outer in (piped, search, FrozenEstimator(piped)):
        front = AlignmentFront.from_encoder_cv(outer)
        assert_allclose(front.r, AlignmentFront.from_encoder_cv(piped[-1]).r)
    search = GridSearchCV(SparsePositiveEncoder(), {"alpha": [0.1]}).fit(X, Y)
    with pytest.raises(TypeError, match=r"encoder must be a SparsePositiveEncoderCV.*GridS"):
        AlignmentFront.from_encoder_cv(search)
    with pytest.raises(IndexError, match="target must be from 0 to 1; got -1"):
        AlignmentFront.from_encoder_cv(piped, per_target=True).for_target(-1)
