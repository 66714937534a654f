"""Archive services and scripted peers of the archive, on one simulated network.

Above the sockets all is Twisted's own: ports, connectors, transports. Time is virtual, every way
takes LATENCY, what is written at once arrives at once.
"""

import socket
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.archive import Archive
from p2pchat.archive.service import ArchiveService
from p2pchat.archive.storage import MemoryStorage
from p2pchat.config import Archive as Settings
from p2pchat.config import Config, Connection, Peer
from p2pchat.events import ArchivePeerChanged, Event, Notice
from tests.archive.examples import joined, split, wire
from tests.simulation.network import Network

PORT = 51511

#: One way, in seconds.
LATENCY = 0.01

#: Who brings archives.
FEEDER = "10.0.0.99"

#: Time enough for a few messages to and fro.
SOON = 0.2

#: Enough to find every attempt to connect of a test in it.
LOG_LINES = 500_000

WALL_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)

PEER_REQUEST, PEER_LIST, ARCHIVE_REQUEST, ARCHIVE, NOTIFICATION = range(1, 6)


class Dial(NamedTuple):
    """One attempt to connect, when it gets there."""

    time: float
    target: str


class Message(NamedTuple):
    """One message: when it came, its type, and what stands behind that."""

    time: float
    kind: int
    body: bytes

    @property
    def addresses(self) -> list[str]:
        """The addresses of a PeerList, in order."""
        packed = self.body[4:]
        return [socket.inet_ntoa(packed[at : at + 4]) for at in range(0, len(packed), 4)]

    @property
    def archive(self) -> Archive:
        """The chats of an ArchiveResponse."""
        return joined(split(self.body[4:], int.from_bytes(self.body[:4], "big")))


def listing(*addresses: str) -> bytes:
    """Write a PeerList."""
    packed = b"".join(map(socket.inet_aton, addresses))
    return bytes([PEER_LIST]) + len(addresses).to_bytes(4, "big") + packed


class ScriptedLink(Protocol):
    """One connection of a scripted peer: says what a test has it say, and notes what it hears."""

    transport: Any

    def __init__(self, peer: "ScriptedPeer", *, dialled: bool) -> None:
        self.peer = peer
        self.dialled = dialled
        self.messages: list[Message] = []
        self.identification: bytes | None = None
        self.connected = 0.0
        self.lost: float | None = None
        self._clock = peer.reactor
        self._first = True
        self._rest = b""

    @property
    def host(self) -> str:
        """Who is at the other end."""
        host: str = self.transport.getPeer().host
        return host

    @property
    def up(self) -> bool:
        return self.lost is None

    @property
    def kinds(self) -> list[int]:
        return [message.kind for message in self.messages]

    def got(self, kind: int) -> list[Message]:
        return [message for message in self.messages if message.kind == kind]

    def heights(self) -> list[int]:
        """Return the counts of all archives that came."""
        return [int.from_bytes(message.body[:4], "big") for message in self.got(ARCHIVE)]

    def forget(self) -> None:
        """Forget what was heard."""
        self.messages.clear()

    def say(self, data: bytes | int) -> None:
        """Send bytes, or a message that is only a type."""
        self.transport.write(bytes([data]) if isinstance(data, int) else data)

    def hang_up(self) -> None:
        self.transport.loseConnection()

    def connectionMade(self) -> None:
        self.connected = self._clock.seconds()
        self.peer.links.append(self)
        if self.peer.deaf:
            self.transport.pauseProducing()
        if self.peer.opening:
            self.say(self.peer.opening)

    def dataReceived(self, data: bytes) -> None:
        self._rest += data
        if self._first and self._rest[0] == 0:
            self.identification, self._rest = self._rest[1:5], self._rest[5:]
        self._first = False
        while (size := _size(self._rest)) is not None and size <= len(self._rest):
            message, self._rest = self._rest[:size], self._rest[size:]
            self.messages.append(Message(self._clock.seconds(), message[0], message[1:]))
        if self.peer.hangs_up_at_once:
            self.hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = self._clock.seconds()


