"""OLS and ridge without sign constraints, in closed form.

A Gram squares the condition number, and optimality in Gram space does not notice. So a Cholesky
factor of it is used only while its estimated condition is moderate; beyond, the solution goes
through the features themselves: an SVD, or LSQR where they are sparse.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lapack, svd
from scipy.sparse.linalg import LinearOperator, lsqr

from skalign.solvers._design import Design
from skalign.utils import check_interrupt

CONDITION_LIMIT = {np.dtype(np.float64): 1e8, np.dtype(np.float32): 1e3}
N_FACTORS = 4  # more strengths than this share one SVD

# Prepared targets, their products with the features, their l2 -> weights.
Solver = Callable[[NDArray, NDArray, NDArray], NDArray]


def least_squares_solver(design: Design, l2: NDArray) -> Solver:
    """Whatever all targets can share, computed once.

    Parameters
    ----------
    design : Design
        Prepared features.
    l2 : ndarray of shape (n_targets,)
        Ridge penalties of all targets, in the scale of the residual sum of squares.

    Returns
    -------
    callable
        Maps prepared targets (n_samples, n_block), their products with the features (n_block,
        n_features) and their penalties (n_block,) to weights (n_block, n_features): the minimizer,
        of minimum norm where it is not unique.
    """
    n_samples, n_features = design.X.shape
    strengths = np.unique(l2)
    if not design.is_sparse and len(strengths) > N_FACTORS:
        return _through_svd(design)
    through_features = _through_lsqr if design.is_sparse else _through_svd
    if n_features <= n_samples:
        solver = _through_cholesky(design, design.gram(), strengths, dual=False)
    elif strengths[0] > 0 and not design.is_sparse:
        solver = _through_cholesky(design, design.X @ design.X.T, strengths, dual=True)
    else:
        solver = None
    return solver or through_features(design)


def _through_cholesky(
    design: Design, gram: NDArray, strengths: NDArray, *, dual: bool
) -> Solver | None:
    """Solver by Cholesky of the primal or dual Gram plus l2; None if one is ill-conditioned."""
    factors = {}
    diagonal = np.arange(gram.shape[0])
    for strength in strengths:
        system = gram.copy()
        system[diagonal, diagonal] += strength
        norm = np.abs(system).sum(axis=0).max()
        try:
            factor, lower = cho_factor(system, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            return None
        (estimate,) = lapack.get_lapack_funcs(("pocon",), (factor,))
        reciprocal, _ = estimate(factor, norm, uplo="L" if lower else "U")
        if not reciprocal * CONDITION_LIMIT[design.dtype] > 1:
            return None
        factors[strength] = (factor, lower)

    def solve(prepared: NDArray, q: NDArray, l2: NDArray) -> NDArray:
        coef = np.empty((prepared.shape[1], design.X.shape[1]), design.dtype)
        for strength in np.unique(l2):
            of_strength = l2 == strength
            factor = factors[strength]
            if dual:
                coef[of_strength] = design.cross(cho_solve(factor, prepared[:, of_strength]))
            else:
                coef[of_strength] = cho_solve(factor, q[of_strength].T).T
        return coef

    return solve


def _through_svd(design: Design) -> Solver:
    """Solver by a thin SVD of the features, singular values at rounding level left out."""
    # In single precision rounding alone would miss the tolerance.
    U, s, Vt = svd(design.X.astype(np.float64), full_matrices=False, check_finite=False)
    kept = s > max(design.X.shape) * np.finfo(design.dtype).eps * s.max(initial=0)
    U, s, Vt = U[:, kept], s[kept], Vt[kept]

    def solve(prepared: NDArray, q: NDArray, l2: NDArray) -> NDArray:
        shrunk = s / (s**2 + l2[:, None])
        return ((shrunk * (prepared.T @ U)) @ Vt).astype(design.dtype)

    return solve


def _through_lsqr(design: Design) -> Solver:
    """Solver by LSQR on sparse features, one target at a time."""
    n_samples, n_features = design.X.shape

    def correlate(r: NDArray) -> NDArray:
        check_interrupt()
        return design.cross(r.reshape(-1, 1))[0]

    operator = LinearOperator(
        shape=(n_samples, n_features),
        matvec=lambda w: design.predict(w.reshape(1, -1))[:, 0],
        rmatvec=correlate,
        dtype=design.dtype,
    )
    limit = 10 * max(n_samples, n_features)
    tol = 10 * np.finfo(design.dtype).eps

    def solve(prepared: NDArray, q: NDArray, l2: NDArray) -> NDArray:
        return np.array(
            [
                lsqr(
                    operator,
                    y,
                    damp=np.sqrt(strength),
                    atol=tol,
                    btol=tol,
                    conlim=0,
                    iter_lim=limit,
                )[0]
                for y, strength in zip(prepared.T, l2, strict=True)
            ],
            dtype=design.dtype,
        )

    return solve
