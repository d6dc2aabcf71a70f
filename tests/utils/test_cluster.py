"""Blocks on a Dask cluster and in processes: shared once, in order, whoever dies meanwhile."""

import os
import signal
import time
from contextlib import closing
from functools import partial

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from skalign.utils import _cluster, _map_blocks, check_interrupt, map_blocks, map_steps
from skalign.utils._cluster import ClusterBlocks

SECONDS_TO_ANSWER = 20  # the machine may be busy


def wait_for(condition):
    deadline = time.monotonic() + SECONDS_TO_ANSWER
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pids(cluster):
    return [worker.pid for worker in cluster.workers.values()]


@pytest.fixture(params=["dask", "loky"])
def backend(request):
    """Two processes of either kind."""
    if request.param == "dask":
        request.getfixturevalue("cluster")
    with joblib.parallel_config(request.param, n_jobs=2):
        yield request.param


def test_results_come_in_order_from_other_processes(backend):
    def pid_and_square(block):
        time.sleep(0.02 * (block % 3))
        return os.getpid(), block**2

    found = list(map_blocks(pid_and_square, list(range(12)), None))
    assert [square for _, square in found] == [block**2 for block in range(12)]
    assert len({pid for pid, _ in found} | {os.getpid()}) == 3


@pytest.mark.usefixtures("keeps_copies")
def test_what_blocks_share_is_sent_to_every_worker_once(cluster, tmp_path):
    class Shared:
        def __init__(self, array):
            self.array = array

        def __reduce__(self):
            return load, (self.array,)

        def __call__(self, block):
            time.sleep(0.05)
            return os.getpid(), float(self.array[block])

    def load(array):
        (tmp_path / f"{os.getpid()} {time.monotonic_ns()}").touch()
        return Shared(array)

    with joblib.parallel_config("dask"):
        found = list(map_blocks(Shared(np.arange(1e5)), list(range(20)), None))
    assert [value for _, value in found] == list(range(20))
    loaded = [int(path.name.split()[0]) for path in tmp_path.iterdir()]
    assert sorted(loaded) == sorted({pid for pid, _ in found} & {*pids(cluster)})


def test_large_blocks_do_not_pass_through_the_graph(cluster, recwarn):
    """Dask warns of more than 10 MB in it."""
    with joblib.parallel_config("dask"):
        found = list(map_blocks(np.sum, [np.ones(2_000_000), np.ones(3_000_000)], None))
    assert found == [2e6, 3e6]
    assert not recwarn.list


def test_few_results_wait_and_none_stay(cluster, tmp_path):
    def noted(block):
        (tmp_path / str(block)).touch()
        return np.ones(100_000)

    with (
        joblib.parallel_config("dask"),
        closing(map_blocks(noted, list(range(40)), None)) as results,
    ):
        next(results)
        wait_for(lambda: len(list(tmp_path.iterdir())) >= 4)
        time.sleep(0.3)
        assert len(list(tmp_path.iterdir())) <= 5  # two for each worker, and the one we have
    wait_for(lambda: not cluster.scheduler.tasks)


def test_nothing_is_parallel_within_a_worker(backend):
    def counts(block):
        blas = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
        inner = list(map_blocks(lambda part: os.getpid(), [0, 1], 2))
        return max(blas, default=1), joblib.effective_n_jobs(-1), set(inner) == {os.getpid()}

    assert set(map_blocks(counts, [0, 1, 2], None)) == {(1, 1, True)}


def test_a_task_of_the_user_computes_its_own_blocks(cluster):
    """As of a search on the cluster, whose fits ask for more workers."""

    def pid(block):
        return os.getpid()

    def fit(_):
        return os.getpid(), set(map_blocks(pid, [0, 1, 2], None))

    with joblib.parallel_config("dask"):
        found = joblib.Parallel()(joblib.delayed(fit)(k) for k in range(4))
    assert all(inner == {outer} for outer, inner in found)


def test_error_of_a_block_is_raised(backend):
    def fail(block):
        raise ValueError(f"block {block}")

    with pytest.raises(ValueError, match=r"block \d"):
        list(map_blocks(fail, [0, 1, 2], None))


def test_blocks_in_flight_end_when_nobody_waits_for_them(cluster, tmp_path):
    def endless(block):
        if block == 0:
            return block
        (tmp_path / f"started {block}").touch()
        try:
            while True:
                check_interrupt()
                time.sleep(0.01)
        finally:
            (tmp_path / f"ended {block}").touch()

    with (
        joblib.parallel_config("dask"),
        closing(map_blocks(endless, [0, 1, 2, 3], None)) as results,
    ):
        assert next(results) == 0
        wait_for(lambda: len(list(tmp_path.glob("started*"))) == 2)
    wait_for(lambda: len(list(tmp_path.glob("ended*"))) == 2)
    wait_for(lambda: not cluster.scheduler.tasks)
    assert len(list(tmp_path.glob("started*"))) == 2  # the third never began


