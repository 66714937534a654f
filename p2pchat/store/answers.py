"""Answers to what is asked of the store: functions on a connection, times in milliseconds."""

import sqlite3

import msgspec

from p2pchat.history import (
    MAX_COUNT,
    MAX_UNREAD,
    PAGE,
    Entry,
    Found,
    KnownPeer,
    OutboxEntry,
    Unread,
    from_milliseconds,
)
from p2pchat.identity import Address, PeerId
from p2pchat.store import queries
from p2pchat.store.errors import DamagedError
from p2pchat.store.rows import entry_of, outbox_entry_of
from p2pchat.store.words import MAX_MATCHES, find, fts_query, parse_search


def outbox(db: sqlite3.Connection) -> list[OutboxEntry]:
    """What waits, in the order in which it was queued."""
    return [outbox_entry_of(*waiting) for waiting in queries.outbox(db)]


def entries(
    db: sqlite3.Connection, me: PeerId, conversation: str | None, count: int, before: int | None
) -> list[Entry]:
    """The last messages of a conversation, or of all, oldest first."""
    number = None
    if conversation is not None:
        number = queries.find_name(db, conversation)
        if number is None:
            return []
    read = queries.progress(db).read
    last = queries.last_entries(db, number, before, _bounded(count))
    return [entry_of(named, me, read) for named in last][::-1]


def search(db: sqlite3.Connection, me: PeerId, words: str, count: int) -> list[Found]:
    """What has all these words, newest first."""
    phrases = parse_search(words)
    if not phrases:
        return []
    read = queries.progress(db).read
    matches = queries.search(db, fts_query(phrases), MAX_MATCHES, _bounded(count))
    return [
        # where SQLite and Python take different things for letters there may be nothing to mark
        Found(entry_of(named, me, read), find(phrases, named.row.text) or [])
        for named in matches
    ]


def count_unread(db: sqlite3.Connection) -> int:
    """How many nobody has read."""
    return queries.count_unread(db, queries.progress(db).read, MAX_UNREAD)


def unread(db: sqlite3.Connection, me: PeerId, count: int) -> Unread:
    """How many nobody has read, and the last of them."""
    read = queries.progress(db).read
    last = [entry_of(named, me, read) for named in queries.unread(db, read, _bounded(count))]
    return Unread(count_unread(db), last[::-1])


def page(db: sqlite3.Connection, me: PeerId, after: tuple[int, int]) -> list[Entry]:
    """The next messages behind this time and number."""
    read = queries.progress(db).read
    return [entry_of(named, me, read) for named in queries.page(db, after, PAGE)]


def peers(db: sqlite3.Connection, count: int) -> list[KnownPeer]:
    """Whom we had to do with, by id; `count` at the most, the others after those with contact."""
    try:
        known = [_peer(*row) for row in queries.peers(db)]
        known += [_peer(*row) for row in queries.partners(db, max(0, count - len(known)))]
        return sorted(known, key=lambda peer: peer.peer_id)
    except (msgspec.DecodeError, TypeError, OverflowError) as error:
        raise DamagedError("a peer is not as it was written") from error


def _peer(peer_id: str, addresses: str, seen: int) -> KnownPeer:
    known = msgspec.json.decode(addresses, type=tuple[Address, ...])
    return KnownPeer(PeerId(peer_id), known, from_milliseconds(seen))


def _bounded(count: int) -> int:
    # SQLite takes a negative limit for none
    return max(0, min(count, MAX_COUNT))
