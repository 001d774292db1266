"""Where the time goes: seconds by stage, for whoever asks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
_RUNNING: ContextVar["Stopwatch | None"] = ContextVar("running", default=None)


class Stopwatch:
    """Seconds by the clock that stages took, a stage within another counted once.

    Attributes:
        seconds: Seconds of each stage, in the order in which they began.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seconds: dict[str, float] = {}
        self._stages: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block as a stage."""
        self._turn()
        self._stages.append(name)
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._turn()
            self._stages.pop()

    def _turn(self) -> None:
        """Book what has passed on the stage that was running."""
        now = time.perf_counter()
        if self._stages:
            self.seconds[self._stages[-1]] += now - self._since
        self._since = now


@contextmanager
def running(watch: Stopwatch) -> Iterator[None]:
    """Count the stages of what is done in the block, on this thread."""
    token = _RUNNING.set(watch)
    try:
        yield
    finally:
        _RUNNING.reset(token)


def timed(name: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a function a stage of that name, if a stopwatch is running."""

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(function)
        def counted(*arguments: _P.args, **options: _P.kwargs) -> _R:
            watch = _RUNNING.get()
            if watch is None:
                return function(*arguments, **options)
            with watch.stage(name):
                return function(*arguments, **options)

        return counted

    return decorate
