"""Doing one thing again and again: never twice at a time, and never for the last time."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

# Seconds to the next round after one that ended in an error of our own.
_AFTER_A_BUG = 60.0


class Rounds:
    """Runs rounds of `work`, a coroutine that returns the seconds to wait before the next.

    Whatever a round raises, there is a next one, until `stop`.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, work: Callable[[], Coroutine[Deferred[Any], Any, float]]
    ) -> None:
        self._clock = clock
        self._work = work
        self._round: Deferred[float] | None = None
        self._timer: IDelayedCall | None = None
        self._hurried: float | None = None
        self._rest_until = 0.0
        self._waiters: list[Deferred[None]] = []
        self.running = False

    @property
    def resting(self) -> bool:
        """Whether the next round may not be brought forward."""
        return self._clock.seconds() < self._rest_until

    @property
    def pause(self) -> float | None:
        """Seconds until the next round; None while one is under way and when there is none."""
        if self._timer is None:
            return None
        return max(0.0, self._timer.getTime() - self._clock.seconds())

    def start(self) -> None:
        """Begin with a round now."""
        self.running = True
        self._begin()

    def stop(self) -> None:
        """Have no more rounds; one that is under way is cancelled."""
        self.running = False
        self._cancel_timer()
        if self._round is not None:
            self._round.cancel()

    def join(self) -> Deferred[None]:
        """Begin a round now if none is under way; fires when it ends, however it does."""
        if not self.running or self.resting:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        if self._round is None:
            self._begin()
        return waiter

    def hurry(self, delay: float) -> None:
        """Begin the next round in delay seconds at the latest, unless resting."""
        if not self.running or self.resting:
            return
        if self._round is not None:
            self._hurried = delay if self._hurried is None else min(delay, self._hurried)
        elif self._timer is None or self._timer.getTime() > self._clock.seconds() + delay:
            self._wait(delay)

    def rest(self, seconds: float) -> None:
        """Let nobody bring the next round forward for so long; 0 ends a rest."""
        self._rest_until = self._clock.seconds() + seconds

    def _begin(self) -> None:
        self._cancel_timer()
        self._hurried = None
        self._round = Deferred.fromCoroutine(self._work())
        self._round.addErrback(self._broken).addCallback(self._end)

    def _broken(self, failure: Failure) -> float:
        if self.running or not failure.check(CancelledError):
            self.log.failure("a round of {work} failed", failure, work=self._work)
        return _AFTER_A_BUG

    def _end(self, delay: float) -> None:
        self._round = None
        if self._hurried is not None and not self.resting:
            delay = min(delay, self._hurried)
        if self.running:
            self._wait(delay)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _wait(self, delay: float) -> None:
        self._cancel_timer()
        self._timer = self._clock.callLater(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._begin()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
