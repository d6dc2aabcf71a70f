"""Theta under every combination of choices that an analysis makes on the way to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.inference._comparison import check_test_targets, check_test_weight
from skalign.inference._refits import RefittableModel, count_samples, parameter_to_set
from skalign.inference._standardization import Standardization, standardized
from skalign.metrics import Alignment, alignment
from skalign.utils import Doubles, check_flag, import_pandas, unmask

Responses = Literal["predicted", "observed"]


class AnalysisChoices(NamedTuple):
    """What an analysis has chosen on the way to an alignment.

    Parameters
    ----------
    standardize : bool
        Whether features and targets are standardized by the images to fit.
    fit_intercept : bool
        Whether the encoder has an intercept.
    center : bool
        Whether theta centers features and responses over the scored images.

    Examples
    --------
    >>> from skalign.inference import AnalysisChoices
    >>> AnalysisChoices(standardize=True, fit_intercept=True, center=False)
    AnalysisChoices(standardize=True, fit_intercept=True, center=False)
    """

    standardize: bool
    fit_intercept: bool
    center: bool


@dataclass(frozen=True, eq=False)
class AlignmentMultiverse:
    """Alignment under every combination of choices.

    Returned by :func:`alignment_multiverse`.

    Parameters
    ----------
    alignments : dict of AnalysisChoices to Alignment
        Eight alignments of four fits. Each has theta to the predicted and to the observed
        responses, so that there are sixteen thetas of every target.
    """

    alignments: dict[AnalysisChoices, Alignment]

    def __getitem__(self, choices: AnalysisChoices | tuple[bool, bool, bool]) -> Alignment:
        choices = AnalysisChoices(*choices)
        if choices not in self.alignments:
            raise KeyError(f"choices must be one of {list(self.alignments)}; got {choices}.")
        return self.alignments[choices]

    def to_frame(self) -> Any:
        """One row per combination of choices and target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``standardize``, ``fit_intercept`` and ``center``; ``responses`` ("predicted" or
            "observed"), which theta is taken to; ``target``, its name where known and else its
            index; ``r``, ``theta`` and ``n_active``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        parts = []
        for choices, responses, found, theta in self._thetas():
            frame = found.to_frame()[["target", "r", "theta", "n_active"]].assign(theta=theta)
            for k, (name, value) in enumerate(choices._asdict().items()):
                frame.insert(k, name, value)
            frame.insert(len(choices), "responses", responses)
            parts.append(frame)
        return import_pandas().concat(parts, ignore_index=True)

    def summary_frame(self) -> Any:
        """One row per combination of choices, with means over targets, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns of the choices as in :meth:`to_frame`; ``r``, in which an empty target counts as
            0; ``theta``, over the targets that have one; ``n_active`` and ``empty_fraction``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        rows = []
        for choices, responses, found, _ in self._thetas():
            means = found.summary()
            theta = means["theta" if responses == "predicted" else "theta_observed"]
            scores = {"r": means["r"], "theta": theta, "n_active": means["n_active"]}
            scores["empty_fraction"] = means["empty_fraction"]
            rows.append({**choices._asdict(), "responses": responses, **scores})
        return import_pandas().DataFrame(rows)

    def _thetas(self) -> Iterator[tuple[AnalysisChoices, Responses, Alignment, Doubles]]:
        for choices, found in self.alignments.items():
            yield choices, "predicted", found, found.theta
            yield choices, "observed", found, found.theta_observed


def alignment_multiverse(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    keep_alpha: bool = False,
    sample_weight: ArrayLike | None = None,
    test_sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    fit_params: dict[str, Any] | None = None,
) -> AlignmentMultiverse:
    """Measure r and theta under every combination of four choices.

    The choices are: features and targets standardized or as they are; an encoder with or without an
    intercept; a theta that is centered over images or not; to the predicted or to the observed
    responses. Thetas of two studies can be compared only if these agree. A conclusion that holds
    under one combination only is one about the choices.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside that has a parameter ``fit_intercept``, alone or within
        pipelines, target transformers and searches. Clones of it are fitted.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Features of the images to fit, not standardized.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit, not standardized.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
        Features of the images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    keep_alpha : bool, default=False
        Whether all fits of an encoder that chooses alpha by cross-validation have the same one:
        what the encoder chooses as it is given. By default each fit chooses its own.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in all fits. Standardization does not use them.
    test_sample_weight : array-like of shape (n_test_images,), default=None
        Weights of the test images in r and theta.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or subjects of the images. An encoder that chooses by cross-validation keeps
        the images of a group in the same part of every split.
    fit_params : dict, default=None
        Further arguments of ``encoder.fit``, such as ``"step__sample_weight"``.

    Returns
    -------
    AlignmentMultiverse
        Sixteen thetas of every target, with r and the number of active units.

    Raises
    ------
    TypeError
        If the linear model inside `encoder` has no parameter ``fit_intercept``, a search varies it
        or the standardization, or `encoder` takes no `sample_weight`.
    ValueError
        If the targets of `y` and `y_test` have different names.

    See Also
    --------
    skalign.inspection.AlignmentMultiverseDisplay : The same as a figure.
    price_of_sign : What a fifth choice changes, that of positive weights.
    skalign.model_selection.AlignmentFront : What the choice of alpha changes.

    Notes
    -----
    Four fits give all sixteen thetas. What is standardized: the features that reach the linear
    model inside the innermost pipeline, or `X` where there is no pipeline, and the targets, by
    their means and standard deviations over the images to fit. A
    :class:`~sklearn.preprocessing.StandardScaler` in a pipeline or around the targets is kept where
    this one is standardized, and skipped where it is not. Sparse features are scaled and not
    centered.

    alpha means another strength where features or targets have another scale: let the encoder
    choose it (:class:`~skalign.linear_model.SparsePositiveEncoderCV`), or read differences between
    fits beside the numbers of active units.

    Examples
    --------
    Rectified units whose means are far from 0. Theta goes from 0.18 to 0.55 for the same voxels.

    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoderCV
    >>> from skalign.inference import alignment_multiverse
    >>> rng = np.random.default_rng(0)
    >>> X = rng.exponential(size=(200, 10))
    >>> y = 1 + X[:, :2] + X[:, 2:4] + rng.standard_normal((200, 2))
    >>> found = alignment_multiverse(
    ...     SparsePositiveEncoderCV(cv=3), X[:100], y[:100], X[100:], y[100:]
    ... )
    >>> table = found.summary_frame()
    >>> len(table), table["theta"].min().round(2), table["theta"].max().round(2)
    (16, np.float64(0.18), np.float64(0.55))
    """
    check_flag(keep_alpha, "keep_alpha")
    names = check_test_targets(y, y_test)
    test_weight = check_test_weight(test_sample_weight, count_samples(X_test))
    model = RefittableModel(encoder, count_samples(X), sample_weight, groups, fit_params)
    parameter_to_set(encoder, "fit_intercept")
    if keep_alpha:
        model = model.keep_alpha(model.fit(X, y))
    intercept = parameter_to_set(model.estimator, "fit_intercept")
    standardization = Standardization(model.estimator, sparse.issparse(X))
    with_scaler, scale_features, scale_targets = standardization.within()
    features, targets = (X, X_test), (np.asarray(unmask(y)), np.asarray(unmask(y_test)))
    alignments: dict[AnalysisChoices, Alignment] = {}
    for standardize, fit_intercept in product((False, True), repeat=2):
        (one, one_test), (of_one, of_test) = features, targets
        estimator = with_scaler if standardize else standardization.without()
        if standardize and scale_features:
            one, one_test = standardized(*features)
        if standardize and scale_targets:
            of_one, of_test = standardized(*targets)
        chosen = replace(model, estimator=estimator).with_params(**{intercept: fit_intercept})
        fitted = chosen.fit(one, of_one)
        for center in (False, True):
            found = alignment(fitted, one_test, of_test, center=center, sample_weight=test_weight)
            choices = AnalysisChoices(standardize, fit_intercept, center)
            alignments[choices] = replace(found, target_names=names)
    return AlignmentMultiverse(alignments)
