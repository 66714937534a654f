"""How SQLite and the operating system say that the disk failed, in our words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from p2pchat.history import StoreError

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

#: How SQLite begins to say that the schema, or the full text index, has a format that it does not
#: know, or that a table of that index is gone; the code is that of any error.
_ALSO_DAMAGE = (
    "unsupported file format",
    "invalid fts5 file format",
    "vtable constructor failed",
)

#: The lower byte of an error code is the error; the others say more of it.
_PRIMARY = 0xFF


class DamagedError(StoreError):
    """What the file holds is not what was written."""


@contextmanager
def as_store_errors(file: str = "") -> Iterator[None]:
    """Raise StoreError for what SQLite and the disk raise, DamagedError for a damaged file.

    With the name of a `file` the StoreError tells what could not be opened.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        also = code == sqlite3.SQLITE_ERROR and str(error).startswith(_ALSO_DAMAGE)
        if code in _DAMAGE or also:
            raise DamagedError(str(error)) from error
        raise StoreError(f"{file}: {error}" if file else str(error)) from error
    except UnicodeDecodeError as error:
        # SQLite quotes from the file when it complains
        raise DamagedError("it holds text that is none") from error
    except OSError as error:
        # the disk may name another than was meant: one of those beside it
        name = os.path.basename(error.filename or "") or file
        reason = error.strerror or str(error)
        raise StoreError(f"{name}: {reason}" if name else reason) from error
