"""Questions to the store, answered one after another in a thread of their own."""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool

from p2pchat.errors import QueueFullError
from p2pchat.history import StoreError
from p2pchat.store.database import Database

T = TypeVar("T")

#: How many questions may wait.
MAX_WAITING = 1_000

Query = Callable[[sqlite3.Connection], T]


class Reader:
    """Asks the database in the threads of `pool`."""

    def __init__(self, reactor: Any, pool: Any, database: Database) -> None:
        self._reactor = reactor
        self._pool = pool
        self._database = database
        self._waiting: deque[tuple[Query[Any], Deferred[Any]]] = deque()
        self._running = False
        self._open = True
        self._stopping: Deferred[None] | None = None

    def ask(self, query: "Query[T]") -> "Deferred[T]":
        """Fire with what the query returns; StoreError, QueueFullError if too much waits."""
        if not self._open:
            return fail(StoreError("the history is closed"))
        if len(self._waiting) >= MAX_WAITING:
            return fail(QueueFullError(f"{len(self._waiting)} questions wait already"))
        answer: Deferred[T] = Deferred()
        self._waiting.append((query, answer))
        self._go_on()
        return answer

    def stop(self) -> "Deferred[None]":
        """Give up what is asked; fires when no thread is busy."""
        self._open = False
        stopping = self._stopping = Deferred()
        waiting = list(self._waiting)
        self._waiting.clear()
        for _, answer in waiting:
            answer.errback(StoreError("the history is closed"))
        self._database.interrupt()
        self._go_on()
        return stopping

    def _go_on(self) -> None:
        if self._running:
            return
        if self._waiting:
            self._running = True
            query, answer = self._waiting.popleft()
            running = deferToThreadPool(self._reactor, self._pool, self._database.read, query)
            running.addBoth(self._read, answer)
        elif self._stopping is not None:
            stopping, self._stopping = self._stopping, None
            stopping.callback(None)

    def _read(self, result: Any, answer: "Deferred[Any]") -> None:
        self._running = False
        # a Failure as well
        answer.callback(result)
        self._go_on()
