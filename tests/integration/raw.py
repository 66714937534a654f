"""Raw connections to a node: bytes out, and a note of every line that came in, and how."""

import json
import select
import socket
import struct
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Protocol

from tests.integration.programs import HERE
from tests.integration.waiting import PATIENCE, Record

Message = dict[str, Any]

#: Where Linux tells in TCP_INFO how many segments with data have come in.
_DATA_SEGMENTS_IN = 152

#: How often a listener has its turn, in seconds.
_TURN = 0.25


def connect(port: int) -> socket.socket:
    """Connect to a node on this machine."""
    connection = socket.create_connection((HERE, port), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(None)
    return connection


def segments_in(connection: socket.socket) -> int | None:
    """Count the segments with data that have come in; None if the system does not tell.

    A slow reader finds several segments in one read, so a read tells nothing about the writes.
    """
    if not hasattr(socket, "TCP_INFO"):
        return None
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    if len(info) < _DATA_SEGMENTS_IN + 4:
        return None
    count: int = struct.unpack_from("I", info, _DATA_SEGMENTS_IN)[0]
    return count


def encoded(message: Message, end: bytes = b"\n") -> bytes:
    return json.dumps(message, ensure_ascii=False).encode() + end


class LinkListener(Protocol):
    """Whom a link tells, in the link's thread; it may answer, and raise OSError to hang up."""

    def lines_received(self, link: "RawLink", lines: list[bytes], shared: int) -> None:
        """Take what a read brought; so many of the lines shared a segment with another one."""

    def idle(self, link: "RawLink") -> None:
        """Do what is due: called every now and then."""


class Notes:
    """A listener that does nothing but note what it hears."""

    def lines_received(self, link: "RawLink", lines: list[bytes], shared: int) -> None:
        for line in lines:
            link.received.add(json.loads(line))

    def idle(self, link: "RawLink") -> None:
        pass


class RawLink:
    """A connection that is read by a thread of its own."""

    def __init__(self, connection: socket.socket, listener: LinkListener) -> None:
        self.received: Record[Message] = Record()
        self._socket = connection
        self._listener = listener
        self._writing = Lock()
        self._lines = self._shared = 0
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, message: Message, end: bytes = b"\n") -> None:
        """Send a message as a line of its own."""
        self.write(encoded(message, end))

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        with self._writing:
            self._socket.sendall(data)

    def ahead(self, timeout: float) -> bytes:
        """Return what comes within timeout seconds, to be read again later."""
        if not select.select([self._socket], [], [], timeout)[0]:
            return b""
        return self._socket.recv(1 << 16, socket.MSG_PEEK)

    def wait_for(self, kind: str, timeout: float = PATIENCE, **fields: object) -> Message:
        """Return the first such message that was not returned before."""
        wanted = {"type": kind, **fields}
        return self.received.take(lambda seen: seen | wanted == seen, str(wanted), timeout)

    def wait_for_end(self) -> None:
        """Wait until the node has hung up."""
        self.received.wait_for_end("the link")

    def kinds(self) -> list[str]:
        """Return the types of all messages so far."""
        return [message["type"] for message in self.received.all()]

    def shut(self) -> None:
        """Send no more, but read on."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up, and wait for the thread."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._socket.close()

    def _run(self) -> None:
        why = "a bug in this fake, see its thread's traceback"
        try:
            self._read()
            why = "end of stream"
        except OSError as error:
            why = str(error)
        finally:
            self.received.end(why)
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        rest = b""
        while True:
            self._listener.idle(self)
            if not select.select([self._socket], [], [], _TURN)[0]:
                continue
            data = self._socket.recv(1 << 20)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            self._listener.lines_received(self, lines, self._newly_shared(len(lines)))

    def _newly_shared(self, lines: int) -> int:
        """Tell how many more lines than segments have come, beyond what was told before."""
        count = segments_in(self._socket)
        if count is None:
            return max(0, lines - 1)
        self._lines += lines
        before, self._shared = self._shared, max(self._shared, self._lines - count)
        return self._shared - before
