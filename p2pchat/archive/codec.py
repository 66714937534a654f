"""The archive's messages to bytes and back, incrementally (docs/protocols.md, 3).

====  ===============  ======================================
0x01  PeerRequest      none
0x02  PeerList         u32 N, N times 4 bytes of IPv4
0x03  ArchiveRequest   none
0x04  ArchiveResponse  u32 C, C chats
0x05  Notification     u8 N, N bytes of ASCII
====  ===============  ======================================

Nothing stands in front of a message to tell its length, so the first byte that can't be is the end
of the stream's use. In front of all messages one program sends 0x00 and 4 bytes of IPv4 (3.4).
"""

import socket
from collections.abc import Callable, Iterable
from enum import IntEnum
from itertools import islice
from typing import Protocol

from p2pchat.errors import LengthLimitError, LocalProtocolError, RemoteProtocolError

#: Addresses that we take from a peer list, and that we put into one (3.3).
MAX_ADDRESSES = 1000

#: Bytes of a list that are read before it counts as one that never ends (3.7).
MAX_LIST_BYTES = 4_000_000

_ADDRESS_SIZE = 4


class Type(IntEnum):
    IDENTIFICATION = 0x00
    PEER_REQUEST = 0x01
    PEER_LIST = 0x02
    ARCHIVE_REQUEST = 0x03
    ARCHIVE_RESPONSE = 0x04
    NOTIFICATION = 0x05


PEER_REQUEST = bytes([Type.PEER_REQUEST])
ARCHIVE_REQUEST = bytes([Type.ARCHIVE_REQUEST])


def peer_list(addresses: Iterable[str]) -> bytes:
    """Write a PeerList; at most MAX_ADDRESSES of the addresses go in."""
    packed = [socket.inet_aton(address) for address in islice(addresses, MAX_ADDRESSES)]
    return bytes([Type.PEER_LIST]) + len(packed).to_bytes(4, "big") + b"".join(packed)


def archive_header(count: int) -> bytes:
    """Write what stands before the chats of an ArchiveResponse."""
    return bytes([Type.ARCHIVE_RESPONSE]) + count.to_bytes(4, "big")


def notification(text: str) -> bytes:
    """Write a Notification of 6 to 255 printable ASCII characters (3.5)."""
    data = text.encode("ascii", "replace")
    if not 6 <= len(data) <= 255 or not text.isprintable():
        raise LocalProtocolError(f"not a text for a notification: {text!r}")
    return bytes([Type.NOTIFICATION, len(data)]) + data


def identification(address: str) -> bytes:
    """Write the bytes that one program expects before all else."""
    return bytes([Type.IDENTIFICATION]) + socket.inet_aton(address)


class ArchiveSink(Protocol):
    """Takes the chats of one ArchiveResponse as they come."""

    @property
    def done(self) -> bool:
        """Whether all chats have come."""

    def feed(self, data: memoryview) -> int:
        """Take what belongs to the archive; return how many bytes that were."""


class FramerListener(Protocol):
    """Hears one call for each message, in order."""

    def peer_request(self) -> None: ...
    def peer_list(self, addresses: list[str]) -> None: ...
    def archive_request(self) -> None: ...
    def archive_begins(self, count: int) -> ArchiveSink:
        """Return what takes the chats of an archive that has begun to arrive."""
        ...

    def archive_ends(self, sink: ArchiveSink) -> None: ...
    def notification(self, text: bytes) -> None: ...
    def identification(self, address: str) -> None: ...


class _Bytes:
    """Takes so many bytes as they come, and keeps the first of them (docs/protocols.md, 3.7)."""

    def __init__(self, size: int, keep: int) -> None:
        self.kept = bytearray()
        self._missing = size
        self._taken = 0
        self._keep = keep

    @property
    def done(self) -> bool:
        return not self._missing

    def feed(self, data: memoryview) -> int:
        taken = min(self._missing, len(data))
        self._missing -= taken
        self._taken += taken
        if self._taken > MAX_LIST_BYTES:
            raise LengthLimitError(f"a list of more than {MAX_LIST_BYTES} bytes")
        self.kept += data[: min(taken, self._keep - len(self.kept))]
        return taken


