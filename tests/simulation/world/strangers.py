"""Other programs in a world, deployed ones and hostile ones, as small scripts.

What they do is in docs/protocols.md, sections 2 and 3.
"""

import json
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from tests.integration.archive_chain import Chain
from tests.simulation.reactor import HostReactor
from tests.simulation.world.archive_programs import Replicating
from tests.simulation.world.archive_strangers import PAUSE, ArchiveLink
from tests.simulation.world.inhabitant import RENDEZVOUS

if TYPE_CHECKING:
    from tests.simulation.world.world import World

CHAT_PORT, ARCHIVE_PORT, RENDEZVOUS_PORT = 4000, 51511, 8080

#: What a stranger does on one link.
Link = type["ChatLink"] | type[ArchiveLink] | type[Replicating]

#: Seconds until a stranger dials again, and registers again.
AGAIN = 31.0


class Stranger:
    """One program on a machine of its own, of one of the kinds in plans.STRANGERS."""

    def __init__(self, world: "World", kind: str, number: int, link: Link) -> None:
        self.world = world
        self.kind = kind
        self.number = number
        self.name = f"x{number}"
        self.peer_id = f"{self.name}@CIC"
        self.ip = f"10.0.1.{number + 1}"
        self.host: HostReactor = world.network.host(self.ip)
        self.random = Random(f"{world.plan.seed} {self.name}")
        self.said = 0
        self.links: list[ChatLink] = []
        #: How often each message came that it acknowledged, if it is one that judges.
        self.got: Counter[str] = Counter()
        #: The archive of one that replicates it, the texts that it mined, and its links.
        self.chain: Chain = ()
        self.own: list[str] = []
        self.replicas: list[Replicating] = []
        self._dialled_at: dict[str, float] = {}
        self.link: Link = link
        link.settle(self)
        self._port = CHAT_PORT if issubclass(link, ChatLink) else ARCHIVE_PORT
        self.host.listenTCP(self._port, _factory(self, self.link))
        again = LoopingCall(self._again)
        again.clock = self.host
        again.start(AGAIN)

    def text(self) -> str:
        """Return something that was never said before."""
        self.said += 1
        return f"{self.name} says {self.said}"

    def _again(self) -> None:
        if self._port == CHAT_PORT:
            self._connect(RENDEZVOUS, RENDEZVOUS_PORT, Registering)
        for node in self.world.nodes.values():
            if self.random.random() < 0.5:
                self.dial(node.ip)

    def dial(self, ip: str) -> None:
        """Connect to somebody; most kinds do so though they are linked, or were a moment ago."""
        if not self.link.redials:
            linked = [self.ip, *(link.host for link in self.replicas if link.dialled)]
            now, last = self.host.seconds(), self._dialled_at.get(ip, -AGAIN)
            if ip in linked or now < last + AGAIN:
                return
            self._dialled_at[ip] = now
        self._connect(ip, self._port, self.link)

    def _connect(self, ip: str, port: int, protocol: type[Any]) -> None:
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda _: protocol(self, dialled=True)
        self.host.connectTCP(ip, port, factory, timeout=10)


def _factory(stranger: Stranger, protocol: type[Any]) -> Factory:
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda _: protocol(stranger, dialled=False)
    return factory


class Registering(Protocol):
    """Says at the rendezvous where it is."""

    def __init__(self, stranger: Stranger, *, dialled: bool) -> None:
        self._name = stranger.name

    def connectionMade(self) -> None:
        request = {"type": "REGISTER", "namespace": "CIC", "name": self._name, "port": CHAT_PORT}
        self.transport.write(json.dumps(request).encode() + b"\n")


