"""Blocks of targets on one design: how they are cut, and how each is solved and certified."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skalign.solvers._certificate import certify_residual
from skalign.solvers._design import Design, check_finite
from skalign.solvers._kernel import solve_block
from skalign.solvers._least_squares import least_squares_solver
from skalign.solvers._penalties import Scale
from skalign.solvers._working_set import solve_working_set

GRAM_BYTES = 2**30
GRAM_FEATURES = 1024  # a Gram this small always pays
GRAM_FEATURES_PER_TARGET = 8


class TargetBlock(NamedTuple):
    """A block of targets, prepared for one design.

    Attributes
    ----------
    prepared : ndarray of shape (n_samples, n_targets) or None
        The centered, weighted targets; None where a Gram is all that is asked.
    q : ndarray of shape (n_targets, n_features)
        Features times targets.
    rounding : ndarray of shape (n_targets,) or None
        Size up to which `q` is rounding; None with `prepared`.
    mean, squared_norms : ndarray of shape (n_targets,)
        Means of the targets; squared norms when centered and weighted.
    """

    prepared: Any
    q: NDArray
    rounding: Any
    mean: NDArray
    squared_norms: NDArray


class BlockSolution(NamedTuple):
    """Weights of a block and their certificates, in the scale of the residual sum of squares."""

    coef: NDArray
    n_iter: NDArray
    kkt: NDArray
    gap: NDArray


class BlockSolver:
    """Solves blocks of targets on one design; what all can share is computed once.

    Parameters
    ----------
    design : Design
        Prepared features.
    scale : Scale
        All strengths that will be asked for.
    n_targets : int
        Number of targets in all blocks.
    positive : bool
        Whether weights must not be negative.
    tol : float
        Bound on the KKT violation.
    max_iter : int
        Bound on the iterations of one target.
    """

    def __init__(
        self,
        design: Design,
        scale: Scale,
        n_targets: int,
        *,
        positive: bool,
        tol: float,
        max_iter: int,
    ) -> None:
        self.design = design
        self.positive, self.tol, self.max_iter = positive, tol, max_iter
        closed = self._closed_form(scale.l1)
        self._least_squares = (
            least_squares_solver(design, scale.l2[closed]) if closed.any() else None
        )
        pays = not closed.all() and gram_pays(design, n_targets)
        self._gram = design.gram() if pays else None

    def _closed_form(self, l1: NDArray) -> NDArray:
        return (l1 == 0) & (not self.positive)

    def prepare(self, Y_block: NDArray, targets: NDArray) -> TargetBlock:
        """Take the products of a block of targets, whose numbers are `targets`, with the features.

        Raises ValueError where a target is not finite.
        """
        if self._gram is not None and self._least_squares is None:
            q, mean, squared_norms = self.design.moments(Y_block)
            check_finite(squared_norms, self.design.dtype, targets)
            return TargetBlock(None, q, None, mean, squared_norms)
        prepared, mean, squared_norms = self.design.targets(Y_block)
        check_finite(squared_norms, self.design.dtype, targets)
        q, rounding = self.design.correlate(prepared, squared_norms)
        return TargetBlock(prepared, q, rounding, mean, squared_norms)

    def solve(self, block: TargetBlock, penalty: Scale, coef: NDArray | None) -> BlockSolution:
        """Solve a block from the weights `coef` (n_targets, n_features), which it may overwrite."""
        closed = self._closed_form(penalty.l1)
        if closed.any() and not closed.all():
            return self._solve_mixed(block, penalty, coef, closed)
        dtype, (n_targets, n_features) = self.design.dtype, block.q.shape
        n_iter = np.ones(n_targets, np.int32)
        if closed.all():
            coef = self._solve_least_squares(block, penalty.l2)
            residual = block.prepared - self.design.predict(coef)
            return self._certified(block, penalty, coef, n_iter, residual)
        if self._gram is not None:
            (solution,) = self._solve_in_gram_space(block, [penalty], coef)
            return solution
        if coef is None:
            coef = np.zeros((n_targets, n_features), dtype)
        residual = solve_working_set(
            self.design, block.prepared, block.q, block.squared_norms, penalty.l1, penalty.l2,
            self.positive, self.tol, self.max_iter, coef, n_iter,
        )  # fmt: skip
        return self._certified(block, penalty, coef, n_iter, residual)

    def path(self, block: TargetBlock, penalties: Sequence[Scale]) -> Iterator[BlockSolution]:
        """Solve a block under one penalty after the other, each from the solution before."""
        if self._gram is not None and self._least_squares is None:
            yield from self._solve_in_gram_space(block, penalties, None)
            return
        coef = None
        for penalty in penalties:
            solution = self.solve(block, penalty, None if coef is None else coef.copy())
            coef = solution.coef
            yield solution

    def _solve_in_gram_space(
        self, block: TargetBlock, penalties: Sequence[Scale], coef: NDArray | None
    ) -> list[BlockSolution]:
        assert self._gram is not None
        return solve_in_gram_space(
            self._gram, block.q, block.squared_norms, penalties, coef,
            positive=self.positive, tol=self.tol, max_iter=self.max_iter,
            rounding=self.design.rounding,
        )  # fmt: skip

    def intercept(self, block: TargetBlock, coef: NDArray) -> NDArray:
        """Intercepts (n_targets,) that go with weights; zeros where none is fitted."""
        return block.mean - coef @ self.design.mean

    def _solve_least_squares(self, block: TargetBlock, l2: NDArray) -> NDArray:
        assert self._least_squares is not None
        coef = self._least_squares(block.prepared, block.q, l2)
        coef[~block.q.any(axis=1)] = 0
        return coef

    def _solve_mixed(
        self, block: TargetBlock, penalty: Scale, coef: NDArray | None, closed: NDArray
    ) -> BlockSolution:
        """A block of which some targets have a closed form, without l1 penalty, and some do not."""
        n_targets, n_features = block.q.shape
        merged = BlockSolution(
            np.empty((n_targets, n_features), self.design.dtype),
            np.empty(n_targets, np.int32),
            np.empty(n_targets),
            np.empty(n_targets),
        )
        for part in (closed, ~closed):
            some = TargetBlock(
                None if block.prepared is None else block.prepared[:, part],
                block.q[part],
                None if block.rounding is None else block.rounding[part],
                block.mean[part],
                block.squared_norms[part],
            )
            of_some = Scale(penalty.l1[part], penalty.l2[part], penalty.unit)
            start = None if coef is None else coef[part]
            for whole, piece in zip(merged, self.solve(some, of_some, start), strict=True):
                whole[part] = piece
        return merged

    def _certified(
        self,
        block: TargetBlock,
        penalty: Scale,
        coef: NDArray,
        n_iter: NDArray,
        residual: NDArray,
    ) -> BlockSolution:
        certificate = certify_residual(
            self.design, residual, coef, Scale(penalty.l1, penalty.l2, 1.0),
            block.squared_norms, self.positive,
        )  # fmt: skip
        return BlockSolution(coef, n_iter, certificate.kkt_violation, certificate.dual_gap)


def solve_in_gram_space(
    gram: NDArray,
    q: NDArray,
    squared_norms: NDArray,
    penalties: Sequence[Scale],
    coef: NDArray | None,
    *,
    positive: bool,
    tol: float,
    max_iter: int,
    rounding: float | None = None,
) -> list[BlockSolution]:
    """Solve a block by the kernel under one penalty after the other, from the weights `coef`.

    `rounding` bounds the errors of the products over the norms of their factors.
    """
    if rounding is None:
        rounding = 1024 * float(np.finfo(q.dtype).eps)
    shape = len(penalties), q.shape[0]
    weights = np.empty((*shape, q.shape[1]), q.dtype)
    weights[0] = 0 if coef is None else coef
    n_iter, kkt, gap = np.empty(shape, np.int32), np.empty(shape), np.empty(shape)
    pivot, ties = np.empty(shape), np.empty(shape, np.int32)
    solve_block(
        gram, q, squared_norms, rounding, np.array([penalty.l1 for penalty in penalties]),
        np.array([penalty.l2 for penalty in penalties]), positive, tol,
        np.full(q.shape[0], max_iter, np.int32), weights, n_iter, kkt, gap, pivot, ties,
    )  # fmt: skip
    return [BlockSolution(*of_alpha) for of_alpha in zip(weights, n_iter, kkt, gap, strict=True)]


def gram_pays(design: Design, n_targets: int) -> bool:
    """Whether the Gram of all features costs less than the work left to do."""
    n_features = design.X.shape[1]
    return n_features <= GRAM_FEATURES or (
        n_features <= GRAM_FEATURES_PER_TARGET * n_targets
        and n_features**2 * design.dtype.itemsize <= GRAM_BYTES
    )
