"""Messages from others: stored, then acknowledged, then shown."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.closing import LEAVE_TIMEOUT
from p2pchat.chat.inbox import Spoken
from p2pchat.chat.link import Ending
from p2pchat.chat.messages import Pub, Relay, Send
from p2pchat.chat.opening import MAX_WAITING, Opening
from p2pchat.chat.peers import Peer
from p2pchat.chat.receiving import HIGH_WATER, HIGH_WATER_TEXT, Receiving
from p2pchat.events import Event, Level, MessageReceived
from p2pchat.identity import PeerId
from tests.at_once import at_once
from tests.chat.bare import BOB, ME, Bare, talking
from tests.chat.slow_history import NOW, SlowHistory

EVE = PeerId("eve@CIC")


class ReceivingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.history = SlowHistory()
        self.events: list[Event] = []
        self.notices: list[tuple[Level, str]] = []
        self.opening = Opening()
        self.opening.open()
        self.receiving = self.start()
        self.bare = talking(modern=True)

    def start(self) -> Receiving:
        """Make the part that a process has, whatever the disk has."""
        return Receiving(
            *(self.clock, lambda: NOW, ME, self.history, self.opening),
            report=self.events.append,
            notice=lambda level, text: self.notices.append((level, text)),
        )

    def says(self, *messages: Spoken, peer: PeerId = BOB, bare: Bare | None = None) -> None:
        self.receiving.received(Peer(peer), (bare or self.bare).link, messages)

    def shown(self) -> list[str]:
        """Return the ids of what is shown by now, nothing being under way to the screen."""
        self.clock.pump([0] * 100)
        return [event.msg_id for event in self.events if isinstance(event, MessageReceived)]

    def acknowledged(self, bare: Bare | None = None) -> list[str]:
        return [line["msg_id"] for line in (bare or self.bare).lines if line["type"] == "ACK"]

    def stored(self) -> list[str]:
        return [entry.msg_id for entry in at_once(self.history.entries(None, 10_000))]


class Order(ReceivingCase):
    def break_at(self, *messages: Spoken) -> None:
        self.history.broken = self.history.held = True
        self.says(*messages)
        self.history.commit()
        self.history.broken = self.history.held = False

    def test_what_could_not_be_stored_is_not_overtaken(self) -> None:
        self.break_at(Send("1"), Send("2"))
        self.says(Send("3"), Pub("4", dst="*"))
        self.assertEqual(self.stored(), ["4"])
        self.says(Send("1"))
        self.says(Send("2"), Send("3"))
        self.says(Send("3"))
        self.assertEqual(self.stored(), ["4", "1", "2", "3"])
        self.assertEqual(self.acknowledged(), ["1", "2", "3", "3"])

    def test_another_link_begins_anew(self) -> None:
        self.break_at(Send("1"))
        self.receiving.link_down(self.bare.link)
        self.says(Send("2"))
        self.assertEqual(self.stored(), ["2"])

    def test_other_programs_do_not_send_everything_again(self) -> None:
        self.bare = talking(modern=False)
        self.break_at(Send("1"))
        self.says(Send("2"))
        self.assertEqual(self.stored(), ["2"])


class Committed(ReceivingCase):
    def test_neither_acknowledged_nor_shown_before_it_is_committed(self) -> None:
        self.history.held = True
        self.says(Send("1"))
        self.assertEqual((self.acknowledged(), self.shown()), ([], []))
        self.history.commit()
        self.assertEqual((self.acknowledged(), self.shown()), (["1"], ["1"]))
        self.assertEqual(self.stored(), ["1"])

    def test_one_read_is_stored_in_one_go_and_acknowledged_in_one_write(self) -> None:
        self.says(Send("1"), Send("2", require_ack=False), Pub("3", dst="*"), Send("4"))
        self.assertEqual(self.history.asked, 1)
        self.assertEqual(len(self.bare.socket.writes), 1)
        self.assertEqual(self.acknowledged(), ["1", "4"])
        self.assertEqual(self.shown(), ["1", "2", "3", "4"])

    def test_the_order_of_what_was_said_is_that_of_what_is_shown(self) -> None:
        self.history.held = True
        for number in range(5):
            self.says(Send(str(number)))
        self.history.commit(2)
        self.says(Send("5"))
        self.history.commit()
        self.assertEqual(self.shown(), [str(number) for number in range(6)])

    def test_what_is_shown_says_where_it_is_stored(self) -> None:
        self.says(Send("1", payload="hi"), Relay("2", src="joe@CIC", dst=ME, payload="from joe"))
        self.shown()
        events = [event for event in self.events if isinstance(event, MessageReceived)]
        entries = at_once(self.history.entries(None, 10))
        self.assertEqual(
            [(e.stored_id, e.source, e.text, e.relayed) for e in events],
            [(1, BOB, "hi", False), (2, "joe@CIC", "from joe", True)],
        )
        self.assertEqual(
            [(e.stored_id, e.source, e.text, e.relayed) for e in entries],
            [(e.stored_id, e.source, e.text, e.relayed) for e in events],
        )

    def test_what_is_for_somebody_else_is_nothing(self) -> None:
        self.says(Relay("1", src="joe@CIC", dst=EVE))
        self.assertEqual((self.history.asked, self.shown(), self.events), (0, [], []))

    def test_a_publication_to_a_bare_name_is_to_that_namespace(self) -> None:
        self.says(Pub("1", dst="CIC"), Pub("2", dst="#CIC"), Pub("3", dst="*"))
        targets = [entry.to for entry in at_once(self.history.entries(None, 10))]
        self.assertEqual(targets, ["#CIC", "#CIC", "*"])


class Repeated(ReceivingCase):
    def test_acknowledged_each_time_and_shown_once(self) -> None:
        for _ in range(3):
            self.says(Send("1"))
        self.assertEqual((self.acknowledged(), self.shown()), (["1"] * 3, ["1"]))

    def test_in_one_read(self) -> None:
        self.says(Send("1"), Send("1"))
        self.assertEqual((self.acknowledged(), self.shown()), (["1"] * 2, ["1"]))

    def test_while_the_first_is_being_stored(self) -> None:
        self.history.held = True
        self.says(Send("1"))
        self.says(Send("1"))
        self.history.commit()
        self.assertEqual((self.acknowledged(), self.shown()), (["1"] * 2, ["1"]))

    def test_in_another_life(self) -> None:
        self.says(Send("1"))
        self.shown()
        self.receiving = self.start()
        self.says(Send("1"))
        self.assertEqual((self.acknowledged(), self.shown()), (["1"] * 2, ["1"]))

    def test_the_same_id_of_another_peer_is_another_message(self) -> None:
        self.says(Send("1"))
        self.says(Send("1"), peer=EVE)
        self.assertEqual(self.shown(), ["1", "1"])


class NotStored(ReceivingCase):
    def setUp(self) -> None:
        super().setUp()
        self.history.broken = True

    def test_it_is_neither_acknowledged_nor_shown_and_its_repetition_is(self) -> None:
        self.says(Send("1"))
        self.assertEqual((self.acknowledged(), self.shown()), ([], []))
        self.history.broken = False
        self.says(Send("1"))
        self.assertEqual((self.acknowledged(), self.shown()), (["1"], ["1"]))

    def test_who_keeps_the_history_tells_of_the_disk(self) -> None:
        self.says(Send("1"))
        self.assertEqual(self.notices, [])

    def test_too_much_for_the_disk_is_told_once_and_again_after_a_recovery(self) -> None:
        self.history.broken = False
        self.history.full = True
        for number in range(3):
            self.says(Send(str(number)))
        ((level, text),) = self.notices
        self.assertEqual(level, "error")
        self.assertIn("the disk is behind", text)
        self.history.full = False
        self.says(Send("0"))
        self.assertEqual(len(self.notices), 1)
        self.history.full = True
        self.says(Send("1"))
        self.assertEqual(len(self.notices), 2)

    def test_a_history_that_is_closed_is_no_different(self) -> None:
        self.history.broken = False
        at_once(self.history.close())
        self.says(Send("1"))
        self.assertEqual((self.acknowledged(), self.shown()), ([], []))


class Unopened(ReceivingCase):
    """What comes in before the history is open."""

    def setUp(self) -> None:
        super().setUp()
        self.opening = Opening()
        self.receiving = self.start()

    def test_it_waits_and_is_stored_acknowledged_and_shown_in_order(self) -> None:
        self.says(Send("1"), Pub("2", dst="*"))
        self.says(Send("3"))
        self.assertEqual((self.acknowledged(), self.shown(), self.history.asked), ([], [], 0))
        self.opening.open()
        self.assertEqual((self.acknowledged(), self.shown()), (["1", "3"], ["1", "2", "3"]))
        self.assertEqual(self.stored(), ["1", "2", "3"])

    def test_what_is_repeated_meanwhile_is_shown_once(self) -> None:
        self.says(Send("1"))
        self.says(Send("1"))
        self.opening.open()
        self.assertEqual((self.acknowledged(), self.shown()), (["1", "1"], ["1"]))

    def test_a_link_that_says_too_much_is_read_again_when_it_opens(self) -> None:
        for number in range(HIGH_WATER + 1):
            self.says(Send(str(number)))
        self.assertFalse(self.bare.socket.reading)
        self.opening.open()
        self.assertTrue(self.bare.socket.reading)
        self.assertEqual(len(self.acknowledged()), HIGH_WATER + 1)

    def test_if_it_never_opens_nothing_is_acknowledged_shown_or_told(self) -> None:
        self.says(Send("1"))
        self.opening.give_up()
        self.assertEqual((self.acknowledged(), self.shown(), self.notices), ([], [], []))

    def test_beyond_a_bound_it_is_not_kept_and_that_is_told(self) -> None:
        links = [talking(modern=True) for _ in range(MAX_WAITING // HIGH_WATER)]
        for bare in links:
            for number in range(HIGH_WATER):
                self.says(Send(str(number)), bare=bare)
        self.assertEqual(self.notices, [])
        self.says(Send("one more"))
        self.assertEqual(len(self.notices), 1)


class Departing(ReceivingCase):
    """A link that ends while what it said is being stored."""

    def setUp(self) -> None:
        super().setUp()
        self.history.held = True
        self.says(Send("1"))

    def test_its_bye_is_answered_behind_the_ack(self) -> None:
        self.bare.receives({"type": "BYE", "msg_id": "9"})
        self.bare.run(LEAVE_TIMEOUT / 2)
        self.assertEqual(self.bare.types, [])
        self.history.commit()
        self.assertEqual(self.bare.types, ["ACK", "BYE_OK"])
        self.bare.run(0.1)
        self.assertIs(self.bare.ending.ending, Ending.PEER_LEFT)

    def test_we_leave_behind_the_ack(self) -> None:
        self.bare.link.queue(Send("not written any more"))
        self.bare.link.leave(Ending.WE_LEFT, "leaving")
        self.bare.run(LEAVE_TIMEOUT / 2)
        self.assertEqual(self.bare.types, [])
        self.history.commit()
        self.assertEqual(self.bare.types, ["ACK", "BYE"])
        self.bare.receives({"type": "BYE_OK", "msg_id": "9"})
        self.bare.run(0.1)
        self.assertIs(self.bare.ending.ending, Ending.WE_LEFT)

    def test_a_disk_that_fails_holds_up_nobody(self) -> None:
        self.history.broken = True
        self.bare.receives({"type": "BYE", "msg_id": "9"})
        self.history.commit()
        self.assertEqual(self.bare.types, ["BYE_OK"])

    def test_it_is_waited_for_within_a_bound(self) -> None:
        self.bare.receives({"type": "BYE", "msg_id": "9"})
        self.bare.run(LEAVE_TIMEOUT)
        self.assertEqual(self.bare.types, ["BYE_OK"])
        self.bare.run(0.1)
        self.assertTrue(self.bare.socket.closed)
        self.history.commit()
        self.assertEqual(self.bare.clock.getDelayedCalls(), [])

    def test_both_leave_at_once(self) -> None:
        self.bare.link.leave(Ending.WE_LEFT, "leaving")
        self.bare.run(LEAVE_TIMEOUT / 2)
        self.bare.receives({"type": "BYE", "msg_id": "9"})
        self.bare.run(LEAVE_TIMEOUT / 2)
        self.assertEqual(self.bare.types, ["BYE", "BYE_OK"])
        self.bare.run(0.1)
        self.assertTrue(self.bare.socket.closed)

    def test_a_bye_behind_ours_is_answered_without_waiting_again(self) -> None:
        self.bare.link.leave(Ending.WE_LEFT, "leaving")
        self.bare.run(LEAVE_TIMEOUT)
        self.assertEqual(self.bare.types, ["BYE"])
        self.bare.receives({"type": "BYE", "msg_id": "9"})
        self.assertEqual(self.bare.types, ["BYE", "BYE_OK"])

    def test_a_connection_that_is_lost_while_it_lasts_leaves_nothing_behind(self) -> None:
        self.bare.receives({"type": "BYE", "msg_id": "9"})
        self.bare.socket.lose()
        self.history.commit()
        self.assertEqual(self.bare.clock.getDelayedCalls(), [])
        self.assertEqual(self.shown(), ["1"])

    def test_a_bye_ok_that_comes_first_ends_it(self) -> None:
        self.bare.link.leave(Ending.WE_LEFT, "leaving")
        self.bare.receives({"type": "BYE_OK", "msg_id": "9"})
        self.history.commit()
        self.bare.run(0.1)
        self.assertIs(self.bare.ending.ending, Ending.WE_LEFT)
        self.assertEqual(self.bare.clock.getDelayedCalls(), [])


class TooMuch(ReceivingCase):
    def setUp(self) -> None:
        super().setUp()
        self.history.held = True

    def floods(self, count: int, bare: Bare | None = None) -> None:
        for number in range(count):
            self.says(Send(str(number)), bare=bare)

    def test_a_link_is_not_read_while_too_much_of_its_talk_waits_to_be_stored(self) -> None:
        self.floods(HIGH_WATER)
        self.assertTrue(self.bare.socket.reading)
        self.floods(1)
        self.assertFalse(self.bare.socket.reading)
        self.assertTrue(self.bare.link.paused, "its silence is not held against it")
        self.history.commit(HIGH_WATER // 2)
        self.assertFalse(self.bare.socket.reading)
        self.history.commit(1)
        self.assertTrue(self.bare.socket.reading)

    def test_nor_while_too_much_of_its_text_does(self) -> None:
        count = HIGH_WATER_TEXT // 32_000
        for number in range(count):
            self.says(Send(str(number), payload="x" * 32_000))
        self.assertTrue(self.bare.socket.reading)
        self.says(Send("last", payload="x" * 32_000))
        self.assertFalse(self.bare.socket.reading)
        self.history.commit(count // 2)
        self.assertFalse(self.bare.socket.reading)
        self.history.commit(2)
        self.assertTrue(self.bare.socket.reading)

    def test_others_are_read(self) -> None:
        other = talking(modern=True)
        self.floods(HIGH_WATER + 1)
        self.floods(1, other)
        self.assertTrue(other.socket.reading)

    def test_a_disk_that_fails_lets_it_go_on_too(self) -> None:
        self.floods(HIGH_WATER + 1)
        self.history.broken = True
        self.history.commit()
        self.assertTrue(self.bare.socket.reading)

    def test_a_link_that_is_gone_when_its_talk_is_stored(self) -> None:
        self.floods(HIGH_WATER + 1)
        self.bare.socket.lose()
        self.history.commit()
        self.assertEqual(len(self.stored()), HIGH_WATER + 1)
        self.assertEqual(self.acknowledged(), [])


class Stopping(ReceivingCase):
    def test_what_was_taken_is_shown_when_it_stops(self) -> None:
        self.says(Send("1"), Pub("2", dst="*"))
        self.receiving.stop()
        self.assertEqual([e.msg_id for e in self.events], ["1", "2"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_stored_only_then_is_shown_at_once(self) -> None:
        self.history.held = True
        self.says(Send("1"))
        self.receiving.stop()
        self.history.commit()
        self.assertEqual([e.msg_id for e in self.events], ["1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
