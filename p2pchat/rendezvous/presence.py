"""Being registered at a rendezvous server and asking it who else is.

A round registers us if that is due, asks who is there, and registers us again if the server does
not know us: another may have taken its place.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as TimedOutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.identity import Address, make_peer_id
from p2pchat.rendezvous.client import Listing, RendezvousClient
from p2pchat.rendezvous.errors import (
    BlockedError,
    BudgetSpentError,
    NotRegisteredError,
    RendezvousError,
    ServerDownError,
)
from p2pchat.rendezvous.health import Health
from p2pchat.rendezvous.listener import Found, RendezvousListener
from p2pchat.rendezvous.messages import Register, Unregister
from p2pchat.rendezvous.pace import Pace
from p2pchat.rendezvous.replies import Listed
from p2pchat.rendezvous.rounds import Rounds

#: Seconds for which an answer is not asked for again.
FRESH_TIME = 2.0

#: Seconds that leaving may wait for the server.
FAREWELL_TIME = 1.0

# Seconds between two rounds at least, however short the ttl that a server grants.
_SHORTEST_WAIT = 1.0


class Presence:
    """Keeps one registration alive at one server.

    `take_over` is called when the server fails; it returns True if that could be mended.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        client: RendezvousClient,
        pace: Pace,
        health: Health,
        listener: RendezvousListener,
        ours: Register,
        take_over: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self._client = client
        self._pace = pace
        self._health = health
        self._listener = listener
        self._ours = ours
        self._take_over = take_over
        self._rounds = Rounds(clock, self._round)
        self._renew_at = 0.0
        self._answered_at: float | None = None
        self._seen_from: str | None = None
        self._farewell_due = False
        # Whether that was since the round began: how it ends tells nothing of the new server.
        self._replaced = False
        self.registered = False
        self.peers = 0

    @property
    def next_round(self) -> float | None:
        """Seconds until the server is asked again; None while it is being asked."""
        return self._rounds.pause

    def start(self) -> None:
        """Begin with a round now."""
        self._rounds.start()

    def ask(self) -> Deferred[None]:
        """Ask now; fires when the round is over, at once if there is no point in asking."""
        return succeed(None) if self._is_fresh() else self._rounds.join()

    def hurry(self, delay: float) -> None:
        """Ask in delay seconds at the latest, unless the server blocks us."""
        self._rounds.hurry(delay)

    def server_replaced(self) -> None:
        """Another server runs at this address from now on: it knows nothing of us."""
        self.registered = False
        self._replaced = True
        self._client.start_afresh()
        self._rounds.rest(0.0)
        self._rounds.hurry(0.0)

    def stop(self) -> Deferred[None]:
        """Stop asking and take our registration back; fires within a second."""
        self._rounds.stop()
        self.registered = False
        if not self._farewell_due or self._rounds.resting:
            return succeed(None)
        self._farewell_due = False
        ours = self._ours
        leaving = self._client.unregister(Unregister(ours.namespace, ours.name, ours.port))
        leaving.addTimeout(FAREWELL_TIME, self._clock)
        return leaving.addErrback(_forgive)

    async def _round(self) -> float:
        self._replaced = False
        try:
            await self._visit()
        except BudgetSpentError as error:
            return error.wait
        except RendezvousError as error:
            return 0.0 if self._replaced else self._unwell(error)
        return self._well()

    async def _visit(self) -> None:
        fresh = not self.registered or self._clock.seconds() >= self._renew_at
        if fresh:
            await self._register()
        try:
            listing = await self._client.discover()
        except NotRegisteredError:
            self.registered = False
            await self._register()
            fresh = True
            listing = await self._client.discover()
        self._report(listing)
        if not fresh and not self._is_listed(listing):
            await self._register()

    async def _register(self) -> None:
        self._farewell_due = True
        granted = await self._client.register(self._ours)
        self.registered = True
        self._renew_at = self._clock.seconds() + granted.ttl / 2
        self._seen_from = granted.ip
        if granted.ip is not None:
            self._listener.public_ip(granted.ip)

    def _report(self, listing: Listing) -> None:
        own = make_peer_id(self._ours.name, self._ours.namespace)
        found = [peer for peer in map(_found, listing.peers) if peer.peer_id != own]
        self.peers = len(found)
        self.log.info("[Discovery] Found {count} peers", count=len(found))
        if listing.skipped:
            self.log.debug("[Discovery] {count} bad entries skipped", count=listing.skipped)
        self._client.share(sum(peer.ip == self._seen_from for peer in listing.peers))
        self._listener.discovered(found)

    def _is_listed(self, listing: Listing) -> bool:
        if not listing.complete:
            return True  # as far as one can tell
        ours = (self._ours.name, self._ours.namespace, self._ours.port)
        return any((peer.name, peer.namespace, peer.port) == ours for peer in listing.peers)

    def _well(self) -> float:
        now = self._answered_at = self._clock.seconds()
        self._health.answered()
        return min(self._pace.regular(), max(self._renew_at - now, _SHORTEST_WAIT))

    def _unwell(self, error: RendezvousError) -> float:
        if isinstance(error, ServerDownError):
            self.registered = self._farewell_due = False
        if self._take_over():
            return 0.0
        self._health.failed(error)
        if not isinstance(error, BlockedError):
            return self._pace.backoff()
        delay = self._pace.blocked()
        self._rounds.rest(delay)
        return delay

    def _is_fresh(self) -> bool:
        if self._answered_at is None:
            return False
        return 0 <= self._clock.seconds() - self._answered_at < FRESH_TIME


def _forgive(failure: Failure) -> None:
    # A server that does not hear our farewell finds out when the ttl is over.
    failure.trap(RendezvousError, TimedOutError)


def _found(peer: Listed) -> Found:
    peer_id = make_peer_id(peer.name, peer.namespace)
    age = max(peer.ttl - peer.expires_in, 0)
    return Found(peer_id, Address(peer.ip, peer.port), float(peer.expires_in), float(age))
