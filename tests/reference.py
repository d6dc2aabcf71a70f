"""The oracle: objective, optimality conditions and minimizer of one target, from the formulas.

Slow on purpose, dense, float64, and without a line in common with the package.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

PENALTIES = ["ols", "ridge", "lasso", "elasticnet"]
ENCODERS = list(product(PENALTIES, [True, False]))
ALPHA = {"ols": 0.0, "ridge": 2.0, "lasso": 0.1, "elasticnet": 0.1}
L1_RATIO = 0.6


@dataclass
class Problem:
    """One target y on features X, under one penalty."""

    X: np.ndarray
    y: np.ndarray
    penalty: str
    alpha: float
    l1_ratio: float = L1_RATIO
    positive: bool = True
    fit_intercept: bool = True
    sample_weight: np.ndarray | None = None

    def __post_init__(self):
        n_samples = self.X.shape[0]
        weight = np.ones(n_samples) if self.sample_weight is None else self.sample_weight
        self.weight, self.total = weight, weight.sum()
        center_X = weight @ self.X / self.total if self.fit_intercept else 0.0
        center_y = weight @ self.y / self.total if self.fit_intercept else 0.0
        self.A = np.sqrt(weight)[:, None] * (self.X - center_X)
        self.b = np.sqrt(weight) * (self.y - center_y)
        # 1/2 |b - Aw|^2 + l1 |w|_1 + l2/2 |w|^2 is the objective up to a factor.
        self.l1, self.l2 = {
            "ols": (0.0, 0.0),
            "ridge": (0.0, self.alpha),
            "lasso": (self.total * self.alpha, 0.0),
            "elasticnet": (
                self.total * self.alpha * self.l1_ratio,
                self.total * self.alpha * (1 - self.l1_ratio),
            ),
        }[self.penalty]

    def intercept(self, w):
        """The best intercept for weights w."""
        return self.weight @ (self.y - self.X @ w) / self.total if self.fit_intercept else 0.0

    def objective(self, w):
        """What scikit-learn's estimator of that name minimizes, from the raw data."""
        error = self.y - self.X @ w - self.intercept(w)
        loss = np.sum(self.weight * error**2)
        l1_norm, l2_norm = np.sum(np.abs(w)), np.sum(w**2)
        match self.penalty:
            case "ols":
                return loss / 2
            case "ridge":
                return loss + self.alpha * l2_norm
            case "lasso":
                return loss / (2 * self.total) + self.alpha * l1_norm
            case "elasticnet":
                penalty = self.l1_ratio * l1_norm + (1 - self.l1_ratio) / 2 * l2_norm
                return loss / (2 * self.total) + self.alpha * penalty

    def kkt_violation(self, w):
        """Largest violation of the optimality conditions, as a correlation: over |a_i| |b|."""
        gradient = self.A.T @ (self.b - self.A @ w) - self.l2 * w
        worst = 0.0
        norms = np.sqrt(np.sum(self.A**2, axis=0))
        for w_i, g_i, norm in zip(w, gradient, norms, strict=True):
            if w_i < 0 and self.positive:
                violation = np.inf
            elif w_i != 0:
                violation = abs(g_i - self.l1 * np.sign(w_i))
            elif self.positive:
                violation = max(g_i - self.l1, 0.0)
            else:
                violation = max(abs(g_i) - self.l1, 0.0)
            worst = max(worst, violation / norm)
        return worst / np.sqrt(np.sum(self.b**2))

    def minimize(self, tol=1e-13, max_sweeps=20_000):
        """Weights by cyclic coordinate descent on the residual."""
        w = np.zeros(self.X.shape[1])
        residual = self.b.copy()
        for _ in range(max_sweeps):
            for j, column in enumerate(self.A.T):
                curvature = column @ column + self.l2
                if curvature == 0:
                    continue
                pull = column @ residual + column @ column * w[j]
                shrunk = np.sign(pull) * max(abs(pull) - self.l1, 0.0) / curvature
                new = max(shrunk, 0.0) if self.positive else shrunk
                residual += column * (w[j] - new)
                w[j] = new
            if self.kkt_violation(w) <= tol:
                return w
        raise AssertionError(f"the reference did not converge in {max_sweeps} sweeps")


def problems(X, Y, *args, **kwargs):
    """One problem per target."""
    return [Problem(X, y, *args, **kwargs) for y in Y.T]
