"""One database file: opened and checked, set aside if it is damaged, closed.

It has two connections, so that reading does not hold up writing, and for a while one to check it.
Each is used in threads, by one at a time. They are closed before the file gets another name: the
last one to close removes what stands beside the file, by name.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TypeVar

from p2pchat.events import Level
from p2pchat.history import Bounds, StoreError
from p2pchat.identity import PeerId
from p2pchat.store import check, salvage, schema, takeover
from p2pchat.store.connection import BUSY_TIMEOUT, connect, connect_to_read
from p2pchat.store.errors import DamagedError, as_store_errors
from p2pchat.store.files import Files
from p2pchat.store.inspection import Inspection
from p2pchat.store.journal import Journal
from p2pchat.store.owner import claim
from p2pchat.store.salvage import Ended, Taken
from p2pchat.store.wreck import Wreck, is_salvage

T = TypeVar("T")

#: From how many bytes on what was committed is moved from the -wal file into the database, in a
#: moment of peace.
WAL_SIZE = 8 * 1024 * 1024

Notice = tuple[Level, str]


class Database:
    """The history of `me` in the file at `path`."""

    def __init__(
        self, path: Path, me: PeerId, bounds: Bounds, wall_clock: Callable[[], datetime]
    ) -> None:
        self._notices: list[Notice] = []
        self._files = Files(path)
        self._me = me
        self._bounds = bounds
        self._wall_clock = wall_clock
        self._journal: Journal | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = Lock()
        self._suspicion: str | None = None
        self._is_replaced = False
        #: The number of the last message that is committed, also in files of before.
        self._last = 0
        self.inspection = Inspection(lambda: connect(self._files.path), self.suspect)

    @property
    def journal(self) -> Journal:
        """What may be done in a transaction; StoreError while the file is not open."""
        if self._journal is None:
            raise StoreError("it is not open")
        return self._journal

    def open(self) -> None:
        """Open the file if it is not; a damaged one is set aside, and a new one takes its place.

        What can be read of it is taken over, the outbox at once. What is somebody else's, or of a
        newer version, stays as it is.

        Raises StoreError.
        """
        if self._suspicion is not None:
            self.replace(self._suspicion)
        if self._journal is None:
            with as_store_errors(self._files.path.name):
                self._journal = self._open()

    def replace(self, reason: str) -> None:
        """Set the file aside, since it was found damaged, and begin a new one; StoreError."""
        self._close()
        with as_store_errors():
            self._files.set_aside(reason)
        self.open()

    def suspect(self, reason: str) -> None:
        """Have the file replaced at the next open()."""
        self._suspicion = reason

    @contextmanager
    def unsynced(self) -> Iterator[None]:
        """Transactions in it don't wait for the disk: a power cut may take them back."""
        with as_store_errors():
            self.journal.db.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._sync_again()

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a query finds; StoreError.

        With DamagedError the file is under suspicion, and replaced at the next open().
        """
        with self._reading:
            if self._journal is None:
                raise StoreError("it is not open")
            try:
                return self._read(query)
            except DamagedError as error:
                self.suspect(str(error))
                raise

    def abandon(self) -> None:
        """Close the file as it is; open() opens it again."""
        self._close()

    def interrupt(self) -> None:
        """Let a query that takes long fail; may be called in any thread."""
        reader = self._reader
        if reader is not None:
            # it may be closed by now
            with suppress(sqlite3.ProgrammingError):
                reader.interrupt()

    def close(self) -> None:
        """Close the file in order; StoreError if that can't be noted, which costs a check.

        It is not in order before all that is to be checked was.
        """
        is_open = self._journal is not None
        checked = not self.inspection.is_due and self._suspicion is None
        self._close()
        if is_open:
            with as_store_errors():
                self._files.put_stamp(checked=checked)

    def checkpoint(self) -> None:
        """Move what was committed into the database if it is much; StoreError.

        What a reader still needs stays where it is, until the next time.
        """
        with as_store_errors():
            if self._files.size_of_wal() < WAL_SIZE:
                return
            db = self.journal.db
            db.execute("PRAGMA busy_timeout = 0")
            try:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                db.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")

    def salvaged(self, ended: Ended) -> None:
        """Note that all was taken over from a file."""
        if ended.readable:
            with as_store_errors():
                self._files.put_taken(ended.file)
        if ended.messages:
            text = f"{ended.messages} messages more were taken over from {ended.file}"
            self._notices.append(("info", text))
        elif not ended.readable:
            text = f"nothing more could be taken over from {ended.file}"
            self._notices.append(("warning", text))

    def take_notices(self) -> list[Notice]:
        """Return what the user has to know of, once."""
        notices, self._notices = self._notices, []
        return notices

    def take_replaced(self) -> bool:
        """Tell, once, whether a new file has taken the place of a damaged one."""
        replaced, self._is_replaced = self._is_replaced, False
        return replaced

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with as_store_errors():
            if self._reader is None:
                self._reader = connect(self._files.path)
            return query(self._reader)

    def _open(self) -> Journal:
        if self._files.was_cut():
            self._files.set_aside("it was cut off")
        try:
            return self._open_sound()
        except DamagedError as error:
            self._files.set_aside(str(error))
        return self._open_sound()

    def _open_sound(self) -> Journal:
        """Open the file; DamagedError if it is not sound."""
        self._files.create()
        self._identify()
        trouble = self._files.trouble_of_header()
        if trouble:
            raise DamagedError(trouble)
        in_order = self._files.take_stamp()
        name = self._files.path.name
        with as_store_errors(name):
            db = connect(self._files.path)
        try:
            with as_store_errors(name):
                journal = self._look_at(db, in_order)
                self._take_over(journal)
                return journal
        except BaseException:
            db.close()
            raise

    def _identify(self) -> None:
        """Find out whether the file is for us, before anything of it is touched."""
        # what can't be read so is looked at once more when it is open
        trouble = suppress(sqlite3.Error, UnicodeDecodeError)
        with trouble, closing(connect_to_read(self._files.path)) as db:
            check.identify(db, self._files.path.name, self._me)

    def _look_at(self, db: sqlite3.Connection, in_order: bool) -> Journal:
        check.identify(db, self._files.path.name, self._me)
        schema.migrate(db)
        claim(db, self._me)
        check.tables(db)
        if not in_order:
            check.first_look(db, self._me)
            self.inspection.begin(check.slices(db))
        try:
            return Journal(db, self._me, self._bounds, self._wall_clock)
        except (TypeError, ValueError, AttributeError) as error:
            raise DamagedError("it holds what was never written") from error

    def _take_over(self, journal: Journal) -> None:
        """Begin to take over what can be read of a damaged file, or go on with it."""
        damaged = self._files.damaged()
        if damaged is not None:
            path, reason = damaged
            with closing(Wreck(path)) as wreck:
                taken = _in_transaction(journal, lambda: salvage.begin(journal, wreck, self._last))
            if taken.messages and not taken.more:
                self._files.put_taken(path)
            self._is_replaced = True
            self._notices.append(("error", _replacement(self._files.path, reason, taken, path)))
        self._files.forget_damaged()
        for row in takeover.salvages(journal.db):
            if not is_salvage(row):
                raise DamagedError("what it has to take over was never written")
            journal.register.wrecks.append(Wreck(self._files.beside(row[0])))

    def _sync_again(self) -> None:
        if self._journal is None:
            return
        try:
            self._journal.db.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            # what is told to be stored must be
            self._close()

    def _close(self) -> None:
        self.inspection.stop()
        with self._reading:
            self._suspicion = None
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            if self._journal is not None:
                self._last = max(self._last, self._journal.register.last)
                self._journal.close()
                self._journal = None


def _replacement(file: Path, reason: str, taken: Taken, aside: Path) -> str:
    begun = "a new one is begun"
    if not (taken.messages or taken.more):
        begun = "nothing of it could be read, and a new one is begun"
    elif taken.messages or taken.waiting:
        begun += f" with {taken.messages} messages, {taken.waiting} of them in the outbox"
    more = ", what else can be read follows" if taken.more else ""
    return f"{file.name} cannot be used: {reason}; {begun}{more}, the old file is {aside}"


def _in_transaction(journal: Journal, work: Callable[[], T]) -> T:
    """Commit what is done; if that fails the file is to be closed."""
    journal.db.execute("BEGIN IMMEDIATE")
    result = work()
    journal.db.execute("COMMIT")
    journal.register.committed()
    return result
