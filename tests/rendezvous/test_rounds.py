"""Rounds never overlap and never end; pace and health of them."""

from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import Address
from p2pchat.rendezvous.errors import BlockedError, RefusedError, ServerDownError
from p2pchat.rendezvous.health import Health
from p2pchat.rendezvous.pace import Pace
from p2pchat.rendezvous.rounds import Rounds


class RoundsTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.rounds = Rounds(self.clock, self.work)
        self.begun = []
        self.under_way = []
        self.waits = False

    async def work(self):
        self.begun.append(self.clock.seconds())
        if self.waits:
            self.under_way.append(Deferred())
            await self.under_way[-1]
        return 10.0

    def test_each_round_sets_the_next(self):
        self.rounds.start()
        self.clock.pump([1] * 35)
        self.assertEqual(self.begun, [0, 10, 20, 30])

    def test_a_round_that_breaks_is_logged_and_followed_by_another(self):
        self.waits = True
        self.rounds.start()
        self.under_way[0].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(60)
        self.assertEqual(self.begun, [0, 60])

    def test_joining_begins_one_round_for_all(self):
        self.rounds.start()
        self.waits = True
        self.clock.advance(5)
        joined = [self.rounds.join(), self.rounds.join()]
        self.assertEqual(self.begun, [0, 5])
        self.assertNoResult(joined[0])
        self.under_way[0].callback(None)
        self.assertEqual([self.successResultOf(each) for each in joined], [None, None])
        self.clock.advance(9.5)
        self.assertEqual(self.begun, [0, 5])
        self.clock.advance(0.5)
        self.assertEqual(self.begun, [0, 5, 15])

    def test_joining_a_round_that_breaks_is_no_error(self):
        self.rounds.start()
        self.waits = True
        joined = self.rounds.join()
        self.under_way[0].errback(ZeroDivisionError())
        self.assertIsNone(self.successResultOf(joined))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_hurrying_brings_the_next_round_forward_and_never_back(self):
        self.rounds.start()
        self.rounds.hurry(3)
        self.rounds.hurry(5)
        self.clock.advance(2.9)
        self.rounds.hurry(3)
        self.assertEqual(self.begun, [0])
        self.clock.advance(0.2)
        self.assertEqual(len(self.begun), 2)

    def test_hurrying_during_a_round_counts_from_its_end(self):
        self.waits = True
        self.rounds.start()
        self.rounds.hurry(3)
        self.rounds.hurry(4)
        self.clock.advance(8)
        self.under_way[0].callback(None)
        self.clock.advance(3)
        self.assertEqual(self.begun, [0, 11])
        self.under_way[1].callback(None)
        self.clock.advance(9)
        self.assertEqual(self.begun, [0, 11])

    def test_resting_nobody_brings_a_round_forward(self):
        self.rounds.start()
        self.rounds.rest(10)
        self.rounds.hurry(1)
        self.assertIsNone(self.successResultOf(self.rounds.join()))
        self.clock.advance(9)
        self.assertEqual(self.begun, [0])
        self.rounds.rest(0)
        self.rounds.hurry(0)
        self.clock.advance(0)
        self.assertEqual(self.begun, [0, 9])

    def test_resting_during_a_round_undoes_what_was_hurried(self):
        self.waits = True
        self.rounds.start()
        self.rounds.hurry(1)
        self.rounds.rest(10)
        self.under_way[0].callback(None)
        self.clock.advance(9)
        self.assertEqual(self.begun, [0])

    def test_stopping_cancels_the_round_and_lets_go_of_who_waits(self):
        self.waits = True
        self.rounds.start()
        joined = self.rounds.join()
        self.rounds.stop()
        self.assertIsNone(self.successResultOf(joined))
        self.assertIsNone(self.successResultOf(self.rounds.join()))
        self.rounds.hurry(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopped_between_rounds_there_is_no_next_one(self):
        self.rounds.start()
        self.rounds.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PaceTests(SynchronousTestCase):
    def setUp(self):
        self.pace = Pace(Random(1), 60)

    def test_backoff_doubles_up_to_the_interval_and_begins_anew_after_a_success(self):
        for _ in range(2):
            for longest in (1, 2, 4, 8, 16, 32, 60, 60):
                delay = self.pace.backoff()
                self.assertTrue(longest * 0.75 <= delay <= longest, (longest, delay))
            self.pace.regular()

    def test_backoff_goes_on_for_years(self):
        for _ in range(5000):
            self.assertLessEqual(self.pace.backoff(), 60)

    def test_a_short_interval_is_the_longest_backoff(self):
        pace = Pace(Random(1), 0.5)
        self.assertLessEqual(pace.backoff(), 0.5)

    def test_every_delay_has_jitter_within_its_bounds(self):
        for delay, least, most in [
            (self.pace.regular, 45, 60),
            (self.pace.blocked, 60, 63),
            (lambda: self.pace.soon(3), 2.4, 3.6),
        ]:
            drawn = [delay() for _ in range(200)]
            self.assertTrue(least <= min(drawn) < max(drawn) <= most)
            self.assertGreater(max(drawn) - min(drawn), (most - least) * 0.8)


class HealthTests(SynchronousTestCase):
    def setUp(self):
        self.notices = []
        self.health = Health(Address("10.0.0.1", 8080), self)

    def notice(self, level, text):
        self.notices.append((level, text))

    def test_the_user_hears_of_changes_only(self):
        self.assertEqual(self.health.state, "not asked yet")
        self.health.answered()
        self.assertEqual((self.health.state, self.notices), ("up", []))
        for _ in range(3):
            self.health.failed(ServerDownError("refused"))
            self.health.failed(BlockedError())
        self.assertEqual(
            self.notices,
            [
                (
                    "warning",
                    "Rendezvous server 10.0.0.1:8080 is down (refused); it will be tried again",
                )
            ],
        )
        self.assertIn("blocking us", self.health.state)
        self.health.answered()
        self.health.answered()
        self.assertEqual(self.notices[1:], [("info", "Rendezvous server 10.0.0.1:8080 is back")])
        self.health.failed(RefusedError("bad_name"))
        self.assertIn("bad_name", self.notices[2][1])
