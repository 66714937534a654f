"""Messages taken but not yet shown: shown in slices, so that a burst never holds the reactor.

A burst is acknowledged at the speed of the wire; logging and printing it takes many times longer,
and goes on mostly when the burst is over. While messages are on their way to the disk hardly
anything is shown, for a moment: that would hold up the thread that stores them, and their ACKs.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
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

#: While messages are stored one is shown every so many seconds, and that for so long at the most.
HOLD_PAUSE = 0.005
HOLD_TIME = 0.25

#: A link is not read further while more than this many messages wait to be shown.
HIGH_WATER = 10_000
LOW_WATER = HIGH_WATER // 2

#: The same for their text, in characters.
HIGH_WATER_TEXT = 8 * 1024 * 1024
LOW_WATER_TEXT = HIGH_WATER_TEXT // 2

Spoken = Send | Pub | Relay

#: When a message came, from whom, what it says, and as what it is stored.
Taken = tuple[datetime, PeerId, Spoken, int]


@dataclass(slots=True)
class _Share:
    """How much of what waits came from one link; text in characters."""

    count: int = 0
    text: int = 0


class Inbox:
    """A bounded queue between links and `show`.

    When too much waits, only links with more than their share of it are paused: who floods us must
    not make the others look dead. `is_storing` tells whether messages are on their way to the disk.
    """

    def __init__(
        self,
        clock: IReactorTime,
        show: Callable[[Taken], None],
        is_storing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._show = show
        self._is_storing = is_storing
        self._held_since: float | None = None
        self._waiting: deque[tuple[Taken, Link]] = deque()
        self._shares: dict[Link, _Share] = {}
        self._all_text = 0
        self._busy = False
        self._paused: list[Link] = []
        self._turn: IDelayedCall | None = None

    def put(self, taken: Taken, link: Link) -> None:
        """Take a message; the link is paused while too many wait, and too many of them are its."""
        size = len(taken[2].payload)
        self._waiting.append((taken, link))
        share = self._shares.get(link)
        if share is None:
            share = self._shares[link] = _Share()
        share.count += 1
        share.text += size
        self._all_text += size
        self._busy = True
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._show_some)
        if self._is_full() and self._is_full_of(share) and link not in self._paused:
            self._paused.append(link)
            link.pause()

    def drain(self) -> None:
        """Show all that waits, now: the node is stopping."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        while self._waiting:
            self._show_one()

    def _is_held(self) -> bool:
        """Tell whether storing goes before showing, which it does for a moment."""
        if not self._is_storing() or not self._is_low():
            return False
        now = self._clock.seconds()
        if self._held_since is None:
            self._held_since = now
        return now - self._held_since < HOLD_TIME

    def _is_low(self) -> bool:
        return len(self._waiting) <= LOW_WATER and self._all_text <= LOW_WATER_TEXT

    def _is_full(self) -> bool:
        return len(self._waiting) > HIGH_WATER or self._all_text > HIGH_WATER_TEXT

    def _is_full_of(self, share: "_Share") -> bool:
        """Tell whether at least an equal part of what fills the inbox is one link's."""
        links = len(self._shares)
        return share.count * links >= HIGH_WATER or share.text * links >= HIGH_WATER_TEXT

    def _show_one(self) -> None:
        taken, link = self._waiting.popleft()
        size = len(taken[2].payload)
        self._all_text -= size
        share = self._shares[link]
        share.text -= size
        share.count -= 1
        if not share.count:
            del self._shares[link]
        self._show(taken)

    def _show_some(self) -> None:
        self._turn = None
        held = self._is_held()
        size = 1 if held else SLICE_WHILE_BUSY if self._busy else SLICE
        self._busy = False
        until = self._clock.seconds() + SLICE_TIME
        while self._waiting and size and self._clock.seconds() <= until:
            self._show_one()
            size -= 1
        if self._waiting:
            self._turn = self._clock.callLater(HOLD_PAUSE if held else 0, self._show_some)
        else:
            self._held_since = None
        if self._is_low():
            paused, self._paused = self._paused, []
            for link in paused:
                link.resume()
