"""The checks of an encoder: all at once, as a list, one test each."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from skalign.solvers import Penalty
from skalign.testing._declared_encoder import PENALTIES, Encoder
from skalign.testing._encoder_statements import STATEMENTS
from skalign.testing._property_check import PropertyCheck, parametrize


def encoder_checks(
    estimator: Any,
    *,
    penalty: Penalty | None = None,
    tol: float = 1e-6,
    min_images: int = 1,
    settings: hypothesis.settings | None = None,
) -> list[PropertyCheck]:
    """The properties of a linear encoder, as checks of an estimator.

    Parameters
    ----------
    estimator : estimator, or strategy of estimators
        Any regressor with scikit-learn's interface that fits many targets, ``coef_`` and
        ``intercept_`` included. What its parameters ``penalty``, ``alpha``, ``l1_ratio``,
        ``positive`` and ``fit_intercept`` declare is checked, where it has them. Of a hypothesis
        strategy, other settings are drawn with every example.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default=None
        Declares the objective of an estimator that has no parameter of that name, in the scale of
        scikit-learn's estimator.
    tol : float, default=1e-6
        Largest violation of the KKT conditions, as correlations, and by how much weights
        and predictions may differ, relative to the largest and to 1.
    min_images : int, default=1
        Fewest images the estimator can be fitted to.
    settings : hypothesis.settings, default=None
        How examples are drawn. By default 25 per check, always the same ones.

    Returns
    -------
    list of PropertyCheck
        To be called; ``check.name`` tells which it is. Those that do not apply to what the
        estimator declares are not in it.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If `penalty` is unknown, `tol` or `min_images` not positive, or alpha no number.

    See Also
    --------
    check_encoder : Run them all.
    parametrize_with_encoder_checks : Run each as a test of its own.

    Notes
    -----
    Any encoder must have ``coef_`` of shape (n_targets, n_features), or (n_features,) if y is 1-D;
    finite weights for degenerate data, not negative ones if ``positive``; predictions
    ``X @ coef_.T + intercept_``; fits that ignore the order of images, permute with features and
    targets, and do not depend on other targets; zero weights for a constant target and for a
    constant feature (a zero one without an intercept); sample weights, if it takes any, that equal
    repeated images; fits in float32 close to those in float64; and must leave its inputs alone.

    One with a declared penalty must also fulfil the KKT conditions (:func:`skalign.solvers.certify`
    judges), have the optimal intercept, scale with its targets, and with an l1 penalty be empty
    from ``alpha_max`` on and not below. It then meets degenerate data in all checks; where the
    minimizer is not unique, predictions are compared and not weights.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skalign.testing import encoder_checks
    >>> checks = {check.name: check for check in encoder_checks(Ridge(), penalty="ridge")}
    >>> checks["check_optimality"]()
    >>> "check_alpha_max" in checks  # a ridge never is empty
    False
    """
    if not (penalty is None or penalty in PENALTIES):
        raise ValueError(
            f"penalty must be one of {', '.join(PENALTIES)}, or None; got {penalty!r}."
        )
    if not (isinstance(tol, Real) and 0 < tol < np.inf):
        raise ValueError(f"tol must be a positive number; got {tol!r}.")
    if not isinstance(min_images, Integral) or min_images < 1:
        raise ValueError(f"min_images must be a positive integer; got {min_images!r}.")

    def declared(one: Any) -> Encoder:
        return Encoder.declared(one, penalty, float(tol), int(min_images))

    if isinstance(estimator, st.SearchStrategy):
        return STATEMENTS.checks(estimator.map(declared), "drawn", settings)
    return STATEMENTS.checks(declared(estimator), " ".join(repr(estimator).split()), settings)


def check_encoder(
    estimator: Any,
    *,
    penalty: Penalty | None = None,
    tol: float = 1e-6,
    min_images: int = 1,
    settings: hypothesis.settings | None = None,
) -> None:
    """Check that an estimator has the properties of a linear encoder.

    Parameters
    ----------
    estimator : estimator, or strategy of estimators
        Any regressor with scikit-learn's interface that fits many targets, ``coef_`` and
        ``intercept_`` included. What its parameters declare is checked.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default=None
        Declares the objective of an estimator that has no parameter of that name, in the scale of
        scikit-learn's estimator.
    tol : float, default=1e-6
        Largest violation of the KKT conditions, as correlations, and by how much weights
        and predictions may differ, relative to the largest and to 1.
    min_images : int, default=1
        Fewest images the estimator can be fitted to.
    settings : hypothesis.settings, default=None
        How examples are drawn. By default 25 per check, always the same ones.

    Raises
    ------
    AssertionError
        If a property does not hold: the message tells which, and the smallest example found.
    TypeError
        If an argument is of the wrong type.
    ValueError
        If `penalty` is unknown, `tol` or `min_images` not positive, or alpha no number.

    See Also
    --------
    encoder_checks : The same one by one, and what they are.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skalign.testing import check_encoder
    >>> check_encoder(Ridge(alpha=0.1), penalty="ridge")

    One that shrinks its weights afterwards minimizes something else:

    >>> class Shrunk(Ridge):
    ...     def fit(self, X, y):
    ...         super().fit(X, y)
    ...         self.coef_ = self.coef_ / 2
    ...         return self
    >>> try:
    ...     check_encoder(Shrunk(alpha=0.1), penalty="ridge")
    ... except AssertionError as error:
    ...     print(error)  # doctest: +ELLIPSIS
    weights must be optimal for {'penalty': 'ridge', 'alpha': 0.1, ...
    """
    for check in encoder_checks(
        estimator, penalty=penalty, tol=tol, min_images=min_images, settings=settings
    ):
        check()


def parametrize_with_encoder_checks(
    *estimators: Any,
    penalty: Penalty | None = None,
    tol: float = 1e-6,
    min_images: int = 1,
    settings: hypothesis.settings | None = None,
) -> Any:
    """Decorate a pytest test to run every check of encoders.

    Parameters
    ----------
    *estimators : estimator, or strategy of estimators
        Any regressors with scikit-learn's interface that fit many targets, ``coef_`` and
        ``intercept_`` included. What their parameters declare is checked.
    penalty : {"ols", "ridge", "lasso", "elasticnet"}, default=None
        Declares the objective of estimators that have no parameter of that name, in the scale of
        scikit-learn's estimator.
    tol : float, default=1e-6
        Largest violation of the KKT conditions, as correlations, and by how much weights
        and predictions may differ, relative to the largest and to 1.
    min_images : int, default=1
        Fewest images the estimators can be fitted to.
    settings : hypothesis.settings, default=None
        How examples are drawn. By default 25 per check, always the same ones.

    Returns
    -------
    pytest.mark.parametrize
        Decorator of a test with the argument ``check``.

    Raises
    ------
    ImportError
        If pytest is missing.
    TypeError
        If an argument is of the wrong type.
    ValueError
        If `penalty` is unknown, `tol` or `min_images` not positive, or alpha no number.

    See Also
    --------
    encoder_checks : What the checks are.

    Examples
    --------
    >>> from sklearn.linear_model import Lasso
    >>> from skalign.testing import parametrize_with_encoder_checks
    >>> lasso = Lasso(alpha=0.1, positive=True, tol=1e-12)
    >>> @parametrize_with_encoder_checks(lasso, penalty="lasso")
    ... def test_my_encoder(check):
    ...     check()
    """
    of_one = partial(
        encoder_checks, penalty=penalty, tol=tol, min_images=min_images, settings=settings
    )
    return parametrize(of_one, estimators)
