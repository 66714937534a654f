"""How late the reactor comes to what is due: whether anything holds it up."""

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.counts import Histogram
from p2pchat.metrics.families import Metric, gauge, histogram

#: Seconds between two looks.
INTERVAL = 0.25

#: Seconds that the maximum is kept for, and up to twice that.
WINDOW = 60.0

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Lateness:
    """Has itself called all the time, and notes how late that is, in seconds."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._histogram = Histogram(_BOUNDS)
        self._timer: IDelayedCall | None = None
        self._window_end = 0.0
        self._recent = self._before = 0.0

    def start(self) -> None:
        """Begin."""
        self._window_end = self._clock.seconds() + WINDOW
        self._plan()

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def metrics(self) -> list[Metric]:
        """Return what was noted so far, and the longest of the last minute or two."""
        return [
            histogram(
                "p2pchat_reactor_lateness_seconds",
                "How late timers run because something held up the event loop.",
                self._histogram,
            ),
            gauge(
                "p2pchat_reactor_lateness_max_seconds",
                "The latest that a timer ran within the last minute or two.",
                max(self._recent, self._before),
            ),
        ]

    def _plan(self) -> None:
        due = self._clock.seconds() + INTERVAL
        self._timer = self._clock.callLater(INTERVAL, self._look, due)

    def _look(self, due: float) -> None:
        now = self._clock.seconds()
        late = max(0.0, now - due)
        self._histogram.add(late)
        if now >= self._window_end:
            self._before, self._recent = self._recent, 0.0
            self._window_end = now + WINDOW
        self._recent = max(self._recent, late)
        self._plan()
