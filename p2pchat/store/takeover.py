"""The SQL for what comes from a damaged file: functions on a connection, and nothing else."""

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from p2pchat.store.errors import DamagedError


def taken_numbers(db: sqlite3.Connection, numbers: Sequence[int]) -> set[int]:
    """Return those of these numbers that messages have."""
    query = "SELECT m.id FROM json_each(?) n CROSS JOIN message m ON m.id = n.value"
    return {number for (number,) in db.execute(query, (msgspec.json.encode(numbers).decode(),))}


def set_indexed(db: sqlite3.Connection, message: int) -> None:
    """Note that numbers up to this one are given."""
    db.execute("UPDATE progress SET indexed = max(indexed, ?)", (message,))


def put_peers(db: sqlite3.Connection, peers: Sequence[tuple[str, str, int]]) -> None:
    """Add those of these peers that are not known."""
    db.executemany("INSERT OR IGNORE INTO peer VALUES (?, ?, ?)", peers)


def salvages(db: sqlite3.Connection) -> Iterator[tuple[str, int, int]]:
    """Yield the damaged files from which messages are still to be taken over, the last one first.

    With each the number before which those are, and how many were taken over behind the outbox.
    """
    return db.execute("SELECT file, number, taken FROM salvage ORDER BY number DESC, file DESC")


def salvage(db: sqlite3.Connection, file: str) -> tuple[int, int]:
    """Return before which number there is something to take over, and how many were.

    Raises DamagedError if that is not known any more.
    """
    row = db.execute("SELECT number, taken FROM salvage WHERE file = ?", (file,)).fetchone()
    if row is None:
        raise DamagedError("what it has to take over is gone")
    number, taken = row
    return number, taken


def put_salvage(db: sqlite3.Connection, file: str, number: int, taken: int) -> None:
    db.execute("INSERT OR REPLACE INTO salvage VALUES (?, ?, ?)", (file, number, taken))


def end_salvage(db: sqlite3.Connection, file: str) -> None:
    db.execute("DELETE FROM salvage WHERE file = ?", (file,))
