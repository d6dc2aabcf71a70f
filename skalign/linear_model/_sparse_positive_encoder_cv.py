"""Linear encoders that choose the strength of their penalty, for every target."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from skalign.linear_model._base import LinearEncoder, first_of
from skalign.linear_model._callback import begin_tasks, end_fit, with_callbacks
from skalign.linear_model._fold_scores import FoldScores, fold_scores
from skalign.linear_model._folds import Problem, Split
from skalign.metrics import theta_without_penalty
from skalign.model_selection import check_splits, choose
from skalign.solvers import (
    Penalty,
    Solution,
    check_alphas,
    check_stopping,
    penalty_strengths,
    solve,
)

# Up to here r and theta differ by rounding only.
EQUAL = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-6}


class SparsePositiveEncoderCV(LinearEncoder):
    r"""SparsePositiveEncoder that chooses alpha by cross-validation, for every target.

    Every alpha is fitted on the training part of every split and scored on the part held out: by
    Pearson's r, the tuning reorientation theta of its predictions, and its number of active units.
    Of the alphas, `select` takes one for every target.

    Parameters
    ----------
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty on the weights, as in :class:`SparsePositiveEncoder`.
    alphas : int or array-like of shape (n_alphas,) or (n_alphas, n_targets), default=10
        Strengths to choose from, or their number. By number they are evenly spaced in the
        logarithm: with an l1 penalty over two decades from the least alpha at which the target (the
        last of all targets, unless `alpha_per_target`) is empty; in ridge over six decades, from
        the largest eigenvalue of the Gram of the centered features.
        Several l1_ratios share a grid, down from what the smallest of them asks for.
    l1_ratio : float or array-like of shape (n_l1_ratios,), default=0.5
        Share or shares of the l1 penalty in "elasticnet", also chosen for every target.
    cv : int, cross-validation generator or iterable, default=None
        Any of scikit-learn's. None makes 5 folds;
        :class:`~sklearn.model_selection.PredefinedSplit` is a validation set. With `groups` in
        `fit`, a number of folds or None makes folds of whole groups.
    select : {"best", "one_se", "least_reorientation", "fewest_units"}, default="best"
        The rule:

        - "best": the largest mean r.
        - "one_se": the largest alpha whose r lies within one standard error of the best.
        - "least_reorientation": the least theta among those within `tolerance` of the best r.
        - "fewest_units": the fewest active units among the same.
    tolerance : float or str, default="1se"
        How much r the last two rules may give away: a number in units of r, or a string such as
        "0.5se", in standard errors of the best.
    alpha_per_target : bool, default=True
        Whether every target gets its own alpha. If not, the rule looks at scores averaged over
        targets.
    refit : {"all", "train"}, default="all"
        Whether the weights that are kept are fitted to all samples or, with a single split, to its
        training part alone.
    center : bool, default=False
        Whether theta centers features and predictions over images.
    positive : bool, default=True
        Whether weights must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    tol : float, default=None
        Bound on the violation of the optimality conditions; by default 1e-7 in float64 and 1e-4
        in float32.
    max_iter : int, default=10000
        Bound on the iterations of one fit.
    n_jobs : int, default=None
        Number of threads over blocks of targets.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        Chosen strength; infinite for a target that was left empty. A number if `y` was 1-D.
    l1_ratio_ : float or ndarray of shape (n_targets,)
        Chosen share of the l1 penalty; NaN but for "elasticnet".
    best_index_ : ndarray of shape (n_targets,)
        Which candidate was chosen; -1 for a target that was left empty.
    empty_targets_ : ndarray of int
        Targets that were left empty: no candidate was better than a constant prediction or,
        without `alpha_per_target`, the one for all has no weight for them.
    cv_results_ : dict of ndarray
        Of every candidate, the largest alpha first, ``"param_alpha"``, ``"mean_test_r"``,
        ``"se_test_r"``, ``"mean_test_theta"`` (over the folds whose fit is not empty),
        ``"mean_test_penalized_theta"`` (over all folds, an empty fit counts as 2),
        ``"mean_test_n_active"``, ``"empty_fraction"`` (of the folds) and ``"max_kkt_violation"``,
        each of shape (n_candidates, n_targets), and ``"param_l1_ratio"`` (n_candidates,); at the
        same alpha, the largest l1_ratio first.
    coef_ : ndarray of shape (n_targets, n_features) or (n_features,)
        Weights; 1-D if y was.
    sparse_coef_ : sparse array of shape (n_targets, n_features)
        The same weights in CSR format.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; zero without `fit_intercept`.
    n_splits_ : int
        Number of splits.
    n_iter_, kkt_violation_, dual_gap_ : ndarray of shape (n_targets,)
        Iterations and certificates of the final fit; 0 and NaN for targets left empty.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in fit, if they were all strings.
    target_names_in_ : ndarray of shape (n_targets,)
        Names of the targets seen in fit, if `y` was a data frame or a series and they were all
        strings.

    See Also
    --------
    SparsePositiveEncoder : The encoder, at a given alpha.
    sparse_positive_path : All alphas on the same data.
    skalign.model_selection.choose : The rules, over any arrays of scores.
    skalign.model_selection.AlignmentFront : A table of ``cv_results_``.
    sklearn.linear_model.LassoCV : One target, chosen by mean squared error.

    Notes
    -----
    In a fold, an empty fit counts as r = 0 and theta = 2, the worst; a candidate that is empty in
    all folds has no theta and cannot be chosen, nor can one whose mean r is not above 0, or that is
    empty on all samples where these are fitted in the end. Every test part needs two images. The
    standard error of r is that of its mean over folds; with a single split it comes from a
    bootstrap over the images held out (for scores averaged over targets, the mean of their errors,
    which is an upper bound).

    Where training parts are the complements of what is held out, their ``X'X`` and ``X'y`` are
    those of all samples less those of the held-out part, and r and theta come from the latter
    alone: the images are gone through once. Features and targets that lose nearly all their norm
    by that are computed afresh. Other splitters, sparse `X`, and sign-free OLS and ridge (closed
    forms) are fitted fold by fold.

    Choosing alpha on scores that are then reported flatters them: report r and theta on images
    that `fit` has not seen.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani and J. Friedman. "The elements of statistical learning", 2nd
       edition, section 7.10: the one-standard-error rule. Springer, 2009.
       :doi:`10.1007/978-0-387-84858-7`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoderCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 20))
    >>> y = X[:, :3] @ [[1.0, 0.0], [0.5, 1.0], [0.0, 1.0]] + rng.standard_normal((100, 2))
    >>> encoder = SparsePositiveEncoderCV(select="one_se", cv=4).fit(X, y)
    >>> encoder.alpha_.round(2), (encoder.coef_ > 0).sum(axis=1)
    (array([0.35, 0.41]), array([2, 2]))
    >>> encoder.cv_results_["mean_test_r"].shape
    (10, 2)
    """

    def __init__(
        self,
        penalty: Penalty = "lasso",
        alphas: int | ArrayLike = 10,
        *,
        l1_ratio: float | ArrayLike = 0.5,
        cv: Any = None,
        select: Literal["best", "one_se", "least_reorientation", "fewest_units"] = "best",
        tolerance: float | str = "1se",
        alpha_per_target: bool = True,
        refit: Literal["all", "train"] = "all",
        center: bool = False,
        positive: bool = True,
        fit_intercept: bool = True,
        tol: float | None = None,
        max_iter: int = 10_000,
        n_jobs: int | None = None,
    ):
        self.penalty = penalty
        self.alphas = alphas
        self.l1_ratio = l1_ratio
        self.cv = cv
        self.select = select
        self.tolerance = tolerance
        self.alpha_per_target = alpha_per_target
        self.refit = refit
        self.center = center
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose alpha for every target, and fit the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features. float32 is kept and computed with; all else becomes float64.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, read block by block: may be memory-mapped.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, in fits and in scores.
        groups : array-like of shape (n_samples,), default=None
            Run, session or subject of every sample. Samples of a group are never in both parts of
            a split.

        Returns
        -------
        self : object
            Fitted encoder.

        Raises
        ------
        TypeError
            If a parameter is of the wrong type.
        ValueError
            If a parameter, a split, `X`, `y` or `sample_weight` is not valid.

        Warns
        -----
        UserWarning
            If targets were left empty.
        ConvergenceWarning
            If targets did not reach `tol` within `max_iter` iterations, in a fold or in the final
            fit.
        """
        given_X, given_y = X, y
        X, y, sample_weight = self._check_data(X, y, sample_weight)
        Y = y.reshape(len(y), -1)
        grid, l1_ratios = self._check_candidates(Y.shape[1])
        splits = check_splits(self.cv, X, y, sample_weight=sample_weight, groups=groups)
        if self.refit == "train" and len(splits) != 1:
            raise ValueError(
                'refit="train" needs a single split, such as PredefinedSplit makes of one '
                f'validation set; cv makes {len(splits)}. Use refit="all".'
            )
        data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight, "groups": groups}}
        tol, max_iter = check_stopping(self.tol, self.max_iter, X.dtype)
        problem = Problem(
            X, Y, sample_weight, self.penalty, self.positive, self.fit_intercept, tol, max_iter,
            self.center,
        )  # fmt: skip
        scores = fold_scores(
            problem, splits, grid, l1_ratios, alpha_per_target=self.alpha_per_target,
            n_jobs=self.n_jobs, progress=partial(begin_tasks, self, **data),
        )  # fmt: skip
        best = self._choose(scores, X.dtype)
        solution, best = self._fit_chosen(X, Y, sample_weight, splits, scores, best)
        self._keep_names(given_X, given_y)
        self._keep(y, solution)
        self._keep_choice(y, scores, best, tol)
        self.n_splits_ = len(splits)
        end_fit(self, **data)
        return self

    def _check_candidates(self, n_targets: int) -> tuple[int | NDArray, list[float]]:
        for name in ("alpha_per_target", "center"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise TypeError(f"{name} must be True or False; got {getattr(self, name)!r}.")
        if self.refit not in ("all", "train"):
            raise ValueError(f'refit must be "all" or "train"; got {self.refit!r}.')
        some = np.ones((1, 1))
        choose(self.select, some, r_se=some, theta=some, n_active=some, tolerance=self.tolerance)
        ratios = np.atleast_1d(self.l1_ratio) if self.penalty == "elasticnet" else np.ones(1)
        for ratio in ratios:
            penalty_strengths(self.penalty, 1.0, ratio, n_targets=1, total_weight=1.0)  # checks
        if ratios.ndim != 1 or not ratios.size:
            raise ValueError(
                "l1_ratio must be a number between 0 and 1 or a 1-D array of them; got "
                f"{self.l1_ratio!r}."
            )
        grid = check_alphas(self.alphas, n_targets)
        if not isinstance(grid, int) and grid.shape[1] > 1 and not self.alpha_per_target:
            raise ValueError(
                "alphas must be 1-D with alpha_per_target=False, one grid for all targets; got "
                f"shape {grid.shape}."
            )
        if self.penalty == "ols":
            grid = np.zeros((1, 1))
        return grid, sorted(map(float, ratios), reverse=True)

    def _choose(self, scores: FoldScores, dtype: np.dtype) -> NDArray[np.intp]:
        """Chosen candidate of every target; -1 where it is left empty."""
        r, r_se, theta, n_active = scores.r, scores.r_se, scores.theta, scores.n_active
        if self.refit == "all":  # a fold may have weights where all data together have none
            n_active = np.where(scores.is_empty, 0, n_active)
        n_targets = r.shape[1]
        if not self.alpha_per_target:
            n_folds = len(scores.pooled_r)
            r = scores.pooled_r.mean(axis=0)[:, np.newaxis]
            if n_folds > 1:
                r_se = scores.pooled_r.std(axis=0, ddof=1)[:, np.newaxis] / np.sqrt(n_folds)
            else:
                r_se = r_se.mean(axis=1, keepdims=True)
            theta = np.where(np.isnan(theta), 2.0, theta).mean(axis=1, keepdims=True)
            n_active = n_active.mean(axis=1, keepdims=True)
        best = choose(
            self.select,
            r,
            r_se=r_se,
            theta=theta,
            n_active=n_active,
            tolerance=self.tolerance,
            tie=EQUAL[dtype],
        )
        if self.alpha_per_target:
            return best
        best = np.repeat(best, n_targets)
        # What suits most may leave a target empty; one that nothing predicts stays so.
        hopeless = ~((scores.r > 0) & (scores.n_active > 0)).any(axis=0)
        return np.where(hopeless, -1, best)

    def _fit_chosen(
        self,
        X: Any,
        Y: NDArray,
        weight: NDArray | None,
        splits: list[Split],
        scores: FoldScores,
        best: NDArray[np.intp],
    ) -> tuple[Solution, NDArray[np.intp]]:
        """The final fit, targets that are left empty emptied, and what was chosen after all."""
        empty = best < 0
        alpha = scores.alphas[best, np.arange(len(best))]
        alpha[empty] = scores.alphas[0, empty]  # the cheapest
        if self.refit == "train":  # by weights, so that targets are still read block by block
            times = np.bincount(splits[0][0], minlength=len(Y)).astype(np.float64)
            weight = times if weight is None else times * weight
        solution = solve(
            X, Y, self.penalty, alpha, l1_ratio=scores.l1_ratios[best], positive=self.positive,
            fit_intercept=self.fit_intercept, sample_weight=weight, tol=self.tol,
            max_iter=self.max_iter, n_jobs=self.n_jobs,
        )  # fmt: skip
        empty |= ~solution.coef.any(axis=1)
        if empty.any():
            if self.fit_intercept:  # the mean of the target
                mean = (np.ones(len(Y)) if weight is None else weight) @ X
                mean = mean / (len(Y) if weight is None else weight.sum())
                solution.intercept[empty] += solution.coef[empty] @ mean.astype(X.dtype)
            solution.coef[empty], solution.n_iter[empty] = 0, 0
            solution.kkt_violation[empty] = solution.dual_gap[empty] = np.nan
            solution.converged[empty] = True
        return solution, np.where(empty, -1, best)

    def _keep_choice(
        self, y: NDArray, scores: FoldScores, best: NDArray[np.intp], tol: float
    ) -> None:
        is_net = self.penalty == "elasticnet"
        self.best_index_ = best
        self.empty_targets_ = np.flatnonzero(best < 0)
        alpha = np.where(best < 0, np.inf, scores.alphas[best, np.arange(len(best))])
        l1_ratio = np.where(is_net & (best >= 0), scores.l1_ratios[best], np.nan)
        single = y.ndim == 1
        self.alpha_ = float(alpha[0]) if single else alpha
        self.l1_ratio_ = float(l1_ratio[0]) if single else l1_ratio
        penalized_theta = np.where(np.isnan(scores.theta), 2.0, scores.theta)
        self.cv_results_ = {
            "param_alpha": scores.alphas,
            "param_l1_ratio": np.where(is_net, scores.l1_ratios, np.nan),
            "mean_test_r": scores.r,
            "se_test_r": scores.r_se,
            "mean_test_theta": theta_without_penalty(penalized_theta, 1 - scores.nonempty),
            "mean_test_penalized_theta": penalized_theta,
            "mean_test_n_active": scores.n_active,
            "empty_fraction": 1 - scores.nonempty,
            "max_kkt_violation": scores.kkt_violation,
        }
        missed = scores.kkt_violation > tol
        if missed.any():
            targets = np.flatnonzero(missed.any(axis=0))
            warnings.warn(
                f"In the folds, {targets.size} of {best.size} targets did not reach the tolerance "
                f"at every alpha (targets {first_of(targets)}): largest KKT violation "
                f'{scores.kkt_violation.max():.2g}; all are in cv_results_["max_kkt_violation"]. '
                "Their scores may be off. Increase max_iter, or leave out the smallest alphas.",
                ConvergenceWarning,
                stacklevel=4,
            )
        n_empty = self.empty_targets_.size
        if n_empty:
            why = "no candidate predicts them better than a constant"
            if not self.alpha_per_target:
                why += ", or the one that suits all leaves them empty"
            warnings.warn(
                f"{n_empty} of {best.size} targets were left empty: {why} (targets "
                f"{first_of(self.empty_targets_)}; all are in empty_targets_). Their r counts as "
                "0. Look at their noise ceiling, or drop them.",
                UserWarning,
                stacklevel=4,
            )
