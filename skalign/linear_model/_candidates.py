"""The candidates of a cross-validation: strengths of the penalty times shares of its l1 part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from skalign.solvers import Design, Penalty, alpha_max, check_alphas, l1_alphas, l2_alphas
from skalign.utils import Doubles, Flags, Floats, Indices, check_flag


@dataclass(frozen=True, eq=False)
class CandidateGrid:
    """Candidates of a cross-validation, from the strongest penalty to the weakest.

    Candidates come in steps, from the strongest alpha down. A step has a candidate for every
    l1_ratio, from the largest, sparsest one down. Tables of alphas therefore have the shape
    (n_steps, n_l1_ratios, n_targets), and tables of scores (n_candidates, n_targets).

    Attributes
    ----------
    penalty : {"ols", "ridge", "lasso", "elasticnet"}
        Penalty.
    positive : bool
        Whether weights must not be negative.
    n_steps : int
        Number of alphas for every l1_ratio.
    l1_ratios : ndarray of shape (n_l1_ratios,)
        Shares of the l1 penalty in descending order; 1 for "lasso", 0 for "ridge" and "ols".
    alphas : tuple of n_l1_ratios, each an ndarray of shape (n_steps, 1 or n_targets) or None
        Alphas in descending order, for every l1_ratio; None where each target gets alphas that suit
        it.
    alpha_per_target : bool
        Whether every target has a choice of its own.
    """

    penalty: Penalty
    positive: bool
    n_steps: int
    l1_ratios: Doubles
    alphas: tuple[Doubles | None, ...]
    alpha_per_target: bool

    @classmethod
    def of(
        cls,
        penalty: Penalty,
        alphas: int | ArrayLike,
        l1_ratio: float | ArrayLike,
        *,
        positive: bool,
        alpha_per_target: bool,
        n_targets: int,
    ) -> CandidateGrid:
        """Check the parameters of an encoder that chooses among candidates.

        Raises TypeError or ValueError where one is not valid: its name is in the message.
        """
        check_flag(alpha_per_target, "alpha_per_target")
        if penalty not in get_args(Penalty):
            names = ", ".join(get_args(Penalty))
            raise ValueError(f"penalty must be one of {names}; got {penalty!r}.")
        given = check_alphas(alphas, n_targets)
        if not isinstance(given, int) and given.shape[1] > 1 and not alpha_per_target:
            raise ValueError(
                "alphas must be 1-D with alpha_per_target=False, one grid for all targets; got "
                f"shape {given.shape}."
            )
        if penalty == "ols":
            given = np.zeros((1, 1))
        ratios = _check_l1_ratios(penalty, l1_ratio)
        return cls(
            penalty,
            positive,
            n_steps=given if isinstance(given, int) else len(given),
            l1_ratios=ratios,
            alphas=(None if isinstance(given, int) else given,) * len(ratios),
            alpha_per_target=alpha_per_target,
        )

    @property
    def n_candidates(self) -> int:
        """Number of candidates."""
        return self.n_steps * len(self.l1_ratios)

    @property
    def l1_ratio_of_candidates(self) -> Doubles:
        """The l1_ratio (n_candidates,) of every candidate."""
        return np.tile(self.l1_ratios, self.n_steps)

    @property
    def has_l1_penalty(self) -> bool:
        """Whether every candidate has one. Without signs, the others are closed forms."""
        given = (alphas is None or bool(alphas.all()) for alphas in self.alphas)
        return bool(self.l1_ratios.all()) and all(given)

    @property
    def has_no_l1_penalty(self) -> bool:
        """Whether no candidate has one, whatever its alpha."""
        return not self.l1_ratios.any()

    @property
    def needs_all_targets(self) -> bool:
        """Whether alphas that suit all targets together are still to be found."""
        return not self.alpha_per_target and any(alphas is None for alphas in self.alphas)

    def take(self, targets: Indices) -> CandidateGrid:
        """The same candidates for some of the targets."""
        return replace(
            self,
            alphas=tuple(
                alphas if alphas is None or alphas.shape[1] == 1 else alphas[:, targets]
                for alphas in self.alphas
            ),
        )

    def fitted_to(self, design: Design) -> CandidateGrid:
        """The same candidates, with the alphas that features alone decide: those without l1."""
        found = tuple(
            l2_alphas(self.n_steps, design, self.penalty)
            if alphas is None and not ratio
            else alphas
            for alphas, ratio in zip(self.alphas, self.l1_ratios, strict=True)
        )
        return replace(self, alphas=found)

    def shared(self, tables: Sequence[Doubles]) -> CandidateGrid:
        """The same candidates for all targets: at every step the largest alpha of any of them.

        `tables` are the alphas of all blocks, each (n_steps, n_l1_ratios, n_block).
        """
        largest = np.max([table.max(axis=2) for table in tables], axis=0)
        return replace(self, alphas=tuple(alphas[:, np.newaxis] for alphas in largest.T))

    def alphas_of_block(self, design: Design, q: Floats, block: slice) -> Doubles:
        """Alphas (n_steps, n_l1_ratios, n_block) of targets whose products with features are q."""
        tables = []
        for alphas, l1_ratio in zip(self.alphas, self.l1_ratios, strict=True):
            if alphas is None:
                found = l1_alphas(
                    self.n_steps,
                    q,
                    design.norms,
                    self.penalty,
                    l1_ratio,
                    positive=self.positive,
                    total_weight=design.total_weight,
                )
            else:
                found = alphas if alphas.shape[1] == 1 else alphas[:, block]
            tables.append(np.broadcast_to(found, (self.n_steps, len(q))))
        return np.stack(tables, axis=1)

    def empty_on_all(self, alphas: Doubles, q: Floats, total_weight: float) -> Flags:
        """Whether a fit to all samples is empty, for every candidate (n_candidates, n_block).

        A fold may have weights at an alpha at which all samples together have none.
        """
        is_empty = np.zeros(alphas.shape, bool)
        for k in np.flatnonzero(self.l1_ratios):
            least = alpha_max(
                q,
                self.penalty,
                self.l1_ratios[k],
                positive=self.positive,
                total_weight=total_weight,
            )
            is_empty[:, k] = alphas[:, k] >= (1 - 1e-12) * least
        return is_empty.reshape(self.n_candidates, -1)


def _check_l1_ratios(penalty: Penalty, l1_ratio: Any) -> Doubles:
    if penalty != "elasticnet":
        return np.array([1.0 if penalty == "lasso" else 0.0])
    rule = f"l1_ratio must be a number between 0 and 1 or a 1-D array of them; got {l1_ratio!r}."
    ratios = np.atleast_1d(np.asarray(l1_ratio, dtype=object))
    if not all(isinstance(one, Real) and not isinstance(one, bool) for one in ratios.flat):
        raise TypeError(rule)
    if ratios.ndim != 1 or not ratios.size or not all(0 <= one <= 1 for one in ratios):
        raise ValueError(rule)
    return -np.sort(-ratios.astype(np.float64))
