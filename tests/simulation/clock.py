"""Virtual time: one queue of events for the whole network.

Events run one by one, in order of their time and, at the same time, in the order in which they were
scheduled. Nothing here reads the wall clock.
"""

from collections.abc import Callable
from heapq import heappop, heappush

MAX_EVENTS_AT_ONE_INSTANT = 100_000


class Livelock(AssertionError):  # noqa: N818 - the word of the field
    """So many events ran at one instant that time does not move any more."""


class VirtualClock:
    """The time of the simulated world, in seconds from 0."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events_run = 0
        self._queue: list[tuple[float, int, Callable[..., object], tuple[object, ...]]] = []
        self._scheduled = 0
        self._instant_began = 0

    def call_at(self, time: float, function: Callable[..., object], *args: object) -> None:
        """Run function(*args) at that time, or as the last event of this instant if it is past."""
        self._scheduled += 1
        now = self.now
        heappush(self._queue, (time if time > now else now, self._scheduled, function, args))

    def step(self, deadline: float) -> bool:
        """Run the next event if it is due by the deadline; else move to the deadline, say False."""
        if not self._queue or self._queue[0][0] > deadline:
            self.now = max(self.now, deadline)
            return False
        time, _, function, args = heappop(self._queue)
        self.events_run += 1
        if time > self.now:
            self.now, self._instant_began = time, self.events_run
        elif self.events_run > self._instant_began + MAX_EVENTS_AT_ONE_INSTANT:
            raise Livelock(f"{MAX_EVENTS_AT_ONE_INSTANT} events at {time:.6f} s: time stands still")
        function(*args)
        return True
