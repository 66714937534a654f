"""One link between a transport in memory and an owner that notes what it hears."""

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.link import LinkSettings
from p2pchat.archive.protocol import ArchiveProtocol

TIMEOUT = 60.0

#: What a transport takes before it pauses whoever writes to it, as Twisted's own do.
ROOM = 65536

OURS, THEIRS = IPv4Address("TCP", "10.0.0.1", 51511), IPv4Address("TCP", "10.0.0.2", 40000)


class Transport(StringTransport):
    """A transport whose other end reads nothing by itself; see read() and `unread`.

    It is `open` until it is closed by either side.
    """

    def __init__(self, host: Any = OURS, peer: Any = THEIRS, room: int = ROOM) -> None:
        super().__init__(host, peer)
        self.unread = 0
        self.most_unread = 0
        self.options: set[str] = set()
        self._room = room
        self._paused = False

    @property
    def open(self) -> bool:
        return not (self.disconnecting or self.disconnected)

    @property
    def reading(self) -> bool:
        return self.producerState == "producing"

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.options |= {"nodelay"} if enabled else set()

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.options |= {"keepalive"} if enabled else set()

    def write(self, data: bytes) -> None:
        assert self.open, "written to a closed transport"
        super().write(data)
        self.unread += len(data)
        self.most_unread = max(self.most_unread, self.unread)
        if self.unread > self._room and not self._paused and self.producer is not None:
            self._paused = True
            self.producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self.producer = None  # Twisted's own does not mind if there is none

    def read(self) -> bytes:
        """Let the other end read all there is, and return it; the producer goes on."""
        data = self.value()
        self.clear()
        self.unread = 0
        if self._paused:
            self._paused = False
            if self.producer is not None:
                self.producer.resumeProducing()
        return data

    def read_all(self) -> bytes:
        """Let the other end read until there is nothing more."""
        data = b""
        while self.unread:
            data += self.read()
        return data


class Owner:
    """Implements LinkOwner: answers with what a test put here, and notes all calls in `heard`."""

    def __init__(self, archive: Archive | None = None) -> None:
        self.archive = archive or Archive()
        self.limit = 1 << 20
        self.peers: list[str] = []
        self.heard: list[tuple[Any, ...]] = []
        #: Called with each link that has connected, or has said something.
        self.on_connected: Callable[[Any], None] = lambda link: None
        self.on_listed: Callable[[Any], None] = lambda link: None

    def what(self) -> list[str]:
        """Return the names of what was heard."""
        return [name for name, *_ in self.heard]

    def connected(self, link: Any) -> None:
        self.heard.append(("connected",))
        self.on_connected(link)

    def spoken(self, link: Any) -> None:
        self.heard.append(("spoken",))

    def disconnected(self, link: Any, reason: str) -> None:
        self.heard.append(("disconnected", reason))

    def peers_for(self, link: Any) -> list[str]:
        return self.peers

    def listed(self, link: Any, addresses: list[str]) -> None:
        self.heard.append(("listed", *addresses))
        self.on_listed(link)

    def incoming(self, link: Any, count: int) -> Incoming:
        return Incoming(count, self.archive, self.limit)

    def has_unverified(self, link: Any) -> None:
        self.heard.append(("unverified",))

    def arrived(self, link: Any, incoming: Incoming) -> None:
        self.heard.append(("arrived", incoming.count, incoming.useful, incoming.invalid))
        if incoming.useful:
            self.archive = incoming.archive()

    def notified(self, link: Any, text: bytes) -> None:
        self.heard.append(("notified", text))


class BareLink:
    """A protocol that is connected, with all that is around it."""

    def __init__(
        self,
        archive: Archive | None = None,
        *,
        dialled: bool = False,
        identify: bool = False,
        owner: Owner | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.clock = Clock()
        self.owner = owner or Owner(archive)
        self.transport = transport or Transport()
        self.protocol = ArchiveProtocol(
            self.clock, LinkSettings(TIMEOUT), self.owner, dialled=dialled, identify=identify
        )
        self.protocol.makeConnection(self.transport)

    def hear(self, *reads: bytes) -> None:
        """Let data arrive, read by read; what is verified is verified before the next one."""
        for data in reads:
            if not self.transport.open:
                return
            assert self.transport.reading, "data for who does not read"
            self.protocol.dataReceived(data)
            self.verify()
            self.settle()

    def verify(self, size: int = 1 << 20) -> None:
        """Have all that waits verified and taken, as its owner does, in turns of the reactor."""
        while self.protocol.verify(size):
            pass

    def settle(self) -> None:
        """Let the reactor's next turn come, in which it writes."""
        self.clock.advance(0)

    def lose(self, error: Exception | None = None) -> None:
        """Let the transport report that the connection is gone."""
        if self.transport.producer is not None:
            self.transport.producer.stopProducing()
            self.transport.producer = None
        self.transport.disconnected = True
        self.protocol.connectionLost(Failure(error or ConnectionDone()))
