"""What was said, as the node remembers it: the values, and the seam to who keeps them (no IO).

Everything asked of a history is answered by a Deferred, which fires when the answer is as safe as
it will ever be: what was to be kept is committed to the disk, or lost if the node keeps nothing.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple, Protocol

import msgspec
from twisted.internet.defer import Deferred

from p2pchat.errors import P2PChatError
from p2pchat.events import Direction, MessageKind
from p2pchat.identity import Address, PeerId

#: Of a message of ours to one peer; all others have none, "".
EntryState = Literal["", "queued", "sent", "delivered", "failed"]

#: How a message of ours leaves the outbox.
FinalState = Literal["delivered", "failed"]

#: Unread messages are counted up to here.
MAX_UNREAD = 100_000

#: So many messages at the most are returned at once, however many are asked for.
MAX_COUNT = 10_000

#: How many messages a page of an export has at most, and one import ought to have.
PAGE = 500

#: How many peers of the archive are remembered, those of the last contacts.
MAX_ARCHIVE_PEERS = 20

#: Why a message failed that its sender took back.
WITHDRAWN = "withdrawn"

#: Why a message failed that was still under way when it was exported.
NOT_EXPORTED = "still under way when it was exported"

_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class StoreError(P2PChatError):
    """The disk failed: what was asked for was not done; the text says why."""


class Bounds(msgspec.Struct, frozen=True):
    """How much is kept; beyond that the oldest goes first, but nothing from the outbox.

    `max_days` counts back from now. A full outbox takes no more. Of the peers, those that were not
    heard of for the longest time are forgotten.
    """

    max_messages: int = 1_000_000
    max_days: float | None = None
    max_outbox: int = 10_000
    max_outbox_per_peer: int = 1_000
    max_peers: int = 10_000


class Received(NamedTuple):
    """A message from somebody; `to` is us, `*` or `#namespace`.

    `sender` is the peer whose link carried it, of a relayed message who it claims to be from.
    """

    msg_id: str
    sender: PeerId
    to: str
    text: str
    kind: MessageKind
    relayed: bool
    time: datetime


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it is kept; `time` is in UTC, to the millisecond.

    `stored_id` is unique and grows in the order of storing. `reason` says why it failed.
    """

    stored_id: int = 0
    time: _Time
    msg_id: str
    source: str = msgspec.field(name="from")
    to: str
    text: str
    kind: MessageKind
    direction: Direction
    state: EntryState = ""
    reason: str = ""
    relayed: bool = False
    unread: bool = False


class OutboxEntry(msgspec.Struct, frozen=True):
    """A message of ours that waits to be delivered; it was written to a link `attempts` times."""

    stored_id: int
    msg_id: str
    to: PeerId
    text: str
    queued_at: datetime
    attempts: int


class Found(msgspec.Struct, frozen=True):
    """A message that a search found; `marks` are where in its text, as start and end."""

    entry: Entry
    marks: list[tuple[int, int]]


class Unread(NamedTuple):
    """How many messages nobody has read, up to MAX_UNREAD, and the last of them, as stored."""

    total: int
    entries: list[Entry]


class KnownPeer(msgspec.Struct, frozen=True):
    """A peer we had to do with; addresses as last heard, best first."""

    peer_id: PeerId
    addresses: tuple[Address, ...]
    last_contact: datetime


class Opened(NamedTuple):
    """What was there at the start; `notices` tell the user of what was damaged."""

    unread: int
    outbox: list[OutboxEntry]
    notices: list[str]


