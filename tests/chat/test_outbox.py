"""What became of messages to one peer each, case by case."""

from datetime import UTC, datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.messages import Send
from p2pchat.chat.outbox import LONGEST_PAUSE, MAX_LATE, Letter, Outbox, Stage
from p2pchat.identity import PeerId

BOB, EVE = PeerId("bob@CIC"), PeerId("eve@CIC")
TIMEOUT = 5.0
RETRIES = 3
MAX_AGE = timedelta(days=7)
START = datetime(2025, 1, 1, tzinfo=UTC)


class OutboxCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.outbox = Outbox(TIMEOUT, MAX_AGE, RETRIES)
        self.count = 0

    def add(self, msg_id: str, peer: PeerId = BOB, attempts: int = 0) -> Letter:
        self.count += 1
        letter = Letter(self.count, peer, Send(msg_id), START, attempts)
        self.outbox.add(letter)
        return letter

    def sent(self, msg_id: str, now: float = 0.0, link: str = "link", **kind: bool) -> Letter:
        """Add a letter and let a link write it; `legacy` tells of what kind its peer is."""
        letter = self.add(msg_id)
        self.write(letter, now, link, **kind)
        return letter

    def sent_twice(self, msg_id: str, now: float = 0.0) -> Letter:
        """Let a letter be written now and TIMEOUT later, so that a pause comes next."""
        letter = self.sent(msg_id, now)
        self.write(letter, now + TIMEOUT, "link")
        return letter

    def write(self, letter: Letter, now: float, link: str, *, legacy: bool = False) -> None:
        self.assertIn(letter.msg_id, self.ready(now, letter.peer, legacy=legacy))
        self.outbox.queued(letter, link)
        self.assertIs(self.outbox.written(letter.msg_id, now), letter)

    def ready(self, now: float, peer: PeerId = BOB, *, legacy: bool = False) -> list[str]:
        """Take all that may go to a link now, and put it back."""
        self.outbox.overdue(now)
        letters = []
        while (letter := self.outbox.next_ready(peer, legacy=legacy)) is not None:
            self.outbox.queued(letter, "another link")
            letters.append(letter)
        for letter in letters:
            self.outbox.taken_back(letter)
        return [letter.msg_id for letter in letters]

    def given_up(self, after: timedelta = timedelta()) -> list[tuple[str, str]]:
        hopeless = self.outbox.too_old(START + after) + self.outbox.exhausted()
        return [(letter.msg_id, why) for letter, why in hopeless]


class Waiting(OutboxCase):
    def test_ready_at_once_for_its_own_peer_in_the_order_of_storing(self) -> None:
        self.count = 2
        self.add("second")
        self.count = 1
        self.add("first")
        self.count = 3
        self.add("for eve", EVE)
        self.assertEqual(self.ready(0.0), ["first", "second"])
        self.assertEqual(self.ready(0.0, EVE), ["for eve"])
        self.assertEqual(self.outbox.waiting_for, [BOB, EVE])

    def test_it_waits_without_end_and_needs_no_look(self) -> None:
        self.add("1")
        self.assertIsNone(self.outbox.next_look())
        self.assertEqual(self.outbox.overdue(1e6), [BOB])
        self.assertEqual(self.given_up(MAX_AGE), [])
        self.assertEqual(self.ready(1e6), ["1"])

    def test_but_only_to_its_greatest_age(self) -> None:
        self.add("1")
        too_old = MAX_AGE + timedelta(seconds=1)
        self.assertEqual(self.given_up(too_old), [("1", "no confirmation within 7 days")])
        self.assertEqual((len(self.outbox), self.outbox.waiting_for), (0, []))
        self.assertEqual(self.given_up(too_old), [])

    def test_a_clock_that_steps_back_changes_nothing(self) -> None:
        self.add("1")
        self.assertEqual(self.given_up(timedelta(hours=-1)), [])
        self.assertEqual(self.ready(0.0), ["1"])

    def test_what_was_taken_back_waits_again(self) -> None:
        letter = self.add("1")
        self.outbox.queued(letter, "link")
        self.assertEqual((self.ready(0.0), self.outbox.on_a_link), ([], 1))
        self.outbox.taken_back(letter)
        self.assertEqual((self.ready(0.0), self.outbox.on_a_link), (["1"], 0))


