"""A statement about a subject, which a call checks on drawn examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

import hypothesis
from hypothesis import Phase
from hypothesis import strategies as st

from skalign.utils import install_hint

SETTINGS = hypothesis.settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=set(Phase) - {Phase.explain},  # which would explain the insides of NumPy
    report_multiple_bugs=False,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # depends on the machine
)

_REDRAWS = 10  # of a subject that a statement does not apply to; perhaps none is drawn that it does

Draw = Callable[..., Any]  # draw(strategy, label=None)
Statement = Callable[[Any, Draw], None]


@dataclass(frozen=True, eq=False)
class PropertyCheck:
    """One named property of one measure or encoder; calling it checks the property.

    Parameters
    ----------
    name : str
        Name of the property.
    subject : str
        What it is a property of. ``str(check)`` is ``"subject-name"``, to be used as a test's id.
    run : callable
        Checks the property on drawn examples. Raises AssertionError where it does not hold, with
        the smallest example that was found.
    """

    name: str
    subject: str
    run: Callable[[], None]

    def __call__(self) -> None:
        self.run()

    def __str__(self) -> str:
        return f"{self.subject}-{self.name}"


class Statements:
    """Statements about one kind of subject, in the order in which they were added."""

    def __init__(self) -> None:
        self._all: list[tuple[Statement, Callable[[Any], bool]]] = []

    def add(
        self, applies: Callable[[Any], bool] = lambda subject: True
    ) -> Callable[[Statement], Statement]:
        """Register ``statement(subject, draw)``, which asserts, for subjects it `applies` to."""

        def register(statement: Statement) -> Statement:
            self._all.append((statement, applies))
            return statement

        return register

    def checks(
        self, subject: Any, name: str, settings: hypothesis.settings | None
    ) -> list[PropertyCheck]:
        """The statements as checks of a subject, or of a strategy of subjects.

        Where the subject is drawn, whether a statement applies is only known then.
        """
        if not isinstance(settings, hypothesis.settings | None):
            raise TypeError(f"settings must be a hypothesis.settings or None; got {settings!r}.")
        drawn = isinstance(subject, st.SearchStrategy)
        return [
            PropertyCheck(
                statement.__name__,
                name,
                partial(_run, statement, applies, subject, name, settings or SETTINGS),
            )
            for statement, applies in self._all
            if drawn or applies(subject)
        ]


def _run(
    statement: Statement,
    applies: Callable[[Any], bool],
    subject: Any,
    name: str,
    settings: hypothesis.settings,
) -> None:
    """Hold a statement against examples."""

    def run(data: st.DataObject) -> None:
        if not isinstance(subject, st.SearchStrategy):
            return statement(subject, data.draw)
        for _ in range(_REDRAWS):
            one = data.draw(subject, "subject")
            if applies(one):
                return statement(one, data.draw)
        return None

    run.__name__ = run.__qualname__ = statement.__name__  # in hypothesis's reports
    test = settings(hypothesis.given(data=st.data())(run))
    if settings.derandomize:
        # Else it would depend on the code alone, which all checks share.
        test = hypothesis.seed(crc32(f"{name}-{statement.__name__}".encode()))(test)
    test()


def parametrize(
    checks_of: Callable[[Any], Iterable[PropertyCheck]], subjects: Iterable[Any]
) -> Any:
    """The checks of all subjects as parameters of a pytest test, one test each."""
    try:
        import pytest
    except ModuleNotFoundError as error:
        raise ImportError(f"One test per check needs pytest: {install_hint('test')}") from error
    return pytest.mark.parametrize(
        "check",
        [pytest.param(check, id=str(check)) for one in subjects for check in checks_of(one)],
    )


def subject_name(measure: Any) -> str:
    """A name that is the same in every process, as pytest-xdist wants."""
    while isinstance(measure, partial):
        measure = measure.func
    return getattr(measure, "__name__", type(measure).__name__)
