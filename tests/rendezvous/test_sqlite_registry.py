"""The registry in a file: what is written and when, what is read, and a disk that fails."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.sqlite_file import DamagedError
from p2pchat.rendezvous.sqlite_registry import RETRY_TIME, WRITE_TIME, SqliteRegistry
from tests.integration.programs import ROOT
from tests.rendezvous.at_once import result_of
from tests.store.inline import InlinePool, InlineReactor
from tests.temporary import temporary_path

ANA = Register("CIC", "ana", 4000, 60)
BOB = Register("CIC", "bob", 4001, 7200)

#: Any time in this century, when a test begins.
START = 1_800_000_000


class CountingPool(InlinePool):
    """Counts how often a thread was needed."""

    jobs = 0

    def callInThreadWithCallback(self, *args):  # noqa: N802  Twisted's name
        self.jobs += 1
        InlinePool.callInThreadWithCallback(self, *args)


class SqliteCase(SynchronousTestCase):
    def setUp(self):
        self.path = temporary_path(self)
        self.reactor = InlineReactor()
        self.pool = CountingPool()
        self.wall_clock = START
        self.notices = []
        self.registry = self.open()

    def open(self, **bounds):
        registry = SqliteRegistry(
            *(self.reactor, self.pool, self.path),
            seconds=self.reactor.seconds,
            wall_clock=lambda: self.wall_clock,
            notify=lambda level, text: self.notices.append((level, text)),
            **{"max_entries": 1000, "max_per_ip": 100} | bounds,
        )
        result_of(registry.open())
        return registry

    def close(self):
        result_of(self.registry.close())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def restart(self, **bounds):
        self.close()
        self.registry = self.open(**bounds)

    def pass_time(self, seconds):
        self.wall_clock += seconds
        self.reactor.advance(seconds)

    def register(self, *registrations, ip="10.0.0.1"):
        for registration in registrations or (ANA,):
            result_of(self.registry.register(ip, registration))

    def found(self, registry=None):
        peers = result_of((registry or self.registry).find(None)).peers
        return sorted((peer.name, peer.expires_in) for peer in peers)

    def in_file(self):
        """Return the names in the file, as another program sees them once ours let go of it."""
        with closing(sqlite3.connect(self.path)) as db:
            return sorted(name for (name,) in db.execute("SELECT name FROM registration"))


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


class DamageTests(SqliteCase):
    def tearDown(self):
        self.close()

    def begin_with(self, content):
        self.close()
        self.path.write_bytes(content)
        self.registry = self.open()

    def check_is_new(self):
        """What was there is set aside, that is told, and the registry works."""
        ((level, text),) = self.notices
        self.assertEqual(level, "warning")
        self.assertIn(f"{self.path}.bad", text)
        self.notices.clear()
        self.assertEqual(self.found(), [])
        self.register(BOB)
        self.restart()
        self.assertEqual(self.found(), [("bob", 7200)])
        self.assertEqual(self.notices, [])

    def test_what_is_no_database(self):
        self.begin_with(b"registrations\n" * 1000)
        self.check_is_new()
        self.assertEqual(self.path.with_name("temporary.bad").read_bytes()[:13], b"registrations")
        self.begin_with(os.urandom(9000))
        self.check_is_new()

    def test_a_database_of_somebody_else(self):
        self.close()
        self.path.unlink()
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("CREATE TABLE registration (a, b, c)")
        self.registry = self.open()
        self.check_is_new()

    def test_pages_that_are_overwritten(self):
        self.register(*(Register("CIC", f"peer {number}", 4000, 60) for number in range(99)))
        self.close()
        content = bytearray(self.path.read_bytes())
        content[4096:] = bytes(len(content) - 4096)
        self.begin_with(content)
        self.check_is_new()

    def test_a_file_that_can_be_read_but_not_trusted(self):
        self.register(*(Register("CIC", f"peer {number}", 4000, 60) for number in range(9)))
        self.close()
        content = bytearray(self.path.read_bytes())
        content[36:40] = bytes([0, 0, 0, 5])  # pages that are free: there are none
        self.begin_with(content)
        self.check_is_new()

    def test_text_that_is_none(self):
        self.close()
        with closing(sqlite3.connect(self.path)) as db, db:
            values = f"'ip', CAST(X'ff' AS TEXT), 'ana', 4000, 60, {START + 60.0}"
            db.execute(f"INSERT INTO registration VALUES ({values})")
        self.registry = self.open()
        self.check_is_new()

    def test_rows_that_were_never_written(self):
        for row in (
            ("ip", "CIC", "ana", "port", 60, START + 60.0),
            ("ip", b"\xff", "ana", 4000, 60, START + 60.0),
            ("ip", "CIC", "ana", 4000, 60, "never"),
        ):
            self.close()
            with closing(sqlite3.connect(self.path)) as db, db:
                db.execute("REPLACE INTO registration VALUES (?, ?, ?, ?, ?, ?)", row)
            self.registry = self.open()
            self.check_is_new()

    def test_damage_that_shows_when_it_is_written(self):
        self.register(BOB)
        self.pass_time(WRITE_TIME)
        write = self.registry._file.write

        def damaged(changes, later, *, whole):
            self.registry._file.close()
            raise DamagedError("database disk image is malformed")

        self.registry._file.write = damaged
        self.register(ANA)
        self.pass_time(WRITE_TIME)
        self.registry._file.write = write
        self.pass_time(RETRY_TIME)
        self.assertEqual([level for level, _ in self.notices], ["warning", "warning", "info"])
        self.assertTrue(self.path.with_name("temporary.bad").exists())
        self.restart()
        self.assertEqual([name for name, _ in self.found()], ["ana", "bob"])


class DiskTests(SqliteCase):
    """A disk that fails; a limit on the file's size stands for a full one."""

    def fill_disk(self):
        """Let the file grow no more, nor be opened again; return what makes room."""
        file = self.registry._file
        file._db.execute("PRAGMA max_page_count = 1")
        connect = file._connect

        def still_full():
            raise sqlite3.OperationalError("still full")

        def make_room():
            file._connect = connect

        file._connect = still_full
        return make_room

    def register_many(self):
        for number in range(200):
            self.register(Register("CIC", "n" * 64, 4000, 7200), ip=f"10.0.{number}.1")

    def levels(self):
        levels = [level for level, _ in self.notices]
        self.notices.clear()
        return levels

    def test_a_full_disk_costs_no_request_and_is_told_once(self):
        make_room = self.fill_disk()
        self.register_many()
        self.pass_time(WRITE_TIME)
        self.assertIn("disk is full", self.notices[0][1])
        for _ in range(5):
            self.register(ANA)
            self.pass_time(RETRY_TIME)
        self.assertEqual(self.levels(), ["warning"])
        self.assertEqual(len(self.found()), 201)
        make_room()
        self.pass_time(RETRY_TIME)
        self.assertEqual(self.levels(), ["info"])
        self.restart()
        self.assertEqual(len(self.found()), 201)
        self.close()

    def test_who_left_while_it_was_full_is_not_there_afterwards(self):
        self.register(ANA, BOB)
        self.pass_time(WRITE_TIME)
        make_room = self.fill_disk()
        self.register_many()
        self.pass_time(WRITE_TIME)
        result_of(self.registry.unregister("10.0.0.1", "CIC", "bob", None))
        make_room()
        self.pass_time(RETRY_TIME)
        self.restart()
        names = [name for name, _ in self.found()]
        self.assertIn("ana", names)
        self.assertNotIn("bob", names)
        self.close()

    def test_a_file_that_another_process_has(self):
        self.register(ANA)
        self.pass_time(WRITE_TIME)
        other = self.open()
        self.assertEqual(self.found(other), [])
        result_of(other.register("10.0.0.2", BOB))
        self.assertEqual(self.levels(), ["warning"])
        result_of(self.registry.close())
        self.pool.start()
        self.pass_time(RETRY_TIME)
        self.assertEqual(self.levels(), ["info"])
        result_of(other.close())
        self.assertEqual(self.in_file(), ["ana", "bob"])

    def test_a_disk_that_fails_to_the_end_is_no_reason_to_stay(self):
        self.fill_disk()
        self.register_many()
        self.close()
        self.assertEqual(self.levels(), ["warning"])

    def test_an_error_of_ours_is_logged_and_costs_no_change(self):
        write = self.registry._file.write
        self.registry._file.write = None
        self.register(ANA)
        self.pass_time(WRITE_TIME)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.registry._file.write = write
        self.pass_time(RETRY_TIME)
        self.restart()
        self.assertEqual([name for name, _ in self.found()], ["ana"])
        self.close()

    def test_closing_waits_for_what_is_being_written(self):
        self.pool.held = True
        self.register(ANA)
        self.pass_time(WRITE_TIME)
        self.register(BOB)
        closing_down = Deferred.fromCoroutine(self.registry.close())
        while not closing_down.called:
            self.assertTrue(self.pool.run())
        self.assertEqual(self.in_file(), ["ana", "bob"])

    def test_closing_makes_up_for_a_write_that_fails_meanwhile(self):
        make_room = self.fill_disk()
        self.registry._file.close()
        self.pool.held = True
        self.register(ANA)
        self.pass_time(WRITE_TIME)
        closing_down = Deferred.fromCoroutine(self.registry.close())
        self.pool.run()
        make_room()
        while not closing_down.called:
            self.assertTrue(self.pool.run())
        self.assertEqual(self.levels(), ["warning", "info"])
        self.assertEqual(self.in_file(), ["ana"])


class KilledTests(SynchronousTestCase):
    def test_what_was_written_before_a_kill_is_there(self):
        path = temporary_path(self)
        command = [sys.executable, "-m", "tests.rendezvous.sqlite_child", str(path)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        registered = [int(child.stdout.readline()) for _ in range(2)][-1]
        child.send_signal(signal.SIGKILL)
        child.wait()
        with closing(sqlite3.connect(path)) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            names = {name for (name,) in db.execute("SELECT name FROM registration")}
        self.assertLessEqual({f"peer {number}" for number in range(registered)}, names)
