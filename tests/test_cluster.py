"""On a Dask cluster of two processes every result is that of threads, and X travels once."""

import os
import signal

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.benchmark import ModelFeatures, RegionResponses, run_benchmark
from skalign.inference import alignment_null, refit_intervals, selection_stability
from skalign.linear_model import sparse_positive_path
from skalign.utils._cluster import ClusterBlocks

pandas = pytest.importorskip("pandas")
assert_frame_equal, DataFrame = pandas.testing.assert_frame_equal, pandas.DataFrame

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 40))
Y = X[:, :20] @ RNG.random((20, 300)) + RNG.standard_normal((80, 300))


@pytest.fixture
def on_cluster(cluster):
    """Call a function with threads and on the cluster."""

    def both(function, backend="dask"):
        with joblib.parallel_config("threading", n_jobs=2):
            expected = function()
        with joblib.parallel_config(backend, n_jobs=2):
            return function(), expected

    return both


@pytest.mark.parametrize("backend", ["dask", "loky"])
@pytest.mark.parametrize(
    "encoder",
    [
        SparsePositiveEncoder("lasso", 0.3),
        SparsePositiveEncoder("ridge", 10.0, positive=False),
        SparsePositiveEncoderCV("lasso", [1.0, 0.5, 0.2], cv=3),
        SparsePositiveEncoderCV("elasticnet", 3, cv=3, alpha_per_target=False),
        SparsePositiveEncoderCV("ridge", [1.0, 10.0], cv=3, positive=False),
    ],
    ids=lambda encoder: f"{type(encoder).__name__[22:]}-{encoder.penalty}",
)
def test_encoders(on_cluster, encoder, backend):
    found, expected = on_cluster(lambda: clone(encoder).fit(X, Y), backend)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.n_iter_, expected.n_iter_)


def test_missing_responses(on_cluster):
    holes = Y.copy()
    holes[:5, ::2], holes[10:30, 1::3] = np.nan, np.nan
    encoder = SparsePositiveEncoder("lasso", 0.3, missing="mask")
    found, expected = on_cluster(lambda: clone(encoder).fit(X, holes))
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-12)


def test_path(on_cluster):
    found, expected = on_cluster(lambda: sparse_positive_path(X, Y, alphas=3, sparse_output=True))
    for one, other in zip(found.coef, expected.coef, strict=True):
        np.testing.assert_allclose(one.toarray(), other.toarray(), rtol=0, atol=1e-12)


def test_null_refits_and_stability(on_cluster):
    encoder, few = SparsePositiveEncoder("lasso", 0.5), Y[:, :4]
    data = X[:60], few[:60], X[60:], few[60:]
    options = {"n_resamples": 20, "random_state": 0}
    found, expected = on_cluster(lambda: alignment_null(encoder, *data, **options))
    assert_frame_equal(found.to_frame(), expected.to_frame(), rtol=0, atol=1e-12)
    found, expected = on_cluster(lambda: refit_intervals(encoder, *data, **options))
    assert_frame_equal(found.to_frame(), expected.to_frame(), rtol=0, atol=1e-12)
    found, expected = on_cluster(lambda: selection_stability(encoder, X, few, **options))
    assert abs(found.frequency - expected.frequency).max() == 0


@pytest.mark.usefixtures("keeps_copies")
def test_benchmark_sends_features_once(on_cluster, cluster, tmp_path):
    """Ten cells of one model: workers share them, and get its features and its regions once."""

    class Counted(np.ndarray):
        def __reduce__(self):
            return load, (np.asarray(self),)

    def load(array):
        (tmp_path / f"{os.getpid()} {len(list(tmp_path.iterdir()))}").touch()
        return array

    model = ModelFeatures("net", train=X[:60].copy(), test=X[60:])
    regions = [
        RegionResponses("s1", name, train=Y[:60, :3].view(Counted), test=Y[60:, :3])
        for name in ("V1", "V4")
    ]
    encoders = {f"lasso {k}": SparsePositiveEncoder(alpha=0.1 * k) for k in range(1, 6)}
    found, expected = on_cluster(lambda: run_benchmark([model], regions, encoders))
    assert found["error"].isna().all()
    assert found.drop(columns="seconds").equals(expected.drop(columns="seconds"))
    loaded = [path.name.split()[0] for path in tmp_path.iterdir()]
    assert 0 < len(loaded) <= 2 * 2  # of two regions, into two workers


