"""Alignment of every alpha of a path, on given images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils.extmath import safe_sparse_dot

from skalign.metrics import Alignment, LinearMap, alignment_of_maps, check_responses, pearson_r


def alignments_along(
    path: Any, X: Any, y: ArrayLike, *, center: bool, sample_weight: ArrayLike | None
) -> list[Alignment]:
    """Score the weights of every alpha, in the order of the path."""
    X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], input_name="X")
    y_test = check_responses(y, "y")
    found = []
    for k in range(len(path.n_active)):
        coef = path.coef_at(k)
        if coef.shape[1] != X.shape[1]:
            raise ValueError(
                f"X must have the {coef.shape[1]} features that the path was fitted to; got "
                f"{X.shape[1]}."
            )
        predicted = safe_sparse_dot(X, coef.T, dense_output=True) + path.intercept[k]
        found.append(
            alignment_of_maps(
                [LinearMap(X, predicted, y_test, coef)],
                pearson_r(y, predicted, sample_weight=sample_weight),
                center=center,
                sample_weight=sample_weight,
                target_names=None,
            )
        )
    return found
