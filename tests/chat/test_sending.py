"""Messages of ours: stored before they are accepted, handed to links, tried again, ended."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat import outbox, requeuing, sending
from p2pchat.chat.messages import Pub, Send
from p2pchat.chat.opening import Opening
from p2pchat.chat.outbox import Outbox
from p2pchat.chat.peers import PeerTable
from p2pchat.chat.sending import AGE_INTERVAL, OPENING_TIMEOUT, ROOM_INTERVAL, Sending
from p2pchat.errors import QueueFullError, RequestError
from p2pchat.events import DeliveryChanged
from p2pchat.history import WITHDRAWN, Bounds, OutboxEntry, StoreError
from p2pchat.identity import PeerId
from tests.at_once import at_once
from tests.chat.bare import BOB, ME
from tests.chat.slow_history import NOW, SlowHistory

EVE = PeerId("eve@CIC")
TIMEOUT = 5.0
RETRIES = 3
MAX_AGE = timedelta(days=7)
LIMIT = 5


class FakeLink:
    """A link with room for so many messages, that writes them when a test says so."""

    talking = True
    ended = False
    heard_at = 0.0

    def __init__(self, *, modern: bool = True, room: int = 1000) -> None:
        self.modern = modern
        self.room = room
        self.waiting: list[Send | Pub] = []
        self.written: list[str] = []

    @property
    def queued(self) -> int:
        return len(self.waiting)

    def queue(self, message: Send | Pub, line: bytes | None = None) -> None:
        if len(self.waiting) >= self.room:
            raise QueueFullError("no room")
        self.waiting.append(message)

    def withdraw(self, msg_id: str) -> bool:
        kept = [message for message in self.waiting if message.msg_id != msg_id]
        withdrawn, self.waiting = len(kept) < len(self.waiting), kept
        return withdrawn


class SendingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.history = SlowHistory(Bounds(max_outbox_per_peer=LIMIT))
        self.events: list[DeliveryChanged] = []
        self.notices: list[str] = []
        self.peers = PeerTable(10)
        self.bob = self.peers.meet(BOB, 0.0)
        self.opening = Opening()
        self.opening.open()
        self.sending = self.start()

    def start(self) -> Sending:
        """Make the part that a process has, whatever the disk has."""
        return Sending(
            *(self.clock, Random(1), lambda: NOW + timedelta(seconds=self.clock.seconds()), ME),
            *(self.peers, Outbox(TIMEOUT, MAX_AGE, RETRIES), self.history, self.opening),
            report=self.events.append,
            notice=lambda level, text: self.notices.append(text),
        )

    def up(self, **options: Any) -> FakeLink:
        link = FakeLink(**options)
        self.bob.links.append(link)
        self.sending.link_up(self.bob)
        return link

    def down(self, link: FakeLink) -> None:
        self.bob.links.remove(link)
        self.sending.link_down(self.bob, link)

    def asks(self, text: str = "hi", to: PeerId = BOB) -> "Deferred[str]":
        return Deferred.fromCoroutine(self.sending.send(to, text))

    def sends(self, text: str = "hi", to: PeerId = BOB) -> str:
        return at_once(self.asks(text, to))

    def cancels(self, message: int | str) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self.sending.cancel(message))

    def writes(self, link: FakeLink) -> list[str]:
        """Let a link write what waits; return all the ids that it wrote so far."""
        while link.waiting:
            message = link.waiting.pop(0)
            link.written.append(message.msg_id)
            self.sending.written(message)
        return link.written

    def states(self, msg_id: str) -> list[str]:
        return [event.state for event in self.events if event.msg_id == msg_id]

    def stored(self) -> Sequence[OutboxEntry]:
        return at_once(self.history.outbox())

    def ended(self) -> list[tuple[str, str]]:
        """Return the state of all messages and why they failed, as the history has it."""
        return [(e.state, e.reason) for e in at_once(self.history.entries(None, 100))]


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


class Confirmed(SendingCase):
    def test_delivered_once_and_out_of_the_outbox(self) -> None:
        msg_id = self.sends()
        self.writes(self.up())
        for _ in range(2):
            self.sending.acknowledged(self.bob, msg_id)
        self.assertEqual(self.states(msg_id), ["queued", "sent", "delivered"])
        self.assertEqual((list(self.stored()), self.ended()), ([], [("delivered", "")]))

    def test_without_an_ack_again_on_the_same_link_with_growing_pauses(self) -> None:
        msg_id = self.sends()
        link, times = self.up(), []
        for _ in range(200):
            if link.waiting:
                times.append(self.clock.seconds())
                self.writes(link)
            self.clock.advance(1)
        self.assertEqual(times, [0, 5, 15, 35, 75, 155])
        self.assertEqual(set(link.written), {msg_id})
        self.assertEqual(self.states(msg_id), ["queued", "sent"])

    def test_to_another_program_only_on_another_link_and_not_for_ever(self) -> None:
        msg_id, links = self.sends(), []
        for _ in range(RETRIES + 2):
            links.append(self.up(modern=False))
            self.writes(links[-1])
            self.clock.pump([1.0] * 1000)
            self.down(links[-1])
        self.assertEqual([link.written for link in links], [[msg_id]] * (RETRIES + 1) + [[]])
        self.assertEqual(self.states(msg_id), ["queued", "sent", "failed"])
        self.assertEqual(self.ended(), [("failed", "sent 4 times, and never confirmed")])

    def test_the_last_attempt_has_failed_when_its_ack_did_not_come_in_time(self) -> None:
        msg_id = self.sends()
        for _ in range(RETRIES):
            link = self.up(modern=False)
            self.writes(link)
            self.down(link)
        self.writes(self.up(modern=False))
        self.clock.advance(TIMEOUT - 0.01)
        self.assertEqual(self.states(msg_id), ["queued", "sent"])
        self.clock.advance(0.02)
        self.assertEqual(self.states(msg_id), ["queued", "sent", "failed"])

    def test_given_up_when_it_is_too_old(self) -> None:
        msg_id = self.sends()
        self.clock.advance(MAX_AGE.total_seconds())
        self.assertEqual(self.states(msg_id), ["queued"])
        self.clock.advance(AGE_INTERVAL + 1)
        self.assertEqual(self.states(msg_id), ["queued", "failed"])
        self.assertEqual(self.ended(), [("failed", "no confirmation within 7 days")])

    def test_an_ack_that_comes_after_that_is_told_and_stored(self) -> None:
        msg_id = self.sends()
        link = self.up(modern=False)
        self.writes(link)
        self.clock.advance(MAX_AGE.total_seconds() + AGE_INTERVAL)
        self.sending.acknowledged(self.bob, msg_id)
        self.assertEqual(self.states(msg_id), ["queued", "sent", "failed", "delivered"])
        self.assertEqual(self.ended(), [("delivered", "")])

    def test_a_disk_that_fails_then_costs_nothing_but_another_attempt_in_the_next_life(
        self,
    ) -> None:
        msg_id = self.sends()
        self.history.broken = True
        self.writes(self.up())
        self.sending.acknowledged(self.bob, msg_id)
        self.assertEqual(self.states(msg_id), ["queued", "sent", "delivered"])
        self.assertEqual([entry.msg_id for entry in self.stored()], [msg_id])

    def test_and_not_even_that_if_the_disk_recovers_in_this_one(self) -> None:
        msg_id = self.sends()
        self.writes(self.up())
        self.history.broken = True
        self.sending.acknowledged(self.bob, msg_id)
        self.clock.advance(AGE_INTERVAL)
        self.history.broken = False
        self.clock.advance(AGE_INTERVAL)
        self.assertEqual((list(self.stored()), self.ended()), ([], [("delivered", "")]))
        self.assertEqual(self.states(msg_id), ["queued", "sent", "delivered"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nor_if_it_recovers_before_the_end_of_this_one(self) -> None:
        msg_id = self.sends()
        self.writes(self.up())
        self.history.broken = True
        self.sending.acknowledged(self.bob, msg_id)
        self.history.broken = False
        self.sending.stop()
        self.assertEqual((list(self.stored()), self.ended()), ([], [("delivered", "")]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_late_ack_counts_more_than_a_failure_that_is_not_stored_yet(self) -> None:
        msg_id = self.sends()
        self.writes(self.up(modern=False))
        self.history.broken = True
        self.clock.advance(MAX_AGE.total_seconds())
        self.clock.advance(AGE_INTERVAL + 1)
        self.assertEqual(self.states(msg_id)[-1], "failed")
        self.sending.acknowledged(self.bob, msg_id)
        self.history.broken = False
        self.clock.advance(AGE_INTERVAL)
        self.assertEqual(self.ended(), [("delivered", "")])

    def test_also_if_the_disk_refuses_both(self) -> None:
        msg_id = self.sends()
        self.writes(self.up(modern=False))
        self.history.held = True
        self.clock.advance(MAX_AGE.total_seconds())
        self.clock.advance(AGE_INTERVAL + 1)
        self.sending.acknowledged(self.bob, msg_id)
        self.history.broken = True
        self.history.commit()
        self.history.held = self.history.broken = False
        self.clock.advance(AGE_INTERVAL)
        self.assertEqual(self.ended(), [("delivered", "")])

    def test_while_it_waits_in_a_queue_again_it_is_not_written_again(self) -> None:
        """Its link was replaced, and the ACK came by the old one."""
        msg_id = self.sends()
        link = self.up(modern=False)
        self.writes(link)
        self.down(link)
        link = self.up(modern=False)
        self.sending.acknowledged(self.bob, msg_id)
        self.assertEqual(link.waiting, [])
        self.assertEqual(self.states(msg_id)[-1], "delivered")


class CountedAhead(SendingCase):
    """To another program nothing is written that is not counted before."""

    def test_not_before_it_is_committed(self) -> None:
        self.history.held = True
        asked = [self.asks(str(number)) for number in range(3)]
        self.history.commit()
        link = self.up(modern=False)
        self.assertEqual(link.waiting, [])
        self.history.commit()
        ids = [at_once(one) for one in asked]
        self.assertEqual(self.writes(link), ids)
        self.assertEqual([entry.attempts for entry in self.stored()], [1] * 3)
        self.history.commit()
        self.assertEqual([entry.attempts for entry in self.stored()], [1] * 3)

    def test_however_often_it_crashes_behind_an_attempt(self) -> None:
        msg_id = self.sends()
        self.history.held = True
        written = []
        for _ in range(2 * RETRIES):
            self.bob.links.clear()
            self.sending = self.start()
            self.sending.resume(self.stored())
            link = self.up(modern=False)
            self.history.commit()
            written += self.writes(link)
            self.history.crash()
        self.assertEqual(written, [msg_id] * (RETRIES + 1))

    def test_an_attempt_that_was_not_made_is_not_counted_again(self) -> None:
        msg_id = self.sends()
        for _ in range(2 * RETRIES):
            self.down(self.up(modern=False))
        self.assertEqual([entry.attempts for entry in self.stored()], [1])
        self.assertEqual([state for state, _ in self.ended()], ["queued"])
        self.assertEqual(self.writes(self.up()), [msg_id])
        self.assertEqual([entry.attempts for entry in self.stored()], [1])

    def test_on_a_full_disk_it_waits(self) -> None:
        msg_id = self.sends()
        self.history.broken = True
        link = self.up(modern=False)
        self.clock.advance(ROOM_INTERVAL)
        self.assertEqual(link.waiting, [])
        self.history.broken = False
        self.clock.advance(ROOM_INTERVAL)
        self.assertEqual(self.writes(link), [msg_id])

    def test_a_file_that_is_replaced_knows_what_was_counted(self) -> None:
        self.sends()
        self.up(modern=False)
        self.history.lose()
        self.assertEqual([entry.attempts for entry in self.stored()], [1])

    def test_any_number_at_once(self) -> None:
        self.history = SlowHistory(Bounds(max_outbox_per_peer=20_000))
        self.sending = self.start()
        depth = sys.getrecursionlimit()
        self.patch(sending, "LOW_QUEUE", 1)
        ids = [self.sends() for _ in range(2 * depth)]
        link = self.up(modern=False, room=2 * depth)
        self.assertEqual(self.writes(link), ids)

    def test_our_own_kind_need_not_wait(self) -> None:
        self.history.held = True
        asked = self.asks()
        self.history.commit()
        link = self.up()
        self.assertEqual(self.writes(link), [at_once(asked)])


class Cancelling(SendingCase):
    def test_what_stands_in_a_queue_is_not_written(self) -> None:
        link = self.up()
        first, second = self.sends("1"), self.sends("2")
        self.assertTrue(at_once(self.cancels(first)))
        self.assertEqual(self.writes(link), [second])
        self.assertEqual(self.states(first), ["queued", "failed"])

    def test_a_disk_that_fails_leaves_it_where_it_is(self) -> None:
        link = self.up()
        msg_id = self.sends()
        self.history.broken = True
        self.failureResultOf(self.cancels(msg_id), StoreError)
        self.assertEqual(self.writes(link), [msg_id])

    def test_by_msg_id_and_by_stored_id(self) -> None:
        first, second = self.sends("1"), self.sends("2")
        stored_id = self.stored()[1].stored_id
        self.assertTrue(at_once(self.cancels(first)))
        self.assertTrue(at_once(self.cancels(stored_id)))
        for msg_id in (first, second):
            self.assertEqual(self.states(msg_id), ["queued", "failed"])
        self.assertEqual({event.reason for event in self.events}, {"", WITHDRAWN})
        self.assertEqual(self.ended(), [("failed", WITHDRAWN)] * 2)
        self.assertEqual(self.up().waiting, [])

    def test_what_is_not_there(self) -> None:
        msg_id = self.sends()
        self.assertTrue(at_once(self.cancels(msg_id)))
        for message in (msg_id, "unknown", 99):
            self.assertFalse(at_once(self.cancels(message)))
        self.assertEqual(self.states(msg_id), ["queued", "failed"])

    def test_what_has_gone_out_may_still_be_confirmed(self) -> None:
        msg_id = self.sends()
        self.writes(self.up())
        self.assertTrue(at_once(self.cancels(msg_id)))
        self.sending.acknowledged(self.bob, msg_id)
        self.assertEqual(self.states(msg_id), ["queued", "sent", "failed", "delivered"])
        self.assertEqual(self.ended(), [("delivered", "")])

    def test_its_ack_comes_while_the_disk_is_at_work(self) -> None:
        msg_id = self.sends()
        self.writes(self.up())
        self.history.held = True
        cancelled = self.cancels(msg_id)
        self.sending.acknowledged(self.bob, msg_id)
        self.history.commit()
        self.assertFalse(at_once(cancelled))
        self.assertEqual(self.states(msg_id), ["queued", "sent", "delivered"])
        self.assertEqual(self.ended(), [("delivered", "")])


class Lives(SendingCase):
    def test_stopping_tells_of_no_end_and_leaves_no_timer(self) -> None:
        ids = [self.sends("1"), self.sends("2", EVE)]
        self.writes(self.up())
        self.sending.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.states(ids[0]), ["queued", "sent"])
        self.assertEqual([entry.msg_id for entry in self.stored()], ids)

    def test_nothing_that_comes_later_sets_a_timer_again(self) -> None:
        self.history.held = True
        asked = self.asks()
        self.sending.stop()
        self.history.commit()
        at_once(asked)
        link = self.up()
        self.writes(link)
        self.down(link)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_next_life_goes_on_in_order_under_the_same_ids(self) -> None:
        ids = [self.sends(str(number)) for number in range(3)]
        link = self.up()
        self.writes(link)
        self.sending.stop()
        self.bob.links.clear()
        self.events.clear()
        self.sending = self.start()
        link = self.up()
        self.sending.resume(self.stored())
        self.sending.resume(self.stored())
        self.assertEqual(self.writes(link), ids)
        self.sending.acknowledged(self.bob, ids[0])
        self.assertEqual(self.states(ids[0])[-1], "delivered")
        self.assertEqual([entry.attempts for entry in self.stored()], [2, 2])

    def test_the_attempts_at_another_program_are_counted_over_lives(self) -> None:
        msg_id = self.sends()
        written = []
        for _ in range(RETRIES + 2):
            link = self.up(modern=False)
            written += self.writes(link)
            self.sending.stop()
            self.bob.links.clear()
            self.sending = self.start()
            self.sending.resume(self.stored())
        self.assertEqual(written, [msg_id] * (RETRIES + 1))
        self.assertEqual(self.states(msg_id)[-1], "failed")

    def test_what_became_too_old_meanwhile_fails_at_the_start(self) -> None:
        msg_id = self.sends()
        self.sending.stop()
        self.clock.advance(MAX_AGE.total_seconds() + 1)
        self.sending = self.start()
        self.sending.resume(self.stored())
        self.assertEqual(self.states(msg_id), ["queued", "failed"])


class Replaced(SendingCase):
    """A damaged file is replaced, and what is under way is not in the new one."""

    def test_what_is_under_way_is_in_the_new_one_in_order_and_with_its_attempts(self) -> None:
        ids = [self.sends(str(number)) for number in range(3)]
        self.down(self.written_by_another())
        delivered = self.sends("delivered", EVE)
        self.sending.acknowledged(self.peers.meet(EVE, 0.0), delivered)
        before = self.stored()
        self.history.lose()
        self.assertEqual(self.stored(), before)
        self.assertEqual([entry.attempts for entry in before], [1, 1, 1])
        text = "3 messages still to be delivered went into the new outbox"
        self.assertEqual(self.notices, [text])
        self.sending.stop()
        self.sending = self.start()
        self.sending.resume(self.stored())
        self.assertEqual(self.writes(self.up()), ids)

    def written_by_another(self) -> FakeLink:
        link = self.up()
        self.writes(link)
        return link

    def test_nothing_is_told_where_nothing_was_lost(self) -> None:
        self.history.lose()
        self.assertEqual((self.stored(), self.notices), ([], []))

    def test_it_can_be_withdrawn_as_before(self) -> None:
        msg_id = self.sends()
        self.history.lose()
        self.assertTrue(at_once(self.cancels(msg_id)))
        self.assertEqual(self.states(msg_id), ["queued", "failed"])

    def test_what_ends_meanwhile_does_not_come_back(self) -> None:
        self.patch(requeuing, "PAGE", 1)
        ids = [self.sends(str(number)) for number in range(3)]
        self.history.held = True
        self.history.lose()
        self.sending.acknowledged(self.bob, ids[1])
        self.history.held = False
        self.history.commit()
        self.assertEqual([entry.msg_id for entry in self.stored()], [ids[0], ids[2]])

    def test_what_the_disk_refuses_is_tried_again(self) -> None:
        self.patch(requeuing, "PAGE", 2)
        ids = [self.sends(str(number)) for number in range(4)]
        for trouble in ("broken", "full"):
            setattr(self.history, trouble, True)
            self.history.lose()
            self.clock.advance(AGE_INTERVAL)
            self.assertEqual(self.stored(), [])
            setattr(self.history, trouble, False)
            self.clock.advance(AGE_INTERVAL)
            self.assertEqual([entry.msg_id for entry in self.stored()], ids)

    def test_at_the_latest_when_the_node_stops(self) -> None:
        msg_id = self.sends()
        self.history.broken = True
        self.history.lose()
        self.history.broken = False
        self.sending.stop()
        self.assertEqual([entry.msg_id for entry in self.stored()], [msg_id])

    def test_another_one_is_damaged_meanwhile(self) -> None:
        msg_id = self.sends()
        self.history.held = True
        self.history.lose()
        self.history.commit()
        self.history.held = True
        self.history.lose()
        self.history.lose()
        self.history.held = False
        self.history.commit()
        self.assertEqual([entry.msg_id for entry in self.stored()], [msg_id])


class Publishing(SendingCase):
    def test_it_is_stored_whoever_is_there(self) -> None:
        msg_id, taken = self.sending.publish("*", [], "hi")
        (entry,) = at_once(self.history.entries("*", 10))
        self.assertEqual((entry.msg_id, entry.text, entry.kind, taken), (msg_id, "hi", "pub", 0))

    def test_a_link_without_room_misses_it_and_is_told_of(self) -> None:
        self.up(room=0)
        self.assertEqual(self.sending.publish("*", [self.bob], "hi")[1], 0)
        self.assertIn("bob@CIC does not keep up", self.notices[0])

    def test_a_disk_that_fails_does_not_hold_it_up(self) -> None:
        link = self.up()
        self.history.broken = True
        self.assertEqual(self.sending.publish("*", [self.bob], "hi")[1], 1)
        self.assertEqual(link.queued, 1)
        text = "a /pub went out, but will not be in the history: disk full"
        self.assertEqual(self.notices, [text])
