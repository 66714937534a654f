"""Groups of requests: committed together, failing one by one, carried out anew on a new file."""

import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import QueueFullError
from p2pchat.history import Bounds, StoreError
from p2pchat.store import database, queries, upkeep
from p2pchat.store.database import Database
from p2pchat.store.errors import DamagedError
from p2pchat.store.journal import Journal
from p2pchat.store.transactions import Transactions
from tests.store.cases import ALICE, START, received, uuid
from tests.temporary import temporary_path

Request = Callable[[Journal], Any]


def receive(*numbers: int) -> Request:
    return lambda journal: journal.receive([received(number) for number in numbers])


def receive_text(number: int) -> Request:
    text = " ".join(f"word{number * n % 997}" for n in range(20))
    return lambda journal: journal.receive([received(number, text)])


def then(request: Request, error: Exception) -> Request:
    """Return a request that fails when its work is done."""

    def fail(journal: Journal) -> None:
        request(journal)
        raise error

    return fail


class TransactionsCase(SynchronousTestCase):
    bounds = Bounds()

    def setUp(self) -> None:
        folder = temporary_path(self)
        folder.mkdir()
        self.path = folder / "history.db"
        self.database = Database(self.path, ALICE, self.bounds, lambda: START)
        self.addCleanup(self.database.close)
        self.transactions = Transactions(self.database)
        self.transactions.open()
        self.statements: list[str] = []
        self.watch()

    def watch(self) -> None:
        """Note from now on what is done in the file."""
        self.statements.clear()
        self.database.journal.db.set_trace_callback(self.statements.append)

    def values(self, *requests: Request) -> list[Any]:
        outcomes = self.transactions.carry_out(requests)
        return [repr(outcome.error) if outcome.error else outcome.value for outcome in outcomes]

    def count(self, statement: str) -> int:
        return sum(said.startswith(statement) for said in self.statements)

    def stored(self) -> list[str]:
        return self.database.read(
            lambda db: [row[0] for row in db.execute("SELECT hex(msg_id) FROM message ORDER BY id")]
        )

    def ids(self, *numbers: int) -> list[str]:
        return [uuid(number).replace("-", "").upper() for number in numbers]


class GroupTests(TransactionsCase):
    def test_a_group_has_one_commit_and_few_statements(self) -> None:
        requests = [receive(*range(10 * n, 10 * n + 10)) for n in range(20)]
        self.assertEqual(len(self.values(*requests)), 20)
        self.assertEqual((self.count("BEGIN"), self.count("COMMIT")), (1, 1))
        self.assertEqual(len(self.stored()), 200)
        self.watch()
        self.values(receive(*range(1000, 1512)))
        self.assertEqual(self.count("INSERT INTO message"), 1)
        self.assertLess(len(self.statements), 10)

    def test_in_the_order_asked_for(self) -> None:
        self.assertEqual(self.values(receive(2), receive(1, 2), receive(3)), [[1], [2, None], [3]])
        self.assertEqual(self.stored(), self.ids(2, 1, 3))

    def test_one_that_fails_takes_nobody_along(self) -> None:
        bad = then(receive(2), KeyError("bug"))
        self.assertEqual(self.values(receive(1), bad, receive(3)), [[1], "KeyError('bug')", [2]])
        self.assertEqual(self.stored(), self.ids(1, 3))
        self.assertEqual(self.values(receive(1, 2, 3)), [[None, 3, None]])

    def test_one_that_is_refused_costs_no_second_try(self) -> None:
        def refuse(journal: Journal) -> None:
            raise QueueFullError("no")

        self.assertEqual(
            self.values(receive(1), refuse, receive(2)), [[1], "QueueFullError('no')", [2]]
        )
        self.assertEqual((self.count("BEGIN"), self.count("ROLLBACK")), (1, 0))

    def test_a_disk_that_fails_in_the_end(self) -> None:
        full = sqlite3.OperationalError("disk I/O error")
        self.assertEqual(
            self.values(then(receive(1), full), receive(2)),
            ["StoreError('disk I/O error')", [1]],
        )
        self.assertEqual(self.stored(), self.ids(2))

    def test_names_and_numbers_of_what_was_rolled_back_are_forgotten(self) -> None:
        error = KeyError("bug")
        eve = received(1, sender="eve@CIC")
        self.values(then(lambda journal: journal.receive([eve, received(2)]), error))
        self.assertEqual(self.values(lambda journal: journal.receive([received(2), eve])), [[1, 2]])
        (entry,) = self.database.read(
            lambda db: db.execute(
                "SELECT n.text FROM message m JOIN name n ON n.id = m.author WHERE m.id = 2"
            ).fetchone()
        )
        self.assertEqual(entry, "eve@CIC")

    def test_a_file_that_cannot_be_opened_fails_all(self) -> None:
        self.database.close()
        self.path.rename(self.path.with_name("elsewhere"))
        self.path.mkdir()
        first, second = self.transactions.carry_out([receive(1), receive(2)])
        self.assertIsInstance(first.error, StoreError)
        self.assertIs(second.error, first.error)
        self.path.rmdir()
        self.assertEqual(self.values(receive(1)), [[1]])


