"""Steps of a block: what moves a progress bar before the block is done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

OneBlock = Callable[[Any], Any]


def compute_steps(function: OneBlock, block: Any, on_step: Callable[[], Any]) -> Any:
    """Compute a block; the result.

    Parameters
    ----------
    function : callable
        Gives the result; or a generator, which yields None after each step but the last, and then
        the result.
    block : object
        Its argument.
    on_step : callable
        Called after each step but the last.
    """
    result = None
    for result in steps_of(function, block):
        if result is None:
            on_step()
    return result


def steps_of(function: OneBlock, block: Any) -> Iterator[Any]:
    """None for every step but the last, and the result."""
    found = function(block)
    if isinstance(found, Generator):
        yield from found
    else:
        yield found


def ignore_step() -> None:
    """Where nobody hears of steps."""
