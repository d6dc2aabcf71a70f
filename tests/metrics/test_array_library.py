"""Arrays of other libraries: NumPy's numbers come back on the library's own device."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import clone, config_context
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skalign import tuning_reorientation
from skalign.metrics import (
    AlignmentScorer,
    PearsonScorer,
    TuningReorientationScorer,
    noise_ceiling,
    one_to_one_matching,
    partial_soft_matching,
    pearson_r,
    semi_matching,
    soft_matching,
    tuning_reorientation_parts,
)
from skalign.testing import encoding_problems

compat = pytest.importorskip("array_api_compat", reason='pip install "skalign[array-api]"')
strict = pytest.importorskip("array_api_strict", reason='pip install "skalign[test]"')

MATCHINGS = [soft_matching, one_to_one_matching, semi_matching, partial_soft_matching]
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


class Library:
    """Arrays of a library on one of its devices."""

    def __init__(self, name):
        name, _, self.device = name.partition(" on ")
        if name == "torch":
            self.xp = pytest.importorskip("torch", reason='pip install "skalign[torch]"')
        else:
            self.xp = strict
            self.device = strict.Device(self.device)

    def __call__(self, values):
        return self.xp.asarray(values.copy(), device=self.device)

    def assert_holds(self, array, dtype):
        assert type(array) is type(self(np.zeros(1)))
        assert str(array.dtype).rpartition(".")[2] == dtype
        assert array.device == self(np.zeros(1)).device

    def to_numpy(self, array):
        host = strict.Device("CPU_DEVICE") if self.xp is strict else "cpu"
        return np.asarray(compat.to_device(array, host))


@pytest.fixture(autouse=True)
def dispatch(monkeypatch):
    """scikit-learn wants SciPy in the same mode, and looks at the variable alone."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with config_context(array_api_dispatch=True):
        yield


@pytest.fixture(params=["strict on CPU_DEVICE", "strict on device1", "torch on cpu"])
def library(request):
    return Library(request.param)


def in_numpy(function, *args, **options):
    with config_context(array_api_dispatch=False):
        return function(*args, **options)


def problem(dtype="float64", seed=0):
    """With all that has no theta or r: a silent unit, a constant one, an empty target."""
    rng = np.random.default_rng(seed)
    X, W = rng.standard_normal((30, 7)) + 1, rng.standard_normal((4, 7))
    X[:, 2], X[:, 3] = 0, 100
    X[0, 3] = np.nextafter(100, 101)  # constant up to rounding error
    W[1] = 0
    Y = X @ W.T + rng.standard_normal((30, 4))
    Y[:, 3] = 0.7
    weight = rng.integers(0, 3, 30)
    return (array.astype(dtype) for array in (X, Y, W, weight))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_theta_is_that_of_numpy(library, dtype, center, weighted):
    *arrays, weight = problem(dtype)
    expected = in_numpy(
        tuning_reorientation,
        *arrays,
        center=center,
        sample_weight=weight if weighted else None,
        undefined=1.5,
    )
    theta = tuning_reorientation(
        *map(library, arrays),
        center=center,
        sample_weight=library(weight) if weighted else None,
        undefined=1.5,
    )
    library.assert_holds(theta, dtype)
    assert_allclose(library.to_numpy(theta), expected, rtol=0, atol=TOLERANCE[dtype])
    assert (expected == 1.5).tolist() == [False, True, False, center]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("weighted", [False, True])
def test_r_is_that_of_numpy(library, dtype, weighted):
    X, Y, W, weight = problem(dtype)
    predicted = X @ W.T
    expected = in_numpy(pearson_r, Y, predicted, sample_weight=weight if weighted else None)
    r = pearson_r(
        library(Y), library(predicted), sample_weight=library(weight) if weighted else None
    )
    library.assert_holds(r, dtype)
    assert_allclose(library.to_numpy(r), expected, rtol=0, atol=TOLERANCE[dtype])
    assert np.isnan(expected).tolist() == [False, True, False, True]


