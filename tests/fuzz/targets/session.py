"""A link of the live chat: a real ChatProtocol on a transport in memory and a clock.

byte 0 chooses whether we dialled, whether the handshake is over, with whom, whether the owner
refuses, and whether the other side reads. What comes in any pieces is heard the same, what is kept
is bounded, and the link ends once, soon, and leaves no timer.
"""

from p2pchat.chat.codec import MAX_LINE
from p2pchat.chat.session import Role
from p2pchat.chat.wire import MAX_REPLIES
from tests.chat.bare import Bare, hello, hello_ok
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import chat_codec
from tests.fuzz.watch import no_failures_logged

MAX_LENGTH = 4096
WORDS = (*chat_codec.WORDS, b"\n", b"\r\n", b'"alice@CIC"', b'"bob@CIC"', b'"p2pchat/9"')

#: Bits of the first byte.
DIALLED, INTRODUCED, MODERN, REFUSES, DEAF = 1, 2, 4, 8, 16


def check(data: bytes) -> None:
    """Let a link read this, in its pieces and at once."""
    mode, reads = data[0] if data else 0, pieces(data[1:])
    with no_failures_logged():
        in_pieces, at_once = _link(mode), _link(mode)
        for read in reads:
            _read(in_pieces, read)
        _read(at_once, b"".join(reads))
        if not mode & DEAF:  # who waits for room hears the rest later, or not at all
            assert in_pieces.owner.talk == at_once.owner.talk, "pieces are heard otherwise"
            assert in_pieces.owner.endings == at_once.owner.endings, "pieces end otherwise"
        for bare in (in_pieces, at_once):
            _ends(bare)


def _link(mode: int) -> Bare:
    role = Role.DIALLER if mode & DIALLED else Role.LISTENER
    bare = Bare(role, refuses=bool(mode & REFUSES))
    if mode & INTRODUCED:
        agent = {"agent": "p2pchat/9"} if mode & MODERN else {}
        bare.receives(hello_ok(**agent) if mode & DIALLED else hello(**agent))
    bare.socket.stuck = bool(mode & DEAF)
    return bare


def _read(bare: Bare, read: bytes) -> None:
    bare.reads(read)
    link = bare.link
    assert len(link._buffer) <= MAX_LINE, "more than a line is kept"
    assert len(link._talk) <= len(read), "more is kept than this read brought"
    assert link._outbound.replies <= MAX_REPLIES + len(read), "replies without bound"


def _ends(bare: Bare) -> None:
    bare.run(40.0)
    if not bare.owner.endings:
        assert bare.link.talking, "a link that neither talks nor ends"
        bare.socket.lose()
    assert len(bare.owner.endings) == 1, "a link that ends more than once"
    assert not bare.clock.getDelayedCalls(), "a timer is left"
