"""Many modern peers in one process, each with a name and a link of its own."""

import contextlib
import selectors
import socket
import time
from collections.abc import Callable

from p2pchat.chat.codec import decode, encode
from p2pchat.chat.messages import Hello, HelloOk, Ping, Pong, Pub

#: Links that come from one address: half of what a node allows by default.
LINKS_PER_IP = 128

#: How long connecting, and a message to all, may take, in seconds.
TIMEOUT = 20.0

_ROOM = 64 * 1024


class Member:
    """One peer: answers PINGs, and notes what it hears."""

    def __init__(self, port: int, number: int) -> None:
        self.accepted = False
        self.open = True
        self.heard: set[str] = set()
        self._rest = b""
        own_address = f"127.0.0.{1 + number // LINKS_PER_IP}"
        self.link = socket.create_connection(("127.0.0.1", port), TIMEOUT, (own_address, 0))
        self.link.sendall(encode(Hello(f"crowd-{number}@CIC", agent="raw")))

    def read(self) -> None:
        """Take what has come, once the socket is readable."""
        data = b""
        with contextlib.suppress(ConnectionError):
            data = self.link.recv(_ROOM)
        self.open = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        match decode(line):
            case HelloOk():
                self.accepted = True
            case Ping(msg_id):
                self.link.sendall(encode(Pong(msg_id)))
            case Pub(payload=text):
                self.heard.add(text)


class Crowd:
    """Peers that are linked to one server; they live while somebody calls `live`."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._selector = selectors.DefaultSelector()

    def join(self, port: int, count: int) -> None:
        """Link `count` peers to a server one after another, as far as it lets them."""
        for number in range(count):
            member = Member(port, number)
            self.members.append(member)
            self._selector.register(member.link, selectors.EVENT_READ, member)
            self.live(TIMEOUT, lambda member=member: member.accepted or not member.open)

    @property
    def held(self) -> int:
        """Count the links that were accepted and are still there."""
        return sum(member.accepted and member.open for member in self.members)

    def reached(self, text: str) -> int:
        """Count the peers that have heard a publication."""
        return sum(text in member.heard for member in self.members)

    def live(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> float:
        """Answer whatever comes, for so many seconds or until it is enough; return how long."""
        started = now = time.perf_counter()
        while now < started + seconds and not enough():
            for key, _ in self._selector.select(max(0.0, started + seconds - now)):
                self._serve(key.data)
            now = time.perf_counter()
        return now - started

    def close(self) -> None:
        """Close all links, without a BYE."""
        for member in self.members:
            member.link.close()
        self._selector.close()

    def _serve(self, member: Member) -> None:
        member.read()
        if not member.open:
            self._selector.unregister(member.link)
