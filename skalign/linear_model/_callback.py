"""Progress through scikit-learn's callbacks; experimental there, so imported only here."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, repeat
from typing import Any, TypeVar

from sklearn.callback import CallbackSupportMixin
from sklearn.callback import with_callbacks as _with_callbacks

Fit = TypeVar("Fit", bound=Callable[..., Any])
Result = TypeVar("Result")

__all__ = ["CallbackSupportMixin", "TasksOfChoice", "begin_tasks", "end_fit", "with_callbacks"]


def with_callbacks(fit: Fit) -> Fit:
    """Decorate a `fit` whose estimator takes callbacks."""
    decorated: Fit = _with_callbacks(fit)
    return decorated


def begin_tasks(
    estimator: Any,
    results: Iterable[Result],
    *,
    total: int,
    task_name: str = "block of targets",
    **data: Any,
) -> Iterator[Result]:
    """Pass `results` on; every one of the `total` is a task of the estimator's callbacks.

    Parameters
    ----------
    estimator : estimator
        Being fitted; its fit is decorated by ``with_callbacks``.
    results : iterable
        Whose items are computed when asked for.
    total : int
        How many there are.
    task_name : str, default="block of targets"
        What one of them is.
    **data : dict
        ``X``, ``y`` and ``metadata`` of the fit.

    Yields
    ------
    result
        Every item of `results`.
    """
    context = estimator._init_callback_context(max_subtasks=total)
    context.call_on_fit_task_begin(estimator=estimator, **data)
    items = iter(results)
    for _ in range(total):
        task = context.subcontext(task_name=task_name)
        task.call_on_fit_task_begin(estimator=estimator)
        result = next(items)
        task.call_on_fit_task_end(estimator=estimator)
        yield result


class TasksOfChoice:
    """Tasks of a cross-validation and of the final fit, whose number is known at the start.

    The final fit counts as many as a fold does, whatever its own number of blocks.

    Parameters
    ----------
    begin : callable
        :func:`begin_tasks`, with all but `results` and `total`.
    n_splits : int
        Number of folds.
    """

    def __init__(self, begin: Callable[..., Iterator[Any]], n_splits: int) -> None:
        self._begin, self._n_splits = begin, n_splits
        self._tasks: Iterator[Any] = iter(())
        self._n_left = 0

    def of_folds(self, results: Iterable[Result], *, total: int) -> Iterator[Result]:
        """Pass on the results of folds, each a task."""
        self._n_left = max(1, total // self._n_splits)
        self._tasks = self._begin(
            chain(results, repeat(None, self._n_left)), total=total + self._n_left
        )
        yield from islice(self._tasks, total)

    def of_final_fit(self, results: Iterable[Result], *, total: int) -> Iterator[Result]:
        """Pass on the results of the final fit, which take their share of its tasks."""
        share = self._n_left
        for n_after, result in zip(range(total - 1, -1, -1), results, strict=True):
            self.finish(n_left=-(-share * n_after // total))
            yield result

    def finish(self, n_left: int = 0) -> None:
        """End tasks until so many are left."""
        while self._n_left > n_left:
            self._n_left -= 1
            next(self._tasks)


def end_fit(estimator: Any, **data: Any) -> None:
    """Tell the callbacks that the estimator is fitted.

    Parameters
    ----------
    estimator : estimator
        With all its fitted attributes set.
    **data : dict
        ``X``, ``y`` and ``metadata`` of the fit.
    """
    estimator._callback_fit_ctx.call_on_fit_task_end(
        estimator=estimator, reconstruction_attributes={}, **data
    )
