"""Two threads, two processes and a Dask cluster of two processes, on the same two cores.

Prints wall time and processor time over those of threads, the largest resident size of a worker,
and what passed between processes. Needs ``pip install skalign[cluster]``.
"""

import argparse
import threading
import time
from contextlib import contextmanager

import distributed
import joblib
import numpy as np
import psutil
from distributed.comm.tcp import TCP
from problem import encoding_problem, independent_problem

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV

BACKENDS = ("threading", "loky", "dask")
LIGHT, DENSE = np.geomspace(0.1, 0.5, 5), np.geomspace(0.01, 1, 5)


def fit():
    """Every target at one alpha: what travels is most of the work."""
    X, Y = encoding_problem(1000, 1000, 5000)
    return SparsePositiveEncoder("lasso", 0.1), X, np.tile(Y, 4)


def light():
    """Cross-validation of light fits."""
    return SparsePositiveEncoderCV("lasso", LIGHT, cv=5), *encoding_problem(1000, 1000, 5000)


def dense():
    """Cross-validation of fits with hundreds of active units."""
    return SparsePositiveEncoderCV("lasso", DENSE, cv=5), *independent_problem(1000, 1000, 2000)


ROWS = {  # problem, and at most how many times the time of two threads Dask may take
    "fit of 20,000 targets": (fit, 3.0),
    "5 light alphas x 5 folds, 5000 targets": (light, 1.2),
    "5 alphas from .01 to 1 x 5 folds, 2000 targets": (dense, 1.1),
}


def processes():
    """Processes that the times are of: this one, and all that it has started."""
    return [psutil.Process(), *psutil.Process().children(recursive=True)]


def cpu_seconds():
    """Processor time of all of them so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes())


class Traffic:
    """Bytes that processes sent: client and scheduler, which are this one, and workers."""

    def __init__(self, client):
        self.client, self.sent, write = client, 0, TCP.write

        async def counting(comm, *args, **kwargs):
            n_bytes = await write(comm, *args, **kwargs)
            self.sent += n_bytes
            return n_bytes

        TCP.write = counting

    def read(self):
        """All bytes so far."""
        of_workers = self.client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
        return self.sent + sum(of_workers.values())


@contextmanager
def largest_worker(found):
    """Note in `found` the largest resident size, in MB, that a child has while inside."""
    over = threading.Event()

    def watch():
        while not over.wait(0.05):
            for child in psutil.Process().children(recursive=True):
                try:
                    found[0] = max(found[0], child.memory_info().rss / 2**20)
                except psutil.NoSuchProcess:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def measure(encoder, X, Y, backend, traffic):
    """Seconds, processor seconds, MB of the largest worker, MB sent; and the weights."""
    largest, before = [0.0], traffic.read()
    with joblib.parallel_config(backend, n_jobs=2), largest_worker(largest):
        cpu, start = cpu_seconds(), time.perf_counter()
        coef = encoder.fit(X, Y).coef_
        wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    return np.array([wall, cpu, largest[0], (traffic.read() - before) / 2**20]), coef


def run_row(name, repeats, traffic):
    """Print a row of every backend; whether Dask kept the floor, by the better of both clocks."""
    problem, floor = ROWS[name]
    encoder, X, Y = problem()
    found = {backend: [] for backend in BACKENDS}
    for _ in range(repeats):  # in turn, for the machine may be shared
        coefs = []
        for backend in BACKENDS:
            numbers, coef = measure(encoder, X, Y, backend, traffic)
            found[backend].append(numbers)
            coefs.append(coef)
        assert max(np.abs(coef - coefs[0]).max() for coef in coefs) < 1e-12
    best = {backend: np.min(numbers, axis=0) for backend, numbers in found.items()}
    wall, cpu = best["threading"][:2]
    print(f"{name} (X {X.nbytes / 2**20:.0f} MB, Y {Y.nbytes / 2**20:.0f} MB)")
    for backend, (own_wall, own_cpu, largest, sent) in best.items():
        line = f"  {backend:<10}{own_wall:7.2f} s {own_wall / wall:5.2f} x"
        line += f"   processors {own_cpu:7.2f} s {own_cpu / cpu:5.2f} x"
        if backend != "threading":
            line += f"   largest worker {largest:5.0f} MB"
        if backend == "dask":
            line += f"   sent {sent:5.0f} MB"
        print(line, flush=True)
    ratio = min(best["dask"][0] / wall, best["dask"][1] / cpu)
    print(f"  at most {floor} x threads: {'held' if ratio <= floor else 'MISSED'}", flush=True)
    return ratio <= floor


def main():
    """Run the rows whose names have one of the words that are given; all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", default=[""])
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    names = [name for name in ROWS if any(word in name for word in asked.words)]
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        traffic = Traffic(client)
        held = [run_row(name, asked.repeats, traffic) for name in names]
    return all(held)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
