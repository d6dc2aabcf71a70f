"""Encoders that are wrong in one respect each, and the check that must find it."""

import numpy as np

from skalign.linear_model import SparsePositiveEncoder


class Mutant(SparsePositiveEncoder):
    """A lasso whose fit is spoilt afterwards."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.spoil(X, y)
        return self

    def spoil(self, X, y):
        pass


class KeepsTwoDimensions(Mutant):
    def spoil(self, X, y):
        self.coef_ = np.atleast_2d(self.coef_)


class TransposesItsWeights(Mutant):
    def spoil(self, X, y):
        self.coef_ = self.coef_.T

    def predict(self, X):
        return X @ self.coef_ + self.intercept_


class DividesByTheScaleOfFeatures(Mutant):
    def spoil(self, X, y):
        with np.errstate(all="ignore"):
            self.coef_ = self.coef_ * (X.std(axis=0) / X.std(axis=0))


class ForgetsTheSign(Mutant):
    def fit(self, X, y, sample_weight=None):
        self.positive, declared = False, self.positive
        super().fit(X, y, sample_weight)
        self.positive = declared
        return self


class StopsEarly(Mutant):
    def spoil(self, X, y):
        self.coef_ = self.coef_ * (1 - 1e-4)


class ForgetsToDivideByTheNumberOfImages(Mutant):
    def fit(self, X, y, sample_weight=None):
        declared, self.alpha = self.alpha, self.alpha / len(X)
        super().fit(X, y, sample_weight)
        self.alpha = declared
        return self


class ForgetsTheMeansOfFeatures(Mutant):
    def spoil(self, X, y):
        self.intercept_ = y.mean(axis=0)


class InventsAnIntercept(Mutant):
    def spoil(self, X, y):
        self.intercept_ = y.mean(axis=0)


class PredictsWithoutIntercept(Mutant):
    def predict(self, X):
        return super().predict(X) - self.intercept_


class WeighsLateImagesMore(Mutant):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, 1.0 + np.arange(len(X)))


class PenalizesLateFeaturesMore(Mutant):
    def fit(self, X, y, sample_weight=None):
        factors = 1 / (1.0 + np.arange(X.shape[1]))
        super().fit(X * factors, y, sample_weight)
        self.coef_ = self.coef_ * factors
        return self


class SortsTargets(Mutant):
    def spoil(self, X, y):
        order = np.argsort(np.atleast_1d(self.intercept_))
        if y.ndim == 2:
            self.coef_, self.intercept_ = self.coef_[order], self.intercept_[order]


class ScalesByAllTargets(Mutant):
    def fit(self, X, y, sample_weight=None):
        scale = max(np.abs(y).max(), 1e-9)
        super().fit(X, y / scale, sample_weight)
        self.coef_, self.intercept_ = self.coef_ * scale, self.intercept_ * scale
        return self


class ForgetsToCenterTargets(Mutant):
    """On raw features, so that their means reach for that of the target."""

    def fit(self, X, y, sample_weight=None):
        self.fit_intercept = False
        super().fit(X, y, sample_weight)
        self.fit_intercept = True
        self.intercept_ = y.mean(axis=0) - self.coef_ @ X.mean(axis=0)
        return self


class FillsUnseenWeights(Mutant):
    def spoil(self, X, y):
        self.coef_ = self.coef_ + (np.ptp(X, axis=0) == 0)
        self.intercept_ = y.mean(axis=0) - self.coef_ @ X.mean(axis=0)


class IgnoresSampleWeight(Mutant):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


class SquaresSampleWeight(Mutant):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, None if sample_weight is None else sample_weight**2)


class TakesAlphaRelativeToTheTarget(Mutant):
    def fit(self, X, y, sample_weight=None):
        declared, self.alpha = self.alpha, self.alpha * (1 + np.abs(y).max())
        super().fit(X, y, sample_weight)
        self.alpha = declared
        return self


class RoundsInSinglePrecision(Mutant):
    def spoil(self, X, y):
        if X.dtype == np.float32:
            self.coef_ = np.round(self.coef_)


class HalvesThePenalty(Mutant):
    def fit(self, X, y, sample_weight=None):
        declared, self.alpha = self.alpha, self.alpha / 2
        super().fit(X, y, sample_weight)
        self.alpha = declared
        return self


class IsAlwaysEmpty(Mutant):
    def spoil(self, X, y):
        self.coef_ = 0 * self.coef_


class ScalesInPlace(Mutant):
    def spoil(self, X, y):
        X *= 2


class NormalizesSampleWeightInPlace(Mutant):
    def fit(self, X, y, sample_weight=None):
        if sample_weight is not None:
            sample_weight /= sample_weight.sum()
        return super().fit(X, y, sample_weight)


class ScalesInPlaceInPredict(Mutant):
    def predict(self, X):
        prediction = super().predict(X)
        X *= 2
        return prediction


MUTANTS = [
    ("check_shapes", KeepsTwoDimensions(), "with 1-D y, coef_ must have shape"),
    ("check_shapes", TransposesItsWeights(), r"shape \(n_targets, n_features\)"),
    ("check_weights_are_finite", DividesByTheScaleOfFeatures(), "coef_ must be finite"),
    ("check_weights_are_not_negative", ForgetsTheSign(), "no weight may be negative"),
    ("check_optimality", StopsEarly(), "KKT conditions are violated"),
    ("check_optimality", ForgetsTheSign(), "KKT conditions are violated"),
    ("check_optimality", ForgetsToDivideByTheNumberOfImages(), "KKT conditions are violated"),
    ("check_intercept", ForgetsTheMeansOfFeatures(alpha=0.01), "residuals of mean zero"),
    ("check_intercept", InventsAnIntercept(fit_intercept=False), "must be zero with fit_intercept"),
    ("check_prediction", PredictsWithoutIntercept(), r"X @ coef_.T \+ intercept_"),
    ("check_order_of_images", WeighsLateImagesMore(), "order of the images"),
    ("check_order_of_features", PenalizesLateFeaturesMore(), "permuted as the features are"),
    ("check_order_of_targets", SortsTargets(), "permuted as the targets are"),
    ("check_targets_alone", ScalesByAllTargets(), "must not depend on the other targets"),
    ("check_constant_target", ForgetsToCenterTargets(), "a constant target must get zero weights"),
    ("check_constant_feature", FillsUnseenWeights(), "for every image must get zero weights"),
    ("check_sample_weight_repeats_images", IgnoresSampleWeight(), "must equal repeated images"),
    ("check_sample_weight_repeats_images", SquaresSampleWeight(), "must equal repeated images"),
    ("check_scaling_law", TakesAlphaRelativeToTheTarget(), "must scale with the targets"),
    (
        "check_scaling_law",
        TakesAlphaRelativeToTheTarget("elasticnet"),
        "must scale with the targets",
    ),
    ("check_single_precision", RoundsInSinglePrecision(), "a fit in float32 must predict"),
    ("check_alpha_max", HalvesThePenalty(), "must all be zero from alpha_max"),
    ("check_alpha_max", HalvesThePenalty("elasticnet"), "must all be zero from alpha_max"),
    ("check_alpha_max", IsAlwaysEmpty(), "must not all be zero below alpha_max"),
    ("check_inputs_are_left_alone", ScalesInPlace(), "must not modify X"),
    ("check_inputs_are_left_alone", NormalizesSampleWeightInPlace(), "not modify sample_weight"),
    ("check_inputs_are_left_alone", ScalesInPlaceInPredict(), "must not modify X"),
]
