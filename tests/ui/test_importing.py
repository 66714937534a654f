"""Loading what was exported."""

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import RequestError
from p2pchat.history import PAGE, StoreError
from p2pchat.ui import importing
from p2pchat.ui.exporting import export_file
from p2pchat.ui.importing import LINE_LIMIT, import_file, read_export
from tests.ui.fakes import FakeHistory, make_folder, received

LINE = (
    b'{"time":"2025-03-01T12:00:00Z","msg_id":"%d","from":"bob@CIC","to":"alice@CIC",'
    b'"text":"hi","kind":"send","direction":"in"}\n'
)


class ImportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = make_folder(self) / "all"
        self.history = FakeHistory()

    def load(self) -> tuple[int, int]:
        loading = import_file(self.history, self.file, execute)
        return self.successResultOf(Deferred.fromCoroutine(loading))

    def load_in_vain(self) -> str:
        loading = Deferred.fromCoroutine(import_file(self.history, self.file, execute))
        return str(self.failureResultOf(loading, RequestError).value)

    def count(self) -> int:
        return len(self.history.entries(None, 10_000).result)

    def test_an_export_is_loaded_and_twice_doubles_nothing(self) -> None:
        source = FakeHistory()
        for number in range(PAGE + 1):
            source.keep(received(f"b{number}", f"é\x1b\u2028{number}"))
        writing = export_file(source.export(), str(self.file), execute)
        self.successResultOf(Deferred.fromCoroutine(writing))
        self.assertEqual(self.load(), (PAGE + 1, 0))
        self.assertEqual(self.load(), (0, PAGE + 1))
        texts = {entry.text for entry in self.history.entries(None, 10_000).result}
        self.assertEqual(texts, {f"é\x1b\u2028{number}" for number in range(PAGE + 1)})

    def test_pages_have_a_bound(self) -> None:
        self.file.write_bytes(b"".join(LINE % number for number in range(PAGE + 1)))
        self.assertEqual([len(page) for page in read_export(self.file)], [PAGE, 1])
        self.patch(importing, "PAGE_SIZE", 3 * len(LINE))
        self.assertEqual(max(len(page) for page in read_export(self.file)), 4)

    def test_blank_lines_and_a_missing_end_do_no_harm(self) -> None:
        self.file.write_bytes(b"\n" + LINE % 1 + b" \r\n" + (LINE % 2).rstrip())
        self.assertEqual(self.load(), (2, 0))

    def test_an_empty_file(self) -> None:
        self.file.write_bytes(b"")
        self.assertEqual(self.load(), (0, 0))

    def test_a_mistake_names_its_line_and_what_stands_before_it_is_loaded(self) -> None:
        cases = {
            b"hello\n": "not a message: ",
            b"{}\n": "not a message: Object missing required field `time`",
            b"\xff\xfe\n": "not a message: ",
            b"[" * 100_000 + b"\n": "not a message: ",
            LINE.replace(b'"send"', b'"sent"') % 1: "not a message: ",
            LINE.replace(b'"hi"', b'"\xff"') % 1: "not a message: ",
            LINE.replace(b"00Z", b"00") % 1: "not a message: ",
            b"x" * (LINE_LIMIT + 1) + b"\n": f"longer than {LINE_LIMIT} bytes",
        }
        for number, (line, error) in enumerate(cases.items()):
            self.file.write_bytes(LINE % (2 * number) + b"\n" + line + LINE % (2 * number + 1))
            found = self.load_in_vain()
            self.assertTrue(found.startswith(f"{self.file}, line 3: {error}"), found)
            self.assertLess(len(found), 400)
            self.assertEqual(self.count(), number + 1)

    def test_a_file_that_cannot_be_read(self) -> None:
        self.assertEqual(self.load_in_vain(), f"cannot read {self.file}: No such file or directory")

    def test_a_history_that_fails(self) -> None:
        self.file.write_bytes(LINE % 1)
        self.history.trouble = StoreError("no")
        loading = import_file(self.history, self.file, execute)
        self.failureResultOf(Deferred.fromCoroutine(loading), StoreError)
