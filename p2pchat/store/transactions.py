"""Groups of requests, each group in one transaction: they share the wait for the disk.

Used in a thread, one call at a time.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from p2pchat.errors import QueueFullError
from p2pchat.history import Opened, OutboxEntry
from p2pchat.store import answers, salvage, upkeep
from p2pchat.store.database import Database
from p2pchat.store.errors import DamagedError, as_store_errors
from p2pchat.store.journal import Journal

T = TypeVar("T")

Request = Callable[[Journal], Any]


class Outcome(NamedTuple):
    """What became of a request."""

    value: Any
    error: Exception | None = None


class Transactions:
    """All that is written to a database.

    `last` is the number of the last message that is committed, `indexed` that of the last one in
    the indexes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.last = 0
        self.indexed = 0

    @property
    def backlog(self) -> int:
        """How many messages are not indexed yet."""
        return self.last - self.indexed

    def open(self) -> Opened:
        """Open the database and tell what is in it; StoreError."""
        self._database.open()
        unread, outbox = self._repaired(self._look)
        self._database.take_replaced()  # nobody has anything that could be lost yet
        return Opened(unread, outbox, [text for _, text in self._database.take_notices()])

    def carry_out(self, requests: Sequence[Request]) -> list[Outcome]:
        """Carry out a group of requests; an error of one of them is nothing to the others.

        If the file is found damaged they are carried out on a new one.
        """
        opened = _attempt(self._database.open)
        if opened.error is not None:
            return [opened] * len(requests)
        together = _attempt(lambda: self._repaired(lambda: self._together(requests)))
        if together.error is None:
            return list(together.value)
        # one by one, so that only those fail that must
        return [self._alone(request) for request in requests]

    def keep_up(self) -> Outcome:
        """Do a slice of what has to be done some time; its value tells whether that is not all."""
        return _attempt(self._keep_up)

    def _look(self) -> tuple[int, list[OutboxEntry]]:
        with self._transaction() as journal:
            return answers.count_unread(journal.db), answers.outbox(journal.db)

    def _together(self, requests: Sequence[Request]) -> list[Outcome]:
        with self._transaction() as journal:
            return [_outcome(request, journal) for request in requests]

    def _alone(self, request: Request) -> Outcome:
        alone = _attempt(lambda: self._together([request])[0])
        outcome: Outcome = alone if alone.error is not None else alone.value
        return outcome

    def _keep_up(self) -> bool:
        self._database.open()
        more = self._repaired(self._do_a_slice)
        if not more:
            self._repaired(self._database.checkpoint)
        return more

    def _do_a_slice(self) -> bool:
        # indexes that a power cut takes back are made again, so nobody waits for the disk
        with self._database.unsynced(), self._transaction() as journal:
            indexed = upkeep.index(journal)
            if upkeep.prune(journal) or indexed or upkeep.merge(journal):
                return True
            ended = salvage.do_a_slice(journal)
        if ended is not None:
            self._database.salvaged(ended)
        return bool(journal.register.wrecks)

    def _repaired(self, work: Callable[[], T]) -> T:
        """Do the work, on a new file if it finds this one damaged."""
        try:
            return work()
        except DamagedError as error:
            self._database.replace(str(error))
            return work()

    @contextmanager
    def _transaction(self) -> Iterator[Journal]:
        """All that is done in it is committed, or else nothing of it; StoreError."""
        journal = self._database.journal
        with as_store_errors():
            journal.db.execute("BEGIN IMMEDIATE")
            try:
                yield journal
                journal.db.execute("COMMIT")
            except BaseException:
                self._roll_back(journal)
                raise
        journal.register.committed()
        self.last = journal.register.last
        self.indexed = self.last - journal.register.backlog

    def _roll_back(self, journal: Journal) -> None:
        journal.register.rolled_back()
        try:
            # after some errors SQLite has done it already
            if journal.db.in_transaction:
                journal.db.execute("ROLLBACK")
        except sqlite3.Error:
            self._database.abandon()


def _attempt(work: Callable[[], Any]) -> Outcome:
    try:
        return Outcome(work())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
        return Outcome(None, error)


def _outcome(request: Request, journal: Journal) -> Outcome:
    """Carry out a request; what it refuses, it refuses before it has changed anything."""
    try:
        return Outcome(request(journal))
    except QueueFullError as error:
        return Outcome(None, error)
