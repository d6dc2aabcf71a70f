"""Scorer over predictivity, with or without the noise ceilings of the targets."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from skalign.metrics._alignment_record import is_scorable, mean_over_targets
from skalign.metrics._array_library import to_numpy
from skalign.metrics._directions import nan_explained
from skalign.metrics._names import check_target_names, fitted_target_names
from skalign.metrics._noise_ceiling import NoiseCeiling
from skalign.metrics._normalized_scores import normalize_scores
from skalign.metrics._observed_images import count_observed
from skalign.metrics._predictivity import pearson_r
from skalign.metrics._scorer_base import Scorer
from skalign.utils import Missing, check_missing, check_number


class PearsonScorer(Scorer):
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
    missing : {"error", "mask"}, default="error"
        What to do if `y` has NaN: raise an error, or score every target on the images on which it
        was observed. Targets observed on fewer than two images are left out of the mean.

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

    def __init__(
        self,
        *,
        ceiling: NoiseCeiling | None = None,
        undefined: float = 0.0,
        missing: Missing = "error",
    ) -> None:
        self.ceiling = ceiling
        self.undefined = undefined
        self.missing = missing

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
        options: Any = {"sample_weight": sample_weight, "missing": check_missing(self.missing)}
        with nan_explained(y, "y"):
            r = to_numpy(pearson_r(y, predicted, undefined=undefined, **options))
        if self.ceiling is not None:
            r = normalize_scores(r, self.ceiling, unit="r")
            if not (self.ceiling.values > 0).all():
                raise ValueError(
                    "ceiling must be above 0 for every target; got "
                    f"{(~(self.ceiling.values > 0)).sum()} that are 0 or NaN. Score reliable "
                    "targets only (reliable_targets gives their mask), with ceiling[mask]."
                )
        n_observed = count_observed(y, sample_weight) if self.missing == "mask" else None
        return mean_over_targets(r[is_scorable(n_observed)])
