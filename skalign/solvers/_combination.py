"""How the moments of two sets of images combine into those of their sum or difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skalign.utils import Doubles, Flags, Floats, Indices

if TYPE_CHECKING:
    from skalign.solvers._feature_moments import FeatureMoments

# A difference that keeps no more than this fraction of a squared norm is made of rounding errors.
LOST = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-2}


def nothing() -> Indices:
    """No numbers of features or targets."""
    return np.empty(0, np.intp)


class Combination(NamedTuple):
    """How the moments of two sets of images combine.

    Attributes
    ----------
    sign : int
        1 for a sum, -1 for a difference.
    before, total : float
        Sums of the weights of the first of the two and of the result.
    between : float
        Weight of the outer product of the shifts of the means.
    share : float
        Part of a shift by which a mean moves.
    rounding : float
        Relative difference up to which two means are those of one constant.
    centered : bool
        Whether the first of the two is centered.
    """

    sign: int
    before: float
    total: float
    between: float
    share: float
    rounding: float
    centered: bool

    @classmethod
    def of(cls, a: FeatureMoments, b: FeatureMoments, sign: int) -> Combination:
        check_same_shape(a.gram, b.gram, "features")
        check_digits(a.lost, "features")
        check_digits(b.lost, "features")
        if a.centered and not b.centered:
            raise ValueError(
                "other must be centered to be subtracted from centered moments; got moments "
                "without an intercept. Take both with the same fit_intercept."
            )
        before, total = a.total_weight, a.total_weight + sign * b.total_weight
        eps = np.finfo(np.float64).eps
        if total < -16 * eps * before:
            raise ValueError(
                "other must be a part of the moments that it is subtracted from; got sums of "
                f"weights {a.total_weight:g} and {b.total_weight:g}."
            )
        total = max(total, 16 * eps * before)
        share = b.total_weight / total
        return cls(
            sign=sign,
            before=before,
            total=total,
            between=before * share if a.centered else b.total_weight,
            share=share if a.centered else 0.0,
            # Data are rounded in their own type, means in float64.
            rounding=float(4 * np.finfo(a.gram.dtype).eps + 16 * eps),
            centered=a.centered,
        )

    def shift(self, means: Doubles, other: Doubles, constant: Flags) -> Doubles:
        """Shift of the means; zero where it is rounding, for columns constant in both sets."""
        if not self.centered:
            return np.array(other)
        shift = means - other
        shift[constant & (np.abs(shift) <= self.rounding * np.abs(means))] = 0
        return shift

    def products(
        self,
        A: Floats,
        B: Floats,
        left: Doubles,
        right: Doubles,
    ) -> Floats:
        """Products (n_left, n_right) from those of both sets and the shifts of the means."""
        with np.errstate(over="ignore"):  # the digits of such products are lost
            moved = (self.between * np.outer(left, right)).astype(A.dtype)
        moved += B
        combine = np.add if self.sign > 0 else np.subtract
        return combine(A, moved, out=moved)

    def squares(self, a: Doubles, b: Doubles, shift: Doubles) -> Doubles:
        """Squared norms, from those of both."""
        with np.errstate(over="ignore"):
            return np.maximum(a + self.sign * (b + self.between * shift**2), 0)

    def means(self, means: Doubles, shift: Doubles) -> Doubles:
        """Means of the result."""
        return means - self.sign * self.share * shift

    def lost(self, before: Doubles, after: Doubles, dtype: np.dtype[Any]) -> Indices:
        """Which squared norms lost their digits in a difference."""
        if self.total <= LOST[dtype] * self.before:
            return np.arange(len(before))
        return np.flatnonzero((after <= LOST[dtype] * before) & (before > 0))


def check_digits(lost: Indices, what: str) -> None:
    """Raise ValueError if digits were lost."""
    if lost.size:
        raise ValueError(
            f"moments must have all their digits; got {lost.size} {what} that lost them in a "
            f"difference, first {lost[0]}. Call recomputed with the images that are left."
        )


def check_same_shape(a: Floats, b: Floats, what: str) -> None:
    """Raise ValueError if moments are not those of as many features or targets."""
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(
            f"moments must be of the same {what} and floating type; got {len(a)} and {len(b)} "
            f"{what}, {a.dtype} and {b.dtype}."
        )
