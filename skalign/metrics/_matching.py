"""Matches between the units of two systems, chosen on some images and scored on others."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from skalign.metrics._noise_ceiling import NoiseCeiling
from skalign.metrics._transport import transport_plan
from skalign.metrics._unit_pairs import Form, UnitMatching, UnitPairs


def soft_matching(
    X: ArrayLike,
    Y: ArrayLike,
    X_test: ArrayLike,
    Y_test: ArrayLike,
    *,
    form: Form = "correlation",
    center: bool = True,
    ceiling_x: NoiseCeiling | None = None,
    ceiling_y: NoiseCeiling | None = None,
) -> UnitMatching:
    r"""Match all units of two systems of any sizes by optimal transport.

    .. math::
        P^* = \operatorname*{arg\,max}_{P \ge 0} \sum_{ij} P_{ij} R_{ij}, \qquad
        \sum_j P_{ij} = 1 / N_x, \quad \sum_i P_{ij} = 1 / N_y,

    with :math:`R_{ij}` the correlation of unit i of the first and unit j of the second system over
    the images of `X` and `Y`. The score is :math:`\sum_{ij} P^*_{ij} R_{ij}` over those of `X_test`
    and `Y_test`. In the form of a distance, :math:`P^*` minimizes the mean of
    :math:`|x_i - y_j|^2`, and the score is the root of that mean.

    Parameters
    ----------
    X : array-like of shape (n_images, n_units_x)
        Responses of the first system to the images that choose the matches.
    Y : array-like of shape (n_images, n_units_y)
        Responses of the second system to them.
    X_test : array-like of shape (n_test_images, n_units_x)
        Responses of the first system to the images that are scored. Matches scored on the images
        that chose them are optimistic.
    Y_test : array-like of shape (n_test_images, n_units_y)
        Responses of the second system to them.
    form : {"correlation", "distance"}, default="correlation"
        Whether units are alike in correlation, or near each other.
    center : bool, default=True
        Whether responses are centered over images first. If not, a correlation is a cosine.
    ceiling_x, ceiling_y : NoiseCeiling, default=None
        Noise ceilings in r of the units over the scored images. The score is then divided by the
        mean over matches of the product of both (1 for a system without a ceiling): a ratio of
        means. Matches with a unit whose ceiling is 0 or NaN leave both means.

    Returns
    -------
    UnitMatching
        ``score``, ``plan`` and ``unit_scores``.

    Raises
    ------
    TypeError
        If `center` is no flag, or a ceiling is not a NoiseCeiling.
    ValueError
        If shapes do not fit, values are not finite, `form` is unknown, or ceilings are given for
        distances, in another unit than r or in another number than there are units.

    See Also
    --------
    one_to_one_matching : Every unit has one partner at most.
    semi_matching : Every unit of the first system takes its best partner.
    partial_soft_matching : Some units may stay without a match.
    skalign.tuning_reorientation : How far a linear map turns units to reach a target.

    Notes
    -----
    Symmetric: exchanging the systems transposes the plan. The correlation form does not change
    under positive scaling and shifts of a unit; the distance form is a metric for systems of any
    sizes [1]_. Neither changes when units are reordered or all are duplicated, and neither is blind
    to rotations of the units: a system and its rotation by 45 degrees, which linear maps take for
    the same, have a correlation of .71.

    The plan is exact. Sizes with a small common multiple (up to 6000) are an assignment problem;
    others a linear program over the few pairs that can pay. 500 x 500 units take about a tenth of a
    second, 2000 x 1500 about ten. The correlation of a unit that does not vary counts as 0.

    Arrays of other libraries are taken as by :func:`tuning_reorientation`; SciPy solves the
    assignment, on the host, and ``unit_scores`` come back as an array of that library.

    References
    ----------
    .. [1] M. Khosla and A. H. Williams. "Soft matching distance: a metric on neural
       representations that captures single-neuron tuning." Proceedings of UniReps 2023,
       :doi:`10.48550/arXiv.2311.09466`.

    Examples
    --------
    Two units, and the same after a rotation by 45 degrees, which a linear map does not see:

    >>> import numpy as np
    >>> from skalign.metrics import soft_matching
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> Y = X @ np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    >>> found = soft_matching(X, Y, X, Y)
    >>> round(found.score, 4), found.plan.sum().round(4)
    (0.7071, np.float64(1.0))
    """
    pairs = UnitPairs(
        X, Y, X_test, Y_test, form=form, center=center, ceiling_x=ceiling_x, ceiling_y=ceiling_y
    )
    return pairs.scored(transport_plan(pairs.gain))


def partial_soft_matching(
    X: ArrayLike,
    Y: ArrayLike,
    X_test: ArrayLike,
    Y_test: ArrayLike,
    *,
    fraction: float,
    form: Form = "correlation",
    center: bool = True,
    ceiling_x: NoiseCeiling | None = None,
    ceiling_y: NoiseCeiling | None = None,
) -> UnitMatching:
    r"""Match a share of the units of two systems by partial optimal transport.

    .. math::
        P^* = \operatorname*{arg\,max}_{P \ge 0} \sum_{ij} P_{ij} R_{ij}, \qquad
        \sum_j P_{ij} \le 1 / N_x, \quad \sum_i P_{ij} \le 1 / N_y, \quad \sum_{ij} P_{ij} = s,

    with s the `fraction`: units without a counterpart in the other system need not lower the score.
    The score is the mean over what is matched, :math:`\sum_{ij} P^*_{ij} R_{ij} / s`.

    Parameters
    ----------
    X : array-like of shape (n_images, n_units_x)
        Responses of the first system to the images that choose the matches.
    Y : array-like of shape (n_images, n_units_y)
        Responses of the second system to them.
    X_test : array-like of shape (n_test_images, n_units_x)
        Responses of the first system to the images that are scored.
    Y_test : array-like of shape (n_test_images, n_units_y)
        Responses of the second system to them.
    fraction : float
        Share s of the units that is matched, above 0 and at most 1. At 1 this is
        :func:`soft_matching`.
    form : {"correlation", "distance"}, default="correlation"
        Whether units are alike in correlation, or near each other.
    center : bool, default=True
        Whether responses are centered over images first.
    ceiling_x, ceiling_y : NoiseCeiling, default=None
        Noise ceilings in r of the units over the scored images, as in :func:`soft_matching`.

    Returns
    -------
    UnitMatching
        ``score``, ``plan`` and ``unit_scores``, which is NaN for units without a match.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is not valid: its name is in the message.

    See Also
    --------
    soft_matching : All units are matched; its notes hold here too.

    Notes
    -----
    Symmetric. On the images that choose the matches, the score falls as `fraction` grows; where it
    begins to fall steeply, units without a counterpart enter.

    References
    ----------
    .. [1] Partial soft matching of neural representations, :doi:`10.48550/arXiv.2602.19331`.

    Examples
    --------
    Half of the units have a counterpart:

    >>> import numpy as np
    >>> from skalign.metrics import partial_soft_matching
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_normal((50, 3))
    >>> X, Y = (np.hstack([shared, rng.standard_normal((50, 3))]) for _ in range(2))
    >>> round(partial_soft_matching(X, Y, X, Y, fraction=0.5).score, 3)
    1.0
    """
    is_share = isinstance(fraction, Real) and not isinstance(fraction, bool)
    if not is_share or not 0 < fraction <= 1:
        raise ValueError(
            f"fraction must be a number above 0 and at most 1; got {fraction!r}. "
            "1 matches all units."
        )
    pairs = UnitPairs(
        X, Y, X_test, Y_test, form=form, center=center, ceiling_x=ceiling_x, ceiling_y=ceiling_y
    )
    return pairs.scored(transport_plan(pairs.gain, float(fraction)))


def one_to_one_matching(
    X: ArrayLike,
    Y: ArrayLike,
    X_test: ArrayLike,
    Y_test: ArrayLike,
    *,
    form: Form = "correlation",
    center: bool = True,
    ceiling_x: NoiseCeiling | None = None,
    ceiling_y: NoiseCeiling | None = None,
) -> UnitMatching:
    r"""Match every unit of the smaller system to a unit of its own in the other.

    .. math::
        \max_\pi \frac1N \sum_i R_{i \pi(i)}, \qquad N = \min(N_x, N_y),

    over assignments :math:`\pi` without repetition.

    Parameters
    ----------
    X : array-like of shape (n_images, n_units_x)
        Responses of the first system to the images that choose the matches.
    Y : array-like of shape (n_images, n_units_y)
        Responses of the second system to them.
    X_test : array-like of shape (n_test_images, n_units_x)
        Responses of the first system to the images that are scored.
    Y_test : array-like of shape (n_test_images, n_units_y)
        Responses of the second system to them.
    form : {"correlation", "distance"}, default="correlation"
        Whether units are alike in correlation, or near each other.
    center : bool, default=True
        Whether responses are centered over images first.
    ceiling_x, ceiling_y : NoiseCeiling, default=None
        Noise ceilings in r of the units over the scored images, as in :func:`soft_matching`.

    Returns
    -------
    UnitMatching
        ``score``, the mean over matched pairs, ``plan`` and ``unit_scores``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is not valid: its name is in the message.

    See Also
    --------
    soft_matching : The same for equal sizes; for others it matches all units of both systems.

    Notes
    -----
    Symmetric. With unequal sizes, units of the larger system stay without a match, so that a larger
    system scores higher: compare systems of one size.

    References
    ----------
    .. [1] M. Khosla and A. H. Williams. "Soft matching distance: a metric on neural
       representations that captures single-neuron tuning." Proceedings of UniReps 2023,
       :doi:`10.48550/arXiv.2311.09466`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import one_to_one_matching
    >>> X = np.random.default_rng(0).standard_normal((20, 3))
    >>> found = one_to_one_matching(X, X[:, [2, 0, 1]], X, X[:, [2, 0, 1]])
    >>> round(found.score, 6), found.to_frame()["match"].tolist()
    (1.0, [1, 2, 0])
    """
    pairs = UnitPairs(
        X, Y, X_test, Y_test, form=form, center=center, ceiling_x=ceiling_x, ceiling_y=ceiling_y
    )
    row, column = linear_sum_assignment(pairs.gain, maximize=True)
    return pairs.scored(_coupled(row, column, pairs.gain.shape))


def semi_matching(
    X: ArrayLike,
    Y: ArrayLike,
    X_test: ArrayLike,
    Y_test: ArrayLike,
    *,
    form: Form = "correlation",
    center: bool = True,
    ceiling_x: NoiseCeiling | None = None,
    ceiling_y: NoiseCeiling | None = None,
) -> UnitMatching:
    r"""Match every unit of the first system to its best unit in the second.

    .. math::
        \frac1{N_x} \sum_i \max_j R_{ij}

    Parameters
    ----------
    X : array-like of shape (n_images, n_units_x)
        Responses of the first system to the images that choose the matches.
    Y : array-like of shape (n_images, n_units_y)
        Responses of the second system to them.
    X_test : array-like of shape (n_test_images, n_units_x)
        Responses of the first system to the images that are scored.
    Y_test : array-like of shape (n_test_images, n_units_y)
        Responses of the second system to them.
    form : {"correlation", "distance"}, default="correlation"
        Whether units are alike in correlation, or near each other.
    center : bool, default=True
        Whether responses are centered over images first.
    ceiling_x, ceiling_y : NoiseCeiling, default=None
        Noise ceilings in r of the units over the scored images, as in :func:`soft_matching`.

    Returns
    -------
    UnitMatching
        ``score``, the mean over units of the first system, ``plan`` and ``unit_scores``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is not valid: its name is in the message.

    See Also
    --------
    soft_matching : Symmetric, and every unit counts.

    Notes
    -----
    Not symmetric: many units may take the same partner, and units of the second system that nobody
    takes do not count. Exchange the systems for the other direction.

    Examples
    --------
    A system that repeats the units of another has them all, and lacks none:

    >>> import numpy as np
    >>> from skalign.metrics import semi_matching
    >>> X = np.random.default_rng(0).standard_normal((20, 2))
    >>> Y = X[:, [0, 0, 1, 1]]
    >>> round(semi_matching(X, Y, X, Y).score, 6), round(semi_matching(Y, X, Y, X).score, 6)
    (1.0, 1.0)
    """
    pairs = UnitPairs(
        X, Y, X_test, Y_test, form=form, center=center, ceiling_x=ceiling_x, ceiling_y=ceiling_y
    )
    row = np.arange(pairs.gain.shape[0])
    return pairs.scored(_coupled(row, pairs.gain.argmax(axis=1), pairs.gain.shape))


def _coupled(row: Any, column: Any, shape: tuple[int, int]) -> sparse.csr_array:
    """Plan of some pairs, each with the same share."""
    return sparse.csr_array((np.full(len(row), 1 / len(row)), (row, column)), shape=shape)