def _size(data: bytes) -> int | None:
    """Return how long the message is that begins here, if that can be told already."""
    match list(data[:1]):
        case [1] | [3]:
            return 1
        case [2] if len(data) >= 5:
            return 5 + 4 * int.from_bytes(data[1:5], "big")
        case [4] if len(data) >= 5:
            chats = split(data[5:], int.from_bytes(data[1:5], "big"))
            whole = len(chats) == int.from_bytes(data[1:5], "big")
            return 5 + len(b"".join(chats)) if whole else None
        case [5] if len(data) >= 2:
            return 2 + data[1]
        case [] | [2] | [4] | [5]:
            return None
    raise AssertionError(f"no message begins with {data[:5]!r}")


class ScriptedPeer:
    """A program at an address; `links` are all its connections ever.

    `opening` is said on each as it comes up. A `deaf` one reads nothing. One that
    `hangs_up_at_once` does so as soon as it is spoken to. `loopback` is the one of its machine's
    own addresses that it listens on, "" all.
    """

    def __init__(
        self, world: "World", ip: str, *, loopback: str = "", listens: bool = True
    ) -> None:
        self.ip = ip
        self.reactor = world.network.host(ip)
        self.loopback = loopback
        self.links: list[ScriptedLink] = []
        self.opening = b""
        self.deaf = False
        self.hangs_up_at_once = False
        self._port = self._listen() if listens else None

    @property
    def link(self) -> ScriptedLink:
        """The newest link."""
        return self.links[-1]

    @property
    def dialled_times(self) -> int:
        """How often it was dialled, and answered."""
        return sum(not link.dialled for link in self.links)

    def dial(self, ip: str) -> None:
        """Connect; the link is there soon."""
        bind = (self.loopback, 0) if self.loopback else None
        self.reactor.connectTCP(ip, PORT, _Dial(self), 5, bind)

    def close_port(self) -> None:
        """Accept nothing more."""
        assert self._port is not None
        self._port.stopListening()

    def open_port(self) -> None:
        self._port = self._listen()

    def _listen(self) -> Any:
        return self.reactor.listenTCP(PORT, _Accept(self), interface=self.loopback)


class _Accept(Factory):
    noisy = False

    def __init__(self, peer: ScriptedPeer) -> None:
        self._peer = peer

    def buildProtocol(self, addr: object) -> ScriptedLink:
        return ScriptedLink(self._peer, dialled=False)


class _Dial(ClientFactory):
    noisy = False

    def __init__(self, peer: ScriptedPeer) -> None:
        self._peer = peer

    def buildProtocol(self, addr: object) -> ScriptedLink:
        return ScriptedLink(self._peer, dialled=True)


class ArchiveNode:
    """An archive service, and all that it reported."""

    def __init__(self, world: "World", ip: str, config: Config, archive: Archive) -> None:
        self.address = config.archive.bind or ip
        self.reactor = world.network.host(ip)
        self.events: list[Event] = []
        storage = MemoryStorage()
        storage.replace(archive)
        rng = Random(len(world.nodes))
        self.service = ArchiveService(
            self.reactor, rng, lambda: WALL_CLOCK, config, storage, self.events.append
        )
        self.service.startService()

    @property
    def archive(self) -> Archive:
        return self.service.archive

    @property
    def height(self) -> int:
        return self.service.archive.height

    @property
    def texts(self) -> list[str]:
        return [chat.text for chat in self.service.history(None)]

    @property
    def connected(self) -> list[str]:
        """Who it has links to."""
        return [info.address for info in self.service.info().peers]

    def reported(self, host: str) -> list[str]:
        """Return what was reported of one peer: connected, lost, paused."""
        return [
            event.state
            for event in self.events
            if isinstance(event, ArchivePeerChanged) and event.address == host
        ]

    def unverified(self, host: str) -> bool:
        """Tell whether chats of this peer are here and wait to be verified."""
        links = self.service._neighbours._links.of(host)
        arriving = [link._incoming for link in links if link._incoming is not None]
        return any(incoming.unverified for incoming in arriving)

    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    def leave(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.service.leave())


