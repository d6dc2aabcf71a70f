"""The price of sign: what positive weights cost, and which units carried the negative ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from skalign.metrics import alignment, linear_maps
from skalign.utils import import_pandas


@dataclass(frozen=True, eq=False)
class PriceOfSign:
    """Signed and positive fits of the same encoder, target by target, and the negative weights.

    Returned by :func:`price_of_sign`. High r and low theta are good. An empty fit has an r of 0,
    as it explains nothing, and no theta: NaN.

    Parameters
    ----------
    r_signed, r_positive : ndarray of shape (n_targets,)
        Predictivity of either fit on the test images, from -1 to 1.
    theta_signed, theta_positive : ndarray of shape (n_targets,)
        Tuning reorientation of either fit, from 0 to 2.
    n_active_signed, n_active_positive : ndarray of shape (n_targets,)
        Number of nonzero weights of either fit.
    negative_share : ndarray of shape (n_targets,)
        Share of the signed fit's absolute weight that is negative, from 0 to 1; NaN if it is empty.
    negative_weight : ndarray of shape (n_units,)
        Absolute negative weight of every unit in the signed fit, summed over targets.
    n_negative : ndarray of shape (n_units,)
        Number of targets for which the unit's weight is negative in the signed fit.
    unit_names : ndarray of shape (n_units,) or None
        Names of the features that reach the linear model, where known.
    """

    r_signed: NDArray[np.float64]
    r_positive: NDArray[np.float64]
    theta_signed: NDArray[np.float64]
    theta_positive: NDArray[np.float64]
    n_active_signed: NDArray[np.int64]
    n_active_positive: NDArray[np.int64]
    negative_share: NDArray[np.float64]
    negative_weight: NDArray[np.float64]
    n_negative: NDArray[np.int64]
    unit_names: NDArray[Any] | None = None

    @property
    def r_difference(self) -> NDArray[np.float64]:
        """Signed minus positive r: what positivity costs in predictivity."""
        return self.r_signed - self.r_positive

    @property
    def theta_difference(self) -> NDArray[np.float64]:
        """Signed minus positive theta: what positivity saves in reorientation; NaN if one is."""
        return self.theta_signed - self.theta_positive

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``; ``r_signed``, ``r_positive``, ``r_difference``; the same of
            ``theta``; ``n_active_signed``, ``n_active_positive``; ``negative_share``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        names = [f"{score}_{fit}" for score in ("r", "theta") for fit in _FITS]
        names += ["n_active_signed", "n_active_positive", "negative_share"]
        columns = {name: getattr(self, name) for name in names}
        return import_pandas().DataFrame({"target": np.arange(self.r_signed.size), **columns})

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


_FITS = ["signed", "positive", "difference"]


def price_of_sign(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    target: Literal["predicted", "observed"] = "predicted",
    center: bool = False,
) -> PriceOfSign:
    """Fit an encoder with signed and with positive weights, and compare them target by target.

    Parameters
    ----------
    encoder : estimator
        With a parameter ``positive``, alone or inside a pipeline or a target transformer:
        :class:`~skalign.linear_model.SparsePositiveEncoder`, or one of scikit-learn's linear
        models. Two clones are fitted, equal but for ``positive``.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
        Images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images to fit. In a pipeline they go to the last step; with metadata routing
        enabled, to whatever has requested them.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.

    Returns
    -------
    PriceOfSign
        Predictivity, theta and active units of both fits, and the signed one's negative weights.

    Raises
    ------
    TypeError
        If `encoder` has no parameter ``positive`` or several, chooses its alpha itself, or has
        several linear models that see different features.

    See Also
    --------
    skalign.inspection.PriceOfSignDisplay : The comparison as a figure.
    skalign.metrics.alignment : How r and theta are taken.

    Notes
    -----
    Both fits have the same penalty and alpha, so that sign is all that differs; an encoder that
    chooses its alpha by cross-validation would choose another one for either fit, and is refused.
    A ridge or least-squares fit is dense with signs and becomes sparse without: read theta
    beside the number of active units.

    Negative weight is in the units of the targets over those of the features: standardize the
    features to compare units.

    References
    ----------
    .. [1] J. S. Prince, C. Conwell, G. A. Alvarez and T. Konkle. "A case for sparse positive
       alignment of neural systems." ICLR 2024 Workshop on Representational Alignment (Re-Align),
       2024.

    Examples
    --------
    The first target is a difference of two units, out of reach of positive weights; the second is
    one unit.

    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import price_of_sign
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> y = X @ [[1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]
    >>> price = price_of_sign(SparsePositiveEncoder(), X[:100], y[:100], X[100:], y[100:])
    >>> price.r_difference.round(1), price.negative_share.round(1)
    (array([0.3, 0. ]), array([0.5, 0. ]))
    >>> int(price.negative_weight.argmax()), price.n_negative
    (1, array([0, 1, 0]))
    """
    name = _positive_parameter(encoder)
    weights = {} if sample_weight is None else {_weight_name(encoder): sample_weight}
    signed, positive = (
        clone(encoder).set_params(**{name: value}).fit(X, y, **weights) for value in (False, True)
    )
    found, found_positive = (
        alignment(fit, X_test, y_test, target=target, center=center, undefined_r=0.0)
        for fit in (signed, positive)
    )
    maps = linear_maps(signed, X_test, y_test, "observed")  # which predicts nothing anew
    if len(maps) > 1:
        raise TypeError(
            f"encoder must have one set of features for all targets, got {len(maps)}: negative "
            "weight is summed over targets unit by unit."
        )
    coef = maps[0].weights
    negative = coef.minimum(0) if sparse.issparse(coef) else np.minimum(coef, 0)
    total = np.asarray(abs(coef).sum(axis=1)).ravel()
    with np.errstate(invalid="ignore"):  # an empty fit has no shares
        negative_share = -np.asarray(negative.sum(axis=1)).ravel() / total
    return PriceOfSign(
        r_signed=found.r,
        r_positive=found_positive.r,
        theta_signed=found.theta,
        theta_positive=found_positive.theta,
        n_active_signed=found.n_active,
        n_active_positive=found_positive.n_active,
        negative_share=negative_share + 0.0,  # not -0.0
        negative_weight=-np.asarray(negative.sum(axis=0)).ravel() + 0.0,
        n_negative=np.asarray((negative < 0).sum(axis=0)).ravel(),
        unit_names=_unit_names(signed, maps[0].features),
    )


def _positive_parameter(encoder: Any) -> str:
    """Name of the parameter ``positive``, wherever it is inside."""
    parameters = encoder.get_params() if hasattr(encoder, "get_params") else {}
    names = [name for name in parameters if name.rpartition("__")[2] == "positive"]
    if len(names) != 1:
        raise TypeError(
            "encoder must be an estimator with one parameter positive, alone or inside a pipeline, "
            f"such as SparsePositiveEncoder; got {type(encoder).__name__} with "
            f"{names if names else 'none'}."
        )
    owner = names[0].split("__")[:-1]
    around = ["".join(f"{step}__" for step in owner[:depth]) for depth in range(len(owner) + 1)]
    if any(f"{prefix}cv" in parameters for prefix in around):
        raise TypeError(
            "encoder must have a fixed alpha, for both fits to have the same penalty; got "
            f"{type(encoder).__name__} that chooses it by cross-validation. Fit it, and take the "
            "estimator with the alpha that was chosen (any large number where that is infinite)."
        )
    return names[0]


def _weight_name(encoder: Any) -> str:
    """What ``fit`` calls the sample weights: with routing off, a pipeline wants its step named."""
    if isinstance(encoder, TransformedTargetRegressor):  # hands them on as they are
        return _weight_name(encoder.regressor)
    if isinstance(encoder, Pipeline) and not get_config()["enable_metadata_routing"]:
        name, step = encoder.steps[-1]
        return f"{name}__{_weight_name(step)}"
    return "sample_weight"


def _unit_names(fitted: Any, features: Any) -> NDArray[Any] | None:
    """Names of the features that reach the linear model, where they or a pipeline know them."""
    if hasattr(features, "columns"):
        return np.asarray(features.columns, dtype=object)
    if not isinstance(fitted, Pipeline):
        return None
    last = getattr(fitted[-1], "regressor_", fitted[-1])  # inside of a target transformer
    if not hasattr(last, "coef_"):  # something there may change the features once more
        return None
    try:
        return fitted[:-1].get_feature_names_out()
    except (AttributeError, ValueError):  # a step that does not know
        return None
