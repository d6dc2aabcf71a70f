"""Refit rules: which candidate a search of scikit-learn should keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from skalign.model_selection._choice import check_tolerance, choose
from skalign.model_selection._search_scores import (
    last_iteration,
    read_score,
    score_names,
    splits_of,
    theta_of,
)
from skalign.utils import Doubles, Indices


@dataclass(frozen=True)
class _RefitRule:
    """A rule to give to a search as ``refit``: least `cost` among those of enough `r`."""

    select: Literal["least_reorientation", "fewest_units"]
    tolerance: float | str
    r: str
    cost_name: Literal["neg_theta", "n_active"]  # the parameter that names the cost
    cost: str  # its name among the scores

    def __post_init__(self) -> None:
        if isinstance(self.tolerance, Mapping):  # called by a search instead of by the user
            raise TypeError(
                f"refit must be the rule that {self.select} makes; got {self.select} itself. Give "
                f"refit={self.select}(), with parentheses."
            )
        check_tolerance(self.tolerance)  # before the search, not after it
        for parameter, name in (("r", self.r), (self.cost_name, self.cost)):
            if not isinstance(name, str):
                raise TypeError(f"{parameter} must be the name of a score; got {name!r}.")

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        """Index of the chosen candidate, from ``cv_results_`` of a search."""
        rows = last_iteration(cv_results)
        r, r_se = self._read(cv_results, "r", self.r, rows)
        if check_tolerance(self.tolerance).in_se and np.isnan(r_se).all():
            raise ValueError(
                f"tolerance must be a number for a search of a single split, which has no standard "
                f"error of {self.r}; got {self.tolerance!r}. Give an absolute tolerance, in units "
                "of r, such as 0.01, or a cv with at least two splits."
            )
        cost, _ = self._read(cv_results, self.cost_name, self.cost, rows)
        if self.cost_name == "neg_theta":
            cost = theta_of(cost, self.cost)
        if "mean_test_nonempty_fraction" in cv_results:
            r[read_score(cv_results, "nonempty_fraction", rows)[0] == 0] = np.nan
        order = np.argsort(-r, kind="stable")  # of equal candidates the one with the better r
        r, r_se, cost = (values[order, np.newaxis] for values in (r, r_se, cost))
        is_theta = self.cost_name == "neg_theta"
        (chosen,) = choose(
            self.select,
            r,
            r_se=r_se,
            theta=cost if is_theta else None,
            n_active=None if is_theta else cost,
            tolerance=self.tolerance,
        )
        if chosen < 0:
            raise ValueError(
                f"At least one of the {rows.size} candidates must predict; got none: every one is "
                f"empty, has failed or has a mean {self.r} of at most 0, no better than a constant "
                f'prediction. Try smaller alphas; refit=False or "{self.r}" shows the scores in '
                "cv_results_."
            )
        return int(rows[order[chosen]])

    def _read(
        self, cv_results: Mapping[str, Any], parameter: str, name: str, rows: Indices
    ) -> tuple[Doubles, Doubles]:
        """Read a score that a parameter of the rule names."""
        if not splits_of(cv_results, name):
            raise ValueError(
                f"{parameter} must be the name of a test score of the search; got {name!r}, where "
                f"the scores are {score_names(cv_results)}. Give the search "
                f"scoring=AlignmentScorer(), or {self.select} the name that your scoring has for "
                f"it: {self.select}({parameter}=...)."
            )
        return read_score(cv_results, name, rows)

    def __repr__(self) -> str:
        names = f", r={self.r!r}" * (self.r != "r")
        names += f", {self.cost_name}={self.cost!r}" * (self.cost != self.cost_name)
        return f"{self.select}(tolerance={self.tolerance!r}{names})"


def least_reorientation(
    tolerance: float | str = "1se", *, r: str = "r", neg_theta: str = "neg_theta"
) -> Callable[[Mapping[str, Any]], int]:
    """Make a refit rule: the most aligned candidate that predicts about as well as the best.

    Give it to a search of scikit-learn as ``refit``, with
    :class:`~skalign.metrics.AlignmentScorer` as ``scoring``.

    Parameters
    ----------
    tolerance : float or str, default="1se"
        How far below the best mean r a candidate may lie: a number is in units of r, a string such
        as "1se" or "0.5se" in standard errors of the best candidate.
    r : str, default="r"
        Name that `scoring`, where it is a dict of scorers, has for a
        :class:`~skalign.metrics.PearsonScorer`.
    neg_theta : str, default="neg_theta"
        Name that it has for a :class:`~skalign.metrics.TuningReorientationScorer`: minus the mean
        theta, in which an empty target counts as 2.

    Returns
    -------
    callable
        The rule: a function from ``cv_results_`` to the index of a candidate. It raises ValueError
        if no candidate can be chosen, or a score is missing.

    Raises
    ------
    TypeError
        If `tolerance` is neither a number nor a string, or a name is not a string.
    ValueError
        If `tolerance` is negative or not finite.

    See Also
    --------
    fewest_units : The sparsest instead of the most aligned.
    skalign.model_selection.choose : The rule itself, over arrays, target by target.
    AlignmentFront : All candidates of a fitted search as a table.

    Notes
    -----
    The standard error is the standard deviation of r over the splits (``ddof=1``) over the root of
    their number; with a single split give an absolute tolerance. Candidates that are empty for all
    targets in all splits, that failed in a split (NaN), or that predict no better than a constant
    (mean r at most 0) are never chosen. Of candidates with equal theta the rule chooses the one
    with the larger r.

    *On the path of one lasso* the rule chooses what ``"one_se"`` or :func:`fewest_units` would.
    Theta of positive weights on standardized units, centered, is 1 - sd(prediction) / sum of
    weights, and the lasso penalizes just that sum. Theta and the number of active units fall
    together as alpha grows (a median rank correlation above .9 on simulated voxels), so a low theta
    of the chosen fit shows the penalty, not the data. Theta says more where candidates differ in
    kind: in penalty, sign, units or layer. Read it beside the number of active units.

    *Scoring a search.* With several scores and a callable ``refit``, ``search.score(X, y)`` of
    scikit-learn fails, because it expects the name of a score in ``refit``. Score
    ``search.best_estimator_`` with a scorer instead, as below. ``best_score_`` is not set either.

    *Halving searches* of scikit-learn 1.9 take one score and never call ``refit``. Let their
    scoring return the dict of :class:`~skalign.metrics.AlignmentScorer` with r once more as
    ``"score"``, and call the rule on the ``cv_results_`` of the fitted search. The rule compares
    candidates of the last iteration only, because those before had fewer resources.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skalign import AlignmentScorer, SparsePositiveEncoder
    >>> from skalign.model_selection import least_reorientation
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 20))
    >>> y = X[:, :2] @ [[1.0, 0.5], [0.5, 1.0]] + rng.standard_normal((100, 2))
    >>> search = GridSearchCV(
    ...     SparsePositiveEncoder(),
    ...     {"penalty": ["ridge", "lasso"], "alpha": [0.01, 0.1]},
    ...     scoring=AlignmentScorer(),
    ...     refit=least_reorientation(tolerance=0.05),
    ... ).fit(X, y)
    >>> search.best_params_
    {'alpha': 0.1, 'penalty': 'lasso'}
    >>> sorted(AlignmentScorer()(search.best_estimator_, X, y))
    ['n_active', 'neg_theta', 'neg_theta_observed', 'nonempty_fraction', 'r']
    """
    return _RefitRule("least_reorientation", tolerance, r, "neg_theta", neg_theta)


def fewest_units(
    tolerance: float | str = "1se", *, r: str = "r", n_active: str = "n_active"
) -> Callable[[Mapping[str, Any]], int]:
    """Make a refit rule: the sparsest candidate that predicts about as well as the best.

    Give it to a search of scikit-learn as ``refit``, with
    :class:`~skalign.metrics.AlignmentScorer` as ``scoring``.

    Parameters
    ----------
    tolerance : float or str, default="1se"
        How far below the best mean r a candidate may lie: a number is in units of r, a string such
        as "1se" or "0.5se" in standard errors of the best candidate.
    r : str, default="r"
        Name that `scoring`, where it is a dict or returns one, has for r.
    n_active : str, default="n_active"
        Name that it has for the mean number of active units.

    Returns
    -------
    callable
        The rule: a function from ``cv_results_`` to the index of a candidate. It raises ValueError
        if no candidate can be chosen, or a score is missing.

    Raises
    ------
    TypeError
        If `tolerance` is neither a number nor a string, or a name is not a string.
    ValueError
        If `tolerance` is negative or not finite.

    See Also
    --------
    least_reorientation : The most aligned instead of the sparsest; the Notes there hold here too.

    Notes
    -----
    Sparsity is the mean number of active units of a target, empty targets included. A candidate
    that leaves some targets empty therefore looks sparser; its r, where these count as 0, is
    lower for it.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.linear_model import Lasso
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skalign import AlignmentScorer
    >>> from skalign.model_selection import fewest_units
    >>> X, y = make_regression(n_features=20, n_informative=3, n_targets=2, random_state=0)
    >>> search = GridSearchCV(
    ...     Lasso(), {"alpha": [0.1, 9]}, scoring=AlignmentScorer(), refit=fewest_units(0.03)
    ... )
    >>> search.fit(X, y).best_params_
    {'alpha': 9}
    """
    return _RefitRule("fewest_units", tolerance, r, "n_active", n_active)
