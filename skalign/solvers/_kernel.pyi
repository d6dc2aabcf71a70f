from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Float = TypeVar("_Float", np.float32, np.float64)

def solve_block(
    G: NDArray[_Float],
    Q: NDArray[_Float],
    yy: NDArray[np.float64],
    rounding: float,
    l1: NDArray[np.float64],
    l2: NDArray[np.float64],
    positive: bool,
    tol: float,
    max_iter: NDArray[np.int32],
    W: NDArray[_Float],
    n_iter: NDArray[np.int32],
    kkt: NDArray[np.float64],
    gap: NDArray[np.float64],
    pivot: NDArray[np.float64],
    ties: NDArray[np.int32],
) -> None: ...
def quadratic_block(
    G: NDArray[Any],
    W: NDArray[Any],
    scale: NDArray[np.float64],
    quadratic: NDArray[np.float64],
    aligned: NDArray[np.float64],
) -> None: ...
