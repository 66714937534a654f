"""A peer of a node's archive on a plain socket, which reads when it is told to."""

import socket
import time
from collections.abc import Callable

from benchmarks.archive_nodes import HOST
from benchmarks.figures import BenchmarkError
from p2pchat.archive.codec import (
    ARCHIVE_REQUEST,
    PEER_REQUEST,
    ArchiveSink,
    Framer,
    archive_header,
)
from p2pchat.archive.incoming import Incoming
from p2pchat.config import Config

#: The longest that anything is waited for, in seconds.
TIMEOUT = 20.0

#: The first byte of an archive on the wire.
ARCHIVE_BEGINS = archive_header(0)[:1]

_ROOM = 64 * 1024
_LIMIT = Config().archive.max_archive_bytes


class ArchivePeer:
    """One link, made from an address of its own; implements FramerListener."""

    def __init__(self, port: int, source: str) -> None:
        #: How long the newest archive is that has come, None before the first.
        self.height: int | None = None
        self._lists = 0
        self._framer = Framer(self, accepted=False)
        self._link = socket.create_connection((HOST, port), TIMEOUT, (source, 0))
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        """Write, as fast as the node takes it."""
        self._link.sendall(data)

    def ask(self) -> float:
        """Return the seconds from a PeerRequest to its PeerList."""
        lists, started = self._lists, time.perf_counter()
        self._link.sendall(PEER_REQUEST)
        self._read_until(lambda: self._lists > lists)
        return time.perf_counter() - started

    def wait_for_height(self, height: int) -> None:
        """Read until an archive of this height has come."""
        self._read_until(lambda: self.height == height)

    def wait_for_archive(self) -> None:
        """Read until an archive begins to come; all that came before has to be read."""
        while True:
            kind = self._link.recv(1)
            self._framer.feed(kind)
            if kind == ARCHIVE_BEGINS:
                return
            if kind not in (PEER_REQUEST, ARCHIVE_REQUEST):
                raise BenchmarkError(f"the node sends {kind!r} unasked")

    def close(self) -> None:
        """Close the link."""
        self._link.close()

    def _read_until(self, enough: Callable[[], bool]) -> None:
        while not enough():
            data = self._link.recv(_ROOM)
            if not data:
                raise BenchmarkError("the node closed the link")
            while data:
                data = data[self._framer.feed(data) :]

    # The framer reports (FramerListener)

    def peer_request(self) -> None:
        """It is not answered: no other address is known here."""

    def peer_list(self, addresses: list[str]) -> None:
        self._lists += 1

    def archive_request(self) -> None:
        """It is not answered, as some programs do not while they have none."""

    def archive_begins(self, count: int) -> ArchiveSink:
        return Incoming.ignored(count, _LIMIT)

    def archive_ends(self, sink: ArchiveSink) -> None:
        assert isinstance(sink, Incoming)
        self.height = sink.count

    def notification(self, text: bytes) -> None:
        raise BenchmarkError(f"the node says: {text!r}")

    def identification(self, address: str) -> None:
        """A node that was dialled does not identify itself."""
