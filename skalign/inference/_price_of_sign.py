"""The price of sign: what positive weights cost, and which units carried the negative ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skalign.inference._comparison import AlignmentComparison, check_test_targets, check_test_weight
from skalign.inference._refits import RefittableModel, count_samples, parameter_to_set
from skalign.metrics import Alignment, alignment, linear_maps
from skalign.utils import Array, Doubles, Integers, check_flag, import_pandas


@dataclass(frozen=True, eq=False)
class PriceOfSign(AlignmentComparison):
    """Signed and positive fits of the same encoder, target by target, and the negative weights.

    Returned by :func:`price_of_sign`. ``price["signed"]`` and ``price["positive"]`` are the
    alignments; ``price.difference("r")`` is what positivity costs in predictivity, and
    ``price.difference("theta")`` what it saves in reorientation.

    Parameters
    ----------
    sides : dict of str to Alignment
        Alignment of the fits "signed" and "positive". High r and low theta are good; both are NaN
        for a target that the fit leaves empty.
    negative_share : ndarray of shape (n_targets,)
        Share of the absolute weight of the signed fit that is negative, from 0 to 1. NaN for an
        empty target.
    negative_weight : ndarray of shape (n_units,)
        Absolute negative weight of every unit in the signed fit, summed over targets.
    n_negative : ndarray of shape (n_units,)
        Number of targets for which the weight of the unit is negative in the signed fit.
    unit_names : ndarray of shape (n_units,) or None
        Names of the features that reach the linear model, where known.
    """

    negative_share: Doubles
    negative_weight: Doubles
    n_negative: Integers
    unit_names: Array | None = None

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``; ``r_signed``, ``r_positive``; the same for ``theta`` and
            ``n_active``; ``r_difference`` and ``theta_difference``, signed minus positive;
            ``negative_share``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        return super().to_frame().assign(negative_share=self.negative_share)

    def units_frame(self) -> Any:
        """One row per unit, most negative weight first, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``unit``, its index; ``name``, where known; ``negative_weight``;
            ``n_negative``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        columns: dict[str, Any] = {"unit": np.arange(self.negative_weight.size)}
        if self.unit_names is not None:
            columns["name"] = self.unit_names
        columns |= {"negative_weight": self.negative_weight, "n_negative": self.n_negative}
        frame = import_pandas().DataFrame(columns)
        return frame.sort_values(
            "negative_weight", ascending=False, kind="stable", ignore_index=True
        )


def price_of_sign(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    keep_alpha: bool = False,
    center: bool = False,
    sample_weight: ArrayLike | None = None,
    test_sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    fit_params: dict[str, Any] | None = None,
) -> PriceOfSign:
    """Fit an encoder with signed and with positive weights, and compare them target by target.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside that has a parameter ``positive``, alone or within pipelines,
        target transformers and searches: an encoder of this package, or one of scikit-learn's
        linear models. Two clones are fitted that differ in ``positive``.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Features of the images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
        Features of the images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    keep_alpha : bool, default=False
        Whether both fits of an encoder that chooses alpha by cross-validation have the same one:
        what the encoder chooses with ``positive`` as it is given. By default each fit chooses its
        own.
    center : bool, default=False
        Whether theta centers features and targets over images.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images in both fits. In a pipeline they go to the last step; with metadata
        routing enabled, to each step that has requested them.
    test_sample_weight : array-like of shape (n_test_images,), default=None
        Weights of the test images in r and theta.
    groups : array-like of shape (n_images,), default=None
        Runs, sessions or subjects of the images. An encoder that chooses by cross-validation keeps
        the images of a group in the same part of every split.
    fit_params : dict, default=None
        Further arguments of ``encoder.fit``, such as ``"step__sample_weight"``.

    Returns
    -------
    PriceOfSign
        Alignment of the sides "signed" and "positive", and the negative weights of the signed fit.

    Raises
    ------
    TypeError
        If the linear model inside `encoder` has no parameter ``positive``, a search varies it,
        several linear models see different features, or `encoder` takes no `sample_weight`.
    ValueError
        If the targets of `y` and `y_test` have different names.

    See Also
    --------
    skalign.inspection.PriceOfSignDisplay : The comparison as a figure.
    bootstrap_alignment_difference : How sure the difference between two fitted encoders is.

    Notes
    -----
    With a fixed alpha both fits have the same penalty, and sign is all that differs. An encoder
    that chooses alpha usually chooses a larger one with signs, so that by default the difference is
    one between two tuned encoders. With `keep_alpha`, a target that is left empty by the choice is
    empty in both fits. A ridge or least-squares fit is dense with signs and sparse
    without: read theta beside the number of active units.

    Negative weight has the units of the targets over those of the features: standardize the
    features to compare units.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    The first target is a difference of two units, out of reach of positive weights. The second is
    one unit.

    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import price_of_sign
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> y = X @ [[1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]
    >>> price = price_of_sign(SparsePositiveEncoder(), X[:100], y[:100], X[100:], y[100:])
    >>> price.difference("r").round(1), price.negative_share.round(1)
    (array([0.3, 0. ]), array([0.5, 0. ]))
    >>> int(price.negative_weight.argmax()), price.n_negative
    (1, array([0, 1, 0]))
    """
    check_flag(keep_alpha, "keep_alpha")
    names = check_test_targets(y, y_test)
    test_weight = check_test_weight(test_sample_weight, count_samples(X_test))
    model = RefittableModel(encoder, count_samples(X), sample_weight, groups, fit_params)
    name = parameter_to_set(encoder, "positive")
    if keep_alpha:
        model = model.keep_alpha(model.fit(X, y))
        name = parameter_to_set(model.estimator, "positive")
    signed, positive = (model.with_params(**{name: value}).fit(X, y) for value in (False, True))
    sides: dict[str, Alignment] = {}
    for side, fit in (("signed", signed), ("positive", positive)):
        found = alignment(fit, X_test, y_test, center=center, sample_weight=test_weight)
        sides[side] = replace(found, target_names=names)
    maps = linear_maps(signed, X_test, predict=False)
    if len(maps) > 1:
        raise TypeError(
            "encoder must have one set of features for all targets, so that negative weight can be "
            f"summed over targets unit by unit; got {len(maps)} sets."
        )
    coef = maps[0].weights.astype(np.float64)
    negative = coef.minimum(0) if sparse.issparse(coef) else np.minimum(coef, 0)
    total = np.asarray(abs(coef).sum(axis=1)).ravel()
    with np.errstate(invalid="ignore"):  # an empty fit has no shares
        negative_share = -np.asarray(negative.sum(axis=1)).ravel() / total
    return PriceOfSign(
        sides,
        negative_share=negative_share + 0.0,  # not -0.0
        negative_weight=-np.asarray(negative.sum(axis=0)).ravel() + 0.0,
        n_negative=np.asarray((negative < 0).sum(axis=0)).ravel(),
        unit_names=maps[0].feature_names,
    )
