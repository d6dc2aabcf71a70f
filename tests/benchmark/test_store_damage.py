"""What a store reads is what was written to it, whatever happens to its files."""

import errno
import os
import random
import warnings
from pathlib import Path

import joblib
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from skalign import SparsePositiveEncoder
from skalign.benchmark import _store, read_store, run_benchmark
from skalign.benchmark._store import CellStore

pytest.importorskip("pandas", reason="tables: pip install skalign[table]")


@pytest.fixture
def store(problem, tmp_path):
    """A store of 4 cells in one file."""
    problem |= {"encoders": {"lasso": SparsePositiveEncoder()}, "models": problem["models"][:1]}
    run_benchmark(**problem, store=tmp_path)
    return tmp_path


def only_file(store):
    (path,) = store.iterdir()
    return path


def resume(problem, store):
    """The table without its times, how many cells were computed, and what was said."""
    before = {} if not store.exists() else set(read_quietly(store)["seconds"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = run_benchmark(**problem, store=store)
    said = [str(warning.message) for warning in caught]
    assert all(warning.filename == __file__ for warning in caught)
    return table.drop(columns="seconds"), (~table["seconds"].isin(before)).sum(), said


def read_quietly(store):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_store(store)


def test_flipped_bits_give_no_other_rows(problem, store):
    """For hundreds of bits: a damaged cell is missing, the others are as they were."""
    path, expected = only_file(store), read_store(store)
    written = path.read_bytes()
    rng = random.Random(0)
    for _ in range(400):
        place, bit = rng.randrange(len(written)), rng.randrange(8)
        damaged = bytearray(written)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        with pytest.warns(
            UserWarning, match=rf"do not hold.*{path.name} \([23] of [345] cells"
        ) as caught:
            table = read_store(store)
        assert caught[0].filename == __file__
        n_lost = 2 if written[place : place + 1] == b"\n" else 1
        assert len(expected) - len(table) == n_lost or place == len(written) - 1
        kept = expected["seconds"].isin(table["seconds"])
        assert_frame_equal(expected[kept].reset_index(drop=True), table, check_exact=True)


def test_damaged_cells_are_computed_again_and_said_once(problem, store):
    path, expected = only_file(store), run_benchmark(**problem, store=store)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"test"', b'"Test"')
    path.write_bytes(b"".join(lines))
    table, n_computed, said = resume(problem, store)
    assert_frame_equal(table, expected.drop(columns="seconds"))
    assert n_computed == 1
    assert len(said) == 1
    assert f"{path.name} (3 of 4 cells can be read)" in said[0]
    assert resume(problem, store)[1:] == (0, [])  # the damaged file is gone
    assert only_file(store) != path


@pytest.mark.parametrize("content", ["nothing", "half", "garbage", "a line too few", "no rows"])
def test_files_that_are_cut_or_replaced(problem, store, content):
    path, expected = only_file(store), run_benchmark(**problem, store=store)
    written = path.read_bytes()
    lines = written.splitlines(keepends=True)
    path.write_bytes(
        {
            "nothing": b"",
            "half": written[: len(lines[0] + lines[1]) + 100],
            "garbage": bytes(range(256)),
            "a line too few": b"".join(lines[1:]),
            "no rows": b'{"checksum":"","fingerprint":"","rows":[]}\n',
        }[content]
    )
    table, n_computed, said = resume(problem, store)
    assert_frame_equal(table, expected.drop(columns="seconds"))
    assert n_computed == {"half": 2, "a line too few": 1}.get(content, 4)
    assert len(said) == 1
    assert path.name in said[0]


def test_files_under_each_others_names(problem, store, tmp_path):
    """A cell is what its line says, not what the file is called."""
    expected = run_benchmark(**problem, store=store)
    first = only_file(store)
    lines = first.read_bytes().splitlines(keepends=True)
    paths = [tmp_path / f"cells-{number}.jsonl" for number in range(4)]
    for path, line in zip(paths, lines, strict=True):
        path.write_bytes(line)
    first.unlink()
    table, n_computed, said = resume(problem, store)
    assert_frame_equal(table, expected.drop(columns="seconds"))
    assert n_computed == 0
    assert all(f"{path.name} (1 of 1 cells can be read)" in said[0] for path in paths)


def test_file_in_the_place_of_another(problem, tmp_path):
    """The cell that was overwritten is missing, and nothing appears as that cell."""
    expected = run_benchmark(**problem, store=tmp_path / "merged")
    store = tmp_path / "store"
    store.mkdir()
    cells = CellStore(tmp_path / "merged")
    for line in only_file(tmp_path / "merged").read_bytes().splitlines(keepends=True):
        fingerprint = line.split(b'"fingerprint":"')[1][:32].decode()
        assert CellStore(store).write(fingerprint, cells.read(fingerprint)) is None
    first, second, *others = sorted(store.iterdir())
    assert len(others) == 14
    second.write_bytes(first.read_bytes())
    table, n_computed, said = resume(problem, store)
    assert_frame_equal(table, expected.drop(columns="seconds"))
    assert n_computed == 1
    assert second.name in said[0]
    assert first.name not in said[0]


def test_store_that_another_run_merges_meanwhile(problem, store, monkeypatch):
    """A file that vanishes between its listing and its reading: the merged one has its cells."""
    path, expected = only_file(store), read_store(store)
    lines = path.read_bytes().splitlines(keepends=True)
    single = store / "cells-single.jsonl"
    original = Path.stat

    def merge(self, **options):
        if self == single:
            path.write_bytes(b"".join(lines))
            single.unlink(missing_ok=True)
        return original(self, **options)

    path.unlink()
    single.write_bytes(lines[0])
    monkeypatch.setattr(Path, "stat", merge)
    assert_frame_equal(read_store(store), expected)


def assert_same_rows(found, expected):
    assert_frame_equal(pd.DataFrame(found), pd.DataFrame(expected))


def test_cell_that_is_stored_twice_is_kept_once_and_without_error(problem, tmp_path):
    rows = run_benchmark(**problem).to_dict("records")[:2]
    failed = [{**rows[0], "error": "MemoryError", "r": float("nan")}]
    for order in ([failed, rows[:1]], [rows[:1], failed]):
        for number, cell in enumerate(order):
            CellStore(tmp_path).write("cell", cell)
            for path in tmp_path.iterdir():
                if b"MemoryError" in path.read_bytes() and len(list(tmp_path.iterdir())) == 1:
                    os.utime(path, ns=(number, number))
        CellStore(tmp_path).write("other", rows[1:])
        CellStore(tmp_path).compact()
        assert_same_rows(CellStore(tmp_path).read("cell"), rows[:1])
        assert_same_rows(CellStore(tmp_path).read("other"), rows[1:])
        assert only_file(tmp_path).read_bytes().count(b"\n") == 2


def test_file_is_whole_or_not_there(problem, store, monkeypatch):
    """Nothing takes the place of a file before it is whole, and what is not is cleared away."""
    before, rows = set(store.iterdir()), run_benchmark(**problem).to_dict("records")[:1]
    renamed = []

    def stop(source, target):
        renamed.append(Path(source).read_bytes())
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            CellStore(store).write("cell", rows)
    assert renamed[0].endswith(b"}\n")
    assert set(store.iterdir()) == before


@pytest.mark.parametrize("when", ["fsync", "replace", "unlink"])
def test_merging_that_is_killed_loses_nothing(problem, store, monkeypatch, when):
    expected = read_store(store)
    for number, line in enumerate(only_file(store).read_bytes().splitlines(keepends=True)):
        (store / f"cells-{number}.jsonl").write_bytes(line)
    calls = []

    def stop(*arguments, **options):
        calls.append(arguments)
        raise KeyboardInterrupt

    patched = Path if when == "unlink" else os
    with pytest.warns(UserWarning, match="do not hold"):
        cells = CellStore(store)
    with monkeypatch.context() as patch:
        patch.setattr(patched, when, stop)
        with pytest.raises(KeyboardInterrupt):
            cells.compact()
    assert calls
    assert_frame_equal(read_quietly(store), expected)


def test_merged_file_is_on_the_disk_before_others_are_deleted(problem, tmp_path, monkeypatch):
    order = []
    for module, name in ((os, "fsync"), (os, "replace"), (Path, "unlink")):
        original = getattr(module, name)

        def noted(*arguments, original=original, name=name, **options):
            order.append(name)
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, noted)
    for cell in ("a", "b", "c"):
        CellStore(tmp_path).write(cell, [{"error": None}])
    order.clear()
    CellStore(tmp_path).compact()
    assert order[:2] == ["fsync", "replace"]
    assert order.count("unlink") == 4  # three files, and none under the temporary name


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_full_disk_does_not_lose_the_table(problem, tmp_path, monkeypatch, n_jobs):
    """The sixth file and all after it are written by half."""
    expected = run_benchmark(**problem)
    opened = []

    def open_on_full_disk(path, mode):
        opened.append(path)
        return (open if len(opened) <= 5 else HalfWritten)(path, mode)

    with monkeypatch.context() as patch, joblib.parallel_config("threading", n_jobs=n_jobs):
        patch.setattr(_store, "open", open_on_full_disk, raising=False)
        with pytest.warns(UserWarning, match="store must be writable.*No space left") as caught:
            table = run_benchmark(**problem, store=tmp_path)
    assert len(opened) >= 16
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert_frame_equal(table.drop(columns="seconds"), expected.drop(columns="seconds"))
    assert len(list(tmp_path.iterdir())) == len(read_store(tmp_path)) == 5  # and nothing half
    assert resume(problem, tmp_path)[1:] == (11, [])


class HalfWritten:
    """A file on a disk that becomes full."""

    def __init__(self, path, mode):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.close(self.file)

    def write(self, data):
        os.write(self.file, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