class Sent(OutboxCase):
    def test_standing_in_a_queue_has_no_deadline(self) -> None:
        self.outbox.queued(self.add("1"), "link")
        self.assertIsNone(self.outbox.next_look())
        self.assertEqual(self.outbox.overdue(1000.0), [])
        self.assertEqual(self.ready(1000.0), [])

    def test_the_timeout_of_an_ack_begins_when_it_is_written(self) -> None:
        letter = self.sent("1", now=100.0)
        self.assertEqual(self.outbox.next_look(), 105.0)
        self.outbox.overdue(104.999)
        self.assertIs(letter.stage, Stage.SENT)
        self.outbox.overdue(105.0)
        self.assertIs(letter.stage, Stage.WAITING)

    def test_our_own_kind_gets_it_again_after_pauses_that_grow_to_a_bound(self) -> None:
        letter, now, pauses = self.sent("1"), 0.0, []
        for _ in range(10):
            written, now = now, now + TIMEOUT
            while not self.outbox.overdue(now):
                self.assertEqual(self.ready(now), [])
                due = self.outbox.next_look()
                assert due is not None
                now = due
            pauses.append(now - written)
            self.write(letter, now, "link")
        self.assertEqual(pauses[:4], [5, 10, 20, 40])
        self.assertEqual(pauses[-1], LONGEST_PAUSE)
        self.assertEqual(letter.attempts, 11)
        self.assertEqual(self.given_up(), [])

    def test_a_timeout_above_the_longest_pause_is_the_pause(self) -> None:
        self.outbox.ack_timeout = 2 * LONGEST_PAUSE
        letter, now = self.sent("1"), 0.0
        for _ in range(3):
            now += 2 * LONGEST_PAUSE
            self.assertEqual(self.outbox.overdue(now - 1), [])
            self.assertEqual(self.outbox.overdue(now), [BOB])
            self.write(letter, now, "link")

    def test_a_new_link_ends_the_pause(self) -> None:
        self.sent_twice("1")
        self.outbox.overdue(2 * TIMEOUT)
        self.assertEqual(self.ready(2 * TIMEOUT), [])
        self.outbox.link_lost("link")
        self.assertEqual(self.ready(2 * TIMEOUT), ["1"])

    def test_whatever_ends_a_pause_it_is_looked_for_no_more(self) -> None:
        for number, ending in enumerate(("lost", "acknowledged", "withdrawn")):
            msg_id = str(number)
            self.sent_twice(msg_id, now=100.0 * number)
            self.outbox.overdue(100.0 * number + 2 * TIMEOUT)
            self.assertIsNotNone(self.outbox.next_look())
            match ending:
                case "lost":
                    self.outbox.link_lost("link")
                    self.assertEqual(self.ready(TIMEOUT), [msg_id])
                    self.outbox.acknowledged(BOB, msg_id)
                case "acknowledged":
                    self.outbox.acknowledged(BOB, msg_id)
                case "withdrawn":
                    self.outbox.withdraw(msg_id)
            self.assertIsNone(self.outbox.next_look())
            self.assertEqual(self.outbox.overdue(100.0 * number + 99.0), [])

    def test_other_programs_get_it_again_on_another_link_only(self) -> None:
        self.sent("1", legacy=True)
        self.assertEqual(self.outbox.overdue(TIMEOUT), [])
        self.assertEqual(self.ready(1e6, legacy=True), [])
        self.assertIsNone(self.outbox.next_look())
        self.outbox.link_lost("another")
        self.assertEqual(self.ready(TIMEOUT, legacy=True), [])
        self.outbox.link_lost("link")
        self.assertEqual(self.ready(TIMEOUT, legacy=True), ["1"])

    def test_and_so_many_times_at_the_most(self) -> None:
        letter = self.sent("1", legacy=True)
        for retry in range(RETRIES):
            self.assertEqual(self.given_up(), [])
            self.outbox.link_lost("link")
            self.write(letter, float(retry), "link", legacy=True)
        self.assertEqual(self.given_up(), [], "its ACK may come yet")
        self.outbox.overdue(1e6)
        self.assertEqual(self.given_up(), [("1", "sent 4 times, and never confirmed")])

    def test_also_counting_the_attempts_of_earlier_lives(self) -> None:
        self.add("1", attempts=RETRIES + 1)
        self.assertEqual(self.given_up(), [], "nobody knows of what kind its peer is")
        self.assertEqual(self.ready(0.0, legacy=True), [])
        self.assertEqual(self.outbox.overdue(0.0), [])
        self.assertEqual([msg_id for msg_id, _ in self.given_up()], ["1"])

    def test_our_own_kind_may_have_it_any_number_of_times(self) -> None:
        self.add("1", attempts=1000)
        self.assertEqual(self.ready(0.0), ["1"])
        self.assertEqual(self.given_up(), [])

    def test_a_lost_link_lets_all_that_went_to_it_wait_in_order(self) -> None:
        self.sent("1", link="lost")
        self.outbox.queued(self.add("2"), "lost")
        other = self.sent("3", link="other")
        self.outbox.link_lost("lost")
        self.assertEqual(self.ready(0.0), ["1", "2"])
        self.assertIs(other.stage, Stage.SENT)
        self.assertEqual(self.outbox.next_look(), TIMEOUT)


