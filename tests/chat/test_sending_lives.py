"""Messages over several lives of a process and of its file, and publications."""

from p2pchat.chat import requeuing
from p2pchat.chat.sending import AGE_INTERVAL
from tests.at_once import at_once
from tests.chat.sending_case import EVE, MAX_AGE, RETRIES, FakeLink, SendingCase


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
