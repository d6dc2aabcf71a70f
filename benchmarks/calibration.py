"""How often the tests of skalign.inference reject at 0.05 where there is nothing to find.

Every null hypothesis of ``alignment_null`` is simulated where it is true. A rate above 0.05 + 2
standard errors is marked; by chance that is one row of 44. Above 0.05 + 4 standard errors the
script exits with 1, unless the documentation names the row as too large. The coverage of all
intervals follows, from ``coverage.py``::

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
from null_settings import SETTINGS, Setting

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
    is_documented: bool  # as too large

    def exceeds(self, n_errors: float = 2) -> bool:
        """Whether the rate is above the level by more than that many standard errors."""
        return self.rate > LEVEL + n_errors * self.standard_error


def rejections(found: AlignmentNull, measure: str) -> Iterator[tuple[str, np.ndarray]]:
    """What every test of a measure says: one value, or one per target."""
    p = getattr(found, f"p_value_{measure}")
    rejected = p <= LEVEL + 1e-9
    yield "single targets", rejected
    if measure == "theta":
        pooled = np.vstack([found.encoder.n_active, found.null_n_active])
        low, high = np.quantile(pooled, [1 / 3, 2 / 3], axis=0)
        n_active = found.encoder.n_active
        yield "targets with few active units", rejected[(n_active <= low) & (n_active > 0)]
        yield "targets with many active units", rejected[n_active >= high]
    for name, test in (
        ("familywise_p_value", "any target, family-wise"),
        ("q_value", "any target, FDR"),
    ):
        adjusted = getattr(found, f"{name}_{measure}")
        yield test, np.array([(adjusted <= LEVEL + 1e-9).any()])
    region = getattr(found, f"region_p_value_{measure}")
    yield "mean of the region", np.array([region <= LEVEL + 1e-9])


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
        is_documented = measure in setting.documented
        yield Rejection(name, test, measure, rate, error, len(of_simulations), is_documented)


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


def main() -> int:
    """Print the tables; 1 if a rate is far too large that is not documented to be."""
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    n_simulations = numbers[0] if numbers else 1000
    print(
        f"Rejections at {LEVEL} without an effect, {n_simulations} simulations; * above {LEVEL} + "
        "2 standard errors, (*) as documented"
    )
    failed = False
    for row in rejection_rows(n_simulations):
        mark = ("(*)" if row.is_documented else "*") if row.exceeds() else ""
        failed |= row.exceeds(4) and not row.is_documented
        print(
            f"{row.rate:.3f} +- {row.standard_error:.3f} {mark:3} {row.measure:6}{row.test:31}"
            f"{row.setting}",
            flush=True,
        )
    if "--no-coverage" not in sys.argv:
        import coverage

        sys.argv = [sys.argv[0], str(n_simulations)]
        coverage.main()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
