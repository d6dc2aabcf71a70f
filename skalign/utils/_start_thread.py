"""Threads that an interrupt of the thread which starts them cannot break."""

from _thread import start_new_thread
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from threading import Thread


def start_thread(function: Callable[[], object]) -> None:
    """Run a function in a new thread, in a copy of this thread's context.

    ``Thread.start`` waits in Python code that an interrupt can leave in a state of its own making.
    So another thread calls it, which no interrupt reaches.
    """
    start_new_thread(_start_or_run, (partial(copy_context().run, function),))


def _start_or_run(function: Callable[[], object]) -> None:
    try:
        Thread(target=function, daemon=False).start()
    except RuntimeError:  # no room for one more thread
        function()
