"""How a message that was sent ends: confirmed, counted, cancelled."""

import sys

from p2pchat.chat import sending
from p2pchat.chat.sending import AGE_INTERVAL, ROOM_INTERVAL
from p2pchat.history import WITHDRAWN, Bounds, StoreError
from tests.at_once import at_once
from tests.chat.sending_case import MAX_AGE, RETRIES, TIMEOUT, SendingCase
from tests.chat.slow_history import SlowHistory


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

    def test_what_is_too_old_does_not_leave_any_more(self) -> None:
        msg_id, link = self.sends(), self.up()
        self.assertEqual(link.queued, 1)
        self.clock.advance(MAX_AGE.total_seconds() + AGE_INTERVAL)
        self.assertEqual(self.states(msg_id), ["queued", "failed"])
        self.assertEqual(self.writes(link), [])

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
