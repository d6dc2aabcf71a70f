"""Blocks in threads: same bits for any number of workers, BLAS threads as they were, progress."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import parallel_config
from threadpoolctl import threadpool_info, threadpool_limits

from skalign.solvers import solve
from tests.reference import ALPHA, ENCODERS

USUAL = 3  # BLAS threads before any fit; a number nobody would choose


def blas_threads():
    """Number of BLAS threads at this moment."""
    (n_threads,) = {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}
    return n_threads


def in_a_thread(function, *args, **kwargs):
    """Call in a thread of its own, which leaves no claim on BLAS behind."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function, *args, **kwargs).result(timeout=20)


@pytest.fixture
def usual_blas_threads():
    if not any(lib["user_api"] == "blas" for lib in threadpool_info()):
        pytest.skip("this BLAS has no threads to set")
    before = blas_threads()
    in_a_thread(threadpool_limits, limits=USUAL, user_api="blas")
    assert blas_threads() == USUAL
    yield
    in_a_thread(threadpool_limits, limits=before, user_api="blas")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((60, 30)), rng.standard_normal((60, 200))


@pytest.fixture
def recorder():
    """A `progress` that notes the BLAS threads while blocks are computed."""

    def progress(results, total):
        for result in results:
            progress.seen.add(blas_threads())
            yield result

    progress.seen = set()
    return progress


@pytest.mark.parametrize(("penalty", "positive"), ENCODERS)
def test_number_of_workers_changes_no_bit(penalty, positive):
    """Given that BLAS itself always computes with one thread."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((150, 100)), rng.standard_normal((150, 100))
    settings = {"penalty": penalty, "alpha": ALPHA[penalty], "positive": positive}
    with threadpool_limits(limits=1, user_api="blas"):
        one, two = (solve(X, Y, n_jobs=n_jobs, **settings) for n_jobs in [1, 2])
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.intercept, two.intercept)
    np.testing.assert_array_equal(one.kkt_violation, two.kkt_violation)
    np.testing.assert_array_equal(one.dual_gap, two.dual_gap)
    np.testing.assert_array_equal(one.n_iter, two.n_iter)


def test_threads_of_blas_change_no_more_than_rounding():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((500, 300)), rng.standard_normal((500, 64))
    one, two = (solve(X, Y, "lasso", n_jobs=n_jobs) for n_jobs in [1, 2])
    np.testing.assert_allclose(one.coef, two.coef, rtol=0, atol=1e-14)


@pytest.mark.usefixtures("usual_blas_threads")
class TestBlasThreads:
    def test_one_while_workers_run(self, data, recorder):
        solve(*data, n_jobs=2, progress=recorder)
        assert recorder.seen == {1}
        assert blas_threads() == USUAL

    def test_all_for_a_single_worker(self, data, recorder):
        solve(*data, n_jobs=1, progress=recorder)
        assert recorder.seen == {USUAL}

    def test_one_for_workers_of_a_parallel_config(self, data, recorder):
        with parallel_config(backend="threading", n_jobs=2):
            solve(*data, progress=recorder)
        assert recorder.seen == {1}
        assert blas_threads() == USUAL

    def test_a_fit_leaves_control_of_them_to_other_threads(self, data, recorder):
        solve(*data, n_jobs=2)
        in_a_thread(solve, *data, n_jobs=2, progress=recorder)
        assert recorder.seen == {1}
        assert blas_threads() == USUAL
        solve(*data, n_jobs=2, progress=recorder)
        assert recorder.seen == {1}

    def test_come_back_after_an_error_in_a_block(self, data):
        X, Y = data
        Y[0, 150] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            solve(X, Y, n_jobs=2)
        assert blas_threads() == USUAL

    @pytest.mark.filterwarnings("ignore:.* tasks :UserWarning")  # joblib's, on work thrown away
    def test_come_back_while_the_error_is_still_held(self, data):
        """As a notebook holds the last traceback, with all its frames."""

        def interrupted(results, total):
            yield next(results)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as held:
            solve(*data, n_jobs=2, progress=interrupted)
        assert blas_threads() == USUAL
        assert held.traceback

    @pytest.mark.parametrize("first_to_leave", ["the first", "the second"])
    def test_come_back_after_overlapping_fits(self, data, first_to_leave):
        """Two threads are inside at once, and both still live when the last of them leaves."""
        both_inside, one_done = threading.Barrier(2, timeout=10), threading.Event()
        first_inside = threading.Event()

        def progress(name):
            def wait(results, total):
                if name == "the second":
                    assert first_inside.wait(10)
                yield next(results)
                first_inside.set()
                both_inside.wait()
                assert name == first_to_leave or one_done.wait(10)
                yield from results

            return wait

        def fit(name):
            solution = solve(*data, n_jobs=2, progress=progress(name))
            one_done.set()
            return solution

        with ThreadPoolExecutor(2) as executor:
            fits = [executor.submit(fit, name) for name in ["the first", "the second"]]
            one, two = (future.result(timeout=20) for future in fits)
            assert blas_threads() == USUAL
        np.testing.assert_array_equal(one.coef, two.coef)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_is_told_the_number_of_blocks(data, n_jobs):
    calls, ticks = [], []

    def progress(results, **options):
        calls.append(options)
        for result in results:
            ticks.append(result)
            yield result

    solve(*data, n_jobs=n_jobs, progress=progress)
    assert calls == [{"total": len(ticks)}]
    assert len(ticks) > 1
