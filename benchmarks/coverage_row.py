"""A row of the table of coverages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Coverage(NamedTuple):
    """How often an interval covered the truth.

    ``setting`` says what was drawn from what; ``interval`` the function and the method.
    """

    setting: str
    interval: str
    measure: str
    coverage: float
    standard_error: float
    n_simulations: int


def summarize(setting: str, interval: str, measure: str, covered: list[bool]) -> Coverage:
    """Share of the simulations in which the truth was covered."""
    share, n_simulations = float(np.mean(covered)), len(covered)
    error = float(np.sqrt(max(share * (1 - share), 0.0475 / n_simulations) / n_simulations))
    return Coverage(setting, interval, measure, share, error, n_simulations)
