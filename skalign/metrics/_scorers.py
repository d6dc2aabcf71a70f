"""Scorers over reorientation and predictivity, for scikit-learn's searches and cross-validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from skalign.metrics._alignment import alignment, mean_over_targets
from skalign.metrics._array_library import to_numpy, to_numpy_if_dispatched
from skalign.metrics._linear_map import check_target, linear_maps
from skalign.metrics._names import check_target_names, fitted_target_names
from skalign.metrics._noise_ceiling import NoiseCeiling, normalize_scores
from skalign.metrics._predictivity import pearson_r
from skalign.metrics._reorientation import tuning_reorientation
from skalign.utils import DocumentationLink, check_number


class _Scorer(DocumentationLink, ABC, BaseEstimator):
    """A scorer that scikit-learn can clone, set parameters of and route ``sample_weight`` to."""

    __metadata_request__score: ClassVar = {"estimator": UNUSED}

    @abstractmethod
    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Score a fitted estimator."""

    def __call__(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Score a fitted estimator: see ``score``."""
        return self.score(estimator, X, y, sample_weight)

    def _accept_sample_weight(self) -> bool:
        # Asked of every scorer in a dict while metadata routing is off; private in scikit-learn.
        return True


class TuningReorientationScorer(_Scorer):
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
    ) -> None:
        self.target = target
        self.center = center
        self.undefined = undefined

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
        theta = [
            tuning_reorientation(
                one.features,
                one.predicted if to_predicted else one.observed,
                one.weights,
                center=self.center,
                sample_weight=to_numpy_if_dispatched(sample_weight),
            )
            for one in linear_maps(estimator, X, y, predict=to_predicted)
        ]
        return -mean_over_targets(np.concatenate(theta), undefined)


class PearsonScorer(_Scorer):
    """Scorer: predictivity, Pearson's r of observed and predicted responses, averaged over targets.

    Parameters
    ----------
    ceiling : NoiseCeiling, default=None
        Noise ceiling that divides the r of each target, in unit "r" and above 0: see
        :func:`noise_ceiling`. It is a parameter and no metadata, because it has a value per target
        and none per image. Without it, r is not normalized.
    undefined : float, default=0.0
        Value of r for a target whose predicted or observed responses are constant. A model that
        predicts a constant explains nothing.

    See Also
    --------
    AlignmentScorer : Reorientation, predictivity and sparsity in one pass.
    pearson_r : The measure, for every target.
    normalize_scores : The same division of scores.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skalign.metrics import PearsonScorer
    >>> X, y = make_regression(n_samples=90, n_features=5, n_targets=3, random_state=0)
    >>> search = GridSearchCV(Ridge(), {"alpha": [0.1, 1000]}, scoring=PearsonScorer())
    >>> search.fit(X, y).best_params_
    {'alpha': 0.1}

    Each r as a share of what the noise of its target allows:

    >>> from skalign.metrics import noise_ceiling
    >>> ceiling = noise_ceiling([0.5, 1.0, 2.0], n_repeats=3)
    >>> scorer = PearsonScorer(ceiling=ceiling)
    >>> PearsonScorer()(search, X, y) < scorer(search, X, y)
    True
    """

    def __init__(self, *, ceiling: NoiseCeiling | None = None, undefined: float = 0.0) -> None:
        self.ceiling = ceiling
        self.undefined = undefined

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Any fitted regressor.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Held-out images: the estimator should not have been fitted to them.
        y : array-like of shape (n_samples, n_targets) or (n_samples,)
            Observed responses.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images.

        Returns
        -------
        float
            Mean r over targets, from -1 to 1, or mean share of the ceiling; greater is better.

        Raises
        ------
        TypeError
            If `ceiling` is an array, which has no unit.
        ValueError
            If `ceiling` is in another unit, has another number of targets, or is 0 or NaN anywhere.
        """
        undefined = check_number(self.undefined, "undefined")
        check_target_names(y, fitted_target_names(estimator))
        predicted = estimator.predict(X)
        r = to_numpy(pearson_r(y, predicted, sample_weight=sample_weight, undefined=undefined))
        if self.ceiling is not None:
            r = normalize_scores(r, self.ceiling, unit="r")
            if not (self.ceiling.values > 0).all():
                raise ValueError(
                    "ceiling must be above 0 for every target; got "
                    f"{(~(self.ceiling.values > 0)).sum()} that are 0 or NaN. Score reliable "
                    "targets only (reliable_targets gives their mask), with ceiling[mask]."
                )
        return float(r.mean())


class AlignmentScorer(_Scorer):
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
    ) -> None:
        self.target = target
        self.center = center
        self.undefined_r = undefined_r
        self.undefined_theta = undefined_theta

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
        found = alignment(estimator, X, y, center=self.center, sample_weight=sample_weight)
        means = found.summary(undefined_r=undefined_r, undefined_theta=undefined_theta)
        of_observed = mean_over_targets(found.theta_observed, undefined_theta)
        return {
            "r": means["r"],
            "neg_theta": -(means["penalized_theta"] if self.target == "predicted" else of_observed),
            "neg_theta_observed": -of_observed,
            "n_active": means["n_active"],
            "nonempty_fraction": 1 - means["empty_fraction"],
        }
