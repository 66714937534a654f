"""Connections through a balancer: who they come from stands in front of what they say.

Only whoever is trusted may connect here: everybody else could claim any address.
"""

from twisted.internet.interfaces import IAddress, IDelayedCall, ITCPTransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.rendezvous.connection import plain
from p2pchat.rendezvous.proxy_header import ProxyHeader, ProxyHeaderError, Route, read_header
from p2pchat.rendezvous.server import RendezvousFactory


class ProxiedProtocol(Protocol):
    """One connection until its header is read; then a RendezvousProtocol takes its place."""

    transport: ITCPTransport
    log = Logger()

    def __init__(self, owner: "ProxiedFactory", balancer: Route) -> None:
        self._owner = owner
        self._balancer = balancer
        self._received = b""
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        server = self._owner.server
        self._deadline = server.clock.callLater(server.limits.request_time, self._too_late)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        try:
            header = read_header(self._received)
        except ProxyHeaderError as error:
            self._refuse(str(error))
        else:
            if header is not None:
                self._identified(header)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()

    def hang_up(self) -> None:
        """Drop the connection."""
        self._end()
        self.transport.abortConnection()

    def _identified(self, header: ProxyHeader) -> None:
        self._end()
        ip, port, reached = header.route or self._balancer
        protocol = self._owner.server.admit(ip, port, reached)
        if protocol is None:
            self.transport.abortConnection()
            return
        # From here on the transport has another protocol: a wrapper around it would have to pass on
        # everything, and Twisted's does not pass on the end of the client's side.
        self.transport.protocol = protocol  # type: ignore[attr-defined]  # every transport of Twisted has it
        protocol.makeConnection(self.transport)
        rest = self._received[header.length :]
        if rest:
            protocol.dataReceived(rest)

    def _too_late(self) -> None:
        self._deadline = None
        self._refuse("no PROXY header in time")

    def _refuse(self, why: str) -> None:
        self._owner.server.tally.refused["no_proxy_header"] += 1
        self.log.warn("[Rendezvous] {why} from {ip}: closed", why=why, ip=self._balancer.ip)
        self.hang_up()

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._owner.ended(self)


class ProxiedFactory(ServerFactory):
    """Puts a PROXY header in front of each connection of a server.

    Connections that have not sent theirs count as the server's own, up to its bound in all; its
    bound for each IP is for clients, not for the balancer.
    """

    noisy = False

    def __init__(self, server: RendezvousFactory) -> None:
        self.server = server
        self._waiting: set[ProxiedProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> ProxiedProtocol | None:
        if not self.server.has_room(len(self._waiting)):
            return None
        ip, port = plain(getattr(addr, "host", "")), getattr(addr, "port", 0)
        protocol = ProxiedProtocol(self, Route(ip, port, ""))
        self._waiting.add(protocol)
        return protocol

    def ended(self, protocol: ProxiedProtocol) -> None:
        """A connection is gone, or is the server's now."""
        self._waiting.discard(protocol)

    def stopFactory(self) -> None:  # noqa: N802  ServerFactory's name
        for protocol in list(self._waiting):
            protocol.hang_up()
        self.server.stopFactory()
