"""An encoder with what is declared of it, fitted to drawn data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from skalign.solvers import Penalty
from skalign.testing._property_check import Draw
from skalign.testing._strategies import features, targets
from skalign.utils import Array, Doubles

PENALTIES: tuple[str, ...] = get_args(Penalty)


class Data(NamedTuple):
    """Features and targets; whether the declared objective has one minimizer only."""

    X: Array
    Y: Array
    unique: bool


class Fit(NamedTuple):
    """Weights and intercepts in float64, 2-D and 1-D whatever the estimator's shapes."""

    coef: Doubles
    intercept: Doubles
    estimator: Any

    def predict(self, X: Array) -> Array:
        return X @ self.coef.T + self.intercept


@dataclass(frozen=True, eq=False)
class Encoder:
    """An encoder and what is declared of it, by its parameters or by the caller."""

    estimator: Any
    penalty: str | None
    alpha: float
    l1_ratio: float
    positive: bool
    fit_intercept: bool
    tol: float
    min_images: int

    @classmethod
    def declared(
        cls, estimator: Any, penalty: Penalty | None, tol: float, min_images: int
    ) -> Encoder:
        """What the caller says, and else what the parameters say."""
        try:
            parameters = clone(estimator).get_params()
        except TypeError as error:
            raise TypeError(
                "estimator must be an instance of a scikit-learn estimator, or a hypothesis "
                f"strategy of these; got {estimator!r}."
            ) from error
        own = parameters.get("penalty")
        # A penalty whose strength is chosen in the fit is no declared objective.
        is_declared = own == "ols" or (own in PENALTIES and "alpha" in parameters)
        found = penalty or (own if is_declared else None)
        alpha = parameters.get("alpha", 0.0 if found == "ols" else None)
        if found is not None and not isinstance(alpha, int | float | np.number):
            raise ValueError(
                f"estimator must have a number as its parameter alpha where the penalty is "
                f"{found!r}, for the number of targets varies; got alpha={alpha!r}."
            )
        return cls(
            estimator,
            found,
            alpha if found else np.nan,
            parameters.get("l1_ratio", 0.5),
            bool(parameters.get("positive", False)),
            bool(parameters.get("fit_intercept", True)),
            tol,
            min_images,
        )

    @property
    def has_l1(self) -> bool:
        return self.penalty == "lasso" or (self.penalty == "elasticnet" and self.l1_ratio > 0)

    @property
    def strictly_convex(self) -> bool:
        has_l2 = self.penalty == "ridge" or (self.penalty == "elasticnet" and self.l1_ratio < 1)
        return has_l2 and self.alpha > 0

    @property
    def takes_sample_weight(self) -> bool:
        return has_fit_parameter(self.estimator, "sample_weight")

    @property
    def objective(self) -> dict[str, Any]:
        """What the encoder minimizes, as arguments of :func:`skalign.solvers.certify`."""
        return {
            "penalty": self.penalty,
            "alpha": self.alpha,
            "l1_ratio": self.l1_ratio,
            "positive": self.positive,
            "fit_intercept": self.fit_intercept,
        }

    def draw(self, draw: Draw) -> Data:
        """Any data; data with a unique fit where no objective says what else is unique."""
        degenerate = self.penalty is not None and draw(st.booleans(), "degenerate")
        data = self.draw_any(draw, degenerate)
        return data._replace(unique=data.unique or self.strictly_convex)

    def draw_any(self, draw: Draw, degenerate: bool) -> Data:
        """Data of enough images, degenerate or not."""
        n_units = draw(st.integers(1, 7), "number of features")
        n_targets = draw(st.integers(1, 3), "number of targets")
        fewest = self.min_images if degenerate else max(self.min_images, n_units + 2)
        n_images = draw(st.integers(fewest, fewest + 7), "number of images")
        X = draw(features(n_images, n_units, degenerate=degenerate), "X")
        Y = draw(targets(n_images, n_targets, degenerate=degenerate), "y")
        return Data(X, Y, not degenerate)

    def fit(
        self,
        X: Array,
        Y: Array,
        sample_weight: Array | None = None,
        **parameters: Any,
    ) -> Fit:
        """A fresh fit to copies."""
        estimator = clone(self.estimator).set_params(**parameters)
        options = {} if sample_weight is None else {"sample_weight": sample_weight.copy()}
        estimator.fit(X.copy(), Y.copy(), **options)
        coef = np.atleast_2d(np.asarray(estimator.coef_, dtype=float))
        expected = Y.shape[1], X.shape[1]
        assert coef.shape == expected, (
            f"coef_ must have shape (n_targets, n_features) = {expected}; it has shape "
            f"{np.shape(estimator.coef_)}"
        )
        intercept = np.ravel(np.asarray(estimator.intercept_, dtype=float))
        assert intercept.size in (1, Y.shape[1]), (
            f"intercept_ must be one number per target, {Y.shape[1]}; it has shape "
            f"{np.shape(estimator.intercept_)}"
        )
        return Fit(coef, np.broadcast_to(intercept, Y.shape[1]), estimator)

    def assert_same(self, actual: Any, expected: Any, message: str) -> None:
        """Equal up to ``tol``, relative to the largest value and to 1."""
        scale = max(1.0, np.max(np.abs(expected), initial=0))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=self.tol * scale, err_msg=message)

    def assert_same_fit(self, data: Data, actual: Fit, expected: Fit, message: str) -> None:
        """Same predictions for the data; same weights where they are unique."""
        self.assert_same(
            actual.predict(data.X), expected.predict(data.X), f"{message}: predictions"
        )
        if data.unique:
            self.assert_same(actual.coef, expected.coef, f"{message}: weights")
