"""An interrupt or a fork, whenever it comes, leaves BLAS as it was and no thread behind."""

import dis
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import skalign
from skalign.solvers import solve
from skalign.utils import call_interruptibly, check_interrupt, map_blocks

UTILS = str(Path(skalign.__file__).parent / "utils")
SOLVE = str(Path(skalign.__file__).parent / "solvers" / "_solve.py")
SECONDS_TO_ANSWER = 5  # one is the aim; the machine may be busy

pytestmark = pytest.mark.skipif(
    not any(lib["user_api"] == "blas" and lib["num_threads"] > 1 for lib in threadpool_info()),
    reason="this BLAS has no threads to hold back",
)


def blas_threads():
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((60, 30)), rng.standard_normal((60, 200))


class InterruptAt:
    """Raise KeyboardInterrupt at the n-th place where Python would look for signals in our files.

    Those are the starts of functions, the ends of calls and the jumps back of loops.
    """

    def __init__(self, n):
        self.n = n

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.start)

    def __exit__(self, *error):
        sys.settrace(self.before)

    def start(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith((UTILS, SOLVE)):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        names, last = instructions(frame.f_code), None

        def step(frame, event, arg):
            nonlocal last
            if event == "opcode":
                if last is not None and last.startswith(("CALL", "JUMP_BACKWARD")):
                    self.count()
                last = names[frame.f_lasti]
            return step

        self.count()
        return step

    def count(self):
        self.n -= 1
        if self.n == 0:
            raise KeyboardInterrupt


@functools.cache
def instructions(code):
    return {each.offset: each.opname for each in dis.get_instructions(code)}


def test_interrupt_at_any_place_of_a_fit(data):
    """While the traceback is held, as notebooks hold it with all its frames."""
    usual, n_threads, held = blas_threads(), threading.active_count(), []
    solve(*data, n_jobs=2)
    for n in range(1, 10_000):
        try:
            with InterruptAt(n):
                solve(*data, n_jobs=2)
        except KeyboardInterrupt as error:
            held.append(error)
        else:
            break
        assert blas_threads() == usual
    assert len(held) > 100
    wait_for(lambda: threading.active_count() == n_threads)


def wait_for(condition):
    deadline = time.monotonic() + SECONDS_TO_ANSWER
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer on this system")
# Python itself drops an interrupt that falls into a callback of the collector: hypothesis has one.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*gc_callback:pytest.PytestUnraisableExceptionWarning"
)
def test_interrupts_at_random_moments(data):
    """What a trace cannot reach: locks written in C, threads that are about to start."""

    def interrupt(*args):
        raise KeyboardInterrupt

    usual, rng, n_interrupted = blas_threads(), np.random.default_rng(0), 0
    before = signal.signal(signal.SIGALRM, interrupt)
    start = time.monotonic()
    try:
        solve(*data, n_jobs=2)
        span = time.monotonic() - start
        while time.monotonic() < start + 2:
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, span))
                solve(*data, n_jobs=2)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                n_interrupted += 1
            assert blas_threads() == usual
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert n_interrupted > 10


def run(script, *arguments):
    """Standard output of a Python script, from JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


FORKS = """
import json, os, signal, threading, time
import numpy as np
from threadpoolctl import threadpool_info
from skalign.solvers import solve

def blas_threads():
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

usual = blas_threads()
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((60, 30)), rng.standard_normal((60, 200))
over = False

def fit():
    while not over:
        solve(X, Y, n_jobs=2)

fitting = threading.Thread(target=fit)
fitting.start()
outcomes = {"fine": 0, "stuck": 0, "wrong": 0}
start = time.monotonic()
while time.monotonic() < start + 3:
    child = os.fork()
    if not child:
        solve(X, Y, n_jobs=2)
        os._exit(blas_threads() != usual)
    deadline = time.monotonic() + 20
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < deadline:
        time.sleep(0.001)
    if ended[0]:
        outcomes["wrong" if ended[1] else "fine"] += 1
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        outcomes["stuck"] += 1
over = True
fitting.join()
print(json.dumps(outcomes))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forks_while_another_thread_fits():
    outcomes = run(FORKS)
    assert outcomes["fine"] > 3
    assert outcomes["stuck"] == outcomes["wrong"] == 0