class History(Protocol):
    """Keeps messages, the outbox and peers.

    Every verb fails with StoreError if the disk does, and with QueueFullError if too much waits for
    it; in both cases nothing of what was asked was done.
    """

    def open(self) -> "Deferred[Opened]":
        """Begin; the first thing to call, and to call again if it failed.

        Questions that come while it is under way wait for it.
        """
        ...

    def close(self) -> "Deferred[None]":
        """Do what was asked to be kept before, then end; fires without error."""
        ...

    def watch(self, replaced: Callable[[], None]) -> None:
        """Call `replaced` whenever, while it is open, a new file takes the place of a damaged one.

        What could not be read of that is lost, also from the outbox; see requeue().
        """
        ...

    def receive(self, batch: Sequence[Received]) -> "Deferred[list[int | None]]":
        """Keep what came in; fires with the stored id of each when all of it is committed.

        None is for what is there already: a sender uses a msg_id once. Relayed messages are apart
        from what their claimed sender says itself, so that nobody can forestall it.
        """
        ...

    def queue(self, to: PeerId, msg_id: str, text: str, time: datetime) -> "Deferred[int]":
        """Put a message of ours into the outbox; fires with its stored id, once committed.

        QueueFullError if it is full, or this peer's part of it. With a msg_id that is in the
        history already nothing is added.
        """
        ...

    def requeue(self, entries: Sequence[OutboxEntry]) -> "Deferred[int]":
        """Put back into the outbox what a damaged file has lost; fires with how many those were.

        They keep their attempts, and their ids if nothing else has them. What is there, or has
        ended there, stays as it is. The outbox may be fuller than it may be by this, since all of
        them were accepted before.
        """
        ...

    def published(self, target: str, msg_id: str, text: str, time: datetime) -> "Deferred[int]":
        """Keep what we published to `*` or `#namespace`; fires with its stored id."""
        ...

    def attempting(self, msg_id: str) -> "Deferred[bool]":
        """Count an attempt that is about to be made. False: not in the outbox."""
        ...

    def written(self, msg_id: str, *, counted: bool = False) -> "Deferred[bool]":
        """Note that it was written to a link, and is `sent`. False: not in the outbox.

        That is one attempt more, unless it is `counted` already.
        """
        ...

    def settled(self, msg_id: str, state: FinalState, reason: str = "") -> "Deferred[bool]":
        """Take a message out of the outbox; its state stays, unless a late ACK makes it delivered.

        False if nothing changed.
        """
        ...

    def cancel(self, message: int | str) -> "Deferred[bool]":
        """Withdraw by stored id or msg_id what is in the outbox: it has failed. False if not."""
        ...

    def outbox(self) -> "Deferred[list[OutboxEntry]]":
        """Return what waits to be delivered, in the order in which it was queued."""
        ...

    def entries(
        self, conversation: str | None, count: int, before: datetime | None = None
    ) -> "Deferred[list[Entry]]":
        """Return the last `count` messages of a conversation, oldest first.

        A conversation is a peer, `*` or `#namespace`, or all of them with None. With `before` only
        messages from before that time.
        """
        ...

    def search(self, words: str, count: int) -> "Deferred[list[Found]]":
        """Return up to `count` messages with all these words, newest first.

        `word*` finds what begins so, words in double quotes only side by side. Case and the accents
        of Latin letters don't matter. Among more than store.words.MAX_MATCHES, the newest are taken
        from those that were stored last. Of a long search the first words count, as do prefixes of
        a single letter: see store/words.py.

        What was stored last is not found if it takes more than a second to get ready for that:
        after much more text than anybody types.
        """
        ...

    def unread(self, count: int) -> "Deferred[Unread]":
        """Count the messages nobody has read, and return the last `count`, as they were stored."""
        ...

    def read(self, stored_id: int) -> "Deferred[None]":
        """Note that all up to this message were read."""
        ...

    def export(self) -> AsyncIterator[list[Entry]]:
        """Yield everything that is stored by now, oldest first, in pages of at most PAGE.

        After much was stored it may be a while until the first one.
        """
        ...

    def import_entries(self, entries: Sequence[Entry]) -> "Deferred[tuple[int, int]]":
        """Keep messages from an export; fires with how many were added and how many skipped.

        Skipped is what is there already and what is too old to be kept. They count as read, ours
        as sent from here and those to one peer as sent to us, and what was queued has failed.
        """
        ...

    def peer_seen(
        self, peer: PeerId, addresses: Sequence[Address], time: datetime
    ) -> "Deferred[None]":
        """Note that there was contact with a peer; no addresses leave the known ones."""
        ...

    def peers(self) -> "Deferred[list[KnownPeer]]":
        """Return the peers we had to do with, by id.

        Those are also the ones with whom there are messages, or for whom some wait, and nothing
        more: without addresses, and the last message is the contact. They come after those with
        whom there was one where the bound on peers leaves room, the last ones first.
        """
        ...

    def archive_peer_seen(self, host: str, time: datetime) -> "Deferred[None]":
        """Note that there was a link to a peer of the archive, known by its IP address."""
        ...

    def archive_peers(self) -> "Deferred[list[str]]":
        """Return the peers of the archive, the last contact first."""
        ...


def conversation_of(entry: Entry) -> str:
    """Return what a message belongs to: a peer, `*` or `#namespace`."""
    return entry.to if entry.kind == "pub" or entry.direction == "out" else entry.source


def as_imported(entry: Entry, me: PeerId) -> Entry:
    """Return a message from an export as `me` takes it into its history."""
    ours = entry.direction == "out"
    queued = entry.state == "queued"
    return msgspec.structs.replace(
        entry,
        time=from_milliseconds(to_milliseconds(entry.time)),
        source=me if ours else entry.source,
        to=me if entry.kind == "send" and not ours else entry.to,
        state="failed" if queued else entry.state,
        reason=NOT_EXPORTED if queued else entry.reason,
        relayed=entry.relayed and not ours,
        unread=False,
    )


def to_milliseconds(time: datetime) -> int:
    """Return a time as milliseconds since 1970, rounded down."""
    return (time - _EPOCH) // _MILLISECOND


def from_milliseconds(value: int) -> datetime:
    """Return the time that is so many milliseconds after 1970, in UTC."""
    return _EPOCH + value * _MILLISECOND
