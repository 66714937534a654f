"""A registry in a file that is damaged, on a disk that fails, of a process that is killed."""

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
from p2pchat.rendezvous.sqlite_registry import RETRY_TIME, WRITE_TIME
from tests.integration.programs import ROOT
from tests.rendezvous.at_once import result_of
from tests.rendezvous.sqlite_case import ANA, BOB, START, SqliteCase
from tests.temporary import temporary_path


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
            ("ip", "CIC", "ana", 70000, 60, START + 60.0),
            ("ip", "CIC", "ana", 4000, 2**62, 1e300),
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