class Killer:
    """A callback that kills a process after the first block of targets."""

    def __init__(self, pid):
        self.pid, self.n_blocks = pid, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        pass

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.n_blocks += 1
        if self.n_blocks == 1:
            os.kill(self.pid, signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize(
    "encoder",
    [SparsePositiveEncoder("lasso", 0.3), SparsePositiveEncoderCV("lasso", [0.5, 0.2], cv=5)],
    ids=lambda encoder: type(encoder).__name__,
)
def test_worker_that_is_killed_changes_nothing(cluster, encoder):
    many = np.tile(Y, 5)
    with joblib.parallel_config("threading", n_jobs=2):
        expected = clone(encoder).fit(X, many)
    killer = Killer(next(iter(cluster.workers.values())).pid)
    with joblib.parallel_config("dask"):
        found = clone(encoder).set_callbacks(killer).fit(X, many)
    assert killer.n_blocks > 10
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-12)


@pytest.fixture
def killed_after_two_results(cluster, monkeypatch):
    """Numbers of results that a call had when one of its two workers was killed."""
    next_result, killed = ClusterBlocks.next_result, []

    def killing(blocks, in_order):
        for result in next_result(blocks, in_order):
            blocks.n_results = getattr(blocks, "n_results", 0) + (result is not None)
            if blocks.n_results == 2 and not killed:
                killed.append(blocks.n_results)
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
            yield result

    monkeypatch.setattr(ClusterBlocks, "next_result", killing)
    return killed


def null_table(encoder):
    data = X[:60], Y[:60, :4], X[60:], Y[60:, :4]
    return alignment_null(encoder, *data, n_resamples=20, random_state=0).to_frame()


def refit_table(encoder):
    data = X[:60], Y[:60, :4], X[60:], Y[60:, :4]
    return refit_intervals(encoder, *data, n_resamples=20, random_state=0).to_frame()


def stability_table(encoder):
    found = selection_stability(encoder, X, Y[:, :4], n_resamples=20, random_state=0)
    return DataFrame(found.frequency.toarray())


def benchmark_table(encoder):
    regions = [
        RegionResponses("s1", name, train=Y[:60, :3], test=Y[60:, :3]) for name in ("V1", "V4")
    ]
    encoders = {f"lasso {k}": clone(encoder).set_params(alpha=0.1 * k) for k in range(1, 6)}
    table = run_benchmark([ModelFeatures("net", train=X[:60], test=X[60:])], regions, encoders)
    assert table["error"].isna().all()
    return table.drop(columns="seconds")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("table", [null_table, refit_table, stability_table, benchmark_table])
def test_worker_that_is_killed_changes_no_table(on_cluster, killed_after_two_results, table):
    found, expected = on_cluster(lambda: table(SparsePositiveEncoder("lasso", 0.5)))
    assert killed_after_two_results == [2]
    assert_frame_equal(found, expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("keeps_copies")
def test_features_travel_once(cluster, monkeypatch):
    """Bytes that this process sends: those of client and scheduler, so that all pass twice."""
    from distributed.comm.tcp import TCP

    sent, write = [], TCP.write

    async def counting(self, message, *args, **kwargs):
        n_bytes = await write(self, message, *args, **kwargs)
        sent.append(n_bytes)
        return n_bytes

    rng = np.random.default_rng(0)
    features, targets = rng.standard_normal((400, 400)), rng.standard_normal((400, 1024))
    monkeypatch.setattr(TCP, "write", counting)
    with joblib.parallel_config("dask"):
        SparsePositiveEncoder("lasso", 0.1).fit(features, targets)
    shared = 2 * features.nbytes  # features and their Gram, 400 x 400 both
    assert sum(sent) > shared + targets.nbytes
    assert sum(sent) < 1.2 * (2 * (shared + targets.nbytes))
