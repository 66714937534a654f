"""The SQL by which the store is read: functions on a connection, and nothing else."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from p2pchat.store.rows import Named, Row

#: Later than any time.
NEVER = 1 << 62

_COLUMNS = (
    "m.id, m.conversation, m.author, m.time, m.flags, m.msg_id, m.checksum, m.text, m.reason,"
    " a.text, c.text"
)
_NAMES = "LEFT JOIN name a ON a.id = m.author LEFT JOIN name c ON c.id = m.conversation"
_SELECT = f"SELECT {_COLUMNS} FROM message m {_NAMES}"

#: What each index has of every message that is indexed.
INDEXES = {
    "identity": "id",
    "calendar": "id * 31 + time",
    "timeline": "id * 31 + time + conversation * 7",
}

#: Holds for what came in and was not imported; see the flags in store/rows.py.
_UNREAD = "{0}flags & 3 != 0 AND {0}flags & 8 = 0"

#: Holds for what is in the outbox: messages of ours that are `queued` or `sent`, and not imported.
_UNDER_WAY = "flags >> 4 IN (1, 2) AND flags & 11 = 0"


class Progress(NamedTuple):
    """How far things are.

    All up to message `indexed` is in the indexes, `messages` in number, and all up to `read` is
    read. `dropped` messages still take room in the full text index; `merging` makes that room free.
    """

    indexed: int
    messages: int
    read: int
    dropped: int
    merging: int


def progress(db: sqlite3.Connection) -> Progress:
    columns = ", ".join(Progress._fields)
    return Progress(*db.execute(f"SELECT {columns} FROM progress").fetchone())


def find_name(db: sqlite3.Connection, text: str) -> int | None:
    row = db.execute("SELECT id FROM name WHERE text = ?", (text,)).fetchone()
    return row[0] if row else None


def agrees(db: sqlite3.Connection, index: str) -> bool:
    """Tell whether an index has what the messages have, in number and by a sum.

    It is one statement, as something may be written meanwhile.
    """
    sums = f"count(*), coalesce(sum(({INDEXES[index]}) % 1000003), 0)"
    (same,) = db.execute(
        f"SELECT (SELECT {sums}, (SELECT messages FROM progress) FROM {index}) IS"
        f" (SELECT {sums}, count(*) FROM message WHERE id <= (SELECT indexed FROM progress))"
    ).fetchone()
    return bool(same)


def agrees_behind_indexes(db: sqlite3.Connection) -> bool:
    """Tell whether no number is missing among the messages that are not indexed yet.

    Nor is it known which these are if the one row of `progress` is gone.
    """
    rest = "SELECT count(*) = coalesce(max(id), indexed) - indexed FROM message WHERE id > indexed"
    row = db.execute(f"SELECT ({rest}) FROM progress").fetchone()
    return row is not None and bool(row[0])


def last_stored(db: sqlite3.Connection, count: int) -> Iterator[Named]:
    """Yield all that is not indexed and the last `count` messages, the last one first."""
    query = f"{_SELECT} WHERE m.id > min((SELECT indexed FROM progress), ?) ORDER BY m.id DESC"
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
    return map(_named, db.execute(query, (last - count,)))


def count_fitting(db: sqlite3.Connection, first: int, last: int, text: int) -> int:
    """Count the first of these messages that have so many bytes of text together; one at least.

    It looks at no more of them than that. Of a text as such SQLite counts what is before a NUL.
    """
    (count,) = db.execute(
        "WITH RECURSIVE slice (id, text) AS (SELECT ?1, 0 UNION ALL SELECT id + 1, text +"
        " (SELECT length(CAST(m.text AS BLOB)) FROM message m WHERE m.id = slice.id) FROM slice"
        " WHERE id <= ?2 AND text <= ?3)"
        " SELECT max(1, count(*) - 1) FROM slice WHERE text <= ?3",
        (first, last, text),
    ).fetchone()
    return int(count)


def outbox(db: sqlite3.Connection) -> Iterator[tuple[Named, int]]:
    """Yield what waits with its attempts, in the order in which it was queued."""
    query = (
        f"SELECT {_COLUMNS}, o.attempts FROM outbox o CROSS JOIN message m ON m.id = o.id {_NAMES}"
        " ORDER BY o.id"
    )
    for values in db.execute(query):
        yield _named(values[:-1]), values[-1]


def attempts(db: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Yield the numbers of what waits, and how often each was written."""
    return db.execute("SELECT id, attempts FROM outbox ORDER BY id")


def under_way(db: sqlite3.Connection) -> Iterator[int]:
    """Yield the numbers of the messages of ours that did not end; it looks at them all."""
    query = f"SELECT id FROM message WHERE {_UNDER_WAY} ORDER BY id DESC"
    return (number for (number,) in db.execute(query))


def stages_before(db: sqlite3.Connection, number: int) -> Iterator[tuple[int, bool]]:
    """Yield the numbers before this one, the last one first, and whether each is under way."""
    query = f"SELECT id, {_UNDER_WAY} FROM message WHERE id < ? ORDER BY id DESC"
    return db.execute(query, (number,))


