"""Units of two systems: how alike they are over some images, and a matching scored on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy import sparse

from skalign.metrics._array_library import array_library, to_numpy
from skalign.metrics._library_measures import image_space, responses_of
from skalign.metrics._noise_ceiling import NoiseCeiling
from skalign.utils import Array, Doubles, check_flag, import_pandas

Form = Literal["correlation", "distance"]


@dataclass(frozen=True, eq=False)
class UnitMatching:
    """Which units of two systems were matched, and how alike matched units respond.

    Returned by :func:`soft_matching`, :func:`partial_soft_matching`, :func:`one_to_one_matching`
    and :func:`semi_matching`.

    Parameters
    ----------
    score : float
        On the scored images, the mean correlation of matched units, from -1 to 1 (high is good; a
        share of the noise ceiling where ceilings were given), or the matching distance, at least 0
        (low is good).
    plan : csr_array of shape (n_units_x, n_units_y)
        What share of all matches each pair has; it sums to the share of units that is matched.
    unit_scores : array of shape (n_units_x,)
        The same as `score` for every unit of the first system, from its own matches; NaN for a unit
        without a match. An array of the library of the responses, on their device.
    form : {"correlation", "distance"}
        Which of the two `score` is.
    """

    score: float
    plan: sparse.csr_array
    unit_scores: Doubles
    form: Form

    def to_frame(self) -> Any:
        """One row per unit of the first system, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target``, the unit's number; ``match``, the unit of the other system that most
            of it is matched to (-1 without a match); ``share``, how much of it; and the `form`.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        dense = self.plan.toarray()
        mass = dense.sum(axis=1)
        unit_scores = to_numpy(self.unit_scores)
        match = np.where(mass > 0, dense.argmax(axis=1), -1)
        share = dense.max(axis=1) / np.where(mass > 0, mass, 1)
        columns = {"match": match, "share": share, self.form: unit_scores}
        return import_pandas().DataFrame({"target": np.arange(mass.size), **columns})


class UnitPairs:
    """The units of two systems: how alike they are over some images, and over others."""

    def __init__(
        self,
        X: Any,
        Y: Any,
        X_test: Any,
        Y_test: Any,
        *,
        form: Form,
        center: bool,
        ceiling_x: NoiseCeiling | None,
        ceiling_y: NoiseCeiling | None,
    ) -> None:
        if form not in get_args(Form):
            raise ValueError(f'form must be "correlation" or "distance"; got {form!r}.')
        self.form, self.center = form, check_flag(center, "center")
        self._library = array_library(X=X, Y=Y, X_test=X_test, Y_test=Y_test)
        X, Y, X_test, Y_test = (
            responses_of(self._library, values, name)
            for values, name in ((X, "X"), (Y, "Y"), (X_test, "X_test"), (Y_test, "Y_test"))
        )
        for test, values, name in ((X_test, X, "X"), (Y_test, Y, "Y")):
            if test.shape[1] != values.shape[1]:
                raise ValueError(
                    f"{name}_test must have the {values.shape[1]} units of {name}; got shape "
                    f"{tuple(test.shape)}."
                )
        self.gain = self._alike(X, Y, "")
        self._test = X_test, Y_test
        self._ceilings = [
            _checked_ceiling(ceiling, name, values.shape[1], form)
            for ceiling, name, values in ((ceiling_x, "x", X), (ceiling_y, "y", Y))
        ]

    def _alike(self, X: Array, Y: Array, suffix: str) -> Doubles:
        """Correlations, or minus squared distances, (n_units_x, n_units_y)."""
        if X.shape[0] != Y.shape[0]:
            raise ValueError(
                f"X{suffix} and Y{suffix} must have the same images; got {X.shape[0]} and "
                f"{Y.shape[0]}."
            )
        if self.form == "correlation":
            space = image_space(self._library, X.shape[0], None, self.center)
            left, _ = space.directions(X, f"X{suffix}")
            right, _ = space.directions(Y, f"Y{suffix}")
            return np.clip(to_numpy(left.T @ right).astype(np.float64, copy=False), -1, 1)
        xp, dtype = np, np.float64
        if self._library is not None:
            xp, dtype = self._library.xp, self._library.dtype
        left, right = (xp.astype(values, dtype) for values in (X, Y))
        if not all(bool(xp.all(xp.isfinite(values))) for values in (left, right)):
            raise ValueError(f"X{suffix} and Y{suffix} must be finite; got NaN or infinity.")
        if self.center:
            left, right = (values - xp.mean(values, axis=0) for values in (left, right))
        squares = [xp.sum(values * values, axis=0) for values in (left, right)]
        distance = squares[0][:, None] + squares[1] - 2 * (left.T @ right)
        return -np.maximum(to_numpy(distance).astype(np.float64, copy=False), 0)

    def scored(self, plan: sparse.csr_array) -> UnitMatching:
        """Score a plan on the test images."""
        alike = self._alike(*self._test, "_test")
        plan.eliminate_zeros()
        pairs = plan.tocoo()
        share, worth = pairs.data, alike[pairs.row, pairs.col]
        most = self._ceilings[0][pairs.row] * self._ceilings[1][pairs.col]
        share = np.where(most > 0, share, 0)
        of_units = [
            np.bincount(pairs.row, share * values, minlength=plan.shape[0])
            for values in (worth, np.nan_to_num(most))
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            score, unit_scores = (
                np.where(reached > 0, found / reached, np.nan)
                for found, reached in ((of_units[0].sum(), of_units[1].sum()), of_units)
            )
        if self.form == "distance":
            score, unit_scores = np.sqrt(np.abs(score)), np.sqrt(np.abs(unit_scores))
        if self._library is not None:
            unit_scores = self._library.from_numpy(unit_scores)
        return UnitMatching(float(score), plan, unit_scores, self.form)


def _checked_ceiling(ceiling: Any, name: str, n_units: int, form: Form) -> Doubles:
    if ceiling is None:
        return np.ones(n_units)
    if not isinstance(ceiling, NoiseCeiling):
        raise TypeError(
            f"ceiling_{name} must be a NoiseCeiling, which knows its unit; got "
            f"{type(ceiling).__name__}. Use noise_ceiling, or NoiseCeiling(values, unit)."
        )
    if form == "distance":
        raise ValueError(
            f"ceiling_{name} must be None for distances, which have no noise ceiling; got one. Use "
            'form="correlation".'
        )
    if ceiling.unit != "r" or ceiling.values.shape != (n_units,):
        raise ValueError(
            f'ceiling_{name} must have one value in the unit "r" for each of {n_units} units; got '
            f'{ceiling.values.size} in "{ceiling.unit}". ceiling.to_unit("r") converts it.'
        )
    return ceiling.values
