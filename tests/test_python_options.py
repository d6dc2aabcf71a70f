"""The package under options of Python: warnings as errors at import, and without docstrings."""

import subprocess
import sys

import pytest

from tests.test_public_api import MODULES

IMPORT = "import importlib\nfor name in {names!r}:\n    importlib.import_module(name)"

# `assert` does nothing under -OO, so that what is not as expected raises.
FIT = """
import copy
import pickle

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skalign
from skalign.datasets import load_haxby_slice, make_tuning_toy
from skalign.inference import alignment_null, bootstrap_alignment
from skalign.metrics import alignment
from skalign.solvers import solve


def expect(is_so):
    if not is_so:
        raise AssertionError("not as without -OO")


expect(skalign.__doc__ is None and alignment.__doc__ is None)
rng = np.random.default_rng(0)
X = rng.standard_normal((90, 6))
y = X[:, :2] @ [[1, 0.5, 0], [0, 0.5, 1]] + 0.1 * rng.standard_normal((90, 3))
for penalty in ("ols", "ridge", "lasso", "elasticnet"):
    encoder = skalign.SparsePositiveEncoder(penalty).fit(X, y)
    expect((encoder.coef_ >= 0).all() and encoder.kkt_violation_.max() < 1e-3)
lasso = skalign.SparsePositiveEncoder("lasso", alpha=0.1).fit(X, y)
expect(np.abs(solve(X, y, "lasso", 0.1).coef - lasso.coef_).max() < 1e-3)
model = make_pipeline(StandardScaler(), skalign.SparsePositiveEncoderCV(alphas=5, cv=3))
model.fit(X[:60], y[:60])
expect(alignment(model, X[60:], y[60:]).r.min() > 0.9)
pickle.loads(pickle.dumps(copy.deepcopy(model)))
search = GridSearchCV(
    skalign.SparsePositiveEncoder(), {"alpha": [0.1, 1]}, scoring=skalign.AlignmentScorer(),
    refit="r",
).fit(X, y)
expect(search.best_params_["alpha"] == 0.1)
null = alignment_null(model, X[:60], y[:60], X[60:], y[60:], n_resamples=5, random_state=0)
expect(null.p_value_r.shape == (3,))
expect(bootstrap_alignment(model, X[60:], y[60:]).r.low > 0.8)
labels = np.repeat(["a", "b", "c"], 30)
expect(skalign.SelectiveUnitLocalizer("a", n_units=2).fit(X, labels).get_support().sum() == 2)
expect(make_tuning_toy().X.shape == (2, 100) and load_haxby_slice().data.shape == (864, 530))
try:
    skalign.SparsePositiveEncoder("lasso", alpha=-1).fit(X, y)
except ValueError as error:
    expect("alpha must not be negative" in str(error))
else:
    expect(False)
print("as without")
"""


def run(*arguments):
    """Run Python with these arguments; return what it printed, or fail with what it said."""
    process = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_imports_warn_of_nothing():
    modules = [name for name in MODULES if name != "skalign.testing"]  # hypothesis is not ours
    assert {"skalign.inspection", "skalign.datasets"} <= set(modules)
    run("-W", "error", "-c", IMPORT.format(names=modules))


def test_a_warning_at_import_would_be_found():
    with pytest.raises(AssertionError, match="DeprecationWarning: old"):
        run("-W", "error", "-c", "import warnings; warnings.warn('old', DeprecationWarning)")


def test_fits_without_docstrings_and_assertions():
    assert run("-OO", "-c", FIT) == "as without\n"
