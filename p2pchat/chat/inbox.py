"""Messages taken but not yet shown: shown in slices, so that a burst never holds the reactor.

A burst is acknowledged at the speed of the wire; logging and printing it takes many times longer.
"""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.chat.link import Link
from p2pchat.events import MessageReceived

#: How many messages are shown before the reactor gets its turn.
SLICE = 16

#: A link is not read further while more than this many messages wait to be shown.
HIGH_WATER = 10_000
LOW_WATER = HIGH_WATER // 2


class Inbox:
    """A bounded queue between links and `show`."""

    def __init__(self, clock: IReactorTime, show: Callable[[MessageReceived], None]) -> None:
        self._clock = clock
        self._show = show
        self._waiting: deque[MessageReceived] = deque()
        self._paused: list[Link] = []
        self._turn: IDelayedCall | None = None

    def put(self, message: MessageReceived, link: Link) -> None:
        """Take a message; the link is paused while too many wait."""
        self._waiting.append(message)
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._show_some)
        if len(self._waiting) > HIGH_WATER and link not in self._paused:
            self._paused.append(link)
            link.pause()

    def drain(self) -> None:
        """Show all that waits, now: the node is stopping."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        while self._waiting:
            self._show(self._waiting.popleft())

    def _show_some(self) -> None:
        self._turn = None
        for _ in range(min(SLICE, len(self._waiting))):
            self._show(self._waiting.popleft())
        if self._waiting:
            self._turn = self._clock.callLater(0, self._show_some)
        if len(self._waiting) <= LOW_WATER:
            paused, self._paused = self._paused, []
            for link in paused:
                link.resume()
