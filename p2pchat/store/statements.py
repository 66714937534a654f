"""The SQL by which the store is written, and what that needs to know: functions on a connection.

A statement that has much to do is a single step of SQLite, even where several would read better:
with each step a thread lets the interpreter go, and gets it back half a millisecond later if the
reactor is busy. Lists go in and out as JSON for that.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from p2pchat.store.errors import DamagedError
from p2pchat.store.queries import NEVER
from p2pchat.store.rows import identity, unpack_id, way_of

#: How many rows an INSERT may have: SQLite allows 32766 parameters, and a statement of each size
#: is kept.
_PORTIONS = (512, 64, 8, 1)


class Old(NamedTuple):
    """A message that is to go; its text has `size` bytes."""

    id: int
    names: tuple[int, int]
    identity: int
    size: int


# Names


def add_name(db: sqlite3.Connection, text: str) -> int:
    number = db.execute("INSERT INTO name (text) VALUES (?)", (text,)).lastrowid
    assert number is not None
    return number


# Messages


def insert_messages(db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    _insert(db, "message", rows)


def find_identities(db: sqlite3.Connection, identities: Sequence[int]) -> dict[int, int]:
    """Return the ids of those of these messages that are indexed, by identity."""
    query = "SELECT i.hash, i.id FROM json_each(?) h CROSS JOIN identity i ON i.hash = h.value"
    return dict(db.execute(query, (_json(identities),)))


def flags_of(db: sqlite3.Connection, message: int) -> int:
    """Return the flags of a message that an index has; DamagedError if it is not there."""
    row = db.execute("SELECT flags FROM message WHERE id = ?", (message,)).fetchone()
    if row is None:
        raise DamagedError("its indexes don't fit its messages")
    return int(row[0])


def set_flags(db: sqlite3.Connection, message: int, flags: int, reason: str) -> None:
    query = "UPDATE message SET flags = ?, reason = ? WHERE id = ?"
    db.execute(query, (flags, reason or None, message))


def unindexed(db: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Yield identity and id of all messages behind the last that is indexed, in their order."""
    query = (
        "SELECT m.flags, a.text, m.msg_id, m.id FROM message m JOIN name a ON a.id = m.author"
        " WHERE m.id > (SELECT indexed FROM progress) ORDER BY m.id"
    )
    for flags, author, msg_id, number in db.execute(query):
        yield identity(way_of(flags), author, unpack_id(msg_id)), number


# Indexes


def set_read(db: sqlite3.Connection, message: int) -> None:
    db.execute("UPDATE progress SET read = max(read, ?)", (message,))


def index(
    db: sqlite3.Connection, first: int, last: int, identities: Sequence[tuple[int, int]]
) -> None:
    """Put messages `first` to `last`, with these identities and ids, into all indexes."""
    _index(db, "FROM message WHERE id BETWEEN ? AND ?", (first, last), identities)
    db.execute("UPDATE progress SET indexed = ?", (last,))


def index_late(db: sqlite3.Connection, identities: Sequence[tuple[int, int]]) -> None:
    """Put messages with these identities and ids into all indexes, which are beyond them."""
    ids = (_json([number for _, number in identities]),)
    _index(db, "FROM message WHERE id IN (SELECT value FROM json_each(?))", ids, identities)


def _index(
    db: sqlite3.Connection,
    these: str,
    values: tuple[Any, ...],
    identities: Sequence[tuple[int, int]],
) -> None:
    # in the order of the index, so that each of its pages is changed once
    _insert(db, "identity", sorted(identities))
    db.execute(
        f"INSERT INTO timeline SELECT conversation, time, id {these} ORDER BY 1, 2, 3", values
    )
    db.execute(f"INSERT INTO calendar SELECT time, id {these}", values)
    db.execute(f"INSERT INTO words (rowid, text) SELECT id, text {these}", values)
    _count_uses(db, "+", these, values)
    db.execute("UPDATE progress SET messages = messages + ?", (len(identities),))


def oldest(db: sqlite3.Connection, before: int | None, count: int) -> list[Old]:
    """Return the oldest messages that are indexed and not in the outbox, from before that time."""
    query = (
        "SELECT json_group_array(json_array(m.id, m.conversation, m.author, m.flags, a.text,"
        " typeof(m.msg_id) = 'text', hex(m.msg_id), length(CAST(m.text AS BLOB))))"
        " FROM message m JOIN name a ON a.id = m.author WHERE m.id IN"
        " (SELECT id FROM calendar WHERE time < ?"
        " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = calendar.id)"
        " ORDER BY time, id LIMIT ?)"
    )
    (found,) = db.execute(query, (NEVER if before is None else before, count)).fetchone()
    rows = msgspec.json.decode(found)
    return [
        Old(id_, (to, author), identity(way_of(flags), name, _msg_id(is_text, code)), size)
        for id_, to, author, flags, name, is_text, code, size in rows
    ]


def delete(db: sqlite3.Connection, old: Sequence[Old]) -> None:
    """Take messages out of the indexes and out of the file."""
    ids = (_json([message.id for message in old]),)
    identities = (_json([message.identity for message in old]),)
    these = "FROM message WHERE id IN (SELECT value FROM json_each(?))"
    db.execute(f"INSERT INTO words (words, rowid, text) SELECT 'delete', id, text {these}", ids)
    db.execute("DELETE FROM identity WHERE hash IN (SELECT value FROM json_each(?))", identities)
    db.execute(
        "DELETE FROM timeline WHERE (conversation, time, id) IN"
        f" (SELECT conversation, time, id {these})",
        ids,
    )
    db.execute(f"DELETE FROM calendar WHERE (time, id) IN (SELECT time, id {these})", ids)
    _count_uses(db, "-", these, ids)
    db.execute(f"DELETE {these}", ids)
    count = len(old)
    query = "UPDATE progress SET messages = messages - ?, dropped = dropped + ?"
    db.execute(query, (count, count))


