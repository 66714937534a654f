"""Whether a file is a sound history; each check raises DamagedError, or sqlite3.Error.

Before a file is used it is looked at where that costs little, and, but for its tables, only if it
was not closed in order. What goes through all of it takes seconds with a million messages, and is
done in slices while the file is in use. What no check sees, a message's checksum does when it is
read.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from functools import partial

from p2pchat.history import StoreError
from p2pchat.identity import PeerId
from p2pchat.store import queries, schema
from p2pchat.store.errors import DamagedError
from p2pchat.store.owner import owner
from p2pchat.store.rows import entry_of, outbox_entry_of
from p2pchat.text import visible

#: How many of the last messages are read.
SAMPLE = 1000

Check = Callable[[sqlite3.Connection], None]


def identify(db: sqlite3.Connection, file: str, me: PeerId) -> None:
    """It is empty, or a history of `me` in a version that we know.

    One that is somebody else's, or of a newer version, is not damaged: StoreError.
    """
    if schema.is_newer(db):
        version, known = schema.version_of(db), len(schema.MIGRATIONS)
        raise StoreError(
            f"{file} was made by a newer version of p2pchat (schema {version}, this one knows"
            f" {known})"
        )
    if not schema.is_ours(db):
        raise DamagedError("it is not a history")
    whose = owner(db)
    if whose not in (None, me):
        raise StoreError(
            f"{file} belongs to {visible(whose)}; choose another --data-dir, or move it away"
        )


def tables(db: sqlite3.Connection) -> None:
    """All tables are there, described as we do it, and no others; 2 ms."""
    if not schema.is_complete(db):
        raise DamagedError("its tables are others")


def first_look(db: sqlite3.Connection, me: PeerId) -> None:
    """Room that is free is there; the last messages and the outbox are as written.

    What is not indexed yet is among them, with no number missing.
    """
    # this one goes with the list of free pages, which must not be given away twice
    structure(db, "sqlite_schema")
    if not queries.agrees_behind_indexes(db):
        raise DamagedError("its indexes don't fit its messages")
    for named in queries.last_stored(db, SAMPLE):
        entry_of(named, me, 0)
    for named, attempts in queries.outbox(db):
        outbox_entry_of(named, attempts)


def slices(db: sqlite3.Connection) -> "deque[Check]":
    """Return all other checks, of which each goes through a part of the file."""
    structures = (partial(structure, table=table) for table in schema.tables(db))
    indexes = (partial(agreement, index=index) for index in queries.INDEXES)
    return deque([*structures, *indexes])


def structure(db: sqlite3.Connection, table: str) -> None:
    """SQLite finds its way through all pages of a table."""
    (result,) = db.execute(f"PRAGMA quick_check('{table}')").fetchone()
    if result != "ok":
        raise DamagedError(result.splitlines()[-1])


def agreement(db: sqlite3.Connection, index: str) -> None:
    """An index has what the messages have."""
    if not queries.agrees(db, index):
        raise DamagedError("its indexes don't fit its messages")
