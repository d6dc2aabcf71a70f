"""SelectiveUnitLocalizer: keep the units that are selective for a category."""

from __future__ import annotations

from copy import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from skalign.feature_selection._selectivity import (
    SelectivityTests,
    check_localizer_set,
    compute_selectivity_tests,
)
from skalign.utils import Array, DocumentationLink, Flags, VersionedState, check_flag


class SelectiveUnitLocalizer(VersionedState, DocumentationLink, SelectorMixin, BaseEstimator):
    r"""Keep the units that respond more to one category than to each of the others.

    For every unit a two-sample t-test compares the target category with each other category.
    The p-values are adjusted for the false discovery rate across units, within each contrast
    (see :func:`selectivity_tests`). The mean t over contrasts, `selectivity_`, ranks the units,
    and up to three rules select them:

    - rank (always): the `n_units` with the largest mean t among those that pass the other rules;
    - strict (`fdr`): in all contrasts :math:`q \le` `fdr` and :math:`t > 0`;
    - ratio (`min_ratio`): the mean response to the category is at least `min_ratio` times
      that to every other category.

    By default units are only ranked: units that prefer another category are kept too where
    fewer than `n_units` prefer this one.

    Parameters
    ----------
    category : object, default=None
        The target category, one of those the localizer images have. If None, each unit is
        tested for its own best category, the one with its largest mean response.
    n_units : int or None, default=100
        How many units to keep. Fewer that pass are an error under the strict or the ratio
        rule; by rank alone all there are are kept. None keeps all units that pass: by rank
        alone, all for which the mean t is defined.
    fdr : float, default=None
        False discovery rate of the strict rule, in (0, 1). 0.05 is customary. If None, units
        need not be significant.
    min_ratio : float, default=None
        Smallest ratio of mean responses, greater than 0; 2.0 is customary. It has a meaning
        only where mean responses are positive, as after a ReLU and before standardization.
        If None, ratios are ignored.
    equal_var : bool, default=True
        Whether the t-tests pool the variances of the two categories, as in the paper. False
        gives Welch's test: choose it where categories differ in their number of images, for
        then the pooled test can reject far too often (see :func:`selectivity_tests`).
    stimuli : tuple (X_localizer, categories), default=None
        Responses to the localizer images, array-like of shape (n_images, n_units), and their
        categories, array-like of shape (n_images,). The responses are in the space that
        reaches this step: a step before this one in a pipeline does not see them. If given,
        `fit` ignores `y`, and of `X` it checks width and feature names only. Clones
        share these objects instead of copying them.

    Attributes
    ----------
    categories_ : ndarray of shape (n_categories,)
        The categories of the localizer images, sorted.
    preferred_category_ : ndarray of shape (`n_features_in_`,)
        The category with the largest mean response of each unit; the first of equals.
    contrasts_ : ndarray of shape (n_contrasts,) or (n_contrasts, `n_features_in_`)
        The categories that the target is held against, all but itself in sorted order. With
        ``category=None`` they differ between units.
    t_values_ : ndarray of shape (n_contrasts, `n_features_in_`)
        t statistics; positive where the target category drives the unit more.
    p_values_ : ndarray of shape (n_contrasts, `n_features_in_`)
        Two-sided p-values, not corrected.
    q_values_ : ndarray of shape (n_contrasts, `n_features_in_`)
        p-values after Benjamini-Yekutieli adjustment across the units of each contrast.
    selectivity_ : ndarray of shape (`n_features_in_`,)
        Mean of `t_values_` over contrasts; higher is more selective. NaN where it is
        undefined: such a unit never passes.
    selective_ : ndarray of shape (`n_features_in_`,), dtype=bool
        The units that pass, before the cut to `n_units`.
    ranking_ : ndarray of shape (`n_features_in_`,), dtype=int
        Position of each unit in the order of `selectivity_`, whether it passes or not: 1 is
        the most selective, undefined units come last. ``np.argsort(ranking_)`` lists the units
        from the most selective on.
    support_ : ndarray of shape (`n_features_in_`,), dtype=bool
        The units that are kept.
    n_features_in_ : int
        Number of units seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the units seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    selectivity_tests : The statistics alone, arrays in and arrays out.

    Notes
    -----
    Localizer images must be independent samples: volumes of one fMRI block are not, and are
    averaged first. Units are chosen by their responses, so an encoder must be scored on
    images that were not used to choose them.

    Units without variance never pass and change nothing for the others. Where a unit does
    not vary within two categories but differs between them, t is infinite and it ranks first.

    References
    ----------
    .. [1] Prince, Alvarez and Konkle (2023), "A contrastive coding account of category
       selectivity in the ventral visual stream", bioRxiv, :doi:`10.1101/2023.08.04.551888`.
    .. [2] Benjamini and Yekutieli (2001), "The control of the false discovery rate in
       multiple testing under dependency", Annals of Statistics 29(4):1165-1188,
       :doi:`10.1214/aos/1013699998`.

    Examples
    --------
    Face-selective units of a layer, by their responses to localizer images:

    >>> import numpy as np
    >>> from skalign.feature_selection import SelectiveUnitLocalizer
    >>> rng = np.random.default_rng(0)
    >>> category = np.repeat(["body", "face", "scene"], 20)
    >>> X_localizer = rng.normal(size=(60, 8))
    >>> X_localizer[category == "face", 2:4] += 3
    >>> localizer = SelectiveUnitLocalizer("face", n_units=None, fdr=0.05)
    >>> localizer.fit(X_localizer, category).get_support(indices=True)
    array([2, 3])

    In an encoding pipeline `y` is brain data, and the localizer set is a parameter:

    >>> from sklearn.linear_model import Lasso
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> X = rng.normal(size=(40, 8))
    >>> y = X[:, [2, 2, 3]] + rng.normal(size=(40, 3))
    >>> encoder = make_pipeline(
    ...     SelectiveUnitLocalizer(stimuli=(X_localizer, category)), Lasso(positive=True)
    ... )
    >>> search = GridSearchCV(
    ...     encoder,
    ...     {
    ...         "selectiveunitlocalizer__category": ["face", "scene"],
    ...         "selectiveunitlocalizer__n_units": [1, 2],
    ...         "lasso__alpha": [0.01, 0.1],
    ...     },
    ... )
    >>> best = search.fit(X, y).best_estimator_[0]
    >>> best.category, best.n_units
    ('face', 2)
    """

    def __init__(
        self,
        category: Any = None,
        *,
        n_units: int | None = 100,
        fdr: float | None = None,
        min_ratio: float | None = None,
        equal_var: bool = True,
        stimuli: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        self.category = category
        self.n_units = n_units
        self.fdr = fdr
        self.min_ratio = min_ratio
        self.equal_var = equal_var
        self.stimuli = stimuli

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> SelectiveUnitLocalizer:
        """Test all units and select those to keep.

        Parameters
        ----------
        X : array-like of shape (n_images, n_units)
            Responses to the localizer images. With `stimuli`, the units' responses to any
            images.
        y : array-like of shape (n_images,), default=None
            Category of each localizer image. Ignored with `stimuli`.

        Returns
        -------
        SelectiveUnitLocalizer
            The fitted localizer.

        Raises
        ------
        ValueError
            If a parameter is out of range, the localizer set is malformed or has no image of
            `category`, `stimuli` and `X` do not have the same units, `min_ratio` is set and
            mean responses are not positive, no unit passes, or fewer than `n_units` pass the
            strict or the ratio rule.
        """
        self._check_parameters()
        localizer_set = self._check_y(X, y) if self.stimuli is None else self._check_stimuli(X)
        tests = compute_selectivity_tests(*localizer_set, self.category, equal_var=self.equal_var)
        selective = self._apply_rules(tests)
        order = np.argsort(-tests.selectivity, kind="stable")  # NaN last
        kept = order[selective[order]][: self.n_units]

        validate_data(self, X, skip_check_array=True)  # n_features_in_, feature_names_in_
        self.categories_ = tests.categories
        self.preferred_category_ = tests.preferred
        self.contrasts_ = tests.contrasts
        self.t_values_ = tests.t_values
        self.p_values_ = tests.p_values
        self.q_values_ = tests.q_values
        self.selectivity_ = tests.selectivity
        self.selective_ = selective
        self.ranking_ = np.empty(len(order), dtype=int)
        self.ranking_[order] = np.arange(1, len(order) + 1)
        self.support_ = np.isin(np.arange(len(order)), kept)
        return self

    def _get_support_mask(self) -> Flags:
        check_is_fitted(self)
        return self.support_

    def _check_parameters(self) -> None:
        check_flag(self.equal_var, "equal_var")
        n_units, fdr, min_ratio = self.n_units, self.fdr, self.min_ratio
        is_integer = isinstance(n_units, Integral) and not isinstance(n_units, bool)
        if n_units is not None and not (is_integer and n_units >= 1):
            raise ValueError(
                "n_units must be a positive int, or None to keep all units that pass; "
                f"got {n_units!r}."
            )
        if fdr is not None and not (isinstance(fdr, Real) and 0 < fdr < 1):
            raise ValueError(
                "fdr must be a number between 0 and 1, both excluded, or None to rank by mean t "
                f"alone; got {fdr!r}."
            )
        is_number = isinstance(min_ratio, Real) and not isinstance(min_ratio, bool)
        if min_ratio is not None and not (is_number and 0 < float(min_ratio) < np.inf):
            raise ValueError(
                "min_ratio must be a finite number greater than 0, or None for no ratio rule; "
                f"got {min_ratio!r}."
            )

    def _check_y(self, X: ArrayLike, y: ArrayLike | None) -> tuple[Array, Array]:
        """Return (X, y) as the localizer set."""
        remedy = (
            "In an encoding pipeline, where y is brain data, pass the localizer set as "
            "stimuli=(X_localizer, categories)."
        )
        if y is None:
            raise ValueError(
                "SelectiveUnitLocalizer without stimuli requires y to be passed, but the target "
                f"y is None. {remedy}"
            )
        kind = type_of_target(y, input_name="y")
        if kind.startswith(("continuous", "multilabel", "multiclass-multioutput")):
            raise ValueError(
                "y must be the category of each localizer image; got "
                f"{kind} data of shape {np.shape(y)}. {remedy}"
            )
        return check_localizer_set(X, y)

    def _check_stimuli(self, X: ArrayLike) -> tuple[Array, Array]:
        """Return `stimuli` as the localizer set, after holding its units against those of X."""
        stimuli = self.stimuli
        if not isinstance(stimuli, tuple | list) or len(stimuli) != 2:
            length = f" of {len(stimuli)}" if isinstance(stimuli, tuple | list) else ""
            raise ValueError(
                "stimuli must be a pair (X_localizer, categories), or None where X and y are the "
                f"localizer set; got a {type(stimuli).__name__}{length}."
            )
        images, categories = check_localizer_set(*stimuli, X_name="stimuli[0]", y_name="stimuli[1]")
        n_units = check_array(X, estimator=self, input_name="X").shape[1]
        if n_units != images.shape[1]:
            raise ValueError(
                f"stimuli and X must have the same units; got {images.shape[1]} in stimuli and "
                f"{n_units} in X. Pass stimuli in the space that reaches this step."
            )
        names, expected = _feature_names(stimuli[0]), _feature_names(X)
        if names is not None and expected is not None and (differ := names != expected).any():
            first = int(differ.argmax())
            raise ValueError(
                "stimuli and X must have the same feature names in the same order; got "
                f"{differ.sum()} of {n_units} that differ, first {names[first]!r} in stimuli where "
                f"X has {expected[first]!r}."
            )
        return images, categories

    def _apply_rules(self, tests: SelectivityTests) -> Flags:
        """Return the units that pass, or raise where these are too few."""
        selective = ~np.isnan(tests.selectivity)
        if not selective.any():
            raise ValueError(
                "X must have a unit that varies over the images of each pair of categories; got "
                f"none that can be tested for category={self.category!r}."
            )
        if self.min_ratio is not None and np.isnan(tests.response_ratio[selective]).any():
            raise ValueError(
                f"Mean responses must be positive for min_ratio={self.min_ratio!r}; got "
                f"{np.isnan(tests.response_ratio[selective]).sum()} units with others. Localize "
                "after a ReLU and before standardization, or set min_ratio=None."
            )
        if self.fdr is not None:
            significant = (tests.q_values <= self.fdr) & (tests.t_values > 0)
            selective &= significant.all(axis=0)
        if self.min_ratio is not None:
            selective &= tests.response_ratio >= self.min_ratio

        by_rank_alone = self.fdr is None and self.min_ratio is None
        needed = 1 if by_rank_alone or self.n_units is None else self.n_units
        if (n_selective := np.count_nonzero(selective)) < needed:
            rules = {"fdr": self.fdr, "min_ratio": self.min_ratio}
            remedies = {
                "fdr": "raise fdr (None drops the rule)",
                "min_ratio": "lower min_ratio (None drops the rule)",
                "n_units": "lower n_units (None keeps all that pass)",
            }
            given = [name for name, value in rules.items() if value is not None]
            remedy = ", or ".join(
                remedies[name] for name in (*given, *(["n_units"] if n_selective else []))
            )
            raise ValueError(
                f"At least {needed} unit{'s' * (needed > 1)} must pass for "
                f"category={self.category!r}, "
                f"{' and '.join(f'{name}={rules[name]!r}' for name in given)}; got {n_selective} "
                f"of {len(selective)}. {remedy[0].upper()}{remedy[1:]}."
            )
        return selective

    def __sklearn_clone__(self) -> SelectiveUnitLocalizer:
        bare = copy(self)
        bare.stimuli = None
        clone = super(SelectiveUnitLocalizer, bare).__sklearn_clone__()
        clone.stimuli = self.stimuli
        return clone

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.stimuli is None
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _feature_names(X: ArrayLike) -> Array | None:
    """Return the feature names that scikit-learn sees in X, if any."""
    witness = BaseEstimator()
    validate_data(witness, X, skip_check_array=True)
    return getattr(witness, "feature_names_in_", None)
