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

from p2pchat.archive.kernel import TRIES_A_LOOK, search

#: Codes between the starts of two threads: more than anybody will ever try.
_SHARE = 1 << 56


class _Search:
    """One search: `over` is set when it is found or given up."""

    def __init__(self, clock: IReactorTime) -> None:
        self.over = Event()
        self.began = clock.seconds()
        self.looks = 0

    def look(self) -> bool:
        """Count the tries, and tell whether to stop."""
        self.looks += 1
        return self.over.is_set()


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
            running = deferToThreadPool(self._reactor, pool, search, prefix, current.look, first)
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

    def _ended(self, search: _Search, found: Callable[[bytes], None], code: bytes | None) -> None:
        if search is not self._search or code is None:
            return
        search.over.set()
        self._search = None
        # each thread that has begun is on average in the middle of what lies between two looks
        self._tries += (search.looks - min(search.looks, self._threads) / 2) * TRIES_A_LOOK
        self._seconds += self._clock.seconds() - search.began
        found(code)

    def _failed(self, failure: Failure, search: _Search) -> None:
        self.log.failure("mining failed", failure)
        if search is self._search:
            self.cancel()

    def _forget(self, result: Any, running: "Deferred[Any]") -> None:
        self._ending.discard(running)
