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
from collections.abc import Iterable
from enum import IntEnum
from typing import Protocol

from p2pchat.errors import LocalProtocolError, RemoteProtocolError

#: Addresses that we take from a peer list, and that we put into one (3.3).
MAX_ADDRESSES = 1000

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
    packed = [socket.inet_aton(address) for address in addresses][:MAX_ADDRESSES]
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


class Framer:
    """Cuts a stream into messages; what it keeps is bounded by the header of one message.

    `accepted`: only on a link that we accepted may an identification come first.
    """

    def __init__(self, listener: FramerListener, *, accepted: bool) -> None:
        self._listener = listener
        self._first = accepted
        self._head = bytearray()
        self._sink: ArchiveSink | None = None
        self._addresses: list[str] = []
        self._addresses_left = 0

    @property
    def in_message(self) -> bool:
        """Whether the stream stands in the middle of a message."""
        return bool(self._head or self._sink or self._addresses_left)

    def feed(self, data: bytes) -> None:
        """Take bytes; RemoteProtocolError at the first one that cannot be."""
        view = memoryview(data)
        while view:
            view = view[self._step(view) :]

    def _step(self, view: memoryview) -> int:
        """Take some bytes; return how many."""
        if self._sink is not None:
            taken = self._sink.feed(view)
            self._end_archive_if_done()
            return taken
        wanted = self._wanted()
        taken = min(wanted - len(self._head), len(view))
        self._head += view[:taken]
        # the first bytes tell how many more there are
        if len(self._head) == wanted == self._wanted():
            self._complete()
        return taken

    def _wanted(self) -> int:
        """Return how many bytes the part has that is arriving, as far as can be told yet."""
        if self._addresses_left:
            return _ADDRESS_SIZE
        if not self._head:
            return 1
        match self._head[0]:
            case Type.PEER_REQUEST | Type.ARCHIVE_REQUEST:
                return 1
            case Type.PEER_LIST | Type.ARCHIVE_RESPONSE:
                return 5
            case Type.NOTIFICATION:
                return 2 if len(self._head) < 2 else 2 + self._head[1]
            case Type.IDENTIFICATION if self._first:
                return 1 + _ADDRESS_SIZE
        raise RemoteProtocolError(f"no message begins with 0x{self._head[0]:02x}")

    def _complete(self) -> None:
        part, self._head = bytes(self._head), bytearray()
        if self._addresses_left:
            self._add_address(part)
            return
        self._first = False
        match part[0]:
            case Type.PEER_REQUEST:
                self._listener.peer_request()
            case Type.ARCHIVE_REQUEST:
                self._listener.archive_request()
            case Type.PEER_LIST:
                self._addresses_left = int.from_bytes(part[1:], "big")
                self._end_list_if_done()
            case Type.ARCHIVE_RESPONSE:
                self._sink = self._listener.archive_begins(int.from_bytes(part[1:], "big"))
                self._end_archive_if_done()
            case Type.NOTIFICATION:
                self._listener.notification(part[2:])
            case Type.IDENTIFICATION:
                self._listener.identification(socket.inet_ntoa(part[1:]))

    def _add_address(self, packed: bytes) -> None:
        self._addresses_left -= 1
        if len(self._addresses) < MAX_ADDRESSES:
            self._addresses.append(socket.inet_ntoa(packed))
        self._end_list_if_done()

    def _end_list_if_done(self) -> None:
        if not self._addresses_left:
            addresses, self._addresses = self._addresses, []
            self._listener.peer_list(addresses)

    def _end_archive_if_done(self) -> None:
        if self._sink is not None and self._sink.done:
            sink, self._sink = self._sink, None
            self._listener.archive_ends(sink)