class DamageTests(TransactionsCase):
    def damaged(self, times: int) -> Request:
        """Return a request that finds the file damaged so many times."""
        left = [times]

        def request(journal: Journal) -> list[int | None]:
            left[0] -= 1
            if left[0] >= 0:
                error = sqlite3.DatabaseError("malformed")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT | 1 << 8
                raise error
            return journal.receive([received(9)])

        return request

    def bad(self) -> list[str]:
        return [
            path.name
            for path in self.path.parent.iterdir()
            if path.name.startswith("history.db.bad") and not path.name.endswith("-taken")
        ]

    def test_everything_is_carried_out_on_a_new_file(self) -> None:
        self.values(receive(1))
        self.assertEqual(
            self.values(receive(1, 2), self.damaged(1), receive(3)), [[None, 2], [3], [4]]
        )
        self.assertEqual(self.stored(), self.ids(1, 2, 9, 3))
        ((level, notice),) = self.database.take_notices()
        self.assertEqual(level, "error")
        self.assertIn("malformed", notice)
        self.assertEqual(self.bad(), ["history.db.bad"])
        self.assertEqual(self.database.take_notices(), [])

    def test_not_for_ever(self) -> None:
        self.assertEqual(
            self.values(receive(1), self.damaged(99)), [[1], "DamagedError('malformed')"]
        )
        self.assertEqual(self.bad(), ["history.db.bad"])

    def test_found_while_indexing(self) -> None:
        self.values(receive(1))
        self.patch(upkeep, "index", self.damaged(1))
        self.assertIsNone(self.transactions.keep_up().error)
        self.assertEqual(self.bad(), ["history.db.bad"])

    def test_found_by_a_reader(self) -> None:
        self.values(receive(1))

        def find(db: sqlite3.Connection) -> None:
            raise DamagedError("seen")

        self.assertRaises(DamagedError, self.database.read, find)
        self.assertEqual(self.bad(), [])
        self.assertEqual(self.values(receive(2)), [[2]])
        self.assertEqual(self.bad(), ["history.db.bad"])
        self.assertEqual(self.values(receive(1)), [[None]])

    def test_an_index_that_has_what_is_to_be_indexed(self) -> None:
        self.values(receive(1))
        self.database.journal.db.execute("INSERT INTO calendar SELECT time, id FROM message")
        self.assertIsNone(self.transactions.keep_up().error)
        ((_, notice),) = self.database.take_notices()
        self.assertIn("its indexes don't fit its messages", notice)


class UpkeepTests(TransactionsCase):
    bounds = Bounds(max_messages=800)

    def test_in_slices_and_without_waiting_for_the_disk(self) -> None:
        self.values(receive(*range(2 * upkeep.SLICE + 1)))
        self.assertEqual(self.transactions.backlog, 2 * upkeep.SLICE + 1)
        self.watch()
        backlogs = []
        more = True
        while more:
            outcome = self.transactions.keep_up()
            self.assertIsNone(outcome.error)
            more = outcome.value
            backlogs.append(self.transactions.backlog)
        self.assertEqual(backlogs[:3], [upkeep.SLICE + 1, 1, 0])
        self.assertEqual(len(self.stored()), 800)
        self.assertEqual(self.count("PRAGMA synchronous = NORMAL"), len(backlogs))
        self.assertEqual(self.synchronous(), 2)

    def test_waiting_for_the_disk_again_after_it_failed(self) -> None:
        self.values(receive(1))
        self.patch(upkeep, "prune", lambda journal: 1 / 0)
        outcome = self.transactions.keep_up()
        self.assertIsInstance(outcome.error, ZeroDivisionError)
        self.assertEqual(self.synchronous(), 2)
        self.assertEqual(self.transactions.backlog, 1)
        self.assertEqual(self.values(receive(1)), [[None]])

    def synchronous(self) -> int:
        (level,) = self.database.journal.db.execute("PRAGMA synchronous").fetchone()
        return int(level)

    def test_the_log_is_moved_into_the_database_when_it_is_long(self) -> None:
        log = self.path.with_name("history.db-wal")
        self.values(receive(*range(100)))
        self.transactions.keep_up()
        self.assertGreater(log.stat().st_size, 0)
        self.patch(database, "WAL_SIZE", 10_000)
        # not while somebody reads what is in it
        self.database.read(
            lambda db: db.execute("BEGIN").execute("SELECT 1 FROM message").fetchone()
        )
        self.transactions.keep_up()
        self.assertGreater(log.stat().st_size, 0)
        self.database.read(lambda db: db.execute("COMMIT"))
        self.transactions.keep_up()
        self.assertEqual(log.stat().st_size, 0)
        self.assertEqual(len(self.stored()), 100)


class RoomTests(TransactionsCase):
    bounds = Bounds(max_messages=300)

    def setUp(self) -> None:
        super().setUp()
        self.patch(upkeep, "DROPPED", 50)
        self.patch(upkeep, "PAGES", 1)

    def test_what_is_dropped_does_not_take_room_for_ever(self) -> None:
        sizes = []
        for first in range(0, 3000, 50):
            self.values(*(receive_text(number) for number in range(first, first + 50)))
            self.keep_up()
            sizes.append(self.size_of_index())
        self.assertLess(max(sizes), 2.5 * sizes[300 // 50])
        found = self.database.read(lambda db: list(queries.search(db, '"word0"', 10_000, 10_000)))
        self.assertEqual(len(found), 300)

    def test_merging_goes_on_after_a_restart(self) -> None:
        for number in range(20):
            self.values(*(receive(n) for n in range(100 * number, 100 * number + 100)))
            while not self.progress().merging and self.transactions.keep_up().value:
                pass
        self.assertEqual(self.progress().merging, 1)
        self.database.close()
        self.transactions.open()
        self.keep_up()
        self.assertEqual(self.progress().merging, 0)

    def keep_up(self) -> None:
        while self.transactions.keep_up().value:
            pass

    def progress(self) -> queries.Progress:
        return queries.progress(self.database.journal.db)

    def size_of_index(self) -> int:
        query = "SELECT sum(length(block)) FROM words_data"
        return int(self.database.read(lambda db: db.execute(query).fetchone())[0])
