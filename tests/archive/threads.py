"""A reactor's clock and its threads, moved by the test: what is given to a thread waits there."""

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure


class ThreadedClock(Clock):
    """Time stands still until advance(), a thread until finish() lets it run."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[tuple[Callable[[bool, Any], object], Callable[[], object]]] = []

    def finish(self, index: int = 0) -> None:
        """Let one of the threads run to its end, and the reactor hear of it."""
        heard, call = self.threads.pop(index)
        try:
            success, result = True, call()
        except Exception:  # noqa: BLE001 - whatever it is, it is the result
            success, result = False, Failure()
        heard(success, result)

    def finish_all(self) -> None:
        """Let threads run until there are none."""
        while self.threads:
            self.finish()

    # What deferToThreadPool uses

    def getThreadPool(self) -> "ThreadedClock":
        return self

    def callInThreadWithCallback(  # noqa: N802 - Twisted's
        self, heard: Callable[[bool, Any], object], call: Callable[..., object], *args: Any
    ) -> None:
        self.threads.append((heard, lambda: call(*args)))

    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        call(*args)
