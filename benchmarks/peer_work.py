"""Kinds of rows in the table of peers: the work, and who does it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
from peer_solvers import L1_RATIO, PEERS, PROCESSES, Task
from problem import encoding_problem, independent_problem
from scipy import sparse
from sklearn.linear_model import Lasso, LassoCV, RidgeCV
from sklearn.model_selection import LeaveOneOut
from threadpoolctl import threadpool_limits
from timing import Contender

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.metrics import tuning_reorientation

OURS = "skalign"
PRODUCTS = "X'X and X'Y"
LAYER = {"k": 30, "n_latents": 600, "decay": 0.7}  # of a network, wider than there are images
MOST_GRAM = 10**9  # entries of a Gram that is formed
N_CERTIFIED = 200  # targets whose KKT violation is measured

# How to make each contender, which raises ImportError where it is not installed; or why it is not.
Named = Iterator[tuple[str, Callable[[], Contender] | str]]


@dataclass(frozen=True)
class Row:
    """One line of work.

    Attributes
    ----------
    name, title : str
        How it is chosen, and what it is.
    contenders : callable
        Called with the divisor of the number of targets; yields names and how to make each
        contender, ours first.
    floors : mapping
        Least ratio of the time of a contender to ours. What takes at most twice the products has a
        floor of 1/2 beside them.
    """

    name: str
    title: str
    contenders: Callable[[int], Named]
    floors: Mapping[str, float] = field(default_factory=dict)


@lru_cache(maxsize=1)  # rows of the same data follow each other
def data(make: Callable[..., Any], n: int, p: int, t: int, options: tuple[Any, ...] = ()) -> Any:
    return make(n, p, t, **dict(options))


def signs(positive: bool) -> str:
    return "positive" if positive else "signed"


def fit_row(
    name: str,
    penalty: str,
    size: tuple[int, int, int],
    alpha: float,
    *,
    positive: bool = True,
    floors: Mapping[str, float] | None = None,
    n_few: int = 10,
    layer: bool = False,
) -> Row:
    """Weights of many targets at one alpha; `n_few` of them by peers that solve one a call."""

    def contenders(divisor: int) -> Named:
        n, p, t = size
        X, Y = data(encoding_problem, n, p, t // divisor, tuple(LAYER.items()) * layer)
        task = Task(penalty, positive, alpha, X, Y)

        def ours() -> Contender:
            encoder = SparsePositiveEncoder(
                penalty, alpha, l1_ratio=L1_RATIO, positive=positive, n_jobs=2
            )
            coef = encoder.fit(X, Y).coef_[:N_CERTIFIED]
            violation = task.violation(Y[:, :N_CERTIFIED], coef, fit_intercept=True)
            return Contender(lambda: encoder.fit(X, Y), distribution="skalign", violation=violation)

        yield OURS, ours
        gram = f"X'X has {8e-9 * p**2:.0f} GB" if p**2 > MOST_GRAM else ""
        yield (
            PRODUCTS,
            gram or (lambda: Contender(lambda: (X.T @ X, X.T @ Y), distribution="numpy")),
        )
        for peer in PEERS:
            if peer.solves(penalty, positive):
                without = gram if peer.gram else ""
                yield peer.name, without or partial(peer.contender, task, n_few)

    n, p, t = size
    strength = "" if penalty == "ols" else f", alpha {alpha:g}"
    title = f"{signs(positive)} {penalty}, n {n}, p {p}, {t} targets{strength}"
    return Row(name, title, contenders, floors or {})


def lasso_cv(X: np.ndarray, Y: np.ndarray, alphas: np.ndarray, n_few: int) -> Contender:
    """scikit-learn's loop over targets, at the tolerance of an accurate fit."""
    task = Task("lasso", True, float(alphas[-1]), X, Y)
    lasso = next(peer for peer in PEERS if peer.solves("lasso", True))
    accurate = lasso.contender(task, n_few)
    peer = LassoCV(
        alphas=alphas, cv=5, positive=True, precompute=True, tol=accurate.tolerance, max_iter=10**6
    )

    def run() -> None:
        with threadpool_limits(1):  # a process of its own, on one core
            for y in Y.T[:n_few]:
                peer.fit(X, y)

    scale = Y.shape[1] / min(n_few, Y.shape[1]) / PROCESSES
    return Contender(
        run,
        scale=scale,
        distribution="scikit-learn",
        tolerance=accurate.tolerance,
        violation=accurate.violation,
    )


