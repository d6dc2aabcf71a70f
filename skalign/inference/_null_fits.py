"""Encoders refitted to null features or shuffled responses, all from second moments.

For null features X N, where N picks columns or rotates them, ``X'X`` becomes ``N'X'X N`` and
``X'y`` becomes ``N'X'y``: a refit looks at no image. What the fit predicts for the test images is
judged from their moments in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from skalign.metrics import Alignment
from skalign.metrics._gram_alignment import alignment_of_moments
from skalign.solvers import FeatureMoments, Moments, Penalty, penalty_strengths, solve_moments
from skalign.solvers._alpha_grids import alpha_max, l1_share
from skalign.solvers._design import Design
from skalign.solvers._fold import TargetMoments

SEARCH_SPAN = 1e-3  # the weakest alpha of a search, as a share of the strongest
SEARCH_STEPS = 16  # halvings of that range, in the logarithm


@dataclass(frozen=True, eq=False)
class Features:
    """Features over one set of images.

    Attributes
    ----------
    gram : ndarray of shape (n_units, n_units) or None
        Their Gram, weighted and centered as the design is; None where only parts of it are formed.
    mean : ndarray of shape (n_units,)
        Their means; zeros where they are not centered.
    design : Design
        The images themselves, of all units; `take` and `rotate` leave them as they are.
    """

    gram: Any
    mean: NDArray
    design: Design

    @classmethod
    def prepare(
        cls, X: Any, *, sample_weight: NDArray | None, center: bool, keep_gram: bool
    ) -> Features:
        """Center and weight `X`."""
        design = Design.prepare(X, sample_weight=sample_weight, center=center)
        return cls(design.gram() if keep_gram else None, design.mean, design)

    def moments(self, Y_block: NDArray) -> TargetMoments:
        """Products of a block of targets with the features."""
        return TargetMoments(*self.design.moments(Y_block))

    def take(self, units: NDArray[np.intp]) -> Features:
        """Some of the units."""
        if self.gram is None:
            columns = self.design.columns(units)
            gram = np.ascontiguousarray(columns.T @ columns)
        else:
            gram = np.ascontiguousarray(self.gram[np.ix_(units, units)])
        return Features(gram, self.mean[units], self.design)

    def rotate(self, rotation: NDArray) -> Features:
        """The features times a rotation."""
        gram = np.ascontiguousarray(rotation.T @ self.gram @ rotation)
        return Features(gram, self.mean @ rotation, self.design)

    @cached_property
    def moments_half(self) -> FeatureMoments:
        """The Gram and the means, as solvers take them."""
        return FeatureMoments(
            gram=self.gram,
            means=self.mean,
            norms=np.sqrt(np.maximum(self.gram.diagonal().astype(np.float64), 0)),
            total_weight=self.design.total_weight,
            centered=self.design.centered,
            rounding=self.design.rounding,
        )

    @cached_property
    def spectrum(self) -> tuple[NDArray, NDArray]:
        """Eigenvalues and eigenvectors of the Gram, without those that are rounding."""
        values, vectors = eigh(self.gram, check_finite=False)
        kept = values > len(values) * np.finfo(values.dtype).eps * values.max(initial=0)
        return values[kept], vectors[:, kept]


Sides = tuple[Features, Features]  # over the images to fit, and over those to score
SidesOfTargets = tuple[TargetMoments, TargetMoments]


class Fit(NamedTuple):
    """Weights (n_targets, n_units), and their violations of the optimality conditions."""

    coef: NDArray
    kkt: NDArray


@dataclass(frozen=True, eq=False)
class GramEncoder:
    """An encoder of a block of targets that fits in Gram space.

    Attributes
    ----------
    penalty, positive, tol, max_iter
        As in the encoder.
    alpha, l1_ratio : ndarray of shape (n_targets,)
        Strength and share of the l1 penalty of every target.
    total_weight : float
        Sum of the weights of the training images.
    """

    penalty: Penalty
    alpha: NDArray
    l1_ratio: NDArray
    positive: bool
    tol: float
    max_iter: int
    total_weight: float

    def of(self, targets: Any) -> GramEncoder:
        """The encoder of some of the targets."""
        return replace(self, alpha=self.alpha[targets], l1_ratio=self.l1_ratio[targets])

    def fit(self, features: Features, moments: TargetMoments, start: NDArray | None = None) -> Fit:
        """Weights and their KKT violations, from the weights `start`."""
        scale = penalty_strengths(
            self.penalty, self.alpha, self.l1_ratio, n_targets=self.alpha.size,
            total_weight=self.total_weight,
        )  # fmt: skip
        if self.positive or scale.l1.all():
            found = solve_moments(
                Moments(features.moments_half, moments.q, moments.mean, moments.squared_norms),
                self.penalty,
                self.alpha,
                l1_ratio=self.l1_ratio,
                positive=self.positive,
                coef_init=start,
                tol=self.tol,
                max_iter=self.max_iter,
                n_jobs=1,
            )
            return Fit(found.coef, found.kkt_violation)
        if scale.l1.any():
            return self._fit_mixed(features, moments, scale.l1 == 0)
        values, vectors = features.spectrum  # of minimum norm where not unique
        coef = (moments.q @ vectors) / (values + scale.l2[:, None]) @ vectors.T
        return Fit(coef.astype(moments.q.dtype), np.zeros(len(coef)))

    def _fit_mixed(self, features: Features, moments: TargetMoments, closed: NDArray) -> Fit:
        """Signed targets of which some have no l1 penalty."""
        fit = Fit(np.empty_like(moments.q), np.empty(len(closed)))
        for part in (closed, ~closed):
            found = self.of(part).fit(features, targets_of(moments, part))
            fit.coef[part], fit.kkt[part] = found
        return fit

    def match(
        self, fit: Fit, features: Features, moments: TargetMoments, n_active: NDArray[np.int64]
    ) -> Fit:
        """The fit with that number of active units for every target, or nearest to it.

        It is `fit`, that at the encoder's own alpha, where it has the number; else alpha is
        searched by halving its range, in the logarithm, until a fit has. Of two that are as near,
        the one at the larger alpha.
        """
        best = Fit(fit.coef.copy(), fit.kkt.copy())
        alpha, count = self.alpha.copy(), np.count_nonzero(best.coef, axis=1)
        share = np.array([l1_share(self.penalty, ratio) for ratio in self.l1_ratio])
        strongest = alpha_max(
            moments.q, "lasso", 1.0, positive=self.positive, total_weight=self.total_weight
        )
        np.divide(strongest, share, out=strongest, where=share > 0)
        emptied = (n_active == 0) & (share > 0)
        best.coef[emptied], best.kkt[emptied], count[emptied] = 0, 0, 0
        # Fewer units than asked for: alpha is too large, and more of them: too small.
        low = np.where(count > n_active, alpha, 0.0)
        high = np.where(count > n_active, strongest, np.minimum(alpha, strongest))
        low = np.maximum(low, SEARCH_SPAN * high)
        given_up = np.where(count > n_active, 0, 2 * low)  # so many units there are not below that
        searched = np.flatnonzero((count != n_active) & (share > 0) & (low < high))
        for _ in range(SEARCH_STEPS):
            if not searched.size:
                break
            probe = np.sqrt(low[searched] * high[searched])
            found = replace(self.of(searched), alpha=probe).fit(
                features, targets_of(moments, searched), best.coef[searched]
            )
            found_count, wanted = np.count_nonzero(found.coef, axis=1), n_active[searched]
            high[searched[found_count < wanted]] = probe[found_count < wanted]
            low[searched[found_count > wanted]] = probe[found_count > wanted]
            off, best_off = abs(found_count - wanted), abs(count[searched] - wanted)
            better = (off < best_off) | ((off == best_off) & (probe > alpha[searched]))
            kept = searched[better]
            best.coef[kept], best.kkt[kept] = found.coef[better], found.kkt[better]
            alpha[kept], count[kept] = probe[better], found_count[better]
            beyond = (found_count < wanted) & (probe < given_up[searched])
            searched = searched[(found_count != wanted) & ~beyond]
        return best


def targets_of(moments: TargetMoments, targets: Any) -> TargetMoments:
    """Moments of some of the targets."""
    return TargetMoments(*(part[targets] for part in moments))


def score_fit(
    coef: NDArray,
    sides: Sides,
    moments: SidesOfTargets,
    *,
    target: str,
    center: bool,
) -> Alignment:
    """Alignment over the test images; an empty fit has r = 0 and theta NaN.

    Parameters
    ----------
    coef : ndarray of shape (n_targets, n_units)
        Weights.
    sides : tuple of Features
        Of the images fitted, and of those scored; the latter centered.
    moments : tuple of TargetMoments
        Of the targets, over the same.
    target : {"predicted", "observed"}
        What theta is taken to.
    center : bool
        Whether theta centers features and targets over images.

    Returns
    -------
    Alignment
        What ``alignment`` finds on the images.
    """
    (fitted, features), (fitted_targets, targets) = sides, moments
    mean, offset = np.zeros(coef.shape[1]), np.zeros(len(coef))
    observed_mean = np.zeros(len(coef))
    if not center:
        mean, observed_mean = features.mean, targets.mean
        offset = coef @ features.mean + fitted_targets.mean - coef @ fitted.mean
    total = features.design.total_weight
    found = alignment_of_moments(
        features.gram, targets.q, targets.squared_norms, coef, mean=mean, offset=offset,
        total_weight=total, undefined_r=0.0, undefined_theta=np.nan,
    )  # fmt: skip
    if target == "predicted":
        return found
    norms = np.sqrt(features.gram.diagonal() + total * mean**2)
    length = np.sqrt(targets.squared_norms + total * observed_mean**2)
    weight = np.abs(coef) * (norms > 0)
    product = targets.q + total * np.outer(observed_mean, mean)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.where(norms > 0, product / norms / length[:, None], 0.0)
        theta = 1 - np.einsum("ij,ij->i", weight, cosine) / weight.sum(axis=1)
    return replace(found, theta=np.clip(theta, 0, 2))
