"""Imports inside the package point only downwards, and packages use each other's public names.

Solvers and utils know no scikit-learn.
"""

import ast
import re
from pathlib import Path

import pytest

import skalign

LAYERS = [  # from the top
    "inspection",
    "benchmark",
    "inference",
    "linear_model",
    "model_selection",
    "feature_selection",
    "feature_extraction",
    "metrics",
    "datasets",
    "testing",
    "solvers",
    "utils",
]
PACKAGE = Path(skalign.__file__).parent
PYTHON, CYTHON = {".py", ".pyi"}, {".pyx", ".pxd"}


def imported_modules(path, package_root):
    """Absolute dotted names of everything a file imports, wherever in the file."""
    package = path.relative_to(package_root.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def cimported_modules(path, package_root):
    """The same of a Cython file, but for the names behind ``from``."""
    pattern = r"^\s*(?:from\s+(\S+)\s+c?import|c?import\s+(\S+))"
    for match in re.finditer(pattern, path.read_text(encoding="utf-8"), re.MULTILINE):
        yield match[1] or match[2]


def modules_of(package_root):
    """Every file in a layer, with the absolute dotted names that it imports."""
    for path in sorted(package_root.rglob("*.p*")):
        if path.suffix in PYTHON | CYTHON and path.parent != package_root:
            read = cimported_modules if path.suffix in CYTHON else imported_modules
            yield path, read(path, package_root)


def private_imports(package_root):
    """Imports of what another package keeps to itself, as ``layer: module``."""
    for path, modules in modules_of(package_root):
        layer = path.relative_to(package_root).parts[0]
        for module in modules:
            top, *inside = module.split(".")
            private = any(part.startswith("_") for part in inside)
            if top == "skalign" and private and inside[0] != layer:
                yield f"{layer}: {module}"


def violations(package_root):
    """Imports that the rule forbids, as ``file: module``."""
    for path in sorted(package_root.rglob("*.p*")):
        layer, *inside = path.relative_to(package_root).parts
        if path.suffix not in PYTHON | CYTHON or layer == "__init__.py":
            continue
        if not inside or layer not in LAYERS:
            yield f"{layer}: not in a layer"
            continue
        allowed = LAYERS[LAYERS.index(layer) :]
        read = cimported_modules if path.suffix in CYTHON else imported_modules
        for module in read(path, package_root):
            top, _, rest = module.partition(".")
            upwards = top == "skalign" and rest.partition(".")[0] not in allowed
            if upwards or (top == "sklearn" and layer in ("solvers", "utils")):
                yield f"{path.relative_to(package_root)}: {module}"


def test_imports_point_downwards():
    assert list(violations(PACKAGE)) == []


def test_packages_use_public_names_of_each_other():
    assert list(private_imports(PACKAGE)) == []


@pytest.mark.parametrize(
    ("line", "n_found"),
    [
        ("from skalign.solvers._design import Design", 1),
        ("from skalign.solvers import _design", 1),
        ("from ..solvers._design import Design, check_finite", 2),
        ("import skalign.solvers._design", 1),
        ("def late():\n    from skalign.utils._checks import check_flag", 1),
        ("from skalign.solvers import Design", 0),
        ("from skalign.metrics._linear_map import LinearMap", 0),
        ("from ._linear_map import LinearMap", 0),
    ],
)
def test_private_import_is_found(tmp_path, line, n_found):
    path = tmp_path / "skalign" / "metrics" / "_new.py"
    path.parent.mkdir(parents=True)
    path.write_text(line, encoding="utf-8")
    assert len(list(private_imports(tmp_path / "skalign"))) == n_found


def test_files_are_read_at_all():
    """The rule would hold for an empty folder too."""
    solve = PACKAGE / "solvers" / "_solve.py"
    assert "skalign.solvers._blocks.BlockSolver" in set(imported_modules(solve, PACKAGE))
    cython = [path for path in PACKAGE.rglob("*.p*") if path.suffix in CYTHON]
    read = {module for path in cython for module in cimported_modules(path, PACKAGE)}
    assert not cython or "cpython.ref" in read  # a wheel has none


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("solvers/_new.py", "import sklearn"),
        ("solvers/_new.py", "from sklearn.utils import check_array"),
        ("solvers/_new.pyi", "from sklearn.base import BaseEstimator"),
        ("solvers/_new.pyx", "from sklearn.utils._cython_blas cimport _dot"),
        ("solvers/_new.pxd", "cimport sklearn.utils._typedefs"),
        ("solvers/_new.pxd", "from skalign.metrics._fast cimport dot"),
        ("solvers/_new.py", "from skalign.metrics import pearson_r"),
        ("solvers/_new.py", "import skalign.metrics._predictivity as predictivity"),
        ("solvers/_new.py", "from ..metrics import pearson_r"),
        ("solvers/_new.py", "from .. import linear_model"),
        ("solvers/_new.py", "from skalign import linear_model"),
        ("solvers/_new.py", "from skalign import SparsePositiveEncoder"),
        ("solvers/_new.py", "def late():\n    from ..datasets import load_haxby_slice"),
        ("metrics/_new.py", "import skalign"),
        ("metrics/_new.py", "from ..feature_selection._localizer import SelectiveUnitLocalizer"),
        ("linear_model/deep/_new.py", "from ...inspection import Display"),
        ("utilities/_new.py", "import numpy"),
        ("utils/_new.py", "from sklearn.utils import check_array"),
        ("utils/_new.py", "from skalign.solvers import solve"),
        ("_new.py", "import numpy"),
    ],
)
def test_import_that_breaks_the_rule_is_found(tmp_path, file, line):
    path = tmp_path / "skalign" / file
    path.parent.mkdir(parents=True)
    path.write_text(line, encoding="utf-8")
    assert len(list(violations(tmp_path / "skalign"))) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("linear_model/_new.py", "from ..solvers import solve"),
        ("linear_model/_new.py", "from ._callback import begin_tasks"),
        ("linear_model/_new.py", "from . import _callback"),
        ("linear_model/_new.py", "import skalign.solvers._solve\nimport sklearn"),
        (
            "solvers/_new.py",
            "import numpy, scipy.linalg\nfrom skalign.solvers._design import Design",
        ),
        ("__init__.py", "from .linear_model import SparsePositiveEncoder"),
    ],
)
def test_import_that_keeps_the_rule_is_not(tmp_path, file, line):
    path = tmp_path / "skalign" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line, encoding="utf-8")
    assert list(violations(tmp_path / "skalign")) == []
