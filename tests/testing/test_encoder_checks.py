"""Every check of an encoder catches the mutant that it is there for, and passes what is right."""

import hypothesis
import numpy as np
import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, LinearRegression, Ridge, RidgeCV

from skalign.linear_model import SparsePositiveEncoder
from skalign.testing import check_encoder, encoder_checks, parametrize_with_encoder_checks
from skalign.testing._property_check import SETTINGS
from tests.reference import ENCODERS
from tests.testing.encoder_mutants import (
    MUTANTS,
    Mutant,
    NormalizesSampleWeightInPlace,
    ScalesInPlace,
    StopsEarly,
)

quick = hypothesis.settings(SETTINGS, phases=[Phase.generate])  # mutants need no smallest example
few = hypothesis.settings(quick, max_examples=5)


@parametrize_with_encoder_checks(
    *[SparsePositiveEncoder(penalty, positive=positive) for penalty, positive in ENCODERS],
    tol=1e-7,
    settings=few,
)
def test_skaligns_own_encoders(check):
    check()


def named(name, estimator, **options):
    [check] = [check for check in encoder_checks(estimator, **options) if check.name == name]
    return check


@pytest.mark.parametrize(("name", "mutant", "message"), MUTANTS)
def test_check_catches_its_mutant(name, mutant, message):
    with pytest.raises(AssertionError, match=message):
        named(name, mutant, settings=quick)()


def test_every_check_has_a_mutant():
    assert {name for name, *_ in MUTANTS} == {c.name for c in encoder_checks(Mutant())}


@pytest.mark.parametrize("mutant", [ScalesInPlace(), NormalizesSampleWeightInPlace()])
def test_writing_to_the_inputs_fails_that_check_only(mutant):
    for check in encoder_checks(mutant, settings=hypothesis.settings(few, max_examples=3)):
        if check.name != "check_inputs_are_left_alone":
            check()


class TestWhatIsDeclared:
    OBJECTIVE = frozenset({"check_optimality", "check_intercept", "check_scaling_law"})

    def names(self, estimator, **options):
        return {check.name for check in encoder_checks(estimator, **options)}

    def test_decides_which_checks_there_are(self):
        every = self.names(Mutant())
        of_lasso_and_positive = {"check_alpha_max", "check_weights_are_not_negative"}
        assert self.names(Ridge(), penalty="ridge") == every - of_lasso_and_positive
        assert "check_weights_are_not_negative" in self.names(Ridge(positive=True))
        assert not self.OBJECTIVE & self.names(Ridge())
        assert "check_alpha_max" in self.names(Lasso(), penalty="lasso")
        assert "check_alpha_max" not in self.names(Mutant("elasticnet", l1_ratio=0.0))

    def test_is_not_guessed_from_a_penalty_of_another_meaning(self):
        class Other(Ridge):
            def __init__(self, alpha=1.0, penalty="l2"):
                super().__init__(alpha)
                self.penalty = penalty

        assert not self.OBJECTIVE & self.names(Other())
        assert self.names(Other(), penalty="ridge") > self.OBJECTIVE

    def test_is_no_objective_if_alpha_is_chosen_in_the_fit(self):
        class ChoosesAlpha(Ridge):
            def __init__(self, penalty="ridge"):
                super().__init__()
                self.penalty = penalty

        assert not self.OBJECTIVE & self.names(ChoosesAlpha())

    def test_holds_of_a_penalty_in_another_scale(self):
        """A ridge is not the ridge share of an elastic net."""
        check = named("check_optimality", Ridge(), penalty="lasso", settings=quick)
        with pytest.raises(AssertionError, match="'penalty': 'lasso'"):
            check()

    def test_tolerance(self):
        named("check_optimality", StopsEarly(), tol=1e-3, settings=quick)()

    def test_fewest_images(self):
        class NeedsFour(Ridge):
            def fit(self, X, y, sample_weight=None):
                rows = len(X) if sample_weight is None else np.count_nonzero(sample_weight)
                assert rows >= 4, "too few"
                return super().fit(X, y, sample_weight)

        check_encoder(NeedsFour(), penalty="ridge", min_images=4, settings=few)
        with pytest.raises(AssertionError, match="too few"):
            check_encoder(NeedsFour(), penalty="ridge", settings=quick)


exact_lasso = Lasso(alpha=0.1, positive=True, tol=1e-13, max_iter=100_000)


@pytest.mark.parametrize(
    "check",
    [
        check
        for check in encoder_checks(exact_lasso, penalty="lasso", settings=few)
        if check.name != "check_single_precision"  # which cannot reach that tolerance
    ],
    ids=str,
)
def test_scikit_learns_lasso_is_one(check):
    check()


def test_encoder_without_declared_objective():
    check_encoder(Ridge(), settings=few)


def test_targets_that_share_a_penalty_are_found_out():
    shared = RidgeCV(alphas=[0.1, 10.0])
    with pytest.raises(AssertionError, match="must not depend on the other targets"):
        named("check_targets_alone", shared, min_images=3, settings=quick)()


class TestDrawnEstimators:
    def test_all_settings_are_checked(self):
        alphas = st.sampled_from([0.01, 0.1])
        positive = st.builds(Mutant, alpha=alphas, positive=st.booleans())
        check_encoder(positive, settings=hypothesis.settings(few, max_examples=3))

        class OnlyWrongIfStrong(Mutant):
            def spoil(self, X, y):
                if self.alpha == 0.1:
                    self.coef_ = self.coef_ + 1

        with pytest.raises(AssertionError, match=r"'alpha': 0\.1,"):
            named("check_optimality", st.builds(OnlyWrongIfStrong, alpha=alphas), settings=quick)()

    def test_checks_that_do_not_apply_hold(self):
        named("check_alpha_max", st.just(Ridge()), penalty="ridge", settings=few)()


@pytest.mark.parametrize(
    ("estimator", "options", "error", "message"),
    [
        (Ridge, {}, TypeError, "estimator must be an instance of a scikit-learn estimator"),
        ("lasso", {}, TypeError, "estimator must be an instance .* got 'lasso'"),
        (Ridge(), {"penalty": "l2"}, ValueError, "penalty must be one of ols, ridge, .* got 'l2'"),
        (Mutant(alpha=[0.1, 1.0]), {}, ValueError, r"a number as its parameter alpha .* 'lasso'"),
        (LinearRegression(), {"penalty": "lasso"}, ValueError, "got alpha=None"),
        (Ridge(), {"tol": 0}, ValueError, "tol must be a positive number; got 0"),
        (Ridge(), {"min_images": 0}, ValueError, "min_images must be a positive integer; got 0"),
        (Ridge(), {"settings": "ci"}, TypeError, "settings must be a hypothesis.settings"),
    ],
)
@pytest.mark.parametrize(
    "function", [encoder_checks, check_encoder, parametrize_with_encoder_checks]
)
def test_errors_name_the_argument(function, estimator, options, error, message):
    with pytest.raises(error, match=message):
        function(estimator, **options)
