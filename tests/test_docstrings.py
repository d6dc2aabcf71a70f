"""Every public object is documented as numpydoc wants it."""

import dataclasses
import importlib
import inspect
import pkgutil
import sys

import pytest
from numpydoc.validate import validate

import skalign

# Extended summary and See Also where they help; the mood of the first verb; the opening line; what
# is returned is named in its description.
NOT_ASKED_FOR = {"ES01", "SA01", "SS05", "SS06", "GL01", "RT02"}


def public_names() -> list[str]:
    """Full names of everything in an ``__all__``, and of the public methods of its classes."""
    names = []
    for info in [None, *pkgutil.walk_packages(skalign.__path__, "skalign.")]:
        module = importlib.import_module(info.name if info else "skalign")
        for name in getattr(module, "__all__", []):
            full, found = f"{module.__name__}.{name}", getattr(module, name)
            if "._" in full or not callable(found) or not hasattr(found, "__module__"):
                continue
            if not found.__module__.startswith("skalign"):
                continue
            names.append(full)
            if inspect.isclass(found):
                names += [
                    f"{full}.{member}"
                    for member, value in vars(found).items()
                    if not member.startswith("_")
                    and (callable(value) or isinstance(value, property))
                ]
    return names


@pytest.mark.parametrize("name", public_names())
def test_docstring_is_valid(name):
    spared = NOT_ASKED_FOR | (set() if wants_example(name) else {"EX01"})
    assert not [error for error in validate(name)["errors"] if error[0] not in spared]


def wants_example(name: str) -> bool:
    """Functions and estimators do; their methods, records, and what only packages use do not."""
    module, _, last = name.rpartition(".")
    if module == "skalign.utils":
        return False
    found = getattr(sys.modules.get(module), last, None)
    return found is not None and not dataclasses.is_dataclass(found)


def test_finds_what_is_public():
    assert {
        "skalign.SparsePositiveEncoder.fit",
        "skalign.solvers.solve",
        "skalign.metrics.tuning_reorientation",
    } <= set(public_names())
