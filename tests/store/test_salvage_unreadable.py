"""What is taken over from a damaged file that SQLite cannot read in order, or at all."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from unittest.mock import patch
from uuid import UUID

from msgspec.structs import replace

from p2pchat.history import OutboxEntry, StoreError
from p2pchat.store import queries, wreck
from p2pchat.store.files import Files
from tests.store.cases import EVE, at, uuid
from tests.store.salvage_case import SIZE, SalvageCase

#: What is changed in the text that describes the tables.
WRONG_SCHEMAS = (
    (b"unicode61", b"unicode6x"),
    (b"content=", b"c0ntent="),
    (b"61 remove", b"61 rxmove"),
)


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
        self.killed(self.not_to_be_written())
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

    def test_tables_are_described_otherwise_though_it_was_closed_in_order(self) -> None:
        self.keep_up()
        self.database.close()
        files = self.files()
        self.assertIn("history.db-closed", files)
        for old, new in (
            (b"unicode61", b"unicode6x"),
            (b"content=", b"c0ntent="),
            (b"STRICT", b"STR1CT"),
        ):
            self.database.close()
            for name, data in files.items():
                (self.folder / name).write_bytes(data)
            (self.path).write_bytes(files["history.db"].replace(old, new, 1))
            self.assertNotEqual(self.path.read_bytes(), files["history.db"], old)
            Files(self.path).put_stamp(checked=True)
            self.begin()
            self.assertEqual(self.receive(1000), [max(self.entries) + 1], old)
            self.keep_up()
            entries = self.all()
            del entries[max(entries)]
            self.assertEqual(entries, self.entries, old)

    def test_outbox_with_what_is_no_number(self) -> None:
        attempts = queries.attempts

        def damaged(db: sqlite3.Connection) -> Iterator[Any]:
            yield from attempts(db)
            yield from ((1, ""), ("", 1), (None, None), (1 << 50, 1), (2, b"5"), (-1, 1))

        with patch.object(queries, "attempts", damaged):
            self.replace()
        self.keep_up()
        self.assertEqual(self.all(), self.entries)

    def test_nobody_knows_any_more_what_is_taken_over(self) -> None:
        """What the new file has by then goes into a third one, and the work ends."""
        self.replace()
        had = self.all()
        self.change("DELETE FROM salvage")
        self.keep_up()
        self.assertEqual(self.receive(1000), [max(self.entries) + 1])
        entries = self.all()
        self.assertEqual({number: entries[number] for number in had}, had)

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
            for value in ((0xA9,), (files["history.db"][place] ^ 1,))[place % 2]:
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

    def test_a_message_that_only_the_indexes_have(self) -> None:
        """Who asks for it before all is checked finds that the file is damaged."""
        self.keep_up()
        lost = OutboxEntry(373, "failed", EVE, "no", at(0), 1)
        for request, answer in (
            (lambda journal: journal.settled("failed", "delivered", ""), False),
            (lambda journal: journal.requeue([lost]), 1),
        ):
            files = self.files()
            self.change("DELETE FROM message WHERE id = 373")
            self.assertEqual(self.do(request), [answer])
            self.assertIn("its indexes don't fit", self.database.take_notices()[0][1])
            self.keep_up()
            entries = self.all()
            self.assertEqual(len(entries), len(self.entries) - 1 + answer)
            entries.pop(373, None)
            self.assertLessEqual(entries.items(), self.entries.items())
            self.killed(files)

    def test_a_number_that_another_message_has(self) -> None:
        """One of the two is lost, be it taken over at once or later, and no other."""
        ids = {entry.msg_id for entry in self.entries.values()}
        self.database.close()
        files = self.files()
        files.pop("history.db-closed", None)
        leaves = self.leaves_of("message", bytearray(files["history.db"]))
        for page in (leaves[3], self.last_page_of("message")):
            data = bytearray(files["history.db"])
            first, second = self.numbers_on(page, data)
            data[first : first + 2] = data[second : second + 2]
            self.killed({**files, "history.db": bytes(data)})
            self.database.suspect("it is to be replaced in any case")
            self.transactions.open()
            self.keep_up()
            entries = self.all()
            self.assertEqual(len(entries), len(ids) - 1)
            self.assertEqual(len({entry.msg_id for entry in entries.values()} & ids), len(ids) - 1)

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

    def test_one_index_says_of_a_far_number_that_it_was_given(self) -> None:
        """Of no message, of whom nobody else knows: not all numbers up to it are tried."""
        far = (1 << 40) - 1
        self.patch(wreck, "MAX_TAIL", 200)
        self.database.close()
        files = self.files()
        for statement in (
            f"INSERT INTO timeline (conversation, time, id) VALUES (1, 1, {far})",
            f"INSERT INTO identity (hash, id) VALUES (1, {far})",
            f"UPDATE progress SET indexed = {far}",
        ):
            self.killed(files)
            self.change(statement)
            self.killed(self.damaged("message"))
            self.assert_done(statement)

    def test_a_far_number_to_go_on_with(self) -> None:
        self.patch(wreck, "MAX_TAIL", 200)
        self.killed(self.damaged("message"))
        self.change(f"UPDATE salvage SET number = {(1 << 40) - 1}")
        self.assert_done("it was to go on there")

    def test_a_new_file_that_has_taken_over_next_to_nothing_is_damaged_too(self) -> None:
        """It knows of the last number by what it has still to take over."""
        self.patch(wreck, "MAX_TAIL", 10)
        self.keep_up()
        self.replace()
        self.killed(self.not_to_be_written())
        self.assert_whole()

    def test_indexes_that_are_far_behind(self) -> None:
        self.patch(wreck, "MAX_TAIL", 10)
        self.killed(self.not_to_be_written())
        self.assert_whole()

    def assert_whole(self) -> None:
        """Check that the next message has the next number, and that none is lost in the end."""
        self.assertEqual(self.receive(1000), [max(self.entries) + 1])
        self.keep_up()
        entries = self.all()
        del entries[max(entries)]
        self.assertEqual(entries, self.entries)

    def not_to_be_written(self) -> dict[str, bytes]:
        """Return the files with a header that says so, which is all that is wrong with them."""
        self.database.close()
        files = self.files()
        data = bytearray(files["history.db"])
        data[18] = 0xFF
        return {**files, "history.db": bytes(data)}

    def damaged(self, table: str) -> dict[str, bytes]:
        """Return the files with the first page of a table unreadable."""
        self.database.close()
        files = self.files()
        files.pop("history.db-closed", None)
        data = bytearray(files["history.db"])
        start = self.first_page_of(table) * 4096
        data[start : start + 100] = bytes(100)
        return {**files, "history.db": bytes(data)}

    def assert_done(self, message: str) -> None:
        """Check that all is done within few slices."""
        self.keep_up(slices=40)
        self.assertFalse(self.transactions.keep_up().value, message)

    def leaves_of(self, table: str, data: bytearray) -> list[int]:
        """Return the leaves of a table that has one level more, but for the last."""
        start = self.first_page_of(table) * 4096
        count = int.from_bytes(data[start + 3 : start + 5], "big")
        places = range(start + 12, start + 12 + 2 * count, 2)
        cells = [start + int.from_bytes(data[at : at + 2], "big") for at in places]
        return [int.from_bytes(data[at : at + 4], "big") - 1 for at in cells]

    def numbers_on(self, page: int, data: bytes) -> list[int]:
        """Return where the numbers of the last two messages on a leaf are."""
        start = page * 4096
        end = start + 8 + 2 * int.from_bytes(data[start + 3 : start + 5], "big")
        cells = [start + int.from_bytes(data[at : at + 2], "big") for at in (end - 4, end - 2)]
        # the length of a message like these has one byte, its number two
        return [cell + 1 for cell in cells]

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
