"""One name, one thing; code that a formatter and a reader can follow."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import skalign

PACKAGE = Path(skalign.__file__).parent
MOST_FORMATTED_BY_HAND = 5
MOST_POSITIONAL = 7


def python_files(package_root):
    return [path for path in sorted(package_root.rglob("*.p*")) if path.suffix in {".py", ".pyx"}]


def repeated(names):
    return sorted(name for name, count in Counter(names).items() if count > 1)


def nodes(package_root, kind):
    """Nodes of a kind in all Python files, with their file."""
    for path in python_files(package_root):
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, kind):
                    yield path.relative_to(package_root).as_posix(), node


def repeated_basenames(package_root):
    return repeated(path.name for path in python_files(package_root) if path.stem != "__init__")


def repeated_classes(package_root):
    return repeated(node.name for _, node in nodes(package_root, ast.ClassDef))


def long_signatures(package_root):
    """Functions with many positional arguments, ``self`` and ``cls`` not counted."""
    for file, node in nodes(package_root, ast.FunctionDef):
        names = [arg.arg for arg in node.args.posonlyargs + node.args.args]
        if len(names) - (names[:1] in (["self"], ["cls"])) > MOST_POSITIONAL:
            yield f"{file}: {node.name}"


def formatted_by_hand(package_root):
    return sum(
        path.read_text(encoding="utf-8").count("# fmt:") for path in python_files(package_root)
    )


def test_no_file_name_stands_for_two_files():
    assert repeated_basenames(PACKAGE) == []


def test_no_class_name_stands_for_two_classes():
    assert repeated_classes(PACKAGE) == []


def test_few_positional_arguments():
    assert list(long_signatures(PACKAGE)) == []


def test_few_lines_are_formatted_by_hand():
    assert formatted_by_hand(PACKAGE) <= MOST_FORMATTED_BY_HAND


def test_the_package_is_read():
    """The rules would hold for an empty folder too."""
    assert (
        "_kernel.pyx" in {path.name for path in python_files(PACKAGE)}
        or not (PACKAGE.parent / "pyproject.toml").exists()
    )
    assert len({node.name for _, node in nodes(PACKAGE, ast.ClassDef)}) > 20


@pytest.fixture
def broken(tmp_path):
    for layer in ("metrics", "solvers"):
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "__init__.py").touch()
        (tmp_path / layer / "_same.py").write_text(
            "class Same:\n"
            "    def few(self, a, b, c, d, e, f, g, *, h): pass\n"
            "    def many(self, a, b, c, d, e, f, g, h): pass  # fmt: skip\n"
        )
    return tmp_path


def test_what_breaks_the_rules_is_found(broken):
    assert repeated_basenames(broken) == ["_same.py"]
    assert repeated_classes(broken) == ["Same"]
    assert list(long_signatures(broken)) == ["metrics/_same.py: many", "solvers/_same.py: many"]
    assert formatted_by_hand(broken) == 2
