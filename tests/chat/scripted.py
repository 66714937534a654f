"""A legacy peer that does what a test says: a few lines of program over raw JSON lines."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory

from p2pchat.identity import Address, PeerId
from tests.chat.pipe import End
from tests.chat.world import World

#: What a polite legacy peer does by itself.
POLITE = frozenset({"HELLO", "PING", "SEND", "BYE"})


class Line(NamedTuple):
    """One message read from the wire, and when its segment was written."""

    time: float
    message: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.message["type"])


class ScriptedLink(Protocol):
    """One connection of a scripted peer; it answers the types of message in `answers`."""

    transport: End

    def __init__(self, peer: "ScriptedPeer", *, speaks_first: bool = False) -> None:
        self.answers = set(peer.answers)
        self._speaks_first = speaks_first
        self.lost: Exception | None = None
        self._peer = peer
        self._buffer = b""

    # What a test does

    def send(self, **message: Any) -> None:
        """Write one message as one segment; a `msg_id` of its own if it needs one."""
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Write raw bytes as one segment."""
        self.transport.write(data)

    def say_hello(self, **fields: Any) -> None:
        self.send(**{"type": "HELLO", **self._peer.introduction, **fields})

    def say_hello_ok(self, **fields: Any) -> None:
        self.send(**{"type": "HELLO_OK", **self._peer.introduction, **fields})

    def close(self) -> None:
        self.transport.loseConnection()

    def stop_reading(self) -> None:
        self.transport.pauseProducing()

    # What a test looks at

    @property
    def node_end(self) -> End:
        """The transport of the node at the other end."""
        return self.transport.other

    @property
    def lines(self) -> list[Line]:
        """All that the node wrote, one by one; fails if a segment is not exactly one line."""
        lines = []
        for time, data in self.node_end.written:
            assert data.endswith(b"\n"), f"half a line: {data!r}"
            lines += [Line(time, json.loads(text)) for text in data[:-1].split(b"\n")]
        return lines

    @property
    def types(self) -> list[str]:
        return [line.type for line in self.lines]

    def got(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of one type that the node wrote."""
        return [line.message for line in self.lines if line.type == kind]

    # What it does by itself

    def connectionMade(self) -> None:
        if self._speaks_first:
            self.say_hello()

    def dataReceived(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._answer(json.loads(line))

    def _answer(self, message: dict[str, Any]) -> None:
        kind, msg_id = message["type"], message.get("msg_id")
        if kind not in self.answers:
            return
        if kind == "HELLO":
            self.say_hello_ok()
        elif kind == "PING":
            self.send(type="PONG", msg_id=msg_id, timestamp=self._peer.timestamp, ttl=1)
        elif kind == "SEND" and message["require_ack"]:
            self.send(type="ACK", msg_id=msg_id, timestamp=self._peer.timestamp, ttl=1)
        elif kind == "BYE":
            me = self._peer.peer_id
            self.send(type="BYE_OK", msg_id=msg_id, src=me, dst=message["src"], ttl=1)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason.value


class ScriptedPeer:
    """A program on a machine of its own, legacy unless its introduction says otherwise."""

    def __init__(
        self, world: World, peer_id: str, ip: str, port: int, *, answers: Iterable[str] = POLITE
    ) -> None:
        self.peer_id = PeerId(peer_id)
        self.address = Address(ip, port)
        self.answers = set(answers)
        self.timestamp: Any = "2025-01-01T12:00:00Z"
        self.introduction: dict[str, Any] = {
            "peer_id": peer_id,
            "version": "1.0",
            "features": ["ack", "metrics"],
            "ttl": 1,
        }
        self.links: list[ScriptedLink] = []
        self.world = world
        self._machine = world.machine(ip)
        self._port: Any = None

    @property
    def link(self) -> ScriptedLink:
        """The only connection there ever was."""
        (link,) = self.links
        return link

    def listen(self) -> None:
        factory = ServerFactory()
        factory.buildProtocol = self._accept
        self._port = self._machine.listenTCP(self.address.port, factory)

    def stop_listening(self) -> None:
        self._port.stopListening()

    def dial(self, address: Address, *, hello: bool = True) -> ScriptedLink:
        """Connect, and say HELLO at once; returns the link, which is up a latency later."""
        link = ScriptedLink(self, speaks_first=hello)
        self.links.append(link)
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: link
        self._machine.connectTCP(address.host, address.port, factory)
        return link

    def _accept(self, addr: object) -> ScriptedLink:
        link = ScriptedLink(self)
        self.links.append(link)
        return link
