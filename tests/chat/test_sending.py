"""Messages of ours: stored before they are accepted, handed to links, tried again, ended."""

import sys
from typing import Any

from p2pchat.chat import outbox, sending
from p2pchat.chat.opening import Opening
from p2pchat.chat.sending import AGE_INTERVAL, OPENING_TIMEOUT, ROOM_INTERVAL
from p2pchat.errors import RequestError
from p2pchat.history import Bounds
from tests.at_once import at_once
from tests.chat.bare import BOB
from tests.chat.sending_case import EVE, LIMIT, SendingCase
from tests.chat.slow_history import NOW, SlowHistory


class Accepting(SendingCase):
    def test_it_is_accepted_when_it_is_committed_and_not_before(self) -> None:
        link = self.up()
        self.history.held = True
        asked = self.asks()
        self.assertNoResult(asked)
        self.assertEqual((self.events, link.waiting), ([], []))
        self.history.commit()
        msg_id = at_once(asked)
        self.assertEqual(self.states(msg_id), ["queued"])
        self.assertEqual([message.msg_id for message in link.waiting], [msg_id])

    def test_what_can_not_be_stored_is_refused_and_goes_nowhere(self) -> None:
        link = self.up()
        self.history.broken = True
        error = self.assertRaises(RequestError, self.sends)
        self.assertIn("disk full", str(error))
        self.assertEqual((self.events, link.waiting, self.sending.pending), ([], [], 0))

    def test_a_full_outbox_refuses_clearly_and_leaves_room_for_others(self) -> None:
        for _ in range(LIMIT):
            self.sends()
        error = self.assertRaises(RequestError, self.sends)
        self.assertIn(f"{LIMIT} messages wait for bob@CIC", str(error))
        self.assertEqual((self.sending.pending, len(self.stored())), (LIMIT, LIMIT))
        self.sends(to=EVE)

    def test_what_no_line_can_carry_is_refused_before_it_is_stored(self) -> None:
        self.assertRaises(RequestError, self.sends, "x" * 1_000_000)
        self.assertEqual(self.history.asked, 0)

    def test_it_waits_for_a_peer_that_nobody_ever_saw(self) -> None:
        msg_id = self.sends(to=EVE)
        self.clock.pump([AGE_INTERVAL] * 10)
        self.assertEqual(self.states(msg_id), ["queued"])
        self.assertEqual((self.sending.waiting_for, self.sending.on_the_way), ([EVE], 0))


