"""Random problems of every kind; each fit's certificate is held against extended precision.

    python benchmarks/fuzz.py [n_fits] [seed]

Draws shapes, dtypes, formats, scales from 1e-160 to 1e160, penalties, weights and signs. A fit is
wrong if it is not finite, if the violation of the optimality conditions, from the residual in
extended precision, is beyond both the tolerance and what is reported, or if weights exist whose
objective lies below the fit's by more than the reported duality gap. Exits 1 if any fit is wrong.
"""

import sys
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import numpy as np
from scipy import sparse

from skalign.solvers import Moments, Solution, penalty_strengths, solve, solve_moments

TOL = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-7}
SLACK = 3  # a true violation may be this many times what is reported, or the tolerance
RANGE = {np.dtype(np.float32): 12, np.dtype(np.float64): 160}  # decades


@dataclass
class Case:
    """One problem."""

    X: np.ndarray
    Y: np.ndarray
    sparse: bool
    route: str
    penalty: str
    alpha: np.ndarray
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> Any:
        """Features as they are given to the solver."""
        return sparse.csr_array(self.X) if self.sparse else self.X

    def solve(self) -> Solution:
        """Fit by the route of this case."""
        if self.route == "moments":
            options = dict(self.options)
            given = {name: options.pop(name) for name in ("sample_weight", "fit_intercept")}
            moments = Moments.of(self.features, self.Y, **given)
            return solve_moments(moments, self.penalty, self.alpha, **options)
        limits = {"GRAM_FEATURES": 0, "GRAM_BYTES": 0}
        through_columns = mock.patch.multiple("skalign.solvers._blocks", **limits)
        with through_columns if self.route == "columns" else nullcontext():
            return solve(self.features, self.Y, self.penalty, self.alpha, **self.options)

    def in_double_precision(self) -> "Case":
        """The same problem in float64."""
        return replace(self, X=self.X.astype(float), Y=self.Y.astype(float))


def draw_features(rng: np.random.Generator) -> np.ndarray:
    """Features of unit scale, from plain to degenerate."""
    n = int(rng.integers(1, 60 if rng.random() < 0.9 else 1000))
    p = int(rng.integers(1, min(100, 2 * n + 10 if rng.random() < 0.3 else max(2, n))))
    X = rng.standard_normal((n, p))
    for change in rng.choice(8, rng.integers(0, 3), replace=False):
        some = rng.random(p) < 0.4
        match change:
            case 0:  # rectified
                X = np.maximum(X, 0)
            case 1:  # mostly zero
                X = X * (rng.random((n, p)) < 0.3)
            case 2:  # copies
                X[:, some] = X[:, rng.integers(0, p, some.sum())]
            case 3:  # nearly copies
                near = X[:, rng.integers(0, p, some.sum())]
                X[:, some] = near + 10.0 ** rng.integers(-9, -1) * X[:, some]
            case 4:  # constant
                X[:, some] = rng.choice([0.0, 1.0, 9.9])
            case 5:  # far from zero
                X = X + 10.0 ** rng.integers(0, 4)
            case 6:  # low rank
                X = X[:, :2] @ rng.standard_normal((min(2, p), p))
            case 7:  # small integers
                X = np.round(X)
    return X


