"""OLS and ridge without sign constraints, in closed form.

A Gram squares the condition number, and optimality in Gram space does not notice. So a Cholesky
factor of it is used only while its estimated condition is moderate, and its solution refined by
residuals of the features, or found by a QR factor of them where that is not enough; beyond, the
solution goes through the features themselves: an SVD, or LSQR where they are sparse. Columns are
brought to norms between 1 and 2 first, so that none is lost beside a larger one.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lapack, qr, solve_triangular, svd
from scipy.sparse.linalg import LinearOperator, lsqr

from skalign.solvers._arguments import TOL
from skalign.solvers._design import Design
from skalign.solvers._gram import gram_of
from skalign.solvers._ridge_spectrum import RidgeSpectrum
from skalign.utils import Array, Doubles, call_interruptibly, check_interrupt

CONDITION_LIMIT = {np.dtype(np.float64): 1e8, np.dtype(np.float32): 1e3}
REFINED = 1e4  # estimated condition beyond which weights lose digits that a refinement gives back
# Beyond this one rounding errors of a large residual stay, but for a QR factor of the features.
ORTHOGONAL = 1e6
N_FACTORS = 4  # more strengths than this share one decomposition
# Ratios of the largest to the least norm of a column. Up to EVEN, columns may stay as they are.
EVEN = 4
# Up to MODERATE, one SVD of the columns as they are serves all strengths of a ridge penalty.
MODERATE = 1e5


class Solver(NamedTuple):
    """Least squares on one design.

    Attributes
    ----------
    solve : callable
        Maps prepared targets (n_samples, n_block), their products with the features (n_block,
        n_features) and their penalties (n_block,) to weights (n_block, n_features). With
        `is_dual`, maps targets and penalties to the coefficients (n_samples, n_block) of the images
        whose combinations the weights are.
    full_rank : bool
        Whether no feature is known to depend on others, so that no other weights do as well.
    """

    solve: Callable[..., Array]
    full_rank: bool
    is_dual: bool = False


def least_squares_solver(design: Design, l2: Array) -> Solver:
    """Whatever all targets can share, computed once.

    Parameters
    ----------
    design : Design
        Prepared features.
    l2 : ndarray of shape (n_targets,)
        Ridge penalties of all targets, in the scale of the residual sum of squares.

    Returns
    -------
    Solver
        It finds the minimizer, of minimum norm where it is not unique.
    """
    n_samples, n_features = design.X.shape
    strengths = np.unique(l2)
    if not design.is_sparse and len(strengths) > N_FACTORS:
        return _through_spectrum(design, strengths) or _through_svd(design, strengths)
    if n_features <= n_samples:
        solver = _through_cholesky(design, design.gram(), strengths, dual=False)
    elif strengths[0] > 0 and not design.is_sparse:
        solver = _through_cholesky(design, gram_of(design.X.T), strengths, dual=True)
    else:
        solver = None
    if solver is not None:
        return solver
    return _through_lsqr(design) if design.is_sparse else _through_svd(design, strengths)


def _through_cholesky(
    design: Design, gram: Array, strengths: Array, *, dual: bool
) -> Solver | None:
    """Solver by Cholesky of the primal or dual Gram plus l2; None if one is ill-conditioned."""
    factors = {}
    diagonal = np.arange(gram.shape[0])
    for strength in strengths:
        system = gram.copy()
        system[diagonal, diagonal] += strength
        units = powers_of_two(np.sqrt(system.diagonal())).astype(design.dtype)
        system *= units
        system *= units[:, None]
        norm = np.abs(system).sum(axis=0).max()
        try:
            factor, lower = call_interruptibly(
                cho_factor, system, overwrite_a=True, check_finite=False
            )
        except np.linalg.LinAlgError:
            return None
        (estimate,) = lapack.get_lapack_funcs(("pocon",), (factor,))
        reciprocal, _ = estimate(factor, norm, uplo="L" if lower else "U")
        if not reciprocal * CONDITION_LIMIT[design.dtype] > 1:
            return None
        orthogonal = None
        if (
            strength == 0
            and reciprocal * ORTHOGONAL < 1
            and design.dtype == np.float64
            and not design.is_sparse
        ):
            orthogonal = call_interruptibly(
                qr, design.X * units, mode="economic", check_finite=False
            )
        refined = reciprocal * REFINED < 1
        factors[strength] = (factor, lower), units[:, None], refined, orthogonal

    def solve_dual(prepared: Array, l2: Array) -> Array:
        coefficients = np.empty(prepared.shape, design.dtype, order="F")
        for strength in np.unique(l2):
            some, (factor, units, _, _) = l2 == strength, factors[strength]
            coefficients[:, some] = units * cho_solve(factor, units * prepared[:, some])
        return coefficients

    def solve(prepared: Array, q: Array, l2: Array) -> Array:
        coef = np.empty((prepared.shape[1], design.X.shape[1]), design.dtype)
        for strength in np.unique(l2):
            some = l2 == strength
            factor, units, refined, orthogonal = factors[strength]
            if orthogonal is not None:
                Q, R = orthogonal
                coef[some] = (units * solve_triangular(R, Q.T @ prepared[:, some])).T
                continue

            def inverse(right: Array, factor: Any = factor, units: Any = units) -> Array:
                return units * cho_solve(factor, units * right)

            coef[some] = inverse(q[some].T).T
            if refined and design.dtype == np.float64:
                gradient = design.cross(prepared[:, some] - design.predict(coef[some]))
                coef[some] += inverse((gradient - strength * coef[some]).T).T
        return coef

    if dual:
        return Solver(solve_dual, full_rank=True, is_dual=True)
    return Solver(solve, full_rank=True)


def _through_spectrum(design: Design, strengths: Array) -> Solver | None:
    """Solver by one eigendecomposition for all strengths; None if it loses digits at one."""
    spectrum = RidgeSpectrum.of(design)
    if not spectrum.violation(strengths[:1]) <= 0.1 * TOL[design.dtype]:
        return None

    values = spectrum.eigenvalues
    above_rounding = values > len(values) * np.finfo(design.dtype).eps * values.max(initial=0)
    full_rank = above_rounding.sum() == np.count_nonzero(design.norms)

    def coordinates(prepared: Array, l2: Array) -> Array:
        return spectrum.coordinates(prepared) / (values[:, None] + l2)

    if spectrum.is_dual:  # in double: products in single precision would miss the tolerance

        def solve_dual(prepared: Array, l2: Array) -> Array:
            return spectrum.vectors @ coordinates(prepared, l2)

        return Solver(solve_dual, full_rank=full_rank, is_dual=True)

    def solve(prepared: Array, q: Array, l2: Array) -> Array:
        return spectrum.weights(coordinates(prepared, l2))

    return Solver(solve, full_rank=full_rank)


def powers_of_two(norms: Array) -> Doubles:
    """Factors that bring norms to between 1 and 2 without a rounding error; 1 for zero.

    Parameters
    ----------
    norms : ndarray
        Norms, not negative.

    Returns
    -------
    ndarray
        Powers of two, of the same shape.
    """
    _, exponent = np.frexp(norms)
    return np.where(norms > 0, np.ldexp(1.0, 1 - exponent), 1.0)


def _through_svd(design: Design, strengths: Array) -> Solver:
    """Solver by thin SVDs of the features, singular values at rounding level left out."""
    dtype, norms = design.dtype, design.norms
    spread = norms.max(initial=0) / norms.min(initial=np.inf, where=norms > 0)
    units = powers_of_two(norms) if spread > EVEN else np.ones(len(norms))
    precise = np.finfo(dtype if spread <= EVEN else np.float64).eps
    # In single precision rounding alone would miss the tolerance.
    X = _recentered(design, design.X.astype(np.float64))

    def decompose(A: Array, eps: float) -> tuple[Array, Array, Array]:
        U, s, Vt = call_interruptibly(svd, A, full_matrices=False, check_finite=False)
        kept = s > max(design.X.shape) * eps * s.max(initial=0)
        return U[:, kept], s[kept], Vt[kept]

    shared = None
    if strengths[-1] > 0 and spread <= MODERATE:
        shared = decompose(X, precise)
    U, s, Vt = np.empty((len(X), 0)), np.empty(0), np.empty((0, len(norms)))
    if shared is not None and spread <= EVEN:
        U, s, Vt = shared
    elif strengths[0] == 0 or shared is None:
        U, s, Vt = decompose(X * units, np.finfo(dtype).eps)
    basis = None
    if spread > EVEN and len(s) < np.count_nonzero(norms):
        basis, _ = call_interruptibly(qr, (Vt / units).T, mode="economic", check_finite=False)

    def least_norm(prepared: Array) -> Array:
        """Minimum norm in the user's own units: the part of a minimizer in the span of the rows."""
        coef = (prepared.T @ U / s) @ Vt * units
        return coef if basis is None else coef @ basis @ basis.T

    def through_rows(prepared: Array, strength: float) -> Array:
        """Ridge as least squares on columns that carry the penalty as more rows."""
        root = np.sqrt(strength) * units
        again = powers_of_two(np.hypot(norms * units, root))
        rows = np.concatenate([s[:, None] * Vt, np.diag(root)]) * again
        V, t, Wt = decompose(rows, np.finfo(dtype).eps)
        return (prepared.T @ U @ V[: len(s)] / t) @ Wt * (again * units)

    def solve(prepared: Array, q: Array, l2: Array) -> Array:
        prepared, coef = _recentered(design, prepared.astype(np.float64)), np.empty(q.shape)
        free = l2 == 0
        coef[free] = least_norm(prepared[:, free])
        if shared is not None:
            V, t, Wt = shared
            shrunk = t / (t**2 + l2[~free, None])
            coef[~free] = (shrunk * (prepared[:, ~free].T @ V)) @ Wt
        else:
            for strength in np.unique(l2[~free]):
                coef[l2 == strength] = through_rows(prepared[:, l2 == strength], strength)
        coef[:, norms == 0] = 0
        return coef.astype(dtype)

    return Solver(solve, full_rank=len(s) == np.count_nonzero(norms))