@pytest.mark.parametrize("measure", MATCHINGS)
@pytest.mark.parametrize("form", ["correlation", "distance"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_matches_are_those_of_numpy(library, measure, form, dtype):
    X, Y, *_ = problem(dtype)
    X, Y = X[:, [0, 3, 4, 5, 6]], Y[:, [0, 2]]  # two flat units of a system tie
    options = {"form": form, **({"fraction": 0.5} if measure is partial_soft_matching else {})}
    systems = X[:20], Y[:20], X[20:], Y[20:]
    expected = in_numpy(measure, *systems, **options)
    found = measure(*map(library, systems), **options)
    library.assert_holds(found.unit_scores, dtype)
    atol = TOLERANCE[dtype] * (1 if form == "correlation" else 10)
    assert_allclose(found.score, expected.score, rtol=0, atol=atol)
    assert_allclose(found.plan.toarray(), expected.plan.toarray(), rtol=0, atol=1e-12)
    pd.testing.assert_frame_equal(
        found.to_frame(), expected.to_frame(), rtol=0, atol=atol, check_dtype=dtype == "float64"
    )


def test_ceilings_divide_matches(library):
    X, Y, *_ = problem()
    ceiling = noise_ceiling(np.array([0.5, 1, 2, 1]), n_repeats=3)
    systems = X, Y, X, Y
    found = soft_matching(*map(library, systems), ceiling_y=ceiling)
    expected = in_numpy(soft_matching, *systems, ceiling_y=ceiling)
    assert_allclose(found.score, expected.score, rtol=0, atol=1e-12)


@settings(
    max_examples=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(encoding_problems())
@pytest.mark.parametrize("center", [False, True])
def test_degenerate_data_has_the_theta_of_numpy(center, data):
    theta = tuning_reorientation(*map(strict.asarray, data), center=center)
    expected = in_numpy(tuning_reorientation, *data, center=center)
    assert_allclose(np.asarray(theta), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_squares_may_leave_the_range(library, scale):
    X, Y, W, _ = problem()
    theta = tuning_reorientation(library(X * scale), library(Y / scale), library(W * scale))
    expected = in_numpy(tuning_reorientation, X, Y, W)
    assert_allclose(library.to_numpy(theta), expected, rtol=0, atol=1e-12)
    huge = W / np.abs(W).max() * np.finfo(W.dtype).max  # whose sums overflow
    theta = tuning_reorientation(library(X), library(Y), library(huge))
    assert_allclose(library.to_numpy(theta), expected, rtol=0, atol=1e-12)
    r = pearson_r(library(Y * scale), library(Y / scale))
    assert_allclose(library.to_numpy(r)[:3], 1, rtol=0, atol=1e-12)


def test_many_targets_are_computed_in_blocks(library, monkeypatch):
    X, Y, W, _ = problem()
    monkeypatch.setattr("skalign.metrics._directions._BLOCK_BYTES", 1)
    theta = tuning_reorientation(library(X), library(Y), library(W))
    assert_allclose(
        library.to_numpy(theta), in_numpy(tuning_reorientation, X, Y, W), rtol=0, atol=1e-12
    )
    assert pearson_r(library(Y), library(Y)).shape == (4,)


def test_a_single_target_may_be_one_dimensional(library):
    X, Y, W, _ = problem()
    theta = tuning_reorientation(library(X), library(Y[:, 0]), library(W[0]))
    assert_allclose(
        library.to_numpy(theta), in_numpy(tuning_reorientation, X, Y[:, 0], W[0]), atol=1e-12
    )
    assert pearson_r(library(Y[:, 0]), library(Y[:, 0])).shape == (1,)


def test_integers_are_computed_in_double_precision(library):
    y = np.array([[1, 2], [2, 0], [4, 1]])
    r = pearson_r(library(y), library(y[::-1]))
    library.assert_holds(r, "float64")
    assert_allclose(library.to_numpy(r), in_numpy(pearson_r, y, y[::-1]), atol=1e-12)


def test_half_precision_is_widened():
    torch = pytest.importorskip("torch", reason='pip install "skalign[torch]"')
    y = torch.asarray([[1.0], [2.0], [4.0]], dtype=torch.bfloat16)
    r = pearson_r(y, y)
    assert r.dtype == torch.float32
    assert r.item() == pytest.approx(1)


def test_tensors_that_are_differentiated():
    torch = pytest.importorskip("torch", reason='pip install "skalign[torch]"')
    X, Y, *_ = problem()
    tensor = torch.asarray(X, requires_grad=True)
    found = soft_matching(tensor, torch.asarray(Y), tensor, torch.asarray(Y))
    assert found.score == pytest.approx(in_numpy(soft_matching, X, Y, X, Y).score)
    pearson_r(tensor[:, :1], torch.asarray(Y[:, :1])).sum().backward()
    assert bool(torch.isfinite(tensor.grad).all())


def test_arrays_of_two_libraries_are_refused(library):
    X, Y, W, weight = problem()
    with pytest.raises(
        TypeError, match=r"targets must be an array of the same library as features"
    ):
        tuning_reorientation(library(X), Y, library(W))
    with pytest.raises(TypeError, match=r"features must .* as targets, .*; got numpy\.ndarray"):
        tuning_reorientation(X, library(Y), W)
    with pytest.raises(TypeError, match=r"weights must .*; got scipy\.csr_array"):
        tuning_reorientation(library(X), library(Y), sparse.csr_array(W))
    with pytest.raises(TypeError, match=r"sample_weight must .* as y_true"):
        pearson_r(library(Y), library(Y), sample_weight=weight)
    with pytest.raises(TypeError, match="Y_test must"):
        soft_matching(library(X), library(Y), library(X), Y)


def test_arrays_on_two_devices_are_refused():
    first, second = (Library(f"strict on {device}") for device in ("CPU_DEVICE", "device1"))
    _, Y, *_ = problem()
    with pytest.raises(ValueError, match=r"y_pred must be on the same device as y_true, .*CPU_D"):
        pearson_r(first(Y), second(Y))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_must_be_finite(library, value):
    for name in ("features", "targets", "weights"):
        X, Y, W, _ = problem()
        arrays = {"features": X, "targets": Y, "weights": W}
        arrays[name][0, 0] = value
        with pytest.raises(ValueError, match=f"{name} must be finite"):
            tuning_reorientation(**{key: library(array) for key, array in arrays.items()})
    with pytest.raises(ValueError, match="Y must be finite"):
        soft_matching(*(library(array) for array in (X, np.full_like(Y, value), X, Y)))


def test_complex_numbers_are_refused(library):
    _, Y, *_ = problem()
    with pytest.raises(ValueError, match=r"y_true must hold real numbers; got dtype .*complex128"):
        pearson_r(library(Y + 1j), library(Y))


def test_shapes_must_fit(library):
    X, Y, W, _ = problem()
    with pytest.raises(ValueError, match=r"weights must have shape .* = \(4, 7\).*\(7, 4\)"):
        tuning_reorientation(library(X), library(Y), library(W.T))
    with pytest.raises(ValueError, match="y_pred must have the shape"):
        pearson_r(library(Y), library(X))
    with pytest.raises(ValueError, match=r"features must be 2-D; got shape \(30,\)"):
        tuning_reorientation(library(X[:, 0]), library(Y), library(W))
    with pytest.raises(ValueError, match=r"targets must be 1-D or 2-D; got shape \(30, 4, 1\)"):
        tuning_reorientation(library(X), library(Y[:, :, None]), library(W))
    with pytest.raises(ValueError, match=r"y_true must have values; got shape \(0, 4\)"):
        pearson_r(library(Y[:0]), library(Y[:0]))
    with pytest.raises(TypeError, match="center must be"):
        tuning_reorientation(library(X), library(Y), library(W), center=1)


def test_numpy_stays_numpy(library):
    X, Y, W, _ = problem()
    expected = in_numpy(tuning_reorientation, X, Y, W)
    for features, weights in ((pd.DataFrame(X), W.tolist()), (X, sparse.csr_array(W))):
        theta = tuning_reorientation(features, Y, weights)
        assert isinstance(theta, np.ndarray)
        assert_allclose(theta, expected, rtol=0, atol=1e-12)


def test_other_measures_convert_what_is_on_the_host():
    X, Y, W, _ = problem()
    library = Library("strict on CPU_DEVICE")
    parts = tuning_reorientation_parts(*map(library, (X, Y, W)))
    assert isinstance(parts.theta, np.ndarray)
    assert_allclose(parts.theta, in_numpy(tuning_reorientation, X, Y, W), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["strict on CPU_DEVICE", "torch on cpu"])
def test_without_dispatch_arrays_are_converted(name):
    library = Library(name)
    X, Y, W, _ = problem()
    theta = in_numpy(tuning_reorientation, *map(library, (X, Y, W)))
    assert isinstance(theta, np.ndarray)
    assert_allclose(theta, in_numpy(tuning_reorientation, X, Y, W), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "scorer", [PearsonScorer(), TuningReorientationScorer(target="observed"), AlignmentScorer()]
)
@pytest.mark.parametrize("transformed", [False, True])
def test_estimators_fitted_to_arrays_are_scored(library, scorer, transformed):
    X, Y, _, weight = problem()
    X, Y = X[:, [0, 1, 4, 5, 6]], Y[:, :3]
    model = Ridge(solver="svd")
    if transformed:
        model = make_pipeline(MaxAbsScaler(), model)
    of_library, of_numpy = (clone(model).fit(kind(X), kind(Y)) for kind in (library, np.asarray))
    score = scorer(of_library, library(X), library(Y), sample_weight=library(weight))
    assert score == pytest.approx(scorer(of_numpy, X, Y, sample_weight=weight), rel=1e-9)


def test_without_the_library_that_reads_all_others(monkeypatch):
    _, Y, *_ = problem()
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ImportError, match=r'array-api-compat: pip install "skalign\[array-api\]"'):
        pearson_r(strict.asarray(Y), strict.asarray(Y))
    assert pearson_r(Y, Y).shape == (4,)


def test_with_scipy_in_the_same_mode():
    """SciPy reads the variable when it is imported."""
    code = """
import numpy as np, array_api_strict as xp, sklearn
from scipy import sparse
from skalign import tuning_reorientation
from skalign.metrics import soft_matching
sklearn.set_config(array_api_dispatch=True)
X, W = np.random.default_rng(0).standard_normal((2, 9, 9))
theta = tuning_reorientation(X, X @ W.T, sparse.csr_array(W))
found = tuning_reorientation(xp.asarray(X), xp.asarray(X @ W.T), xp.asarray(W))
np.testing.assert_allclose(np.asarray(found), theta, rtol=0, atol=1e-12)
systems = X, W, X, W
scores = [soft_matching(*map(f, systems)).score for f in (np.asarray, xp.asarray)]
np.testing.assert_allclose(*scores, rtol=0, atol=1e-12)
"""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
