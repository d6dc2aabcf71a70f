"""How targets are cut into blocks."""

from __future__ import annotations

from collections.abc import Iterator

from skalign.solvers._design import Design

BLOCKS = 16  # a problem is cut into at most about this many blocks, however many workers there are
BLOCK_TARGETS = 64  # but no finer than half of this
BLOCK_BYTES = 2**25  # and no coarser: bounds the working memory of a worker


def target_blocks(
    design: Design, n_targets: int, n_copies: int = 1, *, through_columns: bool = False
) -> Iterator[slice]:
    """Cut targets into blocks, the same for any number of workers, so that results are too.

    Up to rounding: BLAS splits a product by its own number of threads.

    Parameters
    ----------
    design : Design
        Prepared features.
    n_targets : int
        Number of targets.
    n_copies : int, default=1
        Number of sets of weights that a worker holds at a time.
    through_columns : bool, default=False
        Whether targets are solved over the few features that become active.

    Yields
    ------
    slice
        The targets of a block.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import Design, target_blocks
    >>> design = Design.prepare(np.eye(3), sample_weight=None, center=True)
    >>> list(target_blocks(design, 100))
    [slice(0, 50, None), slice(50, 100, None)]
    """
    n_samples, n_features = design.X.shape
    numbers_each = 3 * n_samples + (2 + n_copies) * n_features
    if through_columns:
        # Correlations in single precision; the zeros of one set of weights are never written.
        numbers_each = 3 * n_samples + n_copies * n_features - n_features // 2
    yield from cut_targets(n_targets, numbers_each * design.dtype.itemsize)


def cut_targets(n_targets: int, bytes_each: int, finest: int | None = None) -> Iterator[slice]:
    """Cut targets into blocks of bounded memory and of nearly equal size.

    If there are several, their number is even, so that two workers end together. Only targets that
    are blocks of their own may be odd in number.

    Parameters
    ----------
    n_targets : int
        Number of targets.
    bytes_each : int
        What a worker holds for each target.
    finest : int, default=None
        Number of targets, by default 64, that are not cut where memory allows: no block has fewer
        than half of it.

    Yields
    ------
    slice
        The targets of a block.

    Examples
    --------
    >>> from skalign.solvers import cut_targets
    >>> list(cut_targets(100, bytes_each=8))
    [slice(0, 50, None), slice(50, 100, None)]
    """
    most = max(1, BLOCK_BYTES // bytes_each)
    size = min(most, max(finest or BLOCK_TARGETS, -(-n_targets // BLOCKS)))
    n_blocks = -(-n_targets // size)
    if 1 < n_blocks < n_targets:
        n_blocks += n_blocks % 2
    for k in range(n_blocks):
        yield slice(k * n_targets // n_blocks, (k + 1) * n_targets // n_blocks)
