"""A connection to a database file, set up for a log beside it; each may raise sqlite3.Error."""

import sqlite3
from pathlib import Path

from p2pchat.history import StoreError

#: How long one connection waits for the other, in seconds.
BUSY_TIMEOUT = 5.0

#: How much of the file each connection keeps in memory, in KiB.
CACHE = 2 * 1024

#: From how many bytes on what was committed is moved from the -wal file into the database at once.
MAX_WAL_SIZE = 64 * 1024 * 1024

_PAGE = 4096


def connect(path: Path) -> sqlite3.Connection:
    """Open a database; it may be used in any thread, by one at a time."""
    db = sqlite3.connect(
        *(path, BUSY_TIMEOUT),
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        _configure(db)
    except BaseException:
        db.close()
        raise
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a database that nobody else has open, and leave all its files as they are."""
    # where there is no log none is made
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    db = sqlite3.connect(
        *(f"{path.absolute().as_uri()}?{how}", BUSY_TIMEOUT),
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )
    db.text_factory = _text
    return db


def _configure(db: sqlite3.Connection) -> None:
    db.text_factory = _text
    if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StoreError("this disk allows no write-ahead log")
    for setting in (
        "synchronous = FULL",
        "foreign_keys = ON",
        f"cache_size = {-CACHE}",
        # what is deleted is overwritten where that costs nothing
        "secure_delete = FAST",
        f"wal_autocheckpoint = {MAX_WAL_SIZE // _PAGE}",
        f"journal_size_limit = {MAX_WAL_SIZE}",
    ):
        db.execute(f"PRAGMA {setting}")


def _text(data: bytes) -> str:
    """Decode what ought to be UTF-8; where it is not, a checksum tells."""
    return data.decode("utf-8", "replace")
