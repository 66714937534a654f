"""Whose history a file is: functions on a connection."""

import sqlite3
from zlib import crc32

from p2pchat.identity import PeerId
from p2pchat.store.errors import DamagedError
from p2pchat.store.schema import OWNER


def owner(db: sqlite3.Connection) -> PeerId | None:
    """Return who it was begun for, None if that is not noted; DamagedError."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'owner'").fetchone():
        return None
    row = db.execute("SELECT peer_id, checksum FROM owner").fetchone()
    if row is None:
        return None
    peer_id, checksum = row
    # a letter that is another must not keep somebody out of what is theirs
    if not isinstance(peer_id, str) or checksum != crc32(peer_id.encode()):
        raise DamagedError("its owner is not as it was written")
    return PeerId(peer_id)


def claim(db: sqlite3.Connection, me: PeerId) -> None:
    """Note that it is the history of `me`, unless it is somebody's already."""
    if owner(db) is not None:
        return
    db.execute("BEGIN IMMEDIATE")
    db.execute(OWNER)
    db.execute("INSERT INTO owner VALUES (?, ?)", (me, crc32(me.encode())))
    db.execute("COMMIT")
