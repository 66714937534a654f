"""What may be done to the store in a transaction; used by one thread at a time."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from p2pchat.errors import QueueFullError
from p2pchat.history import (
    MAX_ARCHIVE_PEERS,
    WITHDRAWN,
    Bounds,
    Entry,
    EntryState,
    FinalState,
    OutboxEntry,
    Received,
    as_imported,
    conversation_of,
    to_milliseconds,
)
from p2pchat.identity import Address, PeerId
from p2pchat.store import queries, statements
from p2pchat.store.register import Draft, Numbered, Register
from p2pchat.store.rows import (
    IN,
    OUT,
    RELAYED,
    make_flags,
    state_of,
    with_state,
)
from p2pchat.text import visible


class Journal:
    """Messages, outbox and peers in an open file.

    Every method is part of a transaction that was begun before, and raises sqlite3.Error if the
    disk fails. Times come from `wall_clock`.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        me: PeerId,
        bounds: Bounds,
        wall_clock: Callable[[], datetime],
    ) -> None:
        self.db = db
        self.bounds = bounds
        self.register = Register(db)
        self.me = me
        self._wall_clock = wall_clock

    def close(self) -> None:
        """Close all files; nothing may be done any more."""
        for wreck in self.register.wrecks:
            wreck.close()
        self.db.close()

    def cut_off(self) -> int | None:
        """Return the time, in milliseconds, before which nothing is kept; None without a bound."""
        if self.bounds.max_days is None:
            return None
        return to_milliseconds(self._wall_clock() - timedelta(days=self.bounds.max_days))

    # What comes in

    def receive(self, batch: Sequence[Received]) -> list[int | None]:
        """Store messages; return their numbers, None for what is there already."""
        return self.register.add(list(_drafts(batch)))

    def import_entries(self, entries: Sequence[Entry]) -> tuple[int, int]:
        """Store entries of an export; return how many were added and how many skipped."""
        cut_off = self.cut_off()
        drafts = [_imported(as_imported(entry, self.me)) for entry in entries]
        young = [draft for draft in drafts if cut_off is None or draft.time >= cut_off]
        added = sum(number is not None for number in self.register.add(young))
        if not queries.count_unread(self.db, queries.progress(self.db).read, 1):
            # all of these count as read: let nobody look through them for what does not
            self.read(self.register.last)
        return added, len(entries) - added

    def read(self, number: int) -> None:
        """Note that all up to this message is read."""
        statements.set_read(self.db, min(number, self.register.last))

    # What goes out

    def queue(self, to: PeerId, msg_id: str, text: str, time: datetime) -> int:
        """Put a message into the outbox; QueueFullError beyond its bounds."""
        known = self._find_own(msg_id)
        if known is not None:
            return known
        self._check_room(to)
        number = self._add_own(to, msg_id, text, time, make_flags(OUT, False, "queued"))
        statements.add_to_outbox(self.db, number, self.register.name(to))
        return number

    def requeue(self, entries: Sequence[OutboxEntry]) -> int:
        """Put back into the outbox what is not there and has not ended; return how many."""
        numbers = self.register.put_back([_under_way(entry, self.me) for entry in entries])
        lost = 0
        for entry, number in zip(entries, numbers, strict=True):
            if state_of(statements.flags_of(self.db, number)) in ("queued", "sent"):
                lost += statements.put_back(
                    self.db, number, self.register.name(entry.to), entry.attempts
                )
        return lost

    def published(self, target: str, msg_id: str, text: str, time: datetime) -> int:
        """Store a publication of ours."""
        known = self._find_own(msg_id)
        if known is not None:
            return known
        return self._add_own(target, msg_id, text, time, make_flags(OUT, True))

    def attempting(self, msg_id: str) -> bool:
        """Count an attempt; False if the message is not in the outbox."""
        return self._count(msg_id, 1) is not None

    def written(self, msg_id: str, counted: bool = False) -> bool:
        """Note that it is sent, and count that if it is not; False if it is not in the outbox."""
        number = self._count(msg_id, 0 if counted else 1)
        if number is not None:
            self._set_state(number, "sent")
        return number is not None

    def settled(self, msg_id: str, state: FinalState, reason: str) -> bool:
        """End a delivery; one that has ended can only become delivered. False: nothing changed."""
        number = self._find_own(msg_id)
        if number is None:
            return False
        if not statements.remove_from_outbox(self.db, number):
            ended = state_of(statements.flags_of(self.db, number))
            if state != "delivered" or ended not in ("sent", "failed"):
                return False
        self._set_state(number, state, reason)
        return True

    def cancel(self, message: int | str) -> bool:
        """Withdraw by its number or msg_id what is in the outbox; False if it is not there."""
        number = message if isinstance(message, int) else self._find_own(message)
        if number is None or not statements.remove_from_outbox(self.db, number):
            return False
        self._set_state(number, "failed", WITHDRAWN)
        return True

    # Peers

    def peer_seen(self, peer: PeerId, addresses: Sequence[Address], time: datetime) -> None:
        """Note a contact."""
        known = msgspec.json.encode(addresses).decode() if addresses else None
        statements.put_peer(self.db, peer, known, to_milliseconds(time))
        statements.forget_peers(self.db, self.bounds.max_peers)

    def archive_peer_seen(self, host: str, time: datetime) -> None:
        """Note a link to a peer of the archive."""
        statements.put_archive_peer(self.db, host, to_milliseconds(time), MAX_ARCHIVE_PEERS)

    def _count(self, msg_id: str, attempts: int) -> int | None:
        """Count so many attempts more; return its number if it is in the outbox."""
        number = self._find_own(msg_id)
        if number is None or not statements.count_attempts(self.db, number, attempts):
            return None
        return number

    def _find_own(self, msg_id: str) -> int | None:
        return self.register.find(OUT, self.me, msg_id)

    def _add_own(self, to: str, msg_id: str, text: str, time: datetime, flags: int) -> int:
        draft = Draft(OUT, self.me, to, to_milliseconds(time), flags, msg_id, text)
        (number,) = self.register.add([draft])
        assert number is not None, "it was looked for just before"
        return number

    def _check_room(self, to: PeerId) -> None:
        total, own = statements.outbox_size(self.db, to)
        if own >= self.bounds.max_outbox_per_peer:
            raise QueueFullError(f"{own} messages wait for {visible(to)} already")
        if total >= self.bounds.max_outbox:
            raise QueueFullError(f"{total} messages wait in the outbox already")

    def _set_state(self, number: int, state: EntryState, reason: str = "") -> None:
        flags = with_state(statements.flags_of(self.db, number), state)
        statements.set_flags(self.db, number, flags, reason)