ANSWERS = """
import json, os, signal, sys, threading, time
import numpy as np
from threadpoolctl import threadpool_info
from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
n_jobs = int(sys.argv[1])
rng = np.random.default_rng(0)

def noise(n_samples, n_targets):
    return rng.standard_normal((n_samples, n_targets), dtype=np.float32)

problems = {  # each takes more than half a minute
    "many targets": (SparsePositiveEncoder("ols", n_jobs=n_jobs), noise(1500, 1000), 20_000),
    "wide": (SparsePositiveEncoder("lasso", 0.02, n_jobs=n_jobs), noise(400, 9000), 200),
    "folds": (SparsePositiveEncoderCV("ridge", 20, n_jobs=n_jobs), noise(800, 800), 10_000),
}
answers = {}
for name, (encoder, X, n_targets) in problems.items():
    Y = noise(len(X), n_targets)
    encoder.fit(X[:100, :5], X[:100, :2])
    before = dict(vars(encoder))
    n_threads, blas = threading.active_count(), [lib["num_threads"] for lib in threadpool_info()]
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(2, interrupt)
    timer.start()
    try:
        encoder.fit(X, Y)
    except KeyboardInterrupt:
        answers[name] = time.monotonic() - sent[0]
    timer.join()
    after = vars(encoder)
    assert after.keys() == before.keys() and all(after[key] is before[key] for key in before)
    while threading.active_count() > n_threads:  # one that has just ended still counts
        assert time.monotonic() < sent[0] + 20
        time.sleep(0.01)
    assert [lib["num_threads"] for lib in threadpool_info()] == blas
print(json.dumps(answers))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process there")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_is_answered(n_jobs):
    answers = run(ANSWERS, str(n_jobs))
    print(answers)
    assert set(answers) == {"many targets", "wide", "folds"}
    assert max(answers.values()) < SECONDS_TO_ANSWER


def test_blocks_in_flight_end_when_nobody_waits_for_them():
    started, ended = threading.Event(), threading.Event()

    def endless(block):
        if block == 0:
            return block
        started.set()
        try:
            while True:
                check_interrupt()
        except CancelledError:
            ended.set()
            raise

    with closing(map_blocks(endless, [0, 1, 2], n_jobs=2)) as results:
        assert next(results) == 0
        assert started.wait(10)
    assert ended.is_set()


def test_blocks_of_a_block_end_too():
    """A worker that waits for workers of its own hears that nobody waits for it."""
    started = threading.Event()

    def endless(block):
        started.set()
        while True:
            check_interrupt()

    def outer(block):
        return block if block == 0 else list(map_blocks(endless, [0, 1], n_jobs=2))

    n_threads = threading.active_count()
    with closing(map_blocks(outer, [0, 1], n_jobs=2)) as results:
        assert next(results) == 0
        assert started.wait(10)
    wait_for(lambda: threading.active_count() == n_threads)


def test_error_of_a_block_is_raised_with_its_traceback():
    def fail(block):
        raise ValueError(f"block {block}")

    with pytest.raises(ValueError, match="block 0") as raised:
        list(map_blocks(fail, [0, 1], n_jobs=2))
    assert raised.traceback[-1].name == "fail"


def test_routines_that_hear_nothing_are_waited_for_in_vain_no_longer():
    """An interrupt ends the waiting at once; what the routine raises or returns comes through."""
    assert call_interruptibly(sorted, [2, 1], reverse=True) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        call_interruptibly(divmod, 1, 0)
    released = threading.Event()
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    # A shell that starts a job in the background has it ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    start = time.monotonic()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call_interruptibly(released.wait, 20)
    finally:
        released.set()
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - start < SECONDS_TO_ANSWER
