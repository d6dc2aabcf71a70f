"""Refit rules: which candidate a search of scikit-learn should keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skalign.model_selection._choice import check_tolerance, choose


@dataclass(frozen=True)
class RefitRule:
    """A rule to give to a search as ``refit``; made by the functions of this module.

    Parameters
    ----------
    select : {"least_reorientation", "fewest_units"}
        What is least among the candidates that predict well enough.
    tolerance : float or str
        How far below the best r a candidate may lie.
    r : str
        Name of r among the scores.
    theta : str
        Name of minus theta among the scores.
    """

    select: Literal["least_reorientation", "fewest_units"]
    tolerance: float | str
    r: str = "r"
    theta: str = "neg_theta"

    def __post_init__(self) -> None:
        if isinstance(self.tolerance, Mapping):  # called by a search instead of by the user
            raise TypeError(
                f"{self.select} makes a rule: give refit={self.select}(), with parentheses."
            )
        check_tolerance(self.tolerance)  # before the search, not after it

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        """Choose a candidate.

        Parameters
        ----------
        cv_results : dict
            ``cv_results_`` of a search.

        Returns
        -------
        int
            Its index: ``best_index_``.
        """
        rows = last_iteration(cv_results)
        r, r_se = read_score(cv_results, self.r, rows)
        if check_tolerance(self.tolerance).in_se and np.isnan(r_se).all():
            raise ValueError(
                f"tolerance={self.tolerance!r} needs at least two splits for a standard error of "
                f"{self.r}; got one. Give an absolute tolerance, in units of r, such as 0.01, or "
                "a cv with more splits."
            )
        costs = {}
        if self.select == "least_reorientation":
            costs["theta"] = read_theta(cv_results, self.theta, rows)
        else:
            costs["n_active"] = read_score(cv_results, "n_active", rows)[0]
        if "mean_test_nonempty_fraction" in cv_results:
            r[read_score(cv_results, "nonempty_fraction", rows)[0] == 0] = np.nan
        order = np.argsort(-r, kind="stable")  # of equal candidates the one with the better r
        tables = {name: cost[order, np.newaxis] for name, cost in costs.items()}
        r, r_se = r[order, np.newaxis], r_se[order, np.newaxis]
        (chosen,) = choose(self.select, r, r_se=r_se, tolerance=self.tolerance, **tables)
        if chosen < 0:
            raise ValueError(
                f"None of the {rows.size} candidates can be chosen: every one is empty, has failed "
                f"or has a mean {self.r} of at most 0, no better than a constant prediction. Try "
                f'smaller alphas; refit=False or "{self.r}" shows the scores in cv_results_.'
            )
        return int(rows[order[chosen]])

    def __repr__(self) -> str:
        names = f", r={self.r!r}" * (self.r != "r")
        names += f", theta={self.theta!r}" * (self.theta != "neg_theta")
        return f"{self.select}(tolerance={self.tolerance!r}{names})"


def least_reorientation(
    tolerance: float | str = "1se", *, r: str = "r", theta: str = "neg_theta"
) -> RefitRule:
    """Refit rule: among candidates that predict about as well as the best, the most aligned one.

    Give it to a search of scikit-learn as ``refit``, with
    :class:`~skalign.metrics.AlignmentScorer` as ``scoring``.

    Parameters
    ----------
    tolerance : float or str, default="1se"
        How far below the best mean r a candidate may lie: a number is in units of r, a string such
        as "1se" or "0.5se" in standard errors of the best candidate.
    r : str, default="r"
        Name of r among the scores, where ``scoring`` is a dict with a
        :class:`~skalign.metrics.PearsonScorer`.
    theta : str, default="neg_theta"
        Name of minus theta among the scores, where ``scoring`` is a dict with a
        :class:`~skalign.metrics.TuningReorientationScorer`.

    Returns
    -------
    RefitRule
        A callable from ``cv_results_`` to the index of a candidate. It raises ValueError if
        no candidate can be chosen, or a score is missing.

    Raises
    ------
    TypeError
        If `tolerance` is neither a number nor a string.
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
    (mean r at most 0) are never chosen. Of candidates with equal theta the one with the larger r
    is.

    *Scoring a search.* With several scores and a callable ``refit``, ``search.score(X, y)`` of
    scikit-learn fails: it looks for a score named by the callable. Score
    ``search.best_estimator_`` with a scorer instead, as below. ``best_score_`` is not set either.

    *Halving searches* of scikit-learn 1.9 take one score and never call ``refit``. Let their
    scoring return the dict of :class:`~skalign.metrics.AlignmentScorer` with r once more as
    ``"score"``, and call the rule on the ``cv_results_`` of the fitted search: it looks at the last
    iteration only, as candidates with fewer resources do not compare.

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
    ['n_active', 'neg_theta', 'nonempty_fraction', 'r']
    """
    return RefitRule("least_reorientation", tolerance, r, theta)


def fewest_units(tolerance: float | str = "1se") -> RefitRule:
    """Refit rule: among candidates that predict about as well as the best, the sparsest one.

    Give it to a search of scikit-learn as ``refit``, with
    :class:`~skalign.metrics.AlignmentScorer` as ``scoring``.

    Parameters
    ----------
    tolerance : float or str, default="1se"
        How far below the best mean r a candidate may lie: a number is in units of r, a string such
        as "1se" or "0.5se" in standard errors of the best candidate.

    Returns
    -------
    RefitRule
        A callable from ``cv_results_`` to the index of a candidate. It raises ValueError if
        no candidate can be chosen, or a score is missing.

    Raises
    ------
    TypeError
        If `tolerance` is neither a number nor a string.
    ValueError
        If `tolerance` is negative or not finite.

    See Also
    --------
    least_reorientation : The most aligned instead of the sparsest; the Notes there hold here too.

    Notes
    -----
    Sparsity is the mean number of active units of a target, empty targets included, so that a
    candidate that leaves some targets empty looks sparser: its r, where those count as 0, is what
    speaks against it.

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
    return RefitRule("fewest_units", tolerance)