def begin_merging(db: sqlite3.Connection, pages: int) -> None:
    """Begin to merge the parts of the full text index, which drops what was deleted."""
    db.execute("UPDATE progress SET dropped = 0, merging = 1")
    _merge(db, -pages)


def go_on_merging(db: sqlite3.Connection, pages: int) -> None:
    """Write so many pages of the full text index anew."""
    before = db.total_changes
    _merge(db, pages)
    # FTS5 counts one change if it found nothing to do
    if db.total_changes - before < 2:
        db.execute("UPDATE progress SET merging = 0")


def delete_names(db: sqlite3.Connection, names: Sequence[int]) -> None:
    """Delete those of these names that no message has any more, indexed or not."""
    db.execute(
        "DELETE FROM name WHERE uses = 0 AND id IN (SELECT value FROM json_each(?)) AND NOT EXISTS"
        " (SELECT 1 FROM message m WHERE m.id > (SELECT indexed FROM progress)"
        " AND name.id IN (m.author, m.conversation))",
        (_json(names),),
    )


# Outbox


def outbox_size(db: sqlite3.Connection, conversation: str) -> tuple[int, int]:
    """Count what waits in all, and for this peer."""
    own = "SELECT count(*) FROM outbox o JOIN name n ON n.id = o.conversation WHERE n.text = ?"
    query = f"SELECT count(*), ({own}) FROM outbox"
    total, waiting = db.execute(query, (conversation,)).fetchone()
    return total, waiting


def add_to_outbox(
    db: sqlite3.Connection, message: int, conversation: int, attempts: int = 0
) -> None:
    db.execute("INSERT INTO outbox VALUES (?, ?, ?)", (message, conversation, attempts))


def put_back(db: sqlite3.Connection, message: int, conversation: int, attempts: int) -> bool:
    """Put a message into the outbox; False if it is there."""
    query = "INSERT INTO outbox VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    return db.execute(query, (message, conversation, attempts)).rowcount > 0


def count_attempts(db: sqlite3.Connection, message: int, attempts: int) -> bool:
    """Count so many attempts more, maybe none; tell whether the message is in the outbox."""
    query = "UPDATE outbox SET attempts = attempts + ? WHERE id = ?"
    return db.execute(query, (attempts, message)).rowcount > 0


def remove_from_outbox(db: sqlite3.Connection, message: int) -> bool:
    """Tell whether it was there."""
    return db.execute("DELETE FROM outbox WHERE id = ?", (message,)).rowcount > 0


# Peers


def put_peer(db: sqlite3.Connection, peer_id: str, addresses: str | None, seen: int) -> None:
    """Note a contact; without addresses those that are known stay."""
    db.execute(
        "INSERT INTO peer (peer_id, addresses, seen) VALUES (?1, coalesce(?2, '[]'), ?3)"
        " ON CONFLICT (peer_id) DO UPDATE SET addresses = coalesce(?2, addresses), seen = ?3",
        (peer_id, addresses, seen),
    )


def put_archive_peer(db: sqlite3.Connection, host: str, seen: int, keep: int) -> None:
    """Note a contact, and forget those beyond `keep` that are the longest ago."""
    db.execute(
        "INSERT INTO archive_peer (host, seen) VALUES (?1, ?2)"
        " ON CONFLICT (host) DO UPDATE SET seen = ?2",
        (host, seen),
    )
    db.execute(
        "DELETE FROM archive_peer WHERE host IN"
        " (SELECT host FROM archive_peer ORDER BY seen DESC, host LIMIT -1 OFFSET ?)",
        (keep,),
    )


def forget_peers(db: sqlite3.Connection, keep: int) -> None:
    """Delete those not seen for the longest time, so that so many are left."""
    db.execute(
        "DELETE FROM peer WHERE peer_id IN (SELECT peer_id FROM peer"
        " ORDER BY seen, peer_id LIMIT max(0, (SELECT count(*) FROM peer) - ?))",
        (keep,),
    )


def _merge(db: sqlite3.Connection, pages: int) -> None:
    db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _msg_id(is_text: int, code: str) -> str:
    data = bytes.fromhex(code)
    return data.decode() if is_text else unpack_id(data)


def _count_uses(db: sqlite3.Connection, sign: str, these: str, values: tuple[Any, ...]) -> None:
    """Count the names of these messages more, or less, often."""
    db.execute(
        f"UPDATE name SET uses = uses {sign} n FROM (SELECT name AS used, count(*) AS n FROM"
        f" (SELECT conversation AS name {these} UNION ALL SELECT author {these}) GROUP BY 1)"
        " WHERE id = used",
        values + values,
    )


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    at = 0
    for portion in _PORTIONS:
        while len(rows) - at >= portion:
            marks = f"({', '.join('?' * len(rows[at]))})"
            statement = f"INSERT INTO {table} VALUES {', '.join([marks] * portion)}"
            db.execute(statement, list(chain.from_iterable(rows[at : at + portion])))
            at += portion
