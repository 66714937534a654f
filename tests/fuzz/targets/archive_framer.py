"""The framer of the archive, with archives that arrive against a small one of ours.

byte 0 chooses whether the link was accepted, and how much we have. What is heard, and where the
stream breaks, is the same in any pieces; what is kept is bounded whatever a count promises.
"""

from typing import Any

from p2pchat.archive.codec import MAX_ADDRESSES, Framer
from p2pchat.archive.incoming import Incoming
from p2pchat.errors import RemoteProtocolError
from tests.archive.examples import THOUSAND
from tests.archive.heard import verify
from tests.fuzz.cuts import pieces

MAX_LENGTH = 4096
WORDS = (
    *(b"\0\x0a\0\0\1", b"\1", b"\2\0\0\0\1", b"\3", b"\4\0\0\0\1", b"\5\6hello!"),
    *(b"\2\xff\xff\xff\xff", b"\4\xff\xff\xff\xff", b"\0\0\0\0", b"\4\0\0\0\x04"),
)

#: The longest archive that is taken, in bytes.
LIMIT = 2048

#: Archives of ours, by the second bit of the first byte and the third.
OURS = tuple(THOUSAND.truncated(height) for height in (0, 1, 3, 25))

ACCEPTED = 1


class Notes:
    """A FramerListener that writes down what it hears, and verifies archives in the end."""

    def __init__(self, height: int) -> None:
        self.heard: list[Any] = []
        self.incoming: Incoming | None = None
        self._ours = OURS[height]

    def peer_request(self) -> None:
        self.heard.append("peer request")

    def peer_list(self, addresses: list[str]) -> None:
        assert len(addresses) <= MAX_ADDRESSES, "more addresses than are taken"
        self.heard.append(addresses)

    def archive_request(self) -> None:
        self.heard.append("archive request")

    def archive_begins(self, count: int) -> Incoming:
        self.incoming = Incoming(count, self._ours, LIMIT)
        return self.incoming

    def archive_ends(self, sink: Incoming) -> None:
        verify(sink)
        self.heard.append((sink.count, sink.common, sink.invalid, sink.useful))
        self.incoming = None

    def notification(self, text: bytes) -> None:
        assert len(text) <= 255, "more than a notification holds"
        self.heard.append(text)

    def identification(self, address: str) -> None:
        self.heard.append(address)


def check(data: bytes) -> None:
    """Let this stream come in."""
    mode, reads = data[0] if data else 0, pieces(data[1:])
    in_pieces, at_once = heard(mode, reads), heard(mode, [b"".join(reads)])
    assert in_pieces == at_once, "pieces are heard otherwise"


def heard(mode: int, reads: list[bytes]) -> list[Any]:
    """Return what a framer reports of a stream, and its complaint if there is one."""
    notes = Notes(mode >> 1 & 3)
    framer = Framer(notes, accepted=bool(mode & ACCEPTED))
    try:
        for read in reads:
            _feed(framer, notes, memoryview(read))
    except RemoteProtocolError as error:
        notes.heard.append(str(error))
    return notes.heard


def _feed(framer: Framer, notes: Notes, rest: memoryview) -> None:
    size = len(rest)
    while rest:
        taken = framer.feed(rest)
        assert taken, "bytes that are never taken"
        rest = rest[taken:]
        assert len(framer._head) <= 5, "more than a head is kept"
        if notes.incoming is not None:
            bound = LIMIT + size + notes.incoming.base.size
            assert notes.incoming.kept <= bound, "more than an archive is kept"
        elif framer._body is not None:
            assert len(framer._body.kept) <= 4 * MAX_ADDRESSES, "more than a list is kept"
