"""Whom we know of earlier runs, and who will be known in later ones."""

from collections.abc import Callable, Iterator
from datetime import datetime

from twisted.logger import Logger

from p2pchat.chat.peers import Peer
from p2pchat.history import History
from p2pchat.identity import PeerId


class Acquaintances:
    """The names of peers of earlier runs and of those we wrote to, `limit` of them at the most.

    Whom we meet is noted in the history.
    """

    log = Logger()

    def __init__(
        self, me: PeerId, limit: int, history: History, wall_clock: Callable[[], datetime]
    ) -> None:
        self._me = me
        self._limit = limit
        self._history = history
        self._wall_clock = wall_clock
        self._names: dict[PeerId, None] = {}

    def __iter__(self) -> Iterator[PeerId]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def remember(self, peer_id: PeerId) -> None:
        """Know a peer by its name; whoever was remembered first makes room."""
        if peer_id == self._me:
            return
        self._names.pop(peer_id, None)
        self._names[peer_id] = None
        if len(self._names) > self._limit:
            del self._names[next(iter(self._names))]

    def met(self, peer: Peer) -> None:
        """Note a peer and where it is for later runs."""
        seen = self._history.peer_seen(peer.peer_id, peer.addresses, self._wall_clock())
        seen.addErrback(lambda failure: self.log.debug("[Store] {error}", error=failure.value))
