"""What a node reports to its front ends; docs/events.md documents every field.

The JSON console prints each of these as one object: the tag becomes `event`, field names are as
encoded here. That makes this module a public interface: fields are added, never renamed.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

Direction = Literal["in", "out"]
MessageKind = Literal["send", "pub"]
DeliveryState = Literal["sent", "delivered", "failed"]
Level = Literal["info", "warning", "error"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of all events; `time` is UTC, by the node's clock."""

    time: datetime


class Ready(Event, frozen=True, kw_only=True, tag="ready"):
    """The node listens for peers at host and port (host 0.0.0.0: on every address)."""

    peer_id: str
    host: str
    port: int


class PeerUp(Event, frozen=True, kw_only=True, tag="peer_up"):
    """The first link to a peer is up; direction tells who dialled it."""

    peer_id: str
    direction: Direction
    address: str
    modern: bool


class PeerDown(Event, frozen=True, kw_only=True, tag="peer_down"):
    """The last link to a peer is gone."""

    peer_id: str
    reason: str


class MessageReceived(Event, frozen=True, kw_only=True, tag="message"):
    """Somebody wrote to us (`send`) or to many (`pub`, to `*` or `#namespace`).

    `source` is the peer whose link carried it, except in a relayed message, where it is only what
    the relaying peer claims.
    """

    msg_id: str
    source: str = msgspec.field(name="from")
    to: str
    text: str
    kind: MessageKind
    relayed: bool = False


class DeliveryChanged(Event, frozen=True, kw_only=True, tag="delivery"):
    """A message of ours to one peer moved on; `reason` says why if it failed."""

    msg_id: str
    to: str
    state: DeliveryState
    reason: str = ""


class Notice(Event, frozen=True, kw_only=True, tag="notice"):
    """Something the user ought to know that answers no command."""

    level: Level
    text: str


Listener = Callable[[Event], None]
