"""The tables: made from nothing, brought up from every earlier version, known when seen again."""

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.store import queries, schema, statements
from p2pchat.store.schema import APPLICATION_ID, MIGRATIONS, is_complete, is_newer, is_ours, migrate


def version(db: sqlite3.Connection) -> int:
    return schema.version_of(db)


class SchemaCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.db.close)

    def tables(self) -> list[str]:
        return [name for (name,) in self.db.execute("SELECT name FROM sqlite_schema")]


class MigrationTests(SchemaCase):
    def test_every_version_becomes_the_newest(self) -> None:
        for start in range(len(MIGRATIONS)):
            db = sqlite3.connect(":memory:", isolation_level=None)
            self.addCleanup(db.close)
            migrate(db, MIGRATIONS[:start])
            self.assertEqual(version(db), start)
            migrate(db)
            self.assertEqual(version(db), len(MIGRATIONS))
            self.assertTrue(is_complete(db))

    def test_what_was_stored_in_the_first_version_can_be_read(self) -> None:
        migrate(self.db, MIGRATIONS[:1])
        for statement in (
            "INSERT INTO name VALUES (1, 'bob@CIC', 2)",
            "INSERT INTO message VALUES (1, 1, 1, 1000, 1, 'id', -1, 'Olá', NULL)",
            "INSERT INTO identity VALUES (5, 1)",
            "INSERT INTO timeline VALUES (1, 1000, 1)",
            "INSERT INTO calendar VALUES (1000, 1)",
            "INSERT INTO words (rowid, text) VALUES (1, 'Olá')",
            "UPDATE progress SET indexed = 1, messages = 1, read = 0",
            "INSERT INTO outbox VALUES (1, 1, 3)",
            "INSERT INTO peer VALUES ('bob@CIC', '[]', 1000)",
        ):
            self.db.execute(statement)
        migrate(self.db)
        self.assertTrue(all(queries.agrees(self.db, index) for index in queries.INDEXES))
        (entry,) = queries.search(self.db, '"ola"', 9, 9)
        self.assertEqual((entry.author, entry.row.text), ("bob@CIC", "Olá"))
        self.assertEqual([attempts for _, attempts in queries.outbox(self.db)], [3])
        self.assertEqual(list(queries.peers(self.db)), [("bob@CIC", "[]", 1000)])
        self.assertEqual(statements.find_identities(self.db, [5, 6]), {5: 1})

    def test_one_after_another_and_none_twice(self) -> None:
        steps = [["CREATE TABLE first (x)"], ["ALTER TABLE first RENAME TO second"]]
        migrate(self.db, steps[:1])
        self.assertEqual(self.tables(), ["first"])
        migrate(self.db, steps)
        self.assertEqual((self.tables(), version(self.db)), (["second"], 2))
        migrate(self.db, steps)
        self.assertEqual(version(self.db), 2)

    def test_a_step_is_done_as_a_whole_or_not_at_all(self) -> None:
        steps = [["CREATE TABLE first (x)"], ["DROP TABLE first", "CREATE TABLE first (x"]]
        self.assertRaises(sqlite3.OperationalError, migrate, self.db, steps)
        self.assertEqual((self.tables(), version(self.db)), (["first"], 1))
        self.assertFalse(self.db.in_transaction)


class RecognitionTests(SchemaCase):
    def test_an_empty_file_is_as_good_as_ours(self) -> None:
        self.assertTrue(is_ours(self.db))
        self.assertFalse(is_complete(self.db))
        migrate(self.db)
        self.assertTrue(is_ours(self.db))
        self.assertTrue(is_complete(self.db))

    def test_files_of_others(self) -> None:
        self.db.execute("CREATE TABLE notes (text)")
        self.assertFalse(is_ours(self.db))
        self.db.execute("PRAGMA user_version = 1")
        self.assertFalse(is_ours(self.db))
        self.db.execute("PRAGMA user_version = 99")
        self.assertFalse(is_newer(self.db))
        self.db.execute("PRAGMA application_id = 1")
        self.assertFalse(is_ours(self.db))

    def test_a_newer_version(self) -> None:
        migrate(self.db)
        for unknown in (len(MIGRATIONS) + 1, -1, 0):
            self.db.execute(f"PRAGMA user_version = {unknown}")
            self.assertFalse(is_ours(self.db), unknown)
            self.assertEqual(is_newer(self.db), unknown > 0, unknown)
        (mark,) = self.db.execute("PRAGMA application_id").fetchone()
        self.assertEqual(mark, APPLICATION_ID)

    def test_a_table_too_few_or_too_many(self) -> None:
        migrate(self.db)
        self.db.execute("CREATE TABLE more (x)")
        self.assertFalse(is_complete(self.db))
        self.db.execute("DROP TABLE more")
        self.assertTrue(is_complete(self.db))
        self.db.execute("DROP INDEX peer_seen")
        self.assertFalse(is_complete(self.db))


class PlanTests(SchemaCase):
    """No question makes SQLite look at every message."""

    def setUp(self) -> None:
        super().setUp()
        migrate(self.db)
        self.plans: list[str] = []

    def execute(self, query: str, values: object = ()) -> sqlite3.Cursor:
        """Stand in for a connection, and note how each statement would be carried out."""
        steps = self.db.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
        self.plans += [f"{step[3]}: {query}" for step in steps]
        return self.db.execute(query, values)

    def test_nothing_scans_what_is_large(self) -> None:
        db: sqlite3.Connection = self  # type: ignore[assignment]
        for answer in (
            queries.last_entries(db, 1, None, 9),
            queries.last_entries(db, None, 5, 9),
            queries.search(db, '"word"', 9, 9),
            queries.unread(db, 0, 9),
            queries.partners(db, 9),
            queries.page(db, (0, 0), 9),
            queries.outbox(db),
            statements.unindexed(db),
        ):
            list(answer)
        queries.count_unread(db, 0, 9)
        queries.count_fitting(db, 1, 2, 9)
        statements.outbox_size(db, "bob@CIC")
        statements.find_identities(db, [1])
        statements.index(db, 1, 2, [])
        old = statements.oldest(db, None, 9) or [statements.Old(1, (1, 1), 1, 1)]
        statements.delete(db, old)
        statements.delete_names(db, [1])
        self.assertGreater(len(self.plans), 30)
        large = ("message", "m", "identity", "i", "timeline", "calendar")
        for plan in self.plans:
            for table in large:
                self.assertFalse(plan.startswith((f"SCAN {table} ", f"SCAN {table}:")), plan)
