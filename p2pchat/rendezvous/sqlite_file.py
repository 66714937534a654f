"""The database file of a registry: read once, then written to; used by one thread at a time.

It is in WAL mode with synchronous=NORMAL, so that no transaction waits for the disk and none is
seen in part: a power cut may take back the last ones. The file is locked while it is open, for what
two processes keep in memory would not be what is in the file.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec

from p2pchat.errors import P2PChatError
from p2pchat.rendezvous.messages import MAX_TTL
from p2pchat.rendezvous.roll import Key, Term, shared_key

# "p2pr": a database that does not say so is somebody else's.
_APPLICATION = 0x70327072
_VERSION = 1

_SCHEMA = (
    "CREATE TABLE registration (ip TEXT, namespace TEXT, name TEXT, port INTEGER, ttl INTEGER,"
    " expires_at REAL, PRIMARY KEY (ip, namespace, name)) WITHOUT ROWID",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)
_DELETE = "DELETE FROM registration WHERE ip = ? AND namespace = ? AND name = ?"
_REPLACE = "REPLACE INTO registration VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT ip, namespace, name, port, ttl, expires_at FROM registration"

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# The lower byte of an error code is the error; the others say more of it.
_PRIMARY = 0xFF

# Key and Term of a registration, one after the other.
_Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
_Ttl = Annotated[int, msgspec.Meta(ge=1, le=MAX_TTL)]
_Row = tuple[str, str, str, _Port, _Ttl, float]

#: A registration as it was written.
Kept = tuple[Key, Term]

#: The changes to be written; None for what is gone.
Changes = Mapping[Key, Term | None]


class FileError(P2PChatError):
    """The disk failed, or the file cannot be used."""


class DamagedError(FileError):
    """What is in the file is not what was written, or not ours."""


class RegistrationFile:
    """The file at `path`; terms in it are by the wall clock, in seconds since 1970.

    After an error the file is closed; the next write opens it again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None

    def read(self, now: float) -> list[Kept]:
        """Return what has not expired and forget the rest.

        Raises FileError, or DamagedError if the file is bad.
        """
        with self._open() as db:
            with db:
                db.execute("DELETE FROM registration WHERE expires_at <= ?", (now,))
            rows = db.execute(_SELECT)
            return [_registration(row) for row in rows]

    def write(self, changes: Changes, later: float, *, whole: bool) -> None:
        """Write changes in one transaction, or with `whole` let nothing else be in the file.

        The terms are `later` seconds behind the wall clock. Raises FileError.
        """
        gone = [key for key, term in changes.items() if term is None]
        rows = [
            (*key, term.port, term.ttl, term.expires_at + later)
            for key, term in changes.items()
            if term is not None
        ]
        with self._open() as db, db:
            if whole:
                db.execute("DELETE FROM registration")
            db.executemany(_DELETE, gone)
            db.executemany(_REPLACE, rows)

    def set_aside(self) -> Path:
        """Give the file, which was found bad, another name and return that; FileError."""
        aside = Path(f"{self.path}.bad")
        try:
            # a log that is left alone would become that of the next file
            for ending in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{ending}").replace(f"{aside}{ending}")
            self.path.replace(aside)
        except OSError as error:
            raise FileError(error.strerror or str(error)) from error
        return aside

    def close(self) -> None:
        """Close the file; what SQLite keeps beside it goes into it."""
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):  # whatever is lost with it was told before
                db.close()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._db is None:
                self._db = self._connect()
            yield self._db
        except (sqlite3.Error, OSError, FileError) as error:
            self.close()
            _raise(error)

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        if self.path.stat().st_mode & 0o077:
            self.path.chmod(0o600)
        db = sqlite3.connect(self.path, timeout=0.5, check_same_thread=False)
        try:
            _prepare(db)
        except BaseException:
            db.close()
            raise
        return db


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    if _number(db, "schema_version") == 0:
        with db:
            db.execute("BEGIN")
            for statement in _SCHEMA:
                db.execute(statement)
        return
    if (_number(db, "application_id"), _number(db, "user_version")) != (_APPLICATION, _VERSION):
        raise DamagedError("it is no registry of this version")
    if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise DamagedError("its structure is damaged")


def _registration(row: object) -> Kept:
    try:
        kept = msgspec.convert(row, _Row)
    except msgspec.ValidationError as error:
        raise DamagedError("it holds what was never written") from error
    return shared_key(*kept[:3]), Term(*kept[3:])


def _number(db: sqlite3.Connection, pragma: str) -> int:
    with closing(db.execute(f"PRAGMA {pragma}")) as cursor:
        return int(cursor.fetchone()[0])


def _raise(error: Exception) -> NoReturn:
    """Raise as FileError, or DamagedError, what SQLite and the disk raise."""
    if isinstance(error, FileError):
        raise error
    if isinstance(error, OSError):
        raise FileError(error.strerror or str(error)) from error
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    # text that is no UTF-8 comes without a code
    is_damage = code in _DAMAGE or "decode" in str(error)
    raise (DamagedError if is_damage else FileError)(str(error)) from error
