"""A cross-validation as a plain loop of fits: what SparsePositiveEncoderCV is compared with."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

from skalign import SparsePositiveEncoder
from skalign.metrics import alignment


class FoldTables(NamedTuple):
    r: np.ndarray
    r2: np.ndarray
    theta: np.ndarray
    n_active: np.ndarray
    theta_observed: np.ndarray
    n_effective: np.ndarray
    theta_floor: np.ndarray


OF_DEFINED = ["theta", "theta_observed", "n_effective", "theta_floor"]
SCORES = ["mean_test_r", "se_test_r", "mean_test_penalized_theta", "mean_test_n_active"]
TABLES = [*SCORES, "mean_test_r2", "empty_fraction", *(f"mean_test_{name}" for name in OF_DEFINED)]


def fit_quietly(encoder, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 of 5 targets were left empty")
        return encoder.fit(*args, **kwargs)


def loop(encoder, X, Y, splits, alphas, weight=None, l1_ratio=0.5):
    """Scores of every fit (n_splits, n_alphas, n_targets); undefined is NaN."""
    found = []
    for train, test in splits:
        for alpha in alphas:
            fitted = SparsePositiveEncoder(
                encoder.penalty,
                alpha,
                l1_ratio=l1_ratio,
                positive=encoder.positive,
                fit_intercept=encoder.fit_intercept,
            ).fit(X[train], Y[train], None if weight is None else weight[train])
            of_test = None if weight is None else weight[test]
            one = alignment(fitted, X[test], Y[test], sample_weight=of_test, center=encoder.center)
            r2 = r2_score(
                Y[test],
                fitted.predict(X[test]),
                sample_weight=of_test,
                multioutput="raw_values",
            )
            r2[np.ptp(Y[test], axis=0) == 0] = np.nan
            others = [one.theta_observed, one.n_effective, one.theta_floor]
            found.append([one.r, r2, one.theta, one.n_active, *others])
    found = np.array(found).reshape(len(splits), len(alphas), 7, -1)
    return FoldTables(*found.transpose(2, 0, 1, 3))


def assert_is_loop(encoder, found):
    results, n_folds = encoder.cv_results_, len(found.r)
    r, r2 = np.nan_to_num(found.r), np.nan_to_num(found.r2)
    assert_allclose(results["mean_test_r"], r.mean(axis=0), atol=1e-9)
    assert_allclose(results["se_test_r"], r.std(axis=0, ddof=1) / np.sqrt(n_folds), atol=1e-7)
    assert_allclose(results["mean_test_r2"], r2.mean(axis=0), atol=1e-8, rtol=1e-6)
    assert_allclose(results["mean_test_n_active"], found.n_active.mean(axis=0))
    assert_allclose(results["empty_fraction"], (found.n_active == 0).mean(axis=0))
    penalized = np.nan_to_num(found.theta, nan=2.0).mean(axis=0)
    assert_allclose(results["mean_test_penalized_theta"], penalized, atol=1e-8)
    for name in OF_DEFINED:
        values = getattr(found, name)
        with np.errstate(invalid="ignore"):
            mean = np.nansum(values, axis=0) / (~np.isnan(values)).sum(axis=0)
        assert_allclose(results[f"mean_test_{name}"], mean, atol=1e-8, rtol=1e-6, err_msg=name)
