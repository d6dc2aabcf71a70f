"""Scorers over reorientation and predictivity, for scikit-learn's searches and cross-validation."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from skalign.metrics._alignment import alignment
from skalign.metrics._alignment_record import is_scorable, mean_over_targets
from skalign.metrics._array_library import to_numpy_if_dispatched
from skalign.metrics._directions import check_responses
from skalign.metrics._linear_map import check_target, linear_maps
from skalign.metrics._observed_images import count_observed
from skalign.metrics._reorientation import tuning_reorientation
from skalign.metrics._scorer_base import Scorer
from skalign.utils import Missing, check_missing, check_number


class TuningReorientationScorer(Scorer):
    """Scorer: minus the tuning reorientation of a linear model, averaged over targets.

    The linear model may be inside a :class:`~sklearn.pipeline.Pipeline`,
    :class:`~sklearn.compose.TransformedTargetRegressor`, :class:`~sklearn.frozen.FrozenEstimator`,
    :class:`~sklearn.multioutput.MultiOutputRegressor` or fitted search. Theta is computed in the
    space that the model sees: from the features that reach it, and from its own predictions, before
    a target transformer is undone.

    Parameters
    ----------
    target : {"predicted", "observed"}, default="predicted"
        Whether theta compares the features with the responses that the model predicts, as the paper
        does, or with the observed ones, as a target transformer hands them to the model.
    center : bool, default=False
        Whether to center features and targets over images. The intercept is part of a prediction:
        without centering, standardize the targets.
    undefined : float, default=2.0
        Value of theta for a target without weights, or without a direction. The default is the
        worst value, so that an empty model never wins.
    missing : {"error", "mask"}, default="error"
        What to do if `y` has NaN: raise an error, or score every target on the images on which it
        was observed. Targets observed on fewer than two images are left out of the mean.

    See Also
    --------
    AlignmentScorer : Reorientation, predictivity and sparsity in one pass.
    tuning_reorientation : The measure, its formula and its traps.

    Notes
    -----
    The score is minus the ``"penalized_theta"`` of :meth:`Alignment.summary`.

    A model that is selected by this score alone may predict nothing: a single badly chosen unit has
    a theta of 0. Look at predictivity beside it.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.linear_model import Lasso
    >>> from sklearn.model_selection import cross_val_score
    >>> from skalign.metrics import TuningReorientationScorer
    >>> X, y = make_regression(n_samples=90, n_features=5, n_targets=3, random_state=0)
    >>> scores = cross_val_score(Lasso(positive=True), X, y, scoring=TuningReorientationScorer())
    >>> scores.shape
    (5,)
    """

    def __init__(
        self,
        *,
        target: Literal["predicted", "observed"] = "predicted",
        center: bool = False,
        undefined: float = 2.0,
        missing: Missing = "error",
    ) -> None:
        self.target = target
        self.center = center
        self.undefined = undefined
        self.missing = missing

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a linear model inside.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Held-out images: the estimator should not have been fitted to them.
        y : array-like of shape (n_samples, n_targets) or (n_samples,)
            Observed responses.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images.

        Returns
        -------
        float
            Minus the mean theta, empty targets penalized, from -2 to 0; greater is better.

        Raises
        ------
        TypeError
            If the estimator has no linear weights, or weights of a shape that does not fit.
        ValueError
            If a parameter is not valid, or the targets of `y` have other names than those that the
            estimator was fitted to.
        """
        undefined = check_number(self.undefined, "undefined")
        to_predicted = check_target(self.target) == "predicted"
        is_masked = check_missing(self.missing) == "mask"
        weight, theta = to_numpy_if_dispatched(sample_weight), []
        for one in linear_maps(estimator, X, y, predict=to_predicted):
            targets = one.predicted if to_predicted else one.observed
            if to_predicted and is_masked:  # on the images that were observed
                observed = check_responses(one.observed, "y")
                targets = np.where(np.isnan(observed), np.nan, targets)
            found = tuning_reorientation(
                one.features,
                targets,
                one.weights,
                center=self.center,
                sample_weight=weight,
                missing=self.missing,
            )
            theta.append(found)
        n_observed = count_observed(y, weight) if is_masked else None
        return -mean_over_targets(np.concatenate(theta)[is_scorable(n_observed)], undefined)


