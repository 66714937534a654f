"""What each deployed program does in its own way (docs/protocols.md, section 2)."""

import time
from collections.abc import Callable
from threading import Timer
from uuid import uuid4

from tests.integration.legacy import LegacyPeer
from tests.integration.raw import Message, RawLink, encoded
from tests.integration.waiting import Record


class OurKind(LegacyPeer):
    """One of our own kind, as far as a node can tell: it is written to without pauses."""

    def greeting(self, kind: str) -> Message:
        return {**super().greeting(kind), "agent": "fake"}

    def lines_received(self, link: RawLink, lines: list[bytes], shared: int) -> None:
        super().lines_received(link, lines, 0)

    def mind_what_follows(self, link: RawLink, kind: str, lines: list[bytes]) -> None:
        """Anything may follow."""


class FirstLineOnly(LegacyPeer):
    """Takes the first line of each read and loses the others."""

    def lines_received(self, link: RawLink, lines: list[bytes], shared: int) -> None:
        super().lines_received(link, lines[: len(lines) - shared], 0)
        if shared:
            self.complain(f"{shared} lines are lost: {lines}")


class Echoing(LegacyPeer):
    """Answers HELLO with the version and the features it was told, and a PING right behind."""

    def hello_ok(self, hello: Message) -> Message:
        copied = {"version": hello["version"], "features": hello["features"]}
        return {**super().hello_ok(hello), **copied}

    def accept_link(self, link: RawLink, hello: Message) -> None:
        ping = {"type": "PING", "msg_id": str(uuid4()), "timestamp": self.timestamp()}
        link.write(encoded(self.hello_ok(hello)) + encoded(ping))
        self.accepted.add(link)


class BlankFearing(LegacyPeer):
    """Closes on a blank line; ends its own lines as Windows does."""

    line_end = b"\r\n"

    def take_blank(self) -> None:
        raise ConnectionAbortedError("a blank line")


class FloatTimed(LegacyPeer):
    """Writes times as seconds, leaves fields out, and dies of a PUB."""

    def timestamp(self) -> float:
        return time.time()

    def text(self, msg_id: str, dst: str, text: str) -> Message:
        return {"payload": text, "dst": dst, "msg_id": msg_id, "type": "SEND"}

    def take(self, link: RawLink, message: Message) -> None:
        if message["type"] == "PUB":
            self.complain("it was sent a PUB and died")
            raise ConnectionAbortedError("died of a PUB")
        super().take(link, message)


class Impatient(LegacyPeer):
    """Sends PINGs, and closes a link on which nothing but their answers comes for `silence` s."""

    #: The originals have 60 s.
    silence = 3.0

    def __init__(self, name: str) -> None:
        self._heard_at: dict[RawLink, float] = {}
        self._ping_at: dict[RawLink, float] = {}
        super().__init__(name)

    def greeted(self, link: RawLink) -> None:
        self._heard_at[link] = self._ping_at[link] = time.monotonic()

    def take(self, link: RawLink, message: Message) -> None:
        if message["type"] != "PONG":
            self._heard_at[link] = time.monotonic()
        super().take(link, message)

    def idle(self, link: RawLink) -> None:
        now = time.monotonic()
        if link not in self._ping_at:
            return
        if now - self._heard_at[link] > self.silence:
            self.complain(f"{self.silence:g} s of silence")
            raise TimeoutError("silence")
        if now >= self._ping_at[link]:
            self._ping_at[link] = now + 1
            link.send({"type": "PING", "msg_id": str(uuid4()), "timestamp": self.timestamp()})


class Slow(LegacyPeer):
    """Takes its time to acknowledge a text."""

    #: In seconds; longer than anybody waits for a BYE_OK.
    delay = 1.5

    def take(self, link: RawLink, message: Message) -> None:
        if message["type"] == "SEND":
            Timer(self.delay, super().take, (link, message)).start()
        else:
            super().take(link, message)


class Refusing(LegacyPeer):
    """Treats every link as a second one (2.4); `answer` gets the link to do so."""

    def __init__(self, name: str, answer: Callable[[LegacyPeer, RawLink], None]) -> None:
        self._answer = answer
        super().__init__(name)

    def accept_link(self, link: RawLink, hello: Message) -> None:
        self._answer(self, link)
        self.accepted.add(link)


class OnceConnected(Refusing):
    """Dials the node that dials it, so that the node's link is the second one."""

    def __init__(self, name: str, answer: Callable[[LegacyPeer, RawLink], None], node: int) -> None:
        self.own: Record[RawLink] = Record()
        self._node = node
        super().__init__(name, answer)

    def accept_link(self, link: RawLink, hello: Message) -> None:
        self.own.add(self.dial(self._node))
        super().accept_link(link, hello)


def ok_then_end(peer: LegacyPeer, link: RawLink) -> None:
    link.send(peer.greeting("HELLO_OK"))
    link.shut()


def ok_then_reject(peer: LegacyPeer, link: RawLink) -> None:
    link.send(peer.greeting("HELLO_OK"))
    link.send({"type": "HELLO_REJECT", "reason": "already connected", "peer_id": peer.peer_id})


def end_at_once(peer: LegacyPeer, link: RawLink) -> None:
    link.shut()
