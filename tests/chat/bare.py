"""One link alone: a ChatProtocol on a recording transport, with an owner that writes all down."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from p2pchat.chat.link import Closed, Ending, Link, LinkSettings, Talk
from p2pchat.chat.messages import Send
from p2pchat.chat.outbound import Habits
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.chat.session import Role
from p2pchat.identity import Address, PeerId

ME, BOB = PeerId("alice@CIC"), PeerId("bob@CIC")
SETTINGS = LinkSettings(
    me=ME,
    agent="p2pchat/test",
    handshake_timeout=5.0,
    ping_interval=30.0,
    answer_timeout=5.0,
    queue_messages=100,
    queue_bytes=100_000,
    rng=Random(1),
    wall_clock=lambda: datetime(2025, 1, 1, tzinfo=UTC),
)


class Recorder:
    """A LinkOwner that accepts everybody and keeps what it is told; `refuses` turns peers away."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.talk: list[Talk] = []
        self.rtts: list[float] = []
        self.sent: list[Send] = []
        self.established_count = 0
        self.endings: list[Closed] = []

    def identified(self, link: Link) -> None:
        if self.refuses:
            link.refuse(Ending.DUPLICATE, "duplicate")
        else:
            link.accept(Habits())

    def established(self, link: Link) -> None:
        self.established_count += 1
        if self.refuses:
            link.leave(Ending.DUPLICATE, "duplicate")

    def received(self, link: Link, messages: Sequence[Talk]) -> None:
        self.talk += messages
        link.acknowledge([m.msg_id for m in messages if isinstance(m, Send) and m.require_ack])

    def measured(self, link: Link, seconds: float) -> None:
        self.rtts.append(seconds)

    def written(self, link: Link, message: Send) -> None:
        self.sent.append(message)

    def closed(self, link: Link, closed: Closed) -> None:
        self.endings.append(closed)


class Socket:
    """A transport that takes what it is given; `full` until drain() if the other side is stuck."""

    def __init__(self, clock: Clock, protocol: ChatProtocol) -> None:
        self.writes: list[bytes] = []
        self.reading = True
        self.disconnecting = False
        self.stuck = False
        self.closed = False
        self.no_delay = False
        self._clock = clock
        self._protocol = protocol
        self._producer: Any = None

    def write(self, data: bytes) -> None:
        assert not self.closed, "written to a transport that is gone"
        self.writes.append(data)
        if self.stuck and self._producer:
            self._producer.pauseProducing()

    def drain(self) -> None:
        """Let the other side read all there is."""
        self.stuck = False
        if self._producer:
            self._producer.resumeProducing()

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            self.reading = False
            if not self.stuck:
                self._clock.callLater(0, self.lose, ConnectionDone())

    def abortConnection(self) -> None:
        self.disconnecting = True
        self._clock.callLater(0, self.lose, ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def lose(self, error: Exception | None = None) -> None:
        """Tell the protocol that the connection is gone, once."""
        if self.closed:
            return
        self.closed = True
        if self._producer:
            self._producer.stopProducing()
        self._protocol.connectionLost(Failure(error or ConnectionLost()))


class Bare:
    """A link, its transport and its owner on a clock of their own."""

    def __init__(
        self,
        role: Role = Role.LISTENER,
        *,
        settings: LinkSettings = SETTINGS,
        refuses: bool = False,
        expected: PeerId | None = None,
        owner: Recorder | None = None,
    ) -> None:
        self.clock = Clock()
        self.owner = owner or Recorder(refuses=refuses)
        address = Address("10.0.0.9", 4000)
        self.link = ChatProtocol(self.clock, settings, self.owner, role, address, expected)
        self.socket = Socket(self.clock, self.link)
        self.link.makeConnection(self.socket)

    def receives(self, *contents: Any) -> None:
        """Let one read bring lines: dicts become JSON, bytes stay."""
        lines = [c if isinstance(c, bytes) else json.dumps(c).encode() + b"\n" for c in contents]
        self.reads(b"".join(lines))

    def reads(self, data: bytes) -> None:
        """Let one read bring these bytes, if the link reads at all."""
        if self.socket.reading and not self.socket.closed:
            self.link.dataReceived(data)

    def run(self, seconds: float) -> None:
        """Let time pass, each call at the time that it was meant for."""
        end = self.clock.seconds() + seconds
        while self.clock.calls and self.clock.calls[0].getTime() <= end:
            self.clock.rightNow = self.clock.calls[0].getTime()
            self.clock.advance(0)
        self.clock.rightNow = end

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All lines written so far."""
        return [json.loads(line) for line in b"".join(self.socket.writes).splitlines()]

    @property
    def types(self) -> list[str]:
        return [line["type"] for line in self.lines]

    @property
    def ending(self) -> Closed:
        """How the link ended; it must have ended once."""
        (ending,) = self.owner.endings
        return ending


def hello(peer_id: str = BOB, **fields: Any) -> dict[str, Any]:
    return {"type": "HELLO", "peer_id": peer_id, **fields}


def hello_ok(peer_id: str = BOB, **fields: Any) -> dict[str, Any]:
    return {"type": "HELLO_OK", "peer_id": peer_id, **fields}


def talking(*, modern: bool = False, settings: LinkSettings = SETTINGS) -> Bare:
    """Return an accepted link whose handshake is done; its first PING is written and answered."""
    bare = Bare(settings=settings)
    bare.receives(hello(agent="p2pchat/9") if modern else hello())
    bare.run(0.2)
    (ping,) = (line for line in bare.lines if line["type"] == "PING")
    bare.receives({"type": "PONG", "msg_id": ping["msg_id"]})
    bare.run(0.01)
    bare.socket.writes.clear()
    return bare
