"""The connections of a node that are not closed yet, and the wait for the last of them."""

from collections.abc import Iterator

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from p2pchat.chat.closing import LEAVE_TIMEOUT
from p2pchat.chat.link import Ending
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.chat.wire import HANG_UP_TIMEOUT
from p2pchat.identity import PeerId


class LiveLinks:
    """All connections, those in their handshake too, in the order in which they were made."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._links: dict[ChatProtocol, None] = {}
        self._all_closed: Deferred[None] | None = None

    def __iter__(self) -> Iterator[ChatProtocol]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)

    def add(self, link: ChatProtocol) -> None:
        """Note a connection."""
        self._links[link] = None

    def discard(self, link: ChatProtocol) -> None:
        """Note that a connection is closed."""
        self._links.pop(link, None)

    def is_meeting(self, peer_id: PeerId) -> bool:
        """Tell whether a link that we dialled to this peer is in its handshake."""
        return any(link.expected == peer_id and link.established_at is None for link in self)

    async def leave(self) -> None:
        """Say BYE on every link and wait for closed_one() to find none, but not for ever."""
        for link in list(self._links):
            link.leave(Ending.WE_LEFT, "leaving")
        if self._links:
            self._all_closed = Deferred()
            guard = self._clock.callLater(2 * (LEAVE_TIMEOUT + HANG_UP_TIMEOUT), self._stop_waiting)
            await self._all_closed
            if guard.active():
                guard.cancel()

    def closed_one(self) -> None:
        """All that follows from the end of a link is done: go on if it was the last one."""
        if not self._links:
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._all_closed is not None:
            waiting, self._all_closed = self._all_closed, None
            waiting.callback(None)
