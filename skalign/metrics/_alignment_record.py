"""What is measured of a fitted map, target by target, and its means: the one place for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skalign.metrics._names import target_column
from skalign.utils import Array, Doubles, Flags, Integers, import_pandas


@dataclass(frozen=True, eq=False)
class Alignment:
    r"""Predictivity, reorientation and sparsity of a fitted map, target by target.

    Returned by :func:`alignment`. A target is empty if all its weights are zero: it has neither r
    nor theta.

    Parameters
    ----------
    r : ndarray of shape (n_targets,)
        Pearson correlation of observed and predicted responses, from -1 to 1; high is good. NaN
        where either is constant, as for an empty target.
    theta : ndarray of shape (n_targets,)
        Tuning reorientation to the predicted responses, from 0 to 2; low is aligned. NaN for an
        empty target, and for one without a direction on these images.
    n_active : ndarray of shape (n_targets,)
        Number of nonzero weights.
    theta_observed : ndarray of shape (n_targets,)
        Tuning reorientation to the observed responses, from 0 to 2; low is aligned, and predicted
        well. NaN as for `theta`.
    n_effective : ndarray of shape (n_targets,)
        Effective number of active units, from 1 to `n_active`: as many units of equal weight are as
        concentrated. NaN for an empty target.
    theta_floor : ndarray of shape (n_targets,)
        Theta that positive weights on `n_effective` exchangeable units have by geometry alone, from
        0 to 1. NaN for an empty target, and for one with negative weights, for which
        :func:`~skalign.inference.reorientation_floor` permutes the weights.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.
    centered : bool, default=False
        Whether theta was centered over images.
    n_observed : ndarray of shape (n_targets,), default=None
        Number of images on which every target was observed and scored, where responses are missing.
        None if all were observed.

    Notes
    -----
    `theta` says how a map reaches its prediction, good or bad. `theta_observed` also counts the
    errors of the prediction. If both are centered,

    .. math::
        1 - \theta_\text{observed} = r \, (1 - \theta)

    for positive weights on features of equal variance, and for any map whose residuals are
    uncorrelated with the features. An overfitted map with signs departs from it on new images: its
    residuals there are correlated with the features.

    The effective number of units of weights w, over the units that have a direction, and the floor
    of units whose mean pairwise cosine on the scored images is c, are

    .. math::
        k = \frac{\bigl(\sum_i |w_i|\bigr)^2}{\sum_i w_i^2}, \qquad
        \theta_\text{floor} = 1 - \sqrt{c + (1 - c) / k}.

    c is that of all units that the map could use. Theta is comparable between sets of units only
    beside its floor: ``theta - theta_floor`` is negative if the map combines units that are tuned
    more alike than units of the set are on average. The floor is that of a prediction without an
    intercept: standardize targets, or center.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.metrics import alignment
    >>> X, noise = np.random.default_rng(0).standard_normal((2, 200, 4))
    >>> y = X @ np.array([[1.0, 1.0], [1.0, 0.0], [0.5, 0.0], [0.0, -1.0]]) + noise[:, :2]
    >>> encoder = SparsePositiveEncoder(alpha=0.3).fit(X[:100], y[:100])
    >>> found = alignment(encoder, X[100:], y[100:], center=True)
    >>> found.n_active, found.n_effective.round(1)
    (array([3, 1]), array([2.3, 1. ]))
    >>> (1 - found.theta_observed).round(2), (found.r * (1 - found.theta)).round(2)
    (array([0.56, 0.55]), array([0.56, 0.55]))
    >>> found.summary()["empty_fraction"]
    0.0
    """

    MEASURES: ClassVar = ("r", "theta", "n_active", "theta_observed", "n_effective", "theta_floor")

    r: Doubles
    theta: Doubles
    n_active: Integers
    theta_observed: Doubles
    n_effective: Doubles
    theta_floor: Doubles
    target_names: NDArray[np.object_] | None = None
    centered: bool = False
    n_observed: Integers | None = None

    def summary(
        self, *, undefined_r: float = 0.0, undefined_theta: float = 2.0
    ) -> dict[str, float]:
        """Average over targets, with the empty ones counted.

        Targets that were observed on fewer than two images cannot be scored: they are left out of
        all means, which are NaN if no target is left.

        Parameters
        ----------
        undefined_r : float, default=0.0
            Value that a target without an r has in the mean: an empty fit explains nothing.
        undefined_theta : float, default=2.0
            Value that a target without a theta has in ``"penalized_theta"``: the worst.

        Returns
        -------
        dict of str to float
            - ``"r"``: mean predictivity over all targets.
            - ``"theta"``: mean reorientation over the targets that have one; NaN if none has.
              Read it beside ``"empty_fraction"``.
            - ``"penalized_theta"``: mean reorientation over all targets.
            - ``"n_active"``: mean number of nonzero weights of a target.
            - ``"theta_observed"``, ``"n_effective"``, ``"theta_floor"``: means over the targets
              that have one; NaN if none has.
            - ``"empty_fraction"``: fraction of the targets without nonzero weights.
        """
        is_scored = is_scorable(self.n_observed)
        return {
            "r": mean_over_targets(self.r[is_scored], undefined_r),
            "theta": self._mean_of_defined("theta"),
            "penalized_theta": mean_over_targets(self.theta[is_scored], undefined_theta),
            "n_active": mean_over_targets(self.n_active[is_scored]),
            "theta_observed": self._mean_of_defined("theta_observed"),
            "n_effective": self._mean_of_defined("n_effective"),
            "theta_floor": self._mean_of_defined("theta_floor"),
            "empty_fraction": mean_over_targets(self.n_active[is_scored] == 0),
        }

    def _mean_of_defined(self, name: str) -> float:
        values: Doubles = getattr(self, name)
        is_scored = is_scorable(self.n_observed)
        values, n_active = values[is_scored], self.n_active[is_scored]
        return mean_over_targets(values[(n_active > 0) & ~np.isnan(values)])

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, its name where known and else its index; ``r``, ``theta``,
            ``n_active``, ``theta_observed``, ``n_effective`` and ``theta_floor``; ``n_observed``
            where responses are missing.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        pd = import_pandas()
        columns = {name: getattr(self, name) for name in self.MEASURES}
        if self.n_observed is not None:
            columns["n_observed"] = self.n_observed
        return pd.DataFrame({"target": target_column(self.target_names, self.r.size), **columns})


def mean_over_targets(values: Array, undefined: float = np.nan) -> float:
    """Mean over targets, in which one without a value (NaN) counts as `undefined`; NaN of none."""
    return float(np.where(np.isnan(values), undefined, values).mean()) if len(values) else np.nan


def is_scorable(n_observed: Integers | None) -> Flags | slice:
    """Which targets were observed on at least the two images that r needs."""
    return slice(None) if n_observed is None else n_observed > 1
