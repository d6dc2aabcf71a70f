"""Progress through scikit-learn's callbacks; experimental there, so imported only here."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sklearn.callback import CallbackSupportMixin
from sklearn.callback import with_callbacks as _with_callbacks

Fit = TypeVar("Fit", bound=Callable[..., Any])
Result = TypeVar("Result")

__all__ = ["CallbackSupportMixin", "begin_tasks", "end_fit", "with_callbacks"]


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
        yield next(items)
        task.call_on_fit_task_end(estimator=estimator)


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
