"""A history that answers when a test says so, as a disk would, or fails."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from p2pchat.errors import QueueFullError
from p2pchat.history import Bounds, OutboxEntry, Received, StoreError
from p2pchat.store.memory import MemoryHistory
from p2pchat.store.notebook import Notebook
from tests.at_once import at_once
from tests.chat.bare import ME

#: When everything happens in the tests of one part alone.
NOW = datetime(2025, 1, 1, tzinfo=UTC)


class SlowHistory(MemoryHistory):
    """A history in memory, open already; what is written while it is `held` waits for commit().

    While it is `broken` all that is written fails, while it is `full` nothing more is taken.
    `asked` counts what was written to it.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        super().__init__(Clock(), ME, bounds or Bounds(), lambda: NOW)
        self.held = False
        self.broken = False
        self.full = False
        self.asked = 0
        self._bounds = bounds or Bounds()
        self._watchers: list[Callable[[], None]] = []
        self._waiting: list[tuple[Deferred[Any], Any]] = []
        at_once(self.open())

    def commit(self, count: int | None = None) -> None:
        """Do what waits, in order, or the first `count` of it."""
        waiting = self._waiting[:count]
        del self._waiting[:count]
        for deferred, write in waiting:
            if self.broken:
                deferred.errback(Failure(StoreError("disk full")))
            else:
                write().chainDeferred(deferred)

    def crash(self) -> None:
        """Lose what waits."""
        self._waiting.clear()

    def lose(self) -> None:
        """Have a damaged file replaced of which nothing can be read."""
        self._notebook = Notebook(ME, self._bounds, lambda: NOW)
        for watcher in self._watchers:
            watcher()

    def watch(self, replaced: Callable[[], None]) -> None:
        self._watchers.append(replaced)

    def requeue(self, entries: Sequence[OutboxEntry]) -> "Deferred[int]":
        return self._write(partial(super().requeue, entries))

    def receive(self, batch: Sequence[Received]) -> "Deferred[list[int | None]]":
        return self._write(partial(super().receive, batch))

    def queue(self, *message: Any) -> "Deferred[int]":
        return self._write(partial(super().queue, *message))

    def published(self, *message: Any) -> "Deferred[int]":
        return self._write(partial(super().published, *message))

    def attempting(self, msg_id: str) -> "Deferred[bool]":
        return self._write(partial(super().attempting, msg_id))

    def written(self, msg_id: str, *, counted: bool = False) -> "Deferred[bool]":
        return self._write(partial(super().written, msg_id, counted=counted))

    def settled(self, *message: Any) -> "Deferred[bool]":
        return self._write(partial(super().settled, *message))

    def cancel(self, message: int | str) -> "Deferred[bool]":
        return self._write(partial(super().cancel, message))

    def _write(self, write: Any) -> "Deferred[Any]":
        self.asked += 1
        if self.full:
            return fail(QueueFullError("the disk is behind"))
        deferred: Deferred[Any] = Deferred()
        self._waiting.append((deferred, write))
        if not self.held:
            self.commit()
        return deferred
