from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from skalign.utils import Array, Doubles

_Float = TypeVar("_Float", np.float32, np.float64)

def limit_instructions(widest: int) -> int: ...
def solve_block(
    G: NDArray[_Float],
    Q: NDArray[_Float],
    yy: Doubles,
    rounding: float,
    l1: Doubles,
    l2: Doubles,
    positive: bool,
    tol: float,
    max_iter: NDArray[np.int32],
    W: NDArray[_Float],
    n_iter: NDArray[np.int32],
    kkt: Doubles,
    gap: Doubles,
    pivot: Doubles,
    ties: NDArray[np.int32],
    rough: NDArray[np.float32] | None = None,
    rough_unit: float = 1,
) -> None: ...
def quadratic_block(
    G: Array,
    W: Array,
    scale: Doubles,
    quadratic: Doubles,
    aligned: Doubles,
) -> None: ...