class Ended(OutboxCase):
    def test_an_ack_ends_it_once(self) -> None:
        self.sent("1")
        self.assertTrue(self.outbox.acknowledged(BOB, "1"))
        self.assertFalse(self.outbox.acknowledged(BOB, "1"))
        self.assertEqual((len(self.outbox), self.outbox.next_look()), (0, None))
        self.assertEqual(self.given_up(2 * MAX_AGE), [])

    def test_also_one_for_an_attempt_of_an_earlier_life(self) -> None:
        self.add("1", attempts=1)
        self.assertTrue(self.outbox.acknowledged(BOB, "1"))
        self.assertEqual(self.ready(0.0), [])

    def test_an_ack_from_another_peer_is_nothing(self) -> None:
        self.sent("1")
        self.assertFalse(self.outbox.acknowledged(EVE, "1"))
        self.assertFalse(self.outbox.acknowledged(BOB, "unknown"))
        self.given_up(2 * MAX_AGE)
        self.assertFalse(self.outbox.acknowledged(EVE, "1"), "not when it is late either")
        self.assertTrue(self.outbox.acknowledged(BOB, "1"))

    def test_a_late_ack_is_told_once(self) -> None:
        self.sent("1")
        self.given_up(2 * MAX_AGE)
        self.assertTrue(self.outbox.acknowledged(BOB, "1"))
        self.assertFalse(self.outbox.acknowledged(BOB, "1"))

    def test_late_ones_are_remembered_within_a_bound(self) -> None:
        for number in range(MAX_LATE + 1):
            self.add(str(number))
        self.assertEqual(len(self.given_up(2 * MAX_AGE)), MAX_LATE + 1)
        self.assertFalse(self.outbox.acknowledged(BOB, "0"), "the oldest was forgotten")
        self.assertTrue(self.outbox.acknowledged(BOB, "1"))

    def test_withdrawn_once_and_its_ack_may_still_come(self) -> None:
        self.sent("1")
        self.assertTrue(self.outbox.withdraw("1"))
        self.assertFalse(self.outbox.withdraw("1"))
        self.assertEqual((len(self.outbox), self.outbox.next_look()), (0, None))
        self.assertIsNone(self.outbox.written("1", 0.0))
        self.assertEqual(self.given_up(2 * MAX_AGE), [])
        self.assertTrue(self.outbox.acknowledged(BOB, "1"))

    def test_a_thousand_acknowledged_messages_leave_nothing_behind(self) -> None:
        for number in range(1000):
            self.sent(str(number))
            self.outbox.acknowledged(BOB, str(number))
        self.assertIsNone(self.outbox.next_look())
        self.assertEqual((len(self.outbox), self.outbox.waiting_for), (0, []))
