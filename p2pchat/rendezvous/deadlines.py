"""One timer for all who have the same time for something."""

from collections.abc import Callable
from itertools import takewhile
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Tells whose time is over: so many `seconds` from when it began, the same for all.

    Who began first is due first, so that it takes one timer only, which is there as long as anybody
    is. `expired` is called with each that is due; it may begin or end any.
    """

    def __init__(self, clock: IReactorTime, seconds: float, expired: Callable[[T], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._expired = expired
        # In the order they began.
        self._ends: dict[T, float] = {}
        self._timer: IDelayedCall | None = None

    def begin(self, one: T) -> None:
        """Give one its time, which it has not got yet."""
        self._ends[one] = self._clock.seconds() + self._seconds
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._look)

    def end(self, one: T) -> None:
        """Forget one: it was in time, or is told already."""
        self._ends.pop(one, None)
        if not self._ends and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        due = list(takewhile(lambda one: self._ends[one] <= now, self._ends))
        try:
            for one in due:
                if self._ends.pop(one, None) is not None:
                    self._expired(one)
        finally:  # whatever breaks must not cost the others their end
            self._wait_for_next(now)

    def _wait_for_next(self, now: float) -> None:
        if self._ends and self._timer is None:
            end = next(iter(self._ends.values()))
            self._timer = self._clock.callLater(max(0.0, end - now), self._look)
