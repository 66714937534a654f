"""Threads without threads: work runs where it is asked for, or when the test says so."""

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure

# ruff: noqa: N802, N803 - the names are those of Twisted's reactors and thread pools


class InlineReactor(Clock):
    """A clock that is called from threads as well; `triggers` are those of the shutdown."""

    def __init__(self) -> None:
        super().__init__()
        self.triggers: list[Callable[[], None]] = []

    def callFromThread(self, function: Callable[..., object], *args: Any) -> None:
        function(*args)

    def addSystemEventTrigger(
        self, phase: str, event: str, function: Callable[[], None]
    ) -> Callable[[], None]:
        assert (phase, event) == ("during", "shutdown")
        self.triggers.append(function)
        return function

    def removeSystemEventTrigger(self, trigger: Callable[[], None]) -> None:
        self.triggers.remove(trigger)


class InlinePool:
    """Runs what it is given at once, or while `held` not before run()."""

    def __init__(self) -> None:
        self.held = False
        self.started = False
        self._waiting: list[Callable[[], None]] = []

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        assert self.started
        assert not self._waiting, "stopped while there was work to do"
        self.started = False

    def callInThreadWithCallback(
        self, onResult: Callable[[bool, Any], object], function: Callable[..., Any], *args: Any
    ) -> None:
        assert self.started
        if self.held:
            self._waiting.append(lambda: _call(onResult, function, *args))
        else:
            _call(onResult, function, *args)

    def run(self) -> int:
        """Run what waits by now; return how much that was."""
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()
        return len(waiting)


def _call(
    on_result: Callable[[bool, Any], object], function: Callable[..., Any], *args: Any
) -> None:
    try:
        success, result = True, function(*args)
    except Exception:  # noqa: BLE001 - whatever it is, it is the result
        success, result = False, Failure()
    on_result(success, result)
