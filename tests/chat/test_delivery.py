"""What becomes of messages to one peer each, case by case."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.delivery import MAX_LATE, Deliveries, Delivery, Stage
from p2pchat.chat.messages import Send
from p2pchat.errors import QueueFullError
from p2pchat.identity import PeerId

BOB, EVE = PeerId("bob@CIC"), PeerId("eve@CIC")
TIMEOUT = 5.0


class DeliveriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.deliveries = Deliveries(TIMEOUT, limit=3)

    def add(self, msg_id: str, now: float = 0.0, peer: PeerId = BOB) -> Delivery:
        return self.deliveries.add(peer, Send(msg_id), now)

    def sent(self, msg_id: str, now: float = 0.0, link: object = "link") -> Delivery:
        delivery = self.add(msg_id, now)
        self.deliveries.queued(delivery, link)
        self.deliveries.written(msg_id, now)
        return delivery

    def expired(self, now: float) -> list[str]:
        return [delivery.message.msg_id for delivery in self.deliveries.expire(now)]

    def test_waiting_for_a_link_fails_after_the_timeout_and_not_before(self) -> None:
        self.add("1", now=10.0)
        self.assertEqual(self.deliveries.next_deadline(), 15.0)
        self.assertEqual(self.expired(14.999), [])
        self.assertEqual(self.expired(15.0), ["1"])
        self.assertEqual(self.expired(100.0), [])
        self.assertEqual(len(self.deliveries), 0)
        self.assertIsNone(self.deliveries.next_deadline())

    def test_standing_in_a_queue_has_no_deadline(self) -> None:
        self.deliveries.queued(self.add("1"), "link")
        self.assertIsNone(self.deliveries.next_deadline())
        self.assertEqual(self.expired(1000.0), [])
        self.assertEqual(len(self.deliveries), 1)

    def test_the_timeout_of_an_ack_begins_when_it_is_written(self) -> None:
        self.deliveries.queued(self.add("1"), "link")
        self.deliveries.written("1", 100.0)
        self.assertEqual(self.expired(104.999), [])
        self.assertEqual(self.expired(105.0), ["1"])

    def test_written_tells_the_first_time_only(self) -> None:
        delivery = self.add("1")
        self.assertIs(self.deliveries.written("1", 0.0), delivery)
        self.assertIsNone(self.deliveries.written("1", 1.0))
        self.assertIsNone(self.deliveries.written("unknown", 1.0))

    def test_an_ack_ends_it_once(self) -> None:
        self.sent("1")
        self.assertTrue(self.deliveries.acknowledged(BOB, "1"))
        self.assertFalse(self.deliveries.acknowledged(BOB, "1"))
        self.assertEqual(self.expired(100.0), [])

    def test_an_ack_from_another_peer_is_nothing(self) -> None:
        self.sent("1")
        self.assertFalse(self.deliveries.acknowledged(EVE, "1"))
        self.assertFalse(self.deliveries.acknowledged(BOB, "unknown"))
        self.assertEqual(self.expired(TIMEOUT), ["1"])
        self.assertFalse(self.deliveries.acknowledged(EVE, "1"), "not when it is late either")

    def test_a_late_ack_is_told_once(self) -> None:
        self.sent("1")
        self.assertEqual(self.expired(TIMEOUT), ["1"])
        self.assertTrue(self.deliveries.acknowledged(BOB, "1"))
        self.assertFalse(self.deliveries.acknowledged(BOB, "1"))

    def test_late_ones_are_remembered_within_a_bound(self) -> None:
        deliveries = Deliveries(TIMEOUT, limit=MAX_LATE + 1)
        for number in range(MAX_LATE + 1):
            deliveries.add(BOB, Send(str(number)), 0.0)
            deliveries.written(str(number), 0.0)
        self.assertEqual(len(deliveries.expire(TIMEOUT)), MAX_LATE + 1)
        self.assertFalse(deliveries.acknowledged(BOB, "0"), "the oldest was forgotten")
        self.assertTrue(deliveries.acknowledged(BOB, "1"))

    def test_a_lost_link_lets_all_that_went_to_it_wait_again_in_order(self) -> None:
        written = self.sent("1", link="lost")
        queued = self.add("2")
        self.deliveries.queued(queued, "lost")
        other = self.sent("3", link="other")
        self.deliveries.link_lost("lost", 4.0)
        self.assertEqual(self.deliveries.waiting(BOB), [written, queued])
        self.assertIs(other.stage, Stage.SENT)
        self.assertEqual(self.expired(5.0), ["3"])
        self.assertEqual(self.expired(8.999), [])
        self.assertEqual(self.expired(9.0), ["1", "2"])

    def test_waiting_is_of_one_peer(self) -> None:
        for_bob = self.add("1", peer=BOB)
        for_eve = self.add("2", peer=EVE)
        self.assertEqual(self.deliveries.waiting(BOB), [for_bob])
        self.assertEqual(self.deliveries.waiting(EVE), [for_eve])

    def test_there_is_a_limit_and_every_end_makes_room(self) -> None:
        first = self.add("1")
        self.sent("2")
        self.sent("3")
        with self.assertRaises(QueueFullError):
            self.add("4")
        self.deliveries.withdraw(first)
        self.add("4")
        self.deliveries.acknowledged(BOB, "2")
        self.add("5")
        self.assertEqual(self.expired(TIMEOUT), ["3", "4", "5"])
        self.add("6")

    def test_what_was_withdrawn_never_ends(self) -> None:
        self.deliveries.withdraw(self.add("1"))
        self.assertIsNone(self.deliveries.next_deadline())
        self.assertEqual(self.expired(100.0), [])
        self.assertEqual(self.deliveries.abandon(), [])

    def test_abandon_ends_everything(self) -> None:
        all_of_it = [self.add("1"), self.sent("2")]
        self.assertEqual(self.deliveries.abandon(), all_of_it)
        self.assertEqual(len(self.deliveries), 0)
        self.assertIsNone(self.deliveries.next_deadline())
        self.assertEqual(self.expired(100.0), [])

    def test_a_thousand_acknowledged_messages_leave_nothing_behind_that_grows(self) -> None:
        for number in range(1000):
            self.sent(str(number), now=0.0)
            self.deliveries.acknowledged(BOB, str(number))
        self.assertIsNone(self.deliveries.next_deadline())
