"""The checks of the measures beside theta, by the kind of the measure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, Literal, get_args

import hypothesis
import numpy as np

from skalign.testing._map_statements import CORRECTED, EFFECTIVE, FLOOR, TargetMeasure
from skalign.testing._matching_statements import AXES, MATCHING, SystemMeasure
from skalign.testing._property_check import PropertyCheck, parametrize, subject_name

Kind = Literal[
    "soft_matching",
    "partial_soft_matching",
    "one_to_one_matching",
    "semi_matching",
    "axis_alignment",
    "n_effective",
    "theta_floor",
    "corrected_reorientation",
]

_OF_TARGETS = {
    "n_effective": EFFECTIVE,
    "theta_floor": FLOOR,
    "corrected_reorientation": CORRECTED,
}


def measure_checks(
    kind: Kind,
    measure: Callable[..., Any],
    *,
    atol: float = 1e-9,
    settings: hypothesis.settings | None = None,
) -> list[PropertyCheck]:
    """The properties of a measure that stands beside theta.

    Parameters
    ----------
    kind : str
        What the measure claims to be, which says how it is called:

        - ``"soft_matching"``, ``"one_to_one_matching"``, ``"semi_matching"``: ``measure(X, Y,
          X_test, Y_test)`` is a number, the mean correlation over matches of units. Matches are
          chosen on `X` and `Y`, of shape (n_images, n_units), and scored on the others.
        - ``"partial_soft_matching"``: ``measure(X, Y, X_test, Y_test, fraction)``, the same.
        - ``"axis_alignment"``: ``measure(score, X, Y, X_test, Y_test)``, with a function ``score``
          of such arrays, is the score minus its mean over rotations of the features.
        - ``"n_effective"``: ``measure(weights)``, of an array (n_targets, n_units), is an array
          (n_targets,).
        - ``"theta_floor"``: ``measure(features, weights)``, of arrays (n_images, n_units) and
          (n_targets, n_units), is an array (n_targets,).
        - ``"corrected_reorientation"``: ``measure(theta_observed, ceiling)``, of arrays
          (n_targets,), is an array (n_targets,).
    measure : callable
        The measure.
    atol : float, default=1e-9
        How far values may be off.
    settings : hypothesis.settings, default=None
        How examples are drawn. By default 25 per check, always the same ones.

    Returns
    -------
    list of PropertyCheck
        To be called; ``check.name`` tells which it is.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If `kind` is unknown, or `atol` is negative or not finite.

    See Also
    --------
    check_measure : Run them all.
    parametrize_with_measure_checks : Run each as a test of its own.
    reorientation_checks : The properties of theta itself.

    Notes
    -----
    Matches must be those of the definition, by brute force or a linear program; lie in [-1, 1] and
    be 1 for a system and itself; ignore the order of units and images, positive scale and offsets
    of units and a change of all signs; be symmetric, but for semi-matching; and, where units have
    shares, ignore copies of all units. What a score owes to its axes must be 0 for a score that
    rotations do not change, positive for targets that are single units, and in the unit of the
    score. ``n_effective`` must lie between 1 and the number of active units, and ignore scale,
    signs and order; the floor of theta must be its formula, 0 for a single unit, and NaN for signed
    weights; the correction must undo what noise does.

    Examples
    --------
    >>> from skalign.metrics import semi_matching
    >>> from skalign.testing import measure_checks
    >>> checks = measure_checks("semi_matching", lambda *data: semi_matching(*data).score)
    >>> [check.name for check in checks][:3]
    ['check_definition', 'check_range', 'check_same_system']
    >>> checks[0]()
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {get_args(Kind)}; got {kind!r}.")
    if not callable(measure):
        raise TypeError(f"measure must be callable, as {kind} is; got {measure!r}.")
    if not (isinstance(atol, Real) and 0 <= atol < np.inf):
        raise ValueError(f"atol must be a finite number, not negative; got {atol!r}.")
    name = subject_name(measure)
    if kind in _OF_TARGETS:
        return _OF_TARGETS[kind].checks(TargetMeasure(measure, float(atol)), name, settings)
    statements = AXES if kind == "axis_alignment" else MATCHING
    return statements.checks(SystemMeasure(measure, kind, float(atol)), name, settings)


def check_measure(
    kind: Kind,
    measure: Callable[..., Any],
    *,
    atol: float = 1e-9,
    settings: hypothesis.settings | None = None,
) -> None:
    """Check that a measure has the properties of what it claims to be.

    Parameters
    ----------
    kind : str
        What the measure claims to be; see :func:`measure_checks`.
    measure : callable
        The measure.
    atol : float, default=1e-9
        How far values may be off.
    settings : hypothesis.settings, default=None
        How examples are drawn. By default 25 per check, always the same ones.

    Raises
    ------
    AssertionError
        If a property does not hold: the message tells which, and the smallest example found.
    TypeError
        If an argument is of the wrong type.
    ValueError
        If `kind` is unknown, or `atol` is negative or not finite.

    See Also
    --------
    measure_checks : The same one by one, and what they are.

    Examples
    --------
    The number of active units is no number of effective ones:

    >>> import numpy as np
    >>> from skalign.testing import check_measure
    >>> try:
    ...     check_measure("n_effective", lambda weights: np.count_nonzero(weights, axis=1))
    ... except AssertionError as error:
    ...     print("squared sum of absolute weights" in str(error))
    True
    """
    for check in measure_checks(kind, measure, atol=atol, settings=settings):
        check()


def parametrize_with_measure_checks(
    kind: Kind,
    *measures: Callable[..., Any],
    atol: float = 1e-9,
    settings: hypothesis.settings | None = None,
) -> Any:
    """Decorate a pytest test to run every check of measures of one kind.

    Parameters
    ----------
    kind : str
        What the measures claim to be; see :func:`measure_checks`.
    *measures : callable
        The measures.
    atol : float, default=1e-9
        How far values may be off.
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
        If `kind` is unknown, or `atol` is negative or not finite.

    See Also
    --------
    measure_checks : What the checks are.

    Examples
    --------
    >>> from skalign.metrics import soft_matching
    >>> from skalign.testing import parametrize_with_measure_checks
    >>> def my_matching(*data):
    ...     return soft_matching(*data).score
    >>> @parametrize_with_measure_checks("soft_matching", my_matching)
    ... def test_my_matching(check):
    ...     check()
    """
    of_kind = partial(measure_checks, kind, atol=atol, settings=settings)
    return parametrize(of_kind, measures)
