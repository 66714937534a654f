"""The rendezvous server inside a node: whoever gets the port serves all nodes of the machine.

The port itself is the election. When the node that serves ends, however it ends, the port becomes
free, and the first of the others to try has it.
"""

from collections.abc import Callable
from random import Random

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.logger import Logger

from p2pchat.identity import Address, is_ip_literal, is_loopback
from p2pchat.rendezvous.reactor import NetworkReactor
from p2pchat.rendezvous.registry import MemoryRegistry
from p2pchat.rendezvous.server import RendezvousFactory
from p2pchat.rendezvous.steady import Steady

#: Seconds between two attempts to get the port, before jitter.
RETRY_TIME = 2.0


def may_serve(server: Address) -> bool:
    """Tell whether server can be this machine, as far as its address shows.

    For an address that is not loopback, binding it tells.
    """
    return is_loopback(server.host) or is_ip_literal(server.host)


def listening_interface(server: Address, bind: str) -> str:
    """Tell where to listen for server: on all interfaces if `bind` is "", else on its own.

    An address that is not loopback is bound itself in any case: it may be another machine's.
    """
    host = "127.0.0.1" if server.host == "localhost" else server.host
    if bind or not is_loopback(host):
        return host
    return "::" if ":" in host else ""


class EmbeddedServer(Service):
    """Serves the rendezvous if the port is free, and keeps trying while it is not.

    `gained` is called each time that the port was got.
    """

    log = Logger()

    def __init__(
        self,
        reactor: NetworkReactor,
        rng: Random,
        server: Address,
        bind: str,
        gained: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._rng = rng
        self._server = server
        self._interface = listening_interface(server, bind)
        self._gained = gained
        self._port: IListeningPort | None = None
        self._retry: IDelayedCall | None = None

    @property
    def serving(self) -> bool:
        """Whether the port is ours."""
        return self._port is not None

    def startService(self) -> None:
        Service.startService(self)
        self.take_over()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        self._cancel_retry()
        port, self._port = self._port, None
        stopping = None if port is None else port.stopListening()
        return succeed(None) if stopping is None else stopping

    def take_over(self) -> bool:
        """Try to get the port now; return whether it was got by this call."""
        if not self.running or self.serving:
            return False
        self._cancel_retry()
        if not self._listen():
            delay = RETRY_TIME * self._rng.uniform(0.75, 1.25)
            self._retry = self._reactor.callLater(delay, self._try_again)
            return False
        self.log.info("[Rendezvous] serving {server}", server=str(self._server))
        self._gained()
        return True

    def _listen(self) -> bool:
        factory = RendezvousFactory(self._reactor, MemoryRegistry(Steady(self._reactor.seconds)))
        try:
            self._port = self._reactor.listenTCP(
                self._server.port, factory, interface=self._interface
            )
        except (CannotListenError, OSError):
            # The normal case: another node has it. When two try in the same moment, the loser's
            # error may be the plain one of the socket.
            return False
        return True

    def _try_again(self) -> None:
        self._retry = None
        self.take_over()

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
