"""Checks of the file, one after another in a thread of their own."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.history import StoreError
from p2pchat.store.errors import DamagedError
from p2pchat.store.inspection import Inspection


class Inspector:
    """Does what an inspection has to do, in the threads of `pool`.

    `found` is called when something is wrong with the file.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, pool: Any, inspection: Inspection, found: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._pool = pool
        self._inspection = inspection
        self._found = found
        self._running = False
        self._open = True
        self._stopping: Deferred[None] | None = None

    def go_on(self) -> None:
        """Begin, if there is something to check."""
        if self._running:
            return
        if self._open and self._inspection.goes_on:
            self._running = True
            work = self._inspection.do_a_slice
            running = deferToThreadPool(self._reactor, self._pool, work)
            running.addErrback(self._failed)
            running.addCallback(self._ran)
        elif self._stopping is not None:
            stopping, self._stopping = self._stopping, None
            stopping.callback(None)

    def stop(self) -> "Deferred[None]":
        """Begin no other check; fires when none is under way. Closing the file ends one that is."""
        self._open = False
        stopping = self._stopping = Deferred()
        self.go_on()
        return stopping

    def _failed(self, failure: Failure) -> None:
        if failure.check(DamagedError):
            self._found()
        elif not failure.check(StoreError):
            self.log.failure("[Store] the file is not checked", failure)
        elif self._open:
            reason = failure.getErrorMessage()
            self.log.warn("[Store] the file is not checked: {reason}", reason=reason)

    def _ran(self, _: object) -> None:
        self._running = False
        self.go_on()
