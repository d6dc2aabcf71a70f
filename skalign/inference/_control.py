"""The same encoder on features that have not been learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state

from skalign.metrics import Alignment, alignment


@dataclass(frozen=True, eq=False)
class AlignmentControl:
    """Alignment of an encoder, and of the same encoder on control features.

    Returned by :func:`alignment_against_control`. High r and low theta are good. An empty fit has
    an r of 0, and no theta: NaN.

    Parameters
    ----------
    encoder : Alignment
        On the features in question.
    control : Alignment
        On the control features.
    """

    encoder: Alignment
    control: Alignment

    @property
    def r_difference(self) -> NDArray[np.float64]:
        """Gain in predictivity over the control, (n_targets,); above 0 is good."""
        return self.encoder.r - self.control.r

    @property
    def theta_difference(self) -> NDArray[np.float64]:
        """Theta less that of the control, (n_targets,); below 0 is good. NaN if one is empty."""
        return self.encoder.theta - self.control.theta

    def to_frame(self) -> Any:
        """One row per target, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``; ``r``, ``theta``, ``n_active``; the same with ``_control``;
            ``r_difference`` and ``theta_difference``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        control = self.control.to_frame().drop(columns="target")
        frame = self.encoder.to_frame().join(control.add_suffix("_control"))
        return frame.assign(r_difference=self.r_difference, theta_difference=self.theta_difference)


def alignment_against_control(
    encoder: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    X_control: Any = None,
    X_control_test: Any = None,
    sample_weight: ArrayLike | None = None,
    target: Literal["predicted", "observed"] = "predicted",
    center: bool = False,
    random_state: Any = None,
) -> AlignmentControl:
    """Fit the same encoder to features and to control features, and compare target by target.

    Parameters
    ----------
    encoder : estimator
        With a linear model inside, alone or within pipelines, target transformers and searches;
        two clones are fitted.
    X : {array-like, sparse matrix} of shape (n_images, n_features)
        Images to fit.
    y : array-like of shape (n_images, n_targets) or (n_images,)
        Responses to fit.
    X_test : {array-like, sparse matrix} of shape (n_test_images, n_features)
        Images to score.
    y_test : array-like of shape (n_test_images, n_targets) or (n_test_images,)
        Observed responses to them.
    X_control : {array-like, sparse matrix} of shape (n_images, n_control), default=None
        Control features of the images to fit: best the same layer of the same network before
        training. By default random features made of `X`; see Notes.
    X_control_test : {array-like, sparse matrix} of shape (n_test_images, n_control), default=None
        Those of the images to score.
    sample_weight : array-like of shape (n_images,), default=None
        Weights of the images to fit.
    target : {"predicted", "observed"}, default="predicted"
        Whether theta is taken to the predicted or to the observed responses.
    center : bool, default=False
        Whether theta centers features and targets over images.
    random_state : int, RandomState instance or None, default=None
        Seed of the random features; an integer makes them reproducible.

    Returns
    -------
    AlignmentControl
        Both alignments, and their differences.

    Raises
    ------
    TypeError
        If the encoder has no linear weights, or `X` is sparse and there are no control features.
    ValueError
        If a parameter has a value that it cannot have, or one of the control features is missing.

    See Also
    --------
    alignment_null : A test against rotated features, matched in the number of active units.

    Notes
    -----
    Random features are as many units as `X` has, each a Gaussian random combination of all
    standardized units. Unit by unit they get the mean and spread over the images fitted that `X`
    has, so that an alpha means the same for both. Where `X` is nowhere negative they are rectified
    and get the spread only. Together they carry much the same as `X`, so that signed and dense
    weights may well predict as much from them; but no unit of them has a tuning that was learned.

    The encoder has the same alpha on both. If it keeps fewer units of the control, theta is lower
    for that alone: look at ``n_active``.

    A step in a pipeline that has data of its own, as a localizer has its stimuli, does not know
    random features: give it control features and stimuli of the same untrained network, by two
    calls of :func:`~skalign.metrics.alignment`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign import SparsePositiveEncoder
    >>> from skalign.inference import alignment_against_control
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 20))
    >>> y = X[:, :3] + 0.5 * rng.standard_normal((200, 3))
    >>> found = alignment_against_control(
    ...     SparsePositiveEncoder(alpha=0.1), X[:100], y[:100], X[100:], y[100:], random_state=0
    ... )
    >>> found.r_difference.round(1), found.theta_difference.round(1)
    (array([0.3, 0.4, 0.6]), array([-0.6, -0.4, -0.3]))
    """
    if (X_control is None) != (X_control_test is None):
        raise ValueError(
            "X_control and X_control_test must be given together, the same units' responses to the "
            "images of X and X_test; got one of them."
        )
    if X_control is None:
        X_control, X_control_test = _random_features(X, X_test, check_random_state(random_state))
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    found = [
        alignment(
            clone(encoder).fit(training, y, **weights),
            test, y_test, target=target, center=center, undefined_r=0.0,
        )
        for training, test in ((X, X_test), (X_control, X_control_test))
    ]  # fmt: skip
    return AlignmentControl(*found)


def _random_features(
    X: Any, X_test: Any, random_state: np.random.RandomState
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Random combinations of units, of the scale of each, of both sets of images."""
    if sparse.issparse(X) or sparse.issparse(X_test):
        raise TypeError(
            "X and X_test must be dense for random control features; got a sparse matrix. Give "
            "X_control and X_control_test."
        )
    X, X_test = (check_array(part, dtype=[np.float64, np.float32]) for part in (X, X_test))
    mean, spread = X.mean(axis=0), X.std(axis=0)
    n_units = X.shape[1]
    mixing = random_state.standard_normal((n_units, n_units)).astype(X.dtype)
    mixing /= np.where(spread > 0, spread, np.inf)[:, np.newaxis]
    control, control_test = (X - mean) @ mixing, (X_test - mean) @ mixing
    if (X >= 0).all():
        mean = np.zeros_like(mean)
        control, control_test = (np.maximum(part, 0) for part in (control, control_test))
    size = control.std(axis=0)
    scale = spread / np.where(size > 0, size, 1)
    return control * scale + mean, control_test * scale + mean
