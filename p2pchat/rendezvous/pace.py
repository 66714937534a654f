"""When to ask a rendezvous server next (docs/protocols.md, section 1)."""

from random import Random

#: Seconds to leave a server alone that has blocked us, or closed without an answer.
BLOCK_TIME = 60.0

_FIRST_RETRY = 1.0


class Pace:
    """Delays in seconds, each with jitter, so that nodes that started together drift apart.

    `interval` is the longest that a server is left alone, as long as it does not block us.
    """

    def __init__(self, rng: Random, interval: float) -> None:
        self._rng = rng
        self._interval = interval
        self._failures = 0

    def regular(self) -> float:
        """All is well: three quarters of the interval or more, but never longer than it."""
        self._failures = 0
        return self._jittered(self._interval)

    def backoff(self) -> float:
        """It failed again: 1 s, doubling up to the interval."""
        # The exponent is bounded, for a server may be down for years.
        delay = min(_FIRST_RETRY * 2 ** min(self._failures, 32), self._interval)
        self._failures += 1
        return self._jittered(delay)

    def blocked(self) -> float:
        """It blocks us: a minute, and a little more."""
        return BLOCK_TIME + self._rng.uniform(0.0, 3.0)

    def soon(self, seconds: float) -> float:
        """Something happened: about so many seconds."""
        return self._rng.uniform(0.8, 1.2) * seconds

    def _jittered(self, delay: float) -> float:
        return delay * self._rng.uniform(0.75, 1.0)
