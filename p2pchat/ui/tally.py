"""What the toolbar of a terminal counts."""

from p2pchat.events import ArchiveGrew, Event, HistoryOpened, MessageReceived, PeerDown, PeerUp
from p2pchat.identity import PeerId
from p2pchat.ui.words import shown


class Tally:
    """Peers that are connected, and what others wrote since the user last typed a line.

    With that goes what came in earlier runs, until it is listed(). `waiting` is how many messages
    of ours are not delivered yet.
    """

    def __init__(self, me: PeerId) -> None:
        self.waiting = 0
        self._me = me
        self._connected: set[str] = set()
        self._unread = 0
        self._unread_before = 0

    def count(self, event: Event) -> bool:
        """Take note of an event; tell whether there is more unread by it."""
        unread = self._unread
        match event:
            case PeerUp():
                self._connected.add(event.peer_id)
            case PeerDown():
                self._connected.discard(event.peer_id)
            case HistoryOpened():
                self._unread_before = event.unread
            case MessageReceived():
                self._unread += 1
            case ArchiveGrew() if event.source not in ("mined", "file"):
                self._unread += len(event.chats)
        return self._unread > unread

    def read(self) -> None:
        """Take note that the user has seen everything on the screen."""
        self._unread = 0

    def listed(self, left: int) -> None:
        """Take note that the user has seen all that was unread, but for so many."""
        self._unread_before = left

    def __str__(self) -> str:
        unread = self._unread_before + self._unread
        parts = [shown(self._me), f"{len(self._connected)} connected", f"{unread} unread"]
        if self.waiting:
            parts.append(f"{self.waiting} in the outbox")
        return " | ".join(parts)
