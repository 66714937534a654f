"""Looking for verification codes in threads, one chat at a time.

A search is given up by an event that its threads look at every few milliseconds; so the process can
always end, and the chat be mined on another archive as soon as ours grows.
"""

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.archive.kernel import ALIGNMENT, CODES, search

#: Codes between the starts of two threads: more than anybody will ever try.
_SHARE = 1 << 56


class _Search:
    """One search: `over` is set when it is found or given up."""

    def __init__(self, clock: IReactorTime) -> None:
        self.over = Event()
        self.began = clock.seconds()
        self.threads = 0

    def run(self, prefix: bytes, first: int) -> tuple[bytes, int] | None:
        """Search in this thread; return a code, and how many all threads have tried about."""
        self.threads += 1
        code = search(prefix, self.over.is_set, first)
        if code is None:
            return None
        # the threads that have begun are about as far as this one
        tries = int.from_bytes(code, "big") - first // ALIGNMENT * ALIGNMENT + 1
        return code, tries % CODES * self.threads


class Miner:
    """Searches on so many threads of the reactor's pool."""

    log = Logger()

    def __init__(self, reactor: Any, threads: int) -> None:
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._threads = threads
        self._search: _Search | None = None
        self._ending: set[Deferred[Any]] = set()
        self._tries = 0.0
        self._seconds = 0.0

    @property
    def rate(self) -> float:
        """Tries a second in all searches so far, 0 before the first has ended."""
        return self._tries / self._seconds if self._seconds else 0.0

    @property
    def mining(self) -> bool:
        return self._search is not None

    def search(self, prefix: bytes, start: int, found: Callable[[bytes], None]) -> None:
        """Look for a code behind prefix from `start` on; `found` hears of it unless cancelled."""
        self.cancel()
        current = self._search = _Search(self._clock)
        pool = self._reactor.getThreadPool()
        for number in range(self._threads):
            first = start + number * _SHARE
            running = deferToThreadPool(self._reactor, pool, current.run, prefix, first)
            self._ending.add(running)
            running.addCallback(partial(self._ended, current, found))
            running.addErrback(self._failed, current)
            running.addBoth(self._forget, running)

    def cancel(self) -> None:
        """Give up the search that goes on, if any."""
        if self._search is not None:
            self._search.over.set()
            self._search = None

    def stop(self) -> "Deferred[None]":
        """Give up, and fire when no thread searches any more."""
        self.cancel()
        waiting: list[Deferred[Any]] = []
        for running in self._ending:
            waiting.append(Deferred())
            running.chainDeferred(waiting[-1])
        return gatherResults(waiting).addCallback(lambda _: None)

    def _ended(
        self,
        search: _Search,
        found: Callable[[bytes], None],
        result: tuple[bytes, int] | None,
    ) -> None:
        if search is not self._search or result is None:
            return
        search.over.set()
        self._search = None
        code, tries = result
        self._tries += tries
        self._seconds += self._clock.seconds() - search.began
        found(code)

    def _failed(self, failure: Failure, search: _Search) -> None:
        self.log.failure("mining failed", failure)
        if search is self._search:
            self.cancel()

    def _forget(self, result: Any, running: "Deferred[Any]") -> None:
        self._ending.discard(running)
