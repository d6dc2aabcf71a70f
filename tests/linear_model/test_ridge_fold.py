"""Signed ridge at many alphas from one eigendecomposition, against loops of fits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    PredefinedSplit,
    ShuffleSplit,
)
from sklearn.utils.estimator_checks import parametrize_with_checks

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.linear_model import _cross_validation, _folds, _ridge_fold
from skalign.metrics import pearson_r
from skalign.solvers import Design, RidgeSpectrum, certify, solve

ALPHAS = [300.0, 3.0, 0.03]

pytestmark = pytest.mark.filterwarnings("ignore:1 of . targets were left empty")


def make_data(n_samples, n_features, n_targets=4, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) + rng.uniform(-2, 2, n_features)
    X *= np.geomspace(0.5, 3, n_features)
    W = rng.standard_normal((n_features, n_targets)) / np.sqrt(n_features)
    Y = X @ W + rng.standard_normal((n_samples, n_targets)) + 3
    return X.astype(dtype), Y.astype(dtype), rng.uniform(0.2, 2, n_samples)


def ridge_cv(alphas=ALPHAS, **options):
    return SparsePositiveEncoderCV("ridge", alphas, positive=False, **options)


def loop(X, Y, splits, alphas, fit_intercept=True, weight=None):
    """Mean r and R2 over folds (n_alphas, n_targets), by scikit-learn, one fit at a time."""
    r, r2 = [], []
    for train, test in splits:
        w_train, w_test = (None, None) if weight is None else (weight[train], weight[test])
        fits = [
            Ridge(alpha, fit_intercept=fit_intercept).fit(X[train], Y[train], w_train)
            for alpha in alphas
        ]
        predictions = [fit.predict(X[test]) for fit in fits]
        r.append([pearson_r(Y[test], p, sample_weight=w_test) for p in predictions])
        r2.append(
            [
                r2_score(Y[test], p, multioutput="raw_values", sample_weight=w_test)
                for p in predictions
            ]
        )
    return np.mean(r, axis=0), np.mean(r2, axis=0)


@pytest.fixture
def decomposed(monkeypatch):
    """Counts folds that are decomposed."""
    folds = []

    class Counted(_ridge_fold.RidgeFold):
        def is_accurate(self):
            folds.append(super().is_accurate())
            return folds[-1]

    monkeypatch.setattr(_folds, "RidgeFold", Counted)
    return folds


SPLITTERS = {
    "k-fold": KFold(4, shuffle=True, random_state=0),
    "runs": LeaveOneGroupOut(),
    "not complements": ShuffleSplit(3, test_size=0.3, train_size=0.5, random_state=0),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("cv", SPLITTERS.values(), ids=SPLITTERS)
@pytest.mark.parametrize("shape", [(60, 8), (40, 90), (40, 32)])
def test_equals_a_loop_of_fits(decomposed, shape, cv, fit_intercept, weighted):
    X, Y, weight = make_data(*shape)
    groups = np.arange(len(X)) % 5 if isinstance(cv, LeaveOneGroupOut) else None
    weight = weight if weighted else None
    encoder = ridge_cv(cv=cv, fit_intercept=fit_intercept)
    encoder.fit(X, Y, sample_weight=weight, groups=groups)
    splits = list(cv.split(X, Y, groups))
    assert decomposed == [True] * len(splits)
    r, r2 = loop(X, Y, splits, ALPHAS, fit_intercept, weight)
    results = encoder.cv_results_
    assert_allclose(results["mean_test_r"], r, atol=1e-9)
    assert_allclose(results["mean_test_r2"], r2, atol=1e-9)
    assert_array_equal(results["mean_test_n_active"], X.shape[1])
    assert np.isnan(results["mean_test_theta"]).all()
    assert np.isnan(results["mean_test_penalized_theta"]).all()
    assert (results["max_kkt_violation"] < 1e-7).all()  # the tolerance
    best = np.where(r.max(axis=0) > 0, r.argmax(axis=0), -1)
    assert_array_equal(encoder.best_index_, best)
    expected = SparsePositiveEncoder(
        "ridge", encoder.alpha_, positive=False, fit_intercept=fit_intercept
    ).fit(X, Y, weight)
    assert_allclose(encoder.coef_, expected.coef_, atol=1e-9)
    assert_allclose(encoder.intercept_, expected.intercept_, atol=1e-9)


@pytest.mark.parametrize("shape", [(60, 8), (40, 90)])
def test_alphas_of_every_target(shape):
    X, Y, _ = make_data(*shape)
    alphas = np.array(ALPHAS)[:, np.newaxis] * [1, 2, 0.1, 5]
    encoder = ridge_cv(alphas, cv=KFold(3)).fit(X, Y)
    for target in range(4):
        r, _ = loop(X, Y[:, [target]], list(KFold(3).split(X)), alphas[:, target])
        assert_allclose(encoder.cv_results_["mean_test_r"][:, [target]], r, atol=1e-9)


def test_elastic_net_without_l1_and_its_own_scale(decomposed):
    X, Y, _ = make_data(60, 8)
    net = SparsePositiveEncoderCV(
        "elasticnet", [0.5, 0.05], l1_ratio=0.0, positive=False, cv=KFold(3)
    ).fit(X, Y)
    assert len(decomposed) == 3
    ridge = ridge_cv([0.5 * 40, 0.05 * 40], cv=KFold(3)).fit(X, Y)
    assert_allclose(net.cv_results_["mean_test_r"], ridge.cv_results_["mean_test_r"], atol=1e-12)


@pytest.mark.parametrize("shape", [(60, 8), (40, 90)])
def test_single_precision(decomposed, shape):
    X, Y, _ = make_data(*shape, dtype=np.float32)
    encoder = ridge_cv(cv=KFold(3)).fit(X, Y)
    assert decomposed == [True] * 3
    assert encoder.coef_.dtype == np.float32
    double = ridge_cv(cv=KFold(3)).fit(X.astype(np.float64), Y.astype(np.float64))
    assert_allclose(
        encoder.cv_results_["mean_test_r"], double.cv_results_["mean_test_r"], atol=1e-5
    )


def test_kernel_of_all_samples_is_as_good_as_that_of_each_fold(monkeypatch):
    X, Y, _ = make_data(40, 90)
    X += 1000  # a mean that would drown products that are not centered first
    shared = ridge_cv(cv=KFold(4)).fit(X, Y).cv_results_["mean_test_r"]
    monkeypatch.setattr(_cross_validation, "shared_kernel", lambda problem, design: None)
    own = ridge_cv(cv=KFold(4)).fit(X, Y).cv_results_["mean_test_r"]
    assert_allclose(shared, own, atol=1e-9)


def test_ill_conditioned_folds_are_fitted_through_their_images(decomposed):
    X, Y, _ = make_data(60, 8)
    X[:, 1] = X[:, 0] + 1e-8 * X[:, 2]
    encoder = ridge_cv([1.0, 1e-13], cv=KFold(3)).fit(X, Y)
    assert decomposed == [False] * 3
    r, _ = loop(X, Y, list(KFold(3).split(X)), [1.0])
    assert_allclose(encoder.cv_results_["mean_test_r"][:1], r, atol=1e-9)


def test_ols_with_more_features_than_images_keeps_its_minimum_norm(decomposed):
    X, Y, _ = make_data(40, 90)
    encoder = SparsePositiveEncoderCV("ols", positive=False, cv=KFold(3)).fit(X, Y)
    assert decomposed == [True] * 3
    expected = [
        pearson_r(Y[test], LinearRegression().fit(X[train], Y[train]).predict(X[test]))
        for train, test in KFold(3).split(X)
    ]
    assert_allclose(encoder.cv_results_["mean_test_r"][0], np.mean(expected, axis=0), atol=1e-8)
    X[1] = X[0]  # no fit interpolates both
    SparsePositiveEncoderCV("ols", positive=False, cv=KFold(3)).fit(X, Y)
    assert decomposed[3:] == [True, False, False]


def test_sparse_features_are_fitted_as_before(decomposed):
    X, Y, _ = make_data(60, 8)
    X[np.abs(X) < 1] = 0
    of_sparse = ridge_cv(cv=KFold(3)).fit(sparse.csr_array(X), Y)
    assert decomposed == []
    of_dense = ridge_cv(cv=KFold(3)).fit(X, Y)
    names = ["mean_test_r", "mean_test_r2"]
    for name in names:
        assert_allclose(of_sparse.cv_results_[name], of_dense.cv_results_[name], atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"compute_theta": True}, {"select": "least_reorientation"}], ids=str
)
def test_theta_is_computed_where_it_is_asked_for(options):
    X, Y, _ = make_data(60, 8)
    asked = ridge_cv(cv=KFold(3), **options).fit(X, Y)
    assert np.isfinite(asked.cv_results_["mean_test_theta"]).all()
    assert np.isfinite(asked.cv_results_["mean_test_penalized_theta"]).all()
    fast = ridge_cv(cv=KFold(3)).fit(X, Y)
    for name in ("mean_test_r", "mean_test_r2", "se_test_r"):
        assert_allclose(asked.cv_results_[name], fast.cv_results_[name], atol=1e-9)


@pytest.mark.parametrize("select", ["best", "one_se", "fewest_units"])
@pytest.mark.parametrize("alpha_per_target", [False, True])
def test_rules_do_without_theta(select, alpha_per_target):
    X, Y, _ = make_data(60, 8)
    options = {"cv": KFold(3), "select": select, "alpha_per_target": alpha_per_target}
    fast = ridge_cv(8, **options).fit(X, Y)
    slow = ridge_cv(8, compute_theta=True, **options).fit(X, Y)
    assert_array_equal(fast.best_index_, slow.best_index_)


def test_a_validation_set_has_a_standard_error():
    X, Y, _ = make_data(60, 8)
    cv = PredefinedSplit(np.repeat([-1, 0], 30))
    fast, slow = (
        ridge_cv(cv=cv, refit="train", compute_theta=slow).fit(X, Y) for slow in (False, True)
    )
    assert_allclose(fast.cv_results_["se_test_r"], slow.cv_results_["se_test_r"], atol=1e-9)
    assert (fast.cv_results_["se_test_r"] > 0).all()
    assert_allclose(fast.coef_, slow.coef_, atol=1e-9)


def test_constant_targets_are_empty():
    X, Y, _ = make_data(60, 8)
    Y[:, 1] = 7.0
    with pytest.warns(UserWarning, match="1 of 4 targets were left empty"):
        encoder = ridge_cv(cv=KFold(3)).fit(X, Y)
    assert_array_equal(encoder.empty_targets_, [1])
    assert_array_equal(encoder.cv_results_["mean_test_r"][:, 1], 0)
    assert_array_equal(encoder.cv_results_["empty_fraction"][:, 1], 1)


def left_out_predictions(model, X, Y, weight=None):
    predicted = np.empty_like(Y)
    for i in range(len(X)):
        rest = np.delete(np.arange(len(X)), i)
        w = None if weight is None else weight[rest]
        predicted[i] = model.fit(X[rest], Y[rest], w).predict(X[[i]])[0]
    return predicted


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", [(30, 5), (20, 45)])
def test_leave_one_out_equals_a_loop(shape, fit_intercept, weighted):
    X, Y, weight = make_data(*shape)
    weight = weight if weighted else None
    encoder = ridge_cv(cv=LeaveOneOut(), fit_intercept=fit_intercept).fit(X, Y, weight)
    assert encoder.n_splits_ == len(X)
    for k, alpha in enumerate(ALPHAS):
        model = Ridge(alpha, fit_intercept=fit_intercept)
        predicted = left_out_predictions(model, X, Y, weight)
        r = pearson_r(Y, predicted, sample_weight=weight)
        assert_allclose(encoder.cv_results_["mean_test_r"][k], np.nan_to_num(r), atol=1e-12)
        r2 = r2_score(Y, predicted, multioutput="raw_values", sample_weight=weight)
        assert_allclose(encoder.cv_results_["mean_test_r2"][k], r2, atol=1e-12)
    assert (encoder.cv_results_["se_test_r"] > 0).all()


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(("penalty", "alpha"), [("ridge", 1e-4), ("ridge", 1e-10), ("ols", 1.0)])
def test_leave_one_out_of_fits_that_interpolate(penalty, alpha, fit_intercept):
    """Residuals and what leverages leave of one are both next to nothing; their ratio is not."""
    X, Y, _ = make_data(20, 45)
    model = SparsePositiveEncoder(penalty, alpha, positive=False, fit_intercept=fit_intercept)
    encoder = ridge_cv([np.inf, alpha], cv=LeaveOneOut(), fit_intercept=fit_intercept)
    r = encoder.set_params(penalty=penalty).fit(X, Y).cv_results_["mean_test_r"]
    expected = pearson_r(Y, left_out_predictions(model, X, Y))
    assert_allclose(r[-1], expected, atol=1e-12 if penalty == "ridge" else 1e-10)


def test_leave_one_out_of_ols_and_of_weights_zero():
    X, Y, _ = make_data(30, 5)
    encoder = SparsePositiveEncoderCV("ols", positive=False, cv=LeaveOneOut())
    r = pearson_r(Y, left_out_predictions(LinearRegression(), X, Y))
    assert_allclose(encoder.fit(X, Y).cv_results_["mean_test_r"][0], r, atol=1e-9)
    weight = np.repeat([1.0, 0.0], [20, 10])
    weighted = ridge_cv(cv=LeaveOneOut()).fit(X, Y, weight)
    few = ridge_cv(cv=LeaveOneOut()).fit(X[:20], Y[:20])
    assert_allclose(weighted.cv_results_["mean_test_r"], few.cv_results_["mean_test_r"], atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive": True}, "cv must not be LeaveOneOut.* has no r. Use cv=5"),
        ({"penalty": "lasso"}, "cv must not be LeaveOneOut"),
        ({"select": "least_reorientation"}, "several samples at a time for theta"),
        ({"compute_theta": True}, "several samples at a time for theta"),
        ({"refit": "train"}, 'refit must be "all"'),
    ],
)
def test_leave_one_out_is_refused_where_it_has_no_closed_form(change, message):
    X, Y, _ = make_data(30, 5)
    with pytest.raises(ValueError, match=message):
        ridge_cv(cv=LeaveOneOut()).set_params(**change).fit(X, Y)


def test_leave_one_out_keeps_no_groups_together():
    X, Y, _ = make_data(30, 5)
    with pytest.raises(ValueError, match="Use LeaveOneGroupOut"):
        ridge_cv(cv=LeaveOneOut()).fit(X, Y, groups=np.arange(30) // 3)


def test_leave_one_out_of_sparse_features():
    X, Y, _ = make_data(30, 5)
    X[np.abs(X) < 1] = 0
    of_sparse = ridge_cv(cv=LeaveOneOut()).fit(sparse.csr_array(X), Y).cv_results_
    of_dense = ridge_cv(cv=LeaveOneOut()).fit(X, Y).cv_results_
    assert_allclose(of_sparse["mean_test_r"], of_dense["mean_test_r"], atol=1e-12)


def test_leave_one_out_refuses_what_its_closed_form_loses():
    X, Y, _ = make_data(20, 45)
    X[1] = X[0]
    with pytest.raises(ValueError, match=r"alphas must be large enough for cv=LeaveOneOut\(\)"):
        ridge_cv([1.0, 1e-14], cv=LeaveOneOut()).fit(X, Y)
    with pytest.raises(ValueError, match=r"X must be far from collinear.* Use ridge, or cv=5"):
        SparsePositiveEncoderCV("ols", positive=False, cv=LeaveOneOut()).fit(X, Y)


def test_leave_one_out_where_samples_and_features_are_about_as_many():
    X, Y, _ = make_data(12, 11)
    encoder = SparsePositiveEncoderCV("ols", positive=False, cv=LeaveOneOut()).fit(X, Y)
    expected = pearson_r(Y, left_out_predictions(LinearRegression(), X, Y))
    assert_allclose(encoder.cv_results_["mean_test_r"][0], expected, atol=1e-9)


def test_leave_one_out_refuses_a_sample_that_alone_has_a_feature():
    """Its leverage is one: nothing is left of its residual, nor of one minus the leverage."""
    X, Y, _ = make_data(60, 5)
    X[:, 2] = 0
    X[7, 2] = 1
    with pytest.raises(ValueError, match="X must be far from collinear"):
        SparsePositiveEncoderCV("ols", positive=False, cv=LeaveOneOut()).fit(X, Y)
    with pytest.raises(ValueError, match="alphas must be large enough"):
        ridge_cv([1.0, 1e-8], cv=LeaveOneOut()).fit(X, Y)
    ridge_cv([1.0, 1e-2], cv=LeaveOneOut()).fit(X, Y)


@pytest.mark.filterwarnings("ignore:.*left empty:UserWarning")
def test_leave_one_out_of_constant_features_predicts_the_mean():
    _, Y, _ = make_data(20, 45)
    r = ridge_cv(cv=LeaveOneOut()).fit(np.ones((20, 45)), Y).cv_results_["mean_test_r"]
    assert_allclose(r, -1)


def test_folds_that_lie_far_apart_keep_their_digits():
    X, Y, _ = make_data(40, 90)
    X[20:] += 1e6
    cv = KFold(2)
    r, _ = loop(X, Y, list(cv.split(X)), ALPHAS)
    assert_allclose(ridge_cv(cv=cv).fit(X, Y).cv_results_["mean_test_r"], r, atol=1e-8)


@parametrize_with_checks([ridge_cv(3, cv=LeaveOneOut())])
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(60, 8), (40, 90)])
@pytest.mark.parametrize("l2", [1e-2, 1.0, 1e4])
def test_spectrum_bounds_the_violation_of_the_weights_that_it_gives(shape, l2, dtype):
    X, Y, _ = make_data(*shape, dtype=dtype)
    design = Design.prepare(X, sample_weight=None, center=True)
    spectrum = RidgeSpectrum.of(design)
    prepared, _, _ = design.targets(Y)
    z = spectrum.coordinates(prepared)
    coef = spectrum.weights(z / (spectrum.eigenvalues[:, np.newaxis] + l2))
    assert coef.dtype == dtype
    expected = solve(X.astype(np.float64), Y.astype(np.float64), "ridge", l2, positive=False).coef
    assert_allclose(coef, expected, atol=1e-9 if dtype == np.float64 else 1e-4)
    if dtype == np.float64:
        violation = certify(X, Y, coef, "ridge", l2, positive=False).kkt_violation
        bound = spectrum.violation(np.array([l2]))[0]
        assert violation.max() <= bound + 1e-15
        assert violation.max() < 1e-12
        assert bound < 1e-7


@pytest.mark.parametrize("shape", [(40, 100), (60, 8)])
def test_single_precision_meets_its_tolerance_beside_many_alphas(shape):
    """More alphas than have factors of their own: each target as if it were alone."""
    rng = np.random.default_rng(0)
    X = (rng.standard_normal(shape) * np.geomspace(1, 1e-4, shape[1])).astype(np.float32)
    Y = X @ rng.standard_normal((shape[1], 12)) + rng.standard_normal((shape[0], 12))
    Y = Y.astype(np.float32)
    alphas = np.geomspace(0.01, 100, 12)
    together = solve(X, Y, "ridge", alphas, positive=False)
    assert together.converged.all()
    for target in range(12):
        alone = solve(X, Y[:, [target]], "ridge", alphas[target], positive=False)
        size = np.abs(alone.coef).max()
        assert_allclose(together.coef[[target]], alone.coef, atol=1e-5 * size)
