"""A history that is damaged, killed and opened again."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Bounds, Entry, Opened
from p2pchat.identity import Address
from p2pchat.store import answers, queries, salvage
from p2pchat.store.database import Database
from p2pchat.store.journal import Journal
from p2pchat.store.transactions import Transactions
from tests.store.cases import ALICE, BOB, EVE, START, at, received
from tests.temporary import temporary_path

#: How many messages came in.
SIZE = 400


class SalvageCase(SynchronousTestCase):
    """A history of which the last 30 messages are not indexed; `entries` is all that is in it."""

    bounds = Bounds()

    def setUp(self) -> None:
        self.folder = temporary_path(self)
        self.folder.mkdir()
        self.path = self.folder / "history.db"
        self.now = START
        self.patch(salvage, "SLICE", 50)
        self.begin()
        self.addCleanup(lambda: self.database.close())
        self.write(0, SIZE - 30)
        self.do(
            lambda journal: journal.queue(BOB, "waits", "as it was", at(0)),
            lambda journal: journal.queue(EVE, "written", "twice", at(0)),
            *[lambda journal: journal.written("written")] * 2,
            lambda journal: journal.queue(EVE, "failed", "no", at(0)),
            lambda journal: journal.settled("failed", "failed", "too long"),
            lambda journal: journal.peer_seen(BOB, [Address("10.0.0.1", 4000)], at(5)),
            lambda journal: journal.read(100),
        )
        self.keep_up()
        self.write(SIZE - 30, SIZE)
        self.entries = self.all()

    def write(self, first: int, end: int) -> None:
        self.do(
            lambda journal: journal.receive([received(n, f"text {n}") for n in range(first, end)])
        )

    def begin(self) -> Opened:
        self.database = Database(self.path, ALICE, self.bounds, lambda: self.now)
        self.transactions = Transactions(self.database)
        return self.transactions.open()

    def do(self, *requests: Callable[[Journal], Any]) -> list[Any]:
        outcomes = self.transactions.carry_out(requests)
        self.assertEqual([outcome.error for outcome in outcomes], [None] * len(requests))
        return [outcome.value for outcome in outcomes]

    def receive(self, *numbers: int) -> list[int | None]:
        (stored,) = self.do(lambda journal: journal.receive([received(n) for n in numbers]))
        return list(stored)

    def keep_up(self, slices: int = 1000) -> None:
        for _ in range(slices):
            outcome = self.transactions.keep_up()
            self.assertIsNone(outcome.error)
            if not outcome.value:
                break

    def all(self) -> dict[int, Entry]:
        """Return all that is there, by number; every index must have it."""
        with closing(sqlite3.connect(self.path)) as db:
            for index in queries.INDEXES:
                self.assertTrue(queries.agrees(db, index), index)
            self.assertTrue(queries.agrees_behind_indexes(db))
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            found = answers.entries(db, ALICE, None, 10_000, None)
        return {entry.stored_id: entry for entry in found}

    def replace(self) -> Opened:
        """Have the file replaced as damaged."""
        self.database.suspect("of no use")
        opened = self.transactions.open()
        self.assertIn("of no use", opened.notices[0])
        return opened

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def killed(self, files: dict[str, bytes]) -> Opened:
        """Open the files that a killed process left."""
        self.database.close()
        for path in self.folder.iterdir():
            path.unlink()
        for name, data in files.items():
            (self.folder / name).write_bytes(data)
        return self.begin()

    def change(self, statement: str) -> None:
        self.database.journal.db.execute(statement)
