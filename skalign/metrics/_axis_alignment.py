"""How much a score owes to the axes of the features: its loss under random rotations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import ortho_group
from sklearn.base import clone
from sklearn.utils import check_random_state, check_scalar

from skalign.metrics._directions import check_responses
from skalign.metrics._pearson_scorer import PearsonScorer
from skalign.utils import Array, Doubles, check_flag, map_blocks

Score = Callable[[Array, Any, Array, Any], float]


@dataclass(frozen=True, eq=False)
class AxisAlignment:
    """A score of features on their own axes, and on random ones.

    Returned by :func:`axis_alignment`.

    Parameters
    ----------
    score : float
        Score of the features as they are; high is good.
    rotated_scores : ndarray of shape (n_resamples,)
        Scores after random rotations.
    """

    score: float
    rotated_scores: Doubles

    @property
    def difference(self) -> float:
        """The score minus its mean over rotations: what the axes contribute.

        Returns
        -------
        float
            0 if the axes do not matter; high is aligned.
        """
        return float(self.score - self.rotated_scores.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of `difference` from the finite number of rotations.

        Returns
        -------
        float
            Of the same unit as the score. It knows nothing of the sampling of images.
        """
        return float(self.rotated_scores.std(ddof=1) / np.sqrt(self.rotated_scores.size))

    @property
    def p_value(self) -> float:
        """One-sided p-value: how often a rotation scores at least as high.

        Returns
        -------
        float
            At least 1 / (n_resamples + 1).
        """
        n_higher = np.count_nonzero(self.rotated_scores >= self.score)
        return (1 + n_higher) / (1 + self.rotated_scores.size)


def axis_alignment(
    score: Score | Any,
    X: ArrayLike,
    Y: ArrayLike,
    X_test: ArrayLike,
    Y_test: ArrayLike,
    *,
    n_resamples: int = 200,
    standardize: bool = True,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> AxisAlignment:
    r"""Compare a score with its mean over random rotations of the features.

    .. math::
        \text{score}(X, Y) - \operatorname{mean}_Q \text{score}(XQ, Y), \qquad Q'Q = I,

    with Q uniform over rotations. A rotation keeps all that the features carry together, and so
    everything that an unconstrained linear map can predict from them; it changes which directions
    are units.

    Parameters
    ----------
    score : estimator or callable
        A regressor, which is fitted to `X` and `Y` and scored by the mean r over targets on the
        test images; or a function ``score(X, Y, X_test, Y_test) -> float`` that is high if good,
        such as ``lambda *data: soft_matching(*data).score``.
    X : array-like of shape (n_images, n_units)
        Features of the images to fit, before standardization.
    Y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : array-like of shape (n_test_images, n_units)
        Features of the images to score.
    Y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Responses to score.
    n_resamples : int, default=200
        Number of rotations, at least 2.
    standardize : bool, default=True
        Whether features are standardized after their rotation, by the images of `X`, and the
        unrotated ones alike. Features standardized before would differ from rotated ones in their
        variances, which a penalty sees.
    random_state : int, RandomState instance or None, default=None
        Draws the rotations. An int gives the same ones in every call, for any `n_jobs`.
    n_jobs : int, default=None
        Number of threads over rotations. None is 1 unless in a :func:`joblib.parallel_config`.

    Returns
    -------
    AxisAlignment
        ``difference`` with its ``standard_error`` and ``p_value``; ``score``, ``rotated_scores``.

    Raises
    ------
    TypeError
        If `score` is neither an estimator nor callable, or `standardize` is no flag.
    ValueError
        If shapes do not fit, or there are fewer than two units or rotations.

    See Also
    --------
    soft_matching : A score that depends on the axes.
    skalign.inference.alignment_null : The same rotations as a test of r and theta per target.

    Notes
    -----
    0 up to rounding for unpenalized signed linear maps with more images than units. Rotations of
    rectified units are no longer rectified: a difference then speaks of rectification as well as of
    the axes. Each rotation costs one run of the score. With more units than images in all,
    rotations are drawn in the span of the images, which has the same distribution.

    References
    ----------
    .. [1] M. Khosla, A. H. Williams, J. McDermott and N. Kanwisher. "Privileged representational
       axes in biological and artificial neural networks." bioRxiv, 2024,
       :doi:`10.1101/2024.06.20.599957`.

    Examples
    --------
    Voxels that follow single units, and a rotation of both units that linear maps do not see:

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.metrics import axis_alignment
    >>> rng = np.random.default_rng(0)
    >>> X = rng.exponential(size=(200, 6))
    >>> y = X[:, :3] + 0.5 * rng.standard_normal((200, 3))
    >>> data = X[:100], y[:100], X[100:], y[100:]
    >>> for model in [LinearRegression(), SparsePositiveEncoder("lasso", alpha=0.1)]:
    ...     found = axis_alignment(model, *data, n_resamples=50, random_state=0)
    ...     print(f"{abs(found.difference):.2f}")
    0.00
    0.29
    """
    run = _as_score(score)
    check_flag(standardize, "standardize")
    check_scalar(n_resamples, "n_resamples", Integral, min_val=2)
    X, X_test = (check_responses(values, name) for values, name in ((X, "X"), (X_test, "X_test")))
    if X.shape[1] != X_test.shape[1] or X.shape[1] < 2:
        raise ValueError(
            "X and X_test must have the same units, at least 2; got shapes "
            f"{X.shape} and {X_test.shape}."
        )
    mean = X.mean(axis=0, dtype=np.float64)
    both = np.vstack([X - mean, X_test - mean])
    # Rows in a basis of their span: a rotation of few dimensions into many is cheaper to draw.
    coordinates: Any = both
    if len(both) < both.shape[1]:
        coordinates = np.linalg.qr(both.T, mode="r")
        coordinates = coordinates.T
    seeds = check_random_state(random_state).randint(2**31 - 1, size=n_resamples)

    def of_rows(rows: Doubles) -> float:
        train, test = rows[: len(X)], rows[len(X) :]
        if standardize:
            scale = train.std(axis=0)
            scale[scale <= 1e-12 * np.abs(train).max(initial=0)] = 1
            train, test = train / scale, test / scale
        return float(run(train, Y, test, Y_test))

    def rotated(seed: int) -> float:
        n_units = both.shape[1]
        if coordinates.shape[1] == n_units:
            return of_rows(coordinates @ ortho_group.rvs(n_units, random_state=int(seed)))
        normal = np.random.RandomState(seed).standard_normal((n_units, coordinates.shape[1]))
        frame, triangle = np.linalg.qr(normal)
        return of_rows(coordinates @ (frame * np.sign(np.diag(triangle))).T)

    scores = np.array(list(map_blocks(rotated, seeds.tolist(), n_jobs)))
    return AxisAlignment(of_rows(both), scores)


def _as_score(score: Any) -> Score:
    """A function of training and test data from an estimator or from itself."""
    if hasattr(score, "fit") and not isinstance(score, type):
        return partial(_mean_r, score)
    if callable(score) and not isinstance(score, type):
        return score
    raise TypeError(
        "score must be an estimator or a function of (X, Y, X_test, Y_test); got "
        f"{score!r}. A class needs to be called first."
    )


def _mean_r(estimator: Any, X: Any, Y: Any, X_test: Any, Y_test: Any) -> float:
    return PearsonScorer()(clone(estimator).fit(X, Y), X_test, Y_test)
