"""The console on a terminal: what is printed, typed and read, and how it ends."""

from datetime import UTC, timedelta

from twisted.internet.defer import Deferred

from p2pchat.errors import RequestError
from p2pchat.events import HistoryOpened, PeerDown, PeerUp
from p2pchat.identity import PeerId
from p2pchat.ui.styled import plain
from p2pchat.ui.tty import TtyConsole
from tests.ui.archive_events import grew
from tests.ui.fakes import NOON, peer, received
from tests.ui.test_outgoing import change
from tests.ui.test_views import message
from tests.ui.tty_case import FakePrompt, TtyCase


class TtyTests(TtyCase):
    def test_events_are_printed_with_the_time_of_day(self) -> None:
        self.node.report(message("hi"))
        self.assertEqual(self.shown(), ["12:00:00 bob@CIC: hi"])

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

    def test_whom_we_wrote_to_is_offered_at_once(self) -> None:
        self.node.known.append(peer("zed@CIC"))
        self.enter("/msg zed hi")
        self.node.known.pop()
        self.node.history.peer_seen(PeerId("zed@CIC"), [], NOON)
        answers = []
        self.console.candidates_wanted("/msg z", answers.append)
        self.reactor.run_until(lambda: answers)
        self.assertEqual([found.text for found in answers[0]], ["zed "])

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
