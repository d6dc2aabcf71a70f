"""Predictivity: the correlation of predicted and observed responses."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from skalign.metrics._array_library import array_library, refuse_library
from skalign.metrics._directions import bounded_slices, nan_explained
from skalign.metrics._library_measures import (
    LibraryImageSpace,
    image_space,
    library_pearson_r,
    responses_of,
)
from skalign.metrics._observed_images import over_observed
from skalign.utils import Doubles, Missing, check_missing, check_number


def pearson_r(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    undefined: float = np.nan,
    missing: Missing = "error",
) -> Doubles:
    r"""Compute Pearson's correlation of observed and predicted responses, for every target.

    .. math::
        r_v = \frac{\sum_i s_i (y_{iv} - \bar y_v)(\hat y_{iv} - \bar{\hat y}_v)}
        {\sqrt{\sum_i s_i (y_{iv} - \bar y_v)^2 \sum_i s_i (\hat y_{iv} - \bar{\hat y}_v)^2}}

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_targets) or (n_samples,)
        Observed responses.
    y_pred : array-like of shape (n_samples, n_targets) or (n_samples,)
        Predicted responses.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights :math:`s_i` of the images, also in the means.
    undefined : float, default=nan
        Value for a target whose observed or predicted responses are constant, up to rounding error.
    missing : {"error", "mask"}, default="error"
        What to do if `y_true` has NaN: raise an error, or correlate every target over the images on
        which it was observed. A target with fewer than two gets `undefined`.

    Returns
    -------
    ndarray of shape (n_targets,)
        Correlation, a pure number from -1 to 1; high is good. One target in 1-D arrays gives shape
        (1,), as with ``multioutput="raw_values"`` in scikit-learn's metrics.

    Raises
    ------
    ValueError
        If the shapes differ, values are not finite, or `sample_weight` is negative or all zero.
    TypeError
        If `undefined` is not a number.

    Warns
    -----
    UndefinedMetricWarning
        If there are fewer than two images (of positive weight).

    See Also
    --------
    PearsonScorer : Its mean over targets, for model selection.
    scipy.stats.pearsonr : Unweighted, with p-values and confidence intervals.

    Notes
    -----
    Unlike the coefficient of determination, r ignores the scale and the offset of a prediction. A
    model that predicts the same for every image explains nothing: count it as 0 in a selection
    (``undefined=0``), not as missing.

    Arrays of other libraries are taken where scikit-learn's option ``array_api_dispatch`` is on, as
    in :func:`tuning_reorientation`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.metrics import pearson_r
    >>> y_true = np.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]])
    >>> y_pred = np.array([[2.0, 5.0], [4.0, 5.0], [6.0, 5.0]])
    >>> pearson_r(y_true, y_pred)
    array([ 1., nan])
    >>> pearson_r(y_true, y_pred, undefined=0)
    array([1., 0.])
    """
    is_masked = check_missing(missing) == "mask"
    library = array_library(y_true=y_true, y_pred=y_pred, sample_weight=sample_weight)
    observed = responses_of(library, y_true, "y_true")
    predicted = responses_of(library, y_pred, "y_pred")
    undefined = check_number(undefined, "undefined")
    if observed.shape != predicted.shape:
        raise ValueError(
            "y_pred must have the shape (n_samples, n_targets) of y_true, "
            f"{tuple(observed.shape)}; got {tuple(predicted.shape)}."
        )
    if is_masked:
        refuse_library(library)
        (r,) = over_observed(
            observed,
            sample_weight,
            lambda pattern, weight: [
                pearson_r(
                    observed[pattern.observed][:, pattern.targets],
                    predicted[pattern.observed][:, pattern.targets],
                    sample_weight=weight,
                )
            ],
            n_scores=1,
            least=2,
        )
        return np.where(np.isnan(r), undefined, r)
    n_samples, n_targets = observed.shape
    space = image_space(library, n_samples, sample_weight, center=True)
    if space.n_images < 2:
        warnings.warn(
            "r is not defined with fewer than two images; every target counts as undefined.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    if isinstance(space, LibraryImageSpace):
        return library_pearson_r(space, observed, predicted, undefined)
    r = np.empty(n_targets)
    for block in bounded_slices(n_targets, 8 * n_samples):
        with nan_explained(observed, "y_true"):
            left, is_varied = space.directions(observed[:, block], "y_true")
        right, is_predicted = space.directions(predicted[:, block], "y_pred")
        cosine = np.einsum("ij,ij->j", left, right)
        r[block] = np.where(is_varied & is_predicted, np.clip(cosine, -1, 1), undefined)
    return r
