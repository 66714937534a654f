"""What completion knows from the history, fetched beforehand: a key must not wait for it."""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.api import NodeApi
from p2pchat.errors import QueueFullError
from p2pchat.history import KnownPeer, OutboxEntry, StoreError
from p2pchat.ui.commands import parse

#: How old the peers may be that completion offers, in seconds.
MAX_AGE = 60.0


class Recollection:
    """The peers of old, the last one first, and what waits to be delivered."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, api: NodeApi) -> None:
        self._clock = clock
        self._api = api
        self._fetched_at: float | None = None
        self._fetching = False
        self.peers: list[KnownPeer] = []
        self.outbox: list[OutboxEntry] = []

    async def refresh(self, before_cursor: str = "") -> None:
        """Fetch what completing this line needs, if it is not there or too old; never fails."""
        name = parse(before_cursor)[0].lower()
        try:
            if name == "/cancel":
                self.outbox = await self._api.history.outbox()
            elif not self._fetching and self._is_old():
                await self._fetch_peers()
        except (StoreError, QueueFullError) as error:
            self._log.debug("nothing to complete from: {error}", error=error)

    def spoken_to(self, peer_id: str) -> None:
        """Take note that there is a message to a peer, who may be a new one."""
        if all(peer.peer_id != peer_id for peer in self.peers):
            self._fetched_at = None

    def _is_old(self) -> bool:
        at = self._fetched_at
        return at is None or self._clock.seconds() - at >= MAX_AGE

    async def _fetch_peers(self) -> None:
        self._fetching = True
        try:
            peers = await self._api.history.peers()
        finally:
            self._fetching = False
        self.peers = sorted(peers, key=lambda peer: peer.last_contact, reverse=True)
        self._fetched_at = self._clock.seconds()
