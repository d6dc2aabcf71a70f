"""Measures beside the scores of a cell, where a run asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from skalign.benchmark._cells import CellProblem, fit_encoder, validation_parameters
from skalign.benchmark._digest import fingerprint
from skalign.benchmark._features import FeaturesOfLayers, StandardizedParts
from skalign.benchmark._rows import MEASURES, Row, error_text
from skalign.benchmark._store import CellStore
from skalign.metrics import (
    NoiseCeiling,
    PearsonScorer,
    alignment,
    axis_alignment,
    correct_reorientation,
    soft_matching,
)
from skalign.utils import Array


@dataclass(frozen=True)
class MeasureSettings:
    """Which measures a run asks for.

    Parameters
    ----------
    names : tuple of str
        Measures, of those in `MEASURES`.
    n_resamples, random_state : int
        Number of rotations of the features, and their seed.
    """

    names: tuple[str, ...] = ()
    n_resamples: int = 200
    random_state: int = 0

    @classmethod
    def check(cls, names: Any, n_resamples: Any, random_state: Any) -> MeasureSettings:
        """Raise where a setting is not valid."""
        if isinstance(names, str) or not isinstance(names, Sequence):
            raise TypeError(
                f'measures must be a list of names, such as ["soft_matching"]; got {names!r}.'
            )
        unknown = [name for name in names if name not in MEASURES]
        if unknown:
            raise ValueError(f"measures must be among {list(MEASURES)}; got {unknown}.")
        for name, value, least in (
            ("n_resamples", n_resamples, 2),
            ("random_state", random_state, 0),
        ):
            is_integer = isinstance(value, Integral) and not isinstance(value, bool)
            if not is_integer or value < least:
                raise ValueError(f"{name} must be an int of at least {least}; got {value!r}.")
        ordered = tuple(name for name in MEASURES if name in names)
        return cls(ordered, int(n_resamples), int(random_state))

    @property
    def columns(self) -> list[str]:
        """Columns of the table, in its order."""
        return [column for name in self.names for column in MEASURES[name]]

    def key(self, name: str, of_cell: str | None) -> str | None:
        """Fingerprint of a measure of a cell with that fingerprint."""
        if of_cell is None:
            return None
        return fingerprint(of_cell, name, *map(str, self._own(name).values()))

    def read(self, store: CellStore, of_cell: str | None) -> Row | None:
        """All measures of a stored cell; None if any is missing."""
        found: Row = {}
        for name in self.names:
            if (rows := store.read(self.key(name, of_cell))) is None:
                return None
            found |= {column: rows[0][column] for column in MEASURES[name]}
        return found

    def record(self, name: str, of_cell: str | None, values: Row, error: str | None) -> list[Row]:
        """What the store keeps of a measure."""
        return [{"measure": name, "of": of_cell, **self._own(name), **values, "error": error}]

    def _own(self, name: str) -> dict[str, int]:
        """Settings that change the measure."""
        if name != "axis_alignment":
            return {}
        return {"n_resamples": self.n_resamples, "random_state": self.random_state}


class RegionMeasures:
    """Computes measures of the cells of one region; once where encoders share them.

    Parameters
    ----------
    settings : MeasureSettings
        Which ones.
    store : CellStore
        Keeps each as soon as it is finished.
    """

    def __init__(self, settings: MeasureSettings, store: CellStore) -> None:
        self.settings = settings
        self.store = store
        self._shared: dict[tuple[str, str], Row] = {}

    def of_cell(
        self, problem: CellProblem, layers: FeaturesOfLayers, row: Row, key: str | None
    ) -> tuple[Row, str | None]:
        """Read or compute all measures of a cell.

        Parameters
        ----------
        problem : CellProblem
            The cell.
        layers : dict of str to StandardizedParts, or Failure
            Features of every layer.
        row : dict
            Row of the test images, which names the chosen layer.
        key : str or None
            Fingerprint of the cell.

        Returns
        -------
        row : dict
            Columns of the measures; where one failed, also ``error``.
        not_stored : str or None
            Why the store could not keep one.
        """
        found: Row = {}
        why = None
        if row["error"] is not None:
            return found, why
        features = layers.get(row["layer"])
        if not isinstance(features, StandardizedParts):  # the scores are of other features
            missing = f"the model has no layer {row['layer']!r} any more: change its key"
            found["error"] = missing if features is None else error_text(features)
            return found, why
        for name in self.settings.names:
            own_key = self.settings.key(name, key)
            if (rows := self.store.read(own_key)) is not None:
                found |= {column: rows[0][column] for column in MEASURES[name]}
                continue
            values: Row = dict.fromkeys(MEASURES[name], np.nan)
            error = None
            try:
                values = self._compute(name, problem, features, row["layer"])
            except Exception as failure:  # recorded: scores and other measures are kept
                error = found["error"] = f"{name}: {error_text(failure)}"
            found |= values
            why = self.store.write(own_key, self.settings.record(name, key, values, error)) or why
        return found, why

    def _compute(
        self, name: str, problem: CellProblem, features: StandardizedParts, layer: str
    ) -> Row:
        if name == "axis_alignment":
            return _axis_alignment(problem, features, self.settings)
        if name == "theta_corrected":
            return {name: _theta_corrected(problem, features)}
        key = problem.cell.units, layer
        if key not in self._shared:
            responses = problem.responses
            matched = soft_matching(features.train, responses.train, features.test, responses.test)
            self._shared[key] = {"soft_matching": matched.score}
        return self._shared[key]


def _theta_corrected(problem: CellProblem, features: StandardizedParts) -> float:
    """Observed theta without the noise of the responses; NaN where no voxel has a ceiling."""
    if np.isnan(problem.ceiling).all():
        return np.nan
    fitted = fit_encoder(problem, features)
    found = alignment(fitted, features.test, problem.responses.test, center=True)
    return correct_reorientation(found, NoiseCeiling(problem.ceiling, "r")).mean


def _axis_alignment(
    problem: CellProblem, features: StandardizedParts, settings: MeasureSettings
) -> Row:
    """Compare r of the encoder on the units as they are with that on rotated ones.

    Raw features are rotated, and standardized by the training images afterwards.
    """
    if features.train.shape[1] < 2:  # which cannot be rotated
        return dict.fromkeys(MEASURES["axis_alignment"], np.nan)
    responses = problem.responses
    held_out, n_validation = features.test, 0
    if features.validation is not None and validation_parameters(problem.encoder):
        n_validation = len(features.validation)
        held_out = np.vstack([features.validation, features.test])

    def score(train: Array, Y: Array, others: Array, Y_test: Array) -> float:
        validation = others[:n_validation] if n_validation else None
        rotated = StandardizedParts(train, validation, others[n_validation:], features.scale)
        return PearsonScorer()(fit_encoder(problem, rotated), rotated.test, responses.test)

    found = axis_alignment(
        score,
        features.train * features.scale,
        responses.train,
        held_out * features.scale,
        responses.test,
        n_resamples=settings.n_resamples,
        random_state=settings.random_state,
        n_jobs=1,
    )
    return {"axis_alignment": found.difference, "axis_alignment_se": found.standard_error}
