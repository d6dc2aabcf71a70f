"""Pages of the site: their snippets run and print what stands under them; links are checked."""

import contextlib
import importlib
import io
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.datasets.nsd_folder import write_folder

DOC = Path(__file__).parents[1] / "doc"
PAGES = [*sorted((DOC / "guide").glob("*.md")), DOC / "index.md"]
BLOCK = re.compile(r"```(python|text)\n(.*?)```", flags=re.DOTALL)
NEEDED = {
    "data": ["h5py", "nibabel"],
    "networks": ["torch", "array_api_compat"],
    "clusters": ["distributed"],
}
NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]\d+)?")

sys.path.insert(0, str(DOC))
import inventories  # noqa: E402
import site_links  # noqa: E402


def run_snippets(text):
    """Run the Python blocks of a page in one namespace; yield (code, printed, text under it)."""
    namespace = {"__name__": "__main__"}
    blocks = [match.groups() for match in BLOCK.finditer(text)]
    followed = zip(blocks, [*blocks, ("", "")][1:], strict=True)
    for (kind, code), (next_kind, under) in followed:
        if kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "a page", "exec"), namespace)
            yield code, printed.getvalue(), under if next_kind == "text" else ""


def assert_same_output(printed, shown):
    """Words are equal, and decimal numbers but for two units of the last digit shown."""
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", shown).split()
    for one, other in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
        unit = 10.0 ** -len(other.partition(".")[2])
        assert float(one) == pytest.approx(float(other), abs=2.1 * unit)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.stem}/{page.stem}")
def test_snippets_run_and_print_what_is_shown(page, tmp_path, monkeypatch):
    for module in NEEDED.get(page.stem, ["pandas"]):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    if page.stem == "data":
        write_folder(tmp_path / "nsd")
    if page.stem == "whole_subject":
        shutil.copy(DOC / "guide" / "scaling.csv", tmp_path)  # which the page says to download
    if page.stem == "networks":
        monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # which the page says to set
    for _, printed, shown in run_snippets(page.read_text(encoding="utf-8")):
        assert_same_output(printed, shown)


def test_other_output_is_found():
    (snippet,) = run_snippets("```python\nprint('r', 0.25)\n```\n\n```text\nr 0.25\n```\n")
    assert_same_output(*snippet[1:])
    for shown in ("r 0.28", "theta 0.25", "r 0.25 0.25"):
        with pytest.raises(AssertionError):
            assert_same_output(snippet[1], shown)


def test_design_names_files_that_exist():
    named = re.findall(r"`(\w+/_?\w+\.p(?:y|yx|xd))`", (DOC / "design.md").read_text())
    assert len(set(named)) > 30
    roots = [DOC.parent, DOC.parent / "skalign"]
    if not roots[1].exists():
        pytest.skip("wheels have no sources of the kernel")
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


@pytest.mark.parametrize("path", sorted((DOC / "inventories").glob("*.txt")), ids=lambda p: p.stem)
def test_names_of_other_projects_exist(path):
    _, names = inventories.read(path)
    assert names == sorted(set(names))
    for _, name, page in names:
        module, _, last = name.rpartition(".")
        if module.partition(".")[0] in ("pandas", "matplotlib"):
            pytest.importorskip(module)
        if last.startswith("Halving"):
            importlib.import_module("sklearn.experimental.enable_halving_search_cv")
        assert getattr(importlib.import_module(module), last) is not None
        assert page.endswith(f"#{name}")


def test_inventories_are_what_sphinx_reads():
    inventory = pytest.importorskip("sphinx.util.inventory", reason="sphinx is for the site")
    for address, path in inventories.mapping(DOC / "inventories").values():
        with open(path, "rb") as file:
            found = inventory.InventoryFile.load(file, address, "/".join)
        assert found


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="here">A</h1><a href="#here"></a><a href="b.html#there"></a>'
        '<a href="https://example.org/x"></a><a href="mailto:x"></a>'
    )
    (tmp_path / "b.html").write_text('<h1 id="there">B</h1><img src="c.png">')
    assert list(site_links.problems(tmp_path)) == ["b.html links to c.png, which does not exist"]
    (tmp_path / "c.png").touch()
    assert list(site_links.problems(tmp_path)) == []
    (tmp_path / "b.html").write_text('<script src="https://example.org/x.js"></script>')
    assert list(site_links.problems(tmp_path)) == [
        "a.html links to b.html#there, which has no such anchor",
        "b.html loads https://example.org/x.js",
    ]


def test_pages_are_seen():
    assert {"theta", "encoders", "index"} <= {page.stem for page in PAGES}
    assert sum(len(BLOCK.findall(page.read_text())) for page in PAGES) > 10
