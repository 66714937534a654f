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

from p2pchat.archive.kernel import ALIGNMENT, CODES, search, tries_a_look

#: Codes between the starts of two threads: more than anybody will ever try.
_SHARE = 1 << 56


class _Effort:
    """What one thread has tried for how many seconds; it writes, and the reactor's thread reads."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._began = clock.seconds()
        self.tries = 0
        self.seconds = 0.0

    def note(self, tries: int) -> None:
        """Note how many codes were tried since the last time."""
        self.tries += tries
        self.seconds = self._clock.seconds() - self._began


class _Search:
    """One search: `over` is set when it is found or given up."""

    def __init__(self, clock: IReactorTime) -> None:
        self.over = Event()
        self.efforts: list[_Effort] = []
        self._clock = clock

    def run(self, prefix: bytes, first: int) -> bytes | None:
        """Search in this thread; return a code unless it is over before one is found."""
        effort = _Effort(self._clock)
        self.efforts.append(effort)
        begun = False

        def is_over() -> bool:
            nonlocal begun
            if begun:
                effort.note(tries_a_look())
            begun = True
            return self.over.is_set()

        code = search(prefix, is_over, first)
        if code is not None:
            all_tries = int.from_bytes(code, "big") - first // ALIGNMENT * ALIGNMENT + 1
            effort.note(all_tries % CODES - effort.tries)
        return code


class Miner:
    """Searches on so many threads of the reactor's pool."""

    log = Logger()

    def __init__(self, reactor: Any, threads: int) -> None:
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._threads = threads
        self._search: _Search | None = None
        self._ending: set[Deferred[Any]] = set()
        self._tries = 0
        self._seconds = 0.0

    @property
    def rate(self) -> float:
        """Tries a second in all searches so far, on all threads together; 0 before the first."""
        tries, seconds = self._tries, self._seconds
        for effort in self._efforts:
            tries, seconds = tries + effort.tries, seconds + effort.seconds
        return tries / seconds * self._threads if seconds else 0.0

    @property
    def tries(self) -> int:
        """How many codes the search that goes on has tried; one in 65,536 fits."""
        return sum(effort.tries for effort in self._efforts) if self.mining else 0

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
            self._end(self._search)

    def stop(self) -> "Deferred[None]":
        """Give up, and fire when no thread searches any more."""
        self.cancel()
        waiting: list[Deferred[Any]] = []
        for running in self._ending:
            waiting.append(Deferred())
            running.chainDeferred(waiting[-1])
        return gatherResults(waiting).addCallback(lambda _: None)

    @property
    def _efforts(self) -> "list[_Effort]":
        return self._search.efforts if self._search is not None else []

    def _end(self, search: _Search) -> None:
        """Have its threads stop, and count what they have tried until now."""
        search.over.set()
        self._search = None
        for effort in search.efforts:
            self._tries += effort.tries
            self._seconds += effort.seconds

    def _ended(self, search: _Search, found: Callable[[bytes], None], code: bytes | None) -> None:
        if search is self._search and code is not None:
            self._end(search)
            found(code)

    def _failed(self, failure: Failure, search: _Search) -> None:
        self.log.failure("mining failed", failure)
        if search is self._search:
            self.cancel()

    def _forget(self, result: Any, running: "Deferred[Any]") -> None:
        self._ending.discard(running)
