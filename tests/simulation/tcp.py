"""Twisted's own ports, connectors and transports on simulated sockets, and a resolver."""

from collections.abc import Sequence

from twisted.internet import tcp
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IResolverSimple
from zope.interface import implementer

from tests.simulation.connection import StreamSocket
from tests.simulation.sockets import ListeningSocket

# ruff: noqa: N802 - camelCase marks an override of a Twisted name


class SimulatedPort(tcp.Port):
    """Twisted's listening port on a simulated socket."""

    def createInternetSocket(self) -> ListeningSocket:
        return ListeningSocket(self.reactor.machine)


class SimulatedClient(tcp.Client):
    """Twisted's dialling transport on a simulated socket."""

    def createInternetSocket(self) -> StreamSocket:
        return StreamSocket(self.connector.reactor.machine)  # we have no reactor yet


class SimulatedConnector(tcp.Connector):
    """Twisted's connector, making simulated transports."""

    def _makeTransport(self) -> SimulatedClient:
        return SimulatedClient(self.host, self.port, self.bindAddress, self, self.reactor)


@implementer(IResolverSimple)
class SimulatedResolver:
    """Looks names up in Network.names, at once."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def getHostByName(self, name: str, timeout: Sequence[int] = ()) -> "Deferred[str]":
        if name in self._names:
            return succeed(self._names[name])
        return fail(DNSLookupError(f"no such name: {name}"))
