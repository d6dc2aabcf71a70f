"""The shipped fMRI slice: what the loader returns, and that it reads from a zip file too."""

import importlib
import inspect
import sys
import zipfile
from importlib.resources import files

import numpy as np
import pytest

import skalign.datasets
from skalign.datasets import load_haxby_slice


def test_bunch():
    haxby = load_haxby_slice()
    assert haxby.data.shape == (864, 530)
    assert haxby.data.dtype == np.float64
    assert np.isfinite(haxby.data).all()
    assert haxby.target.shape == haxby.run.shape == (864,)
    assert haxby.target_names.tolist() == np.unique(haxby.target).tolist()
    assert len(haxby.target_names) == 8
    assert len(set(haxby.feature_names)) == 530
    assert haxby.frame is None
    pairs, volumes = np.unique(
        list(zip(haxby.run, haxby.target, strict=True)), axis=0, return_counts=True
    )
    assert len(pairs) == 12 * 8
    assert set(volumes) == {9}


def test_values_are_z_scores():
    stored = np.load(files("skalign.datasets") / "data" / "haxby2001_slice.npz")["responses"]
    data = load_haxby_slice().data
    np.testing.assert_array_equal(np.rint(data * 300), stored)
    assert 0.9 < data.std() < 1.3


def test_calls_do_not_share_arrays():
    load_haxby_slice().data[:] = 0
    assert load_haxby_slice().data.any()


def test_return_x_y():
    X, y = load_haxby_slice(return_X_y=True)
    haxby = load_haxby_slice()
    np.testing.assert_array_equal(X, haxby.data)
    np.testing.assert_array_equal(y, haxby.target)


def test_as_frame():
    pandas = pytest.importorskip("pandas")
    haxby = load_haxby_slice(as_frame=True)
    assert haxby.frame.columns.tolist() == [*haxby.feature_names, "category", "run"]
    assert isinstance(haxby.data, pandas.DataFrame)
    pandas.testing.assert_frame_equal(haxby.data, haxby.frame[haxby.feature_names])
    pandas.testing.assert_series_equal(haxby.target, haxby.frame["category"])
    pandas.testing.assert_series_equal(haxby.run, haxby.frame["run"])
    X, y = load_haxby_slice(as_frame=True, return_X_y=True)
    pandas.testing.assert_frame_equal(X, haxby.data)
    pandas.testing.assert_series_equal(y, haxby.target)
    arrays = load_haxby_slice()
    np.testing.assert_array_equal(haxby.data, arrays.data)
    assert haxby.target.tolist() == arrays.target.tolist()
    assert haxby.run.tolist() == arrays.run.tolist()


def test_as_frame_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"as_frame=True\) needs pandas: pip install"):
        load_haxby_slice(as_frame=True)
    assert load_haxby_slice().data.shape == (864, 530)


def test_source_and_license_are_beside_the_data():
    folder = files("skalign.datasets") / "data"
    license = (folder / "LICENSE.md").read_text(encoding="utf-8")
    for text in (load_haxby_slice().DESCR, license):
        assert "Haxby" in text
        assert "10.1126/science.1063736" in text
        assert "CC BY-SA 3.0" in text
    assert "https://creativecommons.org/licenses/by-sa/3.0" in license


def test_reads_from_a_zip(tmp_path, monkeypatch):
    package = files("skalign.datasets")
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "")
        module = inspect.getmodule(skalign.datasets.load_haxby_slice)
        archive.writestr("zipped/_haxby.py", inspect.getsource(module))
        for name in ("README.md", "haxby2001_slice.npz"):
            archive.writestr(f"zipped/data/{name}", (package / "data" / name).read_bytes())
    monkeypatch.syspath_prepend(tmp_path / "zipped.zip")
    haxby = importlib.import_module("zipped._haxby").load_haxby_slice()
    np.testing.assert_array_equal(haxby.data, load_haxby_slice().data)
    assert haxby.DESCR == load_haxby_slice().DESCR