#: Way and flags of what comes in, by whether it is relayed and whether it is published.
_WAYS = {
    (relayed, pub): (way, make_flags(way, pub))
    for relayed, way in ((False, IN), (True, RELAYED))
    for pub in (False, True)
}


def _drafts(batch: Sequence[Received]) -> Iterator[Draft]:
    last, time = None, 0
    for msg_id, sender, to, text, kind, relayed, when in batch:
        # what came in one read has one time
        if when is not last:
            last, time = when, to_milliseconds(when)
        pub = kind == "pub"
        way, flags = _WAYS[relayed, pub]
        yield Draft(way, sender, to if pub else sender, time, flags, msg_id, text)


def _under_way(entry: OutboxEntry, me: PeerId) -> Numbered:
    flags = make_flags(OUT, False, "sent" if entry.attempts else "queued")
    time = to_milliseconds(entry.queued_at)
    draft = Draft(OUT, me, entry.to, time, flags, entry.msg_id, entry.text)
    return Numbered(entry.stored_id, draft)


def _imported(entry: Entry) -> Draft:
    way = OUT if entry.direction == "out" else RELAYED if entry.relayed else IN
    return Draft(
        way,
        entry.source,
        conversation_of(entry),
        to_milliseconds(entry.time),
        make_flags(way, entry.kind == "pub", entry.state, imported=True),
        entry.msg_id,
        entry.text,
        entry.reason,
    )
