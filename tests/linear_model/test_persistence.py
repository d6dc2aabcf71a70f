"""Fitted models saved and loaded: in a new process, by every tool, and under another version."""

import copy
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skalign
from skalign import SelectiveUnitLocalizer, SparsePositiveEncoder, SparsePositiveEncoderCV

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.random((60, 8))
Y = X[:, :3] @ RNG.random((3, 2)) + 0.1 * RNG.normal(size=(60, 2))
CATEGORY = np.repeat(["face", "other"], 30)


def fitted():
    return {
        "encoder": SparsePositiveEncoder("lasso", alpha=0.01).fit(X, Y),
        "ridge": SparsePositiveEncoder("ridge", alpha=1.0, positive=False).fit(X, Y[:, 0]),
        "cv": SparsePositiveEncoderCV("lasso", alphas=5, cv=3).fit(X, Y),
        "pipeline": make_pipeline(StandardScaler(), SparsePositiveEncoder("ols")).fit(X, Y),
        "localizer": SelectiveUnitLocalizer("face", n_units=2).fit(X, CATEGORY),
    }


def output(model):
    return model.predict(X) if hasattr(model, "predict") else model.transform(X)


LOAD = """
import sys, warnings
import numpy as np
warnings.simplefilter("error")
if sys.argv[2] == "pickle":
    import pickle
    with open(sys.argv[1], "rb") as file:
        models = pickle.load(file)
else:
    import joblib
    models = joblib.load(sys.argv[1])
X = np.load(sys.argv[3])
found = {n: (m.predict if hasattr(m, "predict") else m.transform)(X) for n, m in models.items()}
np.savez(sys.argv[4], **found)
"""


@pytest.mark.parametrize("tool", ["pickle", "joblib"])
def test_new_process(tmp_path, tool):
    models = fitted()
    saved, images, results = (tmp_path / name for name in ("models", "images.npy", "results.npz"))
    with saved.open("wb") as file:
        (pickle if tool == "pickle" else joblib).dump(models, file)
    np.save(images, X)
    subprocess.run([sys.executable, "-c", LOAD, saved, tool, images, results], check=True, cwd=ROOT)
    with np.load(results) as found:
        assert set(found) == set(models)
        for name, model in models.items():
            np.testing.assert_array_equal(found[name], output(model))


@pytest.mark.parametrize("name", fitted())
def test_another_version_is_named(monkeypatch, name):
    model = fitted()[name]
    saved = pickle.dumps(model)
    assert all("version" not in key for key in vars(pickle.loads(saved)))
    now = skalign.__version__
    monkeypatch.setattr(skalign, "__version__", "99.1")
    message = rf"was saved by skalign {re.escape(now)} and is loaded by skalign 99\.1: .* Fit it"
    with pytest.warns(UserWarning, match=message):
        loaded = pickle.loads(saved)
    np.testing.assert_array_equal(output(loaded), output(model))
    with warnings.catch_warnings():  # saved again, it has the new version
        warnings.simplefilter("error")
        pickle.loads(pickle.dumps(loaded))
        copy.deepcopy(loaded)


def test_state_without_a_version():
    model = SparsePositiveEncoder()
    with pytest.warns(UserWarning, match="SparsePositiveEncoder was saved by skalign an unknown"):
        model.__setstate__(vars(model).copy())


def trusted_types():
    """The list in the guide."""
    page = (ROOT / "doc" / "guide" / "saving.md").read_text(encoding="utf-8")
    return re.findall(r"^(skalign\.[\w.]+)$", page, re.MULTILINE)


@pytest.mark.parametrize("name", fitted())
def test_skops(name):
    skops = pytest.importorskip("skops.io", reason="files one need not trust: pip install skops")
    model = fitted()[name]
    saved = skops.dumps(model)
    assert skops.get_untrusted_types(data=saved)
    loaded = skops.loads(saved, trusted=trusted_types())
    np.testing.assert_array_equal(output(loaded), output(model))


def test_trusted_types_are_ours():
    found = {f"{type(part).__module__}.{type(part).__name__}" for part in fitted().values()}
    assert {name for name in found if name.startswith("skalign")} == set(trusted_types())
