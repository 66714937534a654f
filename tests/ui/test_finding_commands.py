"""Finding what was said: /search, /unread, /export."""

from os import umask

import msgspec
from twisted.internet.defer import fail

from p2pchat.errors import QueueFullError
from p2pchat.history import Entry, StoreError
from p2pchat.text import is_printable
from p2pchat.ui import history_actions
from p2pchat.ui.fitting import MAX_TEXT
from p2pchat.ui.history_actions import Exported, UnreadMessages
from p2pchat.ui.styled import MATCH, plain
from tests.ui.fakes import make_folder
from tests.ui.history_case import HOSTILE, HistoryCase


class SearchTests(HistoryCase):
    def test_the_match_is_marked_and_the_newest_comes_first(self) -> None:
        self.keep("b1", "Não há maçã?", 1)
        self.keep("b2", "the MACA, the other macas", 2)
        self.keep("b3", "nothing of it", 3)
        self.queue("a1", "maçã", minutes=4)
        reply = self.run_line("/search maca*")
        self.assertEqual(
            reply.lines,
            [
                "2025-03-01 12:04:00 … → bob@CIC: «maçã»",
                "2025-03-01 12:02:00 bob@CIC: the «MACA», the other «macas»",
                "2025-03-01 12:01:00 bob@CIC: Não há «maçã»?",
            ],
        )
        self.assertEqual([found.marks for found in reply.data][1], [(4, 8), (20, 25)])
        self.assertIn((MATCH, "MACA"), reply.page[1])
        self.assertNotIn("«", "".join(map(plain, reply.page)))

    def test_long_texts_are_cut_in_the_lines_and_fewer_in_the_data(self) -> None:
        for number in range(10):
            self.keep(f"b{number}", "hello " + "x" * (MAX_TEXT // 4 - 6), number)
        reply = self.run_line("/search hello")
        self.assertEqual([found.entry.msg_id for found in reply.data], ["b9", "b8", "b7", "b6"])
        self.assertEqual(reply.lines[-1], "· these are the newest 4; more words find fewer")
        self.assertLess(max(map(len, reply.lines)), 400)

    def test_nothing_found(self) -> None:
        reply = self.run_line("/search x")
        self.assertEqual((reply.lines, reply.data), (["nothing found"], []))

    def test_that_there_may_be_more_is_told(self) -> None:
        for number in range(51):
            self.keep(f"b{number}")
        reply = self.run_line("/search hello")
        self.assertEqual(len(reply.data), 50)
        self.assertEqual(reply.lines[-1], "· these are the newest 50; more words find fewer")

    def test_nothing_hostile_comes_through(self) -> None:
        self.keep("h1", f"\x1b[2J found\u202e {HOSTILE}", sender=HOSTILE)
        [line] = self.lines("/search found")
        self.assertTrue(is_printable(line))
        self.assertIn("\\x1b[2J «found»\\u202e", line)


class UnreadTests(HistoryCase):
    def test_what_nobody_read_is_shown_once(self) -> None:
        self.keep("b1", "one", -24 * 60)
        self.keep("b2", "two")
        reply = self.run_line("/unread")
        self.assertEqual(
            reply.lines,
            [
                "──── 2025-02-28 ────",
                "12:00:00 bob@CIC: one",
                "──── 2025-03-01 ────",
                "12:00:00 bob@CIC: two",
            ],
        )
        self.assertEqual(reply.data.total, 2)
        self.assertEqual([entry.msg_id for entry in reply.data.entries], ["b1", "b2"])
        again = self.run_line("/unread")
        self.assertEqual((again.lines, again.data), (["nothing unread"], UnreadMessages(0, [])))

    def test_what_cannot_be_marked_as_read_is_shown_all_the_same(self) -> None:
        self.keep("b1", "one")
        for error in (StoreError("disk is full"), QueueFullError("5000 messages wait")):
            self.patch(self.node.history, "read", lambda _, error=error: fail(error))
            lines = self.lines("/unread")
            self.assertIn("bob@CIC: one", lines[-2])
            self.assertEqual(lines[-1], f"· they stay unread: {error}")

    def test_the_last_ones_of_very_many(self) -> None:
        self.patch(history_actions, "UNREAD_COUNT", 2)
        for number in range(5):
            self.keep(f"b{number}")
        reply = self.run_line("/unread")
        self.assertEqual(reply.lines[0], "· 3 messages before these; /history has them")
        self.assertEqual((reply.data.total, len(reply.data.entries)), (5, 2))
        self.assertEqual(self.lines("/unread"), ["nothing unread"])

    def test_what_does_not_fit_stays_unread(self) -> None:
        for number in range(10):
            self.keep(f"b{number}", "x" * (MAX_TEXT // 4))
        shown = []
        for left in (6, 2, 0):
            reply = self.run_line("/unread")
            shown += [entry.msg_id for entry in reply.data.entries]
            self.assertEqual(
                (reply.data.total, reply.data.left),
                (10 - len(shown) + len(reply.data.entries), left),
            )
            remark = f"· {left} messages unread still; /unread shows more"
            self.assertEqual(reply.lines[-1] == remark, left > 0)
        self.assertEqual(shown, [f"b{number}" for number in range(10)])
        self.assertEqual(self.lines("/unread"), ["nothing unread"])


class ExportTests(HistoryCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = make_folder(self)

    def test_all_messages_are_in_a_file_for_our_eyes_alone(self) -> None:
        self.addCleanup(umask, umask(0))
        for number in range(1200):
            self.keep(f"b{number}", HOSTILE, number)
        file = self.folder / "my export"
        reply = self.run_line(f'/export "{file}"')
        self.assertEqual(reply.lines, [f"1200 messages written to {file}"])
        self.assertEqual(reply.data, Exported(str(file), 1200))
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        lines = file.read_bytes().splitlines()
        found = [msgspec.json.decode(line, type=Entry) for line in lines]
        self.assertEqual([entry.msg_id for entry in found], [f"b{n}" for n in range(1200)])
        self.assertEqual(found[0].text, HOSTILE)

    def test_a_file_that_is_there_stays_as_it_is(self) -> None:
        file = self.folder / "all"
        file.write_text("mine")
        error = self.run_line(f"/export {file}").error
        self.assertEqual(error, f"/export: {file} is there already: choose another name")
        self.assertEqual(file.read_text(), "mine")

    def test_where_no_file_can_be(self) -> None:
        file = self.folder / "none" / "all"
        error = self.run_line(f"/export {file}").error
        self.assertEqual(error, f"/export: cannot write {file}: No such file or directory")
