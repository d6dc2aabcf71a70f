"""A block of targets on one design: through moments where a Gram serves, else through images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from skalign.solvers._design import Design
from skalign.solvers._feature_moments import FeatureMoments
from skalign.solvers._gram_space import has_closed_form, solve_in_gram_space
from skalign.solvers._image_solver import ImageSolver
from skalign.solvers._moments import Moments
from skalign.solvers._penalties import PenaltyStrengths
from skalign.solvers._prepared_targets import PreparedTargets
from skalign.solvers._range import OutOfRangeError
from skalign.solvers._solution import Solution, empty_solution, put_solution
from skalign.solvers._units import (
    solution_in_units,
    strengths_in_units,
    targets_in_range,
)
from skalign.utils import Array, Floats, Indices

GRAM_BYTES = 2**30
GRAM_FEATURES = 1024  # a Gram this small always pays
FEATURES_PER_IMAGE = 5  # from here on residuals of nonnegative ridge are the fewer unknowns

# What a target costs that goes through columns, measured where a hundred features are active.
ROUNDS = 8  # products with all features
TRIED = 512  # features whose products are taken; fewer where there are few images
CALLS = 1.5e7  # multiplications in the time of what is not one


class BlockSolver:
    """Solves blocks of targets on one design; what all can share is computed once.

    Parameters
    ----------
    design : Design
        Prepared features.
    strengths : PenaltyStrengths
        All strengths that will be asked for.
    n_targets : int
        Number of targets in all blocks.
    positive : bool
        Whether weights must not be negative.
    tol : float
        Bound on the KKT violation.
    max_iter : int
        Bound on the iterations of one target.
    features : FeatureMoments, default=None
        Moments of the design, if they are known. Else they are taken where a Gram pays.

    Attributes
    ----------
    through_columns : bool
        Whether all targets are solved over the features that become active, which are few.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import BlockSolver, Design, penalty_strengths
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 200))
    >>> design = Design.prepare(X, sample_weight=None, center=True)
    >>> strengths = penalty_strengths("lasso", 0.1, 0.5, n_targets=200, total_weight=30.0)
    >>> solver = BlockSolver(design, strengths, 200, positive=True, tol=1e-7, max_iter=1000)
    >>> block = slice(100, 150)
    >>> (solution,) = solver.path(Y[:, block], [strengths.take(block)])
    >>> solution.coef.shape
    (50, 4)
    """

    def __init__(
        self,
        design: Design,
        strengths: PenaltyStrengths,
        n_targets: int,
        *,
        positive: bool,
        tol: float,
        max_iter: int,
        features: FeatureMoments | None = None,
    ) -> None:
        self._design = design
        self._positive, self._tol, self._max_iter = positive, tol, max_iter
        if design.exponent:
            no_units = np.zeros(len(strengths.l1), int)
            strengths = strengths_in_units(strengths, design.exponent, no_units)
        closed = has_closed_form(strengths, positive=positive)
        self._images = ImageSolver(
            design, strengths.l2[closed], positive=positive, tol=tol, max_iter=max_iter
        )
        self._only_moments = not closed.any()
        is_closed = bool((closed | strengths.empty).all())
        l1, l2 = strengths.l1[~strengths.empty], strengths.l2[~strengths.empty]
        is_ridge = positive and bool((l1 == 0).all() and (l2 > 0).all())
        self._by_residuals = is_ridge and _residuals_pay(design)
        if is_closed or self._by_residuals:
            features = None
        elif features is None and gram_pays(design, n_targets):
            features = FeatureMoments.of(design)
        self._features = features
        if features is not None:
            features.rough_gram  # noqa: B018 - made once, before workers ask for it together
        self.through_columns = self._only_moments and features is None and not self._by_residuals
        is_combined = is_closed and not self._images.needs_products
        self._needs_products = not (self.through_columns or is_combined)

    def path(
        self,
        Y_block: Array,
        penalties: Sequence[PenaltyStrengths],
        *,
        numbers: Indices | None = None,
    ) -> Iterator[Solution]:
        """Solve a block under one penalty after the other, each from the solution before.

        Parameters
        ----------
        Y_block : ndarray of shape (n_samples, n_block)
            Targets.
        penalties : sequence of PenaltyStrengths
            Strengths for the block, in the order of the path.
        numbers : ndarray of int of shape (n_block,), default=None
            Numbers of the targets, for errors; counted from 0 by default.

        Yields
        ------
        Solution
            Weights of the block under a penalty.

        Raises
        ------
        ValueError
            If a target is not finite.
        """
        yield from self.path_of(self.prepare(Y_block, numbers), penalties)

    def prepare(
        self, Y_block: Array, numbers: Indices | None, *, needs_products: bool = False
    ) -> PreparedTargets:
        """Center and weight a block of targets, and multiply it with the features if need be.

        Parameters
        ----------
        Y_block : ndarray of shape (n_samples, n_block)
            Targets.
        numbers : ndarray of int of shape (n_block,) or None
            Numbers of the targets, for errors.
        needs_products : bool, default=False
            Whether the products are asked for even if the way to a solution does without them.

        Returns
        -------
        PreparedTargets
            All that the block is solved from.
        """
        products = needs_products or self._needs_products
        try:
            return self._prepare(Y_block, numbers, products)
        except OutOfRangeError:
            if not np.isfinite(Y_block).all():
                raise
            Y_block, exponents = targets_in_range(Y_block)
            return self._prepare(Y_block, numbers, products)._replace(exponents=exponents)

    def _prepare(self, Y_block: Array, numbers: Indices | None, products: bool) -> PreparedTargets:
        design = self._design
        if self._features is not None and self._only_moments:
            return PreparedTargets(*design.moments(Y_block, numbers), raw=Y_block)
        images, means, squared_norms = design.targets(Y_block, numbers)
        q = np.empty((len(means), 0), design.dtype)
        if products:
            q, _ = design.correlate(images, squared_norms)
        return PreparedTargets(q, means, squared_norms, images)

    def path_of(
        self, targets: PreparedTargets, penalties: Sequence[PenaltyStrengths]
    ) -> Iterator[Solution]:
        """Solve prepared targets under one penalty after the other.

        Parameters
        ----------
        targets : PreparedTargets
            The block.
        penalties : sequence of PenaltyStrengths
            Its strengths, in the order of the path.

        Yields
        ------
        Solution
            Weights of the block under a penalty.
        """
        if self._features is not None and self._only_moments:
            penalties = [self._in_units(targets, penalty) for penalty in penalties]
            for solution in self._solve_in_gram_space(targets, penalties, None):
                yield self._in_numbers(targets, solution)
            return
        coef, sets = None, None
        for penalty in penalties:
            penalty = self._in_units(targets, penalty)
            if self.through_columns and not penalty.empty.any():
                sets = sets or self._images.working_sets(targets, coef)
                solution = self._images.through_columns(targets, penalty, sets)
            else:
                sets = None
                solution = self._solve(targets, penalty, None if coef is None else coef.copy())
            coef = solution.coef
            yield self._in_numbers(targets, solution)

    def solve(
        self, targets: PreparedTargets, penalty: PenaltyStrengths, coef: Floats | None
    ) -> Solution:
        """Solve a block under one penalty.

        Parameters
        ----------
        targets : PreparedTargets
            The block.
        penalty : PenaltyStrengths
            Its strengths.
        coef : ndarray of shape (n_block, n_features) or None
            Weights to start from.

        Returns
        -------
        Solution
            Weights of the block.
        """
        if coef is not None:
            coef = np.array(coef, dtype=self._design.dtype, order="C")
            if self._units_matter(targets):
                shift = self._design.exponent - np.broadcast_to(targets.exponents, len(coef))
                coef = np.nan_to_num(np.ldexp(coef, shift[:, None]))
        solution = self._solve(targets, self._in_units(targets, penalty), coef)
        return self._in_numbers(targets, solution)

    def _units_matter(self, targets: PreparedTargets) -> bool:
        exponents = targets.exponents
        of_targets = exponents if isinstance(exponents, int) else exponents.any()
        return bool(self._design.exponent or of_targets)

    def _in_units(self, targets: PreparedTargets, penalty: PenaltyStrengths) -> PenaltyStrengths:
        if not self._units_matter(targets):
            return penalty
        of_targets = np.broadcast_to(targets.exponents, len(targets.means))
        return strengths_in_units(penalty, self._design.exponent, of_targets)

    def _in_numbers(self, targets: PreparedTargets, solution: Solution) -> Solution:
        if not self._units_matter(targets):
            return solution
        of_targets = np.broadcast_to(targets.exponents, len(targets.means))
        return solution_in_units(solution, self._design.exponent, of_targets)

    def _solve(
        self, targets: PreparedTargets, penalty: PenaltyStrengths, coef: Floats | None
    ) -> Solution:
        closed = has_closed_form(penalty, positive=self._positive)
        others = ~closed & ~penalty.empty
        if closed.all():
            return self._images.least_squares(targets, penalty)
        if others.all():
            if self._features is not None:
                (solution,) = self._solve_in_gram_space(targets, [penalty], coef)
                return solution
            if self._by_residuals:
                return self._images.through_residuals(targets, penalty, coef)
            sets = self._images.working_sets(targets, coef)
            return self._images.through_columns(targets, penalty, sets)
        n_features, dtype = len(self._design.norms), self._design.dtype
        merged = empty_solution(targets.means, n_features, dtype)
        for some in (closed, others):
            if some.any():
                start = None if coef is None else coef[some]
                part = self._solve(targets.take(some), penalty.take(some), start)
                put_solution(merged, some, part)
        return merged

    def _solve_in_gram_space(
        self,
        targets: PreparedTargets,
        penalties: Sequence[PenaltyStrengths],
        coef: Floats | None,
    ) -> list[Solution]:
        assert self._features is not None
        return solve_in_gram_space(
            Moments(self._features, targets.q, targets.means, targets.squared_norms),
            penalties,
            coef,
            positive=self._positive,
            tol=self._tol,
            max_iter=self._max_iter,
            columns=self._images.columns,
            polish=partial(self._images.polish, targets),
        )


def gram_pays(
    design: Design,
    n_targets: int,
    *,
    n_images: int | None = None,
    nonnegative_ridge: bool = False,
) -> bool:
    """Decide whether the Gram of all features costs less than solving every target without it.

    Both are estimated in multiplications: half those of all pairs of features for the Gram, which
    must also fit into a bounded memory; some products with all features for every target, and
    those of the features it tries among themselves. A Gram of few features always pays, except
    under nonnegative ridge on far fewer images: half of the features would be active, and the
    residuals of a target are fewer unknowns.

    Parameters
    ----------
    design : Design
        Prepared features.
    n_targets : int
        Number of targets.
    n_images : int, default=None
        Number of images whose products make the Gram; by default those of the design.
    nonnegative_ridge : bool, default=False
        Whether weights must not be negative and the penalty is ridge alone.

    Returns
    -------
    bool
        Whether it does.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.solvers import Design, gram_pays
    >>> gram_pays(Design.prepare(np.eye(3), sample_weight=None, center=True), n_targets=1)
    True
    """
    n_samples, n_features = design.X.shape
    if nonnegative_ridge and _residuals_pay(design):
        return False
    if n_features <= GRAM_FEATURES:
        return True
    tried = min(TRIED, n_samples // 3, n_features)
    of_gram = 0.5 * (n_images or n_samples) * n_features**2
    of_target = n_samples * (ROUNDS * n_features + 0.5 * tried**2) + CALLS
    fits: bool = n_features**2 * design.dtype.itemsize <= GRAM_BYTES
    return fits and of_gram <= n_targets * of_target


def _residuals_pay(design: Design) -> bool:
    """Whether nonnegative ridge is solved for residuals instead of weights."""
    n_samples, n_features = design.X.shape
    return not design.is_sparse and n_features >= FEATURES_PER_IMAGE * n_samples