def stage(db: sqlite3.Connection, number: int) -> Iterator[tuple[int, bool]]:
    """Yield this number, if a message has it, and whether that is under way."""
    return db.execute(f"SELECT id, {_UNDER_WAY} FROM message WHERE id = ?", (number,))


def message(db: sqlite3.Connection, number: int) -> Iterator[Named]:
    """Yield one message, or none."""
    return map(_named, db.execute(f"{_SELECT} WHERE m.id = ?", (number,)))


def before(db: sqlite3.Connection, number: int, count: int) -> Iterator[Named]:
    """Yield the last messages that were stored before this one, the last one first."""
    query = f"{_SELECT} WHERE m.id < ? ORDER BY m.id DESC LIMIT ?"
    return map(_named, db.execute(query, (number, count)))


def unread(db: sqlite3.Connection, read: int, count: int) -> Iterator[Named]:
    """Yield the last `count` messages behind `read` that count as unread, the last one first."""
    query = f"{_SELECT} WHERE m.id > ? AND {_UNREAD.format('m.')} ORDER BY m.id DESC LIMIT ?"
    return map(_named, db.execute(query, (read, count)))


def count_unread(db: sqlite3.Connection, read: int, limit: int) -> int:
    query = f"SELECT 1 FROM message WHERE id > ? AND {_UNREAD.format('')} LIMIT ?"
    (count,) = db.execute(f"SELECT count(*) FROM ({query})", (read, limit)).fetchone()
    return int(count)


def last_entries(
    db: sqlite3.Connection, conversation: int | None, before: int | None, count: int
) -> Iterator[Named]:
    """Yield the last messages, of a conversation or of all, the last one first.

    Those that are not indexed yet are looked through one by one.
    """
    values = {"conversation": conversation, "count": count}
    values["before"] = NEVER if before is None else before
    where = "time < :before"
    if conversation is not None:
        where += " AND conversation = :conversation"
    source = "calendar" if conversation is None else "timeline"
    last = "ORDER BY time DESC, id DESC LIMIT :count"
    query = (
        f"{_SELECT} WHERE m.id IN (SELECT id FROM (SELECT id FROM {source} WHERE {where} {last})"
        " UNION ALL SELECT id FROM (SELECT id FROM message"
        f" WHERE id > (SELECT indexed FROM progress) AND {where} {last}))"
        " ORDER BY m.time DESC, m.id DESC LIMIT :count"
    )
    return map(_named, db.execute(query, values))


def search(db: sqlite3.Connection, query: str, matches: int, count: int) -> Iterator[Named]:
    """Yield what matches an expression of FTS5, newest first.

    Only the `matches` last stored of all that match are looked at.
    """
    found = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?"
    newest = f"SELECT id FROM message WHERE id IN ({found}) ORDER BY time DESC, id DESC LIMIT ?"
    statement = f"{_SELECT} WHERE m.id IN ({newest}) ORDER BY m.time DESC, m.id DESC"
    return map(_named, db.execute(statement, (query, matches, count)))


def page(db: sqlite3.Connection, after: tuple[int, int], count: int) -> Iterator[Named]:
    """Yield the next messages that are indexed, by time and id, the first one first."""
    these = "SELECT id FROM calendar WHERE (time, id) > (?, ?) ORDER BY time, id LIMIT ?"
    query = f"{_SELECT} WHERE m.id IN ({these}) ORDER BY m.time, m.id"
    return map(_named, db.execute(query, (*after, count)))


def peers(db: sqlite3.Connection) -> Iterator[tuple[str, str, int]]:
    """Yield id, addresses and last contact of every peer, by id."""
    return db.execute("SELECT peer_id, addresses, seen FROM peer ORDER BY peer_id")


def partners(db: sqlite3.Connection, count: int) -> Iterator[tuple[str, str, int]]:
    """Yield those of whom only messages are known, as peers() does, the last heard of first.

    There are no addresses of them. Channels are none: `*`, and all that begins with `#`.
    """
    return db.execute(
        "SELECT n.text, '[]', max(last) FROM ("
        "SELECT id, (SELECT max(time) FROM timeline WHERE conversation = name.id) AS last FROM name"
        " UNION ALL SELECT conversation, max(time) FROM message"
        " WHERE id > (SELECT indexed FROM progress) GROUP BY 1"
        ") JOIN name n USING (id) WHERE last IS NOT NULL AND substr(n.text, 1, 1) NOT IN ('*', '#')"
        " AND NOT EXISTS (SELECT 1 FROM peer WHERE peer_id = n.text)"
        " GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT ?",
        (count,),
    )


def archive_peers(db: sqlite3.Connection) -> list[str]:
    """Return the peers of the archive, the last contact first."""
    hosts = db.execute("SELECT host FROM archive_peer ORDER BY seen DESC, host")
    return [host for (host,) in hosts]


def _named(values: Sequence[Any]) -> Named:
    *columns, author, conversation = values
    return Named(Row(*columns), author, conversation)
