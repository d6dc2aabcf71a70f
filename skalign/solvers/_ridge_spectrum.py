"""Ridge without sign constraints at many strengths: one eigendecomposition for all of them.

With fewer images than features it is that of ``K = XX'``, else that of ``G = X'X``. All strengths
share it; a strength costs one product per target. What it misses of the matrix
bounds the violation of the optimality conditions, for every target at once.
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
        In ascending order, not negative.
    vectors : ndarray of shape (n_samples or n_features, n_eigenvalues)
        Eigenvectors.
    residual : float
        Frobenius norm of what the decomposition misses of the matrix.
    deviation : float
        Frobenius norm of the difference of ``vectors' vectors`` and the identity.

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
    residual: float
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
        is_dual = n_samples < n_features
        if is_dual and kernel is not None:
            matrix = kernel
        else:
            X = design.X.astype(np.float64, copy=False)
            matrix = gram_of(X.T if is_dual else X)
        eigenvalues, vectors = call_interruptibly(eigh, matrix, driver="evd", check_finite=False)
        eigenvalues = np.maximum(eigenvalues, 0)
        missed = matrix - (vectors * eigenvalues) @ vectors.T
        off = vectors.T @ vectors
        off[np.diag_indices_from(off)] -= 1
        return cls(
            design,
            is_dual,
            eigenvalues,
            vectors,
            float(np.linalg.norm(missed)),
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
            Upper bounds for weights in double precision, from what the decomposition misses;
            infinite without any penalty on singular features.
        """
        weakest = self.eigenvalues[0] + l2
        with np.errstate(divide="ignore"):
            growth = self.eigenvalues[-1] / weakest
            bound = self.deviation * (1 + growth) + self.residual / weakest
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
