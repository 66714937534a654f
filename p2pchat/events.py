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
DeliveryState = Literal["queued", "sent", "delivered", "failed"]
Level = Literal["info", "warning", "error"]
ChatState = Literal["mining", "archived", "confirmed", "displaced"]
ArchivePeerState = Literal["connected", "lost", "paused"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of all events; `time` is UTC, by the node's clock."""

    time: datetime


class Ready(Event, frozen=True, kw_only=True, tag="ready"):
    """The node listens for peers at host and port (host 0.0.0.0: on every address)."""

    peer_id: str
    host: str
    port: int


class HistoryOpened(Event, frozen=True, kw_only=True, tag="history"):
    """What earlier runs left is there: messages unread, messages that wait to be delivered."""

    unread: int
    waiting: int


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
    stored_id: int = 0


class DeliveryChanged(Event, frozen=True, kw_only=True, tag="delivery"):
    """A message of ours to one peer moved on; `reason` says why if it failed."""

    msg_id: str
    to: str
    state: DeliveryState
    reason: str = ""


class ArchiveGrew(Event, frozen=True, kw_only=True, tag="archive"):
    """The archive became longer.

    `height` is how many chats it has, `tip` the MD5 of the last one. `source` is the peer it came
    from, `file` at the start, or `mined`. `reorganised`: it replaced chats that stood in ours,
    `dropped` of them. `chats` are the texts of the newest 20 at most that are new, oldest first;
    the last one stands at `height`. Bytes that are no text are shown as escapes.
    """

    height: int
    tip: str
    source: str
    reorganised: bool
    dropped: int = 0
    chats: list[str] = []


class ChatChanged(Event, frozen=True, kw_only=True, tag="chat"):
    """A chat of ours moved on.

    `mining`: a verification code is being looked for. `archived`: it stands in the archive at
    `height` (from 1), and our file has it. `confirmed`: so many peers sent an archive with it.
    `displaced`: a longer archive without it came; it is mined again.
    """

    chat_id: int
    state: ChatState
    height: int | None
    text: str
    confirmations: int = 0


class ArchivePeerChanged(Event, frozen=True, kw_only=True, tag="archive_peer"):
    """A link to a peer of the archive came or went, or its archives are ignored for a while.

    `address` is its IP address, `height` the length of the last archive it sent, if it sent one.
    """

    address: str
    state: ArchivePeerState
    height: int | None
    reason: str = ""


class Notice(Event, frozen=True, kw_only=True, tag="notice"):
    """Something the user ought to know that answers no command."""

    level: Level
    text: str


Listener = Callable[[Event], None]
