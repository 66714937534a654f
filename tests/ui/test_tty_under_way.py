"""What stands above the prompt until it has ended, and what is printed then."""

from datetime import timedelta

from p2pchat.events import DeliveryChanged, HistoryOpened, PeerDown
from p2pchat.history import OutboxEntry
from p2pchat.identity import PeerId
from tests.ui.archive_events import chat_changed, grew
from tests.ui.fakes import NOON
from tests.ui.test_outgoing import change
from tests.ui.tty_case import TtyCase


class UnderWayTests(TtyCase):
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
