"""The state of one link, without IO: who speaks, what may be said, who the other side is.

=================  ======================  ============================================
state              what we may receive     leads to
=================  ======================  ============================================
AWAIT_HELLO        HELLO                   AWAIT_DECISION (the listener's owner decides)
AWAIT_DECISION     talk, BYE               LEFT on BYE; accept() -> TALKING
AWAIT_HELLO_OK     HELLO_OK                TALKING
                   HELLO_REJECT            AWAIT_HELLO_OK: refused, so we leave() (2.4)
                   BYE                     LEFT
TALKING            talk, HELLO_REJECT      TALKING; leave() on HELLO_REJECT
                   BYE                     LEFT
LEAVING            talk, BYE, BYE_OK       LEFT on BYE_OK; on BYE too, once it is answered
LEFT               anything, unheard       LEFT
=================  ======================  ============================================

Talk is PING, PONG, SEND, ACK, PUB and RELAY. A stray BYE_OK, a repeated HELLO_OK and any type that
we do not know are harmless and unheard once the other side has said HELLO. leave() leads from
anywhere to LEAVING; to LEFT if there is nobody to say BYE to, since we do not know who is there.
Everything else is a RemoteProtocolError.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from p2pchat.chat.codec import decode, decode_offer, encode_offer
from p2pchat.chat.messages import (
    FEATURES,
    Ack,
    AnyMessage,
    ArchiveOffer,
    Bye,
    ByeOk,
    Hello,
    HelloOk,
    HelloReject,
    Ping,
    Pong,
    Pub,
    Relay,
    Send,
    Unknown,
)
from p2pchat.errors import LocalProtocolError, RemoteProtocolError
from p2pchat.identity import PeerId, parse_peer_id
from p2pchat.text import visible


class Role(Enum):
    """Who opened the link: we dialled, or we listened."""

    DIALLER = "out"
    LISTENER = "in"


class State(Enum):
    AWAIT_HELLO = auto()
    AWAIT_DECISION = auto()
    AWAIT_HELLO_OK = auto()
    TALKING = auto()
    LEAVING = auto()
    LEFT = auto()


_TALK: Final = (Ping, Pong, Send, Ack, Pub, Relay)

#: What each state hears, and the state that follows; see the table above.
_NEXT: Final[dict[State, dict[type, State]]] = {
    State.AWAIT_HELLO: {Hello: State.AWAIT_DECISION},
    State.AWAIT_DECISION: {
        **dict.fromkeys(_TALK, State.AWAIT_DECISION),
        Bye: State.LEFT,
    },
    State.AWAIT_HELLO_OK: {
        HelloOk: State.TALKING,
        HelloReject: State.AWAIT_HELLO_OK,
        Bye: State.LEFT,
    },
    State.TALKING: {
        **dict.fromkeys(_TALK, State.TALKING),
        HelloReject: State.TALKING,
        Bye: State.LEFT,
    },
    State.LEAVING: {
        **dict.fromkeys(_TALK, State.LEAVING),
        Bye: State.LEFT,
        ByeOk: State.LEFT,
    },
    State.LEFT: {},
}
_HARMLESS: Final = (ByeOk, HelloOk, Unknown)


def offer_nothing() -> ArchiveOffer | None:
    """Stand in for the offer of a node without an archive."""
    return None


class Session:
    """One link's conversation.

    `expected` is the peer that a dialler means to reach, if it has one in mind (2.7). `offer` is
    asked what we have of the archive when we introduce ourselves; `peer_archive` is what the peer
    has, if it is modern and said so.
    """

    def __init__(
        self,
        me: PeerId,
        role: Role,
        *,
        agent: str,
        expected: PeerId | None = None,
        offer: Callable[[], ArchiveOffer | None] = offer_nothing,
    ) -> None:
        self.me = me
        self.role = role
        self.expected = expected
        self.agent = agent
        self.peer: PeerId | None = None
        #: Who is there, as far as that can be told: whom we meant to reach, or who was turned away.
        self._there = expected
        self.peer_agent = ""
        self.peer_archive: ArchiveOffer | None = None
        self.state = State.AWAIT_HELLO_OK if role is Role.DIALLER else State.AWAIT_HELLO
        self._offer = offer
        self._moves = _NEXT[self.state]

    @property
    def modern(self) -> bool:
        """Tell whether the peer is of our own kind: only its own `agent` field proves it (2.1)."""
        return bool(self.peer_agent)

    def hello(self) -> Hello:
        """Return what the dialler says first."""
        archive = encode_offer(self._offer())
        return Hello(self.me, features=FEATURES, agent=self.agent, archive=archive)

    def receive(self, line: bytes) -> AnyMessage | None:
        """Read one line without its newline; return the message, or None if it is to be ignored.

        Raises RemoteProtocolError if it is no message, or one that this state does not allow; the
        state is then unchanged, and the caller decides whether the link may go on.
        """
        if self.state is State.LEFT:
            return None
        message = decode(line)
        kind = type(message)
        state = self._moves.get(kind)
        if state is None:
            self._check_harmless(message)
            return None
        if state is not self.state:
            if kind is Hello or kind is HelloOk:
                self._identify(message)
            self._move(state)
        return message

    def accept(self) -> HelloOk:
        """Let the dialler in; return the HELLO_OK to send."""
        if self.state is not State.AWAIT_DECISION:
            raise LocalProtocolError(f"nobody to accept in {self.state.name}")
        self._move(State.TALKING)
        archive = encode_offer(self._offer() if self.modern else None)
        return HelloOk(self.me, features=FEATURES, agent=self.agent, archive=archive)

    def leave(self, msg_id: str, reason: str) -> Bye | None:
        """Begin to leave; return the BYE to send, None if it could be addressed to nobody."""
        if self.state in (State.LEAVING, State.LEFT):
            raise LocalProtocolError(f"cannot leave in {self.state.name}")
        self._move(State.LEAVING if self._there else State.LEFT)
        return Bye(msg_id, self.me, self._there, reason) if self._there else None

    def leave_answer(self, bye: Bye) -> ByeOk:
        """Return the answer to a BYE; never sent unasked (2.9)."""
        return ByeOk(bye.msg_id, self.me, self._there or "")

    def close(self) -> None:
        """Hear nothing more: the transport is closing or gone."""
        self._move(State.LEFT)

    def _move(self, state: State) -> None:
        self.state = state
        self._moves = _NEXT[state]

    def _check_harmless(self, message: AnyMessage) -> None:
        if isinstance(message, _HARMLESS) and self.state is not State.AWAIT_HELLO:
            return
        kind = message.__struct_config__.tag
        raise RemoteProtocolError(f"{kind} is not allowed in {self.state.name}")

    def _identify(self, message: AnyMessage) -> None:
        assert isinstance(message, Hello | HelloOk)
        shown = visible(message.peer_id, 80)
        try:
            peer = parse_peer_id(message.peer_id)
        except ValueError as error:
            raise RemoteProtocolError(f"peer_id {shown!r} {error}") from error
        self._there = peer
        if peer == self.me:
            raise RemoteProtocolError(f"{shown} is our own name")
        if self.expected is not None and peer != self.expected:
            raise RemoteProtocolError(f"{shown} answered instead of {visible(self.expected)}")
        self.peer = peer
        if message.agent is not msgspec.UNSET:
            self.peer_agent = visible(message.agent, 64) or "?"
            self.peer_archive = decode_offer(message.archive)
