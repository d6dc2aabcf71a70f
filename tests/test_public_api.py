"""`__all__` is what a module offers, all of it documented, and the version is in one place."""

import importlib
import inspect
import pkgutil
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import skalign

MODULES = sorted(
    name
    for _, name, _ in [
        (None, "skalign", True),
        *pkgutil.walk_packages(skalign.__path__, "skalign."),
    ]
    if "._" not in name
)


def offered(module):
    """Public names of a module, but for its submodules."""
    names = {name for name in vars(module) if not name.startswith("_")}
    return {name for name in names if not inspect.ismodule(getattr(module, name))}


def public_objects():
    """Functions and classes of all modules, and the methods and properties of those classes."""
    objects = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                objects[f"{thing.__module__}.{name}"] = thing
    for path, thing in list(objects.items()):
        for name, member in vars(thing).items() if inspect.isclass(thing) else []:
            if not name.startswith("_") and isinstance(member, property) | inspect.isfunction(
                member
            ):
                objects[f"{path}.{name}"] = getattr(thing, name)
    return objects


OBJECTS = public_objects()


def test_every_layer_is_seen():
    assert {"skalign", "skalign.solvers", "skalign.linear_model", "skalign.metrics"} <= set(MODULES)
    assert "skalign.solvers._solve.solve" in OBJECTS


@pytest.mark.parametrize("name", MODULES)
def test_all_is_what_the_module_offers(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert module.__all__ == sorted(set(module.__all__))
    assert set(module.__all__) == offered(module)


@pytest.mark.parametrize("name", skalign.__all__)
def test_names_at_the_top_are_those_of_a_layer(name):
    layers = [importlib.import_module(module) for module in MODULES[1:]]
    assert any(getattr(skalign, name) is vars(layer).get(name) for layer in layers)


@pytest.mark.parametrize("path", OBJECTS)
def test_every_public_object_is_documented(path):
    thing = OBJECTS[path]
    assert thing.__doc__
    assert not thing.__doc__.startswith(f"{path.rpartition('.')[2]}(")  # a dataclass's own


def test_every_name_is_in_the_api_reference():
    reference = Path(skalign.__file__).parents[1] / "doc" / "api"
    if not reference.exists():
        pytest.skip("not a checkout")
    pages = (page.read_text(encoding="utf-8") for page in reference.glob("*.rst"))
    listed = {word for page in pages for word in page.split()}
    missing = []
    for module in map(importlib.import_module, MODULES[1:]):
        for name in module.__all__:
            thing = getattr(module, name)
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and name not in listed:
                missing.append(f"{module.__name__}.{name}")
    assert not missing


def test_version_is_that_of_the_installed_package():
    try:
        installed = version("skalign")
    except PackageNotFoundError:
        pytest.skip("skalign is imported from a checkout that is not installed")
    assert skalign.__version__ == installed


def test_version_is_written_once():
    pyproject = Path(skalign.__file__).parents[1] / "pyproject.toml"
    if not pyproject.exists():
        pytest.skip("not a checkout")
    config = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    assert "version" not in config["project"]
    assert config["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "skalign.__version__"}
