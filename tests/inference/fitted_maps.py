"""Fitted maps from arrays, and their r and theta on repeated rows: what intervals are made of."""

import numpy as np
from scipy.stats import pearsonr
from sklearn.base import BaseEstimator, RegressorMixin

from skalign.inference import bootstrap_alignment
from skalign.metrics import tuning_reorientation

N_IMAGES, N_TARGETS = 16, 3
RANGES = np.array([[-1, 1], [0, 2]])  # of r and of theta
GROUPS = np.repeat([3, 1, 7, 2, 9], [2, 4, 3, 3, 4])


class FixedMap(RegressorMixin, BaseEstimator):
    """A fitted linear model of weights and predictions at hand."""

    def fit(self):
        """An estimator of scikit-learn has one."""

    def predict(self, X):
        return self.y_pred_


def fixed_map(weights, y_pred):
    fixed = FixedMap()
    fixed.coef_, fixed.y_pred_ = weights, np.asarray(y_pred)
    return fixed


def bootstrap_arrays(features, y_true, y_pred, weights, method="percentile", **options):
    model = fixed_map(weights, y_pred)
    return bootstrap_alignment(model, features, y_true, method=method, **options)


def make_arrays(seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((N_IMAGES, 5)) + 0.5
    weights = rng.standard_normal((N_TARGETS, 5)) * (rng.random((N_TARGETS, 5)) < 0.8)
    y_pred = features @ weights.T
    return features, y_pred + rng.standard_normal(y_pred.shape), y_pred, weights


def on_rows(rows, features, y_true, y_pred, weights, **options):
    """Values of r and theta on repeated rows: per target, then their means; (2, n_targets + 1)."""
    r = pearsonr(y_true[rows], y_pred[rows], axis=0).statistic
    theta = tuning_reorientation(features[rows], y_pred[rows], weights, **options)
    return np.stack([np.append(r, r.mean()), np.append(theta, theta.mean())])


def ends(found):
    """Low, high and standard error as (2, n_targets + 1) arrays."""
    return [
        np.stack(
            [
                np.append(getattr(targets, name), getattr(mean, name))
                for targets, mean in (
                    (found.target_r, found.r),
                    (found.target_theta, found.theta),
                )
            ]
        )
        for name in ("low", "high", "standard_error")
    ]
