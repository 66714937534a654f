"""A link of the archive on a blocking socket, read by a thread of its own."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock, Thread
from typing import BinaryIO, Protocol

from tests.integration.archive_chain import Chain, response
from tests.integration.waiting import PATIENCE, Record


class Kind(IntEnum):
    IDENTIFICATION = 0
    PEER_REQUEST = 1
    PEER_LIST = 2
    ARCHIVE_REQUEST = 3
    ARCHIVE_RESPONSE = 4
    NOTIFICATION = 5


@dataclass(frozen=True)
class Message:
    kind: Kind
    addresses: tuple[str, ...] = ()
    chain: Chain = ()
    text: bytes = b""


class BrokenStreamError(ConnectionError):
    """No message begins like this."""


class LinkUser(Protocol):
    """Does what is to be done on a link, in its thread, until it raises OSError or returns."""

    def serve(self, link: "ArchiveLink") -> None: ...


class ArchiveLink:
    """A connection between two peers; `host` is the other one, `local_host` this one."""

    def __init__(self, connection: socket.socket, user: LinkUser, *, dialled: bool) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.dialled = dialled
        self.host: str = connection.getpeername()[0]
        self.local_host: str = connection.getsockname()[0]
        self.received: Record[Message] = Record()
        #: Whether what has to be said first is said.
        self.greeted = False
        #: The type of each message sent so far.
        self.sent: list[Kind] = []
        self.connection = connection
        self._stream = connection.makefile("rb")
        self._user = user
        self._writing = Lock()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Have the thread begin."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        return bool(self.received.ended)

    @property
    def heard(self) -> list[Message]:
        """All that ever came."""
        return self.received.all()

    # What is said

    def identify(self) -> None:
        self._say(Kind.IDENTIFICATION, b"\0" + socket.inet_aton(self.local_host))

    def ask_peers(self) -> None:
        self._say(Kind.PEER_REQUEST, b"\x01")

    def give_peers(self, packed: Iterable[bytes]) -> None:
        """List addresses of 4 bytes each."""
        listed = list(packed)
        data = b"\x02" + len(listed).to_bytes(4, "big") + b"".join(listed)
        self._say(Kind.PEER_LIST, data)

    def ask_archive(self) -> None:
        self._say(Kind.ARCHIVE_REQUEST, b"\x03")

    def give_archive(self, chain: Chain) -> None:
        self._say(Kind.ARCHIVE_RESPONSE, response(chain))

    def notify(self, text: bytes) -> None:
        self._say(Kind.NOTIFICATION, b"\x05" + bytes([len(text)]) + text)

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        with self._writing:
            self.connection.sendall(data)

    def _say(self, kind: Kind, data: bytes) -> None:
        self.sent.append(kind)
        self.write(data)

    # What is heard

    def read(self) -> Message | None:
        """Wait for the next message and note it; None at the end of the stream."""
        first = self._stream.read(1)
        if not first:
            return None
        message = read_message(self._stream, first[0])
        self.received.add(message)
        return message

    def wait_for(self, kind: Kind) -> Message:
        """Return the first such message that was not returned before."""
        return self.received.take(lambda seen: seen.kind == kind, kind.name)

    def wait_for_end(self) -> None:
        """Wait until one side has hung up."""
        self.received.wait_for_end("the link")

    def shut(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up, and wait for the thread."""
        self.shut()
        self._thread.join(PATIENCE)
        self._stream.close()
        self.connection.close()

    def _run(self) -> None:
        why = "a bug in this fake, see its thread's traceback"
        try:
            self._user.serve(self)
            why = "end of stream"
        except OSError as error:
            why = str(error)
        finally:
            self.received.end(why)
            self.shut()


def read_message(stream: BinaryIO, kind: int) -> Message:
    """Read what stands behind the first byte of a message. Raises BrokenStreamError."""
    match kind:
        case Kind.PEER_REQUEST | Kind.ARCHIVE_REQUEST:
            return Message(Kind(kind))
        case Kind.PEER_LIST:
            packed = [_exactly(stream, 4) for _ in range(_count(stream))]
            return Message(Kind.PEER_LIST, addresses=tuple(map(socket.inet_ntoa, packed)))
        case Kind.ARCHIVE_RESPONSE:
            return Message(
                Kind.ARCHIVE_RESPONSE,
                chain=tuple(_read_chat(stream) for _ in range(_count(stream))),
            )
        case Kind.NOTIFICATION:
            return Message(Kind.NOTIFICATION, text=_exactly(stream, _exactly(stream, 1)[0]))
        case Kind.IDENTIFICATION:
            address = socket.inet_ntoa(_exactly(stream, 4))
            return Message(Kind.IDENTIFICATION, addresses=(address,))
    raise BrokenStreamError(f"no message begins with 0x{kind:02x}")


def _read_chat(stream: BinaryIO) -> bytes:
    length = _exactly(stream, 1)
    return length + _exactly(stream, length[0] + 32)


def _count(stream: BinaryIO) -> int:
    return int.from_bytes(_exactly(stream, 4), "big")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise BrokenStreamError("the stream ends in the middle of a message")
    return data
