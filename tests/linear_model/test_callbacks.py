"""Progress through scikit-learn's callbacks: one task per block of targets, in CV of every fold."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from skalign import SparsePositiveEncoder, SparsePositiveEncoderCV
from skalign.linear_model._callback import TasksOfChoice


class Recorder:
    """A callback that notes every hook with the task it was called for."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", context.task_name, context.max_subtasks))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context.task_name, context.max_subtasks))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.events.append(("begin", context.task_name, context.max_subtasks))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append(("end", context.task_name, context.max_subtasks))
        if context.task_name == "fit":
            self.X, self.y, self.fitted = X, y, fitted_estimator


class Stopper(Recorder):
    """A callback that gives up at the second block."""

    def on_fit_task_begin(self, estimator, context):
        if context.task_id == 1 and context.task_name != "fit":
            raise RuntimeError("enough")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((30, 4)), rng.standard_normal((30, 150))  # four blocks


@pytest.mark.parametrize(("penalty", "positive"), [("lasso", True), ("ridge", False)])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_block_of_targets_is_a_task(data, n_jobs, penalty, positive):
    recorder = Recorder()
    encoder = SparsePositiveEncoder(penalty, positive=positive, n_jobs=n_jobs).set_callbacks(
        recorder
    )
    encoder.fit(*data)
    block = "block of targets"
    assert recorder.events == [
        ("setup", "fit", 4),
        ("begin", "fit", 4),
        *4 * [("begin", block, 0), ("end", block, 0)],
        ("end", "fit", 4),
        ("teardown", "fit", 4),
    ]


@pytest.mark.parametrize(
    "encoder",
    [
        SparsePositiveEncoderCV("lasso", 3, cv=5),
        SparsePositiveEncoderCV("ridge", 3, cv=5, positive=False),
        SparsePositiveEncoderCV("lasso", 3, cv=5, alpha_per_target=False, refit="all"),
        SparsePositiveEncoderCV("lasso", 3, cv=[(np.arange(20), np.arange(20, 30))] * 5),
    ],
    ids=["subtracted", "ridge", "shared", "fitted"],
)
@pytest.mark.filterwarnings("ignore:.*left empty:UserWarning")  # targets are noise
@pytest.mark.parametrize(("backend", "n_jobs"), [("threading", 1), ("threading", 2), ("loky", 2)])
def test_every_block_in_every_fold_is_a_task(data, encoder, backend, n_jobs):
    recorder = Recorder()
    with parallel_config(backend, n_jobs=n_jobs):
        clone(encoder).set_callbacks(recorder).fit(*data)
    step, n_steps = "block of targets in a fold", 4 * (5 + 1)  # the final fit counts as a fold
    assert recorder.events == [
        ("setup", "fit", n_steps),
        ("begin", "fit", n_steps),
        *n_steps * [("begin", step, 0), ("end", step, 0)],
        ("end", "fit", n_steps),
        ("teardown", "fit", n_steps),
    ]


@pytest.mark.parametrize(("n_folds", "n_final"), [(20, 100), (100, 20), (30, 74), (1, 3)])
def test_final_fit_moves_a_bar_evenly(n_folds, n_final):
    begun = []

    def begin(results, *, total):
        for result in results:
            begun.append(result)
            yield result
        assert len(begun) == total

    tasks = TasksOfChoice(begin, n_splits=2)
    list(tasks.of_folds([1] * (2 * n_folds), total=2 * n_folds))
    for k, _ in enumerate(tasks.of_final_fit(range(n_final), total=n_final), 1):
        assert len(begun) - 2 * n_folds == n_folds * k // n_final


def test_callbacks_see_the_fitted_encoder_and_its_data(data):
    X, Y = data
    recorder = Recorder()
    encoder = SparsePositiveEncoder(alpha=0.01).set_callbacks(recorder).fit(X, Y)
    np.testing.assert_array_equal(recorder.X, X)
    np.testing.assert_array_equal(recorder.y, Y)
    np.testing.assert_array_equal(recorder.fitted.predict(X), encoder.predict(X))


def test_callbacks_change_no_result(data):
    plain = SparsePositiveEncoder().fit(*data)
    watched = SparsePositiveEncoder().set_callbacks(Recorder()).fit(*data)
    np.testing.assert_array_equal(plain.coef_, watched.coef_)


@pytest.mark.filterwarnings("ignore:.* tasks :UserWarning")  # joblib's, on work thrown away
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callback_that_raises_leaves_nothing_behind(data, n_jobs):
    def blas_threads():
        return [lib["num_threads"] for lib in threadpool_info()]

    before, stopper = blas_threads(), Stopper()
    encoder = SparsePositiveEncoder(n_jobs=n_jobs).set_callbacks(stopper)
    with pytest.raises(RuntimeError, match="enough") as held:
        encoder.fit(*data)
    assert held.traceback
    assert blas_threads() == before
    assert stopper.events[-1] == ("teardown", "fit", 4)
    assert not hasattr(encoder, "coef_")
    assert not hasattr(encoder, "n_features_in_")


def test_bad_data_tear_callbacks_down(data):
    X, Y = data
    Y[3, 20] = np.nan
    recorder = Recorder()
    with pytest.raises(ValueError, match="NaN"):
        SparsePositiveEncoder().set_callbacks(recorder).fit(X, Y)
    assert recorder.events[-1][0] == "teardown"


def test_scoring_monitor_inside_pipeline_and_search(data):
    X, Y = data
    monitor = ScoringMonitor(scoring="r2")
    piped = make_pipeline(StandardScaler(), SparsePositiveEncoder().set_callbacks(monitor))
    grid = {"sparsepositiveencoder__alpha": [0.01, 0.1]}
    search = GridSearchCV(piped, grid, cv=2).fit(X, Y)
    scores = [row["r2"] for log in monitor.get_logs(select="all") for row in log.data]
    assert len(scores) == 2 * 2 + 1  # candidates times folds, and the refit
    assert search.score(X, Y) in scores


def test_recorder_inside_pipeline_and_search(data):
    recorder = Recorder()
    piped = make_pipeline(StandardScaler(), SparsePositiveEncoder().set_callbacks(recorder))
    GridSearchCV(piped, {"sparsepositiveencoder__alpha": [0.01, 0.1]}, cv=2).fit(*data)
    blocks = [event for event in recorder.events if event[:2] == ("end", "block of targets")]
    assert len(blocks) == 4 * (2 * 2 + 1)


def test_progress_bar_of_scikit_learn(data, capsys):
    pytest.importorskip("rich")
    SparsePositiveEncoder().set_callbacks(ProgressBar()).fit(*data)
    assert "SparsePositiveEncoder" in capsys.readouterr().out


def test_only_callbacks_are_accepted():
    with pytest.raises(TypeError, match="FitCallback protocol"):
        SparsePositiveEncoder().set_callbacks(print)
