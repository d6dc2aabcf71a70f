"""How often the tests of skalign.inference reject at 0.05 where there is nothing to find.

Every null hypothesis of ``alignment_null`` is simulated where it is true. A rate above 0.05 + 2
standard errors is marked; in brackets if the documentation states a rate that large. By chance one
row of 44 is marked, so a setting with a mark is simulated again, from another seed and four times
as often. The script exits with 1 if the row is then marked again. The coverage of all intervals
follows, from ``interval_coverage.py``::

    python benchmarks/calibration.py           # 1000 simulations of every setting, six minutes
    python benchmarks/calibration.py 100       # fewer
    python benchmarks/calibration.py 1000 --no-coverage
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from null_settings import ANY, FDR, FEW, MANY, REGION, SETTINGS, SINGLE, Setting

from skalign.inference import AlignmentNull, alignment_null

LEVEL = 0.05


class Rejection(NamedTuple):
    """How often a test rejected a true null hypothesis.

    ``setting`` says what the data were, ``test`` the p-value, ``measure`` of what.
    """

    setting: str
    test: str
    measure: str
    rate: float
    standard_error: float
    n_simulations: int
    documented: float | None  # rate that the documentation states where it is above the level

    def exceeds(self, n_errors: float = 2) -> bool:
        """Whether the rate is above the level by more than that many standard errors."""
        return self.rate > LEVEL + n_errors * self.standard_error

    def fails(self, n_errors: float = 2) -> bool:
        """Whether it is above what is documented by more than that many standard errors."""
        return self.rate > (self.documented or LEVEL) + n_errors * self.standard_error

    def __str__(self) -> str:
        mark = "*" if self.fails() else "(*)" if self.exceeds() else ""
        return (
            f"{self.rate:.3f} +- {self.standard_error:.3f} {mark:3} {self.measure:6}{self.test:31}"
            f"{self.setting}"
        )


def rejections(found: AlignmentNull, measure: str) -> Iterator[tuple[str, np.ndarray]]:
    """What every test of a measure says: one value, or one per target."""
    p = getattr(found, f"p_value_{measure}")
    rejected = p <= LEVEL + 1e-9
    yield SINGLE, rejected
    if measure == "theta":
        pooled = np.vstack([found.encoder.n_active, found.null_n_active])
        low, high = np.quantile(pooled, [1 / 3, 2 / 3], axis=0)
        n_active = found.encoder.n_active
        yield FEW, rejected[(n_active <= low) & (n_active > 0)]
        yield MANY, rejected[n_active >= high]
    for name, test in (
        ("familywise_p_value", ANY),
        ("q_value", FDR),
    ):
        adjusted = getattr(found, f"{name}_{measure}")
        yield test, np.array([(adjusted <= LEVEL + 1e-9).any()])
    region = getattr(found, f"region_p_value_{measure}")
    yield REGION, np.array([region <= LEVEL + 1e-9])


def of_setting(
    name: str, setting: Setting, n_simulations: int, n_resamples: int, seed: int
) -> Iterator[Rejection]:
    """Rates of all tests in a setting."""
    rng = np.random.default_rng(seed)
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    measures = ["r"] if setting.options["null"] == "images" else ["r", "theta"]
    for _ in range(max(1, round(setting.share * n_simulations))):
        result = alignment_null(
            setting.encoder,
            **setting.draw(rng),
            **setting.options,
            n_resamples=n_resamples,
            random_state=int(rng.integers(2**31)),
        )
        for measure in measures:
            for test, rejected in rejections(result, measure):
                found.setdefault((test, measure), []).append(rejected)
    for (test, measure), of_simulations in found.items():
        rate, error = rate_of(of_simulations)
        documented = setting.documented.get((measure, test))
        yield Rejection(name, test, measure, rate, error, len(of_simulations), documented)


def rate_of(of_simulations: list[np.ndarray]) -> tuple[float, float]:
    """Rate of rejections and its standard error, over simulations of some targets each.

    Targets of a simulation share images and draws; simulations are independent.
    """
    counts = np.array([rejected.sum() for rejected in of_simulations], float)
    sizes = np.array([rejected.size for rejected in of_simulations], float)
    if not sizes.any():
        return float("nan"), float("nan")
    rate = counts.sum() / sizes.sum()
    deviation = counts - rate * sizes
    error = np.sqrt((deviation**2).sum()) / sizes.sum()
    # Without any rejection the error is that of the level.
    floor = np.sqrt(LEVEL * (1 - LEVEL) / sizes.sum()) if not counts.any() else 0.0
    return float(rate), float(max(error, floor))


def rejection_rows(
    n_simulations: int = 1000,
    *,
    n_resamples: int = 39,
    settings: list[str] | None = None,
    seed: int = 0,
) -> Iterator[Rejection]:
    """Rejection rates of every test in every setting.

    Parameters
    ----------
    n_simulations : int, default=1000
        Data sets per setting.
    n_resamples : int, default=39
        Null fits per test; one more must be a multiple of 20.
    settings : list of str, default=None
        Some of the names of ``SETTINGS``; all by default.
    seed : int, default=0
        Each setting adds its place to it.

    Yields
    ------
    Rejection
        As soon as a setting is done.
    """
    for place, (name, setting) in enumerate(SETTINGS.items()):
        if settings is None or name in settings:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".* were left empty", UserWarning)
                yield from of_setting(name, setting, n_simulations, n_resamples, seed + place)


def rows_that_fail(n_simulations: int) -> list[Rejection]:
    """Print the table setting by setting, and once more what is marked; those that fail again."""
    failed = []
    for name in SETTINGS:
        marked = set()
        for row in rejection_rows(n_simulations, settings=[name]):
            print(row, flush=True)
            if row.fails():
                marked.add((row.measure, row.test))
        if marked:
            again = rejection_rows(4 * n_simulations, settings=[name], seed=len(SETTINGS))
            for row in again:
                if (row.measure, row.test) in marked:
                    print(row, "(again)", flush=True)
                    failed += [row] * row.fails()
    return failed


def main() -> int:
    """Print the tables; 1 if a rate is too large twice that is not documented to be."""
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    n_simulations = numbers[0] if numbers else 1000
    print(
        f"Rejections at {LEVEL} without an effect, {n_simulations} simulations; * above {LEVEL} + "
        "2 standard errors, (*) as documented"
    )
    failed = rows_that_fail(n_simulations)
    if "--no-coverage" not in sys.argv:
        import interval_coverage

        sys.argv = [sys.argv[0], str(n_simulations)]
        interval_coverage.main()
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
