"""Many targets on shared features: the problem split into blocks, each solved and certified."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skalign.solvers._certificate import certify_residual
from skalign.solvers._design import Design
from skalign.solvers._kernel import solve_block
from skalign.solvers._least_squares import least_squares_solver
from skalign.solvers._penalties import Penalty, Scale, penalty_scale
from skalign.solvers._solution import Solution
from skalign.solvers._threads import map_blocks
from skalign.solvers._working_set import solve_working_set

TOL = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-4}
BLOCKS = 32  # a problem is cut into at most about this many blocks, however many workers there are
BLOCK_TARGETS = 16  # but no finer than this
BLOCK_BYTES = 2**25  # and no coarser: bounds the working memory of a worker
GRAM_BYTES = 2**30
GRAM_FEATURES = 1024  # a Gram this small always pays
GRAM_FEATURES_PER_TARGET = 8


def solve(
    X: NDArray | sparse.sparray,
    Y: NDArray,
    penalty: Penalty = "lasso",
    alpha: ArrayLike = 0.1,
    *,
    l1_ratio: float = 0.5,
    positive: bool = True,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    coef_init: NDArray | None = None,
    tol: float | None = None,
    max_iter: int = 1000,
    n_jobs: int | None = None,
    progress: Callable[..., Iterable] | None = None,
) -> Solution:
    r"""Fit the weights of many targets on the same features.

    Minimises, for every target y,

    ========== =============================================================================
    ols        :math:`\tfrac12 |y - Xw|^2`
    ridge      :math:`|y - Xw|^2 + \alpha |w|^2`
    lasso      :math:`\tfrac1{2n} |y - Xw|^2 + \alpha |w|_1`
    elasticnet :math:`\tfrac1{2n} |y - Xw|^2 + \alpha\rho |w|_1 + \tfrac12\alpha(1-\rho)|w|^2`
    ========== =============================================================================

    over :math:`w \ge 0` where `positive`, with :math:`\rho` the `l1_ratio` and n the sum of the
    sample weights: the objectives of scikit-learn's LinearRegression, Ridge, Lasso and
    ElasticNet.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_samples, n_features), float64 or float32
        Features; their type is that of the computation.
    Y : ndarray of shape (n_samples, n_targets)
        Targets, read block by block; may be memory-mapped.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty.
    alpha : float or array-like of shape (n_targets,), default=0.1
        Strength of the penalty, one for all targets or one per target.
    l1_ratio : float, default=0.5
        Share of the l1 penalty in "elasticnet".
    positive : bool, default=True
        Whether weights must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples, not negative.
    coef_init : ndarray of shape (n_targets, n_features), default=None
        Weights to start from; not looked at by closed forms.
    tol : float, default=None
        Bound on the KKT violation; by default 1e-7 in float64 and 1e-4 in float32.
    max_iter : int, default=1000
        Bound on the iterations of one target.
    n_jobs : int, default=None
        Number of threads over blocks of targets. None is 1 unless in a
        :func:`joblib.parallel_config`.
    progress : callable, default=None
        Called as ``progress(blocks, total=n_blocks)``; must yield what it is given. ``tqdm``
        is one.

    Returns
    -------
    Solution
        Weights, intercepts, iterations and certificates of every target.

    Raises
    ------
    ValueError
        If the penalty, alpha or l1_ratio is not valid, or `Y` is not finite.

    Notes
    -----
    What depends on `X` alone is computed once. Sign-free OLS and ridge are closed forms. All
    other problems are solved by an active set in Gram space; where the Gram would be larger than
    the work left to do, only the part of it that becomes active is formed. Where the minimiser
    is not unique the solution is one of them (of minimum norm for sign-free OLS).

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import solve
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 3))
    >>> Y = X @ np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
    >>> solution = solve(X, Y, "lasso", 0.1)
    >>> solution.coef.shape, bool((solution.coef >= 0).all()), bool(solution.converged.all())
    ((2, 3), True, True)
    """
    n_features, n_targets = X.shape[1], Y.shape[1]
    design = Design.prepare(X, sample_weight=sample_weight, centre=fit_intercept)
    scale = penalty_scale(
        penalty, alpha, l1_ratio, n_targets=n_targets, total_weight=design.total_weight
    )
    tol = TOL[design.dtype] if tol is None else tol
    blocks = list(_blocks(design, n_targets))
    solve_one = _block_solver(
        design, Y, scale, positive=positive, coef_init=coef_init, tol=tol, max_iter=max_iter,
        closed_form=penalty in ("ols", "ridge") and not positive,
    )
    coef = np.empty((n_targets, n_features), design.dtype)
    intercept = np.zeros(n_targets, design.dtype)
    n_iter = np.ones(n_targets, np.int32)
    kkt, gap = np.empty(n_targets), np.empty(n_targets)
    with closing(map_blocks(solve_one, blocks, n_jobs)) as computed:
        results = computed if progress is None else progress(computed, total=len(blocks))
        for block, (weights, means, spent, violation, distance) in zip(blocks, results, strict=True):
            coef[block], n_iter[block], kkt[block] = weights, spent, violation
            gap[block] = scale.unit * distance
            if fit_intercept:
                intercept[block] = means - weights @ design.mean
    return Solution(coef, intercept, n_iter, kkt, gap, kkt <= tol)


def _blocks(design: Design, n_targets: int) -> Iterator[slice]:
    """Blocks of targets; the same for any number of workers, so that results are too."""
    n_samples, n_features = design.X.shape
    bytes_each = (3 * n_samples + 3 * n_features) * design.dtype.itemsize
    most = max(1, BLOCK_BYTES // bytes_each)
    size = min(most, max(BLOCK_TARGETS, -(-n_targets // BLOCKS)))
    for start in range(0, n_targets, size):
        yield slice(start, min(start + size, n_targets))


def _gram_pays(design: Design, n_targets: int) -> bool:
    n_features = design.X.shape[1]
    return n_features <= GRAM_FEATURES or (
        n_features <= GRAM_FEATURES_PER_TARGET * n_targets
        and n_features**2 * design.dtype.itemsize <= GRAM_BYTES
    )


def _block_solver(
    design: Design,
    Y: NDArray,
    scale: Scale,
    *,
    positive: bool,
    coef_init: NDArray | None,
    tol: float,
    max_iter: int,
    closed_form: bool,
) -> Callable[[slice], tuple[NDArray, NDArray, NDArray, NDArray, NDArray]]:
    """A function from a block to its weights, target means, iterations, violations and gaps."""
    solver = least_squares_solver(design, scale.l2) if closed_form else None
    gram = design.gram() if solver is None and _gram_pays(design, Y.shape[1]) else None

    def solve_one(block: slice):
        prepared, means, squared_norms = design.targets(Y[:, block])
        if not np.isfinite(squared_norms).all():
            bad = np.flatnonzero(~np.isfinite(squared_norms)) + block.start
            raise ValueError(
                f"Input y contains NaN, infinity or values too large for {design.dtype}, first in "
                f"target {bad[0]}. Drop or impute the targets or samples concerned."
            )
        q = design.cross(prepared)
        penalties = Scale(scale.l1[block], scale.l2[block], 1.0)
        n_iter = np.ones(q.shape[0], np.int32)
        if solver is not None:
            coef = solver(prepared, penalties.l2)
        elif coef_init is None:
            coef = np.zeros_like(q)
        else:
            coef = np.array(coef_init[block], dtype=design.dtype, order="C")
        if gram is not None:
            kkt, gap = np.empty(q.shape[0]), np.empty(q.shape[0])
            solve_block(
                gram, q, squared_norms, penalties.l1, penalties.l2, positive, tol,
                np.full(q.shape[0], max_iter, np.int32), coef, n_iter, kkt, gap,
            )
            return coef, means, n_iter, kkt, gap
        if solver is None:
            residual = solve_working_set(
                design, prepared, q, squared_norms, penalties.l1, penalties.l2, positive, tol,
                max_iter, coef, n_iter,
            )
        else:
            residual = prepared - design.predict(coef)
        certificate = certify_residual(
            design, residual, coef, penalties, q, squared_norms, positive
        )
        return coef, means, n_iter, certificate.kkt_violation, certificate.dual_gap

    return solve_one
