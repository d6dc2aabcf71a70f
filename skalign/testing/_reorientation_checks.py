"""The checks of a measure of tuning reorientation: all at once, as a list, one test each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any

import hypothesis
import numpy as np

from skalign.testing._measure_statements import STATEMENTS, Measure
from skalign.testing._property_check import PropertyCheck, parametrize, subject_name
from skalign.utils import check_flag, check_number


def reorientation_checks(
    measure: Callable[[Any, Any, Any], Any],
    *,
    center: bool = False,
    undefined: float = np.nan,
    atol: float = 1e-9,
    settings: hypothesis.settings | None = None,
) -> list[PropertyCheck]:
    """The properties of tuning reorientation, as checks of a measure.

    Parameters
    ----------
    measure : callable
        ``measure(features, targets, weights)``, of arrays (n_images, n_units), (n_images,
        n_targets) and (n_targets, n_units), returns an array (n_targets,).
    center : bool, default=False
        Declares that the measure centers features and targets over images.
    undefined : float, default=nan
        Declares what a target without weights or direction gets.
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
        If `atol` is negative or not finite.

    See Also
    --------
    check_reorientation : Run them all.
    parametrize_with_reorientation_checks : Run each as a test of its own.

    Notes
    -----
    The measure must equal :func:`reorientation_formula` and lie in [0, 2]; ignore positive scale
    of features, targets and weights, signs of weights, order of images and units, other targets,
    and, uncentered, rotations of the image axis (centered, constants added); be 0 for a single
    aligned unit, 2 for a single opposed one, and 2 - theta for the opposite target; be undefined
    without weights or without direction, rather than perfect; let a unit without direction leave
    both sums; and leave its inputs alone. It is given copies, so that a measure that writes to its
    inputs fails that check only.

    Examples
    --------
    >>> from skalign.testing import reorientation_checks, reorientation_formula
    >>> checks = reorientation_checks(reorientation_formula)
    >>> [check.name for check in checks][1:4]
    ['check_range', 'check_formula', 'check_scale_of_features']
    >>> checks[1]()
    """
    if not callable(measure):
        raise TypeError(
            f"measure must be a callable measure(features, targets, weights); got {measure!r}."
        )
    check_flag(center, "center")
    check_number(undefined, "undefined")
    if not (isinstance(atol, Real) and 0 <= atol < np.inf):
        raise ValueError(f"atol must be a finite number, not negative; got {atol!r}.")
    declared = Measure(measure, bool(center), float(undefined), float(atol))
    return STATEMENTS.checks(declared, subject_name(measure), settings)


def check_reorientation(
    measure: Callable[[Any, Any, Any], Any],
    *,
    center: bool = False,
    undefined: float = np.nan,
    atol: float = 1e-9,
    settings: hypothesis.settings | None = None,
) -> None:
    """Check that a measure has the properties of tuning reorientation.

    Parameters
    ----------
    measure : callable
        ``measure(features, targets, weights)``, of arrays (n_images, n_units), (n_images,
        n_targets) and (n_targets, n_units), returns an array (n_targets,).
    center : bool, default=False
        Declares that the measure centers features and targets over images.
    undefined : float, default=nan
        Declares what a target without weights or direction gets.
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
        If `atol` is negative or not finite.

    See Also
    --------
    reorientation_checks : The same one by one, and what they are.

    Examples
    --------
    The mean over targets is not what is asked for:

    >>> from skalign.testing import check_reorientation, reorientation_formula
    >>> def mean_theta(features, targets, weights):
    ...     return reorientation_formula(features, targets, weights).mean()
    >>> try:
    ...     check_reorientation(mean_theta)
    ... except AssertionError as error:
    ...     print(error)
    the measure must return one value per target, shape (1,); it returned shape ()
    """
    for check in reorientation_checks(
        measure, center=center, undefined=undefined, atol=atol, settings=settings
    ):
        check()


def parametrize_with_reorientation_checks(
    *measures: Callable[[Any, Any, Any], Any],
    center: bool = False,
    undefined: float = np.nan,
    atol: float = 1e-9,
    settings: hypothesis.settings | None = None,
) -> Any:
    """Decorate a pytest test to run every check of measures of tuning reorientation.

    Parameters
    ----------
    *measures : callable
        ``measure(features, targets, weights)``, of arrays (n_images, n_units), (n_images,
        n_targets) and (n_targets, n_units), returns an array (n_targets,).
    center : bool, default=False
        Declares that the measures center features and targets over images.
    undefined : float, default=nan
        Declares what a target without weights or direction gets.
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
        If `atol` is negative or not finite.

    See Also
    --------
    reorientation_checks : What the checks are.

    Examples
    --------
    >>> from skalign.testing import parametrize_with_reorientation_checks, reorientation_formula
    >>> @parametrize_with_reorientation_checks(reorientation_formula)
    ... def test_my_measure(check):
    ...     check()
    """
    of_one = partial(
        reorientation_checks, center=center, undefined=undefined, atol=atol, settings=settings
    )
    return parametrize(of_one, measures)
