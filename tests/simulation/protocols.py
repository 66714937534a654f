"""Small protocols that the simulator's own tests run on it."""

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from tests.simulation.network import Network
from tests.simulation.reactor import HostReactor

SERVER, CLIENT = "10.0.0.1", "10.0.0.2"
PORT = 4000


class Recorder(Protocol):
    """Keeps what it reads, read by read, and why it was lost."""

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.made = False
        self.lost: type[BaseException] | None = None

    @property
    def received(self) -> bytes:
        return b"".join(self.reads)

    def connectionMade(self) -> None:
        self.made = True

    def dataReceived(self, data: bytes) -> None:
        self.reads.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert self.lost is None, "lost twice"
        self.lost = reason.type


class Echo(Recorder):
    """Sends everything back."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data)


class LineEcho(LineReceiver):
    """Answers every line with `echo ` and the line."""

    delimiter = b"\n"

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(b"echo " + line)


class RecordingFactory(ClientFactory):
    """Keeps the protocols it builds and what its connector tells it."""

    noisy = False

    def __init__(self, protocol: Callable[[], Any] = Recorder) -> None:
        self.protocol = protocol
        self.built: list[Any] = []
        self.calls: list[str] = []

    def buildProtocol(self, addr: Any) -> Any:
        built = self.protocol()
        built.factory = self
        self.built.append(built)
        return built

    def doStart(self) -> None:  # noqa: N802 - Twisted's
        super().doStart()
        self.calls.append("start")

    def doStop(self) -> None:  # noqa: N802 - Twisted's
        super().doStop()
        self.calls.append("stop")

    def startedConnecting(self, connector: Any) -> None:
        self.calls.append("connecting")

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.calls.append(f"failed {reason.type.__name__}")

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.calls.append(f"lost {reason.type.__name__}")


def serve(host: HostReactor, protocol: Callable[[], Any] = Recorder) -> RecordingFactory:
    """Listen on PORT and return the factory."""
    factory = RecordingFactory(protocol)
    host.listenTCP(PORT, factory)
    return factory


def dial(
    host: HostReactor, protocol: Callable[[], Any] = Recorder, ip: str = SERVER
) -> RecordingFactory:
    """Connect to PORT of ip and return the factory."""
    factory = RecordingFactory(protocol)
    host.connectTCP(ip, PORT, factory)
    return factory


def connect(
    network: Network, server: Callable[[], Any] = Recorder, client: Callable[[], Any] = Recorder
) -> tuple[Any, Any]:
    """Join two hosts and return the server's protocol and the client's."""
    listening = serve(network.host(SERVER), server)
    dialling = dial(network.host(CLIENT), client)
    network.run_until(lambda: listening.built and dialling.built, limit_seconds=10)
    return listening.built[0], dialling.built[0]


def factory_of(protocol: Callable[[], Any]) -> Factory:
    """A quiet factory without memory."""
    factory = Factory.forProtocol(protocol)
    factory.noisy = False
    return factory
