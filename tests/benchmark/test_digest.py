"""Code that an encoder brings along counts, and only that."""

import importlib
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skalign
from skalign import SparsePositiveEncoder
from skalign.benchmark import run_benchmark
from skalign.benchmark._digest import _code, digest

SOURCE = """
import numpy as np
from sklearn.linear_model import Ridge

def keep(X):
    return X if "keep" in {"keep", "as", "it", "is"} else None

class Base:
    scale = 1

    @staticmethod
    def change(X):
        return np.exp(X)

class Mine(Base, Ridge):
    @property
    def strength(self):
        return 3
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a module and import it anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(source):
        (tmp_path / "users_own.py").write_text(source, encoding="utf-8")
        sys.modules.pop("users_own", None)
        importlib.invalidate_caches()
        return importlib.import_module("users_own")

    yield write
    sys.modules.pop("users_own", None)


@pytest.fixture
def type_in():
    """Make a module that has no file."""

    def type_in(source):
        sys.modules["users_own"] = ModuleType("users_own")
        exec(source, vars(sys.modules["users_own"]))
        return sys.modules["users_own"]

    yield type_in
    sys.modules.pop("users_own", None)


ENCODERS = {
    "function": lambda module: make_pipeline(FunctionTransformer(module.keep), Ridge()),
    "partial": lambda module: FunctionTransformer(partial(module.keep)),
    "class": lambda module: make_pipeline(module.Mine()),
    "type": lambda module: [module.Mine],
}
CHANGES = [
    ("return X if", "return 2 * X if", {"function", "partial"}),
    ('"as"', '"like"', {"function", "partial"}),
    ("np.exp", "np.log", {"class", "type"}),
    ("return 3", "return 4", {"class", "type"}),
]


@pytest.mark.parametrize("make", ["write", "type_in"])
@pytest.mark.parametrize(("old", "new", "concerned"), CHANGES)
def test_changed_code_changes_the_digest(make, old, new, concerned, request):
    make = request.getfixturevalue(make)
    first = {name: digest(of(make(SOURCE))) for name, of in ENCODERS.items()}
    again = {name: digest(of(make(SOURCE))) for name, of in ENCODERS.items()}
    assert first == again
    changed = make(SOURCE.replace(old, new))
    assert {
        name for name, of in ENCODERS.items() if digest(of(changed)) != first[name]
    } == concerned


def test_source_tells_attributes_and_defaults(write):
    first = digest(write(SOURCE).Mine())
    assert digest(write(SOURCE.replace("scale = 1", "scale = 2")).Mine()) != first


def test_file_edited_since_its_import_is_not_taken_for_what_runs(write, tmp_path):
    old = write(SOURCE)
    edited = SOURCE.replace("return X if", "return 2 * X if")
    (tmp_path / "users_own.py").write_text(edited, encoding="utf-8")
    ran = digest(FunctionTransformer(old.keep))
    assert ran != digest(FunctionTransformer(write(edited).keep))


def test_released_code_counts_by_name():
    encoder = make_pipeline(FunctionTransformer(np.exp), SparsePositiveEncoder())
    assert _code(encoder) == _code(np.ones(3)) == _code("text") == []


def test_arrays_count_by_their_values_alone(tmp_path):
    """Not by how they lie in memory, which changes on the way to a worker."""
    array = np.arange(24.0).reshape(4, 6)
    np.save(tmp_path / "array.npy", array)
    wide = np.arange(48.0).reshape(4, 12)
    wide[:, ::2] = array
    same = [
        np.asfortranarray(array),
        wide[:, ::2],
        np.load(tmp_path / "array.npy", mmap_mode="r"),
        pickle.loads(pickle.dumps(wide[:, ::2])),
    ]
    assert {digest(each) for each in same} == {digest(array)}
    assert digest(wide[:1, ::2]) == digest(array[:1])
    others = [array.T, array.reshape(6, 4), array.astype(np.float32), array + 1, array.tolist()]
    assert len({digest(each) for each in [array, *others]}) == 6


def test_is_the_same_in_every_process(write, tmp_path):
    module = write(SOURCE)
    expected = digest(ENCODERS["function"](module), module.Mine())
    code = (
        "import users_own; from skalign.benchmark._digest import digest;"
        "from sklearn.pipeline import make_pipeline; from sklearn.linear_model import Ridge;"
        "from sklearn.preprocessing import FunctionTransformer;"
        "encoder = make_pipeline(FunctionTransformer(users_own.keep), Ridge());"
        "print(digest(encoder, users_own.Mine()))"
    )
    path = f"{Path(skalign.__file__).parents[1]}{os.pathsep}{tmp_path}"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": seed}
        result = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert result.stdout.strip() == expected, result.stderr


def test_changed_function_is_computed_again(problem, tmp_path, type_in):
    pytest.importorskip("pandas", reason="tables: pip install skalign[table]")

    def run(source, store):
        problem["encoders"] = {"own": ENCODERS["function"](type_in(source))}
        return run_benchmark(**problem, store=store)

    first = run(SOURCE, tmp_path)
    changed = SOURCE.replace("return X if", "return X[:, 1:] if")
    fresh = run(changed, None)
    assert (first["r"] != fresh["r"]).all()
    assert (run(changed, tmp_path)["r"] == fresh["r"]).all()
    assert (run(SOURCE, tmp_path)["seconds"] == first["seconds"]).all()  # kept
