"""The tables, and how a file of an earlier version becomes one of this version.

========  ========================================================================================
name      peers, `*` and `#namespace`, by number; `uses` counts them in messages that are indexed
message   what was said, in the order in which it was stored, and nothing that makes that slow
progress  one row: up to which message all is indexed, how many are, up to which all is read; how
          many were dropped since the full text index was last rid of them, and whether it is now
identity  by a hash of who said it and its msg_id; finds what we have already
timeline  messages of a conversation by time
calendar  all messages by time
words     full text index; its text is that in `message`
outbox    what waits to be delivered
peer      whom we had to do with
archive_peer
          with whom the archive was exchanged
salvage   damaged files, and before which number their messages are still to be taken over
owner     one row: whose history it is, with a checksum
========  ========================================================================================

A message is committed by a single append to `message`. The four indexes follow in large portions
(store/upkeep.py), which costs a tenth of keeping them up to date in every commit: their pages are
all over the file.

A message does not refer to its names by foreign keys: with those, each name that goes would have to
be looked for in all messages. `uses` tells when it may go.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from p2pchat.store.words import SYMBOLS

#: Marks the file as ours.
APPLICATION_ID = 0x70327043

#: A file that was begun before there was this table gets it when it is opened.
OWNER = (
    "CREATE TABLE IF NOT EXISTS owner (peer_id TEXT PRIMARY KEY, checksum INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID"
)

#: Each makes the next version of the file from the one before; the first makes all from nothing.
MIGRATIONS: Sequence[Sequence[str]] = (
    (
        """CREATE TABLE name (
            id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, uses INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        """CREATE TABLE message (
            id INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, author INTEGER NOT NULL,
            time INTEGER NOT NULL, flags INTEGER NOT NULL, msg_id ANY NOT NULL,
            checksum INTEGER NOT NULL, text TEXT NOT NULL, reason TEXT
        ) STRICT""",
        """CREATE TABLE progress (
            indexed INTEGER NOT NULL, messages INTEGER NOT NULL, read INTEGER NOT NULL,
            dropped INTEGER NOT NULL, merging INTEGER NOT NULL
        ) STRICT""",
        "INSERT INTO progress VALUES (0, 0, 0, 0, 0)",
        """CREATE TABLE identity (
            hash INTEGER PRIMARY KEY, id INTEGER NOT NULL
        ) STRICT""",
        """CREATE TABLE timeline (
            conversation INTEGER, time INTEGER, id INTEGER, PRIMARY KEY (conversation, time, id)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE calendar (
            time INTEGER, id INTEGER, PRIMARY KEY (time, id)
        ) STRICT, WITHOUT ROWID""",
        f"""CREATE VIRTUAL TABLE words USING fts5(
            text, content='message', content_rowid='id', columnsize=0,
            tokenize="unicode61 remove_diacritics 2 separators '{SYMBOLS}'"
        )""",
        """CREATE TABLE outbox (
            id INTEGER PRIMARY KEY REFERENCES message,
            conversation INTEGER NOT NULL REFERENCES name, attempts INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        "CREATE INDEX outbox_conversation ON outbox (conversation)",
        """CREATE TABLE peer (
            peer_id TEXT PRIMARY KEY, addresses TEXT NOT NULL, seen INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX peer_seen ON peer (seen)",
        """CREATE TABLE archive_peer (
            host TEXT PRIMARY KEY, seen INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE salvage (
            file TEXT PRIMARY KEY, number INTEGER NOT NULL, taken INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        OWNER,
    ),
)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the file, 0 of an empty one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def is_ours(connection: sqlite3.Connection) -> bool:
    """Tell whether the file is empty, or has our mark and a version that we know."""
    version, mark = version_of(connection), _mark_of(connection)
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not version and not mark:
        return not objects
    return mark == APPLICATION_ID and 0 < version <= len(MIGRATIONS)


def is_newer(connection: sqlite3.Connection) -> bool:
    """Tell whether the file has our mark and a version that is still to come."""
    is_later = version_of(connection) > len(MIGRATIONS)
    return is_later and _mark_of(connection) == APPLICATION_ID


def tables(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all tables that have pages of their own."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage ORDER BY name"
    return [name for (name,) in connection.execute(query)]


def is_complete(connection: sqlite3.Connection) -> bool:
    """Tell whether all tables of the newest version are there and nothing else is."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        return _objects(connection) == _objects(fresh)


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """Bring the file to the newest version, step by step; each is done as a whole or not at all."""
    for version in range(version_of(connection), len(migrations)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in migrations[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _mark_of(connection: sqlite3.Connection) -> int:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    return int(mark)


def _objects(connection: sqlite3.Connection) -> list[Any]:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2"
    return connection.execute(query).fetchall()