def last_iteration(cv_results: Mapping[str, Any]) -> NDArray[np.intp]:
    """Rows that compare: all, or those with the most resources in a halving search."""
    iteration = np.asarray(cv_results.get("iter", np.zeros(len(cv_results["params"]))))
    return np.flatnonzero(iteration == iteration.max())


def read_score(
    cv_results: Mapping[str, Any], name: str, rows: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of a score over splits, and its standard error, both NaN where a split has failed."""
    pattern = re.compile(rf"split\d+_test_{re.escape(name)}")
    splits = [np.asarray(cv_results[key]) for key in cv_results if pattern.fullmatch(key)]
    if not splits:
        start = "mean_test_"
        found = sorted(key.removeprefix(start) for key in cv_results if key.startswith(start))
        raise ValueError(
            f'cv_results must have the test score "{name}": give the search '
            "scoring=AlignmentScorer(), or a dict of scorers whose names the rule is told; got the "
            f"scores {found}."
        )
    scores = np.array([split[rows] for split in splits], dtype=np.float64)
    scores[~np.isfinite(scores)] = np.nan
    if len(scores) == 1:
        return scores[0], np.full(rows.size, np.nan)
    return scores.mean(axis=0), scores.std(axis=0, ddof=1) / np.sqrt(len(scores))


def read_theta(
    cv_results: Mapping[str, Any], name: str, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Mean theta over splits, from its negative."""
    theta = -read_score(cv_results, name, rows)[0]
    if (theta < 0).any():
        raise ValueError(
            f'The score "{name}" must be minus theta, from -2 to 0, as AlignmentScorer and '
            f"TuningReorientationScorer give it; got {-theta[theta < 0][0]:.3g}."
        )
    return theta + 0.0  # not -0.0
