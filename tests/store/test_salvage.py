"""What is taken over from a damaged file: at once what is needed, then all that can be read."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import Bounds, Entry, Opened, StoreError
from p2pchat.identity import Address
from p2pchat.store import answers, queries, salvage, wreck
from p2pchat.store.database import Database
from p2pchat.store.journal import Journal
from p2pchat.store.transactions import Transactions
from tests.store.cases import ALICE, BOB, EVE, START, at, received, uuid
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


class AtOnceTests(SalvageCase):
    def test_the_outbox_the_peers_and_what_is_read(self) -> None:
        before = answers.outbox(self.database.journal.db)
        self.assertEqual([(one.msg_id, one.attempts) for one in before][1], ("written", 2))
        peers = self.database.read(lambda db: answers.peers(db, 99))
        opened = self.replace()
        self.assertEqual(opened.outbox, before)
        self.assertEqual(opened.unread, 30)
        self.assertEqual(self.database.read(lambda db: answers.peers(db, 99)), peers)
        (notice,) = opened.notices
        self.assertIn("begun with 32 messages, 2 of them in the outbox, what else", notice)
        self.keep_up()
        self.assertEqual(
            self.database.take_notices(),
            [("info", f"371 messages more were taken over from {self.path}.bad")],
        )
        self.assertEqual(self.all(), self.entries)

    def test_what_did_not_end_but_is_not_in_the_outbox(self) -> None:
        self.change("DELETE FROM outbox")
        waiting = [(one.msg_id, one.attempts) for one in self.replace().outbox]
        self.assertEqual(waiting, [("waits", 0), ("written", 1)])

    def test_new_numbers_are_behind_all_that_were_given(self) -> None:
        self.replace()
        self.assertEqual(self.receive(1000), [max(self.entries) + 1])

    def test_nothing_to_take_over(self) -> None:
        self.database.close()
        self.path.write_bytes(b"nothing at all" * 1000)
        opened = self.begin()
        text = "; nothing of it could be read, and a new one is begun, the old file is "
        self.assertIn(text, opened.notices[0])
        self.keep_up()
        self.assertEqual(self.database.take_notices(), [])


class SliceTests(SalvageCase):
    def test_nothing_comes_in_twice_meanwhile(self) -> None:
        self.replace()
        self.assertEqual(self.receive(3, SIZE - 1, 1000, 200), [None, None, 404, None])
        self.keep_up()
        self.assertEqual(self.receive(*range(SIZE)), [None] * SIZE)
        entries = self.all()
        self.assertEqual(entries.pop(404).msg_id, uuid(1000))
        self.assertEqual(entries, self.entries)

    def test_a_late_ack_for_what_is_not_taken_over_yet(self) -> None:
        self.replace()
        self.assertEqual(
            self.do(lambda journal: journal.settled("failed", "delivered", "")), [True]
        )
        self.keep_up()
        states = {entry.msg_id: entry.state for entry in self.all().values()}
        self.assertEqual(states["failed"], "delivered")

    def test_bounded_work_the_last_stored_first(self) -> None:
        self.replace()
        self.keep_up(1)
        later = sorted(set(self.all()) - {371, 372})
        self.assertEqual(later, [*range(later[0], 371), *range(373, 404)][-len(later) :])
        self.assertLess(len(later), 30 + 2 * salvage.SLICE)
        self.assertGreater(len(later), 30)

    def test_it_goes_on_after_a_kill(self) -> None:
        self.replace()
        self.keep_up(2)
        self.assertLess(len(self.all()), len(self.entries))
        self.assertEqual(self.killed(self.files()).notices, [])
        self.assertEqual(self.receive(3), [None])
        self.keep_up()
        self.assertEqual(self.all(), self.entries)

    def test_a_kill_before_anything_is_taken_over(self) -> None:
        states = []

        def note(*_: object) -> None:
            states.append(self.files())

        begin = salvage.begin

        def note_and_begin(*arguments: Any) -> Any:
            note()
            return begin(*arguments)

        self.patch(salvage, "begin", note_and_begin)
        rename = Path.rename

        def note_and_rename(path: Path, target: Any) -> Any:
            note()
            return rename(path, target)

        self.patch(Path, "rename", note_and_rename)
        self.replace()
        note()
        self.assertGreaterEqual(len(states), 3)
        for files in list(states):
            opened = self.killed(files)
            self.assertEqual([one.msg_id for one in opened.outbox], ["waits", "written"])
            self.keep_up()
            self.assertEqual(self.all(), self.entries)

    def test_one_that_is_damaged_before_it_has_taken_over_all(self) -> None:
        self.replace()
        self.keep_up(2)
        self.assertEqual(self.receive(1000), [404])
        self.replace()
        self.assertEqual(self.receive(3, 1000), [None, None])
        self.keep_up()
        entries = self.all()
        self.assertEqual(entries.pop(404).msg_id, uuid(1000))
        self.assertEqual(entries, self.entries)
        self.assertEqual(len(self.database.take_notices()), 2)

    def test_a_transaction_that_fails_leaves_it_to_the_next_one(self) -> None:
        self.replace()
        forget = self.database.journal.register.forget_wreck

        def fail() -> None:
            forget()
            raise sqlite3.OperationalError("disk I/O error")

        self.patch(self.database.journal.register, "forget_wreck", fail)
        while (outcome := self.transactions.keep_up()).error is None:
            self.assertTrue(outcome.value)
        self.patch(self.database.journal.register, "forget_wreck", forget)
        self.keep_up()
        self.assertEqual(self.all(), self.entries)

    def test_a_file_that_is_gone(self) -> None:
        self.replace()
        self.database.close()
        self.path.with_name("history.db.bad").unlink()
        self.begin()
        self.keep_up()
        text = f"nothing more could be taken over from {self.path}.bad"
        self.assertEqual(self.database.take_notices(), [("warning", text)])
        self.assertEqual(len(self.all()), 32)


class UnreadableTests(SalvageCase):
    def test_what_is_around_a_damaged_page(self) -> None:
        for table in ("message", "identity", "outbox", "progress", "calendar"):
            self.check_damaged(table)

    def test_what_is_in_front_of_where_it_is_cut_off(self) -> None:
        self.patch(wreck, "MAX_TAIL", 200)
        self.database.close()
        files = self.files()
        files.pop("history.db-closed")
        data = files["history.db"]
        found = []
        for size in (*range(4096, len(data), 2 * 4096), len(data) - 4096):
            opened = self.killed({**files, "history.db": data[:size]})
            self.assertEqual(len(opened.notices), 1)
            outbox = {one.msg_id for one in opened.outbox}
            self.keep_up()
            entries = self.all()
            self.assertEqual(entries, {number: self.entries[number] for number in entries})
            ids = {entry.msg_id for entry in entries.values()}
            self.assertLessEqual(self.whole(data[: size // 4096 * 4096]), ids)
            self.assertEqual(outbox, {"waits", "written"} & ids)
            found.append(len(ids))
        # no page of this size holds more
        self.assertGreater(found[-1], len(self.entries) - 100)
        self.assertGreater(len(set(found)), 3)
        self.killed(files)

    def whole(self, data: bytes) -> set[str]:
        """Return the ids of the received messages that stand in these pages."""
        return {uuid(number) for number in range(SIZE) if UUID(uuid(number)).bytes in data}

    def check_damaged(self, table: str) -> None:
        self.database.close()
        files = self.files()
        page = self.last_page_of(table)
        data = bytearray(files["history.db"])
        data[page * 4096 : page * 4096 + 1000] = bytes(1000)
        damaged = {**files, "history.db": bytes(data)}
        damaged.pop("history.db-closed", None)
        self.killed(damaged)
        self.database.suspect("it is to be replaced in any case")
        self.transactions.open()
        self.keep_up()
        entries = self.all()
        expected = {number: self.entries[number] for number in entries}
        if table == "progress":
            # nobody knows any more what was read
            self.assertEqual(entries.keys(), self.entries.keys())
            expected = {
                number: replace(entry, unread=entry.direction == "in")
                for number, entry in expected.items()
            }
        self.assertEqual(entries, expected)
        # no page of this size holds more
        self.assertGreater(len(entries), len(self.entries) - 100, table)
        first = max(self.entries) + 1
        stored = self.receive(2000, 2001, *(n for n in range(SIZE) if n + 1 in entries))
        assert stored[0] is not None
        self.assertGreaterEqual(stored[0], first)
        self.assertEqual(stored[1:], [stored[0] + 1] + [None] * (len(stored) - 2))
        self.killed(files)

    def test_a_header_that_forbids_writing(self) -> None:
        self.database.close()
        files = self.files()
        data = bytearray(files["history.db"])
        data[18] = 0xFF
        self.killed({**files, "history.db": bytes(data)})
        self.keep_up()
        self.assertEqual(self.receive(1000), [max(self.entries) + 1])
        entries = self.all()
        del entries[max(entries)]
        self.assertEqual(entries, self.entries)

    def test_full_text_index_of_another_format(self) -> None:
        """SQLite takes it for an error of whoever asks, and not of the file."""
        files = self.files()
        for statement in (
            "UPDATE words_config SET v = 0 WHERE k = 'version'",
            "DELETE FROM words_config",
            "DELETE FROM words_data",
        ):
            self.killed(files)
            self.change(statement)
            self.killed(self.files())
            self.write(SIZE, SIZE + 30)
            self.keep_up()
            self.assertEqual(self.receive(SIZE + 29), [None], statement)
            entries = self.all()
            self.assertEqual({n: entries[n] for n in self.entries}, self.entries, statement)

    def test_nobody_knows_what_is_indexed(self) -> None:
        self.change("DELETE FROM progress")
        self.killed(self.files())
        self.keep_up()
        self.assertEqual(self.receive(1000), [max(self.entries) + 1])
        entries = self.all()
        del entries[max(entries)]
        unread = {n: replace(e, unread=e.direction == "in") for n, e in self.entries.items()}
        self.assertEqual(entries, unread)

    def test_whatever_byte_of_its_header_is_wrong(self) -> None:
        """The file goes on, or all is taken over from it, but for one of a newer version."""
        self.database.close()
        files = self.files()
        for place in range(100):
            for value in (0xA9, files["history.db"][place] ^ 1):
                data = bytearray(files["history.db"])
                data[place] = value
                what = f"byte {place} is 0x{value:02x}"
                try:
                    self.killed({**files, "history.db": bytes(data)})
                    self.keep_up()
                except StoreError as error:
                    self.assertIn(place, range(60, 64), f"{what}: {error}")
                    self.assertIn("newer version", str(error), what)
                else:
                    self.assertEqual(self.receive(1000), [max(self.entries) + 1], what)
                    entries = self.all()
                    del entries[max(entries)]
                    self.assertEqual(entries, self.entries, what)
                self.database.close()

    def test_pages_in_the_place_of_earlier_ones(self) -> None:
        self.database.close()
        files = self.files()
        data = bytearray(files["history.db"])
        first, second, last = self.leaves_of("message", data)[:3]
        for page in (first, second):
            data[page * 4096 : (page + 1) * 4096] = data[last * 4096 : (last + 1) * 4096]
        self.killed({**files, "history.db": bytes(data)})
        self.database.suspect("it is to be replaced in any case")
        self.transactions.open()
        self.keep_up()
        self.assertFalse(self.transactions.keep_up().value, "it goes on for ever")
        entries = self.all()
        self.assertEqual(entries, {number: self.entries[number] for number in entries})
        # no page of this size holds more
        self.assertGreater(len(entries), SIZE - 2 * 100)

    def leaves_of(self, table: str, data: bytearray) -> list[int]:
        """Return the leaves of a table that has one level more, but for the last."""
        start = self.first_page_of(table) * 4096
        count = int.from_bytes(data[start + 3 : start + 5], "big")
        places = range(start + 12, start + 12 + 2 * count, 2)
        cells = [start + int.from_bytes(data[at : at + 2], "big") for at in places]
        return [int.from_bytes(data[at : at + 4], "big") - 1 for at in cells]

    def first_page_of(self, table: str) -> int:
        with closing(sqlite3.connect(self.path)) as db:
            query = f"SELECT rootpage FROM sqlite_schema WHERE name = '{table}'"
            return int(db.execute(query).fetchone()[0]) - 1

    def last_page_of(self, table: str) -> int:
        """Return the last leaf of a table, or its only page."""
        page = self.first_page_of(table)
        data = self.path.read_bytes()
        while data[page * 4096] in (2, 5):
            start = page * 4096 + 8
            page = int.from_bytes(data[start : start + 4], "big") - 1
        return page


class BoundedTests(SalvageCase):
    bounds = Bounds(max_messages=SIZE + 3, max_days=1)

    def test_no_more_than_is_kept(self) -> None:
        self.database.close()
        self.bounds = Bounds(max_messages=100)
        self.begin()
        self.replace()
        self.keep_up()
        self.assertEqual(len(self.all()), 100)
        (more,) = self.database.take_notices()
        self.assertIn(" messages more", more[1])

    def test_nothing_that_is_too_old_but_for_the_outbox(self) -> None:
        self.now = at(SIZE - 50) + timedelta(days=1)
        self.replace()
        self.assertEqual(len(answers.outbox(self.database.journal.db)), 2)
        self.keep_up()
        self.assertEqual(len(self.all()), 52)
