"""Quadratic forms of weights, over their active features where these are few."""

import numpy as np

from skalign.solvers._kernel import quadratic_block
from skalign.utils import Doubles, Floats

# From this fraction of active features on, a dense product is faster than one over those alone.
DENSE = 0.25


def quadratic_forms(gram: Floats, coef: Floats, factors: Doubles) -> tuple[Doubles, Doubles]:
    """Compute what predictions vary by, and what they share with the features behind them.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
        ``X'X``.
    coef : ndarray of shape (n_targets, n_features)
        Weights w of every target.
    factors : ndarray of shape (n_features,)
        A factor f for each feature, such as one over its norm.

    Returns
    -------
    quadratic : ndarray of shape (n_targets,)
        ``w'X'Xw``, the squared norms of the predictions.
    aligned : ndarray of shape (n_targets,)
        Sum over features of ``|w_i| f_i (X'Xw)_i``.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import quadratic_forms
    >>> gram, coef = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, -1.0], [0.0, 2.0]])
    >>> quadratic_forms(gram, coef, np.ones(2))
    (array([ 3., 12.]), array([-1., 12.]))
    """
    if np.count_nonzero(coef != 0) > DENSE * coef.size:  # flags are counted faster than numbers
        reached = coef @ gram
        quadratic = np.einsum("ij,ij->i", coef, reached, dtype=np.float64)
        return quadratic, (np.abs(coef) * reached) @ factors
    quadratic, aligned = np.empty(len(coef)), np.empty(len(coef))
    quadratic_block(gram, coef, factors, quadratic, aligned)
    return quadratic, aligned
