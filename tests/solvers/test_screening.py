"""What is dismissed in single precision is within its bounds; wide fits are the same by any way."""

import numpy as np
import pytest
from scipy import sparse

from skalign.solvers import _blocks, _screening, _working_set, certify, solve, solve_path
from skalign.solvers._design import Design
from skalign.solvers._screening import Screen

N_SAMPLES, N_FEATURES = 90, 1500


def features(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES)) + rng.standard_normal((N_SAMPLES, 1))
    X[:, [3, 700]] = 2.5  # constant
    if kind == "scales":
        X *= np.logspace(-40, 40, N_FEATURES)
    if kind == "small":
        X *= 1e-100
    if kind == "float32":
        return X.astype(np.float32)
    if kind == "sparse":
        X[:, [3, 700]] = 0
        return sparse.csr_array(X * (rng.random(X.shape) < 0.2))
    return np.asfortranarray(X) if kind == "Fortran" else X


KINDS = ["C", "Fortran", "scales", "small", "float32", "sparse"]


@pytest.mark.parametrize("kind", KINDS)
def test_correlations_are_as_exact_as_they_say(monkeypatch, kind):
    monkeypatch.setattr(_screening, "TILE", 100 * N_SAMPLES + 1)
    design = Design.prepare(features(kind), sample_weight=None, center=True)
    rng = np.random.default_rng(1)
    residuals = 1e-30 * rng.standard_normal((N_SAMPLES, 5)).astype(design.dtype)
    residuals[:, 3] = 0
    residuals[:, 4] = design.columns(np.array([20]))[:, 0]
    screen, rows = Screen(design), np.array([0, 2, 3, 5, 6])
    found = np.full((8, N_FEATURES), np.nan, np.float32)
    screen.correlate(residuals, found, rows)
    assert np.isnan(np.delete(found, rows, axis=0)).all()

    columns = design.columns(np.arange(N_FEATURES)).astype(np.longdouble)
    sizes = np.linalg.norm(columns, axis=0)[:, None] * np.linalg.norm(
        residuals.astype(np.longdouble), axis=0
    )
    true = np.divide(
        columns.T @ residuals.astype(np.longdouble),
        sizes,
        out=np.zeros_like(sizes),
        where=sizes > 0,
    )
    assert np.abs(found[rows] - true.T).max() <= screen.error
    assert abs(found[6, 20] - 1) < 1e-5


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_no_gradient_out_of_bounds_is_dismissed(kind, positive):
    """After a residual has moved, with bounds so that gradients lie closely on both sides."""
    design = Design.prepare(features(kind), sample_weight=None, center=True)
    rng = np.random.default_rng(2)
    before = rng.standard_normal((N_SAMPLES, 1)).astype(design.dtype)
    after = before + 1e-3 * rng.standard_normal((N_SAMPLES, 1)).astype(design.dtype)
    screen, correlations = Screen(design), np.empty((1, N_FEATURES), np.float32)
    screen.correlate(before, correlations, np.array([0]))
    length, moved = np.linalg.norm(before), float(np.linalg.norm(after - before))
    gradient = design.cross(after)[0].astype(np.float64)
    reached = gradient if positive else np.abs(gradient)
    for l1 in [0.0, *np.quantile(np.abs(reached), [0.1, 0.5, 0.9, 0.999])]:
        margin = screen.error * length + moved
        survives = screen.survivors(correlations[0], l1, length, margin, positive=positive)
        assert not (reached > l1)[~survives].any()
        assert not survives[[3, 700]].any()
        if kind in ("C", "Fortran", "float32") and l1 > 0:  # nor is much kept for nothing
            assert (reached[survives] > l1 - 2 * margin * design.norms[survives]).all()


def test_numbers_beyond_single_precision_are_not_dismissed():
    design = Design.prepare(features("C"), sample_weight=None, center=True)
    survives = Screen(design).survivors(
        np.zeros(N_FEATURES, np.float32), 1.0, 1e-60, 1.0, positive=True
    )
    assert survives.sum() == N_FEATURES - 2


@pytest.fixture
def no_gram(monkeypatch):
    monkeypatch.setattr(_blocks, "GRAM_FEATURES", 0)
    monkeypatch.setattr(_blocks, "GRAM_BYTES", 0)


@pytest.mark.usefixtures("no_gram")
@pytest.mark.parametrize("few", [0, 1])
@pytest.mark.parametrize("kind", ["C", "Fortran", "sparse"])
def test_products_of_all_features_and_of_few_lead_to_the_same(monkeypatch, kind, few):
    X = features(kind)
    dense = X.toarray() if sparse.issparse(X) else X
    Y = dense[:, :4] + np.random.default_rng(3).standard_normal((N_SAMPLES, 4))
    usual = solve(X, Y, "lasso", 0.05)
    monkeypatch.setattr(_working_set, "FEW", few)
    monkeypatch.setattr(_working_set, "GRAM_BYTES", 0)
    found = solve(X, Y, "lasso", 0.05)
    np.testing.assert_allclose(found.coef, usual.coef, atol=1e-12)
    assert certify(dense, Y, found.coef, "lasso", 0.05).kkt_violation.max() < 1e-13


@pytest.mark.usefixtures("no_gram")
@pytest.mark.parametrize("penalty", ["lasso", "elasticnet"])
@pytest.mark.parametrize("positive", [True, False])
def test_a_path_keeps_what_was_tried(penalty, positive):
    """Also across empty targets, and back to larger alphas, which a path sorts to the front."""
    X, rng = features("C"), np.random.default_rng(4)
    Y = X[:, :4] - 2 * X[:, 5:9] + rng.standard_normal((N_SAMPLES, 4))
    alphas = np.array([np.full(4, np.inf), np.full(4, 0.5), np.full(4, 0.1), np.full(4, 0.02)])
    alphas[1, 2] = np.inf
    path = solve_path(X, Y, penalty, alphas, positive=positive)
    for k, of_step in enumerate(path.alphas):
        alone = solve(X, Y, penalty, of_step, positive=positive)
        np.testing.assert_allclose(path.coef[k], alone.coef, atol=1e-11)
        judged = certify(X, Y, path.coef[k], penalty, of_step, positive=positive)
        assert judged.kkt_violation.max() < 1e-13
        assert (path.dual_gap[k] >= 0).all()
        np.testing.assert_allclose(path.dual_gap[k], alone.dual_gap, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_interpolated_targets_try_no_features_for_rounding_errors(monkeypatch, dtype):
    """With a residual of rounding, half of all features correlate."""
    largest, fit = [], _working_set.WorkingSets._fit

    def spy(self, target, penalty):
        largest.append(self._tried[target].size)
        return fit(self, target, penalty)

    monkeypatch.setattr(_working_set.WorkingSets, "_fit", spy)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3000)).astype(dtype)
    y = rng.standard_normal((40, 1)).astype(dtype)
    assert solve(X, y, "ols").converged.all()
    assert max(largest) <= 4 * len(X)
