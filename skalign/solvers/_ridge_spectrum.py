"""Ridge without sign constraints at many strengths: one eigendecomposition for all of them.

With no more images than features it is that of ``K = XX'``, else that of ``G = X'X``; an intercept
takes one image away. All strengths share it; a strength costs one product per target. What every
eigenvector misses bounds the violation of the optimality conditions, for every target at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from skalign.solvers._design import Design
from skalign.solvers._gram import gram_of
from skalign.utils import Doubles, Floats, call_interruptibly


@dataclass(frozen=True, eq=False)
class RidgeSpectrum:
    """Eigenvalues and eigenvectors of XX' or X'X, in double precision.

    Parameters
    ----------
    design : Design
        Prepared features, dense.
    is_dual : bool
        Whether the matrix is XX', (n_samples, n_samples).
    eigenvalues : ndarray of shape (n_eigenvalues,)
        In ascending order, not negative. XX' of centered features has one less than samples: its
        null vector of constants, to which centered targets are orthogonal, is left out.
    vectors : ndarray of shape (n_samples or n_features, n_eigenvalues)
        Eigenvectors.
    residuals : ndarray of shape (n_eigenvalues,)
        Norms of the matrix times every eigenvector, minus the eigenvalue times that vector.
    deviation : float
        Frobenius norm of the difference of ``vectors' vectors`` and the identity, constants among
        the vectors.

    Notes
    -----
    Targets take part through their coordinates z: ``U'y`` for XX', ``V'X'y`` for X'X. The weights
    at a strength l2 are ``X'U`` or ``V`` times ``z / (eigenvalues + l2)``.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import Design, RidgeSpectrum
    >>> design = Design.prepare(np.diag([1.0, 2.0]), sample_weight=None, center=False)
    >>> RidgeSpectrum.of(design).eigenvalues
    array([1., 4.])
    """

    design: Design
    is_dual: bool
    eigenvalues: Doubles
    vectors: Doubles
    residuals: Doubles
    deviation: float

    @classmethod
    def of(cls, design: Design, kernel: Doubles | None = None) -> RidgeSpectrum:
        """Decompose the smaller of XX' and X'X.

        Parameters
        ----------
        design : Design
            Prepared features, dense.
        kernel : ndarray of shape (n_samples, n_samples), default=None
            XX', where it is known.

        Returns
        -------
        RidgeSpectrum
            The decomposition.
        """
        n_samples, n_features = design.X.shape
        is_dual = n_samples - int(design.centered) <= n_features  # the rank at most
        if is_dual and kernel is not None:
            matrix = kernel
        else:
            X = design.X.astype(np.float64, copy=False)
            matrix = gram_of(X.T if is_dual else X)
        shifted, constant = matrix, np.empty((n_samples, 0))
        if is_dual and design.centered:
            constant = _constant_direction(design)
            matrix, shifted = _apart_from(matrix, constant)
        eigenvalues, vectors = call_interruptibly(eigh, shifted, driver="evd", check_finite=False)
        kept = slice(len(eigenvalues) - constant.shape[1] if is_dual else None)
        eigenvalues, vectors = np.maximum(eigenvalues[kept], 0), vectors[:, kept]
        missed = matrix @ vectors - vectors * eigenvalues
        basis = np.hstack([vectors, constant]) if is_dual else vectors
        off = basis.T @ basis
        off[np.diag_indices_from(off)] -= 1
        return cls(
            design,
            is_dual,
            eigenvalues,
            vectors,
            np.linalg.norm(missed, axis=0),
            float(np.linalg.norm(off)),
        )

    def violation(self, l2: Doubles) -> Doubles:
        """Bound the KKT violation of every target at some strengths.

        Parameters
        ----------
        l2 : ndarray
            Strengths, in the scale of the residual sum of squares.

        Returns
        -------
        ndarray of the shape of `l2`
            Upper bounds for weights in double precision, from what the eigenvectors miss;
            infinite without any penalty on singular features.
        """
        # Of y - (K + l2) U (z / (eigenvalues + l2)), or the same of X'y and X'X.
        distinct, place = np.unique(l2, return_inverse=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = self.residuals / (self.eigenvalues + distinct[:, np.newaxis])
        shares[np.isnan(shares)] = np.inf
        bound = (self.deviation + np.linalg.norm(shares, axis=1))[place]
        if self.is_dual:
            return bound
        norms = self.design.norms
        least = norms.min(initial=np.inf, where=norms > 0)
        return bound * np.sqrt(self.eigenvalues[-1]) / least

    def coordinates(self, images: Floats) -> Doubles:
        """Coordinates (n_eigenvalues, n_targets) of prepared targets.

        Parameters
        ----------
        images : ndarray of shape (n_samples, n_targets)
            Targets, prepared as the features were.

        Returns
        -------
        ndarray of shape (n_eigenvalues, n_targets)
            The coordinates.
        """
        if self.is_dual:
            return self.vectors.T @ images
        X = self.design.X.astype(np.float64, copy=False)
        return self.vectors.T @ (X.T @ images)

    def rows(self, X: Floats) -> Doubles:
        """Map features of some images so that their predictions are these times weighted z.

        Parameters
        ----------
        X : ndarray of shape (n_images, n_features)
            Features, centered on the mean of the design.

        Returns
        -------
        ndarray of shape (n_images, n_eigenvalues)
            Predictions at l2 are ``rows @ (z / (eigenvalues + l2))``.
        """
        left = X @ self.design.X.T if self.is_dual else X
        return np.asarray(left @ self.vectors, dtype=np.float64)

    def weights(self, shrunk: Doubles) -> Floats:
        """Weights of targets.

        Parameters
        ----------
        shrunk : ndarray of shape (n_eigenvalues, n_targets)
            ``z / (eigenvalues + l2)``.

        Returns
        -------
        ndarray of shape (n_targets, n_features)
            The weights, in the type of the features.
        """
        coefficients = (self.vectors @ shrunk).T
        if self.is_dual:  # in double: products in single precision would miss the tolerance
            coefficients = coefficients @ self.design.X.astype(np.float64, copy=False)
        return np.ascontiguousarray(coefficients.astype(self.design.dtype, copy=False))


def _constant_direction(design: Design) -> Doubles:
    """Direction of the intercept, (n_samples, 1)."""
    root = design.root_weight
    constant = np.ones(design.X.shape[0]) if root is None else root.astype(np.float64)
    return (constant / np.linalg.norm(constant))[:, np.newaxis]


def _apart_from(matrix: Doubles, constant: Doubles) -> tuple[Doubles, Doubles]:
    """XX' without what rounding left of a null vector; and with that as its largest eigenvector."""
    left = matrix @ constant
    left -= 0.5 * (constant.T @ left) * constant
    clean = matrix - left @ constant.T - constant @ left.T
    return clean, clean + 2 * (np.linalg.norm(clean) or 1.0) * (constant @ constant.T)
