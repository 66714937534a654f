"""Opening and closing a history, and the files that belong to it."""

import os
import sqlite3
import stat

from p2pchat.history import History, StoreError
from tests.store.cases import BOB, START, StoreCase, received


class LifeTests(StoreCase):
    def test_files_are_for_their_owner_alone(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.end()
        self.path.chmod(0o644)
        self.begin()
        self.receive(received(1))
        self.assertEqual(self.modes(), {"history.db", "history.db-shm", "history.db-wal"})
        self.end()
        self.assertEqual(self.modes(), {"history.db", "history.db-closed"})
        for path in self.folder.iterdir():
            path.unlink()
        self.begin()
        self.assertEqual(self.modes(), {"history.db", "history.db-shm", "history.db-wal"})

    def test_how_sqlite_is_set_up(self) -> None:
        """Each connection has a log beside the file, waits for the disk, and keeps references."""
        number = self.get(self.history.queue(BOB, "1", "hi", START))
        database = self.history._database  # type: ignore[attr-defined]
        writing = database.journal.db

        def reading(query: str) -> sqlite3.Cursor:
            return database.read(lambda db: db.execute(query))

        settings = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        for setting, value in settings.items():
            query = f"PRAGMA {setting}"
            for ask in (writing.execute, reading):
                self.assertEqual(ask(query).fetchone(), (value,))
        for statement in (
            "INSERT INTO outbox VALUES (99, 1, 0)",
            f"UPDATE outbox SET conversation = 99 WHERE id = {number}",
            f"DELETE FROM message WHERE id = {number}",
        ):
            self.assertRaises(sqlite3.IntegrityError, writing.execute, statement)

    def modes(self) -> set[str]:
        for path in self.folder.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path.name)
        return set(self.names())

    def test_nothing_is_done_before_it_is_open_nor_after_it_is_closed(self) -> None:
        self.get(self.history.close())
        self.check_closed(self.history)
        self.check_closed(self.make())

    def test_what_is_asked_while_it_is_opened_waits(self) -> None:
        self.receive(received(1))
        self.end()
        history = self.make()
        self.pool.held = True
        opened = history.open()
        asked = [history.entries(None, 10), history.search("word*", 10), history.unread(10)]
        self.assertNoResult(asked[0])
        while self.pool.run():
            pass
        self.successResultOf(opened)
        for answer in asked:
            self.successResultOf(answer)
        self.pool.held = False
        self.get(history.close())

    def test_what_is_asked_fails_with_the_opening(self) -> None:
        self.end()
        self.path.unlink()
        self.path.mkdir()
        history = self.make()
        self.pool.held = True
        opened, asked = history.open(), history.outbox()
        while self.pool.run():
            pass
        for answer in (opened, asked):
            self.failureResultOf(answer, StoreError)
        self.pool.held = False
        self.get(history.close())
        self.path.rmdir()

    def test_a_folder_where_a_file_ought_to_be_is_named_and_nothing_set_aside(self) -> None:
        self.receive(received(1))
        self.end()
        stamp = self.path.with_name("history.db-closed")
        for data in (b"", self.path.read_bytes(), b"no history"):
            self.fill_folder({"history.db": data})
            stamp.mkdir()
            history = self.history = self.make()
            for _ in range(3):
                failure = self.failureResultOf(history.open(), StoreError)
                self.assertEqual(str(failure.value), "history.db-closed: Is a directory")
            self.assertLessEqual(self.names().count("history.db.bad"), data == b"no history")
            stamp.rmdir()
            self.get(history.open())
            self.end()

    def test_what_sqlite_cannot_open_is_named(self) -> None:
        self.end()
        self.path.with_name("history.db-wal").mkdir()
        history = self.history = self.make()
        failure = self.failureResultOf(history.open(), StoreError)
        self.assertTrue(str(failure.value).startswith("history.db: "), failure.value)
        self.path.with_name("history.db-wal").rmdir()
        self.get(history.close())

    def check_closed(self, history: History) -> None:
        for ask in (
            lambda: history.receive([received(1)]),
            lambda: history.outbox(),
            lambda: history.search("word", 1),
            lambda: history.cancel(1),
        ):
            self.failureResultOf(ask(), StoreError)

    def test_closing_does_what_was_asked_for_before(self) -> None:
        self.pool.held = True
        answers = [self.history.receive([received(number)]) for number in range(5)]
        closed = self.history.close()
        while self.pool.run():
            pass
        self.get(closed)
        for number, answer in enumerate(answers):
            self.assertEqual(self.get(answer), [number + 1])
        self.begin()
        self.assertEqual(len(self.all()), 5)

    def test_closing_twice_and_before_opening(self) -> None:
        self.get(self.history.close())
        self.get(self.make().close())

    def test_a_folder_that_is_not_there_yet(self) -> None:
        self.end()
        folder = self.path.parent / "later"
        self.path = folder / "history.db"
        history = self.history = self.make()
        failure = self.failureResultOf(history.open(), StoreError)
        self.assertEqual(str(failure.value), "history.db: No such file or directory")
        self.failureResultOf(history.receive([received(1)]), StoreError)
        folder.mkdir()
        self.get(history.open())
        self.assertEqual(self.receive(received(1)), [1])
        self.end()
        os.rename(folder, self.folder / "elsewhere")
        self.path = self.folder / "elsewhere" / "history.db"
        self.begin()
