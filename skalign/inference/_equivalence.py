"""Equivalence: whether a difference lies within a margin of zero, by two one-sided tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from skalign.inference._interval import ConfidenceInterval
from skalign.metrics import target_column
from skalign.utils import Array, check_number, import_pandas


@dataclass(frozen=True, eq=False)
class EquivalenceTest:
    """Two one-sided tests of whether a difference, or each of many, is within a margin.

    Returned by :func:`equivalence_test`.

    Parameters
    ----------
    estimate : float or ndarray of shape (n_targets,)
        The difference.
    p_value : float or ndarray of shape (n_targets,)
        Of the hypothesis that it lies outside the margin; low says that it is within. NaN where
        the difference has no value or no standard error.
    low, high : float or ndarray of shape (n_targets,)
        Ends of the interval of level 1 - 2 `level`, which lies within the margin exactly where
        `p_value` is below `level`.
    margin : float
        The largest difference that counts as none.
    level : float
        Size of the test.
    target_names : ndarray of shape (n_targets,), default=None
        Names of the targets, where known.
    """

    estimate: Any
    p_value: Any
    low: Any
    high: Any
    margin: float
    level: float
    target_names: Array | None = None

    @property
    def is_equivalent(self) -> Any:
        """Whether the difference is within the margin, by the test.

        Returns
        -------
        bool or ndarray of shape (n_targets,)
            False says that equivalence was not shown, not that there is a difference.
        """
        found = np.less(self.p_value, self.level)
        return found if np.ndim(self.p_value) else bool(found)

    def to_frame(self) -> Any:
        """One row per target, or a single row for a mean, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns ``target`` (not for a mean), ``estimate``, ``low``, ``high``, ``p_value``,
            ``margin`` and ``is_equivalent``.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        columns = {
            name: np.atleast_1d(getattr(self, name))
            for name in ("estimate", "low", "high", "p_value")
        }
        frame = (
            import_pandas()
            .DataFrame(columns)
            .assign(margin=self.margin, is_equivalent=self.is_equivalent)
        )
        if np.ndim(self.estimate):
            frame.insert(0, "target", target_column(self.target_names, len(frame)))
        return frame


def equivalence_test(
    difference: ConfidenceInterval, margin: float, *, level: float = 0.05
) -> EquivalenceTest:
    r"""Test whether two models are equally good, up to a margin that is stated beforehand.

    A difference that is not significant shows nothing: the data may be too few. "Matched and
    mismatched units predict equally well" is a claim of its own, which two one-sided tests can
    show: that the difference is above -margin, and that it is below the margin.

    Parameters
    ----------
    difference : ConfidenceInterval
        Of a difference, of a mean or of every target: from :func:`bootstrap_alignment_difference`
        (its ``r``, ``theta``, ``target_r``, ``target_theta``), :func:`bootstrap_mean` with `minus`,
        or :func:`crossed_mean`. Its level does not matter.
    margin : float
        The largest difference that counts as none, above 0 and in the units of the difference.
        State it before the data are seen, from what would matter: half of the difference that
        earlier studies found, or a tenth of the noise ceiling.
    level : float, default=0.05
        Size of the test, between 0 and 0.5.

    Returns
    -------
    EquivalenceTest
        With p-values, and whether the difference is within the margin: of a mean or every target.

    Raises
    ------
    TypeError
        If `difference` is no ConfidenceInterval.
    ValueError
        If `margin` is not above 0, or `level` not between 0 and 0.5.

    See Also
    --------
    bootstrap_alignment_difference : Intervals over images, of a mean and of every target.
    crossed_mean : Intervals over networks, subjects and images.
    scipy.stats.false_discovery_control : Corrects the p-values of many targets.

    Notes
    -----
    With d the difference, s its standard error and T the distribution function of Student's t with
    the degrees of freedom of the interval (of the normal distribution for bootstrap intervals),

    .. math::
        p = \max\left(T\!\left(\frac{d - m}{s}\right), T\!\left(\frac{-d - m}{s}\right)\right)

    is the larger p-value of two one-sided tests [1]_. Equivalently, the interval of level 1 - 2
    `level` lies within the margin. p-values of single targets are not corrected for their number.

    How often a difference as large as the margin was taken for equivalent at `level` 0.05, in 1000
    simulations with a standard error of 0.01: by "t" 0.05 over 4 and 8 subjects of normally
    distributed differences, and 0.04 over 30; by "percentile" 0.12, 0.10 and 0.05. By "t" it is
    0.17 for 4, 0.14 for 8 and 0.10 for 30 subjects of exponentially distributed differences, which
    are skewed. By "t" for r it was 0.04 to 0.09 over 100 images and 0.02 to 0.08 over 4 to 20
    groups of dependent images (500 simulations; ``benchmarks/interval_coverage.py``).

    References
    ----------
    .. [1] D. J. Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power
       approach for assessing the equivalence of average bioavailability", Journal of
       Pharmacokinetics and Biopharmaceutics 15(6):657-680, :doi:`10.1007/BF01068419`.

    Examples
    --------
    >>> import numpy as np
    >>> from skalign.inference import bootstrap_mean, equivalence_test
    >>> rng = np.random.default_rng(0)
    >>> matched = [rng.uniform(0.3, 0.5, 200) for _ in range(8)]
    >>> mismatched = [r + rng.normal(0, 0.02, 200) for r in matched]
    >>> difference = bootstrap_mean(matched, mismatched, over="subjects")
    >>> equivalence_test(difference, margin=0.01).is_equivalent
    True
    >>> equivalence_test(difference, margin=0.001).is_equivalent
    False
    """
    if not isinstance(difference, ConfidenceInterval):
        raise TypeError(
            "difference must be a ConfidenceInterval, which knows its standard error; got "
            f"{type(difference).__name__}. Give a part of it, such as its r, or use bootstrap_mean."
        )
    margin, level = check_number(margin, "margin"), check_number(level, "level")
    if not margin > 0:
        raise ValueError(f"margin must be above 0; got {margin}.")
    if not 0 < level < 0.5:
        raise ValueError(f"level must be between 0 and 0.5; got {level}.")
    estimate, error, df = (
        np.asarray(values, dtype=np.float64)
        for values in (
            difference.estimate,
            difference.standard_error,
            difference.degrees_of_freedom,
        )
    )
    error = np.where(error > 0, error, np.nan)  # without spread there is nothing to test by
    p_value = stdtr(df, (np.abs(estimate) - margin) / error)
    reach = -stdtrit(df, level) * error
    return EquivalenceTest(
        estimate[()],
        p_value[()],
        (estimate - reach)[()],
        (estimate + reach)[()],
        margin,
        level,
        difference.target_names,
    )
