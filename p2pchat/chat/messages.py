"""The messages that peers exchange (docs/protocols.md, section 2).

========== =================================================================
HELLO      peer_id, version, features, ttl, agent and archive (ours only)
HELLO_OK   the same
PING PONG  msg_id (the PONG repeats it), timestamp, ttl
SEND       msg_id, src, dst, payload, require_ack, ttl
ACK        msg_id (of the SEND), timestamp, ttl
PUB        msg_id, src, dst ("*" or "#namespace"), payload, require_ack, ttl
BYE        msg_id, src, dst, reason, ttl
BYE_OK     msg_id (of the BYE), src, dst, ttl
========== =================================================================

Two more are only understood: HELLO_REJECT, which some programs send to a second link (2.4), and
RELAY (2.13). What deployed programs leave out has a default here, and their float timestamps are
accepted (2.3); fields that are not named are ignored.
"""

from random import Random
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

PROTOCOL_VERSION = "1.0"
FEATURES = ("ack", "metrics")

#: ISO 8601 from most programs, a float epoch from one (2.10).
Timestamp = str | float | None

Id = Annotated[str, Meta(max_length=256)]
Name = Annotated[str, Meta(max_length=512)]
Features = Annotated[tuple[str, ...], Meta(max_length=64)]


def new_id(rng: Random) -> str:
    """Draw an id for a message: a random uuid."""
    return str(UUID(int=rng.getrandbits(128), version=4))


class ArchiveOffer(msgspec.Struct, frozen=True):
    """What a peer says of its archive: where it listens, and what it has (section 3).

    `height` counts its chats, as many as the archive's own messages can; `tip` is the MD5 of the
    last one in hexadecimal, empty if there is none. All of it is only claimed.
    """

    port: Annotated[int, Meta(ge=1, le=65535)]
    height: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    tip: Annotated[str, Meta(max_length=32)]


class Message(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all messages; the wire's `type` tells which."""


class Hello(Message, frozen=True, tag="HELLO"):
    """The dialler introduces itself. `agent` marks our own kind (2.1).

    `archive` is an ArchiveOffer if all is well; undecoded, it disturbs no more than a field that is
    not known at all.
    """

    peer_id: str
    version: str = PROTOCOL_VERSION
    features: Features = ()
    ttl: int = 1
    agent: str | UnsetType = UNSET
    archive: Raw | UnsetType = UNSET


class HelloOk(Message, frozen=True, tag="HELLO_OK"):
    """The listener accepts, and introduces itself."""

    peer_id: str
    version: str = PROTOCOL_VERSION
    features: Features = ()
    ttl: int = 1
    agent: str | UnsetType = UNSET
    archive: Raw | UnsetType = UNSET


class HelloReject(Message, frozen=True, tag="HELLO_REJECT"):
    """The listener does not want this link, usually since it has one (2.4)."""

    reason: str = ""
    peer_id: str = ""


class Ping(Message, frozen=True, tag="PING"):
    msg_id: Id
    timestamp: Timestamp = None
    ttl: int = 1


class Pong(Message, frozen=True, tag="PONG"):
    msg_id: Id
    timestamp: Timestamp = None
    ttl: int = 1


class Send(Message, frozen=True, tag="SEND"):
    """Text for one peer. A missing `require_ack` is taken as true: an ACK too many harms nobody."""

    msg_id: Id
    src: Name = ""
    dst: Name = ""
    payload: str = ""
    require_ack: bool = True
    ttl: int = 1


class Ack(Message, frozen=True, tag="ACK"):
    msg_id: Id
    timestamp: Timestamp = None
    ttl: int = 1


class Pub(Message, frozen=True, tag="PUB"):
    """Text for many. A `dst` without `#` means that namespace (2.3)."""

    msg_id: Id
    src: Name = ""
    dst: Name = "*"
    payload: str = ""
    require_ack: bool = False
    ttl: int = 1


class Bye(Message, frozen=True, tag="BYE"):
    msg_id: Id = ""
    src: Name = ""
    dst: Name = ""
    reason: str = ""
    ttl: int = 1


class ByeOk(Message, frozen=True, tag="BYE_OK"):
    msg_id: Id = ""
    src: Name = ""
    dst: Name = ""
    ttl: int = 1


class Relay(Message, frozen=True, tag="RELAY"):
    """Text that a third program passes on in somebody's name; shown as unverified (2.13)."""

    msg_id: Id
    src: Name = ""
    dst: Name = ""
    payload: str = ""
    ttl: int = 3


class Unknown(msgspec.Struct, frozen=True):
    """A message of a type that is none of ours; harmless (2.1)."""

    type: str


AnyMessage = (
    Hello | HelloOk | HelloReject | Ping | Pong | Send | Ack | Pub | Bye | ByeOk | Relay | Unknown
)