class World:
    """Nodes and peers by IP address; see Network for `conditions`."""

    def __init__(self, **conditions: Any) -> None:
        defaults = {"latency": (LATENCY, LATENCY), "loopback_latency": (LATENCY, LATENCY)}
        fixed = {"chunking": 0.0, "thread_time": (0.0, 0.0)}
        self.network = Network(1, log_lines=LOG_LINES, **(defaults | fixed | conditions))
        self.nodes: list[ArchiveNode] = []

    @property
    def now(self) -> float:
        return self.network.clock.now

    def node(
        self, ip: str, *peers: str, archive: Archive | None = None, **settings: Any
    ) -> ArchiveNode:
        """Start a node that dials some peers; `settings` are those of the archive.

        Of the settings of dialling, `max_reconnect_attempts` may be among them.
        """
        attempts = settings.pop("max_reconnect_attempts", 5)
        config = Config(
            peer=Peer(name="alice"),
            connection=Connection(max_reconnect_attempts=attempts),
            archive=Settings(peers=peers, **settings),
        )
        node = ArchiveNode(self, ip, config, archive or Archive())
        self.nodes.append(node)
        return node

    def peer(self, ip: str, *, loopback: str = "", listens: bool = True) -> ScriptedPeer:
        return ScriptedPeer(self, ip, loopback=loopback, listens=listens)

    def run(self, seconds: float = SOON) -> None:
        """Let time pass."""
        self.network.advance(seconds)

    def dials(self, ip: str) -> list[Dial]:
        """Return every attempt to connect to the archive's port that an address made so far."""
        attempts = []
        for line in self.network.log:
            time, _, event = line.partition(" ")
            source, _, rest = event.partition(":")
            _, _, target = rest.partition(" > ")
            if source == ip and target.endswith(f":{PORT} SYN"):
                attempts.append(Dial(float(time), target.partition(":")[0]))
        return attempts


class ArchiveCase(SynchronousTestCase):
    """A test with a world; at its end nothing may have failed within a callback."""

    conditions: dict[str, Any] = {}  # noqa: RUF012 - of each class of tests

    def setUp(self) -> None:
        self.world = World(**self.conditions)
        self.addCleanup(lambda: self.assertEqual(self.world.network.errors, []))

    def run_for(self, seconds: float) -> None:
        self.world.run(seconds)

    def dials(self, node: ArchiveNode, seconds: float) -> list[str]:
        """Return where the node dials in the next seconds, in order."""
        before = len(self.world.dials(node.address))
        self.run_for(seconds)
        return [dial.target for dial in self.world.dials(node.address)[before:]]

    def linked(
        self, node: ArchiveNode, ip: str, opening: bytes = bytes([PEER_REQUEST])
    ) -> ScriptedLink:
        """Have a peer that does not listen dial the node; return its link when it has spoken."""
        peer = self.world.peer(ip, listens=False)
        peer.opening = opening
        peer.dial(node.address)
        self.run_for(SOON)
        return peer.link

    def dialled(self, node: ArchiveNode, ip: str) -> ScriptedLink:
        """Have the node dial a peer, as its user asks; return the peer's link."""
        peer = self.world.peer(ip)
        node.service.connect(ip)
        self.run_for(SOON)
        return peer.link

    def feed(self, node: ArchiveNode, archive: Archive) -> None:
        """Have somebody send an archive to the node, and go."""
        link = self.linked(node, FEEDER, wire(archive))
        self.world.network.run_until(lambda: node.height == archive.height, limit_seconds=10)
        link.hang_up()
        self.run_for(SOON)