def _recentered(design: Design, columns: Doubles) -> Doubles:
    """Subtract what the rounding of means leaves in centered columns, in place.

    Columns that are small beside their means share that direction: it would count as one of the
    features, beside which the targets' own rounding errors are large.
    """
    if design.centered:
        constant = np.ones(len(columns)) if design.root_weight is None else design.root_weight
        constant = constant.astype(np.float64) / np.linalg.norm(constant.astype(np.float64))
        columns -= np.outer(constant, constant @ columns)
    return columns


def _through_lsqr(design: Design) -> Solver:
    """Solver by LSQR on sparse features, one target at a time."""
    dtype, norms = design.dtype, design.norms
    n_samples, n_features = design.X.shape
    design = replace(design, X=design.X.astype(np.float64))
    limit = 10 * max(n_samples, n_features)
    eps = np.finfo(dtype).eps

    def iterate(y: Array, strength: float, units: Array | float) -> Array:
        """Least squares on columns times `units`, which carry the penalty as more rows."""
        root = np.sqrt(strength) * units

        def multiply(w: Array) -> Array:
            check_interrupt()
            return np.concatenate([design.predict((units * w)[None])[:, 0], root * w])

        def transpose(r: Array) -> Array:
            return units * design.cross(r[:n_samples, None])[0] + root * r[n_samples:]

        operator = LinearOperator(
            (n_samples + n_features, n_features), multiply, transpose, dtype=np.float64
        )
        right = np.concatenate([y, np.zeros(n_features)])
        return (
            units * lsqr(operator, right, atol=10 * eps, btol=10 * eps, conlim=0, iter_lim=limit)[0]
        )

    def solve_one(y: Array, strength: float) -> Array:
        size = np.linalg.norm(y)
        if size == 0:
            return np.zeros(n_features)
        y = y / size  # LSQR compares with absolute bounds
        coef = iterate(y, strength, 1.0)  # from zero, so the minimizer of minimum norm
        gradient = design.cross((y - design.predict(coef[None])[:, 0])[:, None])[0]
        violation = np.abs(gradient - strength * coef)
        # Columns of small norm may be missed, unless all are brought to one norm.
        if (violation > 0.01 * TOL[dtype] * norms).any():
            coef = iterate(y, strength, powers_of_two(np.hypot(norms, np.sqrt(strength))))
        return np.where(norms > 0, size * coef, 0)

    def solve(prepared: Array, q: Array, l2: Array) -> Array:
        prepared = prepared.astype(np.float64)
        found = [solve_one(y, strength) for y, strength in zip(prepared.T, l2, strict=True)]
        return np.array(found, dtype=dtype).reshape(q.shape)

    return Solver(solve, full_rank=False)  # nobody knows
