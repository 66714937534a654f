"""Plain output for people."""

from datetime import UTC

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.events import Notice
from p2pchat.history import OutboxEntry
from p2pchat.identity import PeerId
from p2pchat.ui.actions import Sent
from p2pchat.ui.commands import Reply, failure
from p2pchat.ui.plain import PlainFormat
from tests.ui.archive_events import chat_changed, grew
from tests.ui.fake_archive import chat_info
from tests.ui.fakes import NOON
from tests.ui.test_outgoing import change
from tests.ui.test_views import message


class PlainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.form = PlainFormat(UTC)

    def test_an_event_is_one_line_with_the_time_of_day(self) -> None:
        self.assertEqual(
            self.form.event(message("olá\n\x1b[31m")).decode(),
            "12:00:00 bob@CIC: olá\\x0a\\x1b[31m\n",
        )

    def test_every_line_of_a_reply(self) -> None:
        reply = self.form.reply(Reply("/x", ["a", "b"]), NOON)
        self.assertEqual(reply, b"12:00:00 a\n12:00:00 b\n")
        self.assertEqual(self.form.reply(failure("/x", "no"), NOON), b"12:00:00 no\n")

    def test_a_message_shows_as_its_delivery_states(self) -> None:
        sent = Reply("/msg", ["→ bob@CIC: hi"], Sent("1", "bob@CIC"))
        self.assertEqual(self.form.reply(sent, NOON), b"")
        lines = [
            self.form.event(change("1", "queued")),
            self.form.event(change("1", "sent")),
            self.form.event(change("1", "delivered")),
            self.form.event(change("2", "failed", "no\nACK")),
        ]
        self.assertEqual(
            b"".join(lines).decode(),
            "12:00:00 … queued → bob@CIC: hi\n"
            "12:00:00 ✓ sent → bob@CIC: hi\n"
            "12:00:00 ✓✓ delivered → bob@CIC: hi\n"
            "12:00:00 ✗ not delivered → bob@CIC (no\\x0aACK)\n",
        )

    def test_a_message_of_an_earlier_run_shows_with_its_text(self) -> None:
        self.form.recall([OutboxEntry(7, "1", PeerId("bob@CIC"), "hi\n" * 50, NOON, 0)])
        line = self.form.event(change("1", "delivered")).decode()
        self.assertTrue(line.startswith("12:00:00 ✓✓ delivered → bob@CIC: hi\\x0ahi"), line)
        self.assertLess(len(line), 200)

    def test_that_a_message_waits_is_a_line(self) -> None:
        sent = Reply("/msg", ["→ bob@CIC: hi", "bob is away"], Sent("1", "bob@CIC", True))
        self.assertEqual(self.form.reply(sent, NOON), b"12:00:00 bob is away\n")

    def test_a_page_is_its_lines_and_tells_its_own_times(self) -> None:
        page = [[("class:time", "09:00:00 "), ("class:match", "a")]]
        reply = Reply("/search", ["09:00:00 «a»"], [], page=page)
        self.assertEqual(self.form.reply(reply, NOON).decode(), "09:00:00 «a»\n")

    def test_a_chat_of_the_archive_shows_as_its_states(self) -> None:
        self.assertEqual(self.form.reply(Reply("/chat", ["⛓ hello"], chat_info()), NOON), b"")
        lines = [
            self.form.event(chat_changed("mining")),
            self.form.event(grew(12, "hello", source="mined")),
            self.form.event(chat_changed("archived", 12)),
            self.form.event(chat_changed("confirmed", 12, confirmations=1)),
            self.form.event(chat_changed("confirmed", 12, confirmations=2)),
        ]
        self.assertEqual(
            b"".join(lines).decode(),
            "12:00:00 … ⛓ hello (mining)\n"
            "12:00:00 ✓ ⛓ hello (in the archive at height 12)\n"
            "12:00:00 ✓✓ ⛓ hello (in the archive at height 12, confirmed by 1 peer)\n",
        )

    def test_an_event_of_several_lines(self) -> None:
        lines = self.form.event(grew(12, "a", "b")).decode().splitlines()
        self.assertEqual([line.startswith("12:00:00 ⛓ 1") for line in lines], [True, True])

    def test_a_long_message_is_cut(self) -> None:
        self.form.reply(Reply("/msg", ["x" * 500], Sent("1", "bob@CIC")), NOON)
        line = self.form.event(change("1", "sent")).decode()
        self.assertTrue(line.endswith("x…\n"))
        self.assertLess(len(line), 110)

    def test_a_lone_surrogate_does_no_harm(self) -> None:
        event = Notice(time=NOON, level="info", text="a\udcff")
        self.assertEqual(self.form.event(event).decode(), "12:00:00 · a\\udcff\n")
