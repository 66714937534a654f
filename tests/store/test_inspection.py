"""A file that was not closed in order is used at once, and checked meanwhile."""

import sqlite3
from collections import deque
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import StoreError
from p2pchat.store import check, database
from p2pchat.store.errors import DamagedError
from p2pchat.store.inspection import Inspection
from tests.store.cases import StoreCase, received, texts

STAMP = "history.db-closed"

#: Goes on for years.
LONG = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"


class InspectionCase(StoreCase):
    """A history with two hundred messages whose process was killed."""

    def setUp(self) -> None:
        super().setUp()
        self.receive(*(received(number, f"text {number}") for number in range(200)))
        self.reactor.advance(1)
        self.files = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        self.end()
        (self.folder / STAMP).unlink()

    def run_pool(self) -> None:
        while self.pool.run():
            pass

    def begin_held(self) -> None:
        """Open the file, and let nothing else happen."""
        self.history = self.make()
        self.pool.held = True
        opening = self.history.open()
        self.pool.run()
        self.assertEqual(self.get(opening).notices, [])

    def assert_not_in_order(self) -> None:
        stamp = self.folder / STAMP
        self.assertFalse(stamp.exists() and stamp.read_bytes())

    def damage(self) -> None:
        """Let the tree of an index end in nothing."""
        with closing(sqlite3.connect(self.path)) as db:
            query = "SELECT rootpage FROM sqlite_schema WHERE name = 'calendar'"
            ((page,),) = db.execute(query).fetchall()
        data = bytearray(self.path.read_bytes())
        data[(page - 1) * 4096 : (page - 1) * 4096 + 12] = bytes(12)
        self.path.write_bytes(data)


class HistoryTests(InspectionCase):
    def test_a_file_that_is_closed_before_it_was_checked_is_missed_when_it_is_gone(self) -> None:
        self.begin_held()
        closed = self.history.close()
        self.run_pool()
        self.get(closed)
        self.assertEqual((self.folder / STAMP).read_bytes(), b"")
        self.path.write_bytes(b"")
        (notice,) = self.begin().notices
        self.assertIn("it was cut off", notice)

    def test_what_is_damaged_is_found_afterwards_and_nothing_is_lost(self) -> None:
        self.damage()
        self.begin_held()
        self.assertEqual(self.told, [])
        stored = self.history.receive([received(1000)])
        self.run_pool()
        self.pool.held = False
        self.assertEqual(self.get(stored), [201])
        self.assertEqual([level for level, _ in self.told], ["error", "info"])
        self.assertEqual(len(self.all()), 201)
        self.assertEqual(self.receive(received(7), received(1000)), [None, None])

    def test_a_sound_file_is_in_order_when_all_is_checked(self) -> None:
        self.begin()
        self.end()
        self.assertIn(STAMP, self.names())
        self.patch(check, "slices", lambda db: self.fail("it was closed in order"))
        self.begin()

    def test_not_in_order_before_all_is_checked(self) -> None:
        self.begin_held()
        for _ in range(3):
            self.pool.run()
        closed = self.history.close()
        self.run_pool()
        self.get(closed)
        self.pool.held = False
        self.assert_not_in_order()
        self.restart()
        self.end()
        self.assertIn(STAMP, self.names())

    def test_not_in_order_while_it_is_open(self) -> None:
        self.begin()
        self.assert_not_in_order()

    def test_checked_again_after_another_kill(self) -> None:
        self.begin_held()
        self.pool.run()
        files = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        self.run_pool()
        self.pool.held = False
        self.end()
        self.fill_folder(files)
        self.damage()
        self.begin()
        self.assertEqual([level for level, _ in self.told], ["error", "info"])

    def test_every_table_and_index_is_checked(self) -> None:
        with closing(sqlite3.connect(self.path)) as db:
            tables = [
                name
                for (name,) in db.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage"
                )
            ]
            self.assertLess({"message", "name", "words_data", "salvage"}, set(tables))
            self.assertEqual(len(check.slices(db)), len(tables) + 3)

    def test_a_disk_that_fails_is_no_damage(self) -> None:
        calls = []

        def fail(path: Path) -> sqlite3.Connection:
            calls.append(path)
            raise sqlite3.OperationalError("disk I/O error")

        connect = database.connect
        self.begin_held()
        self.patch(database, "connect", fail)
        self.run_pool()
        self.pool.held = False
        self.assertEqual(len(calls), 1)
        self.patch(database, "connect", connect)
        self.receive(received(300, "last"))
        self.assertEqual(texts(self.all())[-1], "last")
        self.assertEqual(self.told, [])
        self.end()
        self.assert_not_in_order()


class StopTests(SynchronousTestCase):
    #: In seconds; only a hang ever takes so long.
    timeout = 60

    def setUp(self) -> None:
        self.suspicions: list[str] = []
        self.inspection = Inspection(
            lambda: sqlite3.connect(":memory:", check_same_thread=False), self.suspicions.append
        )

    def test_a_check_under_way_is_given_up(self) -> None:
        begun, errors = Event(), []

        def look(db: sqlite3.Connection) -> None:
            begun.set()
            db.execute(LONG).fetchone()

        def run() -> None:
            try:
                self.inspection.do_a_slice()
            except StoreError as error:
                errors.append(str(error))

        self.inspection.begin(deque([look]))
        thread = Thread(target=run)
        thread.start()
        self.assertTrue(begun.wait(self.timeout))
        started = monotonic()
        self.inspection.stop()
        self.assertLess(monotonic() - started, self.timeout / 2)
        thread.join(self.timeout)
        self.assertEqual(errors, ["interrupted"])
        self.assertFalse(self.inspection.is_due)
        self.assertEqual(self.suspicions, [])

    def test_what_is_found(self) -> None:
        def find(db: sqlite3.Connection) -> None:
            raise DamagedError("bad")

        self.inspection.begin(deque([lambda db: None, find]))
        self.inspection.do_a_slice()
        self.assertTrue(self.inspection.goes_on)
        self.assertRaises(DamagedError, self.inspection.do_a_slice)
        self.assertEqual(self.suspicions, ["bad"])
        self.assertTrue(self.inspection.is_due)
        self.assertFalse(self.inspection.goes_on)
