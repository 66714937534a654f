"""A deployed program as a small fake (docs/protocols.md, section 2).

It listens on this machine, answers as the originals do, and notes a violation for every line that
one of them could not live with. `kinds` has what each does in its own way.
"""

import json
import socket
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread
from typing import ClassVar
from uuid import uuid4

from tests.integration.programs import HERE
from tests.integration.raw import Message, RawLink, connect
from tests.integration.rules import faults
from tests.integration.waiting import PATIENCE, Record

#: For so long nothing may follow a HELLO, PING or SEND that has no answer yet, in seconds.
_ANSWER_PAUSE = 0.05


class LegacyPeer:
    """A program that does nothing odd; the base of those that do."""

    line_end = b"\n"
    version = "1.0"
    features: ClassVar[list[str]] = ["ack", "metrics"]

    def __init__(self, name: str) -> None:
        self.peer_id = f"{name}@CIC"
        self.name = name
        self.violations: list[str] = []
        self.times_dialled = 0
        self.accepted: Record[RawLink] = Record()
        self._links: list[RawLink] = []
        self._server = socket.create_server((HERE, 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()

    def register(self, rendezvous: int) -> None:
        """Register at a rendezvous server on this machine."""
        request = {"type": "REGISTER", "namespace": "CIC", "name": self.name, "port": self.port}
        with connect(rendezvous) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline())
        if answer["status"] != "OK":
            raise AssertionError(f"{self.name} is not registered: {answer}")

    def dial(self, port: int) -> RawLink:
        """Dial a node and wait until it has accepted us."""
        link = self._link(connect(port))
        link.send(self.greeting("HELLO"), self.line_end)
        link.wait_for("HELLO_OK")
        self.greeted(link)
        return link

    def next_link(self) -> RawLink:
        """Wait for the next link that a node dialled."""
        return self.accepted.take(lambda _: True, f"a link to {self.name}")

    def send_text(self, link: RawLink, dst: str, text: str) -> None:
        """Send text and wait until it is acknowledged."""
        msg_id = str(uuid4())
        link.send(self.text(msg_id, dst, text), self.line_end)
        link.wait_for("ACK", msg_id=msg_id)

    def publish(self, link: RawLink, dst: str, text: str) -> None:
        publication = {"type": "PUB", "msg_id": str(uuid4()), "src": self.peer_id, "dst": dst}
        link.send({**publication, "payload": text, "require_ack": False, "ttl": 1}, self.line_end)

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(PATIENCE)
        for link in self._links:
            link.close()

    # What its originals say

    def greeting(self, kind: str) -> Message:
        return {
            "type": kind,
            "peer_id": self.peer_id,
            "version": self.version,
            "features": self.features,
            "ttl": 1,
        }

    def hello_ok(self, hello: Message) -> Message:
        return self.greeting("HELLO_OK")

    def text(self, msg_id: str, dst: str, text: str) -> Message:
        return {
            "type": "SEND",
            "msg_id": msg_id,
            "src": self.peer_id,
            "dst": dst,
            "payload": text,
            "require_ack": True,
            "ttl": 1,
        }

    def timestamp(self) -> str | float:
        return datetime.now(UTC).isoformat()

    # What its originals do with a line

    def lines_received(self, link: RawLink, lines: list[bytes], shared: int) -> None:
        """Judge and answer what came."""
        if shared:
            self.complain(f"{shared} lines came in a segment with another one, in {lines}")
        for number, line in enumerate(lines, 1):
            self.violations += faults(line)
            if line.strip():
                message = json.loads(line)
                if self.wants_answer(message):
                    self.mind_what_follows(link, message["type"], lines[number:])
                self.take(link, message)
                link.received.add(message)
            else:
                self.take_blank()

    def idle(self, link: RawLink) -> None:
        """Do what is due."""

    def wants_answer(self, message: Message) -> bool:
        """Tell whether nothing may follow this message until it is answered."""
        kind = message["type"]
        return kind in ("HELLO", "PING") or (kind == "SEND" and bool(message["require_ack"]))

    def take(self, link: RawLink, message: Message) -> None:
        """Answer a message."""
        kind = message["type"]
        if kind == "BYE":
            link.send({"type": "BYE_OK", "msg_id": message["msg_id"], "ttl": 1}, self.line_end)
        elif kind == "HELLO":
            self.accept_link(link, message)
        elif self.wants_answer(message):
            answer = {"type": "PONG" if kind == "PING" else "ACK", "msg_id": message["msg_id"]}
            link.send({**answer, "timestamp": self.timestamp(), "ttl": 1}, self.line_end)

    def take_blank(self) -> None:
        """Do what it does with a blank line."""

    def accept_link(self, link: RawLink, hello: Message) -> None:
        link.send(self.hello_ok(hello), self.line_end)
        self.greeted(link)
        self.accepted.add(link)

    def greeted(self, link: RawLink) -> None:
        """Take note that a handshake is done."""

    def mind_what_follows(self, link: RawLink, kind: str, lines: list[bytes]) -> None:
        """Note whether anything but a goodbye follows a message that has no answer yet."""
        following = b"\n".join(lines) or link.ahead(_ANSWER_PAUSE)
        if following and b'"BYE"' not in following:
            self.complain(f"{following[:80]!r} follows {kind} before its answer")

    def complain(self, violation: str) -> None:
        self.violations.append(violation)

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._server.accept()
                self.times_dialled += 1
                self._link(connection)

    def _link(self, connection: socket.socket) -> RawLink:
        link = RawLink(connection, self)
        self._links.append(link)
        return link
