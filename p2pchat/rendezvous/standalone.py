"""A rendezvous server as a service of its own: from opening its registry to closing it."""

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.defer import TimeoutError as TimedOutError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.ports import Opener, place_of
from p2pchat.rendezvous.proxied import ProxiedFactory
from p2pchat.rendezvous.registry import RegistryUnavailableError
from p2pchat.rendezvous.server import RendezvousFactory
from p2pchat.text import visible

#: Seconds that answers under way may take when the service ends.
FAREWELL_TIME = 3.0

#: Seconds that the registry may take to keep what is to be kept.
CLOSE_TIME = 10.0


class StandaloneServer(Service):
    """Serves the connections of one port.

    `open_port` accepts them; they wait until the registry is open, so that nobody who was
    registered before a restart hears that he is not. `registry` says where that is, without
    secrets. With `trust_proxy` each connection begins with a PROXY header.
    """

    log = Logger()

    def __init__(
        self, server: RendezvousFactory, open_port: Opener, registry: str, *, trust_proxy: bool
    ) -> None:
        self._server = server
        self._open_port = open_port
        self._registry = registry
        self._factory = ProxiedFactory(server) if trust_proxy else server
        self._trust_proxy = trust_proxy
        self._port: IListeningPort | None = None
        self._opening: Deferred[None] = succeed(None)

    def startService(self) -> None:
        Service.startService(self)
        self._opening = Deferred.fromCoroutine(self._open())
        self._opening.addErrback(self._not_opened)

    def stopService(self) -> Deferred[None]:
        """Close the port, finish the answers under way, close the registry; bounded in time."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _open(self) -> None:
        await self._server.registry.open()
        census = await self._server.registry.census()
        count = sum(census.values())
        self._accept(f"{count} registration{'' if count == 1 else 's'}")

    def _accept(self, content: str) -> None:
        self._port = self._open_port(self._factory)
        self.log.info(
            "[Rendezvous] listens on {place}{through}; {registry} has {content}",
            place=str(place_of(self._port)),
            through=" behind a balancer" if self._trust_proxy else "",
            registry=self._registry,
            content=content,
        )

    def _not_opened(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return  # we are leaving already
        content = visible(failure.getErrorMessage())
        if not failure.check(RegistryUnavailableError):
            self.log.failure("[Rendezvous] no registry", failure)
        if self._port is None:
            self._accept(f"trouble: {content}")  # who asks is told that it is not available

    async def _stop(self) -> None:
        self._opening.cancel()
        leaving = self._server.leave()
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        leaving.addTimeout(FAREWELL_TIME, self._server.clock)
        await leaving.addErrback(_too_late)
        self._server.drop()
        closing = Deferred.fromCoroutine(self._server.registry.close())
        await closing.addTimeout(CLOSE_TIME, self._server.clock).addErrback(_too_late)


def _too_late(failure: Failure) -> None:
    failure.trap(TimedOutError)