class ChatLink(LineReceiver):
    """A polite legacy program that now and then says something; the base of those that are not."""

    delimiter = b"\n"
    MAX_LENGTH = 40_000
    introduction: ClassVar[dict[str, Any]] = {}
    features: Sequence[str] = ("ack", "metrics")
    redials: ClassVar = True

    @classmethod
    def settle(cls, stranger: Stranger) -> None:
        """Prepare its machine."""

    def __init__(self, stranger: Stranger, *, dialled: bool) -> None:
        self.stranger = stranger
        self.dialled = dialled
        self.other = ""
        self._talking = LoopingCall(self.talk)
        self._talking.clock = stranger.host

    def tell(self, kind: str, **fields: Any) -> None:
        self.transport.write(json.dumps({"type": kind, **fields, "ttl": 1}).encode() + b"\n")

    def greet(self, kind: str) -> None:
        who = self.stranger.peer_id
        self.tell(kind, peer_id=who, version="1.0", features=self.features, **self.introduction)

    def send(self, msg_id: str, text: str, src: str | None = None) -> None:
        """Say something, in whose name ever; it is ours all the same."""
        self.stranger.world.said[text] = self.stranger.peer_id, self.other
        fields = {"src": src or self.stranger.peer_id, "dst": self.other, "payload": text}
        self.tell("SEND", msg_id=msg_id, require_ack=True, **fields)

    def talk(self) -> None:
        text = self.stranger.text()
        self.send(text, text)

    def connectionMade(self) -> None:
        if self.dialled:
            self.greet("HELLO")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._talking.running:
            self._talking.stop()

    def lineReceived(self, line: bytes) -> None:
        message = json.loads(line)
        kind, msg_id = message["type"], message.get("msg_id")
        if kind in ("HELLO", "HELLO_OK"):
            self._met(message)
        elif kind == "PING":
            self.tell("PONG", msg_id=msg_id, timestamp="2025-01-01T12:00:00Z")
        elif kind == "SEND":
            self.tell("ACK", msg_id=msg_id, timestamp="2025-01-01T12:00:00Z")
        elif kind == "ACK":
            self.stranger.world.acknowledged(self.other, self.stranger.peer_id, msg_id)
        elif kind == "BYE":
            self.tell("BYE_OK", msg_id=msg_id, src=self.stranger.peer_id, dst=self.other)

    def _met(self, message: dict[str, Any]) -> None:
        if not self._talking.running:
            self.other = message["peer_id"]
            if not self.dialled:
                self.greet("HELLO_OK")
            self._talking.start(PAUSE, now=False)


class Repeating(ChatLink):
    """Says everything three times under one msg_id, and what it said before again, too (2.5)."""

    def talk(self) -> None:
        said = self.stranger.said
        number = self.stranger.random.randint(max(1, said - 5), said + 1)
        if number > said:
            self.stranger.text()
        text = f"{self.stranger.name} says {number} to {self.other}"
        for _ in range(3):
            self.send(text, text)


class Lying(ChatLink):
    """Speaks in the name of others (2.7)."""

    introduction: ClassVar[dict[str, Any]] = {"agent": "other/1"}

    def talk(self) -> None:
        text = self.stranger.text()
        others = [str(node.peer_id) for node in self.stranger.world.nodes.values()]
        self.send(text, text, self.stranger.random.choice(others))


class Forging(ChatLink):
    """Acknowledges what was never sent to it, under ids that are in use."""

    def talk(self) -> None:
        for node in self.stranger.world.nodes.values():
            for msg_id in list(node.sent)[-20:]:
                self.tell("ACK", msg_id=msg_id, timestamp="2025-01-01T12:00:00Z")


_NONSENSE = (
    *(b"\n", b"[]\n", b"\xff\xfe\n", b"x" * 40_000),
    *(b'{"type": 7}\n', b'{"type":"SEND"}\n', b'{"type":"ACK","msg_id":[]}\n'),
)


class Babbling(ChatLink):
    """Says what is no message (2.11)."""

    def talk(self) -> None:
        random = self.stranger.random
        self.transport.write(random.choice([*_NONSENSE, random.randbytes(50)]))


class Mute(ChatLink):
    """Asks a lot and reads nothing any more."""

    def talk(self) -> None:
        self.transport.pauseProducing()
        for number in range(200):
            self.tell("PING", msg_id=str(number), timestamp="2025-01-01T12:00:00Z")


CHAT: dict[str, type[ChatLink]] = {
    "legacy": ChatLink,
    "repeating": Repeating,
    "lying": Lying,
    "forging": Forging,
    "babbling": Babbling,
    "mute": Mute,
}
