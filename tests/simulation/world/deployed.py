"""Deployed chat programs that answer honestly, each in its own way, and say what would hurt them.

What they do is in docs/protocols.md, section 2; what a line must be for their sake has one
definition, tests/integration/rules.py.
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from tests.integration.rules import faults
from tests.simulation.connection import StreamSocket
from tests.simulation.world.manners import Manners
from tests.simulation.world.strangers import RENDEZVOUS_PORT, ChatLink, Stranger

if TYPE_CHECKING:
    from tests.simulation.world.world import World

#: How often a node sends a text to another program: once, and `legacy_retries` times more.
MOST_OFTEN = 4

#: Seconds of nothing but answers after which one of them hangs up, and for which it awaits a PONG.
SILENCE, NO_PONG = 60.0, 15.0


class Deployed(ChatLink):
    """A program that judges every line, and counts in `got` what it was sent."""

    line_end = b"\n"
    timestamp: str | float = "2025-01-01T12:00:00Z"
    dies_of_pub = False

    def __init__(self, stranger: Stranger, *, dialled: bool) -> None:
        super().__init__(stranger, dialled=dialled)
        self.said_bye = self.is_second = False

    @classmethod
    def settle(cls, stranger: Stranger) -> None:
        stranger.host.machine.overhears = Overhearing(stranger)

    def tell(self, kind: str, **fields: Any) -> None:
        self.transport.write(json.dumps({"type": kind, **fields}).encode() + self.line_end)

    def new_id(self) -> str:
        return str(UUID(int=self.stranger.random.getrandbits(128)))

    def hurt(self, what: str) -> None:
        who = f"{self.stranger.kind} {self.stranger.name}"
        self.stranger.world.hurt(f"{who}, linked to {self.other or '?'}: {what}")

    def connectionMade(self) -> None:
        self.stranger.links.append(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.stranger.links.remove(self)
        super().connectionLost(reason)

    def lineReceived(self, line: bytes) -> None:
        message = self._judged(line)
        kind, msg_id = message.get("type"), message.get("msg_id", "")
        if kind in ("HELLO", "HELLO_OK"):
            self._met(message)
        elif kind == "PING":
            self.tell("PONG", msg_id=msg_id, timestamp=self.timestamp)
        elif kind == "SEND":
            self.take(message)
        elif kind == "PUB" and self.dies_of_pub:
            self.hurt("it was sent a PUB, and died")
            self.transport.abortConnection()
        elif kind == "ACK":
            self.stranger.world.acknowledged(self.other, self.stranger.peer_id, msg_id)
        elif kind == "BYE":
            self.tell("BYE_OK", msg_id=msg_id, src=self.stranger.peer_id, dst=self.other)
        elif kind == "BYE_OK":
            if not self.said_bye:
                self.hurt("a BYE_OK for nothing")
            self.transport.loseConnection()

    def take(self, message: dict[str, Any]) -> None:
        """Acknowledge a text that wants it; it is shown each time it comes (2.5)."""
        msg_id = message["msg_id"]
        if not message["require_ack"]:
            if not self.dies_of_pub:
                self.hurt(f"a SEND without an answer: {message}")
            return
        self.stranger.got[msg_id] += 1
        self.tell("ACK", msg_id=msg_id, timestamp=self.timestamp)

    def answer_second(self) -> None:
        """Do what it does with a second link of one peer; most take it."""
        self.greet("HELLO_OK")

    def _judged(self, line: bytes) -> dict[str, Any]:
        """Return the message of a line, and say what is wrong with it."""
        if b'"HELLO_REJECT"' in line:
            return {}
        for fault in faults(line):
            # who dialled us may leave before it has heard who we are
            if (self.dialled and self.other) or not fault.startswith("BYE.dst"):
                self.hurt(fault)
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            return {}
        return message

    def _met(self, message: dict[str, Any]) -> None:
        others = (link for link in self.stranger.links if link is not self)
        if message["type"] == "HELLO" and any(o.other == message["peer_id"] for o in others):
            self.other, self.is_second = message["peer_id"], True
            self.stranger.world.counts["second links"] += 1
            self.answer_second()
        else:
            super()._met(message)


class Overhearing:
    """Judges what nodes write to a program by what they hand to the network, and when (2.2)."""

    def __init__(self, stranger: Stranger) -> None:
        self._stranger = stranger
        self._manners: dict[StreamSocket, Manners] = {}

    def __call__(self, end: StreamSocket, data: bytes) -> None:
        is_ours = end.machine is self._stranger.host.machine
        ours = end if is_ours else end.peer
        if RENDEZVOUS_PORT in (ours.getsockname()[1], ours.getpeername()[1]):
            return
        manners = self._manners.get(ours)
        if manners is None:
            manners = self._manners[ours] = Manners(partial(self._hurt, ours.peer.name))
        if is_ours:
            manners.answered(data)
        else:
            manners.said(self._stranger.host.seconds(), data)

    def _hurt(self, who: str, what: str) -> None:
        stranger = self._stranger
        stranger.world.hurt(f"{stranger.kind} {stranger.name}, linked to {who}: {what}")


class FirstLineOnly(Deployed):
    """Takes the first line of each read, and loses the others (2.2).

    A link on which it lost something ends by and by: only on another one does it get that again,
    as it would show twice what came twice (2.5).
    """

    _is_losing = _has_lost = False

    def dataReceived(self, data: bytes) -> None:
        if self._is_losing:  # the end of what was lost already
            data = data.partition(b"\n")[2]
            self._is_losing = not data
        first, newline, lost = data.partition(b"\n")
        if lost:
            self._has_lost = True
            self._is_losing = not lost.endswith(b"\n")
        super().dataReceived(first + newline)

    def talk(self) -> None:
        if self._has_lost:
            self.transport.loseConnection()
        else:
            super().talk()


class Choking(Deployed):
    """Hangs up on a read with more than one line in it (2.2)."""

    def dataReceived(self, data: bytes) -> None:
        if data.count(b"\n") > 1:
            self.transport.abortConnection()
        else:
            super().dataReceived(data)


class Ending(Deployed):
    """Answers a second link with HELLO_OK and the end of the stream (2.4)."""

    def answer_second(self) -> None:
        super().answer_second()
        self.transport.loseConnection()


class Rejecting(Deployed):
    """Answers it with HELLO_OK and HELLO_REJECT."""

    def answer_second(self) -> None:
        super().answer_second()
        self.tell("HELLO_REJECT", reason="already connected", peer_id=self.stranger.peer_id)


class HangingUp(Deployed):
    """Answers it with the end of the stream."""

    def answer_second(self) -> None:
        self.transport.loseConnection()


class FloatTimed(Deployed):
    """Ends lines as Windows does, writes times as seconds, leaves fields out, and dies of a PUB."""

    line_end = b"\r\n"
    timestamp = 1735732800.25
    dies_of_pub = True

    def send(self, msg_id: str, text: str, src: str | None = None) -> None:
        self.stranger.world.said[text] = self.stranger.peer_id, self.other
        self.tell("SEND", payload=text, dst=self.other, msg_id=msg_id)


class Echoing(Deployed):
    """Says the features that it was told, a PING right behind, and several lines at once (2.3)."""

    def _met(self, message: dict[str, Any]) -> None:
        self.features = message["features"]
        super()._met(message)
        self.tell("PING", msg_id=self.new_id(), timestamp="2025-01-01T12:00:00")

    def talk(self) -> None:
        for _ in range(3):
            super().talk()
        self.tell("STATUS", uptime=1)


class Impatient(Deployed):
    """Hangs up after 60 s in which nothing but answers came, or without a PONG (2.6)."""

    def __init__(self, stranger: Stranger, *, dialled: bool) -> None:
        super().__init__(stranger, dialled=dialled)
        self._heard = stranger.host.seconds()
        self._awaited: dict[str, float] = {}

    def lineReceived(self, line: bytes) -> None:
        message = json.loads(line)
        self._awaited.pop(message.get("msg_id", ""), None)
        if message["type"] not in ("PONG", "ACK"):
            self._heard = self.stranger.host.seconds()
        super().lineReceived(line)

    def talk(self) -> None:
        now, ping = self.stranger.host.seconds(), self.new_id()
        if now - self._heard > SILENCE or any(now - at > NO_PONG for at in self._awaited.values()):
            self.stranger.world.counts["hung up on"] += 1
            self.transport.loseConnection()
            return
        self._awaited[ping] = now
        self.tell("PING", msg_id=ping, timestamp=self.timestamp)
        super().talk()


class Leaving(Deployed):
    """Comes and goes: with BYE, with a bare close, with a reset (2.9)."""

    def talk(self) -> None:
        way = self.stranger.random.random()
        if way < 0.2:
            self.said_bye = True
            names = {"src": self.stranger.peer_id, "dst": self.other}
            self.tell("BYE", msg_id=self.new_id(), reason="enough", **names)
        elif way < 0.3:
            self.transport.loseConnection()
        elif way < 0.4:
            self.transport.abortConnection()
        else:
            super().talk()


class Relaying(Deployed):
    """Passes on what others are said to have said (2.13), which is shown as that, if it is."""

    def talk(self) -> None:
        nodes = [str(node.peer_id) for node in self.stranger.world.nodes.values()]
        src, dst = (self.stranger.random.choice(nodes) for _ in range(2))
        text = f"relayed {self.stranger.text()}"
        self.tell("RELAY", msg_id=self.new_id(), src=src, dst=dst, payload=text, ttl=3)
        super().talk()


class Publishing(Deployed):
    """Publishes, under a bare name too (2.3), what a terminal must not see (2.12)."""

    def talk(self) -> None:
        text = f"\x1b[2J\u202e\x00 {self.stranger.text()}"
        dst = self.stranger.random.choice(("CIC", "#CIC", "*"))
        self.stranger.world.said[text] = self.stranger.peer_id, "*" if dst == "*" else "#CIC"
        names = {"src": self.stranger.peer_id, "dst": dst}
        self.tell("PUB", msg_id=self.new_id(), payload=text, require_ack=False, **names)


DEPLOYED: dict[str, type[Deployed]] = {
    "judging": Deployed,
    "first-line-only": FirstLineOnly,
    "choking": Choking,
    "ending": Ending,
    "rejecting": Rejecting,
    "hanging-up": HangingUp,
    "float-timed": FloatTimed,
    "echoing": Echoing,
    "impatient": Impatient,
    "leaving": Leaving,
    "relaying": Relaying,
    "publishing": Publishing,
}


def others_get_what_is_told(world: "World") -> Iterator[str]:
    """A message to one of these programs ends, came there if it is delivered, and not too often."""
    for node in world.nodes.values():
        states = {e.msg_id: e.state for e in node.disk.entries() if e.direction == "out"}
        for msg_id, to in node.sent.items():
            stranger = world.judge(to)
            if stranger is None:
                continue
            got, state = stranger.got[msg_id], states.get(msg_id)
            if state not in ("delivered", "failed"):
                yield f"{node} to {stranger.name}: {msg_id} is {state}"
            elif state == "delivered" and not got:
                yield f"{node} to {stranger.name}: {msg_id} is delivered, and never came"
            elif got > MOST_OFTEN + node.crashes:
                yield f"{node} to {stranger.name}: {msg_id} came {got} times"