class AlignmentScorer(Scorer):
    """Scorer: predictivity, reorientation and sparsity of a linear model, in one pass.

    The scorer returns a dict. Use it as the whole ``scoring`` of
    :class:`~sklearn.model_selection.GridSearchCV`, with ``refit`` one of the names below or a rule
    such as :func:`~skalign.model_selection.least_reorientation`, or of
    :func:`~sklearn.model_selection.cross_validate`. For
    :func:`~sklearn.model_selection.cross_val_score`, or beside other scorers in a dict, use
    :class:`TuningReorientationScorer` and :class:`PearsonScorer`.

    Parameters
    ----------
    target : {"predicted", "observed"}, default="predicted"
        Whether ``"neg_theta"`` compares the features with the predicted or with the observed
        responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    undefined_r : float, default=0.0
        Value of r for a target whose predicted or observed responses are constant.
    undefined_theta : float, default=2.0
        Value of theta for a target without weights, or without a direction. The default is the
        worst value, so that an empty model never wins.
    missing : {"error", "mask"}, default="error"
        What to do if `y` has NaN: raise an error, or score every target on the images on which it
        was observed. Targets observed on fewer than two images are left out of all means.

    See Also
    --------
    TuningReorientationScorer : The space of theta, and the estimators that may be around the model.
    Alignment.summary : The same means, with those of the targets that are not empty.
    PearsonScorer : Predictivity alone, for any regressor.

    Notes
    -----
    ``"neg_theta"`` is minus the ``"penalized_theta"`` of :meth:`Alignment.summary`: an empty target
    counts as `undefined_theta`. The mean over the targets that have a theta follows from two of
    the scores, where ``nonempty_fraction`` is not 0: ``undefined_theta - (neg_theta +
    undefined_theta) / nonempty_fraction``.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.linear_model import Lasso
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skalign.metrics import AlignmentScorer
    >>> X, y = make_regression(n_samples=90, n_features=5, n_targets=3, random_state=0)
    >>> search = GridSearchCV(
    ...     Lasso(positive=True), {"alpha": [1, 10000]}, scoring=AlignmentScorer(), refit="r"
    ... ).fit(X, y)
    >>> search.best_params_
    {'alpha': 1}
    >>> [float(search.cv_results_[f"mean_test_{name}"][1]) for name in ("r", "neg_theta")]
    [0.0, -2.0]
    """

    def __init__(
        self,
        *,
        target: Literal["predicted", "observed"] = "predicted",
        center: bool = False,
        undefined_r: float = 0.0,
        undefined_theta: float = 2.0,
        missing: Missing = "error",
    ) -> None:
        self.target = target
        self.center = center
        self.undefined_r = undefined_r
        self.undefined_theta = undefined_theta
        self.missing = missing

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a linear model inside.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Held-out images: the estimator should not have been fitted to them.
        y : array-like of shape (n_samples, n_targets) or (n_samples,)
            Observed responses.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images in r and theta.

        Returns
        -------
        dict of str to float
            ``"r"``, mean Pearson correlation over targets, from -1 to 1; ``"neg_theta"``, minus the
            mean reorientation to `target` in which empty targets are penalized, from -2 to 0;
            ``"neg_theta_observed"``, the same to the observed responses; ``"n_active"``, mean
            number of nonzero weights of a target; ``"nonempty_fraction"``, fraction of the targets
            with nonzero weights. Greater is better, except for ``"n_active"``, which describes the
            model.

        Raises
        ------
        TypeError
            If the estimator has no linear weights, or weights of a shape that does not fit.
        ValueError
            If a parameter is not valid, or the targets of `y` have other names than those that the
            estimator was fitted to.
        """
        undefined_r = check_number(self.undefined_r, "undefined_r")
        undefined_theta = check_number(self.undefined_theta, "undefined_theta")
        check_target(self.target)
        options: Any = {"sample_weight": sample_weight, "missing": self.missing}
        found = alignment(estimator, X, y, center=self.center, **options)
        means = found.summary(undefined_r=undefined_r, undefined_theta=undefined_theta)
        theta_observed = found.theta_observed[is_scorable(found.n_observed)]
        of_observed = mean_over_targets(theta_observed, undefined_theta)
        return {
            "r": means["r"],
            "neg_theta": -(means["penalized_theta"] if self.target == "predicted" else of_observed),
            "neg_theta_observed": -of_observed,
            "n_active": means["n_active"],
            "nonempty_fraction": 1 - means["empty_fraction"],
        }
