"""Peers that take a node's archive slowly, and check every byte of it."""

import socket
import time

from benchmarks.archive_nodes import HOST
from benchmarks.archive_peer import TIMEOUT
from benchmarks.figures import BenchmarkError
from p2pchat.archive.codec import ARCHIVE_REQUEST, PEER_REQUEST

#: What a peer's system takes in, what the peer reads at a time, in bytes, and how often, in
#: seconds: 80 kB/s, so that 7 MB need a minute and a half.
ROOM = 4096
READ = 4096
PAUSE = 0.05


class SlowPeers:
    """Some links, each from an address of its own, to a node whose archive is `message`."""

    def __init__(self, port: int, count: int, message: bytes) -> None:
        # a node begins with these, and pushes its archive (docs/protocols.md, 3.2)
        self._wanted = PEER_REQUEST + ARCHIVE_REQUEST + message
        self._links = [_connect(port, f"127.0.1.{number}") for number in range(1, count + 1)]
        self._positions = [0] * count

    def read_slowly(self, seconds: float) -> None:
        """Read for a while; BenchmarkError if a peer has nothing to read, or read all."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for number in range(len(self._links)):
                self._read(number, READ)
            time.sleep(PAUSE)
        if max(self._positions) >= len(self._wanted):
            raise BenchmarkError("the peers were not slow")

    def read_all(self) -> None:
        """Read the rest as fast as it comes."""
        for number in range(len(self._links)):
            while self._positions[number] < len(self._wanted):
                self._read(number, len(self._wanted))

    def close(self) -> None:
        """Close the links."""
        for link in self._links:
            link.close()

    def _read(self, number: int, size: int) -> None:
        at = self._positions[number]
        data = self._links[number].recv(min(size, len(self._wanted) - at))
        if not data or not self._wanted.startswith(data, at):
            raise BenchmarkError(f"the archive is not as it ought to be at byte {at}")
        self._positions[number] = at + len(data)


def _connect(port: int, source: str) -> socket.socket:
    link = socket.socket()
    link.settimeout(TIMEOUT)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    link.bind((source, 0))
    link.connect((HOST, port))
    return link
