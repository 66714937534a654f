"""A damaged database, as far as it can be read: nothing of it is changed but what is always the
same in a header, and nothing raised.

What is given back of a message is as it was written; see the checksum in store/rows.py.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from p2pchat.history import StoreError
from p2pchat.store import header, queries, statements, takeover
from p2pchat.store.connection import connect_to_read
from p2pchat.store.errors import DamagedError, as_store_errors
from p2pchat.store.rows import Named, checked

T = TypeVar("T")

Query = Callable[[sqlite3.Connection], Iterable[T]]

#: A number beyond this was not given to a message.
MAX_NUMBER = 1 << 40

#: How many messages there may be behind the last of which any index knows.
MAX_TAIL = 100_000

#: Where reading fails, so many numbers are tried one by one at least, a share of those that are
#: left if that is more, so that it ends whatever the last number is said to be.
STEP, SHARE = 64, 1 << 16
MAX_STEP = 1_000

#: How many numbers are tried at the start, where that is all that is left to find what waits: it
#: takes ten seconds.
MAX_TRIES = 1_000_000


class Wreck:
    """The damaged database at `path`; close() when done."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        with suppress(StoreError), as_store_errors():
            # SQLite takes a file of a byte for an empty one, and drops the log of such a file
            if path.stat().st_size > 1:
                self._db = _connect(path)
                if not self._is_understood():
                    self._db.close()
                    # what cannot be mended may still be read in part
                    with suppress(OSError):
                        header.mend(path)
                    self._db = _connect(path)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    @cached_property
    def last(self) -> int:
        """A number that no message is behind; 0 if there are none.

        Of more than two who know of a last number one alone is not believed: damage makes any
        number of what was there. Where the indexes are far behind it is the message before the last
        that agrees with it; in a file that was begun for another one, what is still to be taken
        over.
        """
        number = self._number("SELECT coalesce(max(id), 0) FROM message")
        known = sorted(filter(None, [number, *self._witnesses()]))
        last = known[-1] if known else 0
        if len(known) > 2:
            last = min(last, known[-2] + MAX_TAIL)
        return last + MAX_TAIL if last and number is None else last

    def _witnesses(self) -> Iterator[int | None]:
        """Yield what else there is that knows of a number near the last one."""
        yield self._number("SELECT max(id) FROM message WHERE id < (SELECT max(id) FROM message)")
        yield from (self.indexed(), self.read())
        yield from (self._number(f"SELECT max(id) FROM {index}") for index in queries.INDEXES)
        yield from (number - 1 for _, number, _ in self.unfinished())

    def indexed(self) -> int:
        """Return the number up to which all is indexed, 0 if that is not known."""
        return self._number("SELECT indexed FROM progress") or 0

    def read(self) -> int:
        """Return the number up to which all is read, 0 if that is not known."""
        return self._number("SELECT read FROM progress") or 0

    def peers(self) -> list[tuple[str, str, int]]:
        return [peer for peer in self._rows(queries.peers) if _is_peer(peer)]

    def waiting(self) -> dict[int, int]:
        """Return the numbers of the messages in the outbox, and their attempts."""
        waiting = dict.fromkeys(self._under_way(), 0)
        attempts = [row for row in self._rows(queries.attempts) if _is_waiting(row)]
        return waiting | dict(attempts)

    def unfinished(self) -> list[tuple[str, int, int]]:
        """Return what this file had still to take over itself; see takeover.salvages()."""
        return [row for row in self._rows(takeover.salvages) if is_salvage(row)]

    def is_readable(self) -> bool:
        """Tell whether the last of its messages can be read."""
        messages, _ = self.before(MAX_NUMBER, 1)
        return bool(messages)

    def messages(self, numbers: Iterable[int]) -> list[Named]:
        """Return those of these messages that can be read."""
        found = (self._rows(partial(queries.message, number=number)) for number in numbers)
        return [named for rows in found for named in rows if _is_sound(named)]

    def before(self, number: int, count: int) -> tuple[list[Named], int]:
        """Return messages before a number, the last one first, and before which number to go on.

        That is 0 if there are no more, and less than `number` in any case: pages may be in any
        order.
        """
        rows: list[Named] = []
        ended = self._read(lambda db: queries.before(db, number, count), rows)
        found = [named for named in rows if _is_sound(named)]
        last = _end_of_descent((named.row.id for named in rows), number)
        if last is not None:
            return found, 0 if ended and len(rows) < count else last
        if ended and not rows:
            return [], 0
        numbers, left = _step(number)
        return found + self.messages(numbers), left

    def find(self, identities: Sequence[int]) -> list[int]:
        """Return the numbers of those of these messages that are indexed."""
        return self._rows(lambda db: statements.find_identities(db, identities).values())

    def _is_understood(self) -> bool:
        """Tell whether SQLite takes it for a database, and finds its way to its first table."""
        return self._read(lambda db: db.execute("SELECT name FROM sqlite_schema LIMIT 1"), [])

    def _under_way(self) -> list[int]:
        """Return the numbers of the messages that are neither delivered nor failed."""
        rows: list[int] = []
        if self._read(queries.under_way, rows):
            return rows
        # around what can't be read; what is not found by this is when all is taken over, and waits
        # until the next start then
        found: dict[int, bool] = {}
        number, tries = self.last + 1, 0
        while number > 1 and tries < MAX_TRIES:
            part: list[tuple[int, bool]] = []
            if self._read(partial(queries.stages_before, number=number), part):
                number = 0
            elif (last := _end_of_descent((one for one, _ in part), number)) is not None:
                number = last
            else:
                numbers, number = _step(number)
                for one in numbers:
                    part += self._rows(partial(queries.stage, number=one))
                tries += len(numbers)
            found |= part
        return [number for number, is_under_way in found.items() if is_under_way]

    def _number(self, query: str) -> int | None:
        for (value,) in self._rows(lambda db: db.execute(query)):
            if isinstance(value, int) and 0 <= value < MAX_NUMBER:
                return value
        return None

    def _rows(self, query: "Query[T]") -> list[T]:
        rows: list[T] = []
        self._read(query, rows)
        return rows

    def _read(self, query: "Query[T]", rows: list[T]) -> bool:
        """Add to the rows what a query yields; tell whether it came to its end."""
        if self._db is None:
            return True
        # numbers and texts may be of any type here
        with suppress(StoreError, TypeError, ValueError, OverflowError), as_store_errors():
            for row in query(self._db):  # those before one that can't be read are kept
                rows.append(row)
            return True
        return False


