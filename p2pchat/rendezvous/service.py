"""One rendezvous server, as the node sees it: found peers come from here, and questions go here."""

from random import Random

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred

from p2pchat.api import RendezvousInfo
from p2pchat.identity import Address, source_address
from p2pchat.rendezvous.client import RendezvousClient
from p2pchat.rendezvous.embedded import EmbeddedServer, may_serve
from p2pchat.rendezvous.health import Health
from p2pchat.rendezvous.listener import Found, RendezvousListener
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.pace import Pace
from p2pchat.rendezvous.presence import Presence
from p2pchat.rendezvous.reactor import NetworkReactor

__all__ = ["Found", "RendezvousListener", "RendezvousService"]

#: Seconds that a registration is asked for. A node that was killed is listed until it is over.
TTL = 600

#: Seconds, about, from a lost peer to asking again: if it was the one that served, another node
#: has had time to take over.
LOST_PEER_DELAY = 3.0


class RendezvousService(MultiService):
    """Registers us at one rendezvous server, discovers peers there, and serves it if need be.

    `port` is where we listen for peers, `bind` on which address ("": on all);
    `discovery_interval` is in seconds. With `embedded`, and if `server` is this machine, the node
    serves the rendezvous itself whenever nobody else does.
    """

    def __init__(
        self,
        reactor: NetworkReactor,
        rng: Random,
        *,
        server: Address,
        name: str,
        namespace: str,
        port: int,
        discovery_interval: float,
        embedded: bool,
        bind: str,
        listener: RendezvousListener,
    ) -> None:
        MultiService.__init__(self)
        self._server = server
        self._pace = Pace(rng, discovery_interval)
        self._health = Health(server, listener)
        self._embedded: EmbeddedServer | None = None
        self._presence = Presence(
            reactor,
            RendezvousClient(reactor, server, source_address(bind, server.host)),
            self._pace,
            self._health,
            listener,
            Register(namespace, name, port, TTL),
            self._take_over,
        )
        if embedded and may_serve(server):
            gained = self._presence.server_replaced
            self._embedded = EmbeddedServer(reactor, rng, server, bind, gained)
            self._embedded.setServiceParent(self)

    def startService(self) -> None:
        MultiService.startService(self)  # a server of our own is up before it is asked
        self._presence.start()

    def stopService(self) -> Deferred[None]:
        """Take our registration back, then stop serving; fires within little over a second."""
        return Deferred.fromCoroutine(self._stop())

    def discover(self) -> Deferred[None]:
        """Ask the server now; fires when that is over, however it went.

        Joins a request that is under way. Fires at once if the last answer is less than two
        seconds old, or if the server blocks us.
        """
        return self._presence.ask()

    def peer_lost(self) -> None:
        """A peer is not there, maybe the one that served: ask again in about three seconds.

        Nothing is asked if we serve ourselves. Many such hints lead to one question.
        """
        if self._embedded is None or not self._embedded.serving:
            self._presence.hurry(self._pace.soon(LOST_PEER_DELAY))

    def info(self) -> RendezvousInfo:
        """Tell how it goes with this server."""
        return RendezvousInfo(
            address=str(self._server),
            state=self._health.state,
            registered=self._presence.registered,
            serving=self._embedded is not None and self._embedded.serving,
            peers=self._presence.peers,
            next_try=self._presence.next_round if self._health.failing else None,
        )

    def _take_over(self) -> bool:
        return self._embedded is not None and self._embedded.take_over()

    async def _stop(self) -> None:
        await self._presence.stop()
        await MultiService.stopService(self)