class Framer:
    """Cuts a stream into messages, each a head of a size that its type tells, some with a body.

    What it keeps is bounded by MAX_ADDRESSES, whatever a count promises. `accepted`: only on a link
    that we accepted may an identification come first.
    """

    def __init__(self, listener: FramerListener, *, accepted: bool) -> None:
        self._listener = listener
        self._messages = _FIRST_MESSAGES if accepted else _MESSAGES
        self._head = b""  # as far as it is here
        self._body: ArchiveSink | None = None
        self._end: Callable[[], None]  # what to call behind the body

    @property
    def in_message(self) -> bool:
        """Whether the stream stands in the middle of a message."""
        return bool(self._head) or self._body is not None

    def feed(self, data: bytes | memoryview) -> int:
        """Take bytes up to the end of one message, if it is here; return how many.

        Raises RemoteProtocolError at the first one that cannot be.
        """
        view = memoryview(data)
        position = 0
        while position < len(view):
            if self._body is None:
                position += self._take_head(bytes(view[position : position + _MAX_HEAD]))
            else:
                position += self._body.feed(view[position:])
                self._end_if_done()
            if not self.in_message:
                break
        return position

    def _take_head(self, data: bytes) -> int:
        """Take bytes up to the end of a message's head; return how many."""
        begun = len(self._head)
        self._head += data
        message = self._messages.get(self._head[0])
        if message is None:
            raise RemoteProtocolError(f"no message begins with 0x{self._head[0]:02x}")
        size, begin = message
        if len(self._head) < size:
            return len(data)
        number = int.from_bytes(self._head[1:size], "big")
        self._head = b""
        self._messages = _MESSAGES
        begin(self, number)
        return size - begun

    # What comes behind a head, which ends in a number: a count, a length or an address

    def _peer_request(self, _: int) -> None:
        self._listener.peer_request()

    def _archive_request(self, _: int) -> None:
        self._listener.archive_request()

    def _identification(self, address: int) -> None:
        self._listener.identification(*_addresses(address.to_bytes(_ADDRESS_SIZE, "big")))

    def _peer_list(self, count: int) -> None:
        packed = _Bytes(count * _ADDRESS_SIZE, MAX_ADDRESSES * _ADDRESS_SIZE)
        self._begin_body(packed, lambda: self._listener.peer_list(_addresses(packed.kept)))

    def _archive_response(self, count: int) -> None:
        sink = self._listener.archive_begins(count)
        self._begin_body(sink, lambda: self._listener.archive_ends(sink))

    def _notification(self, length: int) -> None:
        text = _Bytes(length, length)
        self._begin_body(text, lambda: self._listener.notification(bytes(text.kept)))

    def _begin_body(self, body: ArchiveSink, end: Callable[[], None]) -> None:
        self._body, self._end = body, end
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._body is not None and self._body.done:
            self._body = None
            self._end()


#: The size of each type's head, and what follows it.
_MESSAGES: dict[int, tuple[int, Callable[[Framer, int], None]]] = {
    Type.PEER_REQUEST: (1, Framer._peer_request),
    Type.PEER_LIST: (5, Framer._peer_list),
    Type.ARCHIVE_REQUEST: (1, Framer._archive_request),
    Type.ARCHIVE_RESPONSE: (5, Framer._archive_response),
    Type.NOTIFICATION: (2, Framer._notification),
}
_FIRST_MESSAGES = {**_MESSAGES, Type.IDENTIFICATION: (5, Framer._identification)}
_MAX_HEAD = max(size for size, _ in _FIRST_MESSAGES.values())


def _addresses(packed: bytes | bytearray) -> list[str]:
    return [
        socket.inet_ntoa(packed[start : start + _ADDRESS_SIZE])
        for start in range(0, len(packed), _ADDRESS_SIZE)
    ]