def draw(rng: np.random.Generator) -> Case:
    """A random problem."""
    dtype = np.dtype(rng.choice(["f4", "f8"]))
    X = draw_features(rng)
    (n, p), n_targets = X.shape, int(rng.integers(1, 5))
    weights = rng.standard_normal((p, n_targets)) * (rng.random((p, n_targets)) < 0.5)
    Y = X @ weights + rng.choice([0.0, 1e-3, 1.0]) * rng.standard_normal((n, n_targets))
    if rng.random() < 0.1:
        Y[:, 0] = rng.choice([0.0, 3.3])
    decades = RANGE[dtype]
    if rng.random() < 0.3:  # each feature in its own unit
        X = X * 10.0 ** rng.uniform(-3, 3, p)
    if rng.random() < 0.3:  # all in one, however small or large
        X = X * 10.0 ** rng.uniform(-decades, decades)
    if rng.random() < 0.3:
        Y = Y * 10.0 ** rng.uniform(-decades, decades, n_targets if rng.random() < 0.5 else 1)
    X, Y = X.astype(dtype), Y.astype(dtype)
    weight = rng.random(n) * (rng.random(n) < 0.8) + 1e-2 if rng.random() < 0.3 else None
    options = {
        "positive": bool(rng.integers(2)),
        "fit_intercept": bool(rng.integers(2)),
        "sample_weight": weight,
        "l1_ratio": float(rng.choice([0.0, 0.1, 0.5, 1.0])),
    }
    penalty = str(rng.choice(["ols", "ridge", "lasso", "elasticnet"]))
    truth = Extended(X, Y, options)
    strength = 10.0 ** rng.uniform(-6, 0.2)
    with np.errstate(under="ignore", over="ignore"):
        if penalty == "lasso":
            alpha = strength * (truth.norms.max() * truth.sizes / truth.total)
        else:
            unit = 1 if penalty == "ridge" else truth.total
            alpha = np.full(n_targets, strength * truth.norms.max() ** 2 / unit)
        alpha = np.where(np.isfinite(alpha.astype(float)), alpha.astype(float), 0.0)
    route = str(rng.choice(["gram", "columns", "moments"], p=[0.5, 0.3, 0.2]))
    return Case(X, Y, bool(rng.integers(2)), route, penalty, alpha, options)


class Extended:
    """A problem in extended precision: centered, weighted data and what follows from weights."""

    def __init__(self, X: np.ndarray, Y: np.ndarray, options: dict[str, Any]) -> None:
        weight = options["sample_weight"]
        self.root = (
            np.ones(len(X), np.longdouble)
            if weight is None
            else np.sqrt(np.asarray(weight, np.longdouble))
        )
        self.total = (self.root**2).sum()
        self.positive = options["positive"]
        self.X, self.norms = self._prepare(X, options["fit_intercept"])
        self.Y, self.sizes = self._prepare(Y, options["fit_intercept"])

    def _prepare(self, A: np.ndarray, center: bool) -> tuple[np.ndarray, np.ndarray]:
        exact = A.astype(np.longdouble)
        largest = np.abs(exact).max(axis=0)
        if center:
            exact = exact - self.root**2 @ exact / self.total
        exact = exact * self.root[:, None]
        norms = np.sqrt((exact**2).sum(axis=0))
        # What rounding leaves of a constant is no feature.
        zero = norms <= 8 * np.finfo(A.dtype).eps * largest * np.sqrt(self.total) * center
        exact[:, zero], norms[zero] = 0, 0
        return exact, norms

    def judge(self, coef: np.ndarray, l1: np.ndarray, l2: np.ndarray) -> tuple[np.ndarray, ...]:
        """Violation, objective (in the scale of the sum of squares) and gradient of weights."""
        w = coef.astype(np.longdouble)
        residual = self.Y - self.X @ w.T
        g = (self.X.T @ residual).T - l2[:, None] * w
        excess = (g if self.positive else np.abs(g)) - l1[:, None]
        off = np.where(w != 0, np.abs(g - l1[:, None] * np.sign(w)), np.maximum(excess, 0))
        scale = self.sizes[:, None] * self.norms
        off = np.divide(off, scale, out=np.zeros_like(off), where=scale > 0)
        objective = (residual**2).sum(axis=0) / 2 + l1 * np.abs(w).sum(axis=1)
        return off.max(axis=1, initial=0), objective + l2 * (w**2).sum(axis=1) / 2, g

    def better(self, coef: np.ndarray, l1: np.ndarray, l2: np.ndarray) -> np.ndarray:
        """Objective of the best weights that a few Newton steps on the support find."""
        w = coef.astype(np.longdouble)
        _, best, g = self.judge(w, l1, l2)
        for _ in range(3):
            step = np.zeros_like(w)
            for target, active in enumerate(w != 0):
                unit = np.where(self.norms[active] > 0, self.norms[active], 1)
                A = (self.X[:, active] / unit).astype(np.float64)
                H = A.T @ A + np.diag((l2[target] / unit**2).astype(np.float64))
                right = g[target, active] - l1[target] * np.sign(w[target, active])
                size = np.abs(right / unit).max(initial=0)
                if size > 0:
                    right = (right / unit / size).astype(np.float64)
                    found = np.linalg.lstsq(H, right, rcond=1e-14)[0]
                    step[target, active] = size * found / unit
            shorter = np.where((w + step) * w < 0, -w / np.where(step == 0, 1, step), 1)
            trial = w + np.minimum(shorter.min(axis=1, initial=1), 1)[:, None] * step
            _, objective, g_trial = self.judge(trial, l1, l2)
            lower = objective < best
            w, g = np.where(lower[:, None], trial, w), np.where(lower[:, None], g_trial, g)
            best = np.minimum(best, objective)
        return best


