"""The comparison of two trees, on trees whose speed is known."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skalign

ROOT = Path(__file__).parents[1]
if not (ROOT / "benchmarks" / "regressions.py").exists():
    pytest.skip("benchmarks are not here", allow_module_level=True)

ENCODER = """
class SparsePositiveEncoder:
    def fit(self, X, y):
        sum(range({steps}))
"""
SLOWED = """
_fit = SparsePositiveEncoder.fit


def _slow_fit(self, *args):
    sum(range(100_000))
    return _fit(self, *args)


SparsePositiveEncoder.fit = _slow_fit
"""


@pytest.fixture(scope="module")
def regressions():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("regressions")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture
def tree(tmp_path):
    """A tree whose encoder takes a number of steps, and that has nothing else."""

    def make(steps):
        folder = tmp_path / str(steps)
        (folder / "skalign").mkdir(parents=True)
        (folder / "skalign" / "__init__.py").write_text(ENCODER.format(steps=steps))
        return folder

    return make


def test_slower_and_faster_trees(regressions, tree):
    quick, slow = tree(20_000), tree(60_000)
    for base, head, expected in ((quick, slow, 3), (slow, quick, 1 / 3)):
        (found,), left_out = regressions.compare(base, head, ["tiny_fit"], rounds=2)
        assert found.ratio == pytest.approx(expected, rel=0.3)
        assert ("SLOWER" in regressions.as_text([found], left_out)) is (expected > 1)


def test_slowed_package_is_found(regressions, tmp_path, monkeypatch):
    monkeypatch.setattr(regressions, "SECOND_LOOKS", 0)
    package = Path(skalign.__file__).parent
    shutil.copytree(package, tmp_path / "skalign", ignore=shutil.ignore_patterns("data"))
    with (tmp_path / "skalign" / "__init__.py").open("a") as file:
        file.write(SLOWED)
    (found,), _ = regressions.compare(package.parent, tmp_path, ["tiny_fit"], rounds=1)
    assert found.ratio > regressions.LIMIT


def test_row_seems_slower_once(regressions, monkeypatch):
    """A first look that an accident slowed does not count against the second."""
    looks = []

    def measure(base, head, found, rounds, left_out):
        looks.append(list(found))
        for each in found.values():
            accident = each.row == "theta" and len(looks) == 1
            each.update(1.0, 2.0 if accident or each.row == "path" else 1.1)

    monkeypatch.setattr(regressions, "measure", measure)
    found, _ = regressions.compare(Path(), Path(), ["theta", "path", "lasso"])
    assert [each.ratio for each in found] == [1.1, 2.0, 1.1]
    assert looks == [["theta", "path", "lasso"], ["theta", "path"], ["path"]]


def test_what_a_tree_cannot_do(regressions, tree, monkeypatch):
    monkeypatch.setattr(regressions, "SECOND_LOOKS", 0)
    base, package = tree(1000), Path(skalign.__file__).parents[1]
    found, left_out = regressions.compare(base, package, ["tiny_fit", "pearson"], rounds=1)
    assert [each.row for each in found] == ["tiny_fit"]
    assert "skalign.metrics" in left_out["pearson"]
    with pytest.raises(regressions.RowError, match=r"skalign\.metrics"):
        regressions.compare(package, base, ["pearson"], rounds=1)


def test_process_that_dies(regressions, tree):
    broken = tree(1)
    (broken / "skalign" / "__init__.py").write_text("import os; os._exit(3)")
    with pytest.raises(RuntimeError, match="timed tiny_fit ended"):
        regressions.compare(broken, broken, ["tiny_fit"], rounds=1)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"merge-base HEAD origin/main": "branched"}, "branched"),
        ({"merge-base HEAD main": "branched"}, "branched"),
        ({"merge-base HEAD main": "here", "status --porcelain": " M setup.py"}, "here"),
        ({"merge-base HEAD main": "here", "rev-parse --verify --quiet HEAD~1": "before"}, "before"),
        ({}, None),
    ],
)
def test_commit_to_compare_with(regressions, monkeypatch, capsys, known, expected):
    known = {"rev-parse HEAD": "here"} | known
    monkeypatch.setattr(regressions, "git", lambda *arguments: known.get(" ".join(arguments)))
    assert regressions.other_commit() == expected
    if expected is None:
        assert regressions.main([])
        assert "No earlier commit" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_sources_of_both_sides(regressions, tmp_path, monkeypatch):
    root = tmp_path / "repository"
    root.mkdir()

    def git(*arguments):
        settings = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *settings, *arguments], cwd=root, check=True, capture_output=True)

    git("init")
    (root / "kept.py").write_text("before")
    (root / "removed.py").write_text("before")
    (root / ".gitignore").write_text("*.so")
    git("add", ".")
    git("commit", "-m", "first")
    (root / "kept.py").write_text("after")
    (root / "removed.py").unlink()
    (root / "new.py").write_text("after")
    (root / "kernel.so").write_text("built")
    monkeypatch.setattr(regressions, "ROOT", root)
    for name in ("base", "head"):
        (tmp_path / name).mkdir()
    regressions.sources_of_commit("HEAD", tmp_path / "base")
    regressions.sources_of_working_tree(tmp_path / "head")
    read = {
        name: {path.name: path.read_text() for path in (tmp_path / name).glob("*.py")}
        for name in ("base", "head")
    }
    assert read["base"] == {"kept.py": "before", "removed.py": "before"}
    assert read["head"] == {"kept.py": "after", "new.py": "after"}
    assert not (tmp_path / "head" / "kernel.so").exists()


def test_small_rows_run(regressions):
    rows = importlib.import_module("regression_rows")
    assert set(rows.SMALL) & set(rows.LARGE) == set()
    for make in rows.SMALL.values():
        make()()
