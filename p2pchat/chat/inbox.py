"""Messages taken but not yet shown: shown in slices, so that a burst never holds the reactor.

A burst is acknowledged at the speed of the wire; logging and printing it takes many times longer,
and goes on mostly when the burst is over.
"""

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.chat.link import Link
from p2pchat.chat.messages import Pub, Relay, Send
from p2pchat.identity import PeerId

#: How many messages are shown before the reactor gets its turn; few while more keep coming.
SLICE = 32
SLICE_WHILE_BUSY = 4

#: And for how long at the most, in seconds.
SLICE_TIME = 0.004

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
    """A bounded queue between links and `show`.

    When too much waits, only links with more than their share of it are paused: who floods us must
    not make the others look dead.
    """

    def __init__(self, clock: IReactorTime, show: Callable[[Taken], None]) -> None:
        self._clock = clock
        self._show = show
        self._waiting: deque[tuple[Taken, Link]] = deque()
        self._count: Counter[Link] = Counter()
        self._text: Counter[Link] = Counter()
        self._all_text = 0
        self._busy = False
        self._paused: list[Link] = []
        self._turn: IDelayedCall | None = None

    def put(self, taken: Taken, link: Link) -> None:
        """Take a message; the link is paused while too many wait, and too many of them are its."""
        size = len(taken[2].payload)
        self._waiting.append((taken, link))
        self._count[link] += 1
        self._text[link] += size
        self._all_text += size
        self._busy = True
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._show_some)
        if self._is_full_of(link) and link not in self._paused:
            self._paused.append(link)
            link.pause()

    def drain(self) -> None:
        """Show all that waits, now: the node is stopping."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        while self._waiting:
            self._show_one()

    def _is_full_of(self, link: Link) -> bool:
        """Tell whether too much waits, and at least an equal share of it is this link's."""
        links = len(self._count)
        many = len(self._waiting) > HIGH_WATER and self._count[link] * links >= HIGH_WATER
        much = self._all_text > HIGH_WATER_TEXT and self._text[link] * links >= HIGH_WATER_TEXT
        return many or much

    def _show_one(self) -> None:
        taken, link = self._waiting.popleft()
        size = len(taken[2].payload)
        self._all_text -= size
        self._text[link] -= size
        self._count[link] -= 1
        if not self._count[link]:
            del self._count[link], self._text[link]
        self._show(taken)

    def _show_some(self) -> None:
        self._turn = None
        size = SLICE_WHILE_BUSY if self._busy else SLICE
        self._busy = False
        until = self._clock.seconds() + SLICE_TIME
        while self._waiting and size and self._clock.seconds() <= until:
            self._show_one()
            size -= 1
        if self._waiting:
            self._turn = self._clock.callLater(0, self._show_some)
        if len(self._waiting) <= LOW_WATER and self._all_text <= LOW_WATER_TEXT:
            paused, self._paused = self._paused, []
            for link in paused:
                link.resume()
