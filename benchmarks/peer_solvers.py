"""How each peer is asked for the weights of one penalty: centered data, no intercept.

A peer is used as its documentation says, at the loosest tolerance at which the KKT violation of its
weights, measured from the residual by :func:`skalign.solvers.certify` for all alike, is at most
`ACCURACY`. Those that solve one target a call are timed on a few targets, in one thread, and given
two processes that share the work perfectly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from threadpoolctl import threadpool_limits
from timing import Contender

from skalign.solvers import certify

ACCURACY = 1e-6
TOLERANCES = 10.0 ** -np.arange(4, 16)
L1_RATIO = 0.5
PROCESSES = 2

Fit = Callable[[np.ndarray], np.ndarray]  # targets (n, t) -> weights (t, p)


@dataclass(frozen=True)
class Task:
    """Weights of many targets under one penalty."""

    penalty: str
    positive: bool
    alpha: float
    X: np.ndarray
    Y: np.ndarray

    @property
    def strengths(self) -> tuple[float, float]:
        """l1 and l2 in the scale of ``1/2 |y - Xw|^2``."""
        n = self.X.shape[0]
        share = {"lasso": 1.0, "elasticnet": L1_RATIO}.get(self.penalty, 0.0)
        if self.penalty in ("ols", "ridge"):
            return 0.0, self.alpha if self.penalty == "ridge" else 0.0
        return n * self.alpha * share, n * self.alpha * (1 - share)

    def violation(self, Y: np.ndarray, coef: np.ndarray, *, fit_intercept: bool = False) -> float:
        """Largest KKT violation of weights of some targets."""
        certificate = certify(
            self.X, Y, coef, self.penalty, self.alpha, l1_ratio=L1_RATIO,
            positive=self.positive, fit_intercept=fit_intercept,
        )  # fmt: skip
        return float(certificate.kkt_violation.max())


def scikit_learn(task: Task, gram: np.ndarray | None, tol: float) -> Fit:
    kind = {"lasso": Lasso, "elasticnet": ElasticNet, "ridge": Ridge}[task.penalty]
    options: dict[str, Any] = {"fit_intercept": False}
    if not np.isnan(tol):
        options.update(tol=tol, max_iter=10**6)
    if gram is not None:
        options["precompute"] = gram
    model = kind(task.alpha, positive=task.positive, **options)
    return lambda Y: np.atleast_2d(clone(model).fit(task.X, Y).coef_)


def himalaya(task: Task, gram: np.ndarray | None, tol: float) -> Fit:
    from himalaya.ridge import Ridge as HimalayaRidge

    model = HimalayaRidge(task.alpha)
    return lambda Y: model.fit(task.X, Y).coef_.T


def scipy_nnls(task: Task, gram: np.ndarray | None, tol: float) -> Fit:
    """``scipy.optimize.nnls`` behind scikit-learn's LinearRegression; ridge by rows added to X."""
    model = LinearRegression(positive=True, fit_intercept=False)
    _, l2 = task.strengths
    p = task.X.shape[1]
    X = np.vstack([task.X, np.sqrt(l2) * np.eye(p)]) if l2 else task.X

    def fit(Y: np.ndarray) -> np.ndarray:
        rows = np.vstack([Y, np.zeros((p, Y.shape[1]))]) if l2 else Y
        return np.array([model.fit(X, y).coef_ for y in rows.T])

    return fit


def spams(task: Task, gram: np.ndarray | None, tol: float) -> Fit:
    import spams as toolbox

    l1, l2 = task.strengths
    options = {"lambda1": l1, "lambda2": l2, "pos": task.positive, "numThreads": PROCESSES}
    return lambda Y: toolbox.lasso(np.asfortranarray(Y), task.X, **options).toarray().T


def celer(task: Task, gram: np.ndarray | None, tol: float) -> Fit:
    from celer import celer_path  # its estimators fail under scikit-learn 1.9

    path = partial(
        celer_path, task.X, pb="lasso", alphas=[task.alpha], positive=task.positive, tol=tol,
        max_iter=1000, l1_ratio=L1_RATIO if task.penalty == "elasticnet" else 1.0,
    )  # fmt: skip
    return lambda Y: np.array([path(y=y)[1][:, 0] for y in Y.T])


