"""A link of the archive whose peer sends valid archives: longer ones, forks, and damaged ones.

Nobody guesses a proof of work, so here an input is a few steps of two bytes each, and what arrives
is made of them: byte 0 of a step chooses a chain, and whether a byte of it is damaged or a chat
more is promised than comes; byte 1 how many chats. What `archive_link` checks has to hold, and who
hears only sound archives has the longest of them in the end.
"""

from functools import cache

from p2pchat.archive.archive import Archive
from p2pchat.archive.codec import ARCHIVE_REQUEST, archive_header
from tests.archive.examples import EXAMPLE, THOUSAND, branch
from tests.fuzz.cuts import pieces
from tests.fuzz.targets.archive_framer import OURS
from tests.fuzz.targets.archive_link import Careful, heard
from tests.fuzz.watch import no_failures_logged

MAX_LENGTH = 64
WORDS = (b"\0\x1a", b"\1\2", b"\2\x18", b"\3\0", b"\4\x1a", b"\x08\x1a")

#: Of the first byte of a step: which chain, a byte that is damaged, a chat that does not come.
CHAIN, DAMAGED, MISSING = 3, 4, 8

MAX_STEPS = 12

#: Any of the chains has room in it, in bytes.
ROOM = 1 << 16


@cache
def chains() -> tuple[Archive, ...]:
    """Return two published archives, and one that leaves the first of them at its 20th chat."""
    return THOUSAND.truncated(40), EXAMPLE, branch(20)


def check(data: bytes) -> None:
    """Let a peer send what these steps make; its first bytes choose the cuts."""
    mode, cuts = data[0] if data else 0, data[1:16]
    steps = [(data[at], data[at + 1]) for at in range(16, len(data) - 1, 2)][:MAX_STEPS]
    stream = b"".join(_message(*step) for step in steps)
    reads = pieces((bytes([7]) + cuts[1:].ljust(14, b"\0")) + stream)
    with no_failures_logged():
        in_pieces = heard(mode, reads, _Roomy)
        at_once = heard(mode, [stream], _Roomy)
    assert in_pieces == at_once, "pieces are heard otherwise"
    if all(is_sound(*step) for step in steps):
        heights = [_archive(*step).height for step in steps if step[0] & CHAIN < len(chains())]
        highest = max([OURS[mode >> 1 & 3].height, *heights])
        assert in_pieces[-1] == highest, "the longest was not taken"


def is_sound(kind: int, height: int) -> bool:
    """Tell whether a step makes a message that is all in order."""
    return not kind & (DAMAGED | MISSING)


class _Roomy(Careful):
    bound = ROOM


def _archive(kind: int, height: int) -> Archive:
    chain = chains()[kind & CHAIN]
    return chain.truncated(height % (chain.height + 1))


def _message(kind: int, height: int) -> bytes:
    if kind & CHAIN == len(chains()):
        return ARCHIVE_REQUEST
    archive = _archive(kind, height)
    body = bytearray(archive.view())
    if kind & DAMAGED and body:
        body[(kind >> 4) * len(body) >> 4] ^= 1 << (height & 7)
    return archive_header(archive.height + bool(kind & MISSING)) + body