def steps_and_results(blocks, function):
    """All that `map_steps` yields for blocks of three steps."""
    with closing(map_steps(function, blocks, None, n_steps=3)) as found:
        return list(found)


@pytest.mark.parametrize(("kind", "n_jobs"), [("threading", 1), ("threading", 2), ("dask", 2)])
def test_steps_are_told_before_the_block_is_done(kind, n_jobs, request, tmp_path):
    if kind == "dask":
        request.getfixturevalue("cluster")
    flag = tmp_path / "the step was told"

    def waiting(block):
        yield None
        wait_for(flag.exists)
        yield None
        yield block

    with (
        joblib.parallel_config(kind, n_jobs=n_jobs),
        closing(map_steps(waiting, [1, 2, 3], None, n_steps=3)) as found,
    ):
        seen = [next(found)]
        flag.touch()
        seen += found
    assert seen[0] is None
    assert len(seen) == 9
    assert [result for result in seen if result is not None] == [1, 2, 3]
    assert seen[-1] == 3  # a bar is not full before all is done


@pytest.mark.parametrize("kind", ["threading", "loky", "dask"])
def test_total_of_steps_is_kept_by_blocks_that_tell_too_few_or_too_many(kind, request):
    if kind == "dask":
        request.getfixturevalue("cluster")

    def careless(block):
        for _ in range(block):
            yield None
        yield -block

    with joblib.parallel_config(kind, n_jobs=2):
        found = steps_and_results([2, 0, 5, 1], careless)
    assert [result for result in found if result is not None] == [-2, 0, -5, -1]
    assert len(found) == 4 * 3


def test_step_that_is_heard_twice_counts_once(monkeypatch):
    """Every client of a process hears of it, and a task that Dask repeats tells of it again."""
    monkeypatch.setattr(_cluster, "_steps_taken", {"known": [0]})
    for key, number in [("known", 1), ("known", 2), ("known", 1), ("known", 2), ("other", 1)]:
        _cluster._note_step((0.0, [key, number]))
    assert _cluster._steps_taken == {"known": [2]}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_block_that_is_repeated_repeats_no_step(backend, tmp_path):
    flag = tmp_path / "killed"

    def dangerous(block):
        yield None
        yield None
        time.sleep(0.7)  # until the steps were told
        if block == 1 and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield block

    found = steps_and_results([0, 1, 2], dangerous)
    assert flag.exists()
    assert [result for result in found if result is not None] == [0, 1, 2]
    assert len(found) == 3 * 3


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_worker_loses_nothing(backend, tmp_path):
    flag, array = tmp_path / "killed", np.arange(200_000.0)

    def dangerous(shared, block):
        if block[0] == 5 and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return float(shared[int(block[0])] + block.sum())

    blocks = [np.full(20_000, float(k)) for k in range(12)]
    found = list(map_blocks(partial(dangerous, array), blocks, None))
    assert flag.exists()
    assert found == [k + k * 20_000.0 for k in range(12)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_data_that_died_with_all_workers_are_sent_again(cluster):
    array = np.arange(200_000.0)

    def read(shared, block):
        return float(shared[int(block[0])] + block.sum())

    blocks = [np.full(20_000, float(k)) for k in range(8)]
    with (
        joblib.parallel_config("dask"),
        closing(map_blocks(partial(read, array), blocks, None)) as results,
    ):
        found = [next(results)]
        for pid in pids(cluster):
            os.kill(pid, signal.SIGKILL)
        found += results
    assert found == [k + k * 20_000.0 for k in range(8)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_block_that_kills_every_worker_ends_in_an_error(backend, request, monkeypatch):
    monkeypatch.setattr(_map_blocks, "ATTEMPTS", 2)

    def deadly(block):
        if block == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    if backend == "dask":
        scheduler = request.getfixturevalue("cluster").scheduler
        before, scheduler.allowed_failures = scheduler.allowed_failures, 0
        try:
            with pytest.raises(Exception, match="deadly") as raised:
                list(map_blocks(deadly, [0, 1], None))
        finally:
            scheduler.allowed_failures = before
        assert type(raised.value).__name__ == "KilledWorker"
    else:
        with pytest.raises(Exception, match="excessive memory") as raised:
            list(map_blocks(deadly, [0, 1], None))
        assert type(raised.value).__name__ == "TerminatedWorkerError"


def test_data_pass_the_scheduler_by_only_in_a_cluster_of_this_process(dask_client, cluster):
    """Another client may have come through a tunnel, where all addresses look local."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as other:
        directs = [ClusterBlocks(client, abs, 2).direct for client in (dask_client, other)]
    assert directs == [True, None]
