"""The console on a terminal, with a prompt that only notes what it is told."""

from datetime import UTC, timedelta

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import RequestError
from p2pchat.events import DeliveryChanged, HistoryOpened, PeerDown, PeerUp
from p2pchat.history import OutboxEntry
from p2pchat.identity import PeerId
from p2pchat.ui.prompt import Scene
from p2pchat.ui.styled import plain
from p2pchat.ui.tty import TtyConsole
from tests.ui.archive_events import chat_changed, grew
from tests.ui.fakes import NOON, FakeNode, ThreadedClock, peer, received
from tests.ui.test_outgoing import change
from tests.ui.test_views import message


class FakePrompt:
    """Notes lines and scenes, and what is done to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.lines: list[str] = []
        self.scene = Scene()
        self.takes = True

    def start(self, listener) -> None:
        self.calls.append("start")

    def print(self, line) -> bool:
        if self.takes:
            self.lines.append(plain(line))
        return self.takes

    def show(self, scene) -> None:
        self.scene = scene

    def close(self) -> None:
        self.calls.append("close")

    def restore(self) -> None:
        self.calls.append("restore")

    def above(self) -> list[str]:
        return [plain(line) for line in self.scene.above]


class TtyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = ThreadedClock()
        self.node = FakeNode("bob@CIC")
        self.prompt = FakePrompt()
        self.time = NOON
        self.console = TtyConsole(self.reactor, self.node, self.prompt, lambda: self.time, UTC)
        self.console.startService()
        self.reactor.run_until(lambda: self.prompt.calls)

    def enter(self, text: str) -> None:
        done = []
        self.console.line_entered(text)
        self.reactor.callFromThread(done.append, True)
        self.reactor.run_until(lambda: done)

    def shown(self) -> list[str]:
        """The lines printed since the last call."""
        lines, self.prompt.lines = self.prompt.lines, []
        return lines

    def test_events_are_printed_with_the_time_of_day(self) -> None:
        self.node.report(message("hi"))
        self.assertEqual(self.shown(), ["12:00:00 bob@CIC: hi"])

    def test_a_message_stays_above_the_prompt_until_it_is_delivered(self) -> None:
        self.enter("/msg bob hi  there")
        self.assertEqual(self.prompt.above(), ["12:00:00 … → bob@CIC: hi  there"])
        self.node.report(change("m1", "sent"))
        self.assertEqual(self.prompt.above(), ["12:00:00 ✓ → bob@CIC: hi  there"])
        self.assertEqual(self.shown(), [])
        self.time += timedelta(seconds=3)
        self.node.report(change("m1", "delivered"))
        self.assertEqual(self.prompt.above(), [])
        self.assertEqual(self.shown(), ["12:00:00 ✓✓ → bob@CIC: hi  there"])

    def test_a_message_that_failed_tells_why(self) -> None:
        self.node.events_of_send = [change("m1", "failed", "no ACK")]
        self.enter("/msg bob hi")
        self.assertEqual(self.shown(), ["12:00:00 ✗ → bob@CIC: hi (not delivered: no ACK)"])

    def test_only_the_last_messages_under_way_are_above(self) -> None:
        for number in range(5):
            self.enter(f"/msg bob {number}")
        self.assertEqual(
            self.prompt.above(),
            ["2 messages before", *(f"12:00:00 … → bob@CIC: {number}" for number in (2, 3, 4))],
        )

    def test_a_message_given_up_is_printed_and_its_end_too(self) -> None:
        for _ in range(201):
            self.enter("/msg bob hi")
        self.assertEqual(self.shown(), ["12:00:00 … → bob@CIC: hi"])
        self.node.report(change("m1", "delivered"))
        self.assertEqual(self.shown(), ["12:00:00 ✓✓ → bob@CIC"])

    def test_a_chat_stays_above_the_prompt_until_it_is_confirmed(self) -> None:
        self.enter("/chat hello")
        self.assertEqual(self.prompt.above(), ["12:00:00 … ⛓ hello (mining)"])
        self.node.report(chat_changed("mining"))
        self.node.report(grew(12, "hello", source="mined"))
        self.node.report(chat_changed("archived", 12))
        self.assertEqual(self.prompt.above(), ["12:00:00 ✓ ⛓ hello (in the archive at height 12)"])
        self.node.report(chat_changed("displaced"))
        self.assertEqual(
            self.prompt.above(), ["12:00:00 ↻ ⛓ hello (displaced by a longer archive, mined again)"]
        )
        self.assertEqual(self.shown(), [])
        self.time += timedelta(seconds=3)
        self.node.report(chat_changed("confirmed", 13, confirmations=1))
        self.node.report(chat_changed("confirmed", 13, confirmations=2))
        self.assertEqual(self.prompt.above(), [])
        self.assertEqual(
            self.shown(),
            ["12:00:00 ✓✓ ⛓ hello (in the archive at height 13, confirmed by 1 peer)"],
        )

    def test_a_chat_that_nobody_confirms_does_not_stay_above_the_prompt(self) -> None:
        self.enter("/chat hello")
        self.time += timedelta(seconds=31)
        self.enter("")
        self.assertEqual(self.shown(), [])
        self.node.report(chat_changed("archived", 12))
        self.assertEqual(self.shown(), ["12:00:00 ✓ ⛓ hello (in the archive at height 12)"])
        self.assertEqual(self.prompt.above(), [])
        self.node.report(chat_changed("confirmed", 12, confirmations=1))
        self.assertTrue(self.shown()[0].startswith("12:00:00 ✓✓ ⛓ hello"))

    def test_a_chat_waits_half_a_minute_for_a_peer_to_confirm_it(self) -> None:
        self.enter("/chat hello")
        self.node.report(chat_changed("archived", 12))
        self.time += timedelta(seconds=30)
        self.enter("")
        self.assertEqual(len(self.prompt.above()), 1)
        self.time += timedelta(seconds=1)
        self.enter("")
        self.assertEqual(self.prompt.above(), [])

    def test_a_chat_of_an_earlier_session_has_a_line_for_each_state(self) -> None:
        self.node.report(chat_changed("mining", chat_id=7))
        self.node.report(chat_changed("archived", 12, chat_id=7))
        self.assertEqual(
            self.shown(),
            ["12:00:00 … ⛓ hello (mining)", "12:00:00 ✓ ⛓ hello (in the archive at height 12)"],
        )

    def test_a_chat_is_echoed_only_if_it_was_refused(self) -> None:
        self.node.archive.refusal = RequestError("too long")
        self.enter("/chat hello")
        self.assertEqual(self.shown(), ["12:00:00 > /chat hello", "12:00:00 /chat: too long"])

    def test_every_new_chat_is_a_line(self) -> None:
        self.node.report(grew(12, "a", "b"))
        self.assertEqual(
            self.shown(), ["12:00:00 ⛓ 11 via 192.0.2.7: a", "12:00:00 ⛓ 12 via 192.0.2.7: b"]
        )

    def test_a_command_is_echoed_before_its_reply(self) -> None:
        self.node.discovery = Deferred()
        self.enter("/peers #none")
        self.assertEqual(self.shown(), ["12:00:00 > /peers #none"])
        self.node.discovery.callback(None)
        self.assertEqual(self.shown(), ["12:00:00 no peers found in #none"])

    def test_a_message_is_echoed_only_if_it_was_not_taken(self) -> None:
        self.enter("/msg bob hi")
        self.enter("/pub * all")
        self.assertEqual(self.shown(), ["12:00:00 → *: all (1 peer)"])
        self.node.refusal = RequestError("full")
        self.enter("again")
        self.assertEqual(self.shown(), ["12:00:00 > again", "12:00:00 /msg: full"])

    def test_what_is_echoed_is_harmless(self) -> None:
        self.enter("/x\x1b[2J")
        self.assertEqual(self.shown()[0], "12:00:00 > /x\\x1b[2J")

    def test_the_prompt_names_the_partner(self) -> None:
        self.assertEqual(self.prompt.scene.partner, "")
        self.enter("/msg bob hi")
        self.assertEqual(self.prompt.scene.partner, "bob@CIC")

    def test_the_toolbar_counts_peers_and_unread_messages(self) -> None:
        self.assertEqual(self.prompt.scene.toolbar, "alice@CIC | 0 connected | 0 unread")
        up = PeerUp(time=NOON, peer_id="bob@CIC", direction="in", address="x", modern=True)
        self.node.report(up)
        self.node.report(message("a"))
        self.node.report(message("b", kind="pub", to="*"))
        self.assertEqual(self.prompt.scene.toolbar, "alice@CIC | 1 connected | 2 unread")
        self.node.report(PeerDown(time=NOON, peer_id="bob@CIC", reason="bye"))
        self.enter("")
        self.assertEqual(self.prompt.scene.toolbar, "alice@CIC | 0 connected | 0 unread")
        self.assertNotIn("12:00:00 > ", self.shown())

    def test_the_toolbar_counts_what_waits(self) -> None:
        self.node.pending = 1
        self.enter("/msg bob hi")
        self.assertTrue(self.prompt.scene.toolbar.endswith(" | 1 in the outbox"))
        self.node.pending = 0
        self.node.report(change("m1", "delivered"))
        self.assertFalse(self.prompt.scene.toolbar.endswith("outbox"))
        self.node.report(HistoryOpened(time=NOON, unread=0, waiting=3))
        self.node.pending = 3
        self.reactor.run_until(lambda: self.prompt.scene.toolbar.endswith(" | 3 in the outbox"))

    def test_the_toolbar_counts_what_was_unread_at_the_start(self) -> None:
        self.node.history.keep(received("1", "one"), received("2", "two"))
        self.node.report(HistoryOpened(time=NOON, unread=2, waiting=0))
        self.assertTrue(self.prompt.scene.toolbar.endswith(" | 2 unread"))
        self.enter("/help")
        self.assertTrue(self.prompt.scene.toolbar.endswith(" | 2 unread"))
        self.enter("/unread")
        self.assertTrue(self.prompt.scene.toolbar.endswith(" | 0 unread"))

    def test_what_is_withdrawn_is_one_line(self) -> None:
        self.enter("/msg bob hi")
        self.node.history.queue(PeerId("bob@CIC"), "m1", "hi", NOON)
        cancel = self.node.cancel

        def cancel_and_tell(message):
            self.node.report(change("m1", "failed", "withdrawn"))
            return cancel(message)

        self.node.cancel = cancel_and_tell
        self.enter("/cancel m1")
        line = "12:00:00 ✗ → bob@CIC: hi (not delivered: withdrawn)"
        self.assertEqual(sorted(self.shown()), ["12:00:00 > /cancel m1", line])

    def test_whom_we_wrote_to_is_offered_at_once(self) -> None:
        self.node.known.append(peer("zed@CIC"))
        self.enter("/msg zed hi")
        self.node.known.pop()
        self.node.history.peer_seen(PeerId("zed@CIC"), [], NOON)
        answers = []
        self.console.candidates_wanted("/msg z", answers.append)
        self.reactor.run_until(lambda: answers)
        self.assertEqual([found.text for found in answers[0]], ["zed "])

    def test_what_waited_since_an_earlier_run_is_shown_when_it_ends(self) -> None:
        yesterday = NOON - timedelta(days=1)
        entry = OutboxEntry(7, "m1", PeerId("bob@CIC"), "from yesterday", yesterday, 0)
        self.node.left_over = [entry]
        self.node.report(HistoryOpened(time=NOON, unread=0, waiting=1))
        for state in ("sent", "delivered"):
            self.node.report(DeliveryChanged(time=NOON, msg_id="m1", to="bob@CIC", state=state))
        self.assertEqual(
            self.shown()[-2:],
            [
                "12:00:00 · 0 unread (/unread), 1 message waiting to be delivered (/outbox)",
                "12:00:00 ✓✓ → bob@CIC: from yesterday",
            ],
        )

    def test_completion_is_answered_in_the_reactor(self) -> None:
        answers = []
        self.console.candidates_wanted("/msg b", answers.append)
        self.assertEqual(answers, [])
        self.reactor.run_until(lambda: answers)
        self.assertEqual([found.text for found in answers[0]], ["bob "])

    def test_leaving_the_prompt_leaves(self) -> None:
        self.console.prompt_left(None)
        self.reactor.run_until(lambda: self.node.calls)
        self.assertEqual(self.node.calls, [("leave",)])

    def test_a_terminal_that_fails_leaves_too(self) -> None:
        for tell in (self.console.prompt_left, self.console.prompt_closed):
            self.node.calls.clear()
            tell(OSError(5, "Input/output error"))
            self.reactor.run_until(lambda: self.node.calls)
            self.assertEqual(self.node.calls, [("leave",)])

    def test_a_message_to_an_absent_peer_is_printed_and_so_is_its_end(self) -> None:
        self.node.known_links = []
        self.node.events_of_send = [change("m1", "queued")]
        self.enter("/msg bob hi")
        self.assertEqual(self.prompt.above(), [])
        waits = "bob@CIC is not there: the message is queued and will be sent when bob@CIC comes"
        self.assertEqual(self.shown(), ["12:00:00 … → bob@CIC: hi", f"12:00:00 · {waits}"])
        self.node.report(change("m1", "sent"))
        self.assertEqual((self.shown(), self.prompt.above()), ([], []))
        self.node.report(change("m1", "delivered"))
        self.assertEqual(self.shown(), ["12:00:00 ✓✓ → bob@CIC: hi"])

    def test_what_became_of_a_message_that_waited_has_the_time_when_it_did(self) -> None:
        self.node.known_links = []
        self.time -= timedelta(hours=2)
        self.enter("/msg bob hi")
        self.assertEqual(self.shown()[0], "10:00:00 … → bob@CIC: hi")
        self.node.report(change("m1", "failed", "too old"))
        self.assertEqual(self.shown(), ["12:00:00 ✗ → bob@CIC: hi (not delivered: too old)"])

    def test_messages_do_not_stay_in_sight_when_their_peer_leaves(self) -> None:
        self.enter("/msg bob hi")
        self.node.report(change("m1", "sent"))
        self.node.report(PeerDown(time=NOON, peer_id="carol@CIC", reason="bye"))
        self.assertEqual(len(self.prompt.above()), 1)
        self.shown()
        self.node.report(PeerDown(time=NOON, peer_id="bob@CIC", reason="bye"))
        self.assertEqual(self.prompt.above(), [])
        self.assertEqual(
            self.shown(), ["12:00:00 - bob@CIC is gone: bye", "12:00:00 ✓ → bob@CIC: hi"]
        )
        self.node.report(change("m1", "delivered"))
        self.assertEqual(self.shown(), ["12:00:00 ✓✓ → bob@CIC: hi"])

    def test_a_line_stands_where_the_user_left(self) -> None:
        self.node.report(message("seen"))
        self.time += timedelta(minutes=2)
        self.node.report(message("a"))
        self.node.report(message("b"))
        self.assertEqual(
            self.shown(),
            [
                "12:00:00 bob@CIC: seen",
                "──── unread from here on ────",
                "12:00:00 bob@CIC: a",
                "12:00:00 bob@CIC: b",
            ],
        )
        self.enter("")
        self.node.report(message("c"))
        self.assertEqual(self.shown(), ["12:00:00 bob@CIC: c"])
        self.time += timedelta(minutes=2)
        self.node.report(message("d"))
        self.assertEqual(len(self.shown()), 2)

    def test_what_was_printed_is_read_at_the_next_line(self) -> None:
        [first, second] = self.node.history.keep(received("b1"), received("b2"))
        self.node.report(message("a", stored_id=first))
        self.node.report(message("b", stored_id=second))
        self.assertEqual(self.node.history.read_up_to, [])
        self.enter("")
        self.assertEqual(self.node.history.read_up_to, [second])

    def test_what_the_terminal_did_not_take_is_not_read(self) -> None:
        [first, second] = self.node.history.keep(received("b1"), received("b2"))
        self.prompt.takes = False
        self.node.report(message("a", stored_id=first))
        self.prompt.takes = True
        self.node.report(message("b", stored_id=second))
        self.enter("")
        self.assertEqual(self.node.history.read_up_to, [])

    def test_unread_lists_what_an_earlier_session_left(self) -> None:
        self.node.history.keep(received("b1", "old"))
        [new] = self.node.history.keep(received("b2", "new"))
        self.node.report(message("new", stored_id=new))
        self.enter("")
        self.shown()
        self.enter("/unread")
        self.assertEqual(
            self.shown()[1:],
            ["──── 2025-03-01 ────", "12:00:00 bob@CIC: old", "12:00:00 bob@CIC: new"],
        )
        [newest] = self.node.history.keep(received("b3", "newest"))
        self.node.report(message("newest", stored_id=newest))
        self.enter("")
        self.assertEqual(self.node.history.read_up_to, [new, newest])

    def test_a_match_is_styled(self) -> None:
        self.node.history.keep(received("b1", "say hello"))
        self.enter("/search hello")
        self.assertEqual(self.shown()[1], "2025-03-01 12:00:00 bob@CIC: say hello")

    def test_peers_of_old_are_offered(self) -> None:
        self.node.history.peer_seen(PeerId("zoe@OLD"), [], NOON)
        self.reactor.advance(60)
        answers = []
        self.console.candidates_wanted("/msg z", answers.append)
        self.reactor.run_until(lambda: answers)
        self.assertEqual([found.text for found in answers[0]], ["zoe "])

    def test_stop_prints_what_is_under_way_and_waits_for_the_prompt(self) -> None:
        self.enter("/msg bob hi")
        stopped = self.console.stopService()
        self.assertEqual(self.shown(), ["12:00:00 … → bob@CIC: hi"])
        self.assertEqual(self.prompt.calls, ["start", "close"])
        self.assertNoResult(stopped)
        self.console.prompt_closed(None)
        self.reactor.run_until(lambda: stopped.called)
        self.assertEqual(self.prompt.calls, ["start", "close", "restore"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop_does_not_wait_for_ever_for_a_terminal_that_hangs(self) -> None:
        stopped = self.console.stopService()
        self.reactor.advance(2)
        self.successResultOf(stopped)
        self.assertEqual(self.prompt.calls[-1], "restore")
        self.console.prompt_closed(None)

    def test_nothing_is_done_after_stop(self) -> None:
        self.console.stopService()
        self.enter("/quit")
        self.console.prompt_left(None)
        self.node.report(message("late"))
        self.enter("x")
        self.assertEqual((self.node.calls, self.shown()), ([], []))

    def test_the_terminal_is_not_touched_before_the_reactor_runs(self) -> None:
        prompt = FakePrompt()
        console = TtyConsole(self.reactor, self.node, prompt, lambda: NOON, UTC)
        console.startService()
        self.assertEqual(prompt.calls, [])
        self.successResultOf(console.stopService())
        done = []
        self.reactor.callFromThread(done.append, True)
        self.reactor.run_until(lambda: done)
        self.assertEqual(prompt.calls, [])

    def test_loss_is_told(self) -> None:
        line = plain(self.console.describe_loss(7))
        self.assertEqual(
            line, "12:00:00 ! 7 lines were dropped here because the terminal took none"
        )