def strengths_of(case: Case, total: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The two penalties of a case in the scale of the sum of squares, and the objective's unit."""
    strengths = penalty_strengths(
        case.penalty, case.alpha, case.options["l1_ratio"], n_targets=case.Y.shape[1],
        total_weight=total,
    )  # fmt: skip
    return strengths.l1.astype(np.longdouble), strengths.l2.astype(np.longdouble), strengths.unit


@dataclass
class Report:
    """What was found."""

    fits: int = 0
    converged: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


def check(case: Case, report: Report, name: str) -> None:
    """Fit a case and hold its certificates against extended precision."""
    report.fits += case.Y.shape[1]
    try:
        solution = case.solve()
    except ValueError as error:
        if "scale" not in str(error).lower():
            raise
        report.refused += case.Y.shape[1]
        return
    truth = Extended(case.X, case.Y, case.options)
    l1, l2, unit = strengths_of(case, float(truth.total))
    violation, objective, _ = truth.judge(solution.coef, l1, l2)
    tol = TOL[case.X.dtype]
    bound = SLACK * np.maximum(solution.kkt_violation, np.where(solution.converged, tol, 0))
    best = truth.better(solution.coef, l1, l2)
    if case.X.dtype == np.float32:
        double = case.in_double_precision().solve()
        best = np.minimum(best, truth.better(double.coef, l1, l2))
    left = unit * (objective - best)
    report.converged += int(solution.converged.sum())
    for target in range(case.Y.shape[1]):
        what = ""
        if not (np.isfinite(solution.coef[target]).all() and np.isfinite(violation[target])):
            what = "not finite"
        elif violation[target] > max(bound[target], 1e2 * np.finfo(case.X.dtype).eps):
            what = (
                f"violation {violation[target]:.1e}, reported {solution.kkt_violation[target]:.1e}"
            )
        elif solution.dual_gap[target] < left[target] - 1e-17 * unit * objective[target]:
            what = f"gap {left[target]:.3e}, reported {solution.dual_gap[target]:.3e}"
        if what:
            report.wrong.append(f"{name}, target {target}: {what} ({describe(case)})")


def describe(case: Case) -> str:
    """A case in a line."""
    given = {key: value for key, value in case.options.items() if key != "sample_weight"}
    weighted = case.options["sample_weight"] is not None
    return (
        f"{case.X.shape} {case.X.dtype} {case.route} sparse={case.sparse} {case.penalty} "
        f"alpha={case.alpha} weighted={weighted} {given}"
    )


def run(n_fits: int, seed: int = 0) -> Report:
    """Check cases until so many targets are fitted."""
    report, number = Report(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what overflows is judged, or refused
        while report.fits < n_fits:
            check(draw(np.random.default_rng([seed, number])), report, f"case {number}")
            number += 1
    return report


def main() -> bool:
    """Print what was found; whether no fit was wrong."""
    arguments = [int(argument) for argument in sys.argv[1:]]
    report = run(*(arguments or [6000]))
    for line in report.wrong:
        print(line)
    print(
        f"{report.fits} fits: {len(report.wrong)} wrong, {report.converged} converged, "
        f"{report.refused} refused for their scale"
    )
    return not report.wrong


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
