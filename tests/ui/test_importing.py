"""Loading what was exported."""

import os
from datetime import timedelta

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import RequestError
from p2pchat.history import PAGE, StoreError
from p2pchat.identity import PeerId
from p2pchat.ui import importing
from p2pchat.ui.exporting import export_file
from p2pchat.ui.importing import LINE_LIMIT, Import, Imported, read_export
from tests.ui.fakes import NOON, FakeHistory, make_folder, received

LINE = (
    b'{"time":"2025-03-01T12:00:00Z","msg_id":"%d","from":"bob@CIC","to":"alice@CIC",'
    b'"text":"hi","kind":"send","direction":"in"}\n'
)


class ImportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = make_folder(self) / "all"
        self.history = FakeHistory()

    def start(self) -> "Deferred[None]":
        me = PeerId("alice@CIC")
        self.loading = Import(self.history, me, self.file, NOON, execute)
        return Deferred.fromCoroutine(self.loading.run())

    def load(self) -> Imported:
        self.successResultOf(self.start())
        return self.loading.so_far

    def load_in_vain(self) -> str:
        return str(self.failureResultOf(self.start(), RequestError).value)

    def count(self) -> int:
        return len(self.history.entries(None, 10_000).result)

    def test_an_export_is_loaded_and_twice_doubles_nothing(self) -> None:
        source = FakeHistory()
        for number in range(PAGE + 1):
            source.keep(received(f"b{number}", f"é\x1b\u2028{number}"))
        writing = export_file(source.export(), str(self.file), execute)
        self.successResultOf(Deferred.fromCoroutine(writing))
        self.assertEqual(self.load(), (PAGE + 1, 0, 0))
        self.assertEqual(self.load(), (0, PAGE + 1, 0))
        texts = {entry.text for entry in self.history.entries(None, 10_000).result}
        self.assertEqual(texts, {f"é\x1b\u2028{number}" for number in range(PAGE + 1)})

    def test_pages_have_a_bound(self) -> None:
        self.file.write_bytes(b"".join(LINE % number for number in range(PAGE + 1)))
        self.assertEqual([len(page) for page in read_export(self.file, NOON)], [PAGE, 1])
        self.patch(importing, "PAGE_SIZE", 3 * len(LINE))
        self.assertEqual(max(len(page) for page in read_export(self.file, NOON)), 4)

    def test_blank_lines_and_a_missing_end_do_no_harm(self) -> None:
        self.file.write_bytes(b"\n" + LINE % 1 + b" \r\n" + (LINE % 2).rstrip())
        self.assertEqual(self.load(), (2, 0, 0))

    def test_an_empty_file(self) -> None:
        self.file.write_bytes(b"")
        self.assertEqual(self.load(), (0, 0, 0))

    def test_a_mistake_names_its_line_and_what_stands_before_it_is_loaded(self) -> None:
        cases = {
            b"hello\n": "not a message: ",
            b"{}\n": "not a message: Object missing required field `time`",
            b"\xff\xfe\n": "not a message: ",
            b"[" * 100_000 + b"\n": "not a message: ",
            LINE.replace(b'"send"', b'"sent"') % 1: "not a message: ",
            LINE.replace(b'"hi"', b'"\xff"') % 1: "not a message: ",
            LINE.replace(b"00Z", b"00") % 1: "not a message: ",
            LINE.replace(b"2025-03-01", b"0001-01-01") % 1: "the time 0001-01-01T12:00:00+00:00 is",
            LINE.replace(b"2025-03-01T12:00:00Z", b"0001-01-01T00:00:00+14:00")
            % 1: "the time 0001",
            LINE.replace(b"2025-03-01", b"1969-12-31") % 1: "the time 1969",
            LINE.replace(b"2025-03-01T12:00:00Z", b"2025-03-02T12:00:01Z") % 1: "the time 2025",
            LINE.replace(b"2025-03-01T12:00:00Z", b"9999-12-31T23:59:59-14:00")
            % 1: "the time 9999",
            b"x" * (LINE_LIMIT + 1) + b"\n": f"longer than {LINE_LIMIT} bytes",
        }
        for number, (line, error) in enumerate(cases.items()):
            self.file.write_bytes(LINE % (2 * number) + b"\n" + line + LINE % (2 * number + 1))
            found = self.load_in_vain()
            self.assertTrue(found.startswith(f"{self.file}, line 3: {error}"), found)
            self.assertLess(len(found), 400)
            self.assertEqual(self.loading.so_far, (1, 0, 0))
            self.assertEqual(self.count(), number + 1)

    def test_a_file_that_cannot_be_read(self) -> None:
        self.assertEqual(self.load_in_vain(), f"cannot read {self.file}: No such file or directory")

    def test_a_clock_may_be_a_day_ahead(self) -> None:
        for number, time in enumerate((b"1970-01-01T00:00:00Z", b"2025-03-02T12:00:00Z")):
            self.file.write_bytes(LINE.replace(b"2025-03-01T12:00:00Z", time) % number)
            self.assertEqual(self.load(), (1, 0, 0))

    def test_what_is_no_regular_file_is_not_waited_for(self) -> None:
        os.mkfifo(self.file)
        self.assertEqual(self.load_in_vain(), f"cannot read {self.file}: not a regular file")

    def test_what_others_said_to_each_other_is_left_out_and_counted(self) -> None:
        theirs = LINE.replace(b"alice@CIC", b"carol@CIC")
        self.file.write_bytes(LINE % 1 + theirs % 2 + theirs % 3)
        self.assertEqual(self.load(), (1, 0, 2))
        self.assertEqual(self.load(), (0, 1, 2))

    def test_the_end_in_words(self) -> None:
        cases = {
            (1, 0, 0): "1 message added, 0 skipped",
            (2, 3, 0): "2 messages added, 3 skipped (there already, or too old)",
            (0, 0, 4): "0 messages added, 0 skipped, 4 left out (between others)",
        }
        for counts, text in cases.items():
            self.assertEqual(str(Imported(*counts)), text)

    def test_what_was_exported_under_another_clock_is_kept_to_the_millisecond(self) -> None:
        time = b"2025-03-01T13:00:00.123999+01:00"
        self.file.write_bytes(LINE.replace(b"2025-03-01T12:00:00Z", time) % 1)
        self.load()
        [entry] = self.history.entries(None, 1).result
        self.assertEqual(entry.time, NOON + timedelta(milliseconds=123))

    def test_a_history_that_fails(self) -> None:
        self.file.write_bytes(LINE % 1)
        self.history.trouble = StoreError("no")
        self.failureResultOf(self.start(), StoreError)
        self.assertEqual(self.loading.so_far, (0, 0, 0))
