"""How targets are cut into blocks."""

from __future__ import annotations

from collections.abc import Iterator

from skalign.solvers._design import Design

BLOCKS = 16  # a problem is cut into at most about this many blocks, however many workers there are
BLOCK_TARGETS = 64  # but no finer than this
BLOCK_BYTES = 2**25  # and no coarser: bounds the working memory of a worker


def target_blocks(design: Design, n_targets: int, n_copies: int = 1) -> Iterator[slice]:
    """Blocks of targets; the same for any number of workers, so that results are too.

    Up to rounding: BLAS splits a product by its own number of threads. `n_copies` is how many
    sets of weights a worker holds at a time.
    """
    n_samples, n_features = design.X.shape
    bytes_each = (3 * n_samples + (2 + n_copies) * n_features) * design.dtype.itemsize
    most = max(1, BLOCK_BYTES // bytes_each)
    size = min(most, max(BLOCK_TARGETS, -(-n_targets // BLOCKS)))
    for start in range(0, n_targets, size):
        yield slice(start, min(start + size, n_targets))
