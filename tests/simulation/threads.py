"""Threads without threads: what is given to a pool runs in a later turn of the reactor."""

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from tests.simulation.reactor import HostReactor

# ruff: noqa: N802, N803 - the names are those of twisted.python.threadpool.ThreadPool

_log = Logger()


class SimulatedThreadPool:
    """The interface of Twisted's ThreadPool.

    Each call takes its time (Conditions.thread_time) on one of `max` workers and then runs, all at
    once, at the end of that time. With one worker calls run in the order given; with more, they may
    overtake each other. A call that waits for the reactor waits for ever.
    """

    min = 0

    def __init__(self, reactor: "HostReactor", maxthreads: int = 10) -> None:
        self._reactor = reactor
        self._calls: dict[int, Callable[[], None]] = {}
        self._given = 0
        self.joined = False
        self.adjustPoolsize(maxthreads=maxthreads)

    @property
    def busy(self) -> int:
        """How many calls were given and have not run yet."""
        return len(self._calls)

    def adjustPoolsize(self, minthreads: int | None = None, maxthreads: int | None = None) -> None:
        """Set the number of workers for what is given from now on."""
        if maxthreads is not None:
            self.max = maxthreads
            self._free_at = [0.0] * maxthreads

    def start(self) -> None:
        """Do nothing: the pool is always ready."""

    def stop(self) -> None:
        """Run what was given, as Twisted does before it joins its threads; refuse more."""
        self.joined = True
        for number in list(self._calls):
            self._run(number)

    def callInThread(self, func: Callable[..., object], *args: Any, **kw: Any) -> None:
        """Run func later; an exception is logged."""
        self.callInThreadWithCallback(None, func, *args, **kw)

    def callInThreadWithCallback(
        self,
        onResult: Callable[[bool, Any], object] | None,
        func: Callable[..., object],
        *args: Any,
        **kw: Any,
    ) -> None:
        """Run func later and call onResult(True, result) or onResult(False, failure)."""
        if self.joined:
            return
        self._given += 1
        self._calls[self._given] = lambda: _call(onResult, func, *args, **kw)
        end = max(heapq.heappop(self._free_at), self._reactor.seconds())
        end += self._reactor.network.duration_in_thread()
        heapq.heappush(self._free_at, end)
        self._reactor.run_at(end, self._run, self._given)

    def _run(self, number: int) -> None:
        call = self._calls.pop(number, None)
        if call is not None:
            call()


def _call(
    on_result: Callable[[bool, Any], object] | None,
    function: Callable[..., object],
    *args: Any,
    **kw: Any,
) -> None:
    try:
        success, result = True, function(*args, **kw)
    except Exception:  # noqa: BLE001 - whatever it is, it is the result
        success, result = False, Failure()
    if on_result is not None:
        on_result(success, result)
    elif not success:
        _log.failure("in a thread", failure=result)