def skglm(task: Task, gram: np.ndarray | None, tol: float) -> Fit:
    import skglm as package

    kind = package.Lasso
    if task.penalty == "elasticnet":
        kind = partial(package.ElasticNet, l1_ratio=L1_RATIO)
    model = kind(
        alpha=task.alpha, positive=task.positive, fit_intercept=False, tol=tol, max_iter=1000
    )
    return lambda Y: np.array([model.fit(task.X, y).coef_ for y in Y.T])


def adelie(task: Task, gram: np.ndarray | None, tol: float) -> Fit:
    import adelie as package

    bounds = None
    if task.positive:
        bounds = [package.constraint.lower(np.zeros(1)) for _ in range(task.X.shape[1])]
    fit = partial(
        package.grpnet,
        task.X,
        lmda_path=[task.alpha],
        alpha=L1_RATIO if task.penalty == "elasticnet" else 1.0,
        intercept=False,
        constraints=bounds,
        tol=tol,
        early_exit=False,
        progress_bar=False,
    )

    def fit_one(y: np.ndarray) -> np.ndarray:
        return fit(glm=package.glm.gaussian(np.ascontiguousarray(y))).betas.toarray()[0]

    return lambda Y: np.array([fit_one(y) for y in Y.T])


@dataclass(frozen=True)
class Peer:
    """A solver of others.

    Attributes
    ----------
    name, distribution : str
        Its name in tables, and what pip installs.
    make : callable
        Task, Gram and tolerance to a function that fits.
    penalties : frozenset of str
        What it solves.
    signs : frozenset of bool
        Whether it solves positive weights, signed ones or both.
    each : bool
        Whether it solves one target a call: a few are timed.
    iterates : bool
        Whether it has a tolerance to choose.
    gram : bool
        Whether it forms the Gram of all features, which counts as its work.
    """

    name: str
    distribution: str
    make: Callable[[Task, np.ndarray | None, float], Fit]
    penalties: frozenset[str]
    signs: frozenset[bool] = frozenset({True, False})
    each: bool = True
    iterates: bool = True
    gram: bool = False

    def solves(self, penalty: str, positive: bool) -> bool:
        """Whether it solves that problem."""
        return penalty in self.penalties and positive in self.signs

    def contender(self, task: Task, n_few: int) -> Contender:
        """The peer at the loosest tolerance that is accurate enough.

        Raises ImportError if it is not installed.
        """
        few = np.asfortranarray(task.Y[:, :n_few])
        takes_gram = self.gram and self.each
        gram = task.X.T @ task.X if takes_gram else None
        for tol in TOLERANCES if self.iterates else (np.nan,):
            fit = self.make(task, gram, float(tol))
            violation = task.violation(few, fit(few))
            if violation <= ACCURACY:
                break
        details = {
            "distribution": self.distribution,
            "tolerance": float(tol),
            "violation": violation,
        }
        if not self.each:
            return Contender(lambda: fit(task.Y), **details)

        def run() -> None:
            with threadpool_limits(1):  # a process of its own, on one core
                fit(few)

        return Contender(
            run,
            scale=task.Y.shape[1] / few.shape[1] / PROCESSES,
            once=(lambda: task.X.T @ task.X) if takes_gram else None,
            **details,
        )


L1 = frozenset({"lasso", "elasticnet"})
RIDGE = frozenset({"ridge"})
POSITIVE, SIGNED = frozenset({True}), frozenset({False})
PEERS = [
    Peer("scikit-learn", "scikit-learn", scikit_learn, L1, gram=True),
    Peer("scikit-learn", "scikit-learn", scikit_learn, RIDGE, POSITIVE),
    Peer("scikit-learn", "scikit-learn", scikit_learn, RIDGE, SIGNED, each=False, iterates=False),
    Peer("himalaya", "himalaya", himalaya, RIDGE, SIGNED, each=False, iterates=False),
    Peer("SciPy NNLS", "scipy", scipy_nnls, RIDGE | {"ols"}, POSITIVE, iterates=False),
    Peer("SPAMS", "spams-bin", spams, L1, each=False, iterates=False, gram=True),
    Peer("celer", "celer", celer, L1),
    Peer("skglm", "skglm", skglm, L1),
    Peer("adelie", "adelie", adelie, L1),
]
