"""Cross-validation with missing responses: every target as if alone, on its own images."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut, PredefinedSplit

from skalign import SparsePositiveEncoderCV

N_IMAGES, N_TARGETS = 60, 6


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_IMAGES, 5))
    weights = rng.uniform(-0.3, 1, (5, N_TARGETS))
    y = X @ weights + rng.standard_normal((N_IMAGES, N_TARGETS)) + 1
    y[rng.random(y.shape) < 0.2] = np.nan
    y[:, 3] = np.where(np.isnan(y[:, 4]), np.nan, y[:, 3])
    y[:, 5] = np.nan_to_num(y[:, 5])
    return X, y, rng.integers(0, 3, N_IMAGES)


def alone(encoder, X, y, target, fold, weight=None):
    """The encoder of a target on its own images."""
    kept = ~np.isnan(y[:, target])
    own = clone(encoder)
    if fold is not None:
        own.set_params(cv=PredefinedSplit(fold[kept]))
    return own.fit(X[kept], y[kept, target], None if weight is None else weight[kept])


def assert_is_alone(encoder, expected, target):
    assert_allclose(encoder.coef_[target], expected.coef_, atol=1e-9)
    assert_allclose(encoder.intercept_[target], expected.intercept_, atol=1e-9)
    assert_allclose(encoder.alpha_[target], expected.alpha_, rtol=1e-9)
    assert encoder.best_index_[target] == expected.best_index_[0]
    for name, table in encoder.cv_results_.items():
        if name != "param_l1_ratio":
            column = expected.cv_results_[name][:, 0]
            assert_allclose(table[:, target], column, atol=1e-8, rtol=1e-8, err_msg=name)


ENCODERS = {
    "lasso": {},
    "one_se": {"select": "one_se", "fit_intercept": False, "alphas": 4},
    "positive ridge": {"penalty": "ridge", "alphas": 4},
    "signed ridge": {"penalty": "ridge", "positive": False},
    "theta of a ridge": {"penalty": "ridge", "positive": False, "compute_theta": True, "alphas": 3},
    "two shares": {"penalty": "elasticnet", "l1_ratio": [0.3, 0.9], "alphas": 3},
    "least theta": {"select": "least_reorientation", "alphas": [0.01, 0.1, 0.3], "n_jobs": 2},
    "ols": {"penalty": "ols", "positive": False},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ENCODERS)
def test_every_target_is_chosen_for_as_if_alone(data, name, weighted):
    X, y, fold = data
    weight = np.random.default_rng(1).uniform(0.5, 2, N_IMAGES) if weighted else None
    encoder = SparsePositiveEncoderCV(**ENCODERS[name], cv=PredefinedSplit(fold), missing="mask")
    encoder.fit(X, y, weight)
    for target in range(N_TARGETS):
        assert_is_alone(encoder, alone(encoder, X, y, target, fold, weight), target)


@pytest.mark.parametrize("refit", ["all", "train"])
def test_validation_set(data, refit):
    X, y, fold = data
    fold = np.where(fold == 0, 0, -1)
    encoder = SparsePositiveEncoderCV(cv=PredefinedSplit(fold), refit=refit, missing="mask")
    encoder.fit(X, y)
    for target in range(N_TARGETS):
        assert_is_alone(encoder, alone(encoder, X, y, target, fold), target)


def test_leave_one_out_in_closed_form(data):
    X, y, _ = data
    encoder = SparsePositiveEncoderCV("ridge", positive=False, cv=LeaveOneOut(), missing="mask")
    encoder.fit(X, y)
    for target in range(N_TARGETS):
        assert_is_alone(encoder, alone(encoder, X, y, target, None), target)


def test_alphas_of_targets_keep_their_place(data):
    X, y, fold = data
    alphas = np.random.default_rng(2).uniform(0.01, 0.3, (3, N_TARGETS))
    encoder = SparsePositiveEncoderCV(alphas=alphas, cv=PredefinedSplit(fold), missing="mask")
    encoder.fit(X, y)
    for target in range(N_TARGETS):
        own = clone(encoder).set_params(alphas=alphas[:, target])
        assert_is_alone(encoder, alone(own, X, y, target, fold), target)


@pytest.mark.parametrize(("penalty", "positive"), [("lasso", True), ("ridge", False)])
def test_one_alpha_for_all_targets(data, penalty, positive):
    X, y, fold = data
    options = {"positive": positive, "cv": PredefinedSplit(fold), "missing": "mask"}
    encoder = SparsePositiveEncoderCV(penalty, 5, alpha_per_target=False, **options).fit(X, y)
    alphas = encoder.cv_results_["param_alpha"]
    assert_allclose(alphas, np.repeat(alphas[:, :1], N_TARGETS, axis=1))
    each = [
        alone(SparsePositiveEncoderCV(penalty, alphas[:, 0], **options), X, y, target, fold)
        for target in range(N_TARGETS)
    ]
    r = np.mean([one.cv_results_["mean_test_r"][:, 0] for one in each], axis=0)
    assert set(encoder.alpha_) == {alphas[r.argmax(), 0]}


def test_folds_without_images_of_a_target_are_none_of_its_folds(data):
    """Subjects with runs of their own: each is left out over its own runs only."""
    rng, (X, y, _) = np.random.default_rng(3), data
    y = X @ rng.uniform(0, 1, (5, N_TARGETS)) + rng.standard_normal(y.shape)
    runs = np.arange(N_IMAGES) // 10
    y[runs < 3, :3] = np.nan
    y[runs >= 3, 3:] = np.nan
    encoder = SparsePositiveEncoderCV(cv=LeaveOneGroupOut(), select="one_se", missing="mask")
    encoder.fit(X, y, groups=runs)
    for kept, targets in [(runs >= 3, slice(3)), (runs < 3, slice(3, 6))]:
        own = clone(encoder).fit(X[kept], y[kept, targets], groups=runs[kept])
        assert_allclose(encoder.coef_[targets], own.coef_, atol=1e-9)
        assert_allclose(
            encoder.cv_results_["se_test_r"][:, targets], own.cv_results_["se_test_r"], atol=1e-9
        )


def test_targets_on_too_few_images_are_left_empty(data):
    X, y, fold = data
    y[:, 1] = np.nan
    y[2:, 2] = np.nan
    encoder = SparsePositiveEncoderCV(cv=PredefinedSplit(fold), missing="mask")
    with pytest.warns(UserWarning, match="2 of 6 targets are observed on too few images"):
        encoder.fit(X, y)
    assert set(encoder.empty_targets_) >= {1, 2}
    assert not encoder.coef_[1:3].any()
    assert_array_equal(encoder.alpha_[1:3], np.inf)
    assert_allclose(encoder.intercept_[1:3], [0, np.mean(y[:2, 2])])
    assert np.isnan(encoder.cv_results_["mean_test_r"][:, 1:3]).all()
    with pytest.warns(UserWarning, match="too few images"):
        shared = SparsePositiveEncoderCV(
            alpha_per_target=False, cv=PredefinedSplit(fold), missing="mask"
        ).fit(X, y)
    assert len(set(shared.alpha_[[0, 3, 4, 5]])) == 1
    with pytest.raises(ValueError, match=r"cv must make a split in which some target has"):
        encoder.fit(X, np.where(np.arange(N_IMAGES)[:, None] < 1, y, np.nan))
    with pytest.raises(ValueError, match="y must have observed responses"):
        encoder.fit(X, np.full_like(y, np.nan))


def test_fixed_encoder_is_the_same_map(data):
    X, y, fold = data
    encoder = SparsePositiveEncoderCV(cv=PredefinedSplit(fold), missing="mask").fit(X, y)
    assert_allclose(encoder.fixed().fit(X, y).coef_, encoder.coef_, atol=1e-10)


def test_default_refuses_with_numbers_and_remedy(data):
    X, y, _ = data
    with pytest.raises(ValueError, match=r'NaN in 5 of 6 targets.*Use missing="mask"'):
        SparsePositiveEncoderCV().fit(X, y)
    with pytest.raises(ValueError, match='missing must be "error" or "mask"'):
        SparsePositiveEncoderCV(missing="impute").fit(X, y)
    y[3, 5] = np.inf
    with pytest.raises(ValueError, match=r"infinity .* first in target 5"):
        SparsePositiveEncoderCV(missing="mask").fit(X, y)


def test_without_missing_responses_nothing_changes(data):
    X, y, fold = data
    y = np.nan_to_num(y)
    encoder = SparsePositiveEncoderCV(cv=PredefinedSplit(fold), missing="mask").fit(X, y)
    expected = SparsePositiveEncoderCV(cv=PredefinedSplit(fold)).fit(X, y)
    assert_array_equal(encoder.coef_, expected.coef_)


@pytest.mark.filterwarnings("ignore:. of . targets were left empty")
def test_targets_whose_spread_drowns_keep_their_number(data):
    X, y, fold = data
    y[:, 4] += 1e13
    with pytest.warns(UserWarning, match=r"1 of 6 targets have a mean .*\(targets? .?4"):
        SparsePositiveEncoderCV(cv=PredefinedSplit(fold), missing="mask").fit(X, y)


def test_constant_targets_are_told_as_such_wherever_responses_are_missing(data):
    X, y, fold = data
    y[:, 3] = np.where(np.isnan(y[:, 3]), np.nan, 2.0)
    y[0, 3] = np.nan
    encoder = SparsePositiveEncoderCV(cv=PredefinedSplit(fold), missing="mask")
    with pytest.warns(UserWarning, match="left empty: they are constant"):
        encoder.fit(X, y[:, 3:4])
