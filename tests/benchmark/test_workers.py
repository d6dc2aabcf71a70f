"""Threads, processes and a Dask cluster of two processes give the table of a serial run."""

import os
import time
from dataclasses import replace

import joblib
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info

from skalign import SparsePositiveEncoderCV
from skalign.benchmark import RegionResponses, read_store, run_benchmark

pd = pytest.importorskip("pandas", reason="tables: pip install skalign[table]")


@pytest.fixture(params=["models", "cells"])
def many(problem, request):
    """Four models, which workers share; or one, whose cells they share. With layers and errors."""
    first, second = problem["models"]
    layers = {
        part: {"fc6": getattr(first, part), "fc7": getattr(second, part)}
        for part in ("localizer", "train", "validation", "test")
    }
    models = [replace(first, name="layers", **layers), second]
    if request.param == "models":
        models += [first, replace(second, name="broken", train=np.ones((3, 3)))]
    else:
        models = models[:1]
    encoders = {
        **problem["encoders"],
        "cv": SparsePositiveEncoderCV("ridge", [1.0, 10.0], cv=3, n_jobs=2),
        "broken": Ridge(-1.0),
    }
    return problem | {"models": models, "encoders": encoders}


def same(table, expected):
    pd.testing.assert_frame_equal(
        table.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True
    )


@pytest.mark.filterwarnings("ignore:.* targets were left empty:UserWarning")
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_threads_and_processes(many, backend, tmp_path):
    expected = run_benchmark(**many)
    assert expected["error"].notna().any()
    with joblib.parallel_config(backend, n_jobs=2):
        same(run_benchmark(**many, store=tmp_path), expected)
    same(run_benchmark(**many, store=tmp_path), expected)  # errors are computed again


@pytest.mark.filterwarnings("ignore:.* targets were left empty:UserWarning")
def test_dask_cluster(many, cluster, tmp_path):
    assert len({worker.pid for worker in cluster.workers.values()} - {os.getpid()}) == 2
    expected = run_benchmark(**many)
    with joblib.parallel_config("dask"):
        same(run_benchmark(**many, store=tmp_path), expected)


def test_dask_workers_load_the_models(problem, cluster, tmp_path):
    """Each in the process that needs it, the driver in none; what they finish is in the store."""

    def pids():
        return {int(path.name.split("-")[1]) for path in tmp_path.glob("*-*")}

    def noting(model, array):
        def load():
            (tmp_path / f"{model}-{os.getpid()}").touch()
            end = time.monotonic() + 20  # a busy machine: wait for the other worker
            while len(pids()) < 2 and time.monotonic() < end:
                time.sleep(0.01)
            return array

        return load

    problem["models"] = [
        replace(
            model, name=f"{model.name} {copy}", train=noting(f"{model.name}{copy}", model.train)
        )
        for model in problem["models"]
        for copy in range(2)
    ]
    with joblib.parallel_config("dask"):
        run_benchmark(**problem, store=tmp_path / "store")
    loaded = [path.name.split("-")[0] for path in tmp_path.glob("*-*")]
    assert len(loaded) == len(set(loaded)) == 4
    assert pids() == {worker.pid for worker in cluster.workers.values()}
    assert len(read_store(tmp_path / "store")) == 32


@pytest.mark.filterwarnings("always:Sending large graph:UserWarning")
def test_dask_sends_large_regions_once(problem, cluster, recwarn):
    """Dask warns of 10 MB and more in a task."""
    parts = {part: np.ones((n, 40_000)) for part, n in (("train", 40), ("test", 50))}
    problem["regions"] = [RegionResponses("s1", "all", **parts)]
    problem["encoders"] = {"broken": Ridge(-1.0)}
    with joblib.parallel_config("dask"):
        table = run_benchmark(**problem)
    assert set(table["n_targets"]) == {40_000}
    assert not recwarn.list


@pytest.mark.parametrize("backend", ["threading", "loky", "dask"])
@pytest.mark.parametrize("n_models", [1, 2])
def test_nothing_is_parallel_within_a_worker(problem, backend, n_models, request):
    """Seen from inside of fits, that ask for more."""
    if backend == "dask":
        request.getfixturevalue("cluster")

    class Nosy(Ridge):
        def fit(self, X, y):
            blas = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
            jobs = [joblib.effective_n_jobs(n) for n in (None, 2, -1)]
            raise RuntimeError(f"{max(blas)} {max(jobs)}")

    problem |= {"models": problem["models"][:n_models], "encoders": {"nosy": Nosy()}}
    with joblib.parallel_config(backend, n_jobs=2):
        assert set(run_benchmark(**problem)["error"]) == {"RuntimeError: 1 1"}


def test_alone_the_encoder_may_be_parallel(problem):
    class Nosy(Ridge):
        def fit(self, X, y):
            raise RuntimeError(joblib.effective_n_jobs(2))

    assert set(run_benchmark(**problem | {"encoders": {"nosy": Nosy()}})["error"]) == {
        "RuntimeError: 2"
    }


def test_one_model_is_loaded_at_a_time(problem):
    """What a callable returned is gone when the next is called."""
    import weakref

    alive = []

    def once(array):
        def load():
            assert not [ref for ref in alive if ref() is not None]
            loaded = array.copy()
            alive.append(weakref.ref(loaded))
            return loaded

        return load

    problem["models"] = [
        replace(model, name=str(number), train=once(model.train))
        for number, model in enumerate(2 * problem["models"])
    ]
    assert run_benchmark(**problem)["error"].isna().all()
    assert len(alive) == 4


@pytest.mark.filterwarnings("ignore:.* tasks :UserWarning")  # joblib's, on work thrown away
def test_run_that_is_broken_off_leaves_workers_in_order(problem, tmp_path):
    def progress(cells, total):
        yield next(iter(cells))
        raise KeyboardInterrupt

    for n_jobs in (None, 2):
        with joblib.parallel_config("threading"), pytest.raises(KeyboardInterrupt):
            run_benchmark(**problem, progress=progress, store=tmp_path, n_jobs=n_jobs)
    same(run_benchmark(**problem, store=tmp_path), run_benchmark(**problem))
