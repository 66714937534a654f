"""Time that never goes back, whatever is done to the clock."""

from collections.abc import Callable


class Steady:
    """A clock that never goes back: when `seconds` does, it goes on from where it was last seen.

    Most reactors go by the wall clock, and nothing may stay registered for longer because that was
    set back.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._last = seconds()
        self._ahead = 0.0

    def __call__(self) -> float:
        now = self._seconds()
        if now < self._last:
            self._ahead += self._last - now
        self._last = now
        return now + self._ahead
