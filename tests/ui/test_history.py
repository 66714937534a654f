"""Typed lines, kept for their owner alone."""

import os
import stat
from errno import ENOSPC

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.history import MAX_ENTRIES, FileHistory
from tests.ui.fakes import make_folder


class HistoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = make_folder(self) / "history"

    def entries(self) -> list[str]:
        return list(FileHistory(self.path).load_history_strings())

    def test_entries_outlive_a_session_newest_first(self) -> None:
        self.assertEqual(self.entries(), [])
        history = FileHistory(self.path)
        for entry in ("one", "a  é 😀 ", "two\nlines", "\udcff"):
            history.store_string(entry)
        self.assertEqual(self.entries(), ["?", "two lines", "a  é 😀 ", "one"])

    def test_only_the_owner_can_read_it(self) -> None:
        self.path.write_text("old\n")
        self.path.chmod(0o644)
        FileHistory(self.path).store_string("x")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_it_does_not_grow_for_ever(self) -> None:
        self.path.write_text("".join(f"{number}\n" for number in range(MAX_ENTRIES + 5)))
        entries = self.entries()
        self.assertEqual((len(entries), entries[-1]), (MAX_ENTRIES, "5"))
        self.assertEqual(self.path.read_text().count("\n"), MAX_ENTRIES)
        self.assertEqual(os.listdir(self.path.parent), ["history"])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_a_broken_file_is_no_error(self) -> None:
        self.path.write_bytes(b"a\xff\n\n\nb")
        self.assertEqual(self.entries(), ["b", "a\ufffd"])

    def test_what_cannot_be_written_is_when_that_is_over(self) -> None:
        history = FileHistory(self.path)
        history.store_string("one")
        write = os.open

        def fail(*_: object) -> int:
            raise OSError(ENOSPC, "No space left on device")

        self.patch(os, "open", fail)
        history.store_string("two")
        history.store_string("three")
        self.patch(os, "open", write)
        with self.path.open("a") as file:
            file.write("th")  # what there was room for
        history.store_string("four")
        history.store_string("five")
        self.assertEqual(self.entries(), ["five", "four", "three", "two", "th", "one"])

    def test_not_more_than_the_file_has_waits_for_it(self) -> None:
        history = FileHistory(self.path.parent)
        for number in range(MAX_ENTRIES + 5):
            history.store_string(str(number))
        history._path = self.path
        history.store_string("last")
        self.assertEqual(len(self.entries()), MAX_ENTRIES)

    def test_without_a_file_it_works_for_the_session(self) -> None:
        for path in (self.path.parent, self.path / "x"):
            history = FileHistory(path)
            self.assertEqual(list(history.load_history_strings()), [])
            history.append_string("one")
            self.assertEqual(history.get_strings(), ["one"])
