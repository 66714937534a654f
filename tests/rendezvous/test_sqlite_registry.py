"""The registry in a file: what is written and when, what is read, and a disk that fails."""

import sqlite3
from contextlib import closing

from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.sqlite_registry import RETRY_TIME, WRITE_TIME
from tests.rendezvous.at_once import result_of
from tests.rendezvous.sqlite_case import ANA, BOB, SqliteCase


class WritingTests(SqliteCase):
    def tearDown(self):
        self.close()

    def jobs_of(self, do):
        before = self.pool.jobs
        do()
        return self.pool.jobs - before

    def test_a_hundred_registrations_are_one_write_a_second_later(self):
        def register():
            for number in range(100):
                self.register(Register("CIC", f"peer {number}", 4000, 60), ip=f"10.0.1.{number}")
            self.pass_time(WRITE_TIME - 0.01)

        self.assertEqual(self.jobs_of(register), 0)
        self.assertEqual(self.jobs_of(lambda: self.pass_time(0.01)), 1)
        self.assertEqual(self.jobs_of(lambda: self.pass_time(3600)), 0)

    def test_who_leaves_is_written_too(self):
        self.register()
        self.pass_time(WRITE_TIME)
        result_of(self.registry.unregister("10.0.0.1", "CIC", None, None))
        self.assertEqual(self.jobs_of(lambda: self.pass_time(WRITE_TIME)), 1)

    def test_asking_writes_nothing_even_if_somebody_has_expired(self):
        self.register(ANA, BOB)
        self.pass_time(WRITE_TIME)

        def ask():
            for _ in range(100):
                self.found()
                result_of(self.registry.knows("10.0.0.1"))
                result_of(self.registry.find("CIC"))
                result_of(self.registry.census())
                result_of(self.registry.unregister("10.0.0.1", "nobody", None, None))
                self.pass_time(1)

        self.assertEqual(self.jobs_of(ask), 0)
        self.assertEqual(self.found(), [("bob", 7200 - 101)])

    def test_no_commit_waits_for_the_disk(self):
        (mode,) = self.registry._file._db.execute("PRAGMA synchronous").fetchone()
        self.assertEqual(mode, 1)
        (journal,) = self.registry._file._db.execute("PRAGMA journal_mode").fetchone()
        self.assertEqual(journal, "wal")

    def test_what_comes_while_it_writes_is_written_next(self):
        self.pool.held = True
        self.register(ANA)
        self.pass_time(WRITE_TIME)
        self.register(BOB)
        self.pass_time(10)
        self.assertEqual(self.pool.run(), 1)
        self.pass_time(WRITE_TIME)
        self.assertEqual(self.pool.run(), 1)
        self.pool.held = False
        self.assertEqual(self.jobs_of(lambda: self.pass_time(100)), 0)
        self.restart()
        self.assertEqual(self.found(), [("bob", 7200 - 112 + 1)])

    def test_only_its_owner_may_read_it(self):
        self.register()
        self.pass_time(WRITE_TIME)
        for path in self.path.parent.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)
        self.close()
        self.path.chmod(0o644)
        self.registry = self.open()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)


class RestartTests(SqliteCase):
    def tearDown(self):
        self.close()

    def test_who_was_registered_is_and_who_left_is_not(self):
        self.register(ANA, BOB, Register("ç 🎉", "\\'", 1, 60))
        self.pass_time(WRITE_TIME)
        result_of(self.registry.unregister("10.0.0.1", "CIC", "ana", None))
        self.register(Register("CIC", "bob", 4002, 600))
        self.restart()
        self.assertEqual(self.found(), [("\\'", 59), ("bob", 600)])
        (bob,) = result_of(self.registry.find("CIC")).peers
        self.assertEqual((bob.ip, bob.port, bob.ttl), ("10.0.0.1", 4002, 600))

    def test_time_passes_while_it_is_closed(self):
        self.register(ANA, BOB)
        self.close()
        self.wall_clock += 61
        self.registry = self.open()
        self.assertEqual(self.found(), [("bob", 7139)])
        self.close()
        self.assertEqual(self.in_file(), ["bob"])
        self.registry = self.open()

    def test_a_clock_that_is_set_back_prolongs_nothing(self):
        self.register()
        self.close()
        self.wall_clock -= 3600
        self.registry = self.open()
        self.assertEqual(self.found(), [("ana", 60)])
        self.pass_time(60)
        self.assertEqual(self.found(), [])

    def test_a_clock_that_steps_while_it_runs_is_none_of_its_business(self):
        for step in (7200, -7200):
            self.register()
            self.wall_clock += step
            self.pass_time(30)
            self.assertEqual(self.found(), [("ana", 30)])
            # what is written is right by the new time
            self.register(Register("CIC", "ana", 4000, 31))
            self.restart()
            self.assertEqual(self.found(), [("ana", 31)])

    def test_what_a_smaller_registry_has_no_room_for_is_forgotten(self):
        self.register(*(Register("CIC", f"peer {number}", 4000, 60) for number in range(20)))
        self.restart(max_entries=5)
        self.assertEqual(len(self.found()), 5)
        self.pass_time(WRITE_TIME)
        self.restart()
        self.assertEqual(len(self.found()), 5)


class BusyTests(SqliteCase):
    def tearDown(self):
        self.close()

    def test_a_file_that_is_busy_at_the_start_is_read_when_it_is_free(self):
        """Nothing is written over what was not read."""
        self.register(ANA, BOB)
        self.close()
        with closing(sqlite3.connect(self.path)) as other:
            other.execute("BEGIN EXCLUSIVE")
            self.registry = self.open()
            self.assertEqual(self.found(), [])
            self.register(Register("CIC", "ana", 4009, 60), Register("CIC", "eve", 4002, 60))
            self.pass_time(RETRY_TIME)
            self.assertIn("locked", self.notices[0][1])
            other.rollback()
        self.pass_time(RETRY_TIME)
        self.assertEqual({name for name, _ in self.found()}, {"ana", "bob", "eve"})
        self.assertEqual(self.notices[-1][0], "info")
        self.restart()
        self.assertEqual({name for name, _ in self.found()}, {"ana", "bob", "eve"})

    def test_who_left_before_the_file_was_read_does_not_come_back_with_it(self):
        self.register(ANA, BOB, Register("CIC", "eve", 4002, 7200))
        self.close()
        with closing(sqlite3.connect(self.path)) as other:
            other.execute("BEGIN EXCLUSIVE")
            self.registry = self.open()
            self.register(BOB, Register("CIC", "eve", 4002, 1))
            result_of(self.registry.unregister("10.0.0.1", "CIC", "bob", 4001))
            self.pass_time(1)
            self.assertEqual(self.found(), [])
            other.rollback()
        self.pass_time(RETRY_TIME)
        self.assertEqual([name for name, _ in self.found()], ["ana"])
        self.restart()
        self.assertEqual([name for name, _ in self.found()], ["ana"])
