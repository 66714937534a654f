"""A link of the live chat: a real ChatProtocol on a transport in memory and a clock.

byte 0 chooses whether we dialled, whether the handshake is over, with whom, whether the owner
refuses, whether it takes its time for that, and whether the other side reads. What comes is heard
the same in any pieces, what is kept is bounded, and the link ends once, soon, without a timer.
"""

from p2pchat.chat.codec import MAX_LINE
from p2pchat.chat.link import Ending, Link
from p2pchat.chat.outbound import Habits
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.chat.session import Role
from p2pchat.chat.wire import MAX_REPLIES
from tests.chat.bare import Bare, Recorder, hello, hello_ok
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import chat_codec
from tests.fuzz.watch import no_failures_logged

MAX_LENGTH = 4096
WORDS = (*chat_codec.WORDS, b"\n", b"\r\n", b'"alice@CIC"', b'"bob@CIC"', b'"p2pchat/9"')

#: Bits of the first byte.
DIALLED, INTRODUCED, MODERN, REFUSES, DEAF, SLOW = 1, 2, 4, 8, 16, 32


class Decider(Recorder):
    """An owner that lets everybody in, or nobody; a slow one when it is asked to decide()."""

    def __init__(self, mode: int) -> None:
        super().__init__(refuses=bool(mode & REFUSES))
        self._is_slow = bool(mode & SLOW)
        self._undecided: list[Link] = []

    def identified(self, link: Link) -> None:
        self._undecided.append(link)
        if not self._is_slow:
            self.decide()

    established = identified

    def decide(self) -> None:
        """Decide on whoever waits for it."""
        while self._undecided:
            link = self._undecided.pop()
            if link.ended:
                continue
            if not self.refuses:
                link.accept(Habits())
            elif link.role is Role.LISTENER:
                link.refuse(Ending.DUPLICATE, "duplicate")
            else:
                link.leave(Ending.DUPLICATE, "duplicate")


def check(data: bytes) -> None:
    """Let a link read this, in its pieces and at once."""
    mode, reads = data[0] if data else 0, pieces(data[1:])
    with no_failures_logged():
        in_pieces, at_once = _heard(mode, reads), _heard(mode, [b"".join(reads)])
        # whoever waits, for room or for a decision, hears the rest later or in another state
        if not mode & (DEAF | SLOW):
            assert in_pieces.owner.talk == at_once.owner.talk, "pieces are heard otherwise"
            assert in_pieces.owner.endings == at_once.owner.endings, "pieces end otherwise"
        for bare in (in_pieces, at_once):
            _ends(bare)


def _heard(mode: int, reads: list[bytes]) -> Bare:
    """Return a link that has read this."""
    bare = _link(mode)
    one_read = max(map(len, reads), default=0)
    for decided in (False, True):
        while reads and bare.socket.reading and not bare.socket.closed:
            bare.reads(reads[0])
            reads = reads[1:]
            _check_bounds(bare.link, one_read)
        if not decided:
            bare.owner.decide()
    return bare


def _link(mode: int) -> Bare:
    owner = Decider(mode)
    bare = Bare(Role.DIALLER if mode & DIALLED else Role.LISTENER, owner=owner)
    if mode & INTRODUCED:
        agent = {"agent": "p2pchat/9"} if mode & MODERN else {}
        bare.receives(hello_ok(**agent) if mode & DIALLED else hello(**agent))
    bare.socket.stuck = bool(mode & DEAF)
    return bare


def _check_bounds(link: ChatProtocol, one_read: int) -> None:
    assert len(link._buffer) <= MAX_LINE, "more than a line is kept"
    assert len(link._talk) <= one_read, "more is kept than a read brought"
    assert link._outbound.replies <= MAX_REPLIES + one_read, "replies without bound"


def _ends(bare: Bare) -> None:
    bare.run(40.0)
    if not bare.owner.endings:
        assert bare.link.talking, "a link that neither talks nor ends"
        bare.socket.lose()
    assert len(bare.owner.endings) == 1, "a link that ends more than once"
    assert not bare.clock.getDelayedCalls(), "a timer is left"