def _connect(path: Path) -> sqlite3.Connection:
    db = connect_to_read(path)
    # with this SQLite reads a file whose end is cut off, as far as that goes, and takes of a
    # damaged schema what it can; nothing can be written, be it a schema or not
    with suppress(sqlite3.Error):
        db.execute("PRAGMA writable_schema = ON")
    return db


def _step(number: int) -> tuple[range, int]:
    """Return which numbers to try one by one before this one, and before which to go on."""
    left = max(0, number - max(STEP, number // SHARE))
    return range(number - 1, max(left, number - MAX_STEP) - 1, -1), left


def _end_of_descent(numbers: Iterable[int], before: int) -> int | None:
    """Return down to which number they go from this one, each below the last; None if none does."""
    last = before
    for number in numbers:
        if not 0 < number < last:
            break
        last = number
    return last if last < before else None


def _is_sound(named: Named) -> bool:
    try:
        checked(named)
    except DamagedError:
        return False
    return named.row.reason is None or isinstance(named.row.reason, str)


def is_salvage(row: tuple[Any, ...]) -> bool:
    """Tell whether this is a row that takeover.put_salvage() may have written."""
    return [type(value) for value in row] == [str, int, int] and 0 < row[1] < MAX_NUMBER


def _is_waiting(row: tuple[Any, ...]) -> bool:
    number, attempts = row
    return type(number) is type(attempts) is int and 0 < number < MAX_NUMBER and attempts >= 0


def _is_peer(peer: tuple[Any, ...]) -> bool:
    return [type(value) for value in peer] == [str, str, int]
