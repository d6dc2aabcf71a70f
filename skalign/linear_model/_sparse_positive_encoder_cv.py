"""Linear encoders that choose the strength of their penalty, for every target."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import LeaveOneOut
from sklearn.utils.validation import check_is_fitted

from skalign.linear_model._base import LinearEncoder
from skalign.linear_model._callback import TasksOfChoice, begin_tasks, end_fit, with_callbacks
from skalign.linear_model._candidates import CandidateGrid
from skalign.linear_model._chosen_candidates import choose_candidates
from skalign.linear_model._cross_validation import CrossValidation, cross_validate
from skalign.linear_model._cross_validation_problem import CrossValidationProblem
from skalign.linear_model._final_fit import check_refit, fit_chosen
from skalign.linear_model._fit_warnings import (
    warn_of_drowned,
    warn_of_empty,
    warn_of_unconverged,
    warn_of_unconverged_folds,
    warn_of_unscored,
)
from skalign.linear_model._observed_cross_validation import cross_validate_observed
from skalign.linear_model._ridge_fold import split_of_leave_one_out
from skalign.linear_model._sparse_positive_encoder import SparsePositiveEncoder
from skalign.model_selection import Select, check_rule, check_splits
from skalign.solvers import Penalty, check_stopping
from skalign.utils import (
    Indices,
    Missing,
    MissingPatterns,
    check_flag,
    check_missing,
    missing_explained,
)


class SparsePositiveEncoderCV(LinearEncoder):
    r"""SparsePositiveEncoder that chooses alpha by cross-validation, for every target.

    Every candidate, an alpha and an l1_ratio, is fitted to the training part of every split and
    scored on the held-out part: by Pearson's r, by the tuning reorientation theta of its
    predictions, and by its number of active units. `select` takes a candidate for every target.

    Parameters
    ----------
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default="lasso"
        Penalty on the weights, as in :class:`SparsePositiveEncoder`.
    alphas : int or array-like of shape (n_alphas,) or (n_alphas, n_targets), default=10
        Strengths to choose from, or their number. A number makes a grid that suits the data:

        - "lasso": evenly spaced in the logarithm over two decades, from the least alpha at which
          the target is empty.
        - "elasticnet": a grid for every l1_ratio, from the least alpha at which the target is
          empty. The k-th alpha takes the same share of the weight of the target's leading feature,
          were it alone, as the k-th alpha of lasso does.
        - "ridge": evenly spaced in the logarithm over six decades, from the largest eigenvalue of
          the Gram of the (centered) features.
        - "ols": one alpha, 0.
    l1_ratio : float or array-like of shape (n_l1_ratios,), default=0.5
        Share of the l1 penalty in "elasticnet", or several to choose from for every target.
    cv : int, cross-validation generator or iterable, default=None
        Any of scikit-learn's, such as :class:`~sklearn.model_selection.PredefinedSplit` for a
        validation set. None makes 5 folds. With `groups` in `fit`, folds are of whole groups. Ridge
        and OLS without signs take ``LeaveOneOut()`` in closed form, with r over the pooled left-out
        predictions.
    select : {"best", "one_se", "least_reorientation", "fewest_units"}, default="best"
        The rule:

        - "best": the largest mean r.
        - "one_se": the first, most penalized candidate whose r lies within one standard error of
          the best r.
        - "least_reorientation": the least theta among those within `tolerance` of the best r. On a
          lasso path it usually chooses what "one_se" or "fewest_units" would.
        - "fewest_units": the fewest active units among the same.
    tolerance : float or str, default="1se"
        How far below the best r the last two rules may go: a number is in units of r, a string such
        as "0.5se" in standard errors of the best r.
    alpha_per_target : bool, default=True
        Whether every target gets an alpha of its own. If not, scores are averaged over targets, and
        the grid has the largest alpha of any target at every step.
    refit : {"all", "train"}, default="all"
        Samples that the weights are fitted to: all or, with a single split, its training part.
    center : bool, default=False
        Whether theta centers features and predictions over images.
    compute_theta : bool, default=False
        Whether candidates of a ridge or OLS without signs get a theta even if `select` does not
        need it. It needs the weights of every candidate and fold, and takes many times as long as
        the fits. All other candidates always get one.
    positive : bool, default=True
        Whether weights must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    tol : float, default=None
        Bound on the KKT violation; by default 1e-7 in float64 and 1e-4 in float32.
    max_iter : int, default=10000
        Bound on the iterations of one fit.
    missing : {"error", "mask"}, default="error"
        What to do if `y` has NaN: raise an error, or choose and fit for every target on the images
        on which it was observed, as if it were alone. The folds of a target are the splits in which
        it has an observed training image and two observed held-out ones. A target without any is
        left empty.
    n_jobs : int, default=None
        Number of threads over blocks of targets.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        Chosen strength; infinite for a target that was left empty. A number if `y` was 1-D.
    l1_ratio_ : float or ndarray of shape (n_targets,)
        Chosen share of the l1 penalty; NaN for other penalties than "elasticnet" and for a target
        that was left empty.
    best_index_ : ndarray of shape (n_targets,)
        Index of the chosen candidate; -1 for a target that was left empty.
    alpha_at_edge_ : ndarray of bool, shape (n_targets,)
        Whether the chosen alpha is the first or the last of several in its grid, so that one beyond
        may suit better; False for a target that was left empty.
    empty_targets_ : ndarray of int
        Targets that were left empty: no candidate predicts them better than a constant, or the one
        candidate for all targets has no weights for them.
    cv_results_ : dict of ndarray
        One row per candidate, the most penalized first and, at the same step of the grid, the
        largest l1_ratio first. All but the second are of shape (n_candidates, n_targets):

        - ``"param_alpha"``, and ``"param_l1_ratio"`` of shape (n_candidates,).
        - ``"mean_test_r"``, ``"se_test_r"``: mean over folds, where an empty fit counts as 0, and
          its standard error.
        - ``"mean_test_r2"``: coefficient of determination. Unlike r it sees shrinkage.
        - ``"mean_test_theta"``, ``"mean_test_theta_observed"``, ``"mean_test_n_effective"``,
          ``"mean_test_theta_floor"``: means over the folds that have one; NaN if none has. They are
          those of :class:`~skalign.metrics.Alignment`.
        - ``"mean_test_penalized_theta"``: mean over all folds, where an empty fit counts as 2.
        - ``"mean_test_n_active"``, ``"empty_fraction"``: mean number of active units; fraction of
          the folds whose fit is empty.
        - ``"max_kkt_violation"``: largest violation of the optimality conditions in any fold.
    coef_ : ndarray of shape (n_targets, n_features) or (n_features,)
        Weights; 1-D if y was.
    sparse_coef_ : sparse array of shape (n_targets, n_features)
        The same weights in CSR format.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; zero without `fit_intercept`.
    n_splits_ : int
        Number of splits.
    n_iter_, kkt_violation_, dual_gap_ : ndarray of shape (n_targets,)
        Iterations and certificates of the final fit; 1, 0 and 0 for targets left empty.
    is_unique_ : ndarray of shape (n_targets,), dtype bool
        Whether no other weights are optimal in the final fit.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in fit, if they were all strings.
    target_names_in_ : ndarray of shape (n_targets,)
        Names of the targets seen in fit, if `y` was a frame or series and they were all strings.

    See Also
    --------
    SparsePositiveEncoder : The encoder, at a given alpha.
    skalign.model_selection.choose : The rules, over any arrays of scores.
    skalign.model_selection.AlignmentFront : A table of ``cv_results_``.
    sklearn.linear_model.LassoCV : One target, chosen by mean squared error.

    Notes
    -----
    Pearson's r does not see shrinkage: weights that are ten times too small have the same r. Look
    at ``"mean_test_r2"`` where the size of predictions matters.

    A candidate cannot be chosen if it is empty in all folds, if it is empty on all samples (with
    ``refit="all"``), or if its mean r is not above 0. The rules compare the penalized theta. The
    standard error of r is that of its mean over folds. With a single split it comes from a
    bootstrap over the held-out samples; for all targets together, it is the mean of their errors,
    an upper bound. For ``LeaveOneOut()`` it is that of normal data, ``(1 - r^2) / sqrt(n - 1)``.

    Where training parts are the complements of held-out parts, ``X'X`` and ``X'y`` of a training
    part are those of all samples minus those of the held-out part, and r, R2 and theta come from
    the latter: `fit` reads the samples once. Features and targets that lose nearly all their norm
    are computed from the training samples. Other splitters and sparse `X` are fitted
    fold by fold.

    ``set_callbacks(sklearn.callback.ProgressBar())`` shows progress, with a task for every block of
    targets in every fold, or for every pattern of missing responses. The final fit counts as one
    more fold.

    A ridge or OLS without signs takes one eigendecomposition for each fold, of ``XX'`` or ``X'X``,
    which all alphas and targets share. Predictions come from it without weights; those are computed
    once, at the chosen alpha. The largest violation of the optimality conditions is then a bound,
    from the rounding errors of the decomposition. Where these are too large, folds are fitted
    through their samples.

    Chosen scores are optimistic: report r and theta on samples that `fit` has not seen.

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
        select: Select = "best",
        tolerance: float | str = "1se",
        alpha_per_target: bool = True,
        refit: Literal["all", "train"] = "all",
        center: bool = False,
        compute_theta: bool = False,
        positive: bool = True,
        fit_intercept: bool = True,
        tol: float | None = None,
        max_iter: int = 10_000,
        missing: Missing = "error",
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
        self.compute_theta = compute_theta
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.missing = missing
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
            If targets were left empty, or have a mean of more than 1e12 times their spread (1e6
            times in float32).
        ConvergenceWarning
            If targets did not reach `tol` within `max_iter` iterations, in a fold or in the final
            fit.
        """
        given_X, given_y = X, y
        X, y, weight = self._check_data(X, y, sample_weight)
        Y = y.reshape(len(y), -1)
        check_flag(self.center, "center")
        check_flag(self.compute_theta, "compute_theta")
        check_rule(self.select, self.tolerance)
        grid = CandidateGrid.of(
            self.penalty,
            self.alphas,
            self.l1_ratio,
            positive=self.positive,
            alpha_per_target=self.alpha_per_target,
            n_targets=Y.shape[1],
        )
        needs_theta = self.compute_theta or self.select == "least_reorientation"
        leaves_one_out = isinstance(self.cv, LeaveOneOut)
        if leaves_one_out:
            splits = split_of_leave_one_out(X.shape[0], grid, groups, needs_theta=needs_theta)
        else:
            splits = check_splits(self.cv, X, y, sample_weight=weight, groups=groups)
        n_splits = X.shape[0] if leaves_one_out else len(splits)
        check_refit(self.refit, n_splits)
        patterns = MissingPatterns(Y, weight) if check_missing(self.missing) == "mask" else None
        tol, max_iter = check_stopping(self.tol, self.max_iter, X.dtype)
        problem = CrossValidationProblem(
            X=X,
            Y=Y,
            sample_weight=weight,
            penalty=self.penalty,
            positive=self.positive,
            fit_intercept=self.fit_intercept,
            tol=tol,
            max_iter=max_iter,
            center=self.center,
            numbers=np.arange(Y.shape[1]),
        )
        data = {"X": X, "y": y, "metadata": {"sample_weight": weight, "groups": groups}}
        begin = partial(begin_tasks, self, task_name="block of targets in a fold", **data)
        tasks = TasksOfChoice(begin, len(splits))
        settings: dict[str, Any] = {
            "keep_moments": self.refit == "all",
            "needs_theta": needs_theta,
            "leaves_one_out": leaves_one_out,
            "n_jobs": self.n_jobs,
            "progress": tasks.of_folds,
        }
        if patterns is not None and patterns.any_missing:
            found = cross_validate_observed(problem, splits, grid, patterns, **settings)
        else:
            with missing_explained(Y):
                found = cross_validate(problem, splits, grid, **settings)
        train = splits[0][0] if self.refit == "train" else None
        best = choose_candidates(
            found,
            self.select,
            self.tolerance,
            alpha_per_target=self.alpha_per_target,
            fits_all_samples=train is None,
            dtype=X.dtype,
        )
        alpha = np.where(best < 0, np.inf, found.alphas[best, np.arange(len(best))])
        l1_ratio = grid.l1_ratio_of_candidates[best]
        solution = fit_chosen(
            problem,
            found,
            alpha,
            l1_ratio,
            train=train,
            missing=self.missing,
            n_jobs=self.n_jobs,
            progress=tasks.of_final_fit,
        )
        tasks.finish()
        self._keep_names(given_X, given_y)
        self._keep(y, solution)
        best = np.where(solution.coef.any(axis=1), best, -1)
        self._keep_choice(best, grid, found, single=y.ndim == 1)
        self.n_splits_ = n_splits
        unscored = np.flatnonzero(np.isnan(found.scores.r).all(axis=0))
        warn_of_unscored(unscored, len(best))
        warn_of_unconverged(solution, max_iter)
        warn_of_unconverged_folds(found.scores.kkt_violation, tol)
        if self.fit_intercept:
            warn_of_drowned(y, X.dtype)
        empty = np.setdiff1d(self.empty_targets_, unscored)
        warn_of_empty(empty, y, alpha_per_target=grid.alpha_per_target)
        end_fit(self, **data)
        return self

    def fixed(self) -> SparsePositiveEncoder:
        """Make an encoder that keeps the choice: fitted to the same samples, it is the same map.

        Returns
        -------
        SparsePositiveEncoder
            Unfitted, with the chosen `alpha` and `l1_ratio` of every target and the other
            parameters of this encoder. Targets that were left empty have an infinite alpha.

        Raises
        ------
        NotFittedError
            If this encoder is not fitted.
        """
        check_is_fitted(self)
        l1_ratio = np.nan_to_num(self.l1_ratio_, nan=0.5)  # has no effect where it is NaN
        return SparsePositiveEncoder(
            self.penalty,
            self.alpha_,
            l1_ratio=l1_ratio if self.penalty == "elasticnet" else 0.5,
            positive=self.positive,
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=self.max_iter,
            missing=self.missing,
            n_jobs=self.n_jobs,
        )

    def _keep_choice(
        self, best: Indices, grid: CandidateGrid, found: CrossValidation, *, single: bool
    ) -> None:
        l1_ratios = grid.l1_ratio_of_candidates
        if self.penalty != "elasticnet":
            l1_ratios = np.full_like(l1_ratios, np.nan)
        alpha = np.where(best < 0, np.inf, found.alphas[best, np.arange(len(best))])
        l1_ratio = np.where(best < 0, np.nan, l1_ratios[best])
        self.best_index_ = best
        self.empty_targets_ = np.flatnonzero(best < 0)
        last = grid.n_steps - 1
        step = best // len(grid.l1_ratios)
        self.alpha_at_edge_ = (best >= 0) & np.isin(step, [0, last]) & (last > 0)
        self.alpha_ = float(alpha[0]) if single else alpha
        self.l1_ratio_ = float(l1_ratio[0]) if single else l1_ratio
        self.cv_results_ = found.table(l1_ratios)
