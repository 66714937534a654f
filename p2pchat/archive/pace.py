"""Whether a message keeps coming: a byte now and then is no progress (docs/protocols.md, 3.7)."""

from twisted.internet.interfaces import IReactorTime

#: What has to come of a message in each `timeout` after its first one, on average, in bytes.
LEAST = 1024


class Pace:
    """Measures one message at a time; only the time in which we wait for the peer counts."""

    def __init__(self, clock: IReactorTime, timeout: float) -> None:
        self._clock = clock
        self._timeout = timeout
        self._came = 0
        self._waited = 0.0
        self._since = 0.0

    @property
    def too_slow(self) -> bool:
        """Whether less has come than must have, for as long as we waited."""
        return self._came < LEAST * (self._waited / self._timeout - 1)

    def begin_waiting(self) -> None:
        """From now on it is the peer's turn."""
        self._since = self._clock.seconds()

    def end_waiting(self) -> None:
        """Something came in the middle of a message."""
        self._waited += self._clock.seconds() - self._since

    def add(self, size: int) -> None:
        """So many bytes of the message came."""
        self._came += size

    def begin_message(self) -> None:
        """Forget the message that is over."""
        self._came, self._waited = 0, 0.0
