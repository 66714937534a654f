"""The seam between links and their owner: what may be asked of a link, and what it reports."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from random import Random
from typing import NamedTuple, Protocol

import msgspec

from p2pchat.chat.messages import Ack, ArchiveOffer, Pub, Relay, Send
from p2pchat.chat.outbound import Habits
from p2pchat.chat.session import Role, offer_nothing
from p2pchat.identity import Address, PeerId

#: The reason in the BYE to the link that goes when both sides dialled (2.8).
DUPLICATE = "duplicate"


class Ending(Enum):
    """Why a link ended, as far as it decides whether the peer is dialled again."""

    PEER_LEFT = "it said goodbye"
    WE_LEFT = "we said goodbye"
    REFUSED = "it has a link to us already"
    DUPLICATE = "another link to it stays"
    DEAD = "it does not answer"
    SILENT = "it did not say who it is"
    BROKEN = "it broke the protocol"
    LOST = "the connection was lost"


class Closed(NamedTuple):
    """The end of a link: its kind, and words for the user."""

    ending: Ending
    reason: str


#: What peers say to each other, as opposed to what keeps the link.
Talk = Send | Pub | Ack | Relay


class LinkSettings(msgspec.Struct, frozen=True):
    """What all links of a node share; times in seconds."""

    me: PeerId
    agent: str
    handshake_timeout: float
    ping_interval: float
    answer_timeout: float
    queue_messages: int
    queue_bytes: int
    rng: Random
    wall_clock: Callable[[], datetime]
    offer: Callable[[], ArchiveOffer | None] = offer_nothing

    def timestamp(self) -> str:
        """Return the time of day as messages have it."""
        return self.wall_clock().isoformat(timespec="milliseconds")[:23] + "Z"


class Link(Protocol):
    """A connection to a peer, its handshake done or nearly so."""

    @property
    def role(self) -> Role: ...
    @property
    def peer(self) -> PeerId | None: ...
    @property
    def talking(self) -> bool: ...
    @property
    def ended(self) -> bool:
        """Whether it is closed, or about to be."""

    @property
    def paused(self) -> bool:
        """Whether it is not read for reasons of ours, so that no answer can come."""

    @property
    def ping_waits(self) -> bool:
        """Whether a PING of ours is not written yet."""

    @property
    def modern(self) -> bool: ...
    @property
    def agent(self) -> str: ...
    @property
    def archive(self) -> ArchiveOffer | None:
        """What the peer said of its archive."""

    @property
    def address(self) -> Address: ...
    @property
    def established_at(self) -> float | None: ...
    @property
    def heard_at(self) -> float: ...
    @property
    def queued(self) -> int: ...

    def accept(self, habits: Habits) -> None:
        """Let the peer in: answer its HELLO if it dialled, and report what it says.

        Of a legacy peer `habits` are what its links have learned; this one adds to it.
        """

    def refuse(self, ending: Ending, reason: str) -> None:
        """Answer HELLO with HELLO_REJECT, say BYE and close."""

    def queue(self, message: Send | Pub, line: bytes | None = None) -> None:
        """Queue a message, or its line if it is encoded already.

        Raises QueueFullError or LocalProtocolError if it can't be taken.
        """

    def withdraw(self, msg_id: str) -> bool:
        """Take a SEND back that is queued; False if none is, since it is written already."""

    def acknowledge(self, msg_ids: Sequence[str]) -> None:
        """Answer SENDs, in this order."""

    def hold_open(self) -> None:
        """Say the last word only when let_go() was called as often as this.

        What the peer said is being stored. It is not waited for longer than LEAVE_TIMEOUT.
        """

    def let_go(self) -> None:
        """Take one hold_open() back."""

    def ping(self) -> None:
        """Send a PING now, to learn whether the other side is still there."""

    def leave(self, ending: Ending, reason: str) -> None:
        """Say BYE, wait a second for BYE_OK, close. Does nothing if that has begun.

        BYE waits while the link is held open.
        """

    def pause(self, why: str = "owner") -> None:
        """Read nothing more until resume() for the same reason."""

    def resume(self, why: str = "owner") -> None:
        """Read again, unless there is another reason not to."""


class LinkOwner(Protocol):
    """Whoever owns links; called in the order in which things happen."""

    def identified(self, link: Link) -> None:
        """A peer said HELLO; accept() or refuse() it, now or soon."""

    def established(self, link: Link) -> None:
        """A peer that we dialled said HELLO_OK."""

    def received(self, link: Link, messages: Sequence[Talk]) -> None:
        """The peer said something: all that one read brought, in order."""

    def measured(self, link: Link, seconds: float) -> None:
        """The peer answered a PING after so many seconds."""

    def written(self, link: Link, message: Send) -> None:
        """A SEND was handed to the transport."""

    def closed(self, link: Link, closed: Closed) -> None:
        """The link is gone; nothing more is reported of it."""
