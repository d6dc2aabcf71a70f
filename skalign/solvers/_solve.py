"""Many targets on shared features: the problem split into blocks, each solved and certified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skalign.solvers._arguments import check_problem
from skalign.solvers._certificate import certify_residual
from skalign.solvers._design import Design, check_finite
from skalign.solvers._kernel import solve_block
from skalign.solvers._least_squares import least_squares_solver
from skalign.solvers._penalties import Penalty, Scale, penalty_scale
from skalign.solvers._solution import Solution
from skalign.solvers._threads import map_blocks, several_workers, single_threaded_blas
from skalign.solvers._working_set import solve_working_set

TOL = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-4}
BLOCKS = 16  # a problem is cut into at most about this many blocks, however many workers there are
BLOCK_TARGETS = 64  # but no finer than this
BLOCK_BYTES = 2**25  # and no coarser: bounds the working memory of a worker
GRAM_BYTES = 2**30
GRAM_FEATURES = 1024  # a Gram this small always pays
GRAM_FEATURES_PER_TARGET = 8
GRAM_QUICK = 10**9  # multiplications that one BLAS thread does in no time

Block = slice | NDArray  # of targets; an index array where closed forms and others mix


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
    max_iter: int = 10_000,
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
    max_iter : int, default=10000
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
        If an argument is not valid: its name is in the message.

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
    X, Y, weight, coef_init = check_problem(X, Y, sample_weight, coef_init, "coef_init")
    n_features, n_targets = X.shape[1], Y.shape[1]
    design = Design.prepare(X, sample_weight=weight, centre=fit_intercept)
    scale = penalty_scale(
        penalty, alpha, l1_ratio, n_targets=n_targets, total_weight=design.total_weight
    )
    tol = TOL[design.dtype] if tol is None else tol
    if not (isinstance(tol, Real) and 0 < tol < np.inf):
        raise ValueError(f"tol must be a positive number or None; got {tol!r}.")
    if not isinstance(max_iter, Integral) or max_iter < 1:
        raise ValueError(f"max_iter must be a positive integer; got {max_iter!r}.")
    max_iter = min(max_iter, np.iinfo(np.int32).max)
    closed_form = (scale.l1 == 0) & (not positive)
    blocks = [*_blocks(design, closed_form), *_blocks(design, ~closed_form)]
    coef = np.empty((n_targets, n_features), design.dtype)
    intercept = np.zeros(n_targets, design.dtype)
    n_iter = np.ones(n_targets, np.int32)
    kkt, gap = np.empty(n_targets), np.empty(n_targets)
    with ExitStack() as stack:
        quick = n_features * X.shape[0] * n_features <= GRAM_QUICK
        if quick and several_workers(n_jobs):
            # The threads that BLAS wakes would go on spinning, beside ours.
            stack.enter_context(single_threaded_blas())
        solve_one = _block_solver(
            design, Y, scale, closed_form, positive=positive, coef_init=coef_init, tol=tol,
            max_iter=max_iter,
        )  # fmt: skip
        results: Iterable = stack.enter_context(closing(map_blocks(solve_one, blocks, n_jobs)))
        if progress is not None:
            results = progress(results, total=len(blocks))
        for block, result in zip(blocks, results, strict=True):
            coef[block], means, n_iter[block], kkt[block], distance = result
            gap[block] = scale.unit * distance
            if fit_intercept:
                intercept[block] = means - coef[block] @ design.mean
    return Solution(coef, intercept, n_iter, kkt, gap, kkt <= tol)


def _blocks(design: Design, wanted: NDArray) -> Iterator[Block]:
    """Blocks of the wanted targets; the same for any number of workers, so that results are too.

    Up to rounding: BLAS splits a product by its own number of threads.
    """
    n_samples, n_features = design.X.shape
    bytes_each = (3 * n_samples + 3 * n_features) * design.dtype.itemsize
    most = max(1, BLOCK_BYTES // bytes_each)
    n_wanted = np.count_nonzero(wanted)
    size = min(most, max(BLOCK_TARGETS, -(-n_wanted // BLOCKS)))
    index = None if n_wanted == wanted.size else np.flatnonzero(wanted)
    for start in range(0, n_wanted, size):
        block = slice(start, min(start + size, n_wanted))
        yield block if index is None else index[block]


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
    closed_form: NDArray,
    *,
    positive: bool,
    coef_init: NDArray | None,
    tol: float,
    max_iter: int,
) -> Callable[[Block], tuple[NDArray, NDArray, NDArray, NDArray, NDArray]]:
    """A function from a block to its weights, target means, iterations, violations and gaps."""
    some_closed, all_closed = closed_form.any(), closed_form.all()
    solver = least_squares_solver(design, scale.l2[closed_form]) if some_closed else None
    gram = design.gram() if not all_closed and _gram_pays(design, Y.shape[1]) else None

    def solve_one(block: Block):
        penalties = Scale(scale.l1[block], scale.l2[block], 1.0)
        n_block = penalties.l1.size
        n_iter = np.ones(n_block, np.int32)
        if coef_init is None:
            coef = np.zeros((n_block, design.X.shape[1]), design.dtype)
        else:
            coef = np.array(coef_init[block], dtype=design.dtype, order="C")
        closed = closed_form[block][0]
        if gram is not None and not closed:
            q, means, squared_norms = design.moments(Y[:, block])
            check_finite(squared_norms, design.dtype, np.arange(Y.shape[1])[block])
            kkt, gap = np.empty(n_block), np.empty(n_block)
            bound = np.full(n_block, max_iter, np.int32)
            solve_block(
                gram, q, squared_norms, penalties.l1, penalties.l2, positive, tol, bound,
                coef, n_iter, kkt, gap,
            )  # fmt: skip
            return coef, means, n_iter, kkt, gap
        prepared, means, squared_norms = design.targets(Y[:, block])
        check_finite(squared_norms, design.dtype, np.arange(Y.shape[1])[block])
        q, rounding = design.correlate(prepared, squared_norms)
        if solver is not None and closed:
            coef = solver(prepared, q, penalties.l2)
            coef[~q.any(axis=1)] = 0
            residual = prepared - design.predict(coef)
        else:
            residual = solve_working_set(
                design, prepared, q, squared_norms, penalties.l1, penalties.l2, positive, tol,
                max_iter, coef, n_iter,
            )  # fmt: skip
        certificate = certify_residual(
            design, residual, coef, penalties, q, rounding, squared_norms, positive
        )
        return coef, means, n_iter, certificate.kkt_violation, certificate.dual_gap

    return solve_one