class Unopened(SendingCase):
    """What is sent before the history is open."""

    def setUp(self) -> None:
        super().setUp()
        self.opening = Opening()
        self.sending = self.start()

    def test_it_waits_and_goes_out_in_order_behind_what_an_earlier_run_left(self) -> None:
        old = at_once(self.history.queue(BOB, "old", "0", NOW))
        link = self.up()
        asked = [self.asks(str(number)) for number in range(2)]
        self.assertEqual((self.history.asked, self.events), (1, []))
        self.sending.resume(self.stored())
        self.opening.open()
        self.assertEqual(self.writes(link), ["old", *(at_once(one) for one in asked)])
        self.assertEqual([entry.stored_id for entry in self.stored()], [old, old + 1, old + 2])
        self.clock.advance(OPENING_TIMEOUT)
        self.assertEqual(self.states("old"), ["sent"])

    def test_but_not_for_long(self) -> None:
        asked = self.asks()
        self.clock.advance(OPENING_TIMEOUT - 0.1)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        self.assertIn("not open yet", str(self.failureResultOf(asked, RequestError).value))
        self.opening.open()
        self.assertEqual((self.history.asked, self.clock.getDelayedCalls()), (0, []))

    def test_nor_once_it_could_not_be_opened(self) -> None:
        asked = self.asks()
        self.opening.failed("disk full")
        for one in (asked, self.asks()):
            error = self.failureResultOf(one, RequestError).value
            self.assertEqual(str(error), "not sent to bob@CIC: disk full")
        self.opening.open()
        self.sends()
        self.assertEqual(self.history.asked, 1)

    def test_nor_when_the_node_stops(self) -> None:
        asked = self.asks()
        self.opening.give_up()
        self.failureResultOf(asked, RequestError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_publication_goes_out_at_once_and_is_stored_later(self) -> None:
        link = self.up()
        msg_id, taken = self.sending.publish("*", [self.bob], "hi")
        self.assertEqual((taken, link.queued, self.history.asked), (1, 1, 0))
        self.opening.open()
        (entry,) = at_once(self.history.entries("*", 10))
        self.assertEqual(entry.msg_id, msg_id)

    def test_what_an_earlier_run_left_is_withdrawn_when_it_is_known(self) -> None:
        at_once(self.history.queue(BOB, "old", "0", NOW))
        cancelled = self.cancels("old")
        self.assertNoResult(cancelled)
        self.sending.resume(self.stored())
        self.opening.open()
        self.assertTrue(at_once(cancelled))
        self.assertEqual(self.up().waiting, [])


class HandingOver(SendingCase):
    def test_a_full_queue_is_tried_again_though_no_ack_comes(self) -> None:
        link = self.up(room=1)
        self.sending.publish("*", [self.bob], "in the way")
        msg_id = self.sends()
        link.waiting.clear()
        self.clock.advance(ROOM_INTERVAL)
        self.assertEqual(self.writes(link), [msg_id])

    def test_what_one_link_has_not_written_goes_to_the_other_in_order(self) -> None:
        """A legacy peer may have two links, and is written to on the one that spoke last."""
        first = self.up(modern=False)
        ids = [self.sends(str(number)) for number in range(3)]
        self.sending.written(first.waiting.pop(0))
        second = self.up(modern=False)
        second.heard_at = 1.0
        last = self.sends("last")
        self.assertEqual(first.waiting, [])
        self.assertEqual(self.writes(second), [*ids[1:], last])
        self.down(first)
        self.assertEqual(self.writes(second)[3:], ids[:1])

    def test_also_from_a_link_that_is_closing(self) -> None:
        first = self.up()
        ids = [self.sends(str(number)) for number in range(2)]
        first.waiting.clear()
        first.talking, first.ended = False, True
        self.assertEqual(self.writes(self.up()), ids)

    def test_thousands_for_one_peer_cost_each_the_same(self) -> None:
        counts = [self.calls_for(number) for number in (100, 400)]
        self.assertLess(counts[1], 6 * counts[0])

    def calls_for(self, number: int) -> int:
        """Count the calls of functions that it takes to deliver so many over a narrow link."""
        self.history = SlowHistory(Bounds(max_outbox_per_peer=number))
        self.bob.links.clear()
        self.sending, calls = self.start(), 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += frame.f_code.co_filename in (sending.__file__, outbox.__file__)

        sys.setprofile(count)
        try:
            for _ in range(number // 2):
                self.sends()
            link = self.up(room=number // 10)
            for _ in range(number // 2):
                self.sends()
            while link.waiting:
                ids = [message.msg_id for message in link.waiting]
                self.writes(link)
                for msg_id in ids:
                    self.sending.acknowledged(self.bob, msg_id)
        finally:
            sys.setprofile(None)
        self.assertEqual((len(link.written), self.sending.pending), (number, 0))
        return calls

    def test_in_order_and_only_what_is_for_this_peer(self) -> None:
        ids = [self.sends(str(number)) for number in range(3)]
        self.sends(to=EVE)
        link = self.up()
        self.assertEqual(self.writes(link), ids)
        self.assertEqual(self.states(ids[0]), ["queued", "sent"])
        self.assertEqual([entry.attempts for entry in self.stored()], [1, 1, 1, 0])

    def test_what_finds_no_room_goes_when_there_is_some(self) -> None:
        ids = [self.sends(str(number)) for number in range(4)]
        link = self.up(room=2)
        self.assertEqual((link.queued, self.sending.on_the_way), (2, 2))
        self.writes(link)
        self.sending.acknowledged(self.bob, ids[0])
        self.assertEqual(self.writes(link), ids)

    def test_behind_what_found_no_room_later_ones_wait_too(self) -> None:
        first = [self.sends(str(number)) for number in range(3)]
        link = self.up(room=2)
        self.writes(link)
        last = self.sends("last")
        self.assertEqual(self.writes(link), [*first, last])

    def test_on_a_new_link_all_that_has_no_ack_goes_again_in_order(self) -> None:
        ids = [self.sends(str(number)) for number in range(3)]
        link = self.up()
        self.writes(link)
        self.sending.acknowledged(self.bob, ids[1])
        self.down(link)
        self.assertEqual(self.writes(self.up()), [ids[0], ids[2]])
        self.assertEqual(self.states(ids[0]), ["queued", "sent"])