def lasso_cv_row(
    name: str,
    make: Callable[..., Any],
    size: tuple[int, int, int],
    alphas: np.ndarray,
    floors: Mapping[str, float],
    *,
    n_few: int = 10,
    layer: bool = False,
) -> Row:
    """An alpha for each target, by 5 folds, positive lasso; beside one fit and LassoCV."""

    def contenders(divisor: int) -> Named:
        n, p, t = size
        X, Y = data(make, n, p, t // divisor, tuple(LAYER.items()) * layer)
        ours = SparsePositiveEncoderCV(alphas=alphas, cv=5, n_jobs=2)
        one = SparsePositiveEncoder(alpha=alphas[-1], n_jobs=2)
        yield OURS, lambda: Contender(lambda: ours.fit(X, Y), distribution="skalign")
        yield "one fit", lambda: Contender(lambda: one.fit(X, Y), distribution="skalign")
        if "LassoCV" in floors:
            yield "LassoCV", partial(lasso_cv, X, Y, alphas, n_few)

    n, p, t = size
    kind = "independent features, " if make is independent_problem else ""
    title = (
        f"positive lasso, {len(alphas)} alphas from {alphas[0]:g} to {alphas[-1]:g} x 5 folds, "
        f"{kind}n {n}, p {p}, {t} targets"
    )
    return Row(name, title, contenders, floors)


def ridge_cv_row(
    name: str, size: tuple[int, int, int], floors: Mapping[str, float], *, leave_one_out: bool
) -> Row:
    """Signed ridge, 10 alphas for each target."""
    alphas = np.geomspace(1e-1, 1e5, 10)

    def himalaya(kernel: bool, X: np.ndarray, Y: np.ndarray) -> Contender:
        from himalaya.kernel_ridge import KernelRidgeCV
        from himalaya.ridge import RidgeCV as HimalayaCV

        model = (KernelRidgeCV if kernel else HimalayaCV)(alphas=alphas, cv=5)
        return Contender(lambda: model.fit(X, Y), distribution="himalaya")

    def contenders(divisor: int) -> Named:
        n, p, t = size
        X, Y = data(encoding_problem, n, p, t // divisor, tuple(LAYER.items()))
        ours = SparsePositiveEncoderCV(
            "ridge", alphas, positive=False, cv=LeaveOneOut() if leave_one_out else 5, n_jobs=2
        )
        yield OURS, lambda: Contender(lambda: ours.fit(X, Y), distribution="skalign")
        if leave_one_out:
            peer = RidgeCV(alphas, alpha_per_target=True)
            yield (
                "scikit-learn RidgeCV",
                lambda: Contender(lambda: peer.fit(X, Y), distribution="scikit-learn"),
            )
        else:
            yield "himalaya RidgeCV", partial(himalaya, False, X, Y)
            if p > n:
                yield "himalaya KernelRidgeCV", partial(himalaya, True, X, Y)

    n, p, t = size
    how = "leave-one-out" if leave_one_out else "5 folds"
    title = f"signed ridge, 10 alphas, {how}, n {n}, p {p}, {t} targets"
    return Row(name, title, contenders, floors)


def default_cv(divisor: int) -> Named:
    """Grids and folds by default, positive ridge; beside a lasso."""
    X, Y = data(encoding_problem, 100, 1922, 43 // min(divisor, 4), tuple(LAYER.items()))
    for name, penalty in ((OURS, "ridge"), ("lasso", "lasso")):
        model = SparsePositiveEncoderCV(penalty, n_jobs=2)
        yield (
            name,
            lambda model=model: Contender(lambda: model.fit(X, Y), distribution="skalign"),
        )


def tiny(divisor: int) -> Named:
    """One small fit, where only Python counts."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 10)), rng.standard_normal(50)
    n_fits = 500 // divisor
    models = {
        OURS: SparsePositiveEncoder(),
        "scikit-learn": Lasso(alpha=0.1, positive=True),
    }
    for name, model in models.items():

        def fits(model: Any = model) -> None:
            for _ in range(n_fits):
                model.fit(X, y)

        distribution = "skalign" if name == OURS else name
        yield name, lambda fits=fits, d=distribution: Contender(fits, 1 / n_fits, distribution=d)


def formula(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Theta step by step as in the paper: every distance of every unit to every target."""
    units = features / np.linalg.norm(features, axis=0)
    directions = targets / np.linalg.norm(targets, axis=0)
    distances = 1 - units.T @ directions
    importance = np.abs(weights)
    return (distances * importance.T).sum(axis=0) / importance.sum(axis=1)


def theta(density: float, divisor: int) -> Named:
    """Tuning reorientation; beside the formula and one matrix product."""
    rng = np.random.default_rng(0)
    n_images, n_units, n_targets = 515, 4096, 10_000 // divisor
    features = np.maximum(rng.standard_normal((n_images, n_units)), 0)
    targets = rng.standard_normal((n_images, n_targets))
    shape = n_targets, n_units
    if density == 1:
        weights = dense = rng.standard_normal(shape)
    else:
        weights = sparse.random_array(shape, density=density, format="csr", rng=rng)
        dense = weights.toarray()
    works = {
        OURS: ("skalign", lambda: tuning_reorientation(features, targets, weights)),
        "one product": ("numpy", lambda: features @ dense.T),
        "the formula": ("numpy", lambda: formula(features, targets, dense)),
    }
    for name, (distribution, work) in works.items():
        yield name, lambda w=work, d=distribution: Contender(w, distribution=d)
