"""Messages taken but not yet shown: shown in slices, so that a burst never holds the reactor.

A burst is acknowledged at the speed of the wire; logging and printing it takes many times longer,
and goes on mostly when the burst is over.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.chat.link import Link
from p2pchat.chat.messages import Pub, Relay, Send
from p2pchat.identity import PeerId

#: How many messages are shown before the reactor gets its turn; few while more keep coming.
SLICE = 32
SLICE_WHILE_BUSY = 4

#: A link is not read further while more than this many messages wait to be shown.
HIGH_WATER = 10_000
LOW_WATER = HIGH_WATER // 2

#: The same for their text, in characters.
HIGH_WATER_TEXT = 8 * 1024 * 1024
LOW_WATER_TEXT = HIGH_WATER_TEXT // 2

Spoken = Send | Pub | Relay

#: When a message came, from whom, and what it says.
Taken = tuple[datetime, PeerId, Spoken]


class Inbox:
    """A bounded queue between links and `show`."""

    def __init__(self, clock: IReactorTime, show: Callable[[Taken], None]) -> None:
        self._clock = clock
        self._show = show
        self._waiting: deque[Taken] = deque()
        self._text = 0
        self._busy = False
        self._paused: list[Link] = []
        self._turn: IDelayedCall | None = None

    def put(self, taken: Taken, link: Link) -> None:
        """Take a message; the link is paused while too many wait."""
        self._waiting.append(taken)
        self._text += len(taken[2].payload)
        self._busy = True
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._show_some)
        full = len(self._waiting) > HIGH_WATER or self._text > HIGH_WATER_TEXT
        if full and link not in self._paused:
            self._paused.append(link)
            link.pause()

    def drain(self) -> None:
        """Show all that waits, now: the node is stopping."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        while self._waiting:
            self._show_one()

    def _show_one(self) -> None:
        taken = self._waiting.popleft()
        self._text -= len(taken[2].payload)
        self._show(taken)

    def _show_some(self) -> None:
        self._turn = None
        size = SLICE_WHILE_BUSY if self._busy else SLICE
        self._busy = False
        for _ in range(min(size, len(self._waiting))):
            self._show_one()
        if self._waiting:
            self._turn = self._clock.callLater(0, self._show_some)
        if len(self._waiting) <= LOW_WATER and self._text <= LOW_WATER_TEXT:
            paused, self._paused = self._paused, []
            for link in paused:
                link.resume()
