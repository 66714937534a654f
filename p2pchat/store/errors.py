"""How SQLite and the operating system say that the disk failed, in our words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from p2pchat.history import StoreError

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

#: The lower byte of an error code is the error; the others say more of it.
_PRIMARY = 0xFF


class DamagedError(StoreError):
    """What the file holds is not what was written."""


@contextmanager
def as_store_errors() -> Iterator[None]:
    """Raise StoreError for what SQLite and the disk raise, DamagedError for a damaged file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        raise (DamagedError if code in _DAMAGE else StoreError)(str(error)) from error
    except UnicodeDecodeError as error:
        # SQLite quotes from the file when it complains
        raise DamagedError("it holds text that is none") from error
    except OSError as error:
        raise StoreError(error.strerror or str(error)) from error
