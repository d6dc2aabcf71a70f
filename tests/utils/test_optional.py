"""Messages about missing libraries: extras that exist, from an index and from a checkout."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

import skalign
from skalign.utils import import_pandas, import_pyplot, install_hint

ROOT = Path(__file__).parents[2]


def test_hint_works_from_an_index_and_from_a_checkout():
    hint = install_hint("plot")
    assert hint == 'pip install "skalign[plot]", or pip install ".[plot]" in a checkout.'


@pytest.mark.parametrize(
    ("load", "module", "extra"),
    [(import_pandas, "pandas", "table"), (import_pyplot, "matplotlib.pyplot", "plot")],
)
def test_missing_library_is_named_with_its_extra(monkeypatch, load, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    library = module.partition(".")[0]
    with pytest.raises(ImportError, match=re.escape(f"needs {library}: {install_hint(extra)}")):
        load()


def test_extras_that_are_named_exist():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    sources = Path(skalign.__file__).parent.rglob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    named = set(re.findall(r"""skalign\[(\w+)\]|install_hint\(['"](\w+)['"]\)""", code))
    named = {extra for pair in named for extra in pair if extra}
    assert {"torch", "test", "table"} <= named <= extras
