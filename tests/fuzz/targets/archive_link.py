"""A link of the archive: a real ArchiveProtocol, and an owner that takes longer valid archives.

byte 0 chooses who dialled and how much we have. What is heard is the same in any pieces, our
archive stays valid and never gets shorter, and what is kept is bounded.
"""

from typing import Any

from p2pchat.archive.codec import MAX_ADDRESSES
from p2pchat.archive.incoming import Incoming
from tests.archive.bare import BareLink, Owner
from tests.archive.examples import chats_of, invalid_chat
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import archive_framer
from tests.fuzz.targets.archive_framer import ACCEPTED, LIMIT, OURS
from tests.fuzz.watch import no_failures_logged

MAX_LENGTH = archive_framer.MAX_LENGTH
WORDS = archive_framer.WORDS

#: All that a peer list takes to be written, and an archive of ours.
MOST_WRITTEN = 4 * MAX_ADDRESSES + max(archive.size for archive in OURS)


class Careful(Owner):
    """An owner that looks at each archive before it takes it, and has a small bound."""

    #: Of an archive that is taken, in bytes.
    bound = LIMIT

    def incoming(self, link: Any, count: int) -> Incoming:
        return Incoming(count, self.archive, self.bound)

    def arrived(self, link: Any, incoming: Incoming) -> None:
        before = self.archive
        super().arrived(link, incoming)
        if self.archive is not before:
            assert self.archive.height > before.height, "an archive that is no longer than ours"
            assert invalid_chat(chats_of(self.archive)) is None, "an archive that is not valid"


def check(data: bytes) -> None:
    """Let a peer send this, in its pieces and at once."""
    mode, reads = data[0] if data else 0, pieces(data[1:])
    with no_failures_logged():
        in_pieces, at_once = heard(mode, reads), heard(mode, [b"".join(reads)])
    assert in_pieces == at_once, "pieces are heard otherwise"


def heard(mode: int, reads: list[bytes], kind: type[Careful] = Careful) -> list[Any]:
    """Return what an owner hears of a link, and how high its archive is in the end."""
    owner = kind(OURS[mode >> 1 & 3])
    link = BareLink(owner=owner, dialled=not mode & ACCEPTED)
    for read in reads:
        if read and link.transport.open:
            link.hear(read)
            bound = owner.bound + len(read) + owner.archive.size
            assert link.protocol.kept <= bound, "more than an archive is kept"
            assert not link.protocol._rest, "something is left of what was read"
            assert link.transport.unread <= MOST_WRITTEN + owner.bound + 65536, (
                "too much is written ahead"
            )
    link.transport.read_all()
    link.lose()
    link.verify()
    link.settle()
    assert not link.clock.getDelayedCalls(), "a timer is left"
    assert owner.what().count("disconnected") == 1, "it ended not once"
    return [*filter(_is_the_same_in_pieces, owner.heard), owner.archive.height]


def _is_the_same_in_pieces(note: tuple[Any, ...]) -> bool:
    """Leave out what comes sooner in pieces: that an archive is not valid."""
    what, *details = note
    return what not in ("unverified", "spoken") and not (
        what == "arrived" and details[-1] is not None
    )
