"""A hypothesis strategy for whole encoding problems."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from skalign.testing._strategies import (
    UP_TO_4,
    UP_TO_8,
    Floats,
    Size,
    draw_n_images,
    draw_size,
    draw_value,
    features,
    targets,
    weights,
)
from skalign.utils import Array


class EncodingProblem(NamedTuple):
    """What a linear map is fitted to, and weights that it might have.

    A named tuple, so that ``measure(*problem)`` works.

    Parameters
    ----------
    features : ndarray of shape (n_images, n_units)
        Responses of the units.
    targets : ndarray of shape (n_images, n_targets)
        Responses to be reached.
    weights : ndarray of shape (n_targets, n_units)
        Weights in scikit-learn's layout; not those that fit the targets.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.testing import EncodingProblem
    >>> problem = EncodingProblem(np.eye(3, 2), np.ones((3, 1)), np.array([[1.0, 0.5]]))
    >>> features, targets, weights = problem
    >>> problem.weights.shape
    (1, 2)
    """

    features: Array
    targets: Array
    weights: Array


@st.composite
def encoding_problems(
    draw: st.DrawFn,
    *,
    n_images: Size | None = None,
    n_units: Size = UP_TO_8,
    n_targets: Size = UP_TO_4,
    positive: bool = False,
    sparse: bool = False,
    dtype: Floats = np.float64,
    degenerate: bool = True,
) -> EncodingProblem:
    """Small encoding problems: features, targets and weights that fit in shape.

    Parameters
    ----------
    n_images : int or strategy of int, default=None
        Number of images. By default 1 to 8; 2 to 8 more than there are units unless
        `degenerate`, so that the features have full rank, centered too.
    n_units : int or strategy of int, default=integers(1, 8)
        Number of units.
    n_targets : int or strategy of int, default=integers(1, 4)
        Number of targets.
    positive : bool, default=False
        Whether no weight is negative.
    sparse : bool, default=False
        Whether most weights are zero. The array is dense all the same.
    dtype : {float64, float32} or strategy of these, default=float64
        Type of all three arrays.
    degenerate : bool, default=True
        Whether the problem may have what breaks a hasty implementation, see :func:`features`,
        :func:`targets` and :func:`weights`.

    Returns
    -------
    SearchStrategy of EncodingProblem
        Named tuples of ``features`` (n_images, n_units), ``targets`` (n_images, n_targets) and
        ``weights`` (n_targets, n_units).

    See Also
    --------
    features, targets, weights : Strategies for one array.

    Examples
    --------
    >>> from hypothesis import given
    >>> from skalign.testing import encoding_problems
    >>> @given(encoding_problems(positive=True))
    ... def test_positive_weights_keep_positive_features_positive(problem):
    ...     assert (abs(problem.features) @ problem.weights.T >= 0).all()
    >>> test_positive_weights_keep_positive_features_positive()
    """
    drawn_units = draw_size(draw, n_units, "n_units")
    drawn_targets = draw_size(draw, n_targets, "n_targets")
    drawn_images = draw_n_images(draw, n_images, drawn_units, degenerate)
    drawn_dtype = draw_value(draw, dtype)
    common = {"dtype": drawn_dtype, "degenerate": degenerate}
    return EncodingProblem(
        draw(features(drawn_images, drawn_units, **common)),
        draw(targets(drawn_images, drawn_targets, **common)),
        draw(weights(drawn_targets, drawn_units, positive=positive, sparse=sparse, **common)),
    )
